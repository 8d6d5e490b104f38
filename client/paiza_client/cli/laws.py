"""Commands on the law between states: profile, law, border."""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from itertools import groupby
from typing import Final

import click

from paiza_client.cli.options import DayParameter, shared
from paiza_client.cli.reference import (
    DefaultShow,
    as_object,
    data,
    day_text,
    days,
    known_state,
    shown,
    span_object,
    standing_text,
    state_id,
    states,
)
from paiza_client.cli.terminal import Terminal, current_terminal, lang
from paiza_client.language import N_, _
from paiza_domain import reference
from paiza_domain.reference import BorderPoint, Profile, Ratification, SharedBasis
from paiza_domain.reference.model import Provision
from paiza_domain.schema.reading import code_text
from paiza_officer.errors import Refused, misused

_SUBSTITUTION: Final = {
    "lawful": N_("lawful"),
    "unlawful": N_("unlawful"),
    "case-by-case": N_("decided case by case"),
    "unknown": N_("not stated"),
}
_CROSSINGS: Final = {
    "road": N_("road"),
    "rail": N_("rail"),
    "river": N_("river"),
    "sea": N_("sea"),
    "air": N_("air"),
}
_SUBJECTS: Final = {
    "controlled-delivery": N_("controlled delivery"),
    "cooperation": N_("cooperation"),
    "legal-assistance": N_("legal assistance"),
    "pre-export-notification": N_("pre-export notification"),
    "scheduling": N_("decisions on schedules"),
}
"""Names of the subjects of provisions; a subject that is not here is shown as it is published."""

_ACTS: Final = {
    "ratification": N_("ratification"),
    "accession": N_("accession"),
    "acceptance": N_("acceptance"),
    "approval": N_("approval"),
    "succession": N_("succession"),
    "signature": N_("signature"),
    "party": N_("party, act not recorded"),
}


@click.command(help=N_("Show what a member says about its practice: who authorises, substitution, notice, hours."))
@click.argument("member")
@shared
def profile(*, member: str) -> None:
    """Show a profile."""
    terminal = current_terminal()
    known = data(terminal)
    found = known.reference.profiles.get(state_id(member))
    if found is None and state_id(member) in known.members:
        terminal.note(_("{member} has published no profile yet.").format(member=state_id(member)))
        if terminal.wants_json:
            terminal.json(None)
        return
    if found is None:
        raise Refused("unknown_member", member)
    if terminal.wants_json:
        terminal.json(_profile_object(found))
        return
    rows = [
        (_("Member"), found.member),
        (_("Coordinating authority"), found.authority[lang()]),
        (_("Hours"), found.hours[lang()]),
        (_("Languages"), ", ".join(found.languages)),
        (_("A controlled delivery is authorised by"), found.authorised_by[lang()]),
        (_("Substitution"), _(_SUBSTITUTION[found.substitution])),
        (_("Notice needed, hours"), str(found.notice_hours)),
        (_("Conditions"), found.conditions.get(lang(), "")),
        *((_("Level {n}").format(n=level), names[lang()]) for level, names in sorted(found.classification.items())),
        (_("Source"), shown(found.evidence)),
    ]
    terminal.pairs([(label, text) for label, text in rows if text])


@click.group("law", cls=DefaultShow, help=N_("Show the law that states share, and who is bound by which treaty."))
@shared
def law() -> None:
    """Show the law between states."""


@law.command("show", help=N_("Show the legal bases that two states share, and what each requires of the SUBJECT."))
@click.argument("first", metavar="STATE")
@click.argument("second", metavar="STATE")
@click.argument("subject", required=False, default="")
@click.option("--on", type=DayParameter(), default=None, help=N_("The law of this day; else of today."))
@shared
def show(*, first: str, second: str, subject: str, on: date | None) -> None:
    """Show shared legal bases."""
    terminal = current_terminal()
    known = data(terminal).reference
    subjects = reference.subjects(known)
    if subject and subject not in subjects:
        raise misused(subject, _("subjects: {names}").format(names=", ".join(subjects)))
    pair = (known_state(first), known_state(second))
    found = reference.shared_bases(known, pair, subject, on or datetime.now(UTC).date())
    if terminal.wants_json:
        terminal.json({"states": list(pair), "subject": subject, "bases": [_basis_object(each) for each in found]})
        return
    if not found:
        terminal.note(_("No shared legal basis is recorded."))
    for each in found:
        _tell_basis(terminal, each, pair)


@law.command(help=N_("Show who has signed and ratified which treaty, since when it binds, reservations, and the gaps."))
@click.option("--in", "within", multiple=True, metavar="STATES", help=N_("Only these states: kaz,tjk."))
@click.option("--on", type=DayParameter(), default=None, help=N_("The law of this day; else of today."))
@shared
def ratification(*, within: tuple[str, ...], on: date | None) -> None:
    """Show the position of states towards treaties."""
    terminal = current_terminal()
    known = data(terminal).reference
    asked = states(within, reference.participants(known))
    found = reference.ratifications(known, asked, on or datetime.now(UTC).date())
    if terminal.wants_json:
        terminal.json([_ratification_object(each) for each in found])
        return
    shown_rows = [each for each in found if each.record is not None or within]
    if not shown_rows:
        terminal.note(_("No treaty is recorded."))
    for _treaty, group in groupby(shown_rows, key=lambda each: each.basis.id):
        _tell_ratification(terminal, list(group))
    for each in found:
        if each.is_gap:
            text = _("Gap: {state}, {treaty}: {position}.")
            terminal.warn(
                text.format(state=each.state, treaty=each.basis.titles[lang()], position=each.standpoint.text(lang()))
            )


