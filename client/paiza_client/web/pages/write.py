"""Write: choose a kind, a draft or a message to begin with; fill the form in. `sign` follows."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import quote, urlencode

from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response

from paiza_client.sdk import Session, controlled_delivery, copying, draft_store, drafts, messages, wording
from paiza_client.sdk.model import MessageSummary
from paiza_client.web import envelope, refusals, texts, writing
from paiza_client.web.guard import ALONE
from paiza_client.web.language import _, language
from paiza_client.web.page import form_of, note, problem, redirect, render, route, session_of, text_of
from paiza_client.web.writing import Controls, Page
from paiza_domain import kinds
from paiza_domain.forms import layout, values
from paiza_domain.forms.description import describe
from paiza_domain.schema.kind import Kind
from paiza_officer.errors import Refused
from paiza_wire.errors import PaizaError

COPIED_FROM: Final = 20  # own messages offered to be copied
MOST_USED: Final = ("seizure-notice", "information-request", "alert", "free-message", "cd-request")
"""The kinds that officers write most, as they are offered; the others follow by name."""
CONFLICT: Final = 409


# Choosing what to write.


async def choose(request: Request) -> Response:
    """List the kinds and the drafts."""
    if answered := request.query_params.get("reply", ""):
        return redirect(f"/reply/{quote(answered, safe='')}")
    session = session_of(request)
    roles = set((await session.whoami()).roles)
    found = [each for each in kinds.all_kinds().values() if not each.needs_parent]
    open_to = [each for each in found if each.sender_roles & roles]
    earlier = await session.list_messages(box="sent", page_size=COPIED_FROM, subjects=True)
    most_used = [each for name in MOST_USED for each in open_to if each.name == name]
    others = [each for each in open_to if each not in most_used]
    copied = [each for each in earlier.messages if not each.erased and each.header.kind in {k.name for k in open_to}]
    return await render(
        request,
        "write.html",
        title=_("Write"),
        place="write",
        most_used=most_used,
        others=sorted(others, key=lambda each: each.titles[language()]),
        stored=draft_store.stored(session.profile),
        earlier=copied,
    )


async def begin(request: Request) -> Response:
    """Make a draft of a kind, and open it."""
    session = session_of(request)
    kind = drafts.find_kind(text_of(request, "kind"))
    return redirect(f"/write/{writing.begin(session.profile, kind, {})}")


async def copy(request: Request) -> Response:
    """Make a draft of an earlier message, and open it: the node logs that it was opened."""
    session = session_of(request)
    message = await messages.find(session, text_of(request, "message"))
    draft = await copying.as_draft(session, message, text_of(request, "reason"))
    name = writing.begin_with(session.profile, draft)
    note(request, _("Copied. What names the earlier message was left out: its number, its version."))
    return redirect(f"/write/{name}")


async def answer_page(request: Request) -> Response:
    """Offer the kinds that answer a message."""
    session = session_of(request)
    message = await messages.find(session, request.path_params["message"])
    return await render(
        request,
        "write_answer.html",
        title=_("Reply"),
        place="inbox",
        message=message,
        kinds=await _answers(session, message),
    )


async def _answers(session: Session, message: MessageSummary) -> list[Kind]:
    """Return the kinds by which this officer may answer a message now: of a delivery, only the steps it permits."""
    roles = set((await session.whoami()).roles)
    found = [each for each in copying.kinds_that_answer(message) if each.sender_roles & roles]
    if wording.kind_of(message.header).workflow != controlled_delivery.WORKFLOW:
        return found
    delivery = await controlled_delivery.status(session, message.thread_name)
    possible = {each.kind.name for each in controlled_delivery.next_steps(delivery, roles) if not each.against}
    return [each for each in found if not each.workflow or each.name in possible]


async def answer(request: Request) -> Response:
    """Make the draft of an answer, and open it."""
    session = session_of(request)
    message = await messages.find(session, request.path_params["message"])
    wanted = text_of(request, "kind")
    kind = next((each for each in copying.kinds_that_answer(message) if each.name == wanted), None)
    if kind is not None and kind.workflow:
        delivery = await controlled_delivery.find(session, message.thread_name)
        given = await copying.step_values(session, delivery, kind)
        return redirect(f"/write/{writing.begin(session.profile, kind, given)}")
    draft = await copying.as_answer(session, message, kind, text_of(request, "reason"))
    return redirect(f"/write/{writing.begin(session.profile, draft.kind, copying.form_values(draft))}")


async def recall(request: Request) -> Response:
    """Make the draft of a recall, and open it."""
    session = session_of(request)
    message = await messages.find(session, request.path_params["message"])
    draft = await copying.as_recall(session, message)
    return redirect(f"/write/{writing.begin(session.profile, draft.kind, copying.form_values(draft))}")


async def erase(request: Request) -> Response:
    """Make the draft of a request to erase a message at all who hold it, and open it."""
    session = session_of(request)
    message = await messages.find(session, request.path_params["message"])
    draft = await copying.as_erasure(session, message)
    return redirect(f"/write/{writing.begin(session.profile, draft.kind, copying.form_values(draft))}")


# The form.


async def edit(request: Request) -> Response:
    """Show a draft as its form."""
    session = session_of(request)
    controls = Controls.of(request.query_params)
    page = writing.load(session.profile, request.path_params["name"], controls.open)
    faults: Mapping[str, Sequence[str]] = {}
    if controls.check and page.kind is not None and not page.broken:
        page, faults, _ready = await writing.checked(session, page, controls)
    return await form(request, page, controls, faults)


async def form(
    request: Request,
    page: Page,
    controls: Controls,
    faults: Mapping[str, Sequence[str]],
    error: PaizaError | None = None,
    *,
    unsaved: bool = False,
) -> Response:
    """Return the page of a draft: its form, with what is wrong. ``unsaved``: what stands in it is not in the draft."""
    session = session_of(request)
    title = page.kind.titles[language()] if page.kind is not None else _("A draft that cannot be shown")
    common: dict[str, Any] = {
        "title": title,
        "place": "write",
        "page": page,
        "controls": controls,
        "faults": faults,
        "unsaved": unsaved,
        "status": 200 if not faults and error is None else 400,
        "error": None if error is None else problem(error),
    }
    if page.kind is None or page.broken:
        return await render(request, "write_broken.html", **common)
    shown = writing.show(page, faults, session)
    addressees, unknown = writing.addressees(session, page)
    return await render(
        request,
        "write_form.html",
        **common,
        form=shown,
        exercise=session.register().exercise,
        members=writing.members(session),
        lists=writing.lists(shown),
        addressees=addressees,
        unknown_addressees=unknown,
        envelope=envelope.choices(session, page),
        colleagues=await envelope.colleagues(session, page.kind),
        files=await asyncio.to_thread(envelope.files, page),
        law=writing.law(session, page, shown),
        answered=[await envelope.answered(session, each) for each in page.values.get("in_reply_to", "").split()],
        labels=envelope.LABELS,
    )


async def change(request: Request) -> Response:
    """Save what a form sent, then do what its button says; the page that follows shows the draft anew."""
    session, name = session_of(request), request.path_params["name"]
    form = form_of(request)
    kind = draft_store.find(session.profile, name).kind
    if kind is None:
        return redirect(f"/write/{name}")
    pairs = [(key, text) for key, text in form.multi_items() if isinstance(text, str)]
    try:
        given = writing.sent(kind, pairs)
    except values.UnknownNamesError as error:
        raise Refused("invalid_draft", name, ", ".join(each[:100] for each in error.names[:5])) from error
    description = describe(kind, language())
    action, _colon, of = text_of(request, "_do").partition(":")
    version = writing.version_of(session.profile, name)
    is_saved = version == writing.version_as(kind, given)  # a button that was pressed twice
    if version != text_of(request, "_version") and not is_saved:
        return await _changed_elsewhere(request, name, kind, given)
    match action:
        case "add":
            given = layout.add(description, given, of)
        case "remove":
            given = layout.remove(given, of)
        case "detach":
            draft_store.drop_file(session.profile, name, given.get(f"attachments[{of}].file", ""))
            given = layout.remove(given, f"attachments[{of}]")
        case _:
            pass
    given = await _attach(session, name, given, form.getlist("_files"))
    version = writing.save(session.profile, name, kind, given, version)
    if action == "autosave":
        return _saved(session, name, given, version)
    query = Controls.of(form).query(open=writing.still_empty(description, given), check=action == "check")
    if action in {"save", ""}:
        note(request, _("The draft is saved."))
    return redirect(f"/write/{name}{_next(action, of, query)}")


def _next(action: str, of: str, query: str) -> str:
    """Return what follows a button, as the rest of an address after that of the draft."""
    match action:
        case "check":
            return f"/preview{query}"
        case "map":
            return f"/place?{urlencode({'of': of})}"
        case "delete":
            return "/delete"
        case "add":
            is_section = of.count(".") == 1
            return f"{query}#part-{of}" if is_section else f"{query}#{of}"
        case _:
            return query


async def _attach(session: Session, name: str, given: Mapping[str, str], sent: Sequence[Any]) -> dict[str, str]:
    """Keep the files that came with a form beside the draft, and name them in it."""
    found = dict(given)
    for each in sent:
        if isinstance(each, UploadFile) and each.filename:
            kept = await asyncio.to_thread(draft_store.keep_file, session.profile, name, each.filename, each.file)
            index = max(values.indices(found, "attachments"), default=-1) + 1
            found[f"attachments[{index}].file"] = kept
    return found


async def _changed_elsewhere(request: Request, name: str, kind: Kind, given: Mapping[str, str]) -> Response:
    """Return the form as it was sent, not saved: another window or the case system has changed the draft since."""
    if text_of(request, "_do") == "autosave":
        told = {"saved": _("Not saved: the draft was changed in another window, or by a case system.")}
        return JSONResponse(told, status_code=CONFLICT)
    now = writing.load(session_of(request).profile, name)
    page = replace(now, values=layout.completed(describe(kind, language()), given), strange=(), broken="")
    return await form(request, page, Controls.of(form_of(request)), {}, Refused("draft_changed", name), unsaved=True)


def _saved(session: Session, name: str, given: Mapping[str, str], version: str) -> Response:
    """Return to the script that the draft is saved, with what was understood of each field."""
    page = Page(draft_store.find(session.profile, name), draft_store.find(session.profile, name).kind, given)
    shown = writing.show(page, {}, session)
    told = {box.name: "; ".join(box.echoes) for box in writing.boxes(shown)}
    saved = _("Saved at {time}").format(time=texts.clock(datetime.now(UTC)))
    return JSONResponse({"saved": saved, "echoes": told, "version": version})


async def file(request: Request) -> Response:
    """Return a picture of a draft, to be shown in its form."""
    profile, name = session_of(request).profile, request.path_params["name"]
    page = writing.load(profile, name)
    kept = await asyncio.to_thread(envelope.files, page)
    wanted = request.path_params["index"]
    found = next((each for each in kept if str(each.index) == wanted and each.showable), None)
    path = None if found is None else page.stored.path.parent / found.path
    media_type = None if path is None else envelope.shown_type(path)
    if path is None or media_type is None:
        return refusals.answer(request, 404, "not_found")
    return FileResponse(path, media_type=media_type, headers=ALONE)


async def delete_page(request: Request) -> Response:
    """Ask whether a draft is to be deleted."""
    stored = draft_store.find(session_of(request).profile, request.path_params["name"])
    return await render(request, "write_delete.html", title=_("Delete the draft"), place="write", stored=stored)


async def delete(request: Request) -> Response:
    """Delete a draft with its files."""
    draft_store.remove(session_of(request).profile, request.path_params["name"])
    note(request, _("The draft is deleted."))
    return redirect("/write")


ROUTES: Final = (
    route("/write", choose),
    route("/write", begin, post=True),
    route("/write/copy", copy, post=True),
    route("/reply/{message}", answer_page),
    route("/reply/{message}", answer, post=True),
    route("/recall/{message}", recall, post=True),
    route("/erase/{message}", erase, post=True),
    route("/write/{name}", edit),
    route("/write/{name}", change, post=True, files=True),
    route("/write/{name}/file/{index}", file),
    route("/write/{name}/delete", delete_page),
    route("/write/{name}/delete", delete, post=True),
)
