"""Options that several commands share, and how their values are read."""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final, NoReturn, TypeVar

import click
from click.shell_completion import CompletionItem
from typing_extensions import override

from paiza_cli.language import LANGUAGES
from paiza_client.cli.terminal import Terminal, lang
from paiza_client.language import N_, _, in_every_language
from paiza_client.local import reference_data
from paiza_domain import codes, kinds
from paiza_domain.codes import lookup
from paiza_domain.drafts.members import UNKNOWN
from paiza_domain.schema import partial_times
from paiza_domain.schema.field_checks import unknown_code
from paiza_domain.schema.field_errors import FieldError
from paiza_officer.errors import misused
from paiza_wire.errors import PaizaError

_F = TypeVar("_F", bound=Callable[..., Any])

_AGO: Final = re.compile(r"(?P<count>[1-9][0-9]{0,3})(?P<unit>[mhdw])\Z")
_DAY: Final = re.compile(r"(?P<day>[0-3][0-9])\.(?P<month>[01][0-9])\.(?P<year>[0-9]{4})(?P<rest>[ T].*)?\Z")
_UNITS: Final = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}


class CodeParameter(click.ParamType[str]):
    """An entry of a code list, by code or by name in either language; several, where ``several``, with commas."""

    name = "code"

    def __init__(self, list_name: str, *, several: bool = False) -> None:
        self._list = list_name
        self._several = several

    @override
    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the code, or the codes with commas."""
        if not value:
            return ""
        if code := lookup.find(self._list, str(value).strip()):
            return code
        words = split((str(value),)) if self._several else [str(value).strip()]
        return ",".join(lookup.find(self._list, each) or self._refuse(each, param, ctx) for each in words)

    def _refuse(self, word: str, param: click.Parameter | None, ctx: click.Context | None) -> NoReturn:
        self.fail(FieldError("", *unknown_code(word, self._list)).message(lang()), param, ctx)

    @override
    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Complete codes."""
        return [CompletionItem(each) for each in codes.load(self._list) if each.startswith(incomplete)]


class MembersParameter(click.ParamType[str]):
    """Members with commas, each by id, by name in either language, or by its state; one that is unknown stays."""

    name = "members"

    @override
    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the ids with commas; a text that names no member unchanged, for the command to refuse."""
        if not value or ctx is None:
            return str(value)
        try:
            known = reference_data.members(ctx.ensure_object(Terminal).profile())
        except PaizaError:  # without a profile: the command says so if it needs one
            known = UNKNOWN
        whole = known.find(str(value))
        return whole if whole != value else ",".join(known.find(each) for each in split((str(value),)))


class MemberParameter(MembersParameter):
    """One member, by id, by name in either language, or by its state; refused where the register knows no such one."""

    name = "member"

    @override
    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the id; a text as it is where no register is known yet."""
        found = super().convert(value, param, ctx)
        if not found or ctx is None:
            return found
        try:
            problem = reference_data.members(ctx.ensure_object(Terminal).profile()).problem(found, lang())
        except PaizaError:  # without a profile: the command says so
            return found
        if problem:
            self.fail(FieldError("", *problem).message(lang()), param, ctx)
        return found


class WordParameter(click.Choice[str]):
    """One of a few words, by itself or by a name of it or a word of one, in either language; the words are the keys."""

    def __init__(self, names: Mapping[str, Sequence[str]]) -> None:
        """Store the names of each word, marked texts."""
        super().__init__(tuple(names))
        self._names = names

    @override
    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the word; a name of several words is refused as one of none."""
        wanted = lookup.name_key(str(value))
        known = {
            word: {lookup.name_key(text) for each in names for text in in_every_language(each)}
            for word, names in self._names.items()
        }
        found = [word for word, names in known.items() if wanted in names]
        found = found or [word for word, names in known.items() if any(wanted in each.split() for each in names)]
        return super().convert(found[0] if len(found) == 1 and value not in self._names else value, param, ctx)


class KindParameter(click.ParamType[str]):
    """A kind of message, by its name or title, or by a unique beginning of its name."""

    name = "kind"

    @override
    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the name of the kind."""
        found = kinds.named(str(value).strip()) if value else [""]
        if len(found) != 1:
            self.fail(kinds.unknown(str(value).strip(), lang()).message(lang()), param, ctx)
        return found[0]

    @override
    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Complete names."""
        return [CompletionItem(each) for each in kinds.all_kinds() if each.startswith(incomplete)]


class TimeParameter(click.ParamType[datetime]):
    """A time in the past: 2026-11-23, 23.11.2026, 2026-11-23T14:30+05:00 (local time without a zone), or 8h, 3d, 2w."""

    name = "time"

    @override
    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Return an aware time."""
        if isinstance(value, datetime):
            return value
        if ago := _AGO.match(str(value)):
            return datetime.now(UTC) - int(ago["count"]) * _UNITS[ago["unit"]]
        try:
            return datetime.fromisoformat(partial_times.iso_date(str(value).strip())).astimezone(UTC)
        except (ValueError, OverflowError):
            malformed = _("{value!r} is not a time such as 2026-11-23, 23.11.2026, 2026-11-23T14:30+05:00 or 3d.")
            self.fail(not_a_time(str(value), malformed), param, ctx)


def not_a_time(text: str, malformed: str) -> str:
    """Return why a text is no time: that there is no such day, or ``malformed`` with the text in its ``value``."""
    code, values = partial_times.problem(text.strip(), "")
    known = code == "date_impossible"
    return FieldError("", code, values).message(lang()) if known else malformed.format(value=text)


class DayParameter(click.ParamType[date]):
    """A calendar day: 2026-11-23 or 23.11.2026."""

    name = "day"

    @override
    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> date:
        """Return the day."""
        if isinstance(value, date):
            return value
        try:
            return date.fromisoformat(partial_times.iso_date(str(value).strip()))
        except ValueError:
            self.fail(not_a_time(str(value), _("{value!r} is not a day such as 2026-11-23 or 23.11.2026.")), param, ctx)


class UntilParameter(click.ParamType[datetime]):
    """A time in the future: 2026-12-31 (to the end of that day), 2026-12-31T18:00, or 8h, 3d, 2w from now.

    Local time where no zone is given.
    """

    name = "time"

    @override
    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Return an aware time."""
        if isinstance(value, datetime):
            return value
        text = str(value)
        if span := _AGO.match(text):
            return datetime.now(UTC) + int(span["count"]) * _UNITS[span["unit"]]
        try:
            if day := _DAY.match(text):
                text = "{}-{}-{}".format(*(day.group(each) for each in ("year", "month", "day"))) + (day["rest"] or "")
            found = datetime.fromisoformat(text.strip())
            if len(text.strip()) == len("2026-12-31"):
                found += timedelta(days=1)
            found = found.astimezone(UTC)
        except (ValueError, OverflowError):
            self.fail(
                _("{value!r} is not a time such as 2026-12-31, 2026-12-31T18:00+05:00 or 3d.").format(value=value),
                param,
                ctx,
            )
        if found <= datetime.now(UTC):
            self.fail(FieldError("", "in_past").message(lang()), param, ctx)
        return found


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
            callback=_remember("named_language"),
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


def check_period(since: datetime | None, until: datetime | None) -> None:
    """Raise Misused for a period that ends before it begins: nothing can be in it."""
    if since is not None and until is not None and until <= since:
        raise misused("--until", FieldError("", "period_reversed").message(lang()))


def split(values: tuple[str, ...]) -> list[str]:
    """Read a list given with commas, by repeating the option, or both."""
    return [word.strip() for value in values for word in value.split(",") if word.strip()]