@click.command(help=N_("List the border crossing points of a state, or those between two states (our own list)."))
@click.argument("first", metavar="STATE")
@click.argument("second", metavar="[STATE]", required=False, default="")
@shared
def border(*, first: str, second: str) -> None:
    """List crossing points."""
    terminal = current_terminal()
    found = reference.crossings(data(terminal).reference, known_state(first), known_state(second))
    if terminal.wants_json:
        terminal.json([_point_object(each) for each in found])
        return
    terminal.table(
        (_("Border"), _("Crossing point"), _("Way across"), _("Code"), "UN/LOCODE", _("Source")),
        [
            (
                " – ".join(code_text("country", country.upper(), lang()) for country in each.countries),
                each.name(lang()),
                _(_CROSSINGS[each.kind]),
                each.id,
                ", ".join(code for code in each.locodes if code),
                shown(each.evidence),
            )
            for each in found
        ],
        empty=_("No crossing points are recorded."),
    )


def _tell_basis(terminal: Terminal, found: SharedBasis, pair: tuple[str, ...]) -> None:
    basis = found.basis
    terminal.say(basis.titles[lang()], "bold")
    rows = [(_("Code"), basis.id), (_("In force"), days(basis.valid))]
    rows += [
        (
            _("{state} bound").format(state=state),
            f"{days(party.valid)} ({standing_text(party.evidence)})".strip(),
        )
        for state, party in ((state, basis.parties[state]) for state in pair)
    ]
    rows += [(_about(each), each.requires[lang()]) for each in found.provisions]
    rows.append((_("Source"), shown(basis.evidence)))
    terminal.pairs([(label, text) for label, text in rows if text])
    terminal.say()


def _tell_ratification(terminal: Terminal, found: Sequence[Ratification]) -> None:
    """Print the positions towards one treaty, then the reservations, then each source once."""
    terminal.say(found[0].basis.titles[lang()], "bold")
    terminal.table(
        (_("Where"), _("Position"), _("Signed"), _("Deposited"), _("In force"), _("Verified")),
        [_ratification_row(each) for each in found],
    )
    records = [each.record for each in found if each.record is not None]
    reservations = [
        (_("Reservations of {state}").format(state=each.state), each.reservations.get(lang()) or _("not recorded"))
        for each in records
        if each.act or each.signed
    ]
    sources = [(_("Source"), source) for source in dict.fromkeys(each.evidence.source for each in records)]
    terminal.pairs(reservations + sources)
    terminal.say()


def _ratification_row(found: Ratification) -> tuple[str, ...]:
    record = found.record
    head = (found.state, found.standpoint.text(lang()))
    if record is None:
        return (*head, "", "", "", "")
    deposited = " ".join(
        each for each in (_(_ACTS[record.act]) if record.act else "", day_text(record.deposited)) if each
    )
    return (*head, day_text(record.signed), deposited, days(record.valid), standing_text(record.evidence))


def _ratification_object(found: Ratification) -> dict[str, object]:
    record = found.record
    return {
        "treaty": found.basis.id,
        "state": found.state,
        "position": found.standpoint.value,
        "gap": found.is_gap,
        "record": record
        and {
            "signed": record.signed,
            "act": record.act,
            "deposited": record.deposited,
            **span_object(record.valid),
            "reservations": dict(record.reservations),
            **as_object(record.evidence),
        },
    }


def _about(provision: Provision) -> str:
    subject = _(_SUBJECTS.get(provision.subject, provision.subject))
    return _("{subject}, article {n}").format(subject=subject, n=provision.article) if provision.article else subject


def _basis_object(found: SharedBasis) -> dict[str, object]:
    basis = found.basis
    return {
        "id": basis.id,
        "titles": dict(basis.titles),
        **span_object(basis.valid),
        "parties": sorted(basis.parties),
        "provisions": [
            {"subject": each.subject, "article": each.article, "requires": dict(each.requires)}
            for each in found.provisions
        ],
        **as_object(basis.evidence),
    }


def _point_object(found: BorderPoint) -> dict[str, object]:
    return {
        "id": found.id,
        "kind": found.kind,
        "sides": [
            {"country": country, "names": dict(names), "locode": locode}
            for country, names, locode in zip(found.countries, found.sides, found.locodes, strict=True)
        ],
        "note": found.note,
        **as_object(found.evidence),
    }


def _profile_object(found: Profile) -> dict[str, object]:
    return {
        "member": found.member,
        "authority": dict(found.authority),
        "hours": dict(found.hours),
        "languages": list(found.languages),
        "controlled_delivery": {
            "authorised_by": dict(found.authorised_by),
            "substitution": found.substitution,
            "notice_hours": found.notice_hours,
            "conditions": dict(found.conditions),
        },
        "classification": {str(level): dict(names) for level, names in sorted(found.classification.items())},
        **as_object(found.evidence),
    }
