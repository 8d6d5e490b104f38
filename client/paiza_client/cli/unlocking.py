"""Commands about the opened keys of a profile: an agent holds them for a while, so that no command asks."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import click
from typing_extensions import override

from paiza_client.cli.options import shared
from paiza_client.cli.terminal import current_terminal
from paiza_client.language import N_, _, time_text
from paiza_officer.agent import client
from paiza_officer.agent.start import MAX_TIME, start

_LENGTH: Final = re.compile(r"(?P<count>[1-9][0-9]{0,3})(?P<unit>[mh])\Z")
_UNITS: Final = {"m": timedelta(minutes=1), "h": timedelta(hours=1)}


class LengthParameter(click.ParamType[timedelta]):
    """A length of time: 30m, 8h."""

    name = "length"

    @override
    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        """Return the length."""
        if isinstance(value, timedelta):
            return value
        found = _LENGTH.match(str(value))
        if found and (length := int(found["count"]) * _UNITS[found["unit"]]) <= MAX_TIME:
            return length
        return self.fail(
            _("{value!r} is not a length such as 30m or 8h, of at most 12h.").format(value=value), param, ctx
        )


@click.command(
    help=N_(
        "Open the keys of your profile for a while: until then no command asks for your passphrase. A process of its "
        "own holds them, and ends at the end of the time, at: paiza lock, and with the computer."
    )
)
@click.option(
    "--for",
    "length",
    type=LengthParameter(),
    default="30m",
    show_default=True,
    metavar="TIME",
    help=N_("For how long: 30m, 8h."),
)
@shared
def unlock(*, length: timedelta) -> None:
    """Open the keys."""
    terminal = current_terminal()
    profile = terminal.profile()
    start(profile, length, terminal.passphrase, terminal.pin)
    until = datetime.now(UTC) + length
    if terminal.wants_json:
        terminal.json({"profile": profile.name, "until": until})
    else:
        text = _("The keys of {profile} are open until {time}. Close them before with: paiza lock")
        terminal.say(text.format(profile=profile.name, time=time_text(until)))


@click.command(help=N_("Close the keys that were opened with: paiza unlock. Commands ask for your passphrase again."))
@shared
def lock() -> None:
    """Close the keys."""
    terminal = current_terminal()
    profile = terminal.profile()
    closed = client.lock(profile.folder)
    if terminal.wants_json:
        terminal.json({"profile": profile.name, "closed": closed})
    elif closed:
        terminal.say(_("The keys of {profile} are closed.").format(profile=profile.name))
    else:
        terminal.say(_("The keys of {profile} were not open.").format(profile=profile.name))
