"""RPCs of officers about tasks: the list, changes, and the notes of shifts."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime

from paiza.core.v1 import log_pb2
from paiza.officer.v1 import task_pb2
from paiza_node.core.access.model import Officer
from paiza_node.core.api import paging
from paiza_node.core.api.authentication import Caller, officer_of
from paiza_node.core.api.services import Service
from paiza_node.core.messages.model import MessageRow
from paiza_node.features.listing.listing import message_info
from paiza_node.features.tasks.assign import Assign
from paiza_node.features.tasks.model import ShiftNote, TaskRow
from paiza_node.features.tasks.shift_notes import ShiftNotes

ShowSubjects = Callable[
    [Officer, Sequence[MessageRow]], Awaitable[tuple[Mapping[bytes, tuple[bytes, bytes]], log_pb2.LogProof | None]]
]
"""Returns the sealed subjects and their keys that an officer may be shown, and the proof of the entry that logs it."""


class TaskService(Service):
    """Handles requests about tasks."""

    service = task_pb2.DESCRIPTOR.services_by_name["TaskService"]

    def __init__(
        self, assign: Assign, shift_notes: ShiftNotes, show_subjects: ShowSubjects, clock: Callable[[], datetime]
    ) -> None:
        self._assign = assign
        self._show_subjects = show_subjects
        self._shift_notes = shift_notes
        self._clock = clock

    async def list_tasks(self, caller: Caller, request: task_pb2.ListTasksRequest) -> task_pb2.ListTasksResponse:
        officer = officer_of(caller)
        found, more = await self._assign.listed(officer, request)
        shown: Mapping[bytes, tuple[bytes, bytes]] = {}
        proof = None
        if request.with_subjects:
            rows = [listed.row for listed, _task in found if not listed.erased]
            shown, proof = await self._show_subjects(officer, rows)
        now = self._clock()
        return task_pb2.ListTasksResponse(
            items=[
                task_pb2.TaskItem(
                    message=message_info(listed, shown.get(listed.row.digest, (b"", b""))), task=task_info(task, now)
                )
                for listed, task in found
            ],
            next_page_token=more,
            subjects_shown=proof,
        )

    async def assign_task(self, caller: Caller, request: task_pb2.AssignTaskRequest) -> task_pb2.AssignTaskResponse:
        task = await self._assign.assign(officer_of(caller), request)
        return task_pb2.AssignTaskResponse(task=task_info(task, self._clock()))

    async def take_task(self, caller: Caller, request: task_pb2.TakeTaskRequest) -> task_pb2.TakeTaskResponse:
        task = await self._assign.take(officer_of(caller), request.message_digest)
        return task_pb2.TakeTaskResponse(task=task_info(task, self._clock()))

    async def acknowledge_task(
        self, caller: Caller, request: task_pb2.AcknowledgeTaskRequest
    ) -> task_pb2.AcknowledgeTaskResponse:
        task = await self._assign.acknowledge(officer_of(caller), request.message_digest)
        return task_pb2.AcknowledgeTaskResponse(task=task_info(task, self._clock()))

    async def complete_task(
        self, caller: Caller, request: task_pb2.CompleteTaskRequest
    ) -> task_pb2.CompleteTaskResponse:
        task = await self._assign.complete(officer_of(caller), request.message_digest, request.note)
        return task_pb2.CompleteTaskResponse(task=task_info(task, self._clock()))

    async def add_shift_note(
        self, caller: Caller, request: task_pb2.AddShiftNoteRequest
    ) -> task_pb2.AddShiftNoteResponse:
        added = await self._shift_notes.add(officer_of(caller), request.text, hands_over=False)
        return task_pb2.AddShiftNoteResponse(note=_note_info(added, request.text.strip()))

    async def hand_over_shift(
        self, caller: Caller, request: task_pb2.HandOverShiftRequest
    ) -> task_pb2.HandOverShiftResponse:
        added = await self._shift_notes.add(officer_of(caller), request.text, hands_over=True)
        return task_pb2.HandOverShiftResponse(note=_note_info(added, request.text.strip()))

    async def list_shift_notes(
        self, caller: Caller, request: task_pb2.ListShiftNotesRequest
    ) -> task_pb2.ListShiftNotesResponse:
        found = await self._shift_notes.shown(officer_of(caller))
        page, more = paging.page_of(sorted(found, key=_place), _place, request)
        return task_pb2.ListShiftNotesResponse(
            notes=[_note_info(note, text) for note, text in page], next_page_token=more
        )


def _place(shown: tuple[ShiftNote, str]) -> str:
    """Return the place of a note in the list: by its unit, the oldest first."""
    return f"{shown[0].unit} {shown[0].log_index:019}"


def _note_info(note: ShiftNote, text: str) -> task_pb2.ShiftNote:
    shown = task_pb2.ShiftNote(unit=note.unit, officer=note.officer, text=text, hands_over=note.hands_over)
    shown.note_time.FromDatetime(note.note_time)
    return shown


def task_info(task: TaskRow, now: datetime) -> task_pb2.Task:
    """Return a task in the form sent to officers."""
    shown = task_pb2.Task(
        unit=task.unit,
        assignee=task.assignee,
        state=task.state,  # type: ignore[arg-type]  # the number is that of the enum
        escalations=task.escalations,
    )
    if task.acknowledge_time is not None:
        shown.acknowledge_time.FromDatetime(task.acknowledge_time)
    if task.due_time is not None:
        shown.due_time.FromDatetime(task.due_time)
    counting = [time for time in (task.acknowledge_time, task.due_time) if time is not None]
    shown.overdue = task.state != task_pb2.TASK_STATE_DONE and any(time <= now for time in counting)
    return shown
