"""Commands about what was said before: recall, correct, acknowledge, feedback."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import click
from google.protobuf.message import Message

from paiza.content.v1.acknowledgement_pb2 import Acknowledgement
from paiza.content.v1.feedback_pb2 import Feedback
from paiza.content.v1.recall_pb2 import CorrectedField, Correction, Recall
from paiza.core.v1 import message_pb2
from paiza_client.cli import display, drafting, sending
from paiza_client.cli.options import shared, split
from paiza_client.cli.terminal import current_terminal, run
from paiza_client.errors import Refused, misused
from paiza_client.language import N_, _
from paiza_client.sdk import drafts, messages, replies
from paiza_client.sdk.drafts import Overrides, Prepared
from paiza_client.sdk.model import MessageSummary
from paiza_domain.drafts.drafts import Draft
from paiza_domain.kinds.correction import MAX_CHANGES
from paiza_domain.schema.diff import differences
from paiza_wire.message import parse_strictly

if TYPE_CHECKING:
    from paiza_client.sdk import Session

_ANNEX: Final = message_pb2.PART_KIND_NOMINAL_ANNEX


def written(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add what all messages have that the program writes."""
    for option in (
        click.option("--dry-run", is_flag=True, help=N_("Check everything, send nothing.")),
        click.option("--reason-code", default="", metavar="CODE", help=N_("Why it is URGENT or FLASH.")),
        click.option("--urgency", type=click.Choice(sending.URGENCIES), help=N_("How soon it must be acted on.")),
    ):
        command = option(command)
    return shared(command)


SECOND: Final = click.option("--second", default="", metavar="OFFICER", help=N_("The officer who signs as the second."))


def overrides(urgency: str | None, reason_code: str, second: str = "", *, otherwise: str = "routine") -> Overrides:
    """Return what the command line says of urgency and second officer."""
    return Overrides((), urgency or otherwise, reason_code, second=second)


@click.command(help=N_("Recall messages of your member at every holder; two officers sign. All are of one thread."))
@click.argument("recalled", metavar="ID...", nargs=-1, required=True)
@click.option("--reason", required=True, help=N_("Why, in words."))
@click.option("--because", default="other", metavar="CODE", help=N_("Reason code: sent-in-error, wrong-recipient …"))
@click.option("--measure", default="stop-using", metavar="CODE", help=N_("stop-using, erase or return."))
@SECOND
@written
def recall(
    *,
    recalled: Sequence[str],
    reason: str,
    because: str,
    measure: str,
    second: str,
    urgency: str | None,
    reason_code: str,
    dry_run: bool,
) -> None:
    """Recall messages."""
    terminal = current_terminal()
    content = Recall(reason=because, explanation=reason, measure=measure)

    async def look() -> tuple[list[MessageSummary], list[str]]:
        async with terminal.session() as session:
            found = [await messages.find_own(session, each) for each in recalled]
            return found, await replies.holders(session, found)

    found, recipients = run(look())
    prepared = replies.prepare(
        content,
        found[0].header,
        [each.digest for each in found],
        recipients,
        overrides(urgency, reason_code, second, otherwise="priority"),
    )
    sending.finish(terminal, prepared, None, dry_run=dry_run)
    terminal.note(
        _("It goes to: {members}. Who has not acknowledged it is shown by: paiza thread {id}").format(
            members=", ".join(recipients), id=found[0].id[: display.SHORT_ID]
        )
    )


