"""Tasks: what is to be done, by whom and until when."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal

import grpc
from google.protobuf.timestamp_pb2 import Timestamp

from paiza.core.v1 import log_pb2
from paiza.officer.v1 import officer_pb2, task_pb2, task_pb2_grpc
from paiza_client.sdk.model import MessageSummary
from paiza_client.sdk.summaries import summary
from paiza_officer import channel
from paiza_officer.errors import Refused

CheckSubjects = Callable[[Iterable[officer_pb2.MessageInfo], log_pb2.LogProof], None]
"""Raises NotProven unless the log holds that these subjects were shown."""

Scope = Literal["unit", "mine", "all"]
TaskState = Literal["new", "acknowledged", "done", "unknown"]
MAX_PAGE: Final = 500  # the most the node gives at once

_SCOPES: Final[dict[Scope, task_pb2.TaskScope.ValueType]] = {
    "unit": task_pb2.TASK_SCOPE_UNSPECIFIED,
    "mine": task_pb2.TASK_SCOPE_MINE,
    "all": task_pb2.TASK_SCOPE_ALL,
}
_STATES: Final[dict[int, TaskState]] = {
    task_pb2.TASK_STATE_NEW: "new",
    task_pb2.TASK_STATE_ACKNOWLEDGED: "acknowledged",
    task_pb2.TASK_STATE_DONE: "done",
}


@dataclass(frozen=True, slots=True)
class Task:
    """The task that a message is, as the own node lists it."""

    unit: str
    assignee: str
    state: TaskState
    acknowledge_time: datetime | None
    due_time: datetime | None
    overdue: bool
    escalations: int


@dataclass(frozen=True, slots=True)
class TaskItem:
    """One message with its task."""

    message: MessageSummary
    task: Task


@dataclass(frozen=True, slots=True)
class TaskPage:
    """One page of tasks; ``next_token`` is empty on the last."""

    items: tuple[TaskItem, ...]
    next_token: str


@dataclass(frozen=True, slots=True)
class ShiftNote:
    """A note of an officer (SPIFFE id) for their unit. ``hands_over``: it ended the shift; then it may be empty."""

    unit: str
    officer: str
    note_time: datetime
    text: str
    hands_over: bool


class Tasks:
    """The session's calls for tasks, and for the notes that one shift leaves to the next.

    A task leaves the lists of all officers when it is done: by `complete`, by a full answer or a recall of its message,
    by any reply if it expects no answer, and if it is a step of a workflow, when the workflow asks nothing more of our
    member. An interim answer and any other reply acknowledge a request.
    """

    def __init__(self, connection: grpc.aio.Channel, call: channel.Call, check_subjects: CheckSubjects) -> None:
        self._stub = task_pb2_grpc.TaskServiceStub(connection)
        self._call = call
        self._check_subjects = check_subjects

    async def list_tasks(self, scope: Scope = "unit", *, subjects: bool = False) -> list[TaskItem]:
        """Return all tasks that are not done, the first due first; as `page` otherwise."""
        found: list[TaskItem] = []
        token = ""
        while True:
            page = await self.page(scope, page_size=MAX_PAGE, token=token, subjects=subjects)
            found += page.items
            token = page.next_token
            if not token:
                return found

    async def page(
        self, scope: Scope = "unit", *, page_size: int = 100, token: str = "", subjects: bool = False
    ) -> TaskPage:
        """Return one page of the tasks that are not done, the first due first.

        ``scope`` is "unit" (those of the officer's unit), "mine" or "all"; ``page_size`` at most 500; ``token`` that of
        the page before. ``subjects``: with the subjects of the messages that the officer may open, which the node logs
        as SUBJECTS_SHOWN. Refused("policy_denied") for a role that has no tasks.
        """
        request = task_pb2.ListTasksRequest(
            scope=_SCOPES[scope], page_size=page_size, page_token=token, with_subjects=subjects
        )
        answer: task_pb2.ListTasksResponse = await self._call(
            lambda: self._stub.ListTasks(request, timeout=channel.CALL_SECONDS)
        )
        self._check_subjects([each.message for each in answer.items], answer.subjects_shown)
        items = tuple(TaskItem(summary(each.message), _task(each.task)) for each in answer.items)
        return TaskPage(items, answer.next_page_token)

    async def by_message(self) -> dict[bytes, Task]:
        """Return the tasks that the officer sees, by message digest; none where their role has none."""
        try:
            return {each.message.digest: each.task for each in await self.list_tasks()}
        except Refused as error:
            if error.reason != "policy_denied":
                raise
            return {}

    async def assign(self, digest: bytes, *, unit: str = "", officer: str = "", note: str = "") -> Task:
        """Assign a task to a unit or an officer, by id or name; return its present state. The node logs ASSIGNED."""
        request = task_pb2.AssignTaskRequest(message_digest=digest, unit=unit, officer=officer, note=note)
        answer: task_pb2.AssignTaskResponse = await self._call(
            lambda: self._stub.AssignTask(request, timeout=channel.CALL_SECONDS)
        )
        return _task(answer.task)

    async def take(self, digest: bytes) -> Task:
        """Assign a task to the caller; return its present state."""
        request = task_pb2.TakeTaskRequest(message_digest=digest)
        answer: task_pb2.TakeTaskResponse = await self._call(
            lambda: self._stub.TakeTask(request, timeout=channel.CALL_SECONDS)
        )
        return _task(answer.task)

    async def acknowledge(self, digest: bytes) -> Task:
        """Acknowledge a task, which is done then if it expects no answer; return its present state.

        The node logs ACKNOWLEDGED.
        """
        request = task_pb2.AcknowledgeTaskRequest(message_digest=digest)
        answer: task_pb2.AcknowledgeTaskResponse = await self._call(
            lambda: self._stub.AcknowledgeTask(request, timeout=channel.CALL_SECONDS)
        )
        return _task(answer.task)

    async def complete(self, digest: bytes, note: str = "") -> Task:
        """Complete a task; return its present state. The node logs DONE."""
        request = task_pb2.CompleteTaskRequest(message_digest=digest, note=note)
        answer: task_pb2.CompleteTaskResponse = await self._call(
            lambda: self._stub.CompleteTask(request, timeout=channel.CALL_SECONDS)
        )
        return _task(answer.task)

    async def note(self, text: str) -> ShiftNote:
        """Leave a note (1 to 1000 characters) for the own unit, shown until its shift is handed over next.

        The node logs SHIFT_NOTED. Refused("too_large") for too long a text, or if the unit has 50 notes.
        """
        request = task_pb2.AddShiftNoteRequest(text=text)
        answer: task_pb2.AddShiftNoteResponse = await self._call(
            lambda: self._stub.AddShiftNote(request, timeout=channel.CALL_SECONDS)
        )
        return _note(answer.note)

    async def hand_over(self, text: str = "") -> ShiftNote:
        """Hand the shift of the own unit over, with a note to the next; those before are no longer shown.

        The node logs SHIFT_HANDED_OVER.
        """
        request = task_pb2.HandOverShiftRequest(text=text)
        answer: task_pb2.HandOverShiftResponse = await self._call(
            lambda: self._stub.HandOverShift(request, timeout=channel.CALL_SECONDS)
        )
        return _note(answer.note)

    async def notes(self) -> list[ShiftNote]:
        """Return the notes since the last hand-over, the oldest first; none where the officer's role has no tasks.

        They are of the own unit, and of those of officers whose deputy the officer is.
        """
        request, found = task_pb2.ListShiftNotesRequest(page_size=MAX_PAGE), list[ShiftNote]()
        try:
            async for page in channel.pages(self._call, self._stub.ListShiftNotes, request):
                found += map(_note, page.notes)
        except Refused as error:
            if error.reason != "policy_denied":
                raise
        return found


def _note(shown: task_pb2.ShiftNote) -> ShiftNote:
    return ShiftNote(shown.unit, shown.officer, _time(shown.note_time), shown.text, shown.hands_over)


def _task(shown: task_pb2.Task) -> Task:
    return Task(
        unit=shown.unit,
        assignee=shown.assignee,
        state=_STATES.get(shown.state, "unknown"),
        acknowledge_time=_time(shown.acknowledge_time) if shown.HasField("acknowledge_time") else None,
        due_time=_time(shown.due_time) if shown.HasField("due_time") else None,
        overdue=shown.overdue,
        escalations=shown.escalations,
    )


def _time(stamp: Timestamp) -> datetime:
    return stamp.ToDatetime(tzinfo=UTC)
