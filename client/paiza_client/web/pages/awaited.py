"""Awaited from others: what was asked and is not answered, steps of deliveries, signatures of colleagues, erasures."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final

from google.protobuf.message import Message
from starlette.requests import Request
from starlette.responses import Response

from paiza.officer.v1 import workflow_pb2
from paiza_client.sdk import Session, awaited, controlled_delivery, copying, messages, wording
from paiza_client.sdk.approvals import WaitingSummary
from paiza_client.sdk.awaited import Awaited
from paiza_client.sdk.model import MessageSummary
from paiza_client.sdk.retention import Erasure
from paiza_client.web import subjects, texts, writing
from paiza_client.web.console import Console
from paiza_client.web.language import _
from paiza_client.web.page import console_of, form_of, redirect, render, route, session_of, text_of
from paiza_officer.errors import Refused

PERIODS: Final = (30, 90, 365)  # days
USUAL: Final = "90"
ALL: Final = "all"
_ENDS_BY_ITSELF: Final = "authorisation-end"  # a date of a delivery, nothing that anybody owes


@dataclass(frozen=True, slots=True)
class Step:
    """What another member owes in a delivery: its acknowledgement of a stop, its decision, its report."""

    delivery: workflow_pb2.WorkflowStatus
    member: str
    text: str
    due: datetime
    overdue: bool


async def listing(request: Request) -> Response:
    """List what others have not done yet, the first due first."""
    session, given = session_of(request), request.query_params
    period = given.get("period", USUAL)
    if period not in {ALL, *map(str, PERIODS)}:
        period = USUAL
    own_only = given.get("mine") == "1"
    now = datetime.now(UTC)
    since = None if period == ALL else now - timedelta(days=int(period))
    named = partial(subjects.named, console_of(request))
    opened = partial(_content, console_of(request))
    asked = await awaited.answers(session, since=since, own_only=own_only, named=named, content_of=opened)
    return await render(
        request,
        "awaited.html",
        title=_("Awaited from others"),
        place="tasks",
        now=now,
        late=[each for each in asked if each.overdue(now)],
        later=[each for each in asked if not each.overdue(now)],
        why_due=_why_due,
        steps=await _steps(session),
        signatures=await _signatures(session),
        erasures=await _erasures(session),
        period=period,
        periods=PERIODS,
        own_only=own_only,
        has_tasks=True,
    )


def _content(console: Console, message: MessageSummary) -> Message | None:
    """Return the content of a message that was opened since the console was unlocked; None for any other."""
    part = console.opened.known(message)
    return None if part is None else messages.content(part)


def _why_due(each: Awaited) -> str:
    request = each.request
    if each.due is None:
        return ""
    return wording.why_due(request.header, each.due, request.stored_time, is_known=each.is_opened)


async def remind(request: Request) -> Response:
    """Make the draft of a reminder to those who have not answered, and open it."""
    session = session_of(request)
    message = await messages.find(session, text_of(request, "message"))
    wanted = {each for each in form_of(request).getlist("member") if isinstance(each, str)}
    members = [each.member for each in message.header.recipients if each.member in wanted]
    draft = await copying.as_reminder(session, message, members)
    return redirect(f"/write/{writing.begin(session.profile, draft.kind, copying.form_values(draft))}")


async def _steps(session: Session) -> list[Step]:
    """Return what other members owe in deliveries that are under way, the first due first."""
    own, found = session.profile.member, list[Step]()
    for each in await controlled_delivery.board(session):
        found += [
            Step(each, one.member, texts.said(one.text), texts.stamp(one.due_time), one.overdue)
            for one in each.deadlines
            if one.member and one.member != own and one.code != _ENDS_BY_ITSELF
        ]
    return sorted(found, key=lambda each: (not each.overdue, each.due))


async def _signatures(session: Session) -> list[WaitingSummary]:
    """Return the messages that wait for a colleague's signature and not for this officer's."""
    own = str(session.profile.id)
    return [each for each in await session.approvals.waiting() if own not in each.missing]


async def _erasures(session: Session) -> list[Erasure]:
    """Return the holders that were asked to erase and have not answered; none where the role does not see them."""
    try:
        found = await session.retention.erasures()
    except Refused as error:
        if error.reason != "policy_denied":
            raise
        return []
    own = session.profile.member
    return [each for each in found if each.state == "asked" and each.requester == own and each.holder != own]


ROUTES: Final = (route("/tasks/awaited", listing), route("/tasks/awaited/remind", remind, post=True))
