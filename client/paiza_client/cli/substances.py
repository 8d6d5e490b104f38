"""The command `substance`: what a substance is and how it stands in law, what differs, which CAS numbers are wrong."""

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import click

from paiza_cli.exit_codes import ExitCode
from paiza_client.cli.options import DayParameter, shared
from paiza_client.cli.reference import (
    DefaultShow,
    as_object,
    data,
    day_text,
    days,
    shown,
    span_object,
    standing_text,
    states,
)
from paiza_client.cli.terminal import Terminal, current_terminal, lang
from paiza_client.language import N_, _, date_text, ngettext, number_text
from paiza_client.local import reference_data
from paiza_domain import reference
from paiza_domain.reference import (
    Consistency,
    ControlStatus,
    Difference,
    Finding,
    InternationalStatus,
    Listing,
    Reference,
    Standing,
    Substance,
    cas_lists,
)
from paiza_domain.reference.model import InternationalControl
from paiza_domain.schema.reading import code_text
from paiza_officer.errors import FieldProblem, Refused


def _asked(command: Any) -> Any:
    """Add the states and days that are asked about."""
    for option in (
        click.option(
            "--known-at", type=DayParameter(), default=None, help=N_("As it was recorded on this day; else as now.")
        ),
        click.option("--on", type=DayParameter(), default=None, help=N_("The law of this day; else of today.")),
        click.option("--in", "within", multiple=True, metavar="STATES", help=N_("Only these states: kaz,tjk.")),
    ):
        command = option(command)
    return shared(command)


@click.group(
    "substance", cls=DefaultShow, help=N_("Look up a substance by any name or CAS number: its control in law.")
)
@shared
def substance() -> None:
    """Look up substances."""


@substance.command("show", help=N_("Show a substance: names, numbers, schedules, and its status in each state."))
@click.argument("name", nargs=-1, required=True)
@_asked
def show(*, name: tuple[str, ...], within: tuple[str, ...], on: date | None, known_at: date | None) -> None:
    """Show one substance, or several that go by one street name."""
    terminal = current_terminal()
    query = " ".join(name)
    day = on or datetime.now(UTC).date()
    known = data(terminal)
    found = known.index.find(query)
    if not found.substances:
        what = _("Did you mean “{value}”?")
        problems = [FieldProblem("", what.format(value=each), "suggestion") for each in found.suggestions]
        raise Refused("unknown_substance", query, problems=problems)
    asked = states(within, known.reference.states())
    if terminal.wants_json:
        matches = [_as_object(known.reference, each, asked, day, known_at) for each in found.substances]
        terminal.json({"query": query, "on": day.isoformat(), "known_at": known_at, "matches": matches})
        return
    for each in found.substances:
        _tell(terminal, known.reference, each, asked, day, known_at)


@substance.command(
    "consistency", help=N_("Compare the international schedules with the lists of states, and those with each other.")
)
@click.option("--all", "everything", is_flag=True, help=N_("Also what is merely not recorded, one by one."))
@_asked
def consistency(*, within: tuple[str, ...], on: date | None, known_at: date | None, everything: bool) -> None:
    """Report differences."""
    terminal = current_terminal()
    known = data(terminal).reference
    asked = states(within, known.states())
    report = reference.consistency(known, asked, on or datetime.now(UTC).date(), known_at)
    if terminal.wants_json:
        terminal.json(_report_object(report))
        return
    terminal.table(
        (_("Substance"), _("Difference"), _("States"), _("Schedules"), _("Regimes")),
        [
            _finding_row(known, each)
            for each in report.findings
            if everything or each.difference is not Difference.NOT_RECORDED
        ],
        empty=_("No differences."),
    )
    for state in report.incomplete:
        missing = sum(each.difference is Difference.NOT_RECORDED and state in each.states for each in report.findings)
        text = ngettext(
            "{state}: {n} substance under international control is not recorded.",
            "{state}: {n} substances under international control are not recorded.",
            missing,
        )
        terminal.note(text.format(state=state, n=number_text(missing)))
    if report.incomplete:
        text = _("Only a part of the lists is recorded for: {states}. There, no record is not the same as no control.")
        terminal.warn(text.format(states=", ".join(report.incomplete)))
    if report.unverified:
        text = _("Of {n} records compared, {unverified} are not verified.")
        terminal.warn(text.format(n=number_text(report.records), unverified=number_text(report.unverified)))


@substance.command(
    "check", help=N_("Verify the check digits of all CAS numbers in a CSV file; exit code 3 if any is wrong.")
)
@click.argument("file", type=click.Path(path_type=Path))
@shared
@click.pass_context
def check(context: click.Context, *, file: Path) -> None:
    """Verify a list."""
    terminal = current_terminal()
    report = cas_lists.verify(reference_data.read_list(file))
    wrong = [(each, each.error.message(lang())) for each in report.wrong]
    if terminal.wants_json:
        terminal.json(
            {
                "file": str(file),
                "rows": report.rows,
                "numbers": report.numbers,
                "wrong": [
                    {"line": each.line, "number": each.number, "code": each.error.code, "what": what, "row": each.row}
                    for each, what in wrong
                ],
            }
        )
    else:
        terminal.table(
            (_("Line"), _("Number"), _("What is wrong"), _("Row")),
            [(str(each.line), each.number, what, each.row) for each, what in wrong],
        )
        terminal.say(
            _("Numbers: {n}, wrong: {wrong}").format(n=number_text(report.numbers), wrong=number_text(len(wrong)))
        )
    if wrong:
        context.exit(ExitCode.REFUSED)


