"""The operator's language. The node's log is English only, for programs."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Final

from paiza_cli.language import Catalogue, Language
from paiza_domain import formatting
from paiza_node.core.errors import N_

LOCALES: Final = Path(__file__).parent / "locale"

_CATALOGUE: Final = Catalogue("paiza_node", LOCALES)

use = _CATALOGUE.use
_ = _CATALOGUE.gettext
ngettext = _CATALOGUE.ngettext


def language() -> Language:
    """Return the language in use."""
    return _CATALOGUE.language


def number_text(value: int | Decimal) -> str:
    """Return a number as the language in use writes it."""
    return formatting.number_text(value, _CATALOGUE.language)


def span_text(span: timedelta) -> str:
    """Return the length of a span of time in its largest unit."""
    return formatting.span_text(span, _CATALOGUE.language)


def time_text(time: datetime) -> str:
    """Return a time in UTC, to the second."""
    return f"{formatting.time_text(time.astimezone(UTC), _CATALOGUE.language, seconds=True)} UTC"


PLACEHOLDERS: Final = (
    N_("ACTION"),
    N_("ACTOR"),
    N_("ARGS"),
    N_("COMMAND"),
    N_("COUNT"),
    N_("EVENT"),
    N_("FILE"),
    N_("FILES"),
    N_("KEYFILE"),
    N_("MEMBER"),
    N_("MESSAGE"),
    N_("NAME"),
    N_("NUMBER"),
    N_("OPTIONS"),
    N_("ROLE"),
    N_("ROLES"),
    N_("TEXT"),
    N_("TIME"),
    N_("UNIT"),
    N_("WORDS"),
)
"""The words that stand for values in the help of commands; they are translated one by one."""

SYSTEM_ERRORS: Final = (
    N_("No such file or directory"),
    N_("Permission denied"),
    N_("File exists"),
    N_("Is a directory"),
    N_("Not a directory"),
    N_("No space left on device"),
    N_("Read-only file system"),
)
"""The words of the operating system for the failures that an operator meets; others are shown as they are."""
