"""Verification of units, which decide who may see a message: each is one that the log and the headers give."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, pairwise
from typing import Final

from google.protobuf.message import DecodeError
from typing_extensions import override

from paiza.core.v1 import log_pb2, message_pb2
from paiza_node.core.access import store as access_store
from paiza_node.core.access.held import was_ever_held
from paiza_node.core.access.model import described_unit
from paiza_node.core.access.need_to_know import COMMON, named_duty_unit
from paiza_node.core.access.officers import READ_SECONDS
from paiza_node.core.errors import N_
from paiza_node.core.log import store as log_store
from paiza_node.core.messages import store as messages_store
from paiza_node.core.messages.model import MessageRow
from paiza_node.core.storage import ReadConnection, scanning
from paiza_node.core.storage.findings import Check, Part, Step
from paiza_node.core.storage.times import to_micros

LAG_MICROS: Final = int(READ_SECONDS * 1_000_000)  # a node may not have read a change of an officer for so long
_OFFICER_ID: Final = "spiffe://"  # what the text of an assignment to an officer begins with

_OFFICERS: Final = (
    log_pb2.LOG_EVENT_OFFICER_CERTIFIED,
    log_pb2.LOG_EVENT_OFFICER_CONFIRMED,
    log_pb2.LOG_EVENT_OFFICER_CHANGED,
    log_pb2.LOG_EVENT_OFFICER_SUSPENDED,
    log_pb2.LOG_EVENT_OFFICER_REINSTATED,
    log_pb2.LOG_EVENT_OFFICER_REMOVED,
)


class Units(Check):
    """Verifies the unit of every message."""

    events = (*_OFFICERS, log_pb2.LOG_EVENT_CONFIG_CHANGED, log_pb2.LOG_EVENT_ASSIGNED)

    def __init__(self, scan: ReadConnection, own: str) -> None:
        """``own`` is our member id."""
        self._scan = scan
        self._own = own
        self._entries: list[tuple[int, log_pb2.LogEntry]] = []  # few: people caused them all
        self._assigned: dict[bytes, list[str | None]] = {}

    @override
    def read_entry(self, index: int, entry: log_pb2.LogEntry) -> None:
        self._entries.append((index, entry))

    @override
    def verify(self, part: Part, step: Step) -> None:
        """Check the unit of every message against the one that it was given, and those that it was assigned to since.

        A message that was retired leaves the unit of what followed from it open, and so does an erased text.
        """
        self._history = _History()
        self._assigned = {}
        texts = log_store.texts(self._scan, [index for index, _entry in self._entries])
        for index, entry in self._entries:
            text = texts[index].text if index in texts else None
            if entry.event == log_pb2.LOG_EVENT_ASSIGNED:
                if text is None or not text.startswith(_OFFICER_ID):
                    self._assigned.setdefault(entry.message_digest, []).append(text)
            elif text is not None:
                self._history.note(entry, text)
        self._history.uncertain = was_ever_held(self._scan)
        last = messages_store.last_stored_time(self._scan)
        for rows in scanning.rows(self._scan, messages_store.message_table):
            for row in rows:
                message = messages_store.message_row(row)
                possible = self._possible(message)
                if possible is None or message.unit in possible:
                    continue
                left = self._history.duty_after(to_micros(message.stored_time))
                if message.unit == COMMON and left is not None and left.since > last:
                    continue  # the node is about to move it
                part.find(
                    "log_damaged",
                    N_("The message belongs to another unit than log and header give it."),
                    N_("message {digest}"),
                    digest=message.digest.hex(),
                )
            step(len(rows))

    def _possible(self, message: MessageRow) -> set[str | None] | None:
        """Return the units that a message may have now; None if the log does not tell."""
        if texts := self._assigned.get(message.digest):
            return None if texts[-1] is None else _named_in(texts[-1], message.unit)
        given = self._given(message)
        later = self._history.duty_after(to_micros(message.stored_time))
        if given is not None and COMMON in given and later is not None:
            return given - {COMMON} | {later.unit if message.received else None}
        return given

    def _given(self, message: MessageRow) -> set[str | None] | None:
        """Return the units that a message may have been given when it was stored; None if the log does not tell."""
        micros = to_micros(message.stored_time)
        duty = self._history.duty_at(micros)
        try:
            header = message_pb2.Header.FromString(message.header)
        except DecodeError:  # its digest tells
            return None
        if duty is None:
            return None
        if not message.received:
            units = {each.unit for actor in self._senders(message, header) for each in self._history.of(actor, micros)}
            return {(unit or None) if duty else COMMON for unit in units or {""}}
        attention = next((each.attention for each in header.recipients if each.member == self._own), "")
        given, settled = self._history.named(attention, duty, micros) if attention else (set(), False)
        if settled:
            return given
        inherited = self._inherited(message, header.parent_digests) if duty else set()
        return None if inherited is None else given | (inherited or {duty})

    def _senders(self, message: MessageRow, header: message_pb2.Header) -> set[str]:
        """Return the officer who sent a message: its signer, or the one of several that the log names."""
        if len(header.required_signers) == 1:
            return {header.required_signers[0].id}
        entries = (log_pb2.LogEntry.FromString(each.entry) for each in log_store.entries_of(self._scan, message.digest))
        return {each.actor for each in entries if each.event == log_pb2.LOG_EVENT_RELEASED}

    def _inherited(self, message: MessageRow, parents: Sequence[bytes]) -> set[str | None] | None:
        """Return the units that a message may have of the first that it follows from; empty if none was here before."""
        before = [each for each in access_store.seen_messages(self._scan, parents) if each.seq < message.seq]
        if messages_store.retired_messages(self._scan, parents):
            return None
        first = next((each for each in before if each.unit is not None), None)
        if first is None:
            return set()
        if not (texts := self._assigned.get(first.digest)):
            return {first.unit}
        given = self._given(first)
        if given is None or None in texts:
            return None
        return given.union(*(self._history.units_in(text) for text in texts if text is not None))


@dataclass(frozen=True, slots=True)
class _Stint:
    """What holds from a moment on, in microseconds, until the next."""

    since: int
    unit: str
    present: bool = True
    active: bool | None = True
    """Whether the officer may act; None if the log alone does not tell."""


class _History:
    """The duty unit and the units of the officers, as the log gives them."""

    def __init__(self) -> None:
        self.uncertain = False
        """Whether officers were on hold after a restore, which the log does not tell."""
        self._duty: list[_Stint] = []
        self._officers: defaultdict[str, list[_Stint]] = defaultdict(list)

    def note(self, entry: log_pb2.LogEntry, text: str) -> None:
        """Note an entry of the log, in its order, and the text beside it."""
        since = entry.entry_time.seconds * 1_000_000 + entry.entry_time.nanos // 1000
        if entry.event == log_pb2.LOG_EVENT_CONFIG_CHANGED:
            self._duty.append(_Stint(since, named_duty_unit(text)))
            return
        officer, unit = described_unit(text)
        stints = self._officers[officer]
        before = stints[-1] if stints else None
        if entry.event == log_pb2.LOG_EVENT_OFFICER_CERTIFIED and entry.officer_certified.invitation_sha256:
            if before is None or not before.present:
                stints.append(_Stint(since, unit, active=False))
            return  # else they keep their unit until they are confirmed
        active: bool | None = True
        if entry.event in (log_pb2.LOG_EVENT_OFFICER_SUSPENDED, log_pb2.LOG_EVENT_OFFICER_REMOVED):
            active = False
        elif entry.event == log_pb2.LOG_EVENT_OFFICER_REINSTATED:
            active = None
        elif entry.event == log_pb2.LOG_EVENT_OFFICER_CHANGED and before is not None:
            active = before.active
        stints.append(_Stint(since, unit, entry.event != log_pb2.LOG_EVENT_OFFICER_REMOVED, active))

    def duty_at(self, micros: int) -> str | None:
        """Return the duty unit at a moment, empty without one; None if the log does not tell."""
        place = bisect_right(self._duty, micros, key=lambda each: each.since)
        return self._duty[place - 1].unit if place else None

    def duty_after(self, micros: int) -> _Stint | None:
        """Return the first duty unit that was named after a moment."""
        return next((each for each in self._duty if each.since > micros and each.unit), None)

    def of(self, officer: str, micros: int) -> list[_Stint]:
        """Return what may have been in force of an officer at a moment: several after a change."""
        stints = self._officers.get(officer, [])
        found = [each for each, after in pairwise(stints) if each.since <= micros <= after.since + LAG_MICROS]
        return found + [each for each in stints[-1:] if each.since <= micros]

    def named(self, attention: str, duty: str, micros: int) -> tuple[set[str | None], bool]:
        """Return the units of whom a message names, and whether it names one of ours for certain."""
        officers = [self.of(each, micros) for each in self._officers]
        present = [[each.present and each.unit == attention for each in stints] for stints in officers]
        if attention == duty or any(each and all(each) for each in present):
            return {attention}, True
        found: set[str | None] = {attention} if any(map(any, present)) else set()
        certain = False
        for officer in self._officers:
            if attention in (officer, officer.rpartition("/")[2]):
                stints = self.of(officer, micros)
                found |= {(each.unit or duty) if duty else COMMON for each in stints if each.active is not False}
                certain = bool(stints) and all(each.active for each in stints) and not self.uncertain
        return found, certain

    def units_in(self, text: str) -> set[str]:
        """Return the units that the text of an assignment may name."""
        stints = [*self._duty, *chain.from_iterable(self._officers.values())]
        return {each.unit for each in stints if each.unit and _names(text, each.unit)}


def _named_in(text: str, unit: str | None) -> set[str | None]:
    return {unit} if unit and _names(text, unit) else set()


def _names(text: str, unit: str) -> bool:
    """Return whether the text of an assignment begins with a unit."""
    return text == unit or text.startswith(f"{unit} ")
