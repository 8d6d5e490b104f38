"""To sign: what waits for my signature, whole, with what changed since the version before; sign it, or say why not."""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from weakref import WeakKeyDictionary

from google.protobuf.message import Message
from starlette.requests import Request
from starlette.responses import FileResponse, Response

from paiza.core.v1 import message_pb2
from paiza_client.sdk import Session, messages, wording
from paiza_client.sdk.approvals import WaitingSummary, contents
from paiza_client.sdk.as_json import URGENCIES
from paiza_client.verify.approval_checks import OpenedWaiting
from paiza_client.verify.model import Outcome
from paiza_client.web import corrected, envelope, refusals, texts, writing
from paiza_client.web.content import Section, annex_sections, sections
from paiza_client.web.guard import ALONE
from paiza_client.web.language import _, language
from paiza_client.web.maps import figures
from paiza_client.web.page import (
    console_of,
    note,
    number_of,
    problem,
    redirect,
    render,
    route,
    secret_of,
    session_of,
    text_of,
)
from paiza_domain import kinds
from paiza_domain.schema.kind import Kind
from paiza_officer.errors import Refused
from paiza_wire.errors import PaizaError
from paiza_wire.message import attachment

REMEMBERED: Final = 20  # messages that were opened or declined here

Part = tuple[str, bool, list[tuple[str, str]]]
"""A part as it is shown: its name, whether it is the nominal annex, its rows."""

_ANNEX: Final = message_pb2.PART_KIND_NOMINAL_ANNEX


@dataclass(frozen=True, slots=True)
class Declined:
    """A version that the officer declined here, to be compared with the next one."""

    opened: OpenedWaiting
    reason: str
    time: datetime


@dataclass(frozen=True, slots=True)
class Change:
    """One field that says something else than before."""

    label: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Before:
    """The version that a message is compared with: how it is named, and what differs."""

    name: str
    changes: tuple[Change, ...]


_opened: WeakKeyDictionary[Session, OrderedDict[bytes, OpenedWaiting]] = WeakKeyDictionary()
_declined: WeakKeyDictionary[Session, list[Declined]] = WeakKeyDictionary()
"""What was opened and declined, by the session: locking the console ends it, and with it what was read."""


async def waiting(request: Request) -> Response:
    """List what waits: for my signature, and of mine for others."""
    session = session_of(request)
    found = await session.approvals.waiting()
    own = str(session.profile.id)
    return await render(
        request,
        "approve.html",
        title=_("To sign"),
        place="approve",
        for_me=[each for each in found if own in each.missing],
        of_mine=[each for each in found if each.submitted_by == own],
    )


async def read(request: Request) -> Response:
    """Show a waiting message whole: it is opened, which the node logs."""
    session = session_of(request)
    return await _page(request, await session.approvals.find(request.path_params["message"]))


async def _page(request: Request, summary: WaitingSummary, error: PaizaError | None = None) -> Response:
    session = session_of(request)
    header = summary.header
    own = str(session.profile.id)
    opened = None if summary.submitted_by == own else await _open(session, summary)
    first_parent = header.parent_digests[0].hex() if header.parent_digests else ""
    corrects = await corrected.kind_of_corrected(session, header.kind, first_parent)
    found = {} if opened is None else contents(opened)
    parts = [_boxes(header, number, each, corrects) for number, each in found.items()]
    before = None if opened is None else await _before(session, opened)
    return await render(
        request,
        "approve_one.html",
        title=wording.kind_title(header),
        place="approve",
        status=200 if error is None else 400,
        error=None if error is None else problem(error),
        summary=summary,
        header=header,
        exercise=header.exercise or session.register().exercise,
        headline=_headline(header, opened, corrects),
        opened=opened,
        parts=parts,
        map=figures.of_content(wording.kind_of(header).shape, found[0]) if found else None,
        files=attachment.part_numbers(header),
        envelope=_envelope(session, header),
        answered=[await envelope.answered(session, each.hex()) for each in header.parent_digests],
        before=before,
        own=own,
        recipients=[writing.name_of(session, each.member) for each in header.recipients],
        reason=_why_two(header),
        for_me=own in summary.missing,
    )


