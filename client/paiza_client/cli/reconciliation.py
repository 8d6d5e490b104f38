"""`paiza audit matrix` and `reconcile`: what was exchanged between members, by whose word, and what does not agree."""

import asyncio
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import click

from paiza_cli.exit_codes import ExitCode
from paiza_cli.numbers import WholeNumber
from paiza_client.cli import display
from paiza_client.cli.options import TimeParameter, check_period, shared
from paiza_client.cli.terminal import Terminal, current_terminal, run
from paiza_client.evidence import container
from paiza_client.language import N_, _, number_text
from paiza_client.reconciliation import file as comparison_file
from paiza_client.reconciliation.compare import Comparison, Difference, Result
from paiza_client.reconciliation.matrix import Cell, cells
from paiza_client.reconciliation.plan import ALLOWED, plan
from paiza_client.sdk import as_json, comparison_words, comparisons
from paiza_client.sdk.audit_query import Closed, Matrix
from paiza_client.sdk.comparisons import Reconciliation
from paiza_officer.errors import Refused, misused
from paiza_officer.register_cache import bootstrap_root
from paiza_wire.errors import PaizaError

DEFAULT_OVERDUE_MINUTES: Final = ALLOWED // timedelta(minutes=1)


@click.command(
    help=N_(
        "Who sent how many messages to whom: sent, received, receipted, overdue, and where the figures of both sides "
        "do not fit (disputed). Each figure stands under the member whose word it is. Your node asks every other; "
        "those that granted it tell all they exchanged, the others what they exchanged with yours."
    )
)
@click.option("--since", type=TimeParameter(), help=N_("From then on: 2026-11-01, or 8h, 3d, 2w ago; else all."))
@click.option("--until", type=TimeParameter(), help=N_("Up to then; else now."))
@click.option(
    "--overdue",
    "overdue_minutes",
    type=WholeNumber(1, 366 * 24 * 60),
    default=DEFAULT_OVERDUE_MINUTES,
    show_default=True,
    help=N_("Minutes without an answer after which a message is overdue."),
)
@shared
def matrix(*, since: datetime | None, until: datetime | None, overdue_minutes: int) -> None:
    """Show the matrix."""
    terminal = current_terminal()

    async def work() -> Matrix:
        async with terminal.session() as session:
            return await session.audit_query.matrix(since, until, overdue_minutes * 60)

    found = run(work())
    rows = cells(found.replies)
    if terminal.wants_json:
        terminal.json(
            {
                "cells": [_cell_object(cell) for cell in rows],
                "replies": [as_json.counts_reply(each) for each in found.replies],
                "silent": [{"member": member, "reason": reason} for member, reason in found.silent],
            }
        )
        return
    columns = (
        _("From"),
        _("To"),
        _("Sent"),
        _("Receipted"),
        _("Refused"),
        _("Overdue"),
        _("Received"),
        _("Disputed"),
        _("By the word of"),
    )
    terminal.table(columns, [_cell_row(cell) for cell in rows], empty=_("Nothing was exchanged."))
    terminal.note(
        _("Sent, receipted, refused, overdue: the sender's word. Received: the recipient's. A dash: no word.")
    )
    for reply in found.replies:
        if reply.only_with_asker:
            terminal.note(_("{member} tells only what it exchanged with your member.").format(member=reply.member))
    for member, reason in found.silent:
        terminal.warn(_("{member} gave no answer: {reason}").format(member=member, reason=reason))
    if any(cell.disputed for cell in rows):
        terminal.warn(_("Figures do not fit. Name the messages with: paiza audit reconcile A B"))


@click.command(
    help=N_(
        "Compare what one member's log released with what the other's received, both ways, entry by entry, with "
        "proofs. Names each difference and what stands against whom. Where your member is one of the two and nothing "
        "differs, the period is closed with an entry in both logs. Exit code 5 where a proof stands against somebody."
    )
)
@click.argument("one", metavar="MEMBER", required=False, default="")
@click.argument("other", metavar="MEMBER", required=False, default="")
@click.option("--since", type=TimeParameter(), help=N_("From then on; else from the beginning of the month."))
@click.option("--until", type=TimeParameter(), help=N_("Up to then; else now."))
@click.option(
    "--overdue",
    "overdue_minutes",
    type=WholeNumber(1, 366 * 24 * 60),
    default=DEFAULT_OVERDUE_MINUTES,
    show_default=True,
    help=N_("Minutes after which an answer is late."),
)
@click.option("--keep-open", is_flag=True, help=N_("Compare only; do not close the period."))
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help=N_("Write all questions and answers to this file, so that anybody can compare again without a node."),
)
@click.option(
    "--check",
    "kept",
    type=click.Path(path_type=Path),
    help=N_("Compare again from such a file: no node, no network, no account."),
)
@click.option("--root", type=click.Path(path_type=Path), help=N_("With --check: bootstrap root; else the profile's."))
@shared
def reconcile(
    *,
    one: str,
    other: str,
    since: datetime | None,
    until: datetime | None,
    overdue_minutes: int,
    keep_open: bool,
    output: Path | None,
    kept: Path | None,
    root: Path | None,
) -> None:
    """Reconcile two members."""
    check_period(since, until)
    if kept is not None:
        _check(current_terminal(), kept, root)
        return
    if not one or not other:
        raise misused("paiza audit reconcile", _("Name two members."))
    if output is not None and output.exists():
        raise Refused("file_unwritable", str(output), _("it exists"))
    comparison = plan(one, other, since=since, until=until, allowed=timedelta(minutes=overdue_minutes))
    terminal = current_terminal()

    async def work() -> tuple[Reconciliation, Closed | None, PaizaError | None]:
        async with terminal.session() as session:
            found = await comparisons.compare(session, comparison, keep_answers=output is not None)
            if output is not None:
                data = await comparisons.pack(session, found)
                await asyncio.to_thread(container.write_file, output, data)
            if keep_open or not found.may_close:
                return found, None, None
            try:
                return found, await comparisons.close(session, found), None
            except PaizaError as error:
                return found, None, error

    found, closed, problem = run(work())
    if terminal.wants_json:
        terminal.json(_result_object(comparison, found.result, closed, problem))
    else:
        _print(terminal, found, closed, problem, keep_open=keep_open)
    _end(found.result)


