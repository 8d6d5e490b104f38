"""Assign: who works on a received message. Every change is logged; what nobody acknowledges in time is passed on.

Work begins with the message (`paiza_node.core.access.need_to_know`): it is its unit's, or the officer's it is addressed to.
Not acknowledged in time, it goes to the duty desk, and from there to one duty officer after another; whoever gets it is
rung, if he watches. Nobody who could see a message loses sight of it by a change. Who oversees the member gives work
that he may not read to others; to himself, or in his own name, he does nothing with it.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

import structlog

from paiza.core.v1 import log_pb2
from paiza.officer.v1 import desk_pb2
from paiza_domain.threads import deadlines
from paiza_node.changes import Change, MessagesChanged
from paiza_node.core.access import store as access_store
from paiza_node.core.access.model import Officer, Viewer
from paiza_node.core.access.need_to_know import Desks, acknowledge_within, denied, lister, may_list, may_see, opener
from paiza_node.core.log.ledger import Ledger, Pen
from paiza_node.core.messages import store as messages_store
from paiza_node.core.messages.model import MessageRow
from paiza_node.core.storage import Store
from paiza_node.features.inbox import store as inbox_store
from paiza_node.features.inbox.model import ListedMessage
from paiza_node.features.inbox.notifier import News
from paiza_node.features.tasks import store as tasks_store
from paiza_node.features.tasks.model import WorkRow
from paiza_node.features.tasks.notices import ASSIGNED, ESCALATED, work_notice
from paiza_wire import log_entries
from paiza_wire.errors import Rejected, Unavailable

MAX_NOTE: Final = 1000  # characters of a note to whoever gets the work
PASSED_ON_AT_ONCE: Final = 100  # in one commit
MAX_ESCALATIONS: Final = 8  # then it stays with the duty desk, overdue
LOOK_SECONDS: Final = 15.0  # FLASH is to be acknowledged within a quarter of an hour

log = structlog.get_logger("paiza.assign")


@dataclass(frozen=True, slots=True)
class WorkGiven(Change):
    """Work on a message was given to its assignee."""

    message: MessageRow
    work: WorkRow


@dataclass(frozen=True, slots=True)
class WorkEscalated(Change):
    """Nobody acknowledged work in time: it went to its assignee, or to those on duty."""

    message: MessageRow
    work: WorkRow


class Assign:
    """The verbs of a desk."""

    def __init__(
        self,
        *,
        node_id: str,
        ledger: Ledger,
        store: Store,
        news: News,
        desks: Desks,
        clock: Callable[[], datetime],
    ) -> None:
        """Take what the verbs need."""
        self._node_id = node_id
        self._ledger = ledger
        self._store = store
        self._news = news
        self._desks = desks
        self._clock = clock

    async def listed(self, officer: Officer, scope: int, limit: int) -> list[tuple[ListedMessage, WorkRow]]:
        """Give open work that an officer sees, what is due first at the head; Rejected where he may not see all."""
        viewer = opener(officer)
        if scope == desk_pb2.WORK_SCOPE_ALL and lister(officer).units is not None:
            raise Rejected("policy_denied", "only those who oversee the member see all its work")
        units: tuple[str, ...] | None = viewer.units or (officer.unit,)
        if scope == desk_pb2.WORK_SCOPE_MINE:
            units = ()
        elif scope == desk_pb2.WORK_SCOPE_ALL:
            units, viewer = None, lister(officer)
        elif viewer.units is None:
            units = tuple({officer.unit, self._desks.duty_desk})
        return await asyncio.to_thread(self._read, officer, viewer, units, limit)

    def _read(
        self, officer: Officer, viewer: Viewer, units: tuple[str, ...] | None, limit: int
    ) -> list[tuple[ListedMessage, WorkRow]]:
        with self._store.reads() as reads:
            rows = tasks_store.open_work(reads, units, officer.id, limit)
            shown = {
                each.row.digest: each
                for each in inbox_store.listed(reads, [row.digest for row in rows], officer.id, viewer)
            }
        return [(shown[row.digest], row) for row in rows if row.digest in shown]

    async def assign(self, officer: Officer, request: desk_pb2.AssignTaskRequest) -> WorkRow:
        """Give work to a unit or an officer; Rejected where they may not see the message (logged), or no work."""
        _check_note(request.note)
        return await self._commit(lambda pen: self._assign(pen, officer, request))

    async def take(self, officer: Officer, digest: bytes) -> WorkRow:
        """Take work oneself; Rejected as in `assign`."""
        return await self._change(officer, digest, log_entries.assigned, assignee=officer.id)

    async def acknowledge(self, officer: Officer, digest: bytes) -> WorkRow:
        """Record that work was seen and is being worked on; Rejected as in `assign`."""
        return await self._change(officer, digest, log_entries.acknowledged)

    async def complete(self, officer: Officer, digest: bytes, note: str) -> WorkRow:
        """Record that work is done; Rejected as in `assign`."""
        _check_note(note)
        return await self._change(officer, digest, log_entries.done, note=note, state=desk_pb2.WORK_STATE_DONE)

    async def _change(
        self,
        officer: Officer,
        digest: bytes,
        build: Callable[..., log_pb2.LogEntry],
        *,
        note: str = "",
        assignee: str | None = None,
        state: "desk_pb2.WorkState.ValueType" = desk_pb2.WORK_STATE_ACKNOWLEDGED,
    ) -> WorkRow:
        """Change work of which the officer reads the message; it need not be acknowledged any more."""

        def write(pen: Pen) -> WorkRow | Rejected:
            row = messages_store.message(pen.tx, digest)
            if row is None:
                return Rejected("unknown_id", "there is no such message here")
            if not may_see(pen.tx, officer, row):
                return denied(pen, officer, digest)
            work = tasks_store.work(pen.tx, [digest]).get(digest)
            if work is None:
                return _no_work()
            now = replace(
                work, assignee=work.assignee if assignee is None else assignee, state=state, acknowledge_time=None
            )
            _put(pen, officer, row, now, build, note)
            return now

        return await self._commit(write)

    async def _commit(self, write: Callable[[Pen], WorkRow | Rejected]) -> WorkRow:
        committed = await self._ledger.commit(write)
        if isinstance(committed.result, Rejected):
            raise committed.result
        return committed.result

    def _assign(self, pen: Pen, officer: Officer, request: desk_pb2.AssignTaskRequest) -> WorkRow | Rejected:
        row = messages_store.message(pen.tx, request.message_digest)
        if row is None:
            return Rejected("unknown_id", "there is no such message here")
        reads_it = may_see(pen.tx, officer, row)
        oversees = may_list(pen.tx, officer, row) and self._gives_away(officer, request)
        if not (reads_it or oversees):
            return denied(pen, officer, row.digest)
        work = tasks_store.work(pen.tx, [row.digest]).get(row.digest)
        if work is None:
            return _no_work()
        now = self._assigned(work, request)
        _put(pen, officer, row, now, log_entries.assigned, request.note)
        if row.unit != now.unit:
            # Who gave it away keeps what he knew of.
            if reads_it:
                access_store.add_readers(pen.tx, [(officer.id, row.seq)])
            messages_store.put_unit(pen.tx, row.seq, now.unit)
        if now.assignee:
            pen.announce(WorkGiven(row, now))
        return now

    def _gives_away(self, officer: Officer, request: desk_pb2.AssignTaskRequest) -> bool:
        """Say whether work is given to somebody else: not to the caller himself, nor to his own unit."""
        if request.unit and request.unit == officer.unit:
            return False
        named = self._desks.officer(request.officer)
        return named is None or named.id != officer.id

    def _assigned(self, work: WorkRow, request: desk_pb2.AssignTaskRequest) -> WorkRow:
        if bool(request.unit) == bool(request.officer):
            raise Rejected("malformed", "either a unit or an officer is named")
        if request.unit:
            if request.unit not in self._desks.units():
                raise Rejected("unknown_unit", f"the member has no unit {request.unit!r}")
            return replace(work, unit=request.unit, assignee="", state=desk_pb2.WORK_STATE_NEW)
        named = self._desks.officer(request.officer)
        if named is None:
            raise Rejected("unknown_officer", "the member has no such officer")
        return replace(work, assignee=named.id, state=desk_pb2.WORK_STATE_NEW)

    def hear(self, changes: Sequence[Change]) -> None:
        """Tell officers of work that came to them; what is late rings whoever gets it."""
        for change in changes:
            if isinstance(change, WorkGiven):
                self._news.tell(work_notice(change.message, ASSIGNED, change.work), only=[change.work.assignee])
            elif isinstance(change, WorkEscalated):
                work = change.work
                ringing = [work.assignee] if work.assignee else [each.id for each in self._desks.on_duty()]
                if ringing:
                    self._news.tell(work_notice(change.message, ESCALATED, work), first=True, only=ringing)

    def catch_up(self) -> None:
        """Do nothing: a watch that begins is told what waits (`telling.Pending`)."""

    async def keep_watch(self) -> None:
        """Pass on what nobody acknowledges in time, for as long as the node runs."""
        while True:
            try:
                await self.round()
            except Unavailable as error:  # the database is away for now
                log.warning("work_not_looked_at", reason=error.reason, detail=error.detail)
            await asyncio.sleep(LOOK_SECONDS)

    async def round(self) -> int:
        """Pass on what is late now, and ring whoever gets it; gives how much that was."""
        if not await asyncio.to_thread(self._any_late):
            return 0
        return (await self._ledger.commit(self._pass_on)).result

    def _any_late(self) -> bool:
        with self._store.reads() as reads:
            return bool(tasks_store.unacknowledged(reads, self._clock(), 1))

    def _pass_on(self, pen: Pen) -> int:
        passed_on = 0
        for work in tasks_store.unacknowledged(pen.tx, pen.now, PASSED_ON_AT_ONCE):
            row = messages_store.message(pen.tx, work.digest)
            if row is None:
                continue
            now = self._escalated(work, row, pen.now)
            pen.append(log_entries.escalated(actor=self._node_id, digest=work.digest), text=_target(now))
            tasks_store.put_work(pen.tx, now)
            if now.assignee:
                access_store.add_readers(pen.tx, [(now.assignee, row.seq)])
            pen.announce(MessagesChanged((row.digest,)))
            pen.announce(WorkEscalated(row, now))
            passed_on += 1
        return passed_on

    def _escalated(self, work: WorkRow, row: MessageRow, now: datetime) -> WorkRow:
        """Give late work to the duty desk; from there to the next on duty, and at last to the desk for good."""
        count = work.escalations + 1
        duty = self._desks.on_duty()
        within = acknowledge_within(deadlines.ANSWER_WITHIN[row.urgency])
        again = now + within if count < MAX_ESCALATIONS else None
        at_desk = work.unit == self._desks.duty_desk and (work.escalations or not work.assignee)
        assignee = duty[work.escalations % len(duty)].id if at_desk and duty else ""
        return replace(work, unit=self._desks.duty_desk, assignee=assignee, acknowledge_time=again, escalations=count)


def _target(work: WorkRow) -> str:
    return work.assignee or work.unit or "the common desk"


def _check_note(note: str) -> None:
    if len(note) > MAX_NOTE:
        raise Rejected("too_large", f"a note has at most {MAX_NOTE} characters")


def _no_work() -> Rejected:
    return Rejected("unknown_id", "nobody is asked to do anything about this message")


def _put(
    pen: Pen, officer: Officer, row: MessageRow, now: WorkRow, build: Callable[..., log_pb2.LogEntry], note: str
) -> None:
    said = " ".join(filter(None, (_target(now), note)))
    pen.append(build(actor=officer.id, digest=row.digest), text=said)
    pen.announce(MessagesChanged((row.digest,)))
    tasks_store.put_work(pen.tx, now)
    if now.assignee:
        access_store.add_readers(pen.tx, [(now.assignee, row.seq)])