async def _open(session: Session, summary: WaitingSummary) -> OpenedWaiting:
    """Return a message opened; once for each unlocking of the console, so that the log says it once."""
    known = _opened.setdefault(session, OrderedDict())
    found = known.get(summary.digest)
    if found is None:
        found = known[summary.digest] = await session.approvals.open(summary)
        while len(known) > REMEMBERED:
            known.popitem(last=False)
    return found


def _part(header: message_pb2.Header, number: int, content: Message) -> Part:
    kind = wording.kind_of(header)
    annex = header.parts[number].kind == _ANNEX
    rows = kind.show_annex(content, language()) if annex else kind.show(content, language())
    return wording.part_name(header, number), annex, rows


def _boxes(
    header: message_pb2.Header, number: int, content: Message, corrects: Kind | None
) -> tuple[bool, list[Section]]:
    """Return a part for the page: whether it is the nominal annex, and its boxes."""
    kind = wording.kind_of(header)
    annex = header.parts[number].kind == _ANNEX
    if annex:
        return annex, annex_sections(kind, content)
    return annex, sections(kind.shape, corrected.in_words(content, corrects))


def _envelope(session: Session, header: message_pb2.Header) -> list[tuple[str, str]]:
    """Return what is signed beside the content, as (label, text): a changed mark is no less a change than a field."""
    known = session.register().legal_bases
    names = [(writing.name_of(session, each.member), each.attention) for each in header.recipients]
    urgency = URGENCIES.get(header.urgency, "").lower()
    reason = texts.code(header.urgency_reason, "urgency_reason") if header.urgency_reason else ""
    files = [header.parts[number].ciphertext_size for number in attachment.part_numbers(header)]
    annexes = [texts.limits(each.handling) for each in header.parts if each.kind == _ANNEX]
    rows = [
        (_("To whom"), ", ".join(f"{name} ({attention})" if attention else name for name, attention in names)),
        (_("Urgency"), ": ".join(filter(None, (texts.code(urgency, "urgency"), reason)))),
        (_("Limits on use"), texts.limits(header.handling)),
        (_("Nominal annex"), "; ".join(annexes)),
        (_("Legal bases"), "; ".join(known.get(each, {}).get(language(), each) for each in header.legal_bases)),
        (_("To be reviewed"), texts.day(texts.stamp(header.review_time))),
        (_("Who signs"), ", ".join(texts.officer(each.id) for each in header.required_signers)),
        (_("Photographs and files"), ", ".join(map(texts.size, files))),
    ]
    return [(label, text) for label, text in rows if text]


def _parts(session: Session, opened: OpenedWaiting) -> list[Part]:
    """Return the envelope and every part."""
    return [_of_envelope(session, opened.message.header), *_contents(opened)]


def _of_envelope(session: Session, header: message_pb2.Header) -> Part:
    return "", False, _envelope(session, header)


def _contents(opened: OpenedWaiting) -> list[Part]:
    return [_part(opened.message.header, number, each) for number, each in contents(opened).items()]


def _headline(header: message_pb2.Header, opened: OpenedWaiting | None, corrects: Kind | None) -> str:
    kind = kinds.all_kinds().get(header.kind)
    if opened is None or kind is None:
        return wording.kind_title(header)
    return kind.summary(corrected.in_words(contents(opened)[0], corrects), language())


def _why_two(header: message_pb2.Header) -> str:
    kind = kinds.all_kinds().get(header.kind)
    if kind is not None and kind.second_officer:
        return _("Messages of this kind leave only with two officers' signatures.")
    if any(part.kind == _ANNEX for part in header.parts) and len(header.recipients) > 1:
        return _("Data on persons goes to more than one member.")
    return _("The author asked for your signature.")


async def _before(session: Session, opened: OpenedWaiting) -> Before | None:
    """Return what differs from the version before: one that was declined here, or the message that it replaces."""
    header = opened.message.header
    kind = wording.kind_of(header)
    for each in reversed(_declined.get(session, [])):
        if each.opened.message.digest != opened.message.digest and _is_of_the_same(kind, each.opened, opened):
            name = _("you declined it {time}: “{reason}”").format(time=texts.clock(each.time), reason=each.reason)
            return Before(name, _changes(_parts(session, each.opened), _parts(session, opened)))
    for digest in header.parent_digests:
        try:
            earlier = await messages.find(session, digest.hex())
            if earlier.header.kind != header.kind or earlier.header.author != header.author:
                continue
            before = messages.content(await session.open_part(earlier.digest, 0))
        except PaizaError:  # not here, or not without a reason: nothing to compare with
            continue
        first = [_of_envelope(session, earlier.header), _part(earlier.header, 0, before)]
        return Before(earlier.thread_name, _changes(first, _parts(session, opened)[:2]))
    return None