def _check(terminal: Terminal, file: Path, root: Path | None) -> None:
    """Compare again from a file."""
    trusted = bootstrap_root(root if root is not None else terminal.profile().root)
    found = Reconciliation(*comparison_file.check(container.read_file(file), trusted))
    made = found.made
    if terminal.wants_json:
        terminal.json(
            {**_result_object(made.comparison, found.result, None, None), "officer": made.officer, "compared": made.now}
        )
    else:
        told = _("Asked by {officer}; compared at {time}, as reported by this officer alone.")
        terminal.note(told.format(officer=made.officer, time=display.when(made.now)))
        _print(terminal, found, None, None, keep_open=True)
    _end(found.result)


def _end(result: Result) -> None:
    """End with the exit code that says whether a proof stands against somebody."""
    if result.against:
        click.get_current_context().exit(ExitCode.NOT_PROVEN)


def _print(
    terminal: Terminal, found: Reconciliation, closed: Closed | None, problem: PaizaError | None, *, keep_open: bool
) -> None:
    comparison, result = found.comparison, found.result
    span = f"{display.when(comparison.since)} – {display.when(comparison.until)}"
    terminal.say(
        _("{one} and {other}, {span}: {agreed} agree, {waiting} under way, {n} differ.").format(
            one=comparison.one,
            other=comparison.other,
            span=span,
            agreed=result.agreed,
            waiting=result.under_way,
            n=len(result.differences),
        ),
        "bold",
    )
    rows = [_difference_row(each) for each in result.differences]
    terminal.table((_("What"), _("Message"), _("From"), _("To"), _("Sent"), _("Why"), _("Stands against")), rows)
    for each in result.differences:
        if each.proofs:
            places = "; ".join(f"{proof.event} {proof.origin} #{proof.index}" for proof in each.proofs)
            terminal.say(_("Proof of {id}: {places}").format(id=each.digest.hex()[:16], places=places))
    if closed is not None:
        places = f"{closed.own.origin} #{closed.own.index}, {closed.theirs.origin} #{closed.theirs.index}"
        terminal.say(_("Closed: both logs say so ({places}).").format(places=places), "bold green")
    elif problem is not None:
        terminal.warn(_("Not closed: {reason}").format(reason=f"{problem.reason} ({problem.detail})"))
    elif keep_open:
        terminal.note(_("Compared only."))
    elif not found.is_own:
        terminal.note(_("A period is closed by the coordinators of its two members."))
    elif result.under_way:
        terminal.note(_("Not closed: messages are still under way."))
    else:
        terminal.note(_("Not closed: clear up what differs first."))


def _difference_row(each: Difference) -> tuple[str, ...]:
    return (
        comparison_words.kind(each),
        each.digest.hex()[:16],
        each.sender,
        each.recipient,
        display.when(each.sent.time) if each.sent is not None else "-",
        comparison_words.remark(each),
        each.against or "-",
    )


def _result_object(
    comparison: Comparison, result: Result, closed: Closed | None, problem: PaizaError | None
) -> dict[str, Any]:
    return {
        "members": [comparison.one, comparison.other],
        "since": comparison.since,
        "until": comparison.until,
        "agreed": result.agreed,
        "under_way": result.under_way,
        "differences": [_difference_object(each) for each in result.differences],
        "digest": result.digest,
        "closed": None
        if closed is None
        else {"own": as_json.proof(closed.own), "theirs": as_json.proof(closed.theirs)},
        "not_closed": "" if problem is None else problem.reason,
    }


def _difference_object(each: Difference) -> dict[str, Any]:
    return {
        "what": each.kind,
        "why": each.remark,
        "digest": each.digest,
        "from": each.sender,
        "to": each.recipient,
        "reason": each.reason,
        "sent": None if each.sent is None else as_json.proof(each.sent),
        "answered": None if each.answered is None else as_json.proof(each.answered),
        "against": each.against,
        "proofs": [as_json.proof(proof) for proof in each.proofs],
    }


def _cell_row(cell: Cell) -> tuple[str, ...]:
    def number(value: int | None) -> str:
        return "-" if value is None else number_text(value)

    told = ((cell.sender, cell.sent), (cell.recipient, cell.received))
    words = [member for member, figure in told if figure is not None]
    return (
        cell.sender,
        cell.recipient,
        number(cell.sent),
        number(cell.receipted),
        number(cell.refused),
        number(cell.overdue),
        number(cell.received),
        number(cell.disputed),
        ", ".join(words),
    )


def _cell_object(cell: Cell) -> dict[str, Any]:
    return {
        "from": cell.sender,
        "to": cell.recipient,
        "sent": cell.sent,
        "receipted": cell.receipted,
        "refused": cell.refused,
        "overdue": cell.overdue,
        "received": cell.received,
        "disputed": cell.disputed,
        "word_of_sender": cell.sent is not None,
        "word_of_recipient": cell.received is not None,
    }
