"""The proposals held at this node: submission, and what becomes of them as the register changes.

A proposal is accepted in these steps.

1. It is well formed, and every signature and refusal in it holds (`ProposalReader`).
2. The register in force has none of the roles that it makes yet, and it builds on the newest root; or the register
   contains it: then the signatures that are not known here are still logged.
3. One of those who decide about it has signed it; its time is not ahead of ours.
4. It is merged with the copy held, if there is one; all else is unchanged by it.
5. There is room: for all proposals together, and for those that only this one key has signed.

Then the proposal and one log entry for each key that signed or refused anew are committed together. A crash before that
commit leaves nothing, and the caller was not answered; after it, a repeat changes nothing.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from hashlib import sha256
from typing import Final, TypeVar

import structlog
from tuf.api.metadata import Metadata, Root, Targets

from paiza_node.core.dependencies import Core
from paiza_node.core.executors.periodic import PeriodicTask
from paiza_node.core.log.changes import Change, ProposalsChanged
from paiza_node.core.log.transaction import LogTransaction
from paiza_node.core.storage import ReadConnection
from paiza_node.features.ceremonies import store as ceremonies_store
from paiza_node.features.ceremonies.held import (
    Outdated,
    check_room,
    deciding_keys,
    digest_of,
    held_of,
    outdated,
    state_of,
)
from paiza_node.features.ceremonies.model import (
    HeldProposal,
    HeldState,
    Outcome,
)
from paiza_node.features.ceremonies.read import ProposalReader
from paiza_register import FetchMissing, Register, RegisterReader
from paiza_register.ceremony.base import Base
from paiza_register.ceremony.metadata import signed_bytes
from paiza_register.ceremony.proposal import Proposal
from paiza_register.ceremony.record import REFUSED, SIGNED
from paiza_register.open_set import role_path
from paiza_register.tuf_workflow import root_path
from paiza_wire import log_entries
from paiza_wire.errors import Rejected, Unavailable

ROUND_SECONDS: Final = 2.0  # until a new register is noticed; a round without changes reads nothing
ATTEMPTS: Final = 3  # to add to a proposal that changes meanwhile, after a caller hung up
CLEAN: Final = timedelta(hours=1)  # between removals of what was closed a day ago
AHEAD: Final = timedelta(minutes=10)  # of a proposal's time before our clock: clocks may differ that much

T = TypeVar("T")

log = structlog.get_logger("paiza.ceremonies")


@dataclass(frozen=True, slots=True)
class _Checked:
    """A proposal that may be stored.

    ``published``: the register in force contains it. ``before`` is the copy held. ``signers`` and ``refusing`` are the
    keys that signed and refused anew: key id -> member. ``data`` is the file.
    """

    proposal: Proposal
    published: bool
    before: HeldProposal | None
    signers: Mapping[str, str]
    refusing: Mapping[str, str]
    data: bytes


class Proposals:
    """The proposals held here. Belongs to one event loop; subscribes to the ledger's changes."""

    def __init__(self, core: Core, reader: RegisterReader) -> None:
        """Begin with what the database holds; `task` follows the register."""
        self._core = core
        self._register_files = reader
        self._reader = ProposalReader(reader, core.register_cache)
        self._lock = asyncio.Lock()  # one verification at a time: it may take long, and peers may send many
        self._changed = True
        self._seen: tuple[bytes, int] | None = None  # the register at the last round: version, and that of its root
        self._complete: Mapping[bytes, Mapping[str, bytes]] = {}
        self._refused: set[bytes] = set()  # whose refusals the register's reader has
        self._closed = asyncio.Event()
        self._cleaned = datetime.min.replace(tzinfo=UTC)
        self.task = PeriodicTask(self._round, period=ROUND_SECONDS, failed="proposals_not_followed")
        """Closes proposals as the register changes, and announces those that wait."""

    @property
    def complete(self) -> Mapping[bytes, Mapping[str, bytes]]:
        """Return what each complete proposal adds to the register, by fingerprint: published path -> bytes.

        The metadata hold all signatures. They are here until a register contains them, or has other ones.
        """
        return self._complete

    async def submit(self, data: bytes, actor: str) -> tuple[Outcome, HeldProposal]:
        """Store a proposal or add to it, see the steps above; ``actor`` is who showed it, a SPIFFE id.

        Return once it is on disk. ``Rejected`` if it is refused; ``Unavailable`` if it may be accepted later.
        """
        async with self._lock:
            for _ in range(ATTEMPTS):
                checked = await asyncio.to_thread(self._check, data)
                if isinstance(checked, HeldProposal):
                    return Outcome.UNCHANGED, checked
                done = (await self._core.ledger.commit(partial(self._write, checked, actor))).result
                if done is not None:
                    outcome = Outcome.STORED if checked.before is None else Outcome.MERGED
                    log.info("proposal_kept", fingerprint=done.fingerprint.hex(), state=done.state.name, by=actor)
                    return outcome, done
        raise Unavailable("busy", "the proposal changes at this moment", 1.0)

    async def published(self, fingerprint: bytes, seconds: float) -> HeldProposal:
        """Wait until a proposal is closed, at most so long; return it, without its file, as it is then."""
        deadline = asyncio.get_running_loop().time() + seconds
        while True:
            closed = self._closed
            (held,) = [each for each in await self.all_held() if each.fingerprint == fingerprint]
            remaining = deadline - asyncio.get_running_loop().time()
            if not held.is_waiting or remaining <= 0:
                return held
            with suppress(TimeoutError):
                await asyncio.wait_for(closed.wait(), remaining)

    async def held(self, fingerprint: bytes) -> tuple[HeldProposal, bytes]:
        """Return a proposal and its file; ``Rejected("unknown_proposal")`` if none is held."""
        found = await asyncio.to_thread(self._read, lambda reads: ceremonies_store.proposal(reads, fingerprint))
        if found is None or found.data is None:
            raise Rejected("unknown_proposal", "no proposal of this fingerprint is held here")
        return found, found.data

    async def all_held(self) -> list[HeldProposal]:
        """Return all proposals without their files, by fingerprint."""
        return await asyncio.to_thread(self._read, ceremonies_store.proposals)

    def now(self) -> datetime:
        """Return the node's time."""
        return self._core.clock()

    def notify(self, changes: Sequence[Change]) -> None:
        """Begin a round if proposals were stored."""
        if any(isinstance(change, ProposalsChanged) for change in changes):
            self.catch_up()

    def catch_up(self) -> None:
        """Begin a round."""
        self._changed = True
        self.task.wake()

    def _check(self, data: bytes) -> _Checked | HeldProposal:
        """Run steps 1-4 in a thread; return the copy held if nothing is new."""
        # 1.
        proposal = self._reader.read(data)
        with self._core.store.reads() as reads:
            before = ceremonies_store.proposal(reads, proposal.fingerprint)
        if before is not None and (before.data is None or before.state in {HeldState.DEAD, HeldState.SUPERSEDED}):
            return before
        # 2.
        register = self._core.register_cache.current
        published = self._is_in_force(proposal, register)
        if not published and self._is_superseded(proposal, register):
            raise Rejected("proposal_superseded", "the register in force has a role in this version or a later one")
        # 3.
        if not deciding_keys(proposal):
            raise Rejected("proposal_unsigned", "nobody who decides about the proposal has signed it")
        if proposal.act.time > self._core.clock() + AHEAD:
            raise Rejected("clock_skew", f"the proposal is of {proposal.act.time.isoformat()}, ahead of our clock")
        # 4.
        known: Proposal | None = None
        if before is not None:
            assert before.data is not None, "returned above without one"
            known = self._reader.read(before.data)
            proposal = known.merged(proposal)
        elif proposal.is_dead:
            raise Rejected("proposal_refused", "so many custodians refuse the proposal that it can never be published")
        if before is not None and state_of(proposal) == before.state_sha256:
            return before
        return _Checked(
            proposal,
            published,
            before,
            dict(_signers(proposal).items() - (_signers(known).items() if known else set())),
            dict(_refusing(proposal).items() - (_refusing(known).items() if known else set())),
            proposal.to_bytes(with_register=False),
        )

    def _write(self, checked: _Checked, actor: str, tx: LogTransaction) -> HeldProposal | None:
        """Store a checked proposal and log who signed and refused; None if another copy was stored meanwhile."""
        proposal, before = checked.proposal, checked.before
        held = held_of(proposal, checked.data, before, tx.now)
        if checked.published:
            held = replace(
                held,
                state=HeldState.PUBLISHED,
                waits_for=(),
                closed_time=(before and before.closed_time) or tx.now,
                register_version=(before and before.register_version) or tx.register_version,
            )
        others = [each for each in ceremonies_store.proposals(tx.conn) if each.fingerprint != held.fingerprint]
        now = ceremonies_store.proposal(tx.conn, held.fingerprint)
        if (now and (now.state, now.state_sha256)) != (before and (before.state, before.state_sha256)):
            return None
        # 5.
        if before is None:
            check_room(held, others, tx.now)
        for key, member in sorted(checked.signers.items()):
            entry = log_entries.proposal_signed(**_facts(proposal, key, SIGNED), actor=actor, member=member)
            tx.append(entry, text=proposal.record_text(SIGNED, key))
        for key, member in sorted(checked.refusing.items()):
            entry = log_entries.proposal_refused(**_facts(proposal, key, REFUSED), actor=actor, member=member)
            tx.append(entry, text=proposal.record_text(REFUSED, key))
        if held.state is HeldState.DEAD:
            tx.append(
                log_entries.proposal_dropped(actor=self._core.node_id, proposal_sha256=held.fingerprint, refused=True)
            )
        if checked.published and (before is None or before.is_waiting):
            tx.append(log_entries.proposal_published(actor=self._core.node_id, proposal_sha256=held.fingerprint))
        ceremonies_store.put_proposal(tx.conn, held)
        tx.announce(ProposalsChanged())
        return held

    # What becomes of them

    async def _round(self) -> None:
        register = self._core.register_cache.last
        seen = (register.version, register.root_version)
        now = self._core.clock()
        if not self._changed and seen == self._seen and now - self._cleaned < CLEAN:
            return
        self._changed = False
        if ends := await asyncio.to_thread(self._ends, register):
            await self._core.ledger.commit(partial(self._close, ends))
            closed, self._closed = self._closed, asyncio.Event()
            closed.set()
        rows = await self.all_held()
        if (old := outdated(rows, register.root_version, now)) != Outdated():
            await self._core.ledger.commit(partial(_remove, old))
            rows = await self.all_held()
        self._cleaned = now
        self._core.register_cache.proposals_sha256 = digest_of(rows)
        await self._load_complete([each for each in rows if each.state is HeldState.COMPLETE])
        for each in rows:
            if each.state is HeldState.DEAD and each.size and each.fingerprint not in self._refused:
                await asyncio.to_thread(self._note_refusals, each.fingerprint)
                self._refused.add(each.fingerprint)
        self._seen = seen

    def _ends(self, register: Register) -> list[tuple[HeldProposal, HeldState]]:
        """Return the proposals that a register ends, and how."""
        found = []
        for held in self._read(ceremonies_store.proposals):
            if not held.is_waiting:
                continue
            made = [role for role, version in held.role_versions if register.role_versions.get(role, 0) >= version]
            if made or held.base_root_version < register.root_version:
                proposal = self._proposal(held.fingerprint)
                if proposal is None:
                    found.append((held, HeldState.SUPERSEDED))
                elif self._is_decided(proposal, register):
                    if len(made) == len(held.role_versions):  # else a publisher left out the rest: it follows
                        found.append((held, HeldState.PUBLISHED))
                elif self._is_superseded(proposal, register):
                    found.append((held, HeldState.SUPERSEDED))
        return found

    def _is_decided(self, proposal: Proposal, register: Register) -> bool:
        """Return whether a register has what those who decide about a proposal signed, as far as it has it yet.

        The root alone does not tell: of two changes of one moment, two ways to shut out a member have one root.
        """
        draft = proposal.draft
        main = draft.main_role
        if self._signed_in_force(main, draft.roles[main].version) != proposal.digest(main):
            return False
        top = draft.roles.get(Targets.type)
        if top is None or register.role_versions[Targets.type] < top.version:
            return True
        return self._signed_in_force(Targets.type, top.version) in {b"", proposal.digest(Targets.type)}

    def _is_in_force(self, proposal: Proposal, register: Register) -> bool:
        """Return whether a register contains a proposal, as far as those who decide about it signed."""
        versions = {role: each.version for role, each in proposal.draft.roles.items()}
        return self._is_decided(proposal, register) and all(
            register.role_versions.get(role, 0) >= version for role, version in versions.items()
        )

    def _is_superseded(self, proposal: Proposal, register: Register) -> bool:
        """Return whether a proposal that a register does not contain can never be published any more."""
        if proposal.is_superseded_by(register, self._signed_in_force):
            return True
        return base_of(proposal).name.root_version < register.root_version and not self._is_decided(proposal, register)

    def _signed_in_force(self, role: str, version: int) -> bytes:
        """Return SHA-256 of what is signed in a role and version of the register in force, empty if that is later."""
        path = root_path(version) if role == Root.type else role_path(role, version)
        try:
            return sha256(signed_bytes(Metadata.from_bytes(self._register_files.file(path)).signed)).digest()
        except FetchMissing:
            return b""

    def _close(self, ends: Sequence[tuple[HeldProposal, HeldState]], tx: LogTransaction) -> None:
        version = self._core.register_cache.version
        waiting = {each.fingerprint for each in ceremonies_store.proposals(tx.conn) if each.is_waiting}
        for held, state in ends:
            if held.fingerprint not in waiting:  # a copy came meanwhile, after the register
                continue
            if state is HeldState.PUBLISHED:
                entry = log_entries.proposal_published(actor=self._core.node_id, proposal_sha256=held.fingerprint)
            else:
                entry = log_entries.proposal_dropped(
                    actor=self._core.node_id, proposal_sha256=held.fingerprint, refused=False
                )
            tx.append(entry)
            published_in = version if state is HeldState.PUBLISHED else b""
            ceremonies_store.close_proposal(tx.conn, held.fingerprint, state, tx.now, published_in)

    async def _load_complete(self, rows: Sequence[HeldProposal]) -> None:
        """Make the content of the complete proposals available for publication."""
        known = self._complete
        contents = {
            each.fingerprint: known[each.fingerprint]
            if each.fingerprint in known
            else await asyncio.to_thread(self._content, each.fingerprint)
            for each in rows
        }
        self._complete = {fingerprint: files for fingerprint, files in contents.items() if files}

    def _content(self, fingerprint: bytes) -> Mapping[str, bytes]:
        """Return what a proposal adds to the register; nothing if it is not accepted any more."""
        proposal = self._proposal(fingerprint)
        return {} if proposal is None else proposal.files()

    def _note_refusals(self, fingerprint: bytes) -> None:
        """Hand the refusals of a dead proposal to the reader: its root must not count, whoever signs it afterwards."""
        proposal = self._proposal(fingerprint)
        if proposal is not None and proposal.draft.main_role == Root.type:
            version = proposal.draft.roles[Root.type].version
            self._register_files.note_refusals(version, proposal.digest(Root.type), proposal.refusals)

    def _proposal(self, fingerprint: bytes) -> Proposal | None:
        """Return a proposal that waits; None if it is not accepted any more: another program may have stored it."""
        stored = self._read(lambda reads: ceremonies_store.proposal(reads, fingerprint))
        if stored is None or stored.data is None:
            return None
        try:
            return self._reader.read(stored.data)
        except Rejected as error:
            log.warning("proposal_not_read", fingerprint=fingerprint.hex(), reason=error.reason, detail=error.detail)
            return None

    def _read(self, query: Callable[[ReadConnection], T]) -> T:
        with self._core.store.reads() as reads:
            return query(reads)


def _remove(old: Outdated, tx: LogTransaction) -> None:
    ceremonies_store.remove(tx.conn, old.rows)
    ceremonies_store.remove_files(tx.conn, old.files)


def _signers(proposal: Proposal) -> dict[str, str]:
    """Return the keys that have signed any role: key id -> member."""
    return {key: proposal.draft.signers[role][key][1] for role, made in proposal.signatures.items() for key in made}


def _refusing(proposal: Proposal) -> dict[str, str]:
    """Return the keys that have refused: key id -> member."""
    return {key: proposal.draft.deciders[key][1] for key in proposal.refusals}


def base_of(proposal: Proposal) -> Base:
    """Return the register that a proposal builds on."""
    assert proposal.act.base is not None, "the reader refuses a founding"
    return proposal.act.base


def _facts(proposal: Proposal, key: str, decision: str) -> dict[str, bytes]:
    """Return what an entry says of a signature or refusal."""
    main = proposal.draft.main_role
    signed = proposal.roles_of(key)
    role = main if decision == REFUSED or main in signed else signed[0]
    return {
        "proposal_sha256": proposal.fingerprint,
        "key_sha256": bytes.fromhex(key),
        "signed_sha256": proposal.digest(role),
    }