def _is_of_the_same(kind: Kind, one: OpenedWaiting, other: OpenedWaiting) -> bool:
    """Return whether two messages are versions of one: of one officer and kind, under the same number if it has one."""
    if one.submitted_by != other.submitted_by or one.message.header.kind != other.message.header.kind:
        return False
    named = [each.name for each in kind.shape.fields if each.required and each.term == "reference" and not each.most]
    first, second = contents(one)[0], contents(other)[0]
    return all(getattr(first, name) == getattr(second, name) for name in named)


def _changes(before: Sequence[Part], after: Sequence[Part]) -> tuple[Change, ...]:
    """Return the fields that differ, part by part; each part as of `_part`."""
    old, new = (
        {(name, label): text for name, _annex, rows in parts for label, text in rows} for parts in (before, after)
    )
    return tuple(
        Change(each[1], old.get(each, ""), new.get(each, ""))
        for each in dict.fromkeys((*new, *old))
        if old.get(each) != new.get(each)
    )


async def sign(request: Request) -> Response:
    """Sign what the page showed, and nothing else."""
    session, console = session_of(request), console_of(request)
    summary = await session.approvals.find(request.path_params["message"])
    opened = _opened.get(session, OrderedDict()).get(summary.digest)
    if opened is None or text_of(request, "digest") != summary.digest.hex():
        note(request, _("Read it once more before you sign: the console was started anew or locked meanwhile."))
        return redirect(f"/approve/{summary.id}")
    try:
        async with console.signing(secret_of(request)) as signing:
            outcome = await signing.approvals.approve(opened)
    except PaizaError as error:
        return await _page(request, summary, error)
    _opened[session].pop(summary.digest, None)
    return await _done(request, summary, outcome)


async def _done(request: Request, summary: WaitingSummary, outcome: Outcome) -> Response:
    if outcome.state == "released":
        note(request, _("Signed, and released as {thread}.").format(thread=outcome.thread_name))
        return redirect(f"/message/{summary.id}")
    missing = ", ".join(map(texts.officer, outcome.missing))
    note(request, _("Signed. It still waits for: {officers}.").format(officers=missing))
    return redirect("/approve")


async def decline(request: Request) -> Response:
    """Refuse to sign, with a reason; or take back what I submitted myself."""
    session, console = session_of(request), console_of(request)
    summary = await session.approvals.find(request.path_params["message"])
    reason = text_of(request, "reason")
    try:
        proof = await session.approvals.decline(summary, reason)
    except Refused as error:
        return await _page(request, summary, error)
    console.changes += 1
    opened = _opened.get(session, OrderedDict()).pop(summary.digest, None)
    if opened is not None:
        declined = _declined.setdefault(session, [])
        declined.append(Declined(opened, reason, datetime.now(UTC)))
        del declined[:-REMEMBERED]
    withdrawn = proof.event == "WITHDRAWN"
    note(
        request,
        _("The message is withdrawn; it will not be sent.")
        if withdrawn
        else _("It will not be sent. Its author is told why."),
    )
    return redirect("/approve")


async def file(request: Request) -> Response:
    """Return an attachment of a waiting message, to be saved; it is fetched now, and its opening is logged."""
    session = session_of(request)
    summary = await session.approvals.find(request.path_params["message"])
    number = number_of(request.path_params["number"], len(summary.header.parts) - 1)
    if number is None or number not in attachment.part_numbers(summary.header):
        return refusals.answer(request, 404, "not_found")
    opened = await _open(session, summary)
    found = await console_of(request).opened.fetched(
        summary.digest, number, lambda folder: session.approvals.save_attachment(opened, number, folder)
    )
    return FileResponse(found.path, filename=found.info.name, media_type="application/octet-stream", headers=ALONE)


ROUTES: Final = (
    route("/approve", waiting),
    route("/approve/{message}", read),
    route("/approve/{message}/file/{number}", file),
    route("/approve/{message}/sign", sign, post=True),
    route("/approve/{message}/decline", decline, post=True),
)
