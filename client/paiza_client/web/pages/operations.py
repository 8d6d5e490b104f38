"""Joint operations: who takes part and gets what, what was reported, and the figures, computed and stated."""

from dataclasses import dataclass
from functools import partial
from typing import Final

from google.protobuf.message import Message
from starlette.requests import Request
from starlette.responses import Response

from paiza.content.v1.operation_pb2 import ResultSheet, SituationReport
from paiza_client.sdk import Session, messages, operations
from paiza_client.sdk.model import MessageSummary
from paiza_client.sdk.operations import JointOperation
from paiza_client.web import subjects, texts, writing
from paiza_client.web.content import Section, sections
from paiza_client.web.language import _
from paiza_client.web.page import console_of, redirect, render, route, session_of, text_of
from paiza_domain import kinds
from paiza_domain.kinds.situation_report import RESULTS as RESULTS_SHAPE
from paiza_domain.operations.operations import NOTICE, OPERATION, participant

PAGE: Final = 500  # operations, and own notices, that are offered
_COUNTED: Final = frozenset({"situation-report", "seizure-notice", "result-sheet"})


@dataclass(frozen=True, slots=True)
class Figures:
    """The figures computed from what was opened; (message, why) of what was not counted, ids of what was corrected."""

    results: tuple[Section, ...]
    contributions: tuple[tuple[str, int, int], ...]
    not_counted: tuple[tuple[str, str], ...]
    corrected: tuple[str, ...]


async def listing(request: Request) -> Response:
    """List the operations, the newest first."""
    session = session_of(request)
    page = await session.list_messages(box="both", kind=OPERATION, page_size=PAGE)
    newest: dict[bytes, MessageSummary] = {}
    for each in page.messages:
        newest.setdefault(each.header.thread_id, each)
    roles = set((await session.whoami()).roles)
    return await render(
        request,
        "operations.html",
        title=_("Joint operations"),
        place="operations",
        operations=list(newest.values()),
        may_open=bool(kinds.all_kinds()[OPERATION].sender_roles & roles),
        has_more=page.has_more,
    )


async def one(request: Request) -> Response:
    """Show an operation; its figures once the officer asks to open what they are computed from."""
    session, counted = session_of(request), request.query_params.get("counted") == "1"
    joint = await _find(request, counted=counted)
    kind, header = kinds.all_kinds()[OPERATION], joint.message.header
    own = participant(joint.operation, joint.own)
    roles = set((await session.whoami()).roles)
    return await render(
        request,
        "operation.html",
        title=joint.operation.name,
        place="operations",
        exercise=header.exercise,
        joint=joint,
        header=header,
        thread=joint.listed[0].thread_name,
        parts=sections(kind.shape, joint.operation),
        messages=await subjects.named(console_of(request), joint.listed),
        to_open=sum(each.header.kind in _COUNTED for each in joint.listed),
        counted=counted,
        figures=_figures(joint) if counted else None,
        sheets=[
            (next(m.id for m in joint.listed if m.digest == each.digest), each.author, each.time, content, agrees)
            for each, content, agrees in operations.sheets(joint)
        ],
        takes_part=own is not None,
        may={name: bool(kinds.all_kinds()[name].sender_roles & roles) for name in (*_COUNTED, OPERATION)},
        is_author=header.author == joint.own,
        notices=await _own_notices(request) if own is not None else [],
        own=joint.own,
    )


async def write(request: Request) -> Response:
    """Make the draft of a report, of a shared notice, of a result sheet or of the next description, and open it."""
    session, act = session_of(request), text_of(request, "act")
    joint = await _find(request, counted=act in {"sheet", "final"})
    match act:
        case "report":
            draft = operations.as_draft(joint, SituationReport(report_version=1, status="initial"))
        case "notice":
            draft = operations.as_draft(joint, await _notice(request, session, text_of(request, "notice")))
        case "change":
            draft = operations.changed(joint)
        case _:
            draft = operations.as_draft(joint, operations.sheet(joint, final=act == "final"))
    return redirect(f"/write/{writing.begin_with(session.profile, draft)}")


async def _find(request: Request, *, counted: bool) -> JointOperation:
    session = session_of(request)
    open_part = partial(console_of(request).opened.open, session)
    return await operations.find(session, request.path_params["thread"], counted=counted, open_part=open_part)


async def _notice(request: Request, session: Session, wanted: str) -> Message:
    """Return the content of a notice that our own member sent, opened now unless it was before."""
    found = await messages.find_own(session, wanted)
    return messages.content(await console_of(request).opened.open(session, found))


async def _own_notices(request: Request) -> list[MessageSummary]:
    """Return the newest notices of our own member that stand."""
    page = await session_of(request).list_messages(box="sent", kind=NOTICE, page_size=50)
    stand = [each for each in page.messages if not (each.recalled_by or each.replaced_by or each.erased)]
    return await subjects.named(console_of(request), stand)


def _figures(joint: JointOperation) -> Figures:
    computed = operations.compute(joint)
    sheet: ResultSheet = operations.sheet(joint)
    ids = {each.digest: each.id for each in joint.listed}
    return Figures(
        results=tuple(sections(RESULTS_SHAPE, sheet.results)),
        contributions=tuple((each.member, each.reports, each.notices) for each in sheet.contributions),
        not_counted=tuple(
            (ids.get(digest, digest.hex()), texts.code(reason, "not_counted"))
            for digest, reason in computed.not_counted.items()
        ),
        corrected=tuple(ids.get(each, each.hex()) for each in computed.corrected_in_words),
    )


ROUTES: Final = (
    route("/operations", listing),
    route("/operations/{thread}", one),
    route("/operations/{thread}/write", write, post=True),
)
