"""Need to know: which unit a message belongs to, and which officers of the own member see it.

A message received belongs to the unit it is addressed to; else to the unit whose message it follows from; else to the
duty desk. A message sent belongs to the unit of the officer who sent it. Officers see what belongs to their unit, what
was given to them, and what they signed; duty officers see all of it; coordinators and auditors see in lists that
it is there. Where the member has named no duty desk, all its officers work at one common desk (unit ""), where
everything goes that is not addressed to a unit. What was stored without a unit is seen by those who see all: the safe
side.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Final

from paiza.core.v1 import message_pb2
from paiza_node.core.access import store as access_store
from paiza_node.core.access.model import Officer, Viewer
from paiza_node.core.log.ledger import LogTransaction
from paiza_node.core.messages import store as messages_store
from paiza_node.core.messages.model import MessageRow
from paiza_node.core.storage import ReadConnection, WriteConnection
from paiza_wire import log_entries
from paiza_wire.errors import Rejected

COMMON: Final = ""  # the desk of a member that has named no duty desk
SEES_ALL: Final = frozenset({"duty"})
LISTS_ALL: Final = frozenset({"duty", "coordinator", "auditor"})


def list_scope(officer: Officer) -> Viewer:
    """Return which messages an officer sees in lists."""
    return _viewer(officer, LISTS_ALL)


def open_scope(officer: Officer) -> Viewer:
    """Return which messages an officer may open, export and pass on, as far as need-to-know goes."""
    return _viewer(officer, SEES_ALL)


def _viewer(officer: Officer, overseeing: Collection[str]) -> Viewer:
    if not officer.roles.isdisjoint(overseeing):
        return Viewer(officer.id, None)
    return Viewer(officer.id, tuple(dict.fromkeys((COMMON, officer.unit))))


def may_see(reads: ReadConnection, officer: Officer, row: MessageRow) -> bool:
    """Return whether an officer may open a message, as far as need-to-know goes."""
    return bool(openable(reads, officer, [row]))


def openable(reads: ReadConnection, officer: Officer, rows: Sequence[MessageRow]) -> set[int]:
    """Return the numbers of those messages an officer may open, as far as need-to-know goes."""
    return access_store.visible(reads, [row.seq for row in rows], open_scope(officer))


def may_list(reads: ReadConnection, officer: Officer, row: MessageRow) -> bool:
    """Return whether an officer may know that a message is there."""
    return bool(access_store.visible(reads, [row.seq], list_scope(officer)))


def denied(tx: LogTransaction, officer: Officer, digest: bytes) -> Rejected:
    """Log that an officer does not need to know of a message; gives the refusal, which whoever commits raises."""
    refusal = Rejected("policy_denied", "need-to-know")
    entry = log_entries.denied(actor=officer.id, reason=refusal.reason, digest=digest)
    tx.append(entry, text=refusal.detail)
    return refusal


class UnitDirectory:
    """The units of the member, and the unit and officer that messages go to."""

    def __init__(self, member: str, duty_desk: str, officers: Callable[[], dict[str, Officer]]) -> None:
        """Store whose officers they are, and the unit of the duty desk (empty: one common desk)."""
        self._member = member
        self.duty_desk = duty_desk
        self._officers = officers

    def units(self) -> frozenset[str]:
        """Name the units of the member: those its officers belong to."""
        return frozenset(each.unit for each in self._officers().values() if each.unit) | ({self.duty_desk} - {""})

    def on_duty(self) -> list[Officer]:
        """Return the officers who have duty, in the order they are called."""
        found = [each for each in self._officers().values() if "duty" in each.roles and not each.suspended]
        return sorted(found, key=lambda each: each.id)

    def desk_of(self, officer: Officer) -> Viewer:
        """Return of which messages an officer has need by unit or desk, or because they were given to him."""
        units = {COMMON, officer.unit} | ({self.duty_desk} if "duty" in officer.roles else set())
        return Viewer(officer.id, tuple(sorted(units)))

    def officer(self, named: str) -> Officer | None:
        """Find an officer of ours by id or name."""
        return next(
            (
                each
                for each in self._officers().values()
                if not each.suspended and named and (each.id == named or each.id.rpartition("/")[2] == named)
            ),
            None,
        )

    def sent(self, officer: Officer, messages: Sequence[MessageRow]) -> list[MessageRow]:
        """Return to which unit messages belong that an officer sends."""
        unit = officer.unit if self.duty_desk else COMMON
        return [replace(row, unit=unit) for row in messages]

    def received(
        self, conn: WriteConnection, messages: Sequence[tuple[MessageRow, message_pb2.Header]]
    ) -> list[tuple[MessageRow, str]]:
        """Return received messages with their unit, each with the officer it is for (empty where none is named).

        Runs before they are written: what follows from an earlier message of the same batch goes to the same unit.
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
        """Return the unit and, where one is named, the officer whom a received message is for.

        ``batch``: numbers and units of the messages of the same batch before it.
        """
        attention = next((each.attention for each in header.recipients if each.member == self._member), "")
        if attention:
            if attention in self.units():
                return attention, ""
            named = self.officer(attention)
            if named is not None:
                return (named.unit or self.duty_desk) if self.duty_desk else COMMON, named.id
        if self.duty_desk and row.parents:
            batched = [batch[parent] for parent in row.parents if parent in batch]
            return messages_store.unit_of(conn, row.parents) or (min(batched)[1] if batched else self.duty_desk), ""
        return self.duty_desk, ""
