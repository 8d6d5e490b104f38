"""Tasks: what is to be done, by whom and until when."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal

import grpc
from google.protobuf.timestamp_pb2 import Timestamp

from paiza.officer.v1 import task_pb2, task_pb2_grpc
from paiza_client.sdk.model import MessageSummary
from paiza_client.sdk.summaries import summary
from paiza_officer import channel
from paiza_officer.errors import Refused

Scope = Literal["unit", "mine", "all"]
TaskState = Literal["new", "acknowledged", "done", "unknown"]
MAX_PAGE: Final = 500  # the most the node gives at once
MAX_LISTED: Final = 5_000  # of one answer

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


class Tasks:
    """The session's calls for tasks."""

    def __init__(self, connection: grpc.aio.Channel, call: channel.Call) -> None:
        self._stub = task_pb2_grpc.TaskServiceStub(connection)
        self._call = call

    async def list_tasks(self, scope: Scope = "unit") -> list[TaskItem]:
        """Return tasks, the first due first; at most about `MAX_LISTED`.

        ``scope`` is "unit" (those of the officer's unit), "mine" or "all". Refused("policy_denied") for a role that has
        no tasks.
        """
        request = task_pb2.ListTasksRequest(scope=_SCOPES[scope], page_size=MAX_PAGE)
        found: list[TaskItem] = []
        async for page in channel.pages(self._call, self._stub.ListTasks, request):
            found += [TaskItem(summary(each.message), _task(each.task)) for each in page.items]
            if len(found) >= MAX_LISTED:
                break
        return found

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
        """Acknowledge a task; return its present state. The node logs ACKNOWLEDGED."""
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
