"""What officers ask of their desk: the work there is, and what they do with it."""

from collections.abc import Callable
from datetime import datetime
from typing import Final

from paiza.officer.v1 import desk_pb2
from paiza_node.core.api.authentication import Caller
from paiza_node.core.api.server import Handlers
from paiza_node.features.inbox.service import message_info, officer_of
from paiza_node.features.tasks.assign import Assign
from paiza_node.features.tasks.model import TaskRow

PREFIX: Final = "/paiza.officer.v1.TaskService/"


def desk_behaviours(assign: Assign, clock: Callable[[], datetime]) -> Handlers:
    """Give the behaviour of every RPC of TaskService."""

    async def list_work(caller: Caller, request: desk_pb2.ListTasksRequest) -> desk_pb2.ListTasksResponse:
        found, more = await assign.listed(officer_of(caller), request)
        now = clock()
        return desk_pb2.ListTasksResponse(
            items=[
                desk_pb2.WorkItem(message=message_info(listed), work=work_info(work, now)) for listed, work in found
            ],
            next_page_token=more,
        )

    async def assign_task(caller: Caller, request: desk_pb2.AssignTaskRequest) -> desk_pb2.AssignTaskResponse:
        work = await assign.assign(officer_of(caller), request)
        return desk_pb2.AssignTaskResponse(work=work_info(work, clock()))

    async def take_task(caller: Caller, request: desk_pb2.TakeTaskRequest) -> desk_pb2.TakeTaskResponse:
        work = await assign.take(officer_of(caller), request.message_digest)
        return desk_pb2.TakeTaskResponse(work=work_info(work, clock()))

    async def acknowledge_task(
        caller: Caller, request: desk_pb2.AcknowledgeTaskRequest
    ) -> desk_pb2.AcknowledgeTaskResponse:
        work = await assign.acknowledge(officer_of(caller), request.message_digest)
        return desk_pb2.AcknowledgeTaskResponse(work=work_info(work, clock()))

    async def complete_task(caller: Caller, request: desk_pb2.CompleteTaskRequest) -> desk_pb2.CompleteTaskResponse:
        work = await assign.complete(officer_of(caller), request.message_digest, request.note)
        return desk_pb2.CompleteTaskResponse(work=work_info(work, clock()))

    return {
        PREFIX + "ListTasks": list_work,
        PREFIX + "AssignTask": assign_task,
        PREFIX + "TakeTask": take_task,
        PREFIX + "AcknowledgeTask": acknowledge_task,
        PREFIX + "CompleteTask": complete_task,
    }


def work_info(work: TaskRow, now: datetime) -> desk_pb2.Work:
    """Write down how work stands."""
    shown = desk_pb2.Work(
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
    shown.overdue = work.state != desk_pb2.WORK_STATE_DONE and any(time <= now for time in counting)
    return shown
