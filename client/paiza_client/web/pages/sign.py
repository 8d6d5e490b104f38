"""The end of writing: exactly what will be signed, its signature, its receipt."""

import asyncio
import hashlib
from collections import OrderedDict
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from paiza.core.v1 import message_pb2
from paiza_client import error_help
from paiza_client.language import _ as of_the_client
from paiza_client.sdk import Session, doubts, draft_store, drafts, duplicates, handed_in, messages, sending, substances
from paiza_client.sdk.drafts import Prepared
from paiza_client.sdk.sending import Sent
from paiza_client.web import corrected, texts, writing
from paiza_client.web.content import annex_sections, sections
from paiza_client.web.envelope import answered
from paiza_client.web.language import _, language
from paiza_client.web.maps import figures
from paiza_client.web.page import (
    console_of,
    form_of,
    note,
    problem,
    redirect,
    render,
    route,
    secret_of,
    session_of,
    text_of,
)
from paiza_client.web.pages.correct import may_correct
from paiza_client.web.pages.write import form
from paiza_client.web.writing import Controls, Page, Ready
from paiza_officer.errors import Refused, Unreachable
from paiza_wire.errors import PaizaError

RECEIPTS: Final = 100  # remembered by this process

_receipts: OrderedDict[str, Sent] = OrderedDict()
"""By the id of the message."""
_sent: OrderedDict[tuple[str, str], str] = OrderedDict()
"""Ids by the name of the draft and what its preview showed: a later draft may have the same name."""
_sending = asyncio.Lock()


def _fingerprint(prepared: Prepared) -> str:
    """Return what identifies a message before it is sealed: a preview and its signature are about the same."""
    envelope = prepared.envelope
    digest = hashlib.sha256()
    for each in (prepared.content, prepared.annex, envelope.handling, envelope.annex_handling, *envelope.recipients):
        data = b"" if each is None else each.SerializeToString(deterministic=True)
        digest.update(len(data).to_bytes(8, "big") + data)
    files = [
        (str(each.path), each.info.SerializeToString(), each.path.stat().st_mtime_ns) for each in envelope.attachments
    ]
    rest = (
        prepared.kind.name, envelope.urgency, envelope.urgency_reason, envelope.legal_bases, envelope.thread_id,
        envelope.parent_digests, envelope.second, envelope.exercise, envelope.review_time.date(),
        files,
    )  # fmt: skip
    digest.update(repr(rest).encode())
    return digest.hexdigest()


async def preview(request: Request) -> Response:
    """Show exactly what will be signed, or the form with what is wrong."""
    session = session_of(request)
    controls = Controls.of(request.query_params)
    page = writing.load(session.profile, request.path_params["name"], controls.open)
    if page.kind is None or page.broken:
        return redirect(f"/write/{page.stored.name}")
    page, faults, ready = await writing.checked(session, page, controls)
    if ready is None:
        return await form(request, page, controls, faults)
    try:
        await sending.try_out(session, ready.prepared)
    except Refused as refused:
        shown = Refused(refused.reason, "", refused.detail, refused.problems)  # the draft stands below
        return await _preview(request, page, controls, ready, shown, may_sign=False)
    except Unreachable as error:
        why = of_the_client(error_help.remedy(error.reason).what)
        return await _preview(request, page, controls, ready, unasked=why)
    return await _preview(request, page, controls, ready)


async def _preview(
    request: Request,
    page: Page,
    controls: Controls,
    ready: Ready,
    error: PaizaError | None = None,
    *,
    may_sign: bool = True,
    unasked: str = "",
) -> Response:
    """Show a message; ``unasked``: why the node did not say whether it takes it. Without ``may_sign`` it does not."""
    session, prepared = session_of(request), ready.prepared
    envelope, kind = prepared.envelope, prepared.kind
    now = drafts.writing_time()
    second = None if envelope.second is None else texts.officer(envelope.second[0])
    first_parent = next(iter(page.values.get("in_reply_to", "").split()), "")
    content = corrected.in_words(prepared.content, await corrected.kind_of_corrected(session, kind.name, first_parent))
    notes = substances.of_prepared(session.register(), session.profile.member, prepared, now)
    return await render(
        request,
        "write_preview.html",
        title=kind.titles[language()],
        place="write",
        status=400 if error is not None and may_sign else 200,
        error=None if error is None else problem(error),
        may_sign=may_sign,
        unasked=unasked,
        page=page,
        controls=controls,
        query=controls.query(check=False),
        summary=kind.summary(content, language()),
        content=sections(kind.shape, content),
        annex=annex_sections(kind, prepared.annex),
        map=figures.of_content(kind.shape, prepared.content),
        exercise=envelope.exercise or session.register().exercise,
        envelope=envelope,
        handling=envelope.handling,
        recipients=[(writing.name_of(session, each.member), each.attention) for each in envelope.recipients],
        urgency=message_pb2.Urgency.Name(envelope.urgency).removeprefix("URGENCY_").lower(),
        bases=[session.register().legal_bases.get(each, {}).get(language(), each) for each in envelope.legal_bases],
        second=second,
        doubts=[*ready.warnings, *(each.message(language()) for each in doubts.find(session.profile, prepared))],
        remarks=kind.remarks(prepared.content, now, language()),
        mentions=notes.mentions,
        left_out=notes.left_out,
        numbers=substances.numbers,
        earlier=await _earlier(session, prepared),
        fingerprint=_fingerprint(prepared),
        answered=[await answered(session, each) for each in page.values.get("in_reply_to", "").split()],
    )


