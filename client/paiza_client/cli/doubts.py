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
    found = tuple(
        field_problem(prepared.source, each, prepared.kind) for each in doubts.find(terminal.profile(), prepared)
    )
    for each in found:
        terminal.warn(_("Please check {place}: {what}").format(place=each.place, what=each.what))
    return found


def settle(terminal: Terminal, prepared: Prepared, *, yes: bool | None) -> None:
    """Print what is probably a slip and have it confirmed: by ``yes``, or on a terminal by an answer.

    Refused("unconfirmed") with the warnings where nobody can be asked and ``yes`` is False, ("interrupted") where the
    answer is no.
    """
    found = warn(terminal, prepared)
    if not found or yes:
        return
    if terminal.wants_json or not (sys.stdin.isatty() and sys.stderr.isatty()):
        if yes is None:
            return
        raise Refused("unconfirmed", prepared.source, problems=found)
    if not confirm(_("Send it all the same?")):
        raise Refused("interrupted", prepared.source)
