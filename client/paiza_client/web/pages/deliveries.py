"""Controlled deliveries: the board by deadline, and one delivery with its steps, its deadlines and the stop."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from paiza.officer.v1 import workflow_pb2
from paiza_client.sdk import controlled_delivery, copying, drafts, sending, threads
from paiza_client.sdk.model import MessageSummary
from paiza_client.web import texts, writing
from paiza_client.web.language import N_, _, language
from paiza_client.web.maps import figures
from paiza_client.web.page import console_of, note, problem, redirect, render, route, secret_of, session_of, text_of
from paiza_client.web.texts import subject
from paiza_domain import codes, handling
from paiza_officer.errors import ProfileProblem, misused

PAGE: Final = 500  # requests whose subjects are shown on the board
STOP: Final = "cd-stop"
EVIDENCE_RETURN: Final = "cd-evidence-return"
OUTCOME_REPORTED: Final = "outcome-reported"
SOON: Final = timedelta(hours=12)
"""A deadline of the own member that is nearer stands out."""
USUAL_REASON: Final = "control-at-risk"
_STAGES: Final = (
    (N_("Requested"), {"waiting", "requested"}),
    (N_("Authorised"), {"authorised"}),
    (N_("Plan signed"), {"plan-signed"}),
    (
        N_("Under way"),
        {"active", "handover-offered", "handover-accepted", "route-changed", "suspended", "control-lost"},
    ),
    (N_("Delivered"), {"delivered", "intervened"}),
    (N_("Outcome"), {"outcome-reported", "evidence-returned", "closed"}),
)
_ENDS: Final = frozenset({"refused", "expired", "withdrawn", "stop-ordered"})


@dataclass(frozen=True, slots=True)
class Step:
    """One step on the timeline: its message where this officer may see it, and why it has no effect."""

    step: workflow_pb2.WorkflowStep
    message: MessageSummary | None
    why: str


async def board(request: Request) -> Response:
    """Show every delivery that is not over, or all."""
    over_too = request.query_params.get("all") == "1"
    found = await controlled_delivery.board(session_of(request), over_too=over_too)
    own = session_of(request).profile.member
    requests = await session_of(request).list_messages(
        box="both", kind=controlled_delivery.REQUEST, page_size=PAGE, subjects=True
    )
    about = {each.header.thread_id: subject(each) for each in requests.messages}
    found.sort(key=lambda each: _next_time(each, own))
    return await render(
        request,
        "deliveries.html",
        title=_("Deliveries"),
        place="deliveries",
        deliveries=found,
        over_too=over_too,
        own=own,
        about=about,
    )


async def delivery(request: Request) -> Response:
    """Show one delivery."""
    return await _page(request)


async def stop(request: Request) -> Response:
    """Stop a delivery: one step, signed and sent to everybody who takes part."""
    thread = request.path_params["thread"]
    try:
        async with console_of(request).signing(secret_of(request)) as session:
            found = await controlled_delivery.find(session, thread)
            given = {"stop_reason": text_of(request, "reason")}
            if text := text_of(request, "text"):
                given["text"] = text
            sent = await sending.send(session, controlled_delivery.step(found, STOP, given))
    except ProfileProblem as error:
        return await _page(request, error)
    if sent.is_released:
        note(request, _("The stop was sent to all who take part."))
    else:
        note(request, _("The stop waits for a second officer."))
    return redirect(f"/deliveries/{thread}")


async def write_step(request: Request) -> Response:
    """Begin the draft of a step, with all that the thread determines filled in, and open it as a form."""
    session = session_of(request)
    found = await controlled_delivery.find(session, request.path_params["thread"])
    kind = drafts.find_kind(text_of(request, "kind"))
    if kind.workflow != controlled_delivery.WORKFLOW:
        raise misused(kind.name, _("It is no step of a controlled delivery."))
    given = await copying.step_values(session, found, kind)
    return redirect(f"/write/{writing.begin(session.profile, kind, given)}")


async def _page(request: Request, error: ProfileProblem | None = None) -> Response:
    session = session_of(request)
    own = session.profile.member
    found = await controlled_delivery.status(session, request.path_params["thread"])
    listed = await threads.list_messages(session, found.status.thread_id, subjects=True)
    by_digest = {each.digest: each for each in listed}
    steps = [
        Step(each, by_digest.get(each.message_digest), "; ".join(map(texts.breach, each.breaches)))
        for each in reversed(found.steps)
    ]
    first = listed[0] if listed else None
    next_steps = controlled_delivery.next_steps(found, (await session.whoami()).roles)
    stops = {each.author for each in found.status.alarms if each.in_force and each.kind == STOP}
    return await render(
        request,
        "delivery.html",
        title=_("Delivery {thread}").format(thread=found.status.thread_name),
        place="deliveries",
        status=200 if error is None else 400,
        error=None if error is None else problem(error),
        delivery=found.status,
        exercise=found.status.exercise,
        first=first,
        paper=handling.merge(each.header.handling for each in listed),
        printing=request.url.path.endswith("/print"),
        map=figures.of_delivery(found),
        steps=steps,
        stages=_stages(found.status.overall),
        ended=found.status.overall in _ENDS,
        lacking=[texts.breach(each) for each in found.status.lacking],
        reasons=[(code, entry.names[language()]) for code, entry in codes.load("cd_stop_reason").items()],
        usual_reason=USUAL_REASON,
        deadlines=sorted(found.status.deadlines, key=lambda each: each.due_time.ToNanoseconds()),
        own=own,
        next_steps=[each for each in next_steps if not each.against and each.kind.name != STOP],
        other_steps=[each for each in next_steps if each.against],
        may_stop=own not in stops and any(each.kind.name == STOP and not each.against for each in next_steps),
        stopped=bool(stops),
        may_step=bool(next_steps),
        returning=_returning(found, next_steps),
        soon=datetime.now(UTC) + SOON,
    )


def _returning(
    found: workflow_pb2.GetWorkflowResponse, next_steps: Sequence[controlled_delivery.NextStep]
) -> controlled_delivery.NextStep | None:
    """Return the step that reports the return of the evidence, where only that keeps a delivery from being closed."""
    if found.status.overall != OUTCOME_REPORTED:
        return None
    return next((each for each in next_steps if each.kind.name == EVIDENCE_RETURN and not each.against), None)


def _stages(overall: str) -> Sequence[tuple[str, str]]:
    """Return the stages with "done", "now" or "ahead"; all ahead where the delivery ended otherwise."""
    now = next((number for number, (_name, states) in enumerate(_STAGES) if overall in states), -1)
    return [
        (_(name), "done" if number < now else "now" if number == now else "ahead")
        for number, (name, _states) in enumerate(_STAGES)
    ]


def _next_time(status: workflow_pb2.WorkflowStatus, own: str) -> datetime:
    """Return the first deadline of ours, or of all, to sort by."""
    ours = [each for each in status.deadlines if each.member == own] or list(status.deadlines)
    return min((each.due_time.ToDatetime(tzinfo=UTC) for each in ours), default=datetime.max.replace(tzinfo=UTC))


ROUTES: Final = (
    route("/deliveries", board),
    route("/deliveries/{thread}", delivery),
    route("/deliveries/{thread}/print", delivery),
    route("/deliveries/{thread}/stop", stop, post=True),
    route("/deliveries/{thread}/step", write_step, post=True),
)