@click.command(
    help=N_(
        "Correct a message of your member: by a draft of the whole message, which replaces it, or by single fields. "
        "Every holder is told. What stands is never overwritten."
    )
)
@click.argument("corrected", metavar="ID")
@click.argument("draft", metavar="[DRAFT]", required=False)
@click.option("--reason", default="", help=N_("Why, in words."))
@click.option("--because", default="slip", metavar="CODE", help=N_("Reason code: slip, laboratory, weighed …"))
@click.option("--field", "fields", multiple=True, metavar="FIELD=TEXT", help=N_("A field, and what it should say."))
@click.option("--template", is_flag=True, help=N_("Print the message as a draft to be corrected, and stop."))
@click.option("--replaced-by", default="", metavar="ID", help=N_("The replacement was sent already: only announce it."))
@SECOND
@written
def correct(
    *,
    corrected: str,
    draft: str | None,
    reason: str,
    because: str,
    fields: Sequence[str],
    template: bool,
    replaced_by: str,
    second: str,
    urgency: str | None,
    reason_code: str,
    dry_run: bool,
) -> None:
    """Correct a message."""
    terminal = current_terminal()
    if not template and not reason.strip():
        raise misused("--reason", _("say why the message is corrected"))
    if not template and [draft is not None, bool(fields), bool(replaced_by)].count(True) != 1:
        raise misused(
            "paiza correct", _("name a draft, or fields with --field, or what replaces it with --replaced-by")
        )

    async def look() -> tuple[_Original, _Original | None]:
        async with terminal.session() as session:
            original = await _original(session, corrected, reason if not fields else "")
            return original, await _original(session, replaced_by, reason) if replaced_by else None

    found, sent = run(look())
    if template:
        click.echo(drafts.write(found.as_draft()), nl=False)
        return
    now = drafts.writing_time()
    prepared = Correction(reason=because, explanation=reason)
    chosen = overrides(urgency, reason_code, second)
    parents = [found.message.digest]
    if draft is not None:
        replacement = _replacement(found, drafting.read(terminal, draft, now), draft, now, chosen)
        prepared.changes.extend(_changes(found, replacement.content, replacement.annex))
        if not dry_run:
            prepared.replacement_digest = sending.finish(terminal, replacement, None, dry_run=False, quiet=True)
            if not prepared.replacement_digest:
                terminal.warn(
                    _("Once it is signed, announce it with: paiza correct {id} --replaced-by ID").format(id=corrected)
                )
                return
            parents.append(prepared.replacement_digest)
    elif sent is not None:
        prepared.changes.extend(_changes(found, sent.content, sent.annex))
        prepared.replacement_digest = sent.message.digest
        parents.append(sent.message.digest)
    else:
        prepared.changes.extend(_in_words(found, fields))
    announced = replies.prepare(
        prepared,
        found.message.header,
        parents,
        found.holders,
        overrides(urgency, reason_code),
    )
    sending.finish(terminal, announced, None, dry_run=dry_run)


@dataclass(frozen=True, slots=True)
class _Original:
    """What is corrected, opened, and who holds it."""

    message: MessageSummary
    content: Message
    annex: Message | None
    holders: list[str]

    def as_draft(self) -> Draft:
        """Return it as a draft, its version counted on where it has one."""
        header = self.message.header
        content = type(self.content)()
        content.CopyFrom(self.content)
        _count_on(content)
        return Draft(
            kind=display.kind_of(header),
            content=content,
            annex=self.annex,
            recipients=tuple(message_pb2.Recipient(member=member) for member in self.holders),
            urgency=header.urgency,
            urgency_reason=header.urgency_reason,
            handling=header.handling,
            legal_bases=tuple(header.legal_bases),
            review_time=header.review_time.ToDatetime(tzinfo=UTC),
        )


def _count_on(content: Message) -> None:
    """Raise the version of a content by one and mark it a correction, where it has both."""
    known = content.DESCRIPTOR.fields_by_name
    for name in ("notice_version", "report_version", "operation_version"):
        if name in known:
            setattr(content, name, getattr(content, name) + 1)
            if "status" in known:
                setattr(content, "status", "correction")  # noqa: B010 - not every content has it


async def _original(session: "Session", text: str, reason: str) -> _Original:
    message = await messages.find_own(session, text)
    kind = display.kind_of(message.header)
    part = await session.open_part(message.digest, 0, reason)
    content = parse_strictly(kind.content, part.plaintext, "the content")
    annex = None
    number = next((n for n, each in enumerate(message.header.parts) if each.kind == _ANNEX), None)
    if number is not None and kind.annex is not None and reason:
        part = await session.open_part(message.digest, number, reason)
        annex = parse_strictly(kind.annex, part.plaintext, "the annex")
    return _Original(message, content, annex, await replies.holders(session, [message]))


