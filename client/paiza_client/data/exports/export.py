"""The whole export: choose messages, ask leave, open them, write the file."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from paiza.core.v1.message_pb2 import Handling
from paiza_client.data.exports import forms, marks
from paiza_client.data.exports.printing import Rows
from paiza_client.data.exports.records import Record, record
from paiza_client.language import _, language
from paiza_client.local import reference_data
from paiza_client.sdk import wording
from paiza_client.sdk.exports import Intent
from paiza_client.sdk.model import MessageSummary, OnProgress
from paiza_client.sdk.open_many import OpenedMessage, choose, open_many
from paiza_client.sdk.session import Session
from paiza_officer.errors import FieldProblem, Refused, misused

MAX_NAMED: Final = 50  # refused messages named one by one in an error


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A message that must not be in an export: a reason code of the protocol, and what the node added to it."""

    message: MessageSummary
    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class ExportResult:
    """An export: the bytes of the file, what stands in it, the strictest mark of it all, and what was left out.

    ``left_out`` are the messages refused by the node, ``superseded`` those that their authors recalled or replaced.
    """

    data: bytes
    file_format: str
    messages: tuple[OpenedMessage, ...]
    mark: Handling
    left_out: tuple[LeftOut, ...]
    superseded: tuple[MessageSummary, ...]


async def export_messages(
    session: Session,
    intent: Intent,
    names: Iterable[str] = (),
    *,
    form: str = "full",
    file_format: str = "",
    kind: str = "",
    author: str = "",
    since: datetime | None = None,
    until: datetime | None = None,
    partial: bool = False,
    on_progress: OnProgress | None = None,
) -> ExportResult:
    """Return messages in one form as a file for others; nothing is written to disk.

    ``form`` is a key of `FORMS`, ``file_format`` one of its formats (empty: the usual one). ``names`` and the four
    filters choose the messages (`choose`); a form that takes one kind takes only that kind of them. ``intent`` says for
    whom and why; with ``intent.with_annex`` the nominal annexes are opened and written too.

    The node's log holds an EXPORTED entry with purpose, reason and receiver for each message, before any is opened,
    then the openings (`open_many`). It may refuse leave for some: with ``partial`` they are left out and named in the
    result, else nothing is opened or written. ``on_progress`` counts opened messages.

    Misused("usage") where format, kind or annex do not go with the form; Refused("unknown_id") where no message fits;
    Refused with the node's reason and the refused messages as its problems; Refused("marks_incompatible") where no mark
    allows the messages in one file; otherwise as `choose` and `open_many`.
    """
    chosen_form = forms.FORMS[form]
    file_format = file_format or chosen_form.formats[0]
    if wrong := forms.misfit(form, file_format, kind, annex=intent.with_annex):
        raise misused(*wrong)
    found = await choose(session, names, kind=chosen_form.kind or kind, author=author, since=since, until=until)
    if not found.messages:
        raise Refused("unknown_id", _("no message fits"))
    left_out = await _refused(session, found.messages, intent)
    if left_out and (not partial or len(left_out) == len(found.messages)):
        problems = [FieldProblem(each.message.id, each.detail, each.reason) for each in left_out[:MAX_NAMED]]
        first = left_out[0]
        raise Refused(first.reason, first.message.id, first.detail, problems)
    forbidden = {each.message.digest for each in left_out}
    allowed = [each for each in found.messages if each.digest not in forbidden]
    opened = await open_many(session, allowed, intent.reason, annex=intent.with_annex, on_progress=on_progress)
    known = reference_data.of(session.register()).reference
    records = [record(each, known) for each in opened]
    levels = reference_data.level_names(session.register(), session.profile.member)

    def header_rows(each: Record) -> Rows:
        level = each.header.handling.classification
        named = levels.get(level, {}).get(language(), "") if level else ""
        return wording.header_rows(each.header, each.thread_name, named)

    return ExportResult(
        data=forms.write(form, file_format, opened, records, header_rows),
        file_format=file_format,
        messages=tuple(opened),
        mark=marks.strictest(records),
        left_out=tuple(left_out),
        superseded=found.superseded,
    )


async def _refused(session: Session, found: Sequence[MessageSummary], intent: Intent) -> list[LeftOut]:
    """Ask leave for all, which is logged, and return those that must not go."""
    permissions = await session.exports.note([each.digest for each in found], intent)
    return [
        LeftOut(each, permission.reason, permission.detail)
        for each, permission in zip(found, permissions, strict=True)
        if permission.proof is None
    ]
