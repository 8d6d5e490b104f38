"""The whole export: choose messages, ask leave, open them, write the file; each page by page.

What is made stands beside the target in a `Journal` until it is whole. An interrupted export goes on from there: the
node is asked for nothing that is written already, and the target's name never stands for a part.
"""

import os
import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path

from paiza.core.v1.message_pb2 import Handling
from paiza_client.data.exports import forms
from paiza_client.data.exports.journal import Begun, Journal, Order
from paiza_client.data.exports.marks import Strictest
from paiza_client.data.exports.printing import Rows
from paiza_client.data.exports.records import Record, record
from paiza_client.language import _, language
from paiza_client.local import reference_data
from paiza_client.sdk import wording
from paiza_client.sdk.model import LeftOut, MessageSummary, NotOpened, OnProgress
from paiza_client.sdk.open_many import choose, open_pages, patiently
from paiza_client.sdk.session import MAX_TOGETHER, Session
from paiza_domain import policy_rules
from paiza_officer.errors import FieldProblem, Refused, disk_problem, misused


@dataclass(frozen=True, slots=True)
class ExportResult:
    """An export that is written: where, in which format, how many messages, and the strictest mark of it all.

    ``left_out`` are the messages that were asked for and are not in it; ``superseded`` is how many were passed over
    because their authors recalled or replaced them, ``exercises`` because a table never mixes exercise and reality.
    """

    path: Path
    file_format: str
    messages: int
    mark: Handling
    left_out: LeftOut
    superseded: int
    exercises: int

    @property
    def complete(self) -> bool:
        """True where every message that was asked for is in it."""
        return not self.left_out


async def export_messages(
    session: Session, target: Path, order: Order, *, on_progress: OnProgress | None = None
) -> ExportResult:
    """Write messages in one form to a file for others, and return what stands in it.

    ``target`` is a file that is not there yet; it appears when it is whole. Only its owner can read it. The node's log
    holds an EXPORTED entry with purpose, reason and receiver for the messages, before any is opened, then the openings
    (`open_many`); nothing is marked as read. It may refuse leave for some: with ``order.partial`` they are left out and
    counted in the result, else nothing is opened or written. ``on_progress`` is called with the messages opened and the
    messages in all.

    Where it is interrupted (Unreachable after a minute without the node, a cancelled task, a crash), `continue_export`
    goes on. Other errors end it: Misused("usage") where format, kind or annex do not go with the form;
    Refused("file_unwritable") where the target or an unfinished export stands there; Refused("unknown_id") where no
    message fits; Refused with the node's reason and the refused messages as its problems; Refused("marks_incompatible")
    where no mark allows the messages in one file; otherwise as `choose`.
    """
    chosen = forms.FORMS[order.form]
    file_format = order.file_format or chosen.formats[0]
    if wrong := forms.misfit(order.form, file_format, order.kind, annex=order.intent.with_annex):
        raise misused(*wrong)
    _check_free(target)
    begun = Begun(str(session.profile.id), language())
    try:
        journal = Journal.begin(target, order, begun)
    except OSError as error:
        raise disk_problem(error, str(target)) from error
    return await _run(session, journal, target, on_progress)


async def continue_export(session: Session, target: Path, *, on_progress: OnProgress | None = None) -> ExportResult:
    """Finish an interrupted export to a file, as it was ordered; what stands in it is not asked for or opened again.

    Refused("file_unreadable") where none is unfinished; Misused("usage") for another officer or language than it was
    begun with; otherwise as `export_messages`.
    """
    _check_free(target)
    journal = Journal.resume(target)
    begun = journal.begun
    if (begun.officer, begun.language) != (str(session.profile.id), language()):
        journal.close()
        what = _("the export was begun by {officer} in the language {language}")
        raise misused(str(target), what.format(officer=begun.officer, language=begun.language))
    return await _run(session, journal, target, on_progress)


async def _run(session: Session, journal: Journal, target: Path, on_progress: OnProgress | None) -> ExportResult:
    """Go through all that is left; what ends an export for good removes its journal, what interrupts it does not."""
    try:
        if not journal.written.chosen:
            await _permit(session, journal)
        _check_permitted(journal)
        await _open(session, journal, on_progress)
        result = _finished(journal, target)
    except Refused:
        journal.remove()
        raise
    except OSError as error:
        journal.close()
        raise disk_problem(error, str(target)) from error
    except BaseException:
        journal.close()
        raise
    journal.remove()
    return result


