"""Appoints deputies, ends appointments, and lists them (`core.access.deputies` says what one is).

An officer appoints their own deputy, or their head does: an authoriser of their unit. One deputy at a time: a new one
replaces the one before. The officer, their head and the deputy may end it.
"""

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final

from paiza.officer.v1 import deputy_pb2
from paiza_node.core.access import store as access_store
from paiza_node.core.access.deputies import appoint_deputy, end_deputy, end_void_deputies
from paiza_node.core.access.model import Deputy, Officer
from paiza_node.core.access.need_to_know import UnitDirectory
from paiza_node.core.access.officers import OfficerDirectory, OfficersChanged
from paiza_node.core.dependencies import Core
from paiza_node.core.executors.periodic import PeriodicTask
from paiza_node.core.log.changes import Change
from paiza_node.core.log.transaction import LogTransaction
from paiza_wire.errors import Rejected

LONGEST: Final = timedelta(days=90)  # an appointment that is forgotten is over some day
MOST_STOOD_FOR: Final = 8  # officers whose deputy one officer is; each adds to what every list of theirs reads
LOOK_SECONDS: Final = 60.0  # between two looks for what is over, if nothing says when
HEAD: Final = "authoriser"  # the role of the head of a unit


class Deputies:
    """Handles deputies. Belongs to one event loop."""

    def __init__(self, core: Core, officers: OfficerDirectory, unit_directory: UnitDirectory) -> None:
        """Store the core, the officers, and where they are found by name."""
        self._node_id = core.node_id
        self._ledger = core.ledger
        self._store = core.store
        self._clock: Callable[[], datetime] = core.clock
        self._officers = officers
        self._unit_directory = unit_directory
        self.task = PeriodicTask(self._round, period=LOOK_SECONDS, failed="deputies_not_ended")

    async def appoint(self, caller: Officer, request: deputy_pb2.AppointDeputyRequest) -> Deputy:
        """Appoint a deputy.

        1. Both are active officers of the member, and not the same; the caller is the officer or their head.
        2. The end is in the future, at most `LONGEST` away.
        3. The deputy stands in for at most `MOST_STOOD_FOR` officers.
        """
        # 1.
        officer, deputy = self._named(caller, request.officer), self._officer(request.deputy)
        if officer.id == deputy.id:
            raise Rejected("wrong_deputy", "an officer is not their own deputy")
        if caller.id != officer.id and not _is_head(caller, officer):
            raise Rejected("policy_denied", "an officer appoints their deputy, or the authoriser of their unit does")
        # 2.
        end_time = request.end_time.ToDatetime(tzinfo=UTC)
        if not self._clock() < end_time <= self._clock() + LONGEST:
            raise Rejected("wrong_deputy", f"a deputy is appointed for at most {LONGEST.days} days from now")

        def write(tx: LogTransaction) -> Deputy:
            standing = access_store.deputies(tx.conn)
            # 3.
            others = [each for each in standing if each.deputy == deputy.id and each.officer != officer.id]
            if len(others) >= MOST_STOOD_FOR:
                raise Rejected("wrong_deputy", f"{deputy.id} stands in for {len(others)} officers already")
            for each in standing:
                if each.officer == officer.id:
                    end_deputy(tx, each, actor=caller.id)
            return appoint_deputy(tx, officer.id, deputy.id, end_time, actor=caller.id)

        return (await self._officers.commit(self._ledger, write)).result

    async def end(self, caller: Officer, request: deputy_pb2.EndDeputyRequest) -> Deputy:
        """End an appointment; Rejected if the officer has none, or the caller is none of those who may."""
        officer = self._named(caller, request.officer)

        def write(tx: LogTransaction) -> Deputy:
            found = next((each for each in access_store.deputies(tx.conn) if each.officer == officer.id), None)
            if found is None:
                raise Rejected("wrong_deputy", f"{officer.id} has no deputy")
            if caller.id not in (found.officer, found.deputy) and not _is_head(caller, officer):
                raise Rejected("policy_denied", "the officer, their deputy, or the authoriser of their unit ends it")
            end_deputy(tx, found, actor=caller.id)
            return found

        return (await self._officers.commit(self._ledger, write)).result

    async def in_force(self) -> Sequence[Deputy]:
        """Return the appointments that count at this moment, in the order of the officers."""
        return [each for each in await asyncio.to_thread(self._read) if not self._is_over(each)]

    def notify(self, changes: Sequence[Change]) -> None:
        """Look for appointments that are over if officers changed."""
        if any(isinstance(change, OfficersChanged) for change in changes):
            self.task.wake()

    def catch_up(self) -> None:
        """Look for appointments that are over."""
        self.task.wake()

    async def end_what_is_over(self) -> float:
        """End the appointments that count no longer; return the seconds until the next one is over."""
        standing = await asyncio.to_thread(self._read)
        if any(map(self._is_over, standing)):
            work = partial(end_void_deputies, officers=self._officers.officers(), actor=self._node_id)
            next_end = (await self._officers.commit(self._ledger, work)).result
        else:
            next_end = min((each.end_time for each in standing), default=None)
        if next_end is None:
            return LOOK_SECONDS
        return min(max((next_end - self._clock()).total_seconds(), 0.0), LOOK_SECONDS)

    async def _round(self) -> float | None:
        return await self.end_what_is_over()

    def _read(self) -> list[Deputy]:
        with self._store.reads() as reads:
            return access_store.deputies(reads)

    def _is_over(self, appointed: Deputy) -> bool:
        officers = self._officers.officers()
        both = officers.get(appointed.officer), officers.get(appointed.deputy)
        return appointed.end_time <= self._clock() or not all(each is not None and each.is_active for each in both)

    def _named(self, caller: Officer, name: str) -> Officer:
        return self._officer(name) if name else caller

    def _officer(self, name: str) -> Officer:
        found = self._unit_directory.officer(name)
        if found is None:
            raise Rejected("unknown_officer", "the member has no such officer")
        return found


def _is_head(caller: Officer, officer: Officer) -> bool:
    return HEAD in caller.roles and caller.unit == officer.unit
