"""The values in the sentence of a breach: codes and ISO times as they travel, and the text of each for a reader."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Final

from paiza_domain import formatting
from paiza_domain.i18n import N_, translate
from paiza_domain.schema.quantity import AmountError, parse_amount
from paiza_domain.schema.reading import code_text

_SIDES: Final[Mapping[str, str]] = MappingProxyType({
    "before": N_("before the substitution"),
    "after": N_("after the substitution"),
})  # fmt: skip


def time_value(time: datetime) -> str:
    """Return a time as it travels: ISO 8601 in UTC, to the minute."""
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%MZ")


def period_value(begin: datetime, end: datetime) -> str:
    """Return a period as it travels: an ISO 8601 interval in UTC."""
    return f"{time_value(begin)}/{time_value(end)}"


def shown(name: str, value: str, lang: str) -> str:
    """Return the value of this name for a reader; a value that cannot be read stands as it is."""
    try:
        return _READERS[name](value, lang) if name in _READERS else value
    except (ValueError, AmountError):
        return value


def _time(value: str, lang: str) -> str:
    return f"{formatting.time_text(datetime.fromisoformat(value).astimezone(UTC), lang)} UTC"


def _period(value: str, lang: str) -> str:
    begin, end = (formatting.time_text(datetime.fromisoformat(each).astimezone(UTC), lang) for each in value.split("/"))
    return f"{begin} – {end} UTC"


def _quantity(value: str, lang: str) -> str:
    amount, unit = value.split(" ")
    return formatting.amount_text(parse_amount(amount), unit, lang)


def _mode(value: str, lang: str) -> str:
    return code_text("cd_substitution", value, lang)


def _side(value: str, lang: str) -> str:
    return translate(_SIDES[value], lang) if value in _SIDES else value


_READERS: Final[Mapping[str, Callable[[str, str], str]]] = MappingProxyType({
    "time": _time,
    "covered": _period,
    "needed": _period,
    "quantity": _quantity,
    "mode": _mode,
    "what": _side,
})  # fmt: skip
