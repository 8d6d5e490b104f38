"""Commands about what was said before: recall, correct, acknowledge, feedback."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

import click

from paiza.content.v1.feedback_pb2 import Feedback
from paiza_client.cli import display, drafting, sending
from paiza_client.cli.options import CodeParameter, shared, split
from paiza_client.cli.terminal import current_terminal, run
from paiza_client.language import N_, _
from paiza_client.sdk import corrections, drafts, fitting, messages, recalls, replies
from paiza_client.sdk.corrections import Original
from paiza_client.sdk.drafts import Overrides, Prepared
from paiza_client.sdk.model import MessageSummary
from paiza_officer.errors import misused

if TYPE_CHECKING:
    from paiza_client.sdk import Session


def written(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add what all messages have that the program writes."""
    for option in (
        click.option("--dry-run", is_flag=True, help=N_("Check everything, send nothing.")),
        click.option(
            "--reason-code",
            type=CodeParameter("urgency_reason"),
            default="",
            metavar="CODE",
            help=N_("Why it is URGENT or FLASH."),
        ),
        click.option(
            "--urgency", type=CodeParameter("urgency"), metavar="CODE", help=N_("How soon it must be acted on.")
        ),
    ):
        command = option(command)
    return shared(command)


SECOND: Final = click.option("--second", default="", metavar="OFFICER", help=N_("The officer who signs as the second."))


def overrides(urgency: str | None, reason_code: str, second: str = "") -> Overrides:
    """Return what the command line says of urgency and second officer."""
    return Overrides((), urgency or "", reason_code, second=second)


@click.command(help=N_("Recall messages of your member at every holder; two officers sign. All are of one thread."))
@click.argument("recalled", metavar="ID...", nargs=-1, required=True)
@click.option("--reason", required=True, help=N_("Why, in words."))
@click.option(
    "--because",
    type=CodeParameter("recall_reason"),
    default="other",
    metavar="CODE",
    help=N_("Reason code: sent-in-error, wrong-recipient …"),
)
@click.option(
    "--measure",
    type=CodeParameter("recall_measure"),
    default="stop-using",
    metavar="CODE",
    help=N_("stop-using, erase or return."),
)
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
    chosen = overrides(urgency, reason_code, second)

    async def look() -> tuple[MessageSummary, Prepared]:
        async with terminal.session() as session:
            found = [await messages.find_own(session, each, fitting.stands) for each in recalled]
            return found[0], await recalls.recall(
                session, found, reason=reason, because=because, measure=measure, overrides=chosen
            )

    first, prepared = run(look())
    sending.finish(terminal, prepared, None, dry_run=dry_run)
    terminal.note(
        _("It goes to: {members}. Who has not acknowledged it is shown by: paiza thread {id}").format(
            members=", ".join(each.member for each in prepared.envelope.recipients), id=first.id[: display.SHORT_ID]
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
@click.option(
    "--because",
    type=CodeParameter("correction_reason"),
    default="slip",
    metavar="CODE",
    help=N_("Reason code: slip, laboratory, weighed …"),
)
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

    async def look() -> tuple[Original, Original | None]:
        async with terminal.session() as session:
            original = await corrections.open_original(session, corrected, reason if not fields else "")
            return original, await corrections.open_original(session, replaced_by, reason) if replaced_by else None

    found, sent = run(look())
    if template:
        click.echo(drafts.write(found.as_draft()), nl=False)
        return
    now = drafts.writing_time()
    chosen = overrides(urgency, reason_code)
    if draft is not None:
        read = drafting.read(terminal, draft, now)
        replacement = corrections.replacement(
            found, read, draft, overrides(urgency or "routine", reason_code, second), now
        )
        digest = sending.finish(terminal, replacement, None, dry_run=dry_run, quiet=True)
        if not digest and not dry_run:
            terminal.warn(
                _("Once it is signed, announce it with: paiza correct {id} --replaced-by ID").format(id=corrected)
            )
            return
        announced = corrections.replaced(
            found,
            replacement.content,
            replacement.annex,
            digest,
            because=because,
            explanation=reason,
            overrides=chosen,
        )
    elif sent is not None:
        announced = corrections.replaced(
            found,
            sent.content,
            sent.annex,
            sent.message.digest,
            because=because,
            explanation=reason,
            overrides=chosen,
        )
    else:
        announced = corrections.in_words(found, _fields(fields), because=because, explanation=reason, overrides=chosen)
    sending.finish(terminal, announced, None, dry_run=dry_run)


def _fields(pairs: Sequence[str]) -> dict[str, str]:
    said: dict[str, str] = {}
    for each in pairs:
        path, separator, after = each.partition("=")
        if not separator:
            raise misused("--field", _("{value!r} is not FIELD=TEXT").format(value=each))
        said[path.strip()] = after.strip()
    return said


@click.command(help=N_("Say that you took note of a message, a recall above all, to its author."))
@click.argument("message", metavar="ID")
@click.option("--note", default="", help=N_("A remark."))
@written
def acknowledge(*, message: str, note: str, urgency: str | None, reason_code: str, dry_run: bool) -> None:
    """Acknowledge a message."""
    chosen = overrides(urgency, reason_code)
    _answer(message, lambda session, found: replies.acknowledgement(session, found, note, chosen), dry_run=dry_run)


@click.command(help=N_("Tell the author of a message what it was worth, and what came of it."))
@click.argument("message", metavar="ID")
@click.option(
    "--worth",
    type=CodeParameter("usefulness"),
    required=True,
    metavar="CODE",
    help=N_("decisive, useful, limited, known, not-useful …"),
)
@click.option(
    "--led-to",
    type=CodeParameter("feedback_outcome", several=True),
    multiple=True,
    metavar="CODES",
    help=N_("seizure,arrest,case-opened …"),
)
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
    """Send feedback on a message."""
    content = Feedback(usefulness=worth, outcomes=split(led_to), text=text, links=links)
    chosen = overrides(urgency, reason_code)
    _answer(message, lambda session, found: replies.feedback(session, found, content, chosen), dry_run=dry_run)


def _answer(text: str, answer: Callable[["Session", MessageSummary], Prepared], *, dry_run: bool) -> None:
    """Write to the author of a message about it."""
    terminal = current_terminal()

    async def look() -> Prepared:
        async with terminal.session() as session:
            return answer(session, await messages.find(session, text, fitting.received))

    sending.finish(terminal, run(look()), None, dry_run=dry_run)
