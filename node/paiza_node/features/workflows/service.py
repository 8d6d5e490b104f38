"""RPCs of officers about workflows: the list, and one workflow with every step."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from google.protobuf.timestamp_pb2 import Timestamp

from paiza.core.v1 import text_pb2
from paiza.officer.v1 import workflow_pb2
from paiza.peer.v1 import exchange_pb2
from paiza_domain import kinds
from paiza_domain.schema.reading import code_text
from paiza_node.core.access import store as access_store
from paiza_node.core.access.model import Officer
from paiza_node.core.access.need_to_know import list_scope
from paiza_node.core.api import paging
from paiza_node.core.api.authentication import Caller, member_of, officer_of
from paiza_node.core.api.services import Service
from paiza_node.core.messages import store as messages_store
from paiza_node.core.storage import ReadConnection, Store
from paiza_node.features.workflows.backfill import BackfillServe
from paiza_node.features.workflows.deadlines import WorkflowDeadlines, bilingual
from paiza_node.features.workflows.legality import WorkflowState
from paiza_wire.errors import Rejected

MAX_PAGE: Final = 200
MAX_THREADS: Final = 1000  # threads of one page; the caller continues from its token
MAX_NAME: Final = 64  # characters of a thread's short name or a workflow's name
ID_BYTES: Final = 16

Entitled = Callable[[Officer, bytes], bool]
"""Returns whether an officer may know of a thread."""

MayOpen = Callable[[Officer, bytes], bool]
"""Returns whether an officer may open a message."""

OF_CONTENT: Final = frozenset({"covered", "needed", "point", "quantity", "mode"})
"""Values of breaches that were read in the content of an authorisation or a plan: times, places, amounts."""


class BackfillService(Service):
    """Handles requests of other members' nodes for missing messages of a thread."""

    service = exchange_pb2.DESCRIPTOR.services_by_name["ExchangeService"]

    def __init__(self, serve: BackfillServe) -> None:
        self._serve = serve

    async def fetch_messages(
        self, caller: Caller, request: exchange_pb2.FetchMessagesRequest
    ) -> exchange_pb2.FetchMessagesResponse:
        return await self._serve(member_of(caller), request)


