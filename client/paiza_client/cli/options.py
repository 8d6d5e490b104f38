"""Options that several commands share, and how their values are read."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeVar

import click
from typing_extensions import override

from paiza_cli.language import LANGUAGES
from paiza_client.cli.terminal import Terminal
from paiza_client.language import N_, _

_F = TypeVar("_F", bound=Callable[..., Any])

_AGO: Final = re.compile(r"(?P<count>[1-9][0-9]{0,3})(?P<unit>[mhdw])\Z")
_UNITS: Final = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}


class TimeParameter(click.ParamType[datetime]):
    """A time in the past: 2026-11-23, 2026-11-23T14:30+05:00 (local time where no zone is given), or 8h, 3d, 2w ago."""

    name = "time"

    @override
    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Return an aware time."""
        if isinstance(value, datetime):
            return value
        if ago := _AGO.match(str(value)):
            return datetime.now(UTC) - int(ago["count"]) * _UNITS[ago["unit"]]
        try:
            return datetime.fromisoformat(str(value)).astimezone(UTC)
        except (ValueError, OverflowError):
            self.fail(
                _("{value!r} is not a time such as 2026-11-23, 2026-11-23T14:30+05:00 or 3d.").format(value=value),
                param,
                ctx,
            )


def _remember(name: str) -> Callable[[click.Context, click.Parameter, Any], Any]:
    """Return a callback that puts an option into the command's surroundings, wherever on the line it stands."""

    def callback(context: click.Context, _parameter: click.Parameter, value: Any) -> Any:
        if value:
            setattr(context.ensure_object(Terminal), name, value)
        return value

    return callback


def shared(command: _F) -> _F:
    """Add --profile, --lang and --json, which may stand before or after the command's name."""
    for option in (
        click.option(
            "--json", is_flag=True, expose_value=False, callback=_remember("wants_json"), help=N_("Print JSON.")
        ),
        click.option(
            "--lang",
            type=click.Choice(LANGUAGES),
            expose_value=False,
            help=N_("Language: ru or en. Else PAIZA_LANG, the profile's, or the system's."),
        ),
        click.option(
            "--profile",
            metavar="NAME",
            expose_value=False,
            callback=_remember("profile_name"),
            help=N_("Who acts, at which node. Else PAIZA_PROFILE, or the only profile there is."),
        ),
    ):
        command = option(command)
    return command


def split(values: tuple[str, ...]) -> list[str]:
    """Read a list given with commas, by repeating the option, or both."""
    return [word.strip() for value in values for word in value.split(",") if word.strip()]
