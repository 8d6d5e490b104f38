"""Need to know: the unit that a message belongs to, and the officers of the own member who may see it.

A received message belongs to the unit it is addressed to; else to the unit of the message it follows from; else to the
duty unit. A sent message belongs to the unit of the officer who sent it. Officers see the messages of their unit, those
assigned to them and those they signed. Duty officers see all messages; coordinators and auditors see in lists that they
exist. If the member has named no duty unit, all its officers share one common unit (""), which gets everything that is
not addressed to a unit. Once a duty unit is named, nothing belongs to the common unit any more (`leave_common_unit`). A
message without a unit is seen by those who signed it, those it was assigned to, and those who see all messages.

A deputy also sees the messages of the unit of the officer they stand in for, and those that this officer was assigned
or signed, as long as they are the deputy. What the officer sees by a role does not go over. What the deputy sends in
their place, in a thread that they see only as a deputy, the officer sees too (`read_by_absent`).
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Final

from paiza.core.v1 import message_pb2
from paiza_node.core.access import store as access_store
from paiza_node.core.access.denials import deny
from paiza_node.core.access.model import Officer, OfficerState, Viewer
from paiza_node.core.log.transaction import LogTransaction
from paiza_node.core.messages import store as messages_store
from paiza_node.core.messages.model import MessageRow
from paiza_node.core.storage import ReadConnection, WriteConnection
from paiza_wire import message as wire
from paiza_wire.errors import Rejected

COMMON: Final = ""  # the unit of a member that has named no duty unit
BATCH: Final = 500  # messages that leave the common unit in one commit
SEES_ALL: Final = frozenset({"duty"})
LISTS_ALL: Final = frozenset({"duty", "coordinator", "auditor"})


_DUTY_UNIT: Final = "duty unit: "


def duty_unit_text(duty_unit: str) -> str:
    """Return the text beside an entry about the configuration: who sees a message depends on it."""
    return _DUTY_UNIT + duty_unit


def named_duty_unit(text: str) -> str:
    """Return the duty unit that such a text names; empty without one."""
    return text.removeprefix(_DUTY_UNIT)


def list_scope(officer: Officer) -> Viewer:
    """Return the messages that an officer sees in lists."""
    return _viewer(officer, LISTS_ALL)


def open_scope(officer: Officer) -> Viewer:
    """Return the messages that need-to-know allows an officer to open, export and forward."""
    return _viewer(officer, SEES_ALL)


def _viewer(officer: Officer, overseeing: Collection[str]) -> Viewer:
    stood_for = tuple(each.officer for each in officer.stands_in)
    if not officer.roles.isdisjoint(overseeing):
        return Viewer(officer.id, None, stood_for)
    return Viewer(officer.id, tuple(dict.fromkeys((COMMON, *units_of(officer)))), stood_for)


def units_of(officer: Officer) -> tuple[str, ...]:
    """Return the unit of an officer, and those of the officers whose deputy they are."""
    return (officer.unit, *(each.unit for each in officer.stands_in))


def read_by_absent(conn: WriteConnection, officer: Officer, rows: Sequence[MessageRow]) -> None:
    """Let the officer whose deputy sent a message see it, if the deputy saw what it follows from only as their deputy.

    Else the officer would come back to a thread of theirs in which the answer is missing.
    """
    if not officer.stands_in:
        return
    for row in rows:
        parents = [each.seq for each in access_store.seen_messages(conn, row.parents)]
        if not parents or access_store.visible(conn, parents, open_scope(by_themselves(officer))):
            continue
        absent = [
            each.officer
            for each in officer.stands_in
            if access_store.visible(conn, parents, Viewer(each.officer, (COMMON, each.unit)))
        ]
        access_store.add_readers(conn, [(each, row.seq) for each in absent])


def by_themselves(officer: Officer) -> Officer:
    """Return an officer without what they see as a deputy."""
    return replace(officer, stands_in=()) if officer.stands_in else officer


def may_see(reads: ReadConnection, officer: Officer, row: MessageRow) -> bool:
    """Return whether need-to-know allows an officer to open a message."""
    return bool(openable(reads, officer, [row]))


def openable(reads: ReadConnection, officer: Officer, rows: Sequence[MessageRow]) -> set[int]:
    """Return the numbers of those messages that need-to-know allows an officer to open."""
    return access_store.visible(reads, [row.seq for row in rows], open_scope(officer))


def known(reads: ReadConnection, officer: Officer, digest: bytes) -> MessageRow | None:
    """Return a message that an officer may know of.

    None if it is not here, or if they may not know that it is: a caller answers and logs both in the same way
    (`unknown_to`).
    """
    return all_known(reads, officer, [digest]).get(digest)


def all_known(reads: ReadConnection, officer: Officer, digests: Collection[bytes]) -> dict[bytes, MessageRow]:
    """Return those of these messages that an officer may know of, by digest."""
    return {row.digest: row for row in access_store.seen_messages(reads, digests, list_scope(officer))}


def hidden_lists(reads: ReadConnection, officer: Officer, listed: Mapping[int, Collection[bytes]]) -> set[int]:
    """Return those entries about several messages, by index, that are about one of which the officer may not know.

    An entry commits to its whole list: it is shown with all of it, or not at all.
    """
    viewer = list_scope(officer)
    if viewer.units is None:
        return set()
    digests = {digest for each in listed.values() for digest in each}
    seen = {row.digest for row in access_store.seen_messages(reads, digests, viewer)}
    return {index for index, each in listed.items() if not seen.issuperset(each)}


def unknown() -> Rejected:
    """Return the refusal for a message that is not here, or that the officer may not know of."""
    return Rejected("unknown_id", "there is no such message here, its content was refused, or it is of another unit")


def unknown_to(tx: LogTransaction, officer: Officer, digest: bytes) -> Rejected:
    """Log the denial of a message that is not here, or of which the officer may not know; return the refusal."""
    return deny(tx, officer, unknown(), digest)


def denied(tx: LogTransaction, officer: Officer, digest: bytes) -> Rejected:
    """Log that need-to-know denied an officer a message they may know of; return the refusal."""
    return deny(tx, officer, need_to_know(), digest)


def need_to_know() -> Rejected:
    """Return the refusal for a message that the officer may know of, and not open."""
    return Rejected("policy_denied", "need-to-know")


class UnitDirectory:
    """The units of the member, and the unit and officer that each message is assigned to."""

    def __init__(self, member: str, duty_unit: str, officers: Callable[[], Mapping[str, Officer]]) -> None:
        """Store the officers and the name of the duty unit (empty: one common unit)."""
        self._member = member
        self.duty_unit = duty_unit
        self._officers = officers

    def units(self) -> frozenset[str]:
        """Return the units of the member: those of its officers."""
        present = (each.unit for each in self._officers().values() if each.state is not OfficerState.REMOVED)
        return frozenset({*present, self.duty_unit} - {""})

    def on_duty(self) -> list[Officer]:
        """Return the officers on duty, in the order in which they are called."""
        found = [each for each in self._officers().values() if "duty" in each.roles and each.is_active]
        return sorted(found, key=lambda each: each.id)

    def viewer_of(self, officer: Officer) -> Viewer:
        """Return the messages an officer may see by unit, duty, assignment, or as a deputy."""
        units = {COMMON, *units_of(officer)} | ({self.duty_unit} if "duty" in officer.roles else set())
        return Viewer(officer.id, tuple(sorted(units)), tuple(each.officer for each in officer.stands_in))

    def deputies_of(self, officer_id: str) -> list[str]:
        """Return the ids of the deputies that an officer has now: one, or none."""
        return [
            each.id
            for each in self._officers().values()
            if any(stood.officer == officer_id for stood in each.stands_in)
        ]

    def officer(self, named: str) -> Officer | None:
        """Return the own officer with this id or name."""
        return next(
            (
                each
                for each in self._officers().values()
                if each.is_active and named and (each.id == named or each.id.rpartition("/")[2] == named)
            ),
            None,
        )

    def sending_unit(self, officer: Officer) -> str | None:
        """Return the unit that the messages of an officer belong to; None for an officer without one."""
        return (officer.unit or None) if self.duty_unit else COMMON

    def sent(self, officer: Officer, messages: Sequence[MessageRow]) -> list[MessageRow]:
        """Return the messages that an officer sends with their unit."""
        unit = self.sending_unit(officer)
        return [replace(row, unit=unit) for row in messages]

    def received(
        self, conn: WriteConnection, messages: Sequence[tuple[MessageRow, message_pb2.Header]]
    ) -> list[tuple[MessageRow, str]]:
        """Return received messages with their unit, and the officer each is for (empty if none is named).

        Runs before the messages are written: a message that follows from an earlier one of the same batch gets its
        unit.
        """
        placed: list[tuple[MessageRow, str]] = []
        units: dict[bytes, tuple[int, str]] = {}
        for row, header in messages:
            unit, assignee = self._addressed(conn, row, header, units)
            units[row.digest] = row.seq, unit
            placed.append((replace(row, unit=unit), assignee))
        return placed

    def _addressed(
        self, conn: WriteConnection, row: MessageRow, header: message_pb2.Header, batch: Mapping[bytes, tuple[int, str]]
    ) -> tuple[str, str]:
        """Return the unit of a received message, and the officer it is for if one is named.

        ``batch`` holds the numbers and units of the preceding messages of the same batch.
        """
        attention = next((each.attention for each in header.recipients if each.member == self._member), "")
        if attention:
            if attention in self.units():
                return attention, ""
            named = self.officer(attention)
            if named is not None:
                return (named.unit or self.duty_unit) if self.duty_unit else COMMON, named.id
        if self.duty_unit and row.parents:
            batched = [batch[parent] for parent in row.parents if parent in batch]
            return messages_store.unit_of(conn, row.parents) or (min(batched)[1] if batched else self.duty_unit), ""
        return self.duty_unit, ""


def in_common_unit(reads: ReadConnection) -> list[MessageRow]:
    """Return a batch of the messages of the common unit."""
    return messages_store.messages_of_unit(reads, COMMON, BATCH)


def leave_common_unit(tx: LogTransaction, rows: Sequence[MessageRow], duty_unit: str) -> None:
    """Move messages out of the common unit: a duty unit is named since they were stored.

    What was received goes to the duty unit; what was sent has no unit, and its signers go on seeing it. A crash between
    two batches leaves the rest to the next start.
    """
    for row in rows:
        messages_store.put_unit(tx.conn, row.seq, duty_unit if row.received else None)
    sent = [row for row in rows if not row.received]
    signers = [(signer.id, row.seq) for row in sent for signer in wire.parse_header(row.header).required_signers]
    access_store.add_readers(tx.conn, signers)
