"""Shared parts of the commands on reference data: the data in use, queried days and states, evidence in words."""

from datetime import date
from typing import Final

import click
from typing_extensions import override

from paiza_client.cli.options import split
from paiza_client.cli.terminal import Terminal, lang, run
from paiza_client.language import _, date_text
from paiza_client.local.reference_data import ReferenceData
from paiza_client.sdk import reference
from paiza_domain.codes import lookup
from paiza_domain.reference import Standing
from paiza_domain.reference.model import Evidence, Period
from paiza_domain.schema.field_checks import unknown_code
from paiza_domain.schema.field_errors import FieldError
from paiza_officer.errors import misused

_LOOK_UP: Final = "show"

MAX_SHOWN: Final = 10  # wrong records told; the coordinator sees them all with paiza-trust reference check


class DefaultShow(click.Group):
    """A group in which `show` is meant if the first word is no subcommand: `substance NAME`, `law kaz tjk`."""

    @override
    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if args and not {*self.commands, *ctx.help_option_names} & set(args):
            args = [_LOOK_UP, *args]
        return super().parse_args(ctx, args)


def data(terminal: Terminal) -> ReferenceData:
    """Return the reference data of the newest register; without the node, those of the one verified last."""
    known = run(reference.in_use(terminal.session, terminal.profile()))
    if known.away is not None:
        terminal.warn(
            _("The node is away ({reason}): these are the data of the register verified last.").format(
                reason=known.away.reason
            )
        )
    found = known.data
    if found.reference.problems:
        terminal.warn(_("Some reference data of the register cannot be used and are left out:"))
        for each in found.reference.problems[:MAX_SHOWN]:
            terminal.warn(f"  {each.path}: {each.message(lang())}")
    return found


def state_id(text: str) -> str:
    """Return the id of a state from its code or its name in either language; another text in small letters."""
    return (lookup.find("country", text.strip()) or text.strip()).lower()


def known_state(text: str) -> str:
    """Return the id of a state from its code or its name in either language; Misused with the nearest for another."""
    code = lookup.find("country", text.strip())
    if not code:
        raise misused(text, FieldError("", *unknown_code(text.strip(), "country")).message(lang()))
    return code.lower()


def states(values: tuple[str, ...], otherwise: tuple[str, ...]) -> tuple[str, ...]:
    """Read the states asked about."""
    return tuple(dict.fromkeys(known_state(each) for each in split(values))) or otherwise


def days(span: Period) -> str:
    """Show a span of days."""
    begin, end = (day_text(each) if each else "…" for each in (span.begin, span.end))
    return f"{begin} – {end}" if span.begin or span.end else ""


def day_text(text: str) -> str:
    """Return a day as the language in use writes it; a year or a month stands as it is."""
    return date_text(date.fromisoformat(text)) if len(text) == len("2026-11-23") else text


def shown(evidence: Evidence) -> str:
    """Show where a record comes from, and how far it can be believed."""
    return f"{evidence.source} ({standing_text(evidence)})"


def standing_text(evidence: Evidence) -> str:
    """Show how far a record can be believed: the day of comparison, or what contradicts it."""
    word = evidence.standing.text(lang())
    if evidence.standing is Standing.DOUBTFUL:
        return f"{word}: {evidence.doubt.get(lang()) or next(iter(evidence.doubt.values()))}"
    return f"{word}, {day_text(evidence.compared)}" if evidence.compared else word


def as_object(evidence: Evidence) -> dict[str, object]:
    """Return it for JSON."""
    return {
        "source": evidence.source,
        "standing": evidence.standing.value,
        "compared": evidence.compared,
        "doubt": dict(evidence.doubt),
    }


def span_object(span: Period) -> dict[str, str]:
    """Return days for JSON; empty where not known or open."""
    return {"from": span.begin, "to": span.end}
