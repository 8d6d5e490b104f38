"""The consistency monitor: from reported checkpoints it decides if a log forked or fails to prove consistency. No I/O.

Reports count only as far as the log they are about has signed them:

1. Two checkpoints that a log signed and that contradict each other prove a fork (`PeerLogViews`), regardless of who
   reported them. Fork proofs reported by others are verified with the log's public key alone.
2. A checkpoint that a log signed and that is not in its known history is unverified. The owner is asked to prove that
   the known and the unverified checkpoints are both consistent with its newest one. If both are, they cannot contradict
   each other; if the answer gives a root for either that differs from the signed one, the answer proves a fork.
   A member whose log had nothing new to accept for a while is asked about the known checkpoint alone. This finds a log
   that now claims to be smaller than it once signed.
3. A log whose answers prove nothing, `MAX_FAILURES` times and for at least `PATIENCE`, is in default. So is one that
   does not answer this question although it keeps exchanging checkpoints (`MAX_SILENCES`). An unreachable member is not
   in default. A default ends when all is proven.

No honest log is ever found forked or in default: it signs a checkpoint only of committed entries, never loses what it
signed (or detects the loss and stops before it answers), and only appends. All its checkpoints are therefore consistent
with its newest one: no two contradict each other, and each of its answers proves every checkpoint it signed. Nobody
else can sign for it, and a proof that does not connect two checkpoints it signed is discarded.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import structlog

from paiza.core.v1 import fork_proof_pb2
from paiza.peer.v1 import exchange_pb2
from paiza_node.core.peers.checkpoint_history import STALE_ALARM
from paiza_node.core.peers.claims import learn_fork
from paiza_node.core.peers.log_views import PeerLogViews
from paiza_node.core.peers.model import Finding, FindingKind, FindingState
from paiza_register import Member, Register
from paiza_wire.errors import PaizaError, Rejected, Unavailable
from paiza_wire.tlog import fork_proofs
from paiza_wire.tlog.checkpoint import VerifiedCheckpoint

FIRST_ASK: Final = timedelta(seconds=5)  # after an unverified checkpoint; later ones are asked about with it
ASK_AGAIN: Final = timedelta(seconds=10)  # after an answer that proved nothing, or none
ASK_IN_DEFAULT: Final = timedelta(seconds=60)
DEFAULT_AGAIN: Final = timedelta(hours=1)  # least time between two defaults of a log that proved itself
MAX_FAILURES: Final = 6  # answers in a row that prove nothing
MAX_SILENCES: Final = 24  # questions in a row without an answer, each after a successful exchange with the log
QUIET: Final = timedelta(seconds=300)  # since a log was accepted last: an idle one is exchanged with every 30 seconds
PATIENCE: Final = timedelta(seconds=60)  # the least time a log has to prove itself

REFUSALS: Final = frozenset({"consistency_mismatch", "malformed", "too_large", "policy_denied", "unexpected_answer"})
"""Reasons with which a node answers that it does not prove; any other may be a failure of a node or the network."""

FORKED: Final = "log_forked"
IN_DEFAULT: Final = "log_in_default"
STALE: Final = "log_stale"

log = structlog.get_logger("paiza.witness")


@dataclass(slots=True)
class ProofAttempts:
    """The unsuccessful questions to a member since its log has unverified checkpoints: ``since`` the oldest of them."""

    since: datetime
    next_ask: datetime
    exchanges: int
    asked: bool = False
    failures: int = 0
    silences: int = 0


@dataclass(frozen=True, slots=True)
class Default:
    """A log did not prove on demand that these two checkpoints are consistent, or that it contains the first.

    ``unverified`` is empty if only the known checkpoint was asked about.
    """

    member: str
    origin: str
    known: bytes
    unverified: bytes

    @property
    def proof(self) -> bytes:
        """Return both notes as stored; they show no contradiction, only what was asked about."""
        notes = fork_proof_pb2.ForkProof(first_note=self.known, second_note=self.unverified)
        return notes.SerializeToString(deterministic=True)


@dataclass(frozen=True, slots=True)
class Question:
    """The checkpoints that a member is asked to prove."""

    member: str
    base: VerifiedCheckpoint
    unverified: tuple[VerifiedCheckpoint, ...]

    @property
    def request(self) -> exchange_pb2.ProveConsistencyRequest:
        """Return the call that asks it."""
        sizes = dict.fromkeys(each.size for each in (self.base, *self.unverified))
        return exchange_pb2.ProveConsistencyRequest(sizes=sizes)


class ConsistencyMonitor:
    """Evaluates reports about other members' logs. Belongs to one event loop."""

    def __init__(self, member: str, logs: PeerLogViews, findings: Iterable[Finding] = ()) -> None:
        """Store the own member, the log views, and the earlier findings."""
        self._member = member
        self._logs = logs
        self._attempts: dict[str, ProofAttempts] = {}
        self._since: dict[str, dict[VerifiedCheckpoint, datetime]] = {}  # of each unverified checkpoint
        self._accepted: dict[str, tuple[int, datetime]] = {}
        self.defaults: dict[str, Default] = {}
        """The logs in default, by member."""
        self.begun: list[Default] = []
        """Defaults that are not yet recorded in our own log."""
        self.ended: list[tuple[Default, bool]] = []
        """Ended defaults that are still open in our own log, and whether the log was found to be forked."""
        self._last: dict[str, datetime] = {}  # when each member's log was found in default last
        for finding in findings:
            if finding.kind is not FindingKind.DEFAULT:
                continue
            self._last[finding.member] = finding.found_time
            if finding.state is FindingState.OPEN:
                notes = fork_proof_pb2.ForkProof.FromString(finding.proof)
                found = Default(finding.member, finding.origin, notes.first_note, notes.second_note)
                self.defaults[finding.member] = found

    def misbehaviour(self, member: str) -> list[str]:
        """Return the reason codes of the misbehaviour of a member's log."""
        found = [
            (FORKED, self._logs.forked(member)),
            (IN_DEFAULT, member in self.defaults),
            (STALE, self._logs.counts.stale.get(member, 0) >= STALE_ALARM),
        ]
        return [reason for reason, holds in found if holds]

    def add_report(
        self,
        teller: str,
        notes: Sequence[bytes],
        proofs: Sequence[fork_proof_pb2.ForkProof],
        register: Register,
    ) -> None:
        """Evaluate a member's reports about third logs; invalid ones are ignored."""
        owners = {member.origin: member for member in register.active_members()}
        for note in notes:
            try:
                owner = owners.get(fork_proofs.read_origin(note))
                if owner is not None and owner.id != self._member:
                    self._logs.add_reported(owner, note, told_by=teller)
            except PaizaError as error:
                self._passed_over(teller, error)
        everyone = {origin: member for member in register.described.values() for origin in member.origins}
        for proof in proofs:
            data = proof.SerializeToString(deterministic=True)
            try:
                owner = everyone.get(fork_proofs.proof_origin(data))
                if owner is not None and owner.id != self._member:
                    learn_fork(self._logs, owner, data)
            except PaizaError as error:
                self._passed_over(teller, error)

    def _passed_over(self, teller: str, error: PaizaError) -> None:
        if error.reason != FORKED:  # a fork is logged where it is found
            log.info("gossip_ignored", teller=teller, reason=error.reason, detail=error.detail)

    def due(self, register: Register, now: datetime) -> list[Question]:
        """Return the questions to ask now."""
        self._end_overtaken()
        found = []
        for member in register.active_members():
            if member.id == self._member or self._logs.forked(member.id):
                continue
            self._restore_unverified(member)
            base = self._logs.link(member.id)
            unverified = self._logs.unverified(member.id, member.origin)
            held = self._since.get(member.id, {})
            self._since[member.id] = {each: held.get(each, now) for each in unverified}
            if not unverified and member.id not in self.defaults and not self._is_quiet(base, member.id, now):
                self._attempts.pop(member.id, None)
                continue
            since = min(self._since[member.id].values(), default=now)
            attempts = self._attempts.get(member.id)
            # The one that was waited for may have been proven by an exchange: then the next one gets its time too.
            if attempts is None or (unverified and not attempts.asked and attempts.since < since):
                seen = self._logs.counts.accepted.get(member.id, 0)
                attempts = self._attempts[member.id] = ProofAttempts(since, since + FIRST_ASK, seen)
            if attempts.next_ask <= now:
                attempts.asked = True
                attempts.next_ask = now + (ASK_IN_DEFAULT if member.id in self.defaults else ASK_AGAIN)
                found.append(Question(member.id, base, tuple(unverified)))
        return found

    def _is_quiet(self, base: VerifiedCheckpoint, member: str, now: datetime) -> bool:
        """Return whether a log is known and nothing new of it was accepted for long."""
        count = self._logs.counts.accepted.get(member, 0)
        if member not in self._accepted or self._accepted[member][0] != count:
            self._accepted[member] = (count, now)
        return bool(base.note) and now - self._accepted[member][1] >= QUIET

    def _restore_unverified(self, member: Member) -> None:
        """Restore the unverified checkpoint for which a log is in default, also after a restart."""
        if (default := self.defaults.get(member.id)) is not None and default.unverified:
            try:
                self._logs.add_reported(member, default.unverified, told_by=self._member, held=True)
            except PaizaError as error:
                self._passed_over(self._member, error)

    def is_unproven(self, member: str) -> bool:
        """Return whether a member was asked about its log's unverified checkpoints, and did not prove them."""
        attempts = self._attempts.get(member)
        return member in self.defaults or (attempts is not None and attempts.failures + attempts.silences > 0)

    def answered(
        self, member: Member, question: Question, response: exchange_pb2.ProveConsistencyResponse, now: datetime
    ) -> None:
        """Evaluate the answer to a question."""
        try:
            self._logs.reconcile(member, question.base, question.unverified, response)
        except Rejected:
            self._attempts.pop(member.id, None)
            self._end_overtaken()
        except Unavailable as error:
            self._failed(question, error, now)
        else:
            self._attempts.pop(member.id, None)
            if (default := self.defaults.pop(member.id, None)) is not None:
                self.ended.append((default, False))
                log.warning("log_proven", member=member.id, origin=default.origin)

    def not_answered(self, question: Question, error: PaizaError, now: datetime) -> None:
        """Evaluate a refused or unanswered question."""
        if error.reason in REFUSALS:
            self._failed(question, error, now)
            return
        attempts = self._attempts.get(question.member)
        seen = self._logs.counts.accepted.get(question.member, 0)
        if attempts is not None and seen > attempts.exchanges:
            attempts.exchanges = seen
            attempts.silences += 1
            self._consider(question, attempts, now)

    def _failed(self, question: Question, error: PaizaError, now: datetime) -> None:
        log.warning("consistency_not_proven", peer=question.member, reason=error.reason, detail=error.detail)
        attempts = self._attempts.get(question.member)
        if attempts is not None:
            attempts.failures += 1
            self._consider(question, attempts, now)

    def _consider(self, question: Question, attempts: ProofAttempts, now: datetime) -> None:
        """Record a default of a log that was asked often enough, for long enough."""
        enough = attempts.failures >= MAX_FAILURES or attempts.silences >= MAX_SILENCES
        if not enough or now - attempts.since < PATIENCE or question.member in self.defaults:
            return
        last = self._last.get(question.member)
        if last is not None and timedelta(0) <= now - last < DEFAULT_AGAIN:
            return  # it was reported a while ago: repeated defaults must not fill our log
        self._last[question.member] = now
        unverified = question.unverified[0].note if question.unverified else b""
        found = Default(question.member, question.base.origin, question.base.note, unverified)
        self.defaults[question.member] = found
        self.begun.append(found)
        sizes = [each.size for each in question.unverified]
        log.critical("log_in_default", member=found.member, known=question.base.size, unverified=sizes)

    def _end_overtaken(self) -> None:
        """End defaults of logs that were since found forked: a fork is the graver finding."""
        for member in [member for member in self.defaults if self._logs.forked(member)]:
            self.ended.append((self.defaults.pop(member), True))
            self._attempts.pop(member, None)