class WorkflowService(Service):
    """Handles requests of officers about workflows. The store is read in threads."""

    service = workflow_pb2.DESCRIPTOR.services_by_name["WorkflowService"]

    def __init__(
        self,
        *,
        member: str,
        store: Store,
        deadlines: WorkflowDeadlines,
        entitled: Entitled,
        may_open: MayOpen,
        clock: Callable[[], datetime],
    ) -> None:
        """Store the collaborators.

        ``entitled`` decides whether another thread is named to the caller, ``may_open`` whether they are shown what the
        content of steps says: who oversees sees that a delivery exists and how it stands, not where it goes.
        """
        self._member = member
        self._store = store
        self._workflow_states = deadlines.workflow_states
        self._deadlines = deadlines
        self._entitled = entitled
        self._may_open = may_open
        self._clock = clock

    async def list_workflows(
        self, caller: Caller, request: workflow_pb2.ListWorkflowsRequest
    ) -> workflow_pb2.ListWorkflowsResponse:
        """Return a page of the list of workflows."""
        if len(request.workflow) > MAX_NAME:
            raise Rejected("malformed", f"a filter has at most {MAX_NAME} characters")
        officer = officer_of(caller)
        return await asyncio.to_thread(self._list, request, officer)

    async def get_workflow(
        self, caller: Caller, request: workflow_pb2.GetWorkflowRequest
    ) -> workflow_pb2.GetWorkflowResponse:
        """Return one workflow."""
        if bool(request.thread_id) == bool(request.thread_name):
            raise Rejected("malformed", "either thread_id or thread_name is set")
        if len(request.thread_id) not in (0, ID_BYTES) or len(request.thread_name) > MAX_NAME:
            raise Rejected("malformed", "the thread is not named as this node names threads")
        officer = officer_of(caller)
        return await asyncio.to_thread(self._one, request, officer)

    def _list(self, request: workflow_pb2.ListWorkflowsRequest, officer: Officer) -> workflow_pb2.ListWorkflowsResponse:
        found, more = self._page(request, officer)
        now = self._clock()
        return workflow_pb2.ListWorkflowsResponse(
            workflows=[
                self._status(workflow_state, officer, now, opens=self._opens(workflow_state, officer))
                for workflow_state in found
            ],
            next_page_token=paging.token_of(more) if more else "",
        )

    def _one(self, request: workflow_pb2.GetWorkflowRequest, officer: Officer) -> workflow_pb2.GetWorkflowResponse:
        workflow_state = self._find(request, officer)
        if workflow_state is None:
            raise Rejected("unknown_id", "no workflow of this node has such a thread")
        view, now = workflow_state.view, self._clock()
        opens = self._opens(workflow_state, officer)
        return workflow_pb2.GetWorkflowResponse(
            status=self._status(workflow_state, officer, now, opens=opens),
            steps=_steps(workflow_state, opens=opens),
            heads=workflow_state.heads,
            participants=view.participants,
            missing_digests=view.waiting_for,
            legs=[
                workflow_pb2.WorkflowLeg(
                    member=leg.member,
                    entry_point=leg.entry_point,
                    entry_time=leg.entry_time,
                    exit_point=leg.exit_point,
                    exit_time=leg.exit_time,
                )
                for leg in (view.route if opens else ())
            ],
            next_steps=[
                workflow_pb2.WorkflowNextStep(kind=kind, breaches=_breaches(breaches, opens=opens))
                for kind, breaches in workflow_state.next_steps(self._member, now).items()
            ],
        )

    def _page(self, request: workflow_pb2.ListWorkflowsRequest, officer: Officer) -> tuple[list[WorkflowState], int]:
        """Return up to a page of matching workflows that the officer sees, and the start of the next page."""
        wanted = paging.page_size(request, MAX_PAGE)
        names = [name for name, kind in kinds.all_kinds().items() if kind.workflow]
        names = [name for name in names if request.workflow in ("", kinds.all_kinds()[name].workflow)]
        found: list[WorkflowState] = []
        numbers = paging.numbers_of(request, 1)
        before = numbers[0] if numbers else None
        with self._store.reads() as reads:
            viewer = list_scope(officer)
            threads = access_store.seen_threads(reads, names, viewer, before_seq=before, limit=MAX_THREADS)
            for thread in threads:
                workflow_state = self._workflow_states.of(reads, thread.thread_id)
                if workflow_state is not None and (
                    workflow_state.live or request.scope == workflow_pb2.WORKFLOW_SCOPE_ALL
                ):
                    found.append(workflow_state)
                if len(found) == wanted:
                    return found, thread.last_seq if thread is not threads[-1] else 0
        return found, threads[-1].last_seq if len(threads) == MAX_THREADS else 0

    def _find(self, request: workflow_pb2.GetWorkflowRequest, officer: Officer) -> WorkflowState | None:
        with self._store.reads() as reads:
            thread_id = request.thread_id or messages_store.thread_id(reads, request.thread_name)
            return self._seen(reads, thread_id, officer) if thread_id else None

    def _seen(self, reads: ReadConnection, thread_id: bytes, officer: Officer) -> WorkflowState | None:
        return self._workflow_states.of(reads, thread_id) if sees_thread(reads, thread_id, officer) else None

    def _opens(self, workflow_state: WorkflowState, officer: Officer) -> bool:
        """Return whether an officer may open the step that set the route."""
        view = workflow_state.view
        return self._may_open(officer, view.delivery.rerouted or view.plan or view.request)

    def _status(
        self, workflow_state: WorkflowState, officer: Officer, now: datetime, *, opens: bool
    ) -> workflow_pb2.WorkflowStatus:
        view = workflow_state.view
        return workflow_pb2.WorkflowStatus(
            thread_id=workflow_state.thread_id,
            thread_name=workflow_state.thread_name,
            workflow=workflow_state.workflow,
            overall=view.overall,
            overall_text=_code("cd_overall", view.overall),
            live=workflow_state.live,
            author=view.requester,
            states=_states(view),
            responsible=view.responsible,
            deadlines=[_deadline(each, now) for each in view.deadlines],
            alarms=[_alarm(each) for each in view.alarms],
            ineffective_count=len(view.ineffective),
            missing_count=len(view.waiting_for),
            overlaps=self._overlaps(workflow_state, officer),
            lacking=_breaches(view.lacking, opens=opens),
            offered_to=view.offer.taker if view.offer is not None else "",
            exercise=workflow_state.exercise,
        )

    def _overlaps(self, workflow_state: WorkflowState, officer: Officer) -> list[workflow_pb2.WorkflowOverlap]:
        """Return the workflows that overlap with one, as far as the officer may know of them."""
        found: Mapping[bytes, frozenset[str]] = self._deadlines.overlaps(workflow_state.thread_id)
        return [
            workflow_pb2.WorkflowOverlap(thread_name=self._deadlines.name(other), fields=sorted(fields))
            for other, fields in found.items()
            if self._entitled(officer, other)
        ]


