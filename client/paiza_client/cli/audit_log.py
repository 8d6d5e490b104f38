"""`paiza audit log`: who consulted, disclosed, exported, denied, altered or erased what, when, why and for whom."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import click

from paiza_cli.numbers import WholeNumber
from paiza_client import error_help
from paiza_client.cli import display
from paiza_client.cli.options import TimeParameter, check_period, shared, split
from paiza_client.cli.paging import paged, tell_more
from paiza_client.cli.terminal import current_terminal, lang, run
from paiza_client.language import N_, _
from paiza_client.sdk import as_json, messages
from paiza_domain.schema.reading import code_text
from paiza_officer.errors import misused

if TYPE_CHECKING:
    from paiza_client.reconciliation.log_queries import Question
    from paiza_client.sdk.audit_query import OwnEntries
    from paiza_client.verify.log_query_checks import VisibleEntry

MAX_DIGITS: Final = 18  # of an index


@click.command(
    help=N_(
        "Read your own node's log: who did what to which message, when, why and for whom. Every entry shown is proven; "
        "that you read is logged as well."
    )
)
@click.option("--event", "events", multiple=True, metavar="EVENTS", help=N_("OPENED, EXPORTED, DENIED, ERASED …"))
@click.option("--by", "actor", default="", metavar="OFFICER", help=N_("By whom: a name, or part of an id."))
@click.option("--with", "counterpart", default="", metavar="MEMBER", help=N_("With which other member."))
@click.option("--since", type=TimeParameter(), help=N_("From this time on: 2026-11-23, or 8h, 3d, 2w ago."))
@click.option("--until", type=TimeParameter(), help=N_("Before this time."))
@click.option("--message", default="", metavar="ID", help=N_("About this message."))
@click.option("--without-need", is_flag=True, help=N_("Only openings without need by unit, task or authorship."))
@click.option("--limit", type=WholeNumber(1, 100_000), default=1000, show_default=True, help=N_("Length of a page."))
@paged
@shared
def log(
    *,
    events: Sequence[str],
    actor: str,
    counterpart: str,
    since: datetime | None,
    until: datetime | None,
    message: str,
    without_need: bool,
    limit: int,
    page: str,
) -> None:
    """Read the log."""
    from paiza_client.reconciliation.log_queries import Question  # noqa: PLC0415 - as above
    from paiza_client.verify.logs import event_numbers  # noqa: PLC0415 - help does not need the protocol

    check_period(since, until)
    terminal = current_terminal()
    named = tuple(name.upper() for name in split(tuple(events)))
    known = event_numbers()
    if unknown := [name for name in named if name not in known]:
        raise misused("--event", _("{name} is none of: {names}").format(name=unknown[0], names=", ".join(known)))
    question = Question(
        events=[known[name] for name in named],
        counterpart=counterpart,
        since=since,
        until=until,
        actor=actor,
        without_need=without_need,
        texts=True,
        from_index=_index(page),
    )
    read = run(_read(question, message, limit))
    acts, following = read.entries, "" if read.next_index is None else str(read.next_index)
    if terminal.wants_json:
        terminal.json({"entries": [_object(act) for act in acts], "next_page": following})
        return
    terminal.table(
        (_("Time"), _("Event"), _("By"), _("With"), _("Message"), _("Reason"), _("Entry")),
        [_row(act) for act in acts],
        empty=_("The log holds no such entry."),
    )
    tell_more(terminal, following)
    if acts:
        terminal.note(_("Every entry stands in {log}, proven. Reading it was logged.").format(log=_logs(acts)))
    else:
        terminal.note(_("Reading it was logged."))


def _index(page: str) -> int:
    """Return the index that a page begins with."""
    if not page:
        return 0
    if not (page.isascii() and page.isdigit() and len(page) <= MAX_DIGITS):
        raise misused("--page", _("{value!r} is not a page that a list named").format(value=page))
    return int(page)


async def _read(question: "Question", message: str, limit: int) -> "OwnEntries":
    terminal = current_terminal()
    async with terminal.session() as session:
        if message:
            found = await messages.find(session, message)
            question = replace(question, digests=(found.digest,))
        return await session.audit_query.read_own(question, limit)


def _logs(acts: "Sequence[VisibleEntry]") -> str:
    return ", ".join(dict.fromkeys(act.proof.origin for act in acts))


def _row(act: "VisibleEntry") -> tuple[str, ...]:
    proof = act.proof
    part = "" if proof.part_number is None else f" #{proof.part_number}"
    return (
        display.when(proof.time),
        display.event(proof),
        proof.actor.rpartition("/")[2],
        proof.counterpart,
        proof.digest.hex()[:16] + part,
        _why(act),
        f"#{proof.index}",
    )


def _why(act: "VisibleEntry") -> str:
    """Return in words why an officer did it, for what purpose, or why it was refused."""
    refused = _(error_help.REMEDIES[act.proof.reason].what) if act.proof.reason in error_help.REMEDIES else ""
    purpose = code_text("purpose", act.purpose, lang()) if act.purpose else ""
    return "; ".join(filter(None, (refused or act.proof.reason, purpose, act.text)))


def _object(act: "VisibleEntry") -> dict[str, Any]:
    return {**as_json.proof(act.proof), "text": act.text, "purpose": act.purpose}
