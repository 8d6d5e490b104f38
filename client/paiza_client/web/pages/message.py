"""One message: its content with marks and proofs, who has it, who opened it, what belongs with it, what to do."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Final

from starlette.requests import Request
from starlette.responses import FileResponse, Response

from paiza.core.v1 import message_pb2
from paiza_client.files import attaching, pictures
from paiza_client.sdk import Session, controlled_delivery, messages, substances, threads, wording
from paiza_client.sdk.model import MessageSummary
from paiza_client.sdk.search import LinkedMessage
from paiza_client.sdk.tasks import Task
from paiza_client.verify.model import OpenedPart, Proof
from paiza_client.web import corrected, refusals
from paiza_client.web.content import Section, annex_sections, sections
from paiza_client.web.guard import ALONE
from paiza_client.web.language import N_, _, language
from paiza_client.web.maps import figures
from paiza_client.web.maps.figures import Figure
from paiza_client.web.page import (
    console_of,
    form_of,
    local_path,
    note,
    number_of,
    problem,
    redirect,
    render,
    route,
    session_of,
    text_of,
)
from paiza_client.web.pages.correct import may_correct
from paiza_client.web.roles import may_write
from paiza_client.web.texts import member_name, subject
from paiza_domain import handling, kinds
from paiza_domain.schema.kind import Kind
from paiza_domain.threads import thread
from paiza_officer.errors import NotProven, Refused
from paiza_wire.errors import PaizaError, Rejected

_ANNEX: Final = message_pb2.PART_KIND_NOMINAL_ANNEX
_FILE: Final = message_pb2.PART_KIND_ATTACHMENT
VERSIONS: Final = 20  # earlier versions that are named
_ACTS: Final = {
    "take": N_("The task is yours."),
    "acknowledge": N_("The task is acknowledged."),
    "complete": N_("The task is done."),
    "assign": N_("The task was assigned."),
}


@dataclass(frozen=True, slots=True)
class File:
    """One attachment: its number, sealed size, state here; what it is called is known once it was fetched.

    ``place``: what in it tells where it was taken. ``showable``: it is a picture that may be shown, by itself at least;
    ``shown``: it is shown on the page.
    """

    number: int
    size: int
    name: str = ""
    media_type: str = ""
    note: str = ""
    place: tuple[str, ...] = ()
    showable: bool = False
    shown: bool = False
    fetched: bool = False


@dataclass(frozen=True, slots=True)
class Opening:
    """How often an officer opened a part, when first and last, and the reasons that they gave."""

    actor: str
    part_number: int
    count: int
    first: datetime
    last: datetime
    reasons: tuple[str, ...]


async def message(request: Request) -> Response:
    """Show a message; it is opened, and the opening logged, unless it was recalled or erased."""
    found = await messages.find(session_of(request), request.path_params["id"])
    if not await may_write(session_of(request)):
        return await _page(request, found, None)
    if found.erased or (found.recalled_by and console_of(request).opened.known(found) is None):
        return await _page(request, found, None)
    return await _opened(request, found)


async def open_with_reason(request: Request) -> Response:
    """Open the main part or the annex for a stated reason, and show both."""
    session = session_of(request)
    found = await messages.find(session, request.path_params["id"])
    reason = text_of(request, "reason")
    number = number_of(text_of(request, "part"), len(found.header.parts) - 1) or 0
    try:
        if not reason:
            raise Refused("opening_reason_missing", found.id)
        await console_of(request).opened.open(session, found, number, reason)
    except PaizaError as error:
        return await _opened(request, found, error)
    return redirect(f"/message/{found.id}{'#annex' if number else ''}")


async def fetch(request: Request) -> Response:
    """Fetch attachments, each logged as opened, and show them in the gallery."""
    session = session_of(request)
    found = await messages.find(session, request.path_params["id"])
    numbers = dict.fromkeys(number_of(each, len(found.header.parts) - 1) for each in form_of(request).getlist("file"))
    for number in numbers:
        if number is not None:
            await console_of(request).opened.fetch(session, found, number, text_of(request, "reason"))
    return redirect(f"/message/{found.id}#files")


async def file(request: Request) -> Response:
    """Return an attachment that was fetched: a picture to be shown, anything else to be saved."""
    found = await messages.find(session_of(request), request.path_params["id"])
    number = number_of(request.path_params["number"], len(found.header.parts) - 1)
    saved = None if number is None else console_of(request).opened.file(found.digest, number)
    if saved is None:
        return refusals.answer(request, 404, "not_found")
    if "save" not in request.query_params and pictures.may_be_shown(saved.path, saved.info.media_type):
        return FileResponse(saved.path, media_type=saved.info.media_type, headers=ALONE)
    return FileResponse(saved.path, filename=saved.info.name, media_type="application/octet-stream", headers=ALONE)


async def task(request: Request) -> Response:
    """Take, acknowledge, assign or complete the task that a message is."""
    session, act = session_of(request), text_of(request, "act")
    found = await messages.find(session, request.path_params["id"])
    match act:
        case "take":
            await session.tasks.take(found.digest)
        case "acknowledge":
            await session.tasks.acknowledge(found.digest)
        case "complete":
            await session.tasks.complete(found.digest, text_of(request, "note"))
        case "assign":
            what, _colon, name = text_of(request, "to").partition(":")
            unit, officer = (name, "") if what == "unit" else ("", name)
            await session.tasks.assign(found.digest, unit=unit, officer=officer, note=text_of(request, "note"))
        case _:
            return refusals.answer(request, 404, "not_found")
    console_of(request).changes += 1
    note(request, _(_ACTS[act]))
    return redirect(local_path(text_of(request, "back"), f"/message/{found.id}"))


async def _opened(request: Request, found: MessageSummary, error: PaizaError | None = None) -> Response:
    try:
        opened = await console_of(request).opened.open(session_of(request), found)
    except NotProven:
        raise
    except Rejected as refusal:
        return await _page(request, found, None, error or refusal)
    return await _page(request, found, opened, error)


async def _page(
    request: Request, found: MessageSummary, opened: OpenedPart | None, error: PaizaError | None = None
) -> Response:
    session, header = session_of(request), found.header
    parts: list[Section] = []
    remarks: list[str] = []
    statuses: list[tuple[str, str]] = []
    first_parent = header.parent_digests[0].hex() if header.parent_digests else ""
    corrects = await corrected.kind_of_corrected(session, header.kind, first_parent)
    if opened is not None:
        parts, remarks = _content(opened, corrects)
        statuses = _statuses(session, opened)
    annex_number = next((number for number, each in enumerate(header.parts) if each.kind == _ANNEX), None)
    annex = None if annex_number is None else console_of(request).opened.known(found, annex_number)
    return await render(
        request,
        "message.html",
        title=wording.kind_title(header),
        heading=_heading(found, opened, corrects),
        place="inbox" if found.received else "sent",
        status=200 if error is None else 400,
        error=None if error is None else problem(error),
        message=found,
        header=header,
        exercise=header.exercise,
        opened=opened,
        parts=parts,
        remarks=remarks,
        statuses=statuses,
        annex_number=annex_number,
        annex=None if annex is None else _content(annex)[0],
        paper=handling.of_message(header) if annex is not None else header.handling,
        printing=request.url.path.endswith("/print"),
        signers=[] if opened is None else list(zip(header.required_signers, opened.message.signers, strict=True)),
        proofs=[] if opened is None else _chain(opened),
        map=None if opened is None else _map(opened),
        files=await asyncio.to_thread(_files, request, found),
        links=await _links(session, found),
        related=await _related(session, found),
        corrections=[] if opened is None else await corrected.since(console_of(request), found),
        opening=await _openings(session, found),
        task=(task := await _task(session, found)),
        why_due=_why_due(found, task),
        assignable=await _assignable(session) if task is not None and task.state != "done" else [],
        may_reply=found.received and not found.recalled_by,
        may_recall=_may_recall(found),
        may_correct=may_correct(found),
        in_delivery=_in_delivery(header),
        expects_answer=_expects_answer(header),
        rows=wording.header_rows(header, found.thread_name),
    )


def _in_delivery(header: message_pb2.Header) -> bool:
    """Return whether a message is a step of a controlled delivery, which has a page of its own."""
    kind = kinds.all_kinds().get(header.kind)
    return kind is not None and kind.workflow == controlled_delivery.WORKFLOW


def _may_recall(found: MessageSummary) -> bool:
    """Return whether a message is of our own and can still be recalled; a step of a workflow cannot."""
    kind = kinds.all_kinds().get(found.header.kind)
    if kind is None or kind.workflow or kind.name in {"recall", "correction", "erasure-request"}:
        return False
    return not (found.received or found.recalled_by or found.erased)


def _heading(found: MessageSummary, opened: OpenedPart | None, corrects: Kind | None) -> str:
    """Return what a message is in one line: the summary of its content, else its subject or kind."""
    try:
        kind = wording.kind_of(found.header)
        content = None if opened is None else corrected.in_words(messages.content(opened), corrects)
        told = "" if content is None else kind.summary(content, language())
    except Refused:  # a kind that this program does not know
        told = ""
    return told or subject(found)


def _content(opened: OpenedPart, corrects: Kind | None = None) -> tuple[list[Section], list[str]]:
    """Return the content as sections with the remarks for a reader; raw rows for a kind that is not known here."""
    header = opened.message.header
    kind = wording.kind_of(header)
    content = messages.content(opened)
    if header.parts[opened.part_number].kind == _ANNEX:
        return annex_sections(kind, content), []
    reported = header.author_time.ToDatetime().astimezone()
    remarks = list(kind.remarks(content, reported, language()))
    return sections(kind.shape, corrected.in_words(content, corrects)), remarks


def _map(opened: OpenedPart) -> Figure | None:
    """Return the map of the places that a content names; None where it names none."""
    return figures.of_content(wording.kind_of(opened.message.header).shape, messages.content(opened))


def _statuses(session: Session, opened: OpenedPart) -> list[tuple[str, str]]:
    """Return the legal status of each substance by state, in words."""
    found = []
    for each in substances.of_opened(session.register(), opened).mentions:
        if each.substance is not None:
            name = each.substance.name(language())
            found += [(f"{name}: {label}", text) for label, text in substances.numbers(each.substance)]
            found += [(f"{name}, {member_name(at.state)}", at.text(language())) for at in each.statuses]
        if each.remark is not None:
            found.append((each.name, each.remark.message(language())))
    return found


def _chain(opened: OpenedPart) -> list[Proof]:
    return [*opened.released, *opened.answers, *opened.forwarded, opened.opened]


def _files(request: Request, found: MessageSummary) -> list[File]:
    files, room = [], pictures.Room()
    for number, part in enumerate(found.header.parts):
        if part.kind != _FILE:
            continue
        saved = console_of(request).opened.file(found.digest, number)
        if saved is None:
            files.append(File(number, part.ciphertext_size))
        else:
            info, count = saved.info, pictures.pixels(saved.path, saved.info.media_type)
            files.append(
                File(
                    number,
                    info.size,
                    info.name,
                    info.media_type,
                    info.note,
                    place=_place(saved.path) if count else (),
                    showable=count > 0,
                    shown=room.takes(count),
                    fetched=True,
                )
            )
    return files


@lru_cache(maxsize=1_000)
def _place(path: Path) -> tuple[str, ...]:
    """Return what in a picture tells where it was taken: looked for once, since no other file comes to this path."""
    return attaching.place_of(path) or ()


async def _links(session: Session, found: MessageSummary) -> Sequence[LinkedMessage]:
    return await session.search.links(found.digest) if found.linked else ()


async def _related(session: Session, found: MessageSummary) -> list[tuple[str, MessageSummary]]:
    """Return the history of a message, each with what it is to it: earlier versions first, then what came after.

    It is bounded: an author may send thousands of corrections, and the thread shows them all.
    """
    named = [(_("Recall"), each) for each in found.recalled_by]
    named += [(_("Correction"), each) for each in found.corrected_by]
    if found.replaced_by:
        named.append((_("Replaced by"), found.replaced_by))
    if not named and not found.header.parent_digests:
        return []
    listed = await threads.list_messages(session, found.header.thread_id)  # together: there may be dozens
    here = {each.digest: each for each in listed}
    return _earlier(found, here) + [
        (what, here.get(digest) or await messages.find(session, digest.hex())) for what, digest in named
    ]


def _earlier(found: MessageSummary, here: Mapping[bytes, MessageSummary]) -> list[tuple[str, MessageSummary]]:
    """Return what a message recalls or corrects, and the last versions that it replaces, the oldest first."""
    replaced = {each.replaced_by: each for each in here.values() if each.replaced_by}
    at, versions = found.digest, list[tuple[str, MessageSummary]]()
    while at in replaced and len(versions) < VERSIONS:
        before = replaced.pop(at)  # once: an author may let two messages replace each other
        versions.insert(0, (_("Earlier version"), before))
        at = before.digest
    if found.recalled_by:  # it says nothing any more
        return versions
    what = _("Recalls") if found.header.kind == thread.RECALL else _("Corrects")
    named = [here[each] for each in thread.affected_digests(found.header) if each in here]
    return versions + [
        (what, each) for each in named if thread.takes_effect(found.header, each.header.author, each.header.kind)
    ]


async def _openings(session: Session, found: MessageSummary) -> list[Opening]:
    """Return who of the own member opened which part, by the own log; nobody where the officer may not see it."""
    try:
        trail = await session.trail(found.digest)
    except Refused:
        return []
    by_part: dict[tuple[str, int | None], list[Proof]] = {}
    for each in trail.own:
        if each.event == "OPENED":
            by_part.setdefault((each.actor, each.part_number), []).append(each)
    return [_opening(seen) for seen in by_part.values()]


def _opening(seen: Sequence[Proof]) -> Opening:
    first, last = seen[0], seen[-1]
    reasons = dict.fromkeys(each.reason for each in seen if each.reason)
    return Opening(first.actor, first.part_number or 0, len(seen), first.time, last.time, tuple(reasons))


async def _assignable(session: Session) -> list[tuple[str, str]]:
    """Return the units and the other officers of the member as (value, name) of a choice."""
    found = await session.approvals.officers()
    units = [(f"unit:{each}", _("unit {name}").format(name=each)) for each in sorted({o.unit for o in found if o.unit})]
    own = str(session.profile.id)
    return [*units, *((f"officer:{each.id}", each.name) for each in found if each.id != own)]


async def _task(session: Session, found: MessageSummary) -> Task | None:
    return (await session.tasks.by_message()).get(found.digest)


def _why_due(found: MessageSummary, task: Task | None) -> str:
    due = None if task is None else task.due_time
    return "" if due is None else wording.why_due(found.header, due, found.stored_time)


def _expects_answer(header: message_pb2.Header) -> bool:
    known = kinds.all_kinds().get(header.kind)
    return known is not None and bool(known.answered_by)


ROUTES: Final = (
    route("/message/{id}", message),
    route("/message/{id}/print", message),
    route("/message/{id}/open", open_with_reason, post=True),
    route("/message/{id}/files", fetch, post=True),
    route("/message/{id}/file/{number}", file),
    route("/message/{id}/task", task, post=True),
)
