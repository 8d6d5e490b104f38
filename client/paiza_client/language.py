"""The officer's language. Texts in tables and decorators are marked with `N_` and translated when shown."""

from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Final

from paiza_cli.language import LANGUAGES, Catalogue, Language
from paiza_domain import formatting

LOCALES: Final = Path(__file__).parent / "locale"

_CATALOGUE: Final = Catalogue("paiza_client", LOCALES)

use = _CATALOGUE.use
_ = _CATALOGUE.gettext
ngettext = _CATALOGUE.ngettext


def language() -> Language:
    """Return the language in use."""
    return _CATALOGUE.language


def in_every_language(text: str) -> tuple[str, ...]:
    """Return a marked text in each language, for what an officer may write in any of them."""
    return tuple(_CATALOGUE.translations(each).gettext(text) for each in LANGUAGES)


def number_text(value: int | Decimal) -> str:
    """Return a number as the language in use writes it."""
    return formatting.number_text(value, language())


def span_text(length: timedelta) -> str:
    """Return the length of a span of time in its largest unit."""
    return formatting.span_text(length, language())


def date_text(value: date) -> str:
    """Return a date as the language in use writes it."""
    return formatting.date_text(value, language())


def time_text(value: datetime) -> str:
    """Return a time, in the zone of this machine, to the second."""
    local = value.astimezone()
    return f"{formatting.time_text(local, language(), seconds=True)} {local:%z}"


def N_(text: str) -> str:  # noqa: N802 - the name gettext tools know
    """Mark a text for translation where it stands; it is translated when shown."""
    return text


PLACEHOLDERS: Final = (
    N_("ARGS"),
    N_("CODE"),
    N_("CODES"),
    N_("COMMAND"),
    N_("COUNT"),
    N_("DATE"),
    N_("DAY"),
    N_("DRAFT"),
    N_("EVENTS"),
    N_("FIELD"),
    N_("FIGURE"),
    N_("FILE"),
    N_("FOLDER"),
    N_("ID"),
    N_("KIND"),
    N_("MEMBER"),
    N_("MEMBERS"),
    N_("NAME"),
    N_("NOTICE"),
    N_("NUMBER"),
    N_("OFFICER"),
    N_("OPTIONS"),
    N_("PAGE"),
    N_("PART"),
    N_("PROFILE"),
    N_("SECTION"),
    N_("STATE"),
    N_("STATES"),
    N_("SUBJECT"),
    N_("TEXT"),
    N_("TIME"),
    N_("UNIT"),
    N_("URI"),
)
"""The words that stand for values in the help of commands; they are translated one by one."""
