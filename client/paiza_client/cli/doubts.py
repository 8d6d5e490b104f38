"""Before a message goes out, its author confirms what is probably a slip."""

import sys
from collections.abc import Sequence

from paiza_cli.confirmation import confirm
from paiza_client.cli.terminal import Terminal
from paiza_client.compose.composer import field_problem
from paiza_client.language import _
from paiza_client.sdk import doubts
from paiza_client.sdk.drafts import Prepared
from paiza_officer.errors import FieldProblem, Refused


def warn(terminal: Terminal, prepared: Prepared) -> tuple[FieldProblem, ...]:
    """Print what is probably a slip, and return it."""
    found = _find(terminal, prepared)
    tell(terminal, found)
    return found


def tell(terminal: Terminal, found: Sequence[FieldProblem]) -> None:
    """Print what is to be confirmed."""
    for each in found:
        place = each.place or each.where
        terminal.warn(_("Please check {place}: {what}").format(place=place, what=each.what) if place else each.what)


def _find(terminal: Terminal, prepared: Prepared) -> tuple[FieldProblem, ...]:
    found = doubts.find(terminal.profile(), prepared)
    return tuple(field_problem(prepared.source, each, prepared.kind) for each in found)


def settle(terminal: Terminal, prepared: Prepared, *, yes: bool | None) -> None:
    """Print what is probably a slip and have it confirmed, as `confirm_found`."""
    confirm_found(terminal, prepared.source, _find(terminal, prepared), yes=yes)


def confirm_found(terminal: Terminal, source: str, found: Sequence[FieldProblem], *, yes: bool | None) -> None:
    """Print what is warned of and have it confirmed: by ``yes``, or on a terminal by an answer.

    Refused("unconfirmed") with the warnings where nobody can be asked and ``yes`` is False, ("interrupted") where the
    answer is no.
    """
    if not found:
        return
    nobody = terminal.wants_json or not (sys.stdin.isatty() and sys.stderr.isatty())
    if nobody and yes is False:
        raise Refused("unconfirmed", source, problems=found)
    tell(terminal, found)
    if not yes and not nobody and not confirm(_("Send it all the same?")):
        raise Refused("interrupted", source)
