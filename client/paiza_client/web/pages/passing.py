"""Passing a message on as it is, with its author's marks; asking its author for leave; who holds it."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from paiza.core.v1 import message_pb2
from paiza_client.sdk import Session, copying, forwarding, messages, threads, wording
from paiza_client.sdk.forwarding import Permission
from paiza_client.sdk.model import MessageSummary
from paiza_client.web import subjects, writing
from paiza_client.web.language import _, language
from paiza_client.web.page import console_of, form_of, note, problem, redirect, render, route, session_of, text_of
from paiza_domain import handling
from paiza_officer.errors import misused
from paiza_wire.errors import PaizaError

USUAL_PURPOSE: Final = "investigate"
RELEASES: Final = 50  # of the requests for leave about one message and their answers, shown
_RELEASES: Final = frozenset({"release-request", "release-grant", "release-denial"})


@dataclass(frozen=True, slots=True)
class Holder:
    """A member that holds the message, who passed it on to it, and when; both empty where the author sent it."""

    member: str
    passed_by: str
    passed_time: datetime | None


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the form says."""

    members: tuple[str, ...] = ()
    purpose: str = USUAL_PURPOSE
    reason: str = ""
    without_annex: bool = False

    @classmethod
    def of(cls, request: Request) -> "Wanted":
        """Read the form."""
        members = tuple(each for each in form_of(request).getlist("to") if isinstance(each, str) and each)
        return cls(
            members, text_of(request, "purpose"), text_of(request, "reason"), bool(text_of(request, "without_annex"))
        )


async def page(request: Request) -> Response:
    """Show the form, and who holds the message."""
    return await _page(request, await _message(request), Wanted())


async def pass_on(request: Request) -> Response:
    """Pass the message on, as the node allows; what it refuses is told by recipient."""
    session, message, wanted = session_of(request), await _message(request), Wanted.of(request)
    if text_of(request, "act") == "ask":
        return _ask(request, message, wanted)
    try:
        if not wanted.members:
            raise misused(_("To whom"), _("Choose at least one member."))
        results = await session.forwarding.forward(
            message,
            wanted.members,
            purpose=wanted.purpose,
            reason=wanted.reason,
            without_annex=wanted.without_annex,
        )
    except PaizaError as error:
        return await _page(request, message, wanted, error=error)
    console_of(request).changes += 1
    if all(each.proof is not None for each in results):
        note(request, _("Passed on. The author of the message is told to whom."))
        return redirect(f"/pass/{message.id}#holders")
    return await _page(request, message, wanted, results)


def _ask(request: Request, message: MessageSummary, wanted: Wanted) -> Response:
    """Make the draft of a request for leave, and open it."""
    draft = copying.as_release_request(
        message,
        recipients=wanted.members,
        purposes=[wanted.purpose] if wanted.purpose else [],
        reason=wanted.reason,
        with_annex=_has_annex(message) and not wanted.without_annex,
    )
    return redirect(f"/write/{writing.begin_with(session_of(request).profile, draft)}")


async def _message(request: Request) -> MessageSummary:
    return await messages.find(session_of(request), request.path_params["id"])


async def _page(
    request: Request,
    message: MessageSummary,
    wanted: Wanted,
    results: list[Permission] | None = None,
    error: PaizaError | None = None,
) -> Response:
    session, header = session_of(request), message.header
    (named,) = await subjects.named(console_of(request), [message])
    holders = await _holders(session, message)
    holding = {each.member for each in holders} | {session.profile.member, header.author}
    addressed = {each.member for each in header.recipients}
    marks = handling.of_message(header)
    labels = [f"TLP:{marks.tlp}", marks.code, *([f"PAP:{marks.pap}"] if marks.pap else [])]
    return await render(
        request,
        "pass.html",
        title=_("Pass on"),
        place="inbox" if message.received else "sent",
        status=200 if error is None else 400,
        error=None if error is None else problem(error),
        message=named,
        exercise=header.exercise,
        wanted=wanted,
        members=[(each, name, each in holding, each in addressed) for each, name in writing.members(session)
                 if each not in {session.profile.member, header.author}],
        meanings=[(each, handling.meaning(each.removeprefix("TLP:"), language())) for each in labels if each],
        limited=message.received and forwarding.needs_consent(message, with_annex=False),
        has_annex=_has_annex(message),
        purposes=writing.code_choices("purpose"),
        holders=holders,
        releases=await _releases(request, message),
        results=[(each, _why(each)) for each in results or ()],
    )  # fmt: skip


def _why(permission: Permission) -> str:
    if permission.proof is not None:
        return ""
    return wording.refusal(permission.reason, permission.detail)


def _has_annex(message: MessageSummary) -> bool:
    return any(each.kind == message_pb2.PART_KIND_NOMINAL_ANNEX for each in message.header.parts)


async def _holders(session: Session, message: MessageSummary) -> list[Holder]:
    found: list[Any] = await session.forwarding.holders(message.digest)
    return [
        Holder(
            each.member,
            each.forwarded_by,
            each.forwarded_time.ToDatetime(tzinfo=UTC) if each.forwarded_by else None,
        )
        for each in found
    ]


async def _releases(request: Request, message: MessageSummary) -> list[MessageSummary]:
    """Return what was asked, granted and denied last about the message in its thread, oldest first."""
    listed = await threads.list_messages(session_of(request), message.header.thread_id)
    about = [each for each in listed if each.header.kind in _RELEASES and message.digest in each.header.parent_digests]
    return await subjects.named(console_of(request), about[-RELEASES:])


ROUTES: Final = (route("/pass/{id}", page), route("/pass/{id}", pass_on, post=True))