def sees_thread(reads: ReadConnection, thread_id: bytes, officer: Officer) -> bool:
    """Return whether an officer sees any message of a thread in lists."""
    return access_store.sees_thread(reads, thread_id, list_scope(officer))


def _states(view: Any) -> list[workflow_pb2.WorkflowState]:
    """Return the states in the order of the route, then those that are not on it."""
    route = dict.fromkeys(leg.member for leg in view.route)
    order = [*(member for member in route if member in view.states), *(set(view.states) - set(route))]
    return [
        workflow_pb2.WorkflowState(
            member=member,
            role=view.states[member].role,
            status=view.states[member].status,
            status_text=_code("cd_status", view.states[member].status),
            until_time=_time(view.states[member].until),
            step_digest=view.states[member].step,
        )
        for member in sorted(order, key=order.index)
    ]


def _steps(workflow_state: WorkflowState, *, opens: bool) -> list[workflow_pb2.WorkflowStep]:
    view = workflow_state.view
    by_digest = {step.digest: step for step in workflow_state.steps}
    waiting = set(view.waiting)
    found = []
    for digest in (*view.order, *view.waiting):
        step = by_digest.pop(digest, None)
        if step is None:
            continue
        breaches = view.ineffective.get(digest, ())
        found.append(
            workflow_pb2.WorkflowStep(
                message_digest=digest,
                kind=step.kind,
                title=_title(step.kind),
                author=step.author,
                release_time=_time(step.release_time),
                parent_digests=step.parents,
                effective=not breaches and digest not in waiting,
                waiting=digest in waiting,
                breaches=_breaches(breaches, opens=opens),
            )
        )
    return found


def _alarm(alarm: Any) -> workflow_pb2.WorkflowAlarm:
    return workflow_pb2.WorkflowAlarm(
        message_digest=alarm.digest,
        kind=alarm.kind,
        author=alarm.member,
        release_time=_time(alarm.time),
        in_force=alarm.in_force,
        acknowledged_by=alarm.acknowledged_by,
        waiting_for=alarm.still_to_acknowledge,
    )


def _deadline(deadline: Any, now: datetime) -> workflow_pb2.WorkflowDeadline:
    return workflow_pb2.WorkflowDeadline(
        code=deadline.code,
        text=_code("cd_deadline", deadline.code),
        member=deadline.member,
        due_time=_time(deadline.due_time),
        overdue=deadline.due_time <= now,
    )


def _breaches(breaches: Sequence[Any], *, opens: bool) -> list[workflow_pb2.WorkflowBreach]:
    hidden = frozenset() if opens else OF_CONTENT
    return [
        workflow_pb2.WorkflowBreach(
            rule=breach.rule, values={name: value for name, value in breach.values.items() if name not in hidden}
        )
        for breach in breaches
    ]


def _title(kind: str) -> text_pb2.BilingualText | None:
    known = kinds.all_kinds().get(kind)
    return None if known is None else bilingual(lambda lang: known.titles[lang])


def _code(code_list: str, code: str) -> text_pb2.BilingualText:
    return bilingual(lambda lang: code_text(code_list, code, lang))


def _time(time: datetime | None) -> Timestamp | None:
    if time is None:
        return None
    stamp = Timestamp()
    stamp.FromDatetime(time)
    return stamp
