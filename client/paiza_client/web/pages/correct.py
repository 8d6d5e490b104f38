"""Correcting a message of our own: by single fields, or by a whole new message that is then announced to every holder.

Every way ends at a draft that the officer reads and signs as any other; what was sent stays as it is.
"""

from dataclasses import dataclass
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from paiza.content.v1.recall_pb2 import Correction
from paiza.core.v1 import message_pb2
from paiza_client.sdk import corrections, messages, replies
from paiza_client.sdk.corrections import Original
from paiza_client.sdk.model import MessageSummary
from paiza_client.web import corrected, subjects, writing
from paiza_client.web.language import _, language
from paiza_client.web.page import console_of, form_of, note, redirect, render, route, session_of, text_of
from paiza_domain import kinds
from paiza_domain.forms import layout
from paiza_domain.forms.description import InputType, describe
from paiza_domain.schema.diff import shown_text, value_text
from paiza_domain.schema.scalars import ScalarError
from paiza_domain.schema.shapes import Shape
from paiza_officer.errors import Refused

FIELD: Final = "field:"
LINE: Final = 60  # characters that one line of the page shows
_NEVER: Final = frozenset({"recall", "correction", "erasure-request"})
_ANNEX: Final = message_pb2.PART_KIND_NOMINAL_ANNEX


@dataclass(frozen=True, slots=True)
class Said:
    """One field of the message: its path, its label, what it says; ``choices`` are those of a short code list."""

    path: str
    label: str
    text: str
    long: bool
    choices: tuple[layout.Choice, ...] = ()


def may_correct(message: MessageSummary) -> bool:
    """Return whether a message is of our own and can be corrected; a step of a workflow cannot."""
    kind = kinds.all_kinds().get(message.header.kind)
    if kind is None or kind.workflow or kind.name in _NEVER:
        return False
    return not (message.received or message.recalled_by or message.erased)


async def page(request: Request) -> Response:
    """Show what the message says, to be put right."""
    session = session_of(request)
    original = await _original(request)
    message = original.message
    (named,) = await subjects.named(console_of(request), [message])
    return await render(
        request,
        "correct.html",
        title=_("Correct"),
        place="sent",
        message=named,
        exercise=message.header.exercise,
        fields=_fields(original),
        reasons=writing.code_choices("correction_reason"),
        holders=original.holders,
        has_annex=_annex_number(message) is not None,
        sent=await corrections.sent_replacements(session, message),
    )


async def by_fields(request: Request) -> Response:
    """Make the draft of a correction of the fields that were changed."""
    original = await _original(request)
    said, form = corrections.texts(original), form_of(request)
    given = {
        name.removeprefix(FIELD): text.replace("\r\n", "\n").strip()
        for name, text in form.multi_items()
        if isinstance(text, str) and name.startswith(FIELD)
    }
    shown = {each.path: each.text for each in _fields(original)}
    given = {path: text for path, text in given.items() if text != shown.get(path)}
    codes = {each.path: each.codes for each in _inputs(original)}
    given = {path: writing.code_of(codes[path], text) if codes.get(path) else text for path, text in given.items()}
    changed = {path: text for path, text in given.items() if text != said.get(path, "")}
    if not changed:
        note(request, _("No field was changed: change what is wrong, and leave the rest."))
        return redirect(f"/correct/{original.message.id}")
    correction = corrections.field_by_field(
        original, changed, because=text_of(request, "because"), explanation=text_of(request, "explanation")
    )
    return _preview(request, original, correction)


async def whole(request: Request) -> Response:
    """Make the draft of the message that takes the place of this one, and open it."""
    original = await _original(request, text_of(request, "reason"))
    name = writing.begin_with(session_of(request).profile, corrections.replacement_draft(original))
    note(request, _("Put it right and send it. Then announce it here, so that every holder knows what it replaces."))
    return redirect(f"/write/{name}")


async def announce(request: Request) -> Response:
    """Make the draft that tells every holder what replaces the message."""
    session, reason = session_of(request), text_of(request, "explanation")
    original = await _original(request, reason)
    wanted = text_of(request, "replacement")
    known = await corrections.sent_replacements(session, original.message)
    found = next((each for each in known if each.id == wanted), None)
    if found is None:
        raise Refused("unknown_id", wanted)
    content = messages.content(await console_of(request).opened.open(session, found))
    number = _annex_number(found)
    annex = None
    if number is not None:
        annex = messages.content(await console_of(request).opened.open(session, found, number, reason))
    correction = corrections.announcement(
        original, content, annex, found.digest, because=text_of(request, "because"), explanation=reason
    )
    return _preview(request, original, correction)


@dataclass(frozen=True, slots=True)
class _Field:
    path: str
    label: str
    codes: str
    choices: tuple[layout.Choice, ...]


def _fields(original: Original) -> list[Said]:
    """Return the fields of a message that a form asks, with their values as a reader sees them."""
    said, found = corrections.texts(original), list[Said]()
    shape = kinds.all_kinds()[original.message.header.kind].shape
    for each in _inputs(original):
        text = said[each.path]
        if not each.choices:
            text = _editable(shape, each, text)
        found.append(Said(each.path, each.label, text, "\n" in text or len(text) > LINE, each.choices))
    return found


def _editable(shape: Shape, field: _Field, text: str) -> str:
    """Return a value as a reader sees it, unless it would not come back from the form as it was."""
    shown = shown_text(shape, field.path, text, language())
    if field.codes:
        return shown
    try:
        return shown if value_text(shape, field.path, shown) == text else text
    except ScalarError:
        return text


def _inputs(original: Original) -> list[_Field]:
    """Return the fields that are set and that a form asks: what is derived from others follows from them."""
    description = describe(kinds.all_kinds()[original.message.header.kind], language())
    found = []
    for path in corrections.texts(original):
        entered = corrected.field_at(description, path)
        if entered is None:
            continue
        label = corrected.label_of(description, path)
        of_codes = entered.input_type is InputType.CODE
        short = layout.choices(entered.codes, language()) if of_codes and layout.is_short_list(entered) else ()
        found.append(_Field(path, label, entered.codes if of_codes else "", short))
    return found


async def _original(request: Request, reason: str = "") -> Original:
    """Return the message with its content, opened now unless it was before; its annex too where a reason is given."""
    session, opened = session_of(request), console_of(request).opened
    message = await messages.find(session, request.path_params["id"])
    if message.received:
        raise Refused("not_author", message.id, message.header.author)
    content = messages.content(await opened.open(session, message))
    number = _annex_number(message)
    annex = None
    if number is not None and reason:
        annex = messages.content(await opened.open(session, message, number, reason))
    return Original(message, content, annex, await replies.holders(session, [message]))


def _annex_number(message: MessageSummary) -> int | None:
    return next((number for number, each in enumerate(message.header.parts) if each.kind == _ANNEX), None)


def _preview(request: Request, original: Original, correction: Correction) -> Response:
    draft = corrections.as_draft(original, correction)
    name = writing.begin_with(session_of(request).profile, draft)
    return redirect(f"/write/{name}/preview")


ROUTES: Final = (
    route("/correct/{id}", page),
    route("/correct/{id}/fields", by_fields, post=True),
    route("/correct/{id}/whole", whole, post=True),
    route("/correct/{id}/announce", announce, post=True),
)
