"""Tasks: who handles a received message. Every change is logged; a task not acknowledged in time is escalated.

A task begins with its message: it belongs to the unit or the officer that the message is addressed to. If it is not
acknowledged in time it goes to the duty unit, and from there to one duty officer after another; each new assignee and
their deputy are notified if they have a watch open. A change hides a message from nobody who could see it before. A
supervisor may reassign messages they cannot read, but not to themselves. A deputy acknowledges and completes the tasks
of the officer they stand in for; these stay that officer's, for what a deputy sees as such ends with the appointment.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

import structlog
from google.protobuf.message import Message

from paiza.core.v1 import log_pb2, message_pb2
from paiza.officer.v1 import task_pb2
from paiza_domain import kinds
from paiza_domain.threads import deadlines
from paiza_node.core.access import store as access_store
from paiza_node.core.access.model import Officer, Viewer
from paiza_node.core.access.need_to_know import (
    COMMON,
    UnitDirectory,
    by_themselves,
    denied,
    known,
    list_scope,
    may_see,
    open_scope,
    units_of,
    unknown_to,
)
from paiza_node.core.api import paging
from paiza_node.core.exchange.reactions import ReceivedMessage
from paiza_node.core.executors.periodic import PeriodicTask
from paiza_node.core.log.changes import Change, MessagesChanged
from paiza_node.core.log.ledger import Ledger
from paiza_node.core.log.notifier import Notifier
from paiza_node.core.log.transaction import LogTransaction
from paiza_node.core.messages import store as messages_store
from paiza_node.core.messages.model import MessageRow
from paiza_node.core.storage import Store
from paiza_node.features.listing import listing
from paiza_node.features.listing.model import ListedMessage
from paiza_node.features.tasks import store as tasks_store
from paiza_node.features.tasks.model import TaskRow
from paiza_node.features.tasks.notices import ASSIGNED, ESCALATED, task_notice
from paiza_wire import log_entries
from paiza_wire.errors import Rejected

ACKNOWLEDGE_WITHIN: Final = 4  # the part of the answering time within which a task is acknowledged: a quarter
MAX_NOTE: Final = 1000  # characters of a note to the new assignee
ESCALATED_AT_ONCE: Final = 100  # in one commit
MAX_ESCALATIONS: Final = 8  # then it stays with the duty unit, overdue
LOOK_SECONDS: Final = 15.0  # FLASH is to be acknowledged within a quarter of an hour

log = structlog.get_logger("paiza.tasks")


@dataclass(frozen=True, slots=True)
class TaskAssigned(Change):
    """A task was assigned to its assignee."""

    message: MessageRow
    task: TaskRow


@dataclass(frozen=True, slots=True)
class TaskEscalated(Change):
    """A task was not acknowledged in time: it went to its assignee, or to the officers on duty."""

    message: MessageRow
    task: TaskRow


class Assign:
    """Handles tasks."""

    def __init__(
        self,
        *,
        node_id: str,
        ledger: Ledger,
        store: Store,
        notifier: Notifier,
        unit_directory: UnitDirectory,
        clock: Callable[[], datetime],
    ) -> None:
        self._node_id = node_id
        self._ledger = ledger
        self._store = store
        self._notifier = notifier
        self._unit_directory = unit_directory
        self._clock = clock
        self.task = PeriodicTask(self._round, period=LOOK_SECONDS, failed="tasks_not_read")

    async def listed(
        self, officer: Officer, request: task_pb2.ListTasksRequest
    ) -> tuple[list[tuple[ListedMessage, TaskRow]], str]:
        """Return a page of the open tasks that an officer sees, the next due first, and the next token.

        Rejected if the officer may not see all.
        """
        viewer, scope = open_scope(officer), request.scope
        if scope == task_pb2.TASK_SCOPE_ALL and list_scope(officer).units is not None:
            raise Rejected("policy_denied", "only those who oversee the member see all its work")
        units: tuple[str, ...] | None = viewer.units or units_of(officer)
        if scope == task_pb2.TASK_SCOPE_MINE:
            units = ()
        elif scope == task_pb2.TASK_SCOPE_ALL:
            units, viewer = None, list_scope(officer)
        elif viewer.units is None:
            units = tuple({COMMON, *units_of(officer), self._unit_directory.duty_unit})
        return await asyncio.to_thread(self._read, officer, viewer, units, request)

    def _read(
        self, officer: Officer, viewer: Viewer, units: tuple[str, ...] | None, request: task_pb2.ListTasksRequest
    ) -> tuple[list[tuple[ListedMessage, TaskRow]], str]:
        size = paging.page_size(request)
        numbers = paging.numbers_of(request, 2)
        after = None if numbers is None else (paging.time_of(numbers[0]) if numbers[0] else None, numbers[1])
        more = ""
        with self._store.reads() as reads:
            rows = tasks_store.open_tasks(reads, units, viewer, size + 1, after)
            if len(rows) > size:
                del rows[size:]
                due = rows[-1].due_time  # 0 in the token for tasks without a due time
                more = paging.token_of(0 if due is None else paging.micros_of(due), rows[-1].seq)
            shown = {
                each.row.digest: each
                for each in listing.listed(reads, [row.digest for row in rows], officer.id, viewer)
            }
        return [(shown[row.digest], row) for row in rows if row.digest in shown], more

    async def assign(self, officer: Officer, request: task_pb2.AssignTaskRequest) -> TaskRow:
        """Assign a task to a unit or an officer; Rejected if they may not see the message (logged), or it is none."""
        _check_note(request.note)
        return await self._commit(lambda tx: self._assign(tx, officer, request))

    async def take(self, officer: Officer, digest: bytes) -> TaskRow:
        """Assign a task to the caller; Rejected as in `assign`."""
        return await self._change(officer, digest, log_entries.assigned, assignee=officer.id)

    async def acknowledge(self, officer: Officer, digest: bytes) -> TaskRow:
        """Record that a task was seen: what expects no answer is done then. Rejected as in `assign`."""
        return await self._change(officer, digest, log_entries.acknowledged, state=None)

    async def complete(self, officer: Officer, digest: bytes, note: str) -> TaskRow:
        """Record that a task is done; Rejected as in `assign`."""
        _check_note(note)
        return await self._change(officer, digest, log_entries.done, note=note, state=task_pb2.TASK_STATE_DONE)

    async def _change(
        self,
        officer: Officer,
        digest: bytes,
        build: Callable[..., log_pb2.LogEntry],
        *,
        note: str = "",
        assignee: str | None = None,
        state: "task_pb2.TaskState.ValueType | None" = task_pb2.TASK_STATE_ACKNOWLEDGED,
    ) -> TaskRow:
        """Change a task whose message the officer may read; it need not be acknowledged any more.

        Without a ``state`` it is acknowledged, and done if nothing more is expected.
        """

        def write(tx: LogTransaction) -> TaskRow | Rejected:
            row = known(tx.conn, officer, digest)
            if row is None:
                return unknown_to(tx, officer, digest)
            if not may_see(tx.conn, officer, row):
                return denied(tx, officer, digest)
            if assignee is not None and not may_see(tx.conn, by_themselves(officer), row):
                return _seen_as_deputy()
            task = tasks_store.tasks_of(tx.conn, [digest]).get(digest)
            if task is None:
                return _no_work()
            acknowledged = task_pb2.TASK_STATE_DONE if task.due_time is None else task_pb2.TASK_STATE_ACKNOWLEDGED
            now = replace(
                task,
                assignee=task.assignee if assignee is None else assignee,
                state=acknowledged if state is None else state,
                acknowledge_time=None,
            )
            _put(tx, officer, row, now, build, note)
            return now

        return await self._commit(write)

    async def _commit(self, write: Callable[[LogTransaction], TaskRow | Rejected]) -> TaskRow:
        committed = await self._ledger.commit(write)
        if isinstance(committed.result, Rejected):
            raise committed.result
        return committed.result

    def _assign(self, tx: LogTransaction, officer: Officer, request: task_pb2.AssignTaskRequest) -> TaskRow | Rejected:
        row = known(tx.conn, officer, request.message_digest)
        if row is None:
            return unknown_to(tx, officer, request.message_digest)
        reads_it = may_see(tx.conn, by_themselves(officer), row)
        if not (reads_it or self._assigns_to_other(officer, request)):
            if may_see(tx.conn, officer, row):
                return _seen_as_deputy()
            return denied(tx, officer, row.digest)
        task = tasks_store.tasks_of(tx.conn, [row.digest]).get(row.digest)
        if task is None:
            return _no_work()
        now = self._assigned(task, request)
        _put(tx, officer, row, now, log_entries.assigned, request.note)
        if request.unit and row.unit != now.unit:
            # Former assignees keep access to the message.
            if reads_it:
                access_store.add_readers(tx.conn, [(officer.id, row.seq)])
            messages_store.put_unit(tx.conn, row.seq, now.unit)
        if now.assignee:
            tx.announce(TaskAssigned(row, now))
        return now

    def _assigns_to_other(self, officer: Officer, request: task_pb2.AssignTaskRequest) -> bool:
        """Return whether a task is assigned to somebody else: neither to the caller nor to their own unit."""
        if request.unit and request.unit == officer.unit:
            return False
        named = self._unit_directory.officer(request.officer)
        return named is None or named.id != officer.id

    def _assigned(self, task: TaskRow, request: task_pb2.AssignTaskRequest) -> TaskRow:
        if bool(request.unit) == bool(request.officer):
            raise Rejected("malformed", "either a unit or an officer is named")
        if request.unit:
            if request.unit not in self._unit_directory.units():
                raise Rejected("unknown_unit", f"the member has no unit {request.unit!r}")
            return replace(task, unit=request.unit, assignee="", state=task_pb2.TASK_STATE_NEW)
        named = self._unit_directory.officer(request.officer)
        if named is None:
            raise Rejected("unknown_officer", "the member has no such officer")
        return replace(task, assignee=named.id, state=task_pb2.TASK_STATE_NEW)

    def notify(self, changes: Sequence[Change]) -> None:
        """Notify officers of tasks that were assigned to them; escalated ones first."""
        for change in changes:
            if isinstance(change, TaskAssigned):
                ringing = self._with_deputies([change.task.assignee])
                self._notifier.tell(task_notice(change.message, ASSIGNED, change.task), only=ringing)
            elif isinstance(change, TaskEscalated):
                task = change.task
                ringing = [task.assignee] if task.assignee else [each.id for each in self._unit_directory.on_duty()]
                if ringing:
                    notice = task_notice(change.message, ESCALATED, task)
                    self._notifier.tell(notice, first=True, only=self._with_deputies(ringing))

    def _with_deputies(self, officers: Sequence[str]) -> list[str]:
        """Return these officers, and the deputies that they have now."""
        return [*officers, *(each for officer in officers for each in self._unit_directory.deputies_of(officer))]

    def catch_up(self) -> None:
        """Do nothing: a new watch is sent the pending notices (`PendingNotices`)."""

    async def _round(self) -> None:
        await self.escalate_late()

    async def escalate_late(self) -> int:
        """Escalate late tasks, and notify the assignees; return their number."""
        if not await asyncio.to_thread(self._any_late):
            return 0
        return (await self._ledger.commit(self._escalate_batch)).result

    def _any_late(self) -> bool:
        with self._store.reads() as reads:
            return bool(tasks_store.unacknowledged(reads, self._clock(), 1))

    def _escalate_batch(self, tx: LogTransaction) -> int:
        escalated = 0
        for task in tasks_store.unacknowledged(tx.conn, tx.now, ESCALATED_AT_ONCE):
            row = messages_store.message(tx.conn, task.digest)
            if row is None:
                continue
            now = self._escalated(task, row, tx.now)
            tx.append(log_entries.escalated(actor=self._node_id, digest=task.digest), text=target(now))
            tasks_store.put_task(tx.conn, now)
            if now.assignee:
                access_store.add_readers(tx.conn, [(now.assignee, row.seq)])
            tx.announce(MessagesChanged((row.digest,)))
            tx.announce(TaskEscalated(row, now))
            escalated += 1
        return escalated

    def _escalated(self, task: TaskRow, row: MessageRow, now: datetime) -> TaskRow:
        """Return the escalated task: to the duty unit, then to the next officer on duty, at last to the duty unit."""
        count = task.escalations + 1
        duty = self._unit_directory.on_duty()
        within = acknowledge_within(deadlines.ANSWER_WITHIN[row.urgency])
        again = now + within if count < MAX_ESCALATIONS else None
        at_duty_unit = task.unit == self._unit_directory.duty_unit and (task.escalations or not task.assignee)
        assignee = duty[task.escalations % len(duty)].id if at_duty_unit and duty else ""
        return replace(
            task, unit=self._unit_directory.duty_unit, assignee=assignee, acknowledge_time=again, escalations=count
        )


def target(task: TaskRow) -> str:
    """Return whose a task is, as it stands beside the log."""
    return task.assignee or task.unit or "all officers"


def _check_note(note: str) -> None:
    if len(note) > MAX_NOTE:
        raise Rejected("too_large", f"a note has at most {MAX_NOTE} characters")


def _seen_as_deputy() -> Rejected:
    return Rejected("policy_denied", "a deputy acknowledges and completes it; it stays the officer's task")


def _no_work() -> Rejected:
    return Rejected("unknown_id", "nobody is asked to do anything about this message")


def _put(
    tx: LogTransaction,
    officer: Officer,
    row: MessageRow,
    now: TaskRow,
    build: Callable[..., log_pb2.LogEntry],
    note: str,
) -> None:
    said = " ".join(filter(None, (target(now), note)))
    tx.append(build(actor=officer.id, digest=row.digest), text=said)
    tx.announce(MessagesChanged((row.digest,)))
    tasks_store.put_task(tx.conn, now)
    if now.assignee:
        access_store.add_readers(tx.conn, [(now.assignee, row.seq)])


def make_tasks(tx: LogTransaction, messages: Sequence[ReceivedMessage]) -> None:
    """Create tasks for received messages; those that require nothing get none."""
    made_tasks = (
        task_of(each.row, each.header, each.assignee, None if each.opened is None else each.opened.content)
        for each in messages
    )
    tasks_store.add_tasks(tx.conn, [made for made in made_tasks if made is not None])


def task_of(row: MessageRow, header: message_pb2.Header, assignee: str, content: Message | None) -> TaskRow | None:
    """Return until when a message is to be acknowledged and answered; None if it is for information only.

    Its content is None where it is not at hand: then the usual deadline counts, and none that the request names.
    """
    within = deadlines.ANSWER_WITHIN.get(row.urgency)
    if within is None:
        return None
    due = _due(row, header, content)
    asks = due is not None or row.urgency >= message_pb2.URGENCY_URGENT
    return TaskRow(
        seq=row.seq,
        digest=row.digest,
        unit=row.unit or COMMON,
        assignee=assignee,
        state=task_pb2.TASK_STATE_NEW,
        acknowledge_time=row.stored_time + acknowledge_within(within) if asks else None,
        due_time=due,
    )


def acknowledge_within(answer: timedelta) -> timedelta:
    """Return how soon a task is to be acknowledged that is to be answered within a time."""
    return answer / ACKNOWLEDGE_WITHIN


def _due(row: MessageRow, header: message_pb2.Header, content: Message | None) -> datetime | None:
    """Return by when a message is to be answered: as it asks itself, else by its urgency and its kind."""
    try:
        kind = kinds.get(header.kind, header.kind_version)
    except Rejected:
        return None
    return deadlines.answer_due(header, kind, content, row.stored_time)
