"""RPCs of officers about tasks: the list, and changes."""

from collections.abc import Callable
from datetime import datetime

from paiza.officer.v1 import task_pb2
from paiza_node.core.api.authentication import Caller, officer_of
from paiza_node.core.api.services import Service
from paiza_node.features.listing.listing import message_info
from paiza_node.features.tasks.assign import Assign
from paiza_node.features.tasks.model import TaskRow


class TaskService(Service):
    """Handles requests about tasks."""

    service = task_pb2.DESCRIPTOR.services_by_name["TaskService"]

    def __init__(self, assign: Assign, clock: Callable[[], datetime]) -> None:
        self._assign = assign
        self._clock = clock

    async def list_tasks(self, caller: Caller, request: task_pb2.ListTasksRequest) -> task_pb2.ListTasksResponse:
        found, more = await self._assign.listed(officer_of(caller), request)
        now = self._clock()
        return task_pb2.ListTasksResponse(
            items=[
                task_pb2.TaskItem(message=message_info(listed), work=work_info(work, now)) for listed, work in found
            ],
            next_page_token=more,
        )

    async def assign_task(self, caller: Caller, request: task_pb2.AssignTaskRequest) -> task_pb2.AssignTaskResponse:
        work = await self._assign.assign(officer_of(caller), request)
        return task_pb2.AssignTaskResponse(work=work_info(work, self._clock()))

    async def take_task(self, caller: Caller, request: task_pb2.TakeTaskRequest) -> task_pb2.TakeTaskResponse:
        work = await self._assign.take(officer_of(caller), request.message_digest)
        return task_pb2.TakeTaskResponse(work=work_info(work, self._clock()))

    async def acknowledge_task(
        self, caller: Caller, request: task_pb2.AcknowledgeTaskRequest
    ) -> task_pb2.AcknowledgeTaskResponse:
        work = await self._assign.acknowledge(officer_of(caller), request.message_digest)
        return task_pb2.AcknowledgeTaskResponse(work=work_info(work, self._clock()))

    async def complete_task(
        self, caller: Caller, request: task_pb2.CompleteTaskRequest
    ) -> task_pb2.CompleteTaskResponse:
        work = await self._assign.complete(officer_of(caller), request.message_digest, request.note)
        return task_pb2.CompleteTaskResponse(work=work_info(work, self._clock()))


def work_info(work: TaskRow, now: datetime) -> task_pb2.Task:
    """Return a task in the form sent to officers."""
    shown = task_pb2.Task(
        unit=work.unit,
        assignee=work.assignee,
        state=work.state,  # type: ignore[arg-type]  # the number is that of the enum
        escalations=work.escalations,
    )
    if work.acknowledge_time is not None:
        shown.acknowledge_time.FromDatetime(work.acknowledge_time)
    if work.due_time is not None:
        shown.due_time.FromDatetime(work.due_time)
    counting = [time for time in (work.acknowledge_time, work.due_time) if time is not None]
    shown.overdue = work.state != task_pb2.TASK_STATE_DONE and any(time <= now for time in counting)
    return shown