async def _permit(session: Session, journal: Journal) -> None:
    """Ask leave for all that fit, page by page; the node logs it."""
    order = journal.order
    pages = choose(
        session,
        order.names,
        kind=forms.FORMS[order.form].kind or order.kind,
        author=order.author,
        since=order.since,
        until=order.until,
        token=journal.written.token,
    )
    async for page in pages:
        wanted = [each for each in page.messages if _is_wanted(order, each)]
        allowed, refused = await _leave(session, wanted, journal)
        exercises = len(page.messages) - len(wanted)
        journal.permit(allowed, refused, len(page.superseded), exercises, page.next_token)


def _is_wanted(order: Order, message: MessageSummary) -> bool:
    """Return whether a message goes into the file: a table holds no exercises, or they alone were ordered."""
    if order.exercise:
        return message.header.exercise
    return not (message.header.exercise and forms.FORMS[order.form].sheet is not None)


async def _leave(
    session: Session, found: Sequence[MessageSummary], journal: Journal
) -> tuple[list[bytes], list[NotOpened]]:
    """Ask leave for some messages; return those that may leave, and those that may not."""
    digests = [each.digest for each in found]
    permissions = await patiently(session.exports.note, digests, journal.order.intent) if digests else []
    allowed = [each.digest for each in permissions if each.proof is not None]
    refused = [
        NotOpened(permission.digest, permission.reason, permission.detail, each.id)
        for each, permission in zip(found, permissions, strict=True)
        if permission.proof is None
    ]
    return allowed, refused


def _check_permitted(journal: Journal) -> None:
    """Raise the refusal of an export of nothing, or of a whole that must not leave."""
    written = journal.written
    if not written.permitted and not written.left_out:
        raise Refused("unknown_id", _("only exercises fit") if written.exercises else _("no message fits"))
    if written.left_out and not (journal.order.partial and written.permitted):
        raise _refusal(written.left_out)


def _refusal(left_out: LeftOut) -> Refused:
    first = left_out.first[0]
    problems = [
        FieldProblem(each.name, " ".join(policy_rules.told(each.detail, language())) or each.detail, each.reason)
        for each in left_out.first
    ]
    return Refused(first.reason, first.name, first.detail, problems)


async def _open(session: Session, journal: Journal, on_progress: OnProgress | None) -> None:
    """Open what may leave, and write what each message adds to the file."""
    order, written = journal.order, journal.written
    known = reference_data.of(session.register()).reference
    levels = reference_data.level_names(session.register(), session.profile.member)

    def header_rows(each: Record) -> Rows:
        level = each.header.handling.classification
        named = levels.get(level, {}).get(language(), "") if level else ""
        return wording.header_rows(each.header, each.thread_name, named)

    async def permitted() -> AsyncIterator[Sequence[bytes]]:
        for digests in journal.still_to_open(MAX_TOGETHER):
            yield digests

    intent = order.intent
    pages = open_pages(session, permitted(), intent.reason, intent.purpose, annex=intent.with_annex)
    async with aclosing(pages):
        async for opened in pages:
            marks, pieces, lost = Strictest(), [], list[NotOpened]()
            for each in opened:
                if isinstance(each, NotOpened):
                    lost.append(each)
                    continue
                try:
                    read = record(each, known, proofs=order.form == "print")
                except Refused as error:
                    lost.append(NotOpened(each.digest, error.reason, error.detail))
                    continue
                marks.add(read)
                pieces += forms.pieces(order.form, each, read, header_rows)
            journal.write(len(opened), pieces, len(opened) - len(lost), marks.all(), lost)
            if lost and not order.partial:
                raise _refusal(written.left_out)
            if on_progress is not None:
                on_progress(written.opened, written.permitted)


def _finished(journal: Journal, target: Path) -> ExportResult:
    """Write the file, whole or not at all."""
    order, written = journal.order, journal.written
    if not written.messages:
        raise _refusal(written.left_out)
    mark = Strictest(written.marks).mark()
    file_format = order.file_format or forms.FORMS[order.form].formats[0]
    whole = target.with_name(f"{target.name}.{secrets.token_hex(4)}{journal.path.suffix}")
    try:
        with os.fdopen(os.open(whole, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600), "w+b") as file:
            forms.write(order.form, file_format, journal.pieces(), mark, file, exercise=order.exercise)
            file.flush()
            os.fsync(file.fileno())
        _check_free(target)
        whole.replace(target)
    finally:
        whole.unlink(missing_ok=True)
    exercises = 0 if order.exercise else written.exercises
    return ExportResult(target, file_format, written.messages, mark, written.left_out, written.superseded, exercises)


def _check_free(target: Path) -> None:
    if target.exists():
        raise Refused("file_unwritable", str(target), _("it exists"))
