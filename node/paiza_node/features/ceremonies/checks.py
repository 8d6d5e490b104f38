"""Verification of held proposals: each is as its file and the log give it, and none that waits is missing."""

from collections import defaultdict
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from typing_extensions import override

from paiza.core.v1 import log_pb2
from paiza_node.core.errors import N_
from paiza_node.core.storage import ReadConnection
from paiza_node.core.storage.findings import Check, Part, Step
from paiza_node.features.ceremonies import store as ceremonies_store
from paiza_node.features.ceremonies.held import held_of
from paiza_node.features.ceremonies.model import KEPT, MAX_CLOSED, WAITING, HeldProposal, HeldState
from paiza_register import RegisterReader
from paiza_register.ceremony.base import Base, BaseName
from paiza_register.ceremony.proposal import Proposal
from paiza_register.ceremony.record import REFUSED, SIGNED
from paiza_register.register_file import RegisterFile
from paiza_wire.errors import PaizaError

_DECIDED: Final = (log_pb2.LOG_EVENT_PROPOSAL_SIGNED, log_pb2.LOG_EVENT_PROPOSAL_REFUSED)
_ENDED: Final = (log_pb2.LOG_EVENT_PROPOSAL_PUBLISHED, log_pb2.LOG_EVENT_PROPOSAL_DROPPED)

_End = tuple[HeldState, datetime, bytes]
"""How and when a proposal ended, and the version of the register that contains it, empty without one."""


class HeldProposals(Check):
    """Compares held proposals with their files and the log. They are few."""

    events = (*_DECIDED, *_ENDED)

    def __init__(self, scan: ReadConnection, reader: RegisterReader) -> None:
        """Store the database and the archive of registers."""
        self._scan = scan
        self._reader = reader
        self._bases: dict[bytes, Base] = {}
        self._keys: defaultdict[bytes, set[tuple[str, str]]] = defaultdict(set)
        self._times: defaultdict[bytes, set[datetime]] = defaultdict(set)
        self._ends: dict[bytes, _End] = {}

    @override
    def read_entry(self, index: int, entry: log_pb2.LogEntry) -> None:
        time = entry.entry_time.ToDatetime(tzinfo=UTC)
        if entry.event in _DECIDED:
            signed = entry.event == log_pb2.LOG_EVENT_PROPOSAL_SIGNED
            detail = entry.proposal_signed if signed else entry.proposal_refused
            self._keys[detail.proposal_sha256].add((SIGNED if signed else REFUSED, detail.key_sha256.hex()))
            self._times[detail.proposal_sha256].add(time)
        elif entry.event == log_pb2.LOG_EVENT_PROPOSAL_PUBLISHED:
            self._ends[entry.proposal_published.proposal_sha256] = HeldState.PUBLISHED, time, entry.register_version
        else:
            state = HeldState.DEAD if entry.proposal_dropped.refused else HeldState.SUPERSEDED
            self._ends[entry.proposal_dropped.proposal_sha256] = state, time, b""

    @override
    def verify(self, part: Part, step: Step) -> None:
        """Check all held proposals.

        1. Each proposal that waits is held, and so are those that ended within the last day.
        2. Its state and times are those of the log.
        3. All else is what its file gives, if that is still there; the log records who signed and refused it.
        """
        held = ceremonies_store.proposals(self._scan)
        # 1.
        now = datetime.now(UTC)
        recent = {each for each, (_state, time, _version) in self._ends.items() if now - time <= KEPT}
        needed = self._keys.keys() - self._ends.keys() | (recent if len(recent) <= MAX_CLOSED else set())
        for fingerprint in sorted(needed - {each.fingerprint for each in held}):
            _find(part, N_("The log records a proposal that is not stored."), fingerprint)
        for each in held:
            proposal = ceremonies_store.proposal(self._scan, each.fingerprint)
            # 2.
            if not self._is_logged(each):
                _find(part, N_("The proposal is not in the state that the log records."), each.fingerprint)
            # 3.
            if proposal is None or proposal.data is None:
                if each.is_waiting or each.size:
                    _find(part, N_("The file of the proposal is missing."), each.fingerprint)
            elif not self._is_read(proposal, proposal.data):
                _find(part, N_("The proposal is not the one that its file and the log give."), each.fingerprint)
        step(len(held))
        part.counts = {"proposals": len(held)}

    def _is_logged(self, held: HeldProposal) -> bool:
        if (end := self._ends.get(held.fingerprint)) is None:
            same = held.is_waiting and (held.closed_time, held.register_version) == (None, b"")
        else:
            same = (held.state, held.closed_time, held.register_version) == end
        return same and held.received_time in self._times[held.fingerprint]

    def _is_read(self, held: HeldProposal, data: bytes) -> bool:
        try:
            proposal = Proposal.read(data, self._base)
        except PaizaError:
            return False
        made = held_of(proposal, data, None, held.received_time)
        closed = {"state", "waits_for", "closed_time", "register_version", "changed_time"}
        expected = replace(made, **{name: getattr(held, name) for name in closed})
        if held.state in WAITING:
            expected = replace(expected, state=made.state, waits_for=made.waits_for)
        keys = {(decision, key) for decision in (SIGNED, REFUSED) for key in proposal.keys(decision)}
        plausible = held.waits_for in {(), made.waits_for} and held.changed_time >= held.received_time
        return held == expected and plausible and keys == self._keys[held.fingerprint]

    def _base(self, name: BaseName) -> Base:
        if name.register_version not in self._bases:
            files = self._reader.archived_files(name.register_version)
            self._bases[name.register_version] = Base.verify(RegisterFile(files), None)
        return self._bases[name.register_version]


def _find(part: Part, what: str, fingerprint: bytes) -> None:
    part.find("log_damaged", what, "{proposal}", proposal=fingerprint.hex())
