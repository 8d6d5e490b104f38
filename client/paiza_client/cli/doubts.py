"""Before a message goes out, its author confirms what is probably a slip."""

import sys

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
    for each in found:
        terminal.warn(_("Please check {place}: {what}").format(place=each.place, what=each.what))
    return found


def _find(terminal: Terminal, prepared: Prepared) -> tuple[FieldProblem, ...]:
    found = doubts.find(terminal.profile(), prepared)
    return tuple(field_problem(prepared.source, each, prepared.kind) for each in found)


def settle(terminal: Terminal, prepared: Prepared, *, yes: bool | None) -> None:
    """Print what is probably a slip and have it confirmed: by ``yes``, or on a terminal by an answer.

    Refused("unconfirmed") with the warnings where nobody can be asked and ``yes`` is False, ("interrupted") where the
    answer is no.
    """
    nobody = terminal.wants_json or not (sys.stdin.isatty() and sys.stderr.isatty())
    if nobody and yes is False and (unconfirmed := _find(terminal, prepared)):
        raise Refused("unconfirmed", prepared.source, problems=unconfirmed)
    found = warn(terminal, prepared)
    if found and not yes and not nobody and not confirm(_("Send it all the same?")):
        raise Refused("interrupted", prepared.source)