async def _earlier(session: Session, prepared: Prepared) -> list[duplicates.Earlier]:
    """Return earlier requests that may be the same; none where the node cannot say."""
    try:
        return await duplicates.find(session, prepared)
    except PaizaError:
        return []


async def send(request: Request) -> Response:
    """Sign and send what the preview showed, and nothing else."""
    session, name = session_of(request), request.path_params["name"]
    controls, shown = Controls.of(form_of(request)), text_of(request, "_fingerprint")
    # A button pressed twice sends once, and nothing replaces the draft meanwhile.
    async with _sending:
        if done := _sent.get((name, shown)):
            return redirect(f"/write/sent/{done}")
        with handed_in.being_signed(session.profile, draft_store.path_of(session.profile, name)):
            return await _checked_again(request, name, controls, shown)


async def _checked_again(request: Request, name: str, controls: Controls, shown: str) -> Response:
    """Sign and send a draft if it is still what the preview showed, by its fingerprint."""
    session = session_of(request)
    page = writing.load(session.profile, name)
    if page.kind is None or page.broken:
        return redirect(f"/write/{name}")
    page, faults, ready = await writing.checked(session, page, controls)
    if ready is None:
        return await form(request, page, controls, faults)
    if shown != _fingerprint(ready.prepared):
        note(request, _("The draft has changed since you read it. Nothing was signed: read it again."))
        return redirect(f"/write/{name}/preview{controls.query()}")
    return await _send(request, page, controls, ready)


async def _send(request: Request, page: Page, controls: Controls, ready: Ready) -> Response:
    """Sign and send; the preview again, with the reason, where that cannot be."""
    profile, name = session_of(request).profile, page.stored.name
    try:
        unusual = ready.warnings or doubts.find(profile, ready.prepared)
        if unusual and text_of(request, "_confirmed") != "1":
            raise Refused("unconfirmed", name)
        async with console_of(request).signing(secret_of(request)) as signing:
            sent = await sending.send(signing, ready.prepared)
    except Unreachable as error:
        if error.saved:
            _remove_sent(request, page)
        raise
    except PaizaError as error:
        return await _preview(request, page, controls, ready, error)
    _receipts[sent.id] = sent
    _sent[name, text_of(request, "_fingerprint")] = sent.id
    for each in (_receipts, _sent):
        while len(each) > RECEIPTS:
            each.popitem(last=False)
    _remove_sent(request, page)
    return redirect(f"/write/sent/{sent.id}")


def _remove_sent(request: Request, page: Page) -> None:
    """Delete the draft that was signed; one that was changed meanwhile stays, and the next page says so."""
    if not draft_store.remove_unchanged(session_of(request).profile, page.stored.name, page.text):
        note(request, _("The draft was changed while it was signed. What was signed is sent; the draft stays."))


async def sent(request: Request) -> Response:
    """Show the receipt of a message that was sent here; its page where the process no longer remembers it."""
    session_of(request)
    wanted = request.path_params["message"]
    found = _receipts.get(wanted)
    if found is None:
        return redirect(f"/message/{wanted}")
    outcome, header = found.outcome, found.sealed.header
    return await render(
        request,
        "write_sent.html",
        title=_("Sent") if found.is_released else _("Waits for a signature"),
        place="sent",
        sent=found,
        outcome=outcome,
        missing=[texts.officer(each) for each in outcome.missing],
        header=header,
        replaces=await _replaced(session_of(request), header) if found.is_released else "",
    )


async def _replaced(session: Session, header: message_pb2.Header) -> str:
    """Return the id of the message of our own that a message takes the place of; empty where it takes none."""
    if not header.parent_digests:
        return ""
    try:
        last = await messages.find(session, header.parent_digests[-1].hex())
    except PaizaError:
        return ""
    return last.id if not last.received and last.header.kind == header.kind and may_correct(last) else ""


ROUTES: Final = (
    route("/write/sent/{message}", sent),
    route("/write/{name}/preview", preview),
    route("/write/{name}/send", send, post=True),
)