def _tell(
    terminal: Terminal, known: Reference, found: Substance, asked: tuple[str, ...], on: date, known_at: date | None
) -> None:
    terminal.say(found.name(lang()), "bold")
    rows = [
        (_("Code"), found.id),
        (_("Names"), ", ".join(dict.fromkeys((*found.names.values(), found.inn))).strip(", ")),
        (_("Synonyms"), ", ".join(found.synonyms)),
        (_("Street names"), ", ".join(found.street)),
        ("CAS", reference.with_standing(found.cas, found.evidence, lang())),
        ("HS", f"{', '.join(found.hs)} ({standing_text(found.hs_evidence)})" if found.hs else ""),
        (_("Group"), _group(found)),
        (_("Note"), found.note.get(lang(), "")),
        (_("Source"), shown(found.evidence)),
    ]
    terminal.pairs([(label, text) for label, text in rows if text])
    status = reference.international(known, found.id, on, known_at)
    listed = [(each, _effect(each)) for each in status.entries]
    listed += [(each, _("not recorded for this day")) for each in status.undated]
    terminal.table(
        (_("Schedule"), _("Decided"), _("Communicated"), _("In effect"), _("Source")),
        [
            (
                each.schedule_name(lang()),
                day_text(each.decided),
                day_text(each.communicated),
                effect,
                shown(each.evidence),
            )
            for each, effect in listed
        ],
    )
    if status.listing is Listing.NOT_LISTED:
        terminal.note(_("Not under international control."))
    elif status.listing is Listing.NOT_RECORDED:
        terminal.note(_("No international control is recorded for this day."))
    statuses = [reference.status(known, found.id, state, on, known_at) for state in asked]
    terminal.table(
        (_("Where"), _("Status on {day}").format(day=date_text(on))),
        [(each.state, each.text(lang())) for each in statuses],
    )
    for act in dict.fromkeys(listed.act for each in statuses for _control, listed in each.controls):
        found_act = known.acts[act]
        if found_act.evidence.standing is Standing.DOUBTFUL:
            terminal.warn(f"{found_act.titles[lang()]}: {standing_text(found_act.evidence)}")


def _effect(found: InternationalControl) -> str:
    """Return since when an entry is in effect, or for which day at the earliest that is known."""
    if found.attested and not found.valid.begin:
        return _("by {day} at the latest").format(day=day_text(found.attested))
    return days(found.valid)


def _group(found: Substance) -> str:
    return " / ".join(
        code_text(codes, code, lang())
        for codes, code in (("drug_group", found.drug_group), ("drug_type", found.drug_type))
        if code
    )


def _as_object(
    known: Reference, found: Substance, asked: tuple[str, ...], on: date, known_at: date | None
) -> dict[str, object]:
    return {
        "id": found.id,
        "names": dict(found.names),
        "inn": found.inn,
        "synonyms": list(found.synonyms),
        "street": list(found.street),
        "cas": list(found.cas),
        "hs": list(found.hs),
        "hs_evidence": as_object(found.hs_evidence) if found.hs else None,
        "drug_group": found.drug_group,
        "drug_type": found.drug_type,
        "note": dict(found.note),
        **as_object(found.evidence),
        "international": _international_object(reference.international(known, found.id, on, known_at)),
        "national": [status_object(known, reference.status(known, found.id, state, on, known_at)) for state in asked],
    }


def _international_object(found: InternationalStatus) -> dict[str, object]:
    def entry(control: InternationalControl) -> dict[str, object]:
        return {
            "schedule": control.schedule,
            "decided": control.decided,
            "communicated": control.communicated,
            "attested": control.attested,
            **span_object(control.valid),
            **as_object(control.evidence),
        }

    return {
        "listing": found.listing.value,
        "in_effect": [entry(each) for each in found.entries],
        "undated": [entry(each) for each in found.undated],
    }


def status_object(known: Reference, found: ControlStatus) -> dict[str, object]:
    """Return a status for JSON."""
    return {
        "state": found.state,
        "listing": found.listing.value,
        "text": found.text(lang()),
        "controls": [
            {
                "list": listed.id,
                "name": dict(listed.titles),
                "regime": listed.regime.value,
                "act": {**known.acts[listed.act].titles, **as_object(known.acts[listed.act].evidence)},
                "concentration_percent": control.concentration_percent,
                "thresholds": [{"code": each.code, "milligrams": each.milligrams} for each in control.thresholds],
                "thresholds_act": control.thresholds_act,
                **span_object(control.valid),
                **as_object(control.evidence),
            }
            for control, listed in found.controls
        ],
    }


def _report_object(report: Consistency) -> dict[str, object]:
    return {
        "on": report.on.isoformat(),
        "known_at": report.known_at,
        "states": list(report.states),
        "incomplete": list(report.incomplete),
        "records": report.records,
        "unverified": report.unverified,
        "findings": [
            {
                "difference": each.difference.value,
                "substance": each.substance,
                "states": list(each.states),
                "schedules": list(each.schedules),
                "regimes": {state: [regime.value for regime in regimes] for state, regimes in each.regimes},
            }
            for each in report.findings
        ],
    }


def _finding_row(known: Reference, found: Finding) -> tuple[str, ...]:
    regimes = "; ".join(
        f"{state}: {', '.join(regime.text(lang()) for regime in regimes)}" for state, regimes in found.regimes
    )
    return (
        known.substances[found.substance].name(lang()),
        found.difference.text(lang()),
        ", ".join(found.states),
        ", ".join(found.schedules),
        regimes,
    )
