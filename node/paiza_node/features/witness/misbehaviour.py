"""Misbehaviour of other members' logs: reports are verified, findings are committed, an administrator restores trust.

Reports are verified here and not in the exchange that brought them, so that no exchange waits. Findings take effect at
once (a forked log is refused from the moment it is found) and are committed as soon as the ledger takes them.

A crash before that commit loses the finding, not its evidence: every exchange repeats what others hold, and the log is
asked again. After the commit the finding survives every restart until an administrator restores trust (a fork), or
until the log is proven (a default).
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import structlog
from google.protobuf.message import DecodeError

from paiza.admin.v1 import admin_pb2
from paiza.core.v1 import fork_proof_pb2
from paiza_node.core.dependencies import Core
from paiza_node.core.exchange import store as exchange_store
from paiza_node.core.exchange.model import ForeignProof
from paiza_node.core.executors.periodic import PeriodicTask
from paiza_node.core.log.model import MAX_REASON
from paiza_node.core.log.transaction import LogTransaction
from paiza_node.core.peers import store as peers_store
from paiza_node.core.peers.claims import record_fork
from paiza_node.core.peers.directory import PeerDirectory
from paiza_node.core.peers.model import Finding, FindingKind, FindingState
from paiza_node.core.peers.unverified_checkpoints import ToldEntry
from paiza_node.features.witness.consistency_monitor import FORKED, IN_DEFAULT, ConsistencyMonitor, Default, Question
from paiza_register import Register
from paiza_wire import log_entries
from paiza_wire.errors import PaizaError, Rejected
from paiza_wire.tlog import checkpoint as checkpoints
from paiza_wire.tlog import fork_proofs, merkle
from paiza_wire.tlog.checkpoint import VerifiedCheckpoint
from paiza_wire.tlog.fork_proofs import Fork
from paiza_wire.tlog.notes import VerifierKey

LOOK_SECONDS: Final = 1.0  # between two steps; the longest wait before an unverified checkpoint is asked about
MAX_LISTED: Final = 500  # ended findings that are listed
MAX_ACCEPTED_AHEAD: Final = 1_000_000  # entries beyond what was accepted of a log: more than a node writes in months
MAX_ASKED: Final = 16  # members asked at the same time

log = structlog.get_logger("paiza.witness")


class MisbehaviourRecorder:
    """Verifies reports about other logs, records findings and restores trust. Belongs to one event loop."""

    def __init__(
        self,
        core: Core,
        monitor: ConsistencyMonitor,
        peers: PeerDirectory,
        *,
        distrust: Callable[[str], None] = lambda _member: None,
        restore_trust: Callable[[str, Mapping[str, int]], None] = lambda _member, _sizes: None,
    ) -> None:
        """Store the collaborators.

        ``distrust`` stops the cosigning of a member's log; ``restore_trust`` resumes it, above these sizes by origin.
        """
        self._core = core
        self._monitor = monitor
        self._peers = peers
        self._distrust = distrust
        self._restore_trust = restore_trust
        self._reports: dict[str, tuple[Sequence[bytes], Sequence[fork_proof_pb2.ForkProof]]] = {}
        self.task = PeriodicTask(self.step, period=LOOK_SECONDS, failed="misbehaviour_not_recorded")

    def queue_report(self, teller: str, notes: Sequence[bytes], proofs: Sequence[fork_proof_pb2.ForkProof]) -> None:
        """Queue the reports of a member for verification; they replace its earlier ones that still wait.

        Notes come with every exchange, and are verified together at the next step; a proof of a fork at once.
        """
        self._reports[teller] = (notes, proofs)
        if proofs:
            self.task.wake()

    async def step(self) -> None:
        """Verify the queued reports, ask the due questions and commit the findings."""
        core = self._core
        register = core.register_cache.current
        reports, self._reports = self._reports, {}
        if reports:  # signatures are verified: not on the loop that answers callers
            await asyncio.to_thread(self._verify, reports, register)
        due = self._monitor.due(register, core.clock())
        for first in range(0, len(due), MAX_ASKED):
            await asyncio.gather(*(self._ask(question) for question in due[first : first + MAX_ASKED]))
        if core.logs.unverified_checkpoints.entries:
            await asyncio.to_thread(self._compare_entries)
        await self._record()

    def _verify(
        self, reports: Mapping[str, tuple[Sequence[bytes], Sequence[fork_proof_pb2.ForkProof]]], register: Register
    ) -> None:
        for teller, (notes, proofs) in reports.items():
            self._monitor.add_report(teller, notes, proofs, register)

    def _compare_entries(self) -> None:
        """Compare entries that others proved with those stored here: two different ones at one index prove a fork.

        Only done for a log that did not prove its checkpoints when asked; otherwise its own answer settles the matter.
        """
        core = self._core
        register = core.register_cache.current
        for _ in range(len(core.logs.unverified_checkpoints.entries)):
            told = core.logs.unverified_checkpoints.entries.popleft()
            member = register.members.get(told.member)
            if member is None or told.checkpoint.origin != member.origin:
                continue
            unverified = core.logs.unverified(told.member, told.checkpoint.origin)
            if not any(each.size == told.checkpoint.size for each in unverified):
                continue  # it was proven meanwhile, or the log was found forked
            if not self._monitor.is_unproven(told.member):
                core.logs.unverified_checkpoints.entries.append(told)
                continue
            with core.store.reads() as reads:
                kept = exchange_store.proofs_at(reads, told.member, told.index)
            keys = member.keys_of_log(member.origin)
            for proof in kept:
                if (fork := contradiction(told, proof, keys)) is not None:
                    core.logs.distrust(told.member, fork)

    async def _ask(self, question: Question) -> None:
        try:
            response = await self._peers.session(question.member).prove_consistency(question.request.sizes)
        except PaizaError as error:
            self._monitor.not_answered(question, error, self._core.clock())
            return
        member = self._core.register_cache.current.member(question.member)
        self._monitor.answered(member, question, response, self._core.clock())

    async def _record(self) -> None:
        """Commit the findings; those that cannot be committed now are committed by the next step."""
        core, monitor = self._core, self._monitor
        for member in core.register_cache.current.members:
            if core.logs.forked(member) or member in monitor.defaults:
                self._distrust(member)
            else:  # also if a new log of this member replaced a forked one
                self._restore_trust(member, {})
        await record_fork(core.ledger, core.logs)
        begun, ended = list(monitor.begun), list(monitor.ended)
        if not begun and not ended:
            return
        await core.ledger.commit(lambda tx: _write(tx, begun, ended))
        monitor.begun = [each for each in monitor.begun if each not in begun]
        monitor.ended = [each for each in monitor.ended if each not in ended]

    def findings(self) -> list[Finding]:
        """Return the findings, oldest first: all open ones, and the newest of those that have ended."""
        with self._core.store.reads() as reads:
            return listed(peers_store.findings(reads))

    async def restore_trust(self, index: int, reason_text: str, actor: str) -> Finding:
        """Trust a forked log again; the actor and the reason are logged.

        Checkpoints known so far no longer count against the log; its known history restarts at size 0. The finding
        stays. Rejected("unknown_id") if no such fork is open, Rejected("reason_missing") without a reason, and
        Rejected("too_large") if the log signed a size so far beyond its proven one that no later fork would count.
        """
        text = reason_text.strip()
        if not text or len(text) > MAX_REASON:
            raise Rejected("reason_missing", f"say why, in 1 to {MAX_REASON} characters")
        logs = self._core.logs

        def work(tx: LogTransaction) -> Finding:
            found = next((each for each in peers_store.findings(tx.conn) if each.index == index), None)
            if found is None or found.kind is not FindingKind.FORK or found.state is not FindingState.OPEN:
                raise Rejected("unknown_id", f"no fork {index} waits for a decision")
            size = max(logs.largest_shown(found.origin), *fork_sizes(found.proof))
            known = peers_store.known_logs(tx.conn).get(found.member)
            if known is not None and fork_proofs.read_origin(known.note) != found.origin:
                known = None
            if size > MAX_ACCEPTED_AHEAD + (0 if known is None else known.size):
                raise Rejected("too_large", f"{found.origin} signed a size of {size}, far beyond what it showed")
            entry = log_entries.trust_restored(actor=actor, member=found.member, notes_sha256=fork_digest(found.proof))
            ended_index = tx.append(entry, text=text).index
            peers_store.end_finding(tx.conn, index, tx.now, ended_index, text, size)
            if known is not None:
                peers_store.drop_known_log(tx.conn, found.member)
            return next(each for each in peers_store.findings(tx.conn, found.member) if each.index == index)

        decided = (await self._core.ledger.commit(work)).result
        # A crash here changes nothing: the next start restores the same from what was committed.
        sizes = {decided.origin: decided.accepted_up_to}
        logs.restore_trust(decided.member, sizes)
        self._restore_trust(decided.member, sizes)
        log.warning("trust_restored", member=decided.member, origin=decided.origin, actor=actor)
        return decided


def listed(findings: Sequence[Finding]) -> list[Finding]:
    """Return the findings to show: all open ones, and the newest that have ended."""
    ended = [each.index for each in findings if each.state is FindingState.ENDED]
    left_out = set(ended[:-MAX_LISTED])
    return [each for each in findings if each.index not in left_out]


def contradiction(told: ToldEntry, kept: ForeignProof, keys: Sequence[VerifierKey]) -> Fork | None:
    """Return the proof that a log put two entries at one index; None if the two proofs do not show it."""
    try:
        checkpoint = checkpoints.verify(kept.checkpoint, keys, keys[0].name)
        bare = VerifiedCheckpoint(
            checkpoint.origin, checkpoint.size, checkpoint.root, fork_proofs.minimal_note(checkpoint.note, *keys)
        )
        told_note = fork_proofs.minimal_note(told.checkpoint.note, *keys)
        other = VerifiedCheckpoint(told.checkpoint.origin, told.checkpoint.size, told.checkpoint.root, told_note)
        shown = fork_proof_pb2.OtherEntry(
            index=told.index,
            first_leaf=told.leaf,
            first_hashes=told.hashes,
            second_leaf=merkle.leaf_hash(kept.entry),
            second_hashes=merkle.split_hashes(kept.hashes),
        )
        return fork_proofs.other_entry(other, bare, shown)
    except Rejected:
        return None


def misbehaviour_message(finding: Finding) -> admin_pb2.Misbehaviour:
    """Return a finding in the form sent to the operator."""
    shown = admin_pb2.Misbehaviour(
        number=finding.index,
        member=finding.member,
        origin=finding.origin,
        reason=FORKED if finding.kind is FindingKind.FORK else IN_DEFAULT,
        proof=fork_proof_pb2.ForkProof.FromString(finding.proof),
        reason_text=finding.reason_text,
        accepted_up_to=finding.accepted_up_to,
    )
    shown.found_time.FromDatetime(finding.found_time)
    if finding.ended_time is not None:
        shown.ended_time.FromDatetime(finding.ended_time)
    return shown


def fork_sizes(proof: bytes) -> tuple[int, int]:
    """Return the sizes that the two notes of a finding state; 0 for an empty note."""
    notes = fork_proof_pb2.ForkProof.FromString(proof)
    return fork_proofs.read_size(notes.first_note), fork_proofs.read_size(notes.second_note)


def fork_digest(proof: bytes) -> bytes:
    """Return the digest that log entries give for the evidence of a finding; Rejected("bad_proof") if malformed."""
    try:
        notes = fork_proof_pb2.ForkProof.FromString(proof)
    except DecodeError as error:
        raise Rejected("bad_proof", "the proof of a fork is not of its format") from error
    return fork_proofs.digest(notes.first_note, notes.second_note)


def _write(tx: LogTransaction, begun: Sequence[Default], ended: Sequence[tuple[Default, bool]]) -> None:
    """Log which logs are newly in default and which no longer are, and store the findings."""
    for default in begun:
        if _open_default(tx, default) is None:
            entry = log_entries.default_found(member=default.member, notes_sha256=fork_digest(default.proof))
            index = tx.append(entry).index
            peers_store.add_finding(
                tx.conn, Finding(index, default.member, default.origin, FindingKind.DEFAULT, default.proof, tx.now)
            )
    for default, forked in ended:
        if (found := _open_default(tx, default)) is not None:
            entry = log_entries.default_ended(
                member=default.member, notes_sha256=fork_digest(default.proof), forked=forked
            )
            peers_store.end_finding(tx.conn, found.index, tx.now, tx.append(entry).index)


def _open_default(tx: LogTransaction, default: Default) -> Finding | None:
    for each in peers_store.findings(tx.conn, default.member):
        if (each.kind, each.origin, each.state) == (FindingKind.DEFAULT, default.origin, FindingState.OPEN):
            return each
    return None
