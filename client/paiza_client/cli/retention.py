"""Commands of lawfulness: have messages erased, see how that stands; legal hold; review dates."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import click

from paiza_cli.numbers import WholeNumber
from paiza_client.cli import display, sending
from paiza_client.cli.options import CodeParameter, shared
from paiza_client.cli.recalls import SECOND, overrides, written
from paiza_client.cli.terminal import current_terminal, run
from paiza_client.language import N_, _, date_text
from paiza_client.sdk import as_json, fitting, messages, recalls
from paiza_client.sdk.drafts import Prepared
from paiza_client.sdk.model import MessageSummary
from paiza_client.verify.model import Proof
from paiza_domain.schema.partial_times import iso_date
from paiza_officer.errors import misused

if TYPE_CHECKING:
    from paiza_client.sdk.retention import Erasure, Hold, Review

MAX_DAYS: Final = 36_525  # days ahead that can be asked for: a century
LONGEST_KEPT: Final = timedelta(days=3653)  # ten years: the node reviews a message again by then

_STATES: Final = {
    "asked": N_("no answer yet"),
    "erased": N_("erased"),
    "held": N_("under legal hold"),
    "not_held": N_("never held it"),
    "unknown": N_("unknown"),
}


@click.command(
    help=N_(
        "Have messages of your member erased by everyone who holds them; two officers sign. All are of one thread. "
        "Headers and proofs stay. This cannot be undone."
    )
)
@click.argument("erased", metavar="ID...", nargs=-1, required=True)
@click.option("--reason", required=True, help=N_("Why, in words."))
@click.option(
    "--because",
    type=CodeParameter("erasure_reason"),
    required=True,
    metavar="CODE",
    help=N_("Reason code: review, inaccurate, unlawful, legal …"),
)
@SECOND
@written
def erase(
    *,
    erased: Sequence[str],
    reason: str,
    because: str,
    second: str,
    urgency: str | None,
    reason_code: str,
    dry_run: bool,
) -> None:
    """Have messages erased."""
    terminal = current_terminal()
    chosen = overrides(urgency, reason_code, second)

    async def look() -> Prepared:
        async with terminal.session() as session:
            found = [await messages.find_own(session, each, fitting.has_content) for each in erased]
            return await recalls.erasure(session, found, reason=reason, because=because, overrides=chosen)

    prepared = run(look())
    sending.finish(terminal, prepared, None, dry_run=dry_run)
    terminal.note(
        _("It goes to: {members}. Who has not erased it yet is shown by: paiza erasures").format(
            members=", ".join(each.member for each in prepared.envelope.recipients)
        )
    )


@click.command(help=N_("Show how erasures stand: those your member asked for, by holder, and those asked of it."))
@click.option("--overdue", is_flag=True, help=N_("Only those not acknowledged in time, and those under legal hold."))
@shared
def erasures(*, overdue: bool) -> None:
    """Show erasures."""
    terminal = current_terminal()

    async def work() -> "list[Erasure]":
        async with terminal.session() as session:
            return await session.retention.erasures(overdue_only=overdue)

    found = run(work())
    if terminal.wants_json:
        terminal.json([_erasure_object(each) for each in found])
        return
    rows = [
        (
            each.digest.hex()[:16],
            each.thread_name,
            each.requester,
            each.holder,
            _(_STATES[each.state]),
            display.when(each.asked_time),
            display.when(each.answer.time if each.answer else each.due_time),
            f"{each.answer.origin} #{each.answer.index}" if each.answer else "",
            _("OVERDUE") if each.overdue else "",
        )
        for each in found
    ]
    columns = (
        _("Message"),
        _("Thread"),
        _("Asked by"),
        _("Holder"),
        _("State"),
        _("Asked"),
        _("Answered, or due"),
        _("Entry"),
        "",
    )
    terminal.table(columns, rows, empty=_("Nothing is overdue.") if overdue else _("Nothing was to be erased."))
    if rows:
        terminal.note(_("What a holder says is proven to be in its log. That it did so is its statement, not a proof."))


@click.command(help=N_("Put a message under legal hold: nothing erases it at your node until that is lifted."))
@click.argument("message", metavar="ID")
@click.option("--reason", default="", help=N_("Why; stands beside the log."))
@click.option("--lift", is_flag=True, help=N_("Lift the hold. What was to be erased meanwhile is erased then."))
@shared
def hold(*, message: str, reason: str, lift: bool) -> None:
    """Change a hold."""
    if not reason.strip():
        raise misused("--reason", _("say why"))
    terminal = current_terminal()

    async def work() -> tuple[MessageSummary, Proof]:
        async with terminal.session() as session:
            found = await messages.find(session, message)
            act = session.retention.release_hold if lift else session.retention.place_hold
            return found, await act(found.digest, reason)

    found, proof = run(work())
    if terminal.wants_json:
        terminal.json({"id": found.id, "held": not lift, "proof": as_json.proof(proof)})
        return
    words = _("The hold on {id} is lifted") if lift else _("{id} is under legal hold")
    terminal.say(f"{words.format(id=found.id[: display.SHORT_ID])} ({proof.origin} #{proof.index}).")


@click.command(help=N_("Show what is under legal hold at your node, by whom and why."))
@shared
def holds() -> None:
    """Show holds."""
    terminal = current_terminal()

    async def work() -> "list[Hold]":
        async with terminal.session() as session:
            return await session.retention.holds()

    found = run(work())
    if terminal.wants_json:
        terminal.json([
            {
                "digest": each.digest,
                "thread": each.thread_name,
                "by": each.actor,
                "since_time": each.since_time,
                "reason": each.reason,
            }
            for each in found
        ])  # fmt: skip
        return
    rows = [
        (
            each.digest.hex()[:16],
            each.thread_name,
            each.actor.rpartition("/")[2],
            display.when(each.since_time),
            each.reason,
        )
        for each in found
    ]
    terminal.table((_("Message"), _("Thread"), _("By"), _("Since"), _("Why")), rows, empty=_("Nothing is under hold."))


@click.command(help=N_("Show the messages whose review date has come; decide on each with paiza review."))
@click.option("--days", type=WholeNumber(0, MAX_DAYS), default=0, help=N_("Also those due within so many days."))
@shared
def reviews(*, days: int) -> None:
    """Show reviews."""
    terminal = current_terminal()

    async def work() -> "list[Review]":
        async with terminal.session() as session:
            return await session.retention.reviews(days)

    found = run(work())
    if terminal.wants_json:
        terminal.json([
            {
                **as_json.header(each.header),
                "digest": each.digest,
                "thread": each.thread_name,
                "unit": each.unit,
                "due_time": each.review_time,
                "overdue": each.overdue,
                "held": each.held,
            }
            for each in found
        ])  # fmt: skip
        return
    rows = [
        (
            each.header.message_id.hex()[: display.SHORT_ID],
            each.thread_name,
            display.kind_title(each.header),
            display.sender(each.header),
            each.unit or _("shared tasks"),
            date_text(each.review_time.date()),
            _("OVERDUE") if each.overdue else "",
            _("HELD") if each.held else "",
        )
        for each in found
    ]
    columns = (_("Id"), _("Thread"), _("Kind"), _("From"), _("Assigned to"), _("Review by"), "", "")
    terminal.table(columns, rows, empty=_("Nothing is to be reviewed."))


@click.command(help=N_("Decide on a message: keep it until a date, or erase your member's copy. Others keep theirs."))
@click.argument("message", metavar="ID")
@click.option("--keep-until", default="", metavar="DATE", help=N_("Keep it, to be reviewed again on that day."))
@click.option("--erase", "erased", is_flag=True, help=N_("Erase your member's copy. This cannot be undone."))
@click.option("--reason", required=True, help=N_("Why; stands beside the log."))
@shared
def review(*, message: str, keep_until: str, erased: bool, reason: str) -> None:
    """Decide on a message."""
    if bool(keep_until) == erased:
        raise misused("paiza review", _("name either --keep-until or --erase"))
    until = _date(keep_until) if keep_until else None
    terminal = current_terminal()

    async def work() -> tuple[MessageSummary, Proof]:
        async with terminal.session() as session:
            found = await messages.find(session, message)
            if until is None:
                return found, await session.retention.erase_own_copy(found.digest, reason)
            return found, await session.retention.keep(found.digest, reason, until)

    found, proof = run(work())
    if terminal.wants_json:
        terminal.json({"id": found.id, "keep_until_time": until, "proof": as_json.proof(proof)})
        return
    short = found.id[: display.SHORT_ID]
    said = _("{id} is erased here").format(id=short) if erased else _("{id} is kept").format(id=short)
    terminal.say(f"{said} ({proof.origin} #{proof.index}).")


def _date(text: str) -> datetime:
    try:
        found = datetime.strptime(iso_date(text.strip()), "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        raise misused("--keep-until", _("{value!r} is not a date such as 2027-12-31").format(value=text)) from None
    if found <= datetime.now(UTC):
        raise misused("--keep-until", _("that day is past"))
    if found > datetime.now(UTC) + LONGEST_KEPT:
        raise misused("--keep-until", _("a message is kept for at most ten more years, and reviewed again then"))
    return found


def _erasure_object(each: "Erasure") -> dict[str, Any]:
    return {
        "request": each.request,
        "digest": each.digest,
        "thread": each.thread_name,
        "requester": each.requester,
        "holder": each.holder,
        "state": each.state,
        "asked_time": each.asked_time,
        "due_time": each.due_time,
        "overdue": each.overdue,
        "answer": None if each.answer is None else as_json.proof(each.answer),
    }