def _replacement(found: _Original, draft: Draft, source: str, now: datetime, chosen: Overrides) -> Prepared:
    header = found.message.header
    drafts.check_kind(draft, header.kind, source)
    recipients = tuple(dict.fromkeys([*found.holders, *(each.member for each in draft.recipients)]))
    prepared = drafts.prepare(draft, source, replace(chosen, recipients=recipients), now)
    # In the place of the old one: behind what that followed from, and behind itself.
    return drafts.in_thread(prepared, header.thread_id, [*header.parent_digests, found.message.digest])


def _changes(found: _Original, content: Message, annex: Message | None) -> list[CorrectedField]:
    kind = display.kind_of(found.message.header)
    if content.DESCRIPTOR is not found.content.DESCRIPTOR:
        raise misused("--replaced-by", _("a message is replaced by one of its kind"))
    changed = [
        CorrectedField(path=path, before=before, after=after)
        for path, before, after in differences(kind.shape, found.content, content)
    ]
    if kind.annex_shape is not None and (found.annex or annex) is not None:
        empty = kind.annex_shape.message()
        # Only where; what the annex says stays in the annex.
        differing = differences(kind.annex_shape, found.annex or empty, annex or empty)
        changed += [CorrectedField(path=f"annex.{path}") for path, _before, _after in differing]
    return changed[:MAX_CHANGES]


def _in_words(found: _Original, fields: Sequence[str]) -> list[CorrectedField]:
    kind = display.kind_of(found.message.header)
    said = {path: text for path, _nothing, text in differences(kind.shape, kind.content(), found.content)}
    changes = []
    for each in fields:
        path, separator, after = each.partition("=")
        if not separator:
            raise misused("--field", _("{value!r} is not FIELD=TEXT").format(value=each))
        if path.strip() not in said:
            names = ", ".join(said)
            raise misused(
                "--field", _("the message has no field {name}; it has: {names}").format(name=path, names=names)
            )
        changes.append(CorrectedField(path=path.strip(), before=said[path.strip()], after=after.strip()))
    return changes


@click.command(help=N_("Say that you took note of a message, a recall above all, to its author."))
@click.argument("message", metavar="ID")
@click.option("--note", default="", help=N_("A remark."))
@written
def acknowledge(*, message: str, note: str, urgency: str | None, reason_code: str, dry_run: bool) -> None:
    """Acknowledge a message."""
    _answer(
        message,
        lambda found: Acknowledgement(message_digest=found.digest, note=note),
        overrides(urgency, reason_code, otherwise="information"),
        dry_run=dry_run,
    )


@click.command(help=N_("Tell the author of a message what it was worth, and what came of it."))
@click.argument("message", metavar="ID")
@click.option("--worth", required=True, metavar="CODE", help=N_("decisive, useful, limited, known, not-useful …"))
@click.option("--led-to", multiple=True, metavar="CODES", help=N_("seizure,arrest,case-opened …"))
@click.option("--text", default="", help=N_("What it led to, in words."))
@click.option(
    "--link", "links", multiple=True, metavar="NUMBER", help=N_("Number of a case or notice that came of it.")
)
@written
def feedback(
    *,
    message: str,
    worth: str,
    led_to: tuple[str, ...],
    text: str,
    links: Sequence[str],
    urgency: str | None,
    reason_code: str,
    dry_run: bool,
) -> None:
    """Give feedback."""
    content = Feedback(usefulness=worth, outcomes=split(led_to), text=text, links=links)
    chosen = overrides(urgency, reason_code, otherwise="information")
    _answer(message, lambda _found: content, chosen, dry_run=dry_run)


def _answer(text: str, content: Callable[[MessageSummary], Message], chosen: Overrides, *, dry_run: bool) -> None:
    """Write to the author of a message about it."""
    terminal = current_terminal()

    async def look() -> MessageSummary:
        async with terminal.session() as session:
            found = await messages.find(session, text)
            if found.header.author == session.profile.member:
                raise Refused("not_addressed", found.id, "your own member wrote it")
            return found

    found = run(look())
    prepared = replies.prepare(content(found), found.header, [found.digest], [found.header.author], chosen)
    sending.finish(terminal, prepared, None, dry_run=dry_run)
