"""The operator's language: Russian or English, chosen once before the commands are built.

Source texts are English; `locale/ru` holds the Russian. click translates its own texts with `gettext.gettext`, so they
are in our catalogue as well. The node's log is English only, for programs.
"""

import gettext
import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Final

from paiza_domain import formatting

LANGUAGES: Final = ("ru", "en")
DOMAIN: Final = "paiza_node"
LOCALES: Final = Path(__file__).parent / "locale"

_active: gettext.NullTranslations = gettext.NullTranslations()
_language: str = "en"


def choose(arguments: Sequence[str], environment: Mapping[str, str]) -> str:
    """Return the language by `--lang`, else PAIZA_LANG, else the system's; English if none is known.

    An unknown value of `--lang` is reported by the command line's own check.
    """
    named = [value for option, value in pairwise(arguments) if option == "--lang"]
    named += [argument.removeprefix("--lang=") for argument in arguments if argument.startswith("--lang=")]
    if named and named[-1] in LANGUAGES:
        return named[-1]
    for name in ("PAIZA_LANG", "LC_ALL", "LC_MESSAGES", "LANG"):
        if environment.get(name):
            return "ru" if environment[name].lower().startswith("ru") else "en"
    return "en"


def use(language: str) -> None:
    """Use this language for all output from now on, click's own texts included."""
    global _active, _language  # noqa: PLW0603 - one process speaks one language
    _active = (
        gettext.NullTranslations()
        if language == "en"
        else gettext.translation(DOMAIN, str(LOCALES), [language], fallback=True)
    )
    _language = language
    os.environ["LANGUAGE"] = language
    gettext.bindtextdomain(DOMAIN, str(LOCALES))
    gettext.textdomain(DOMAIN)


def _(text: str) -> str:
    """Translate a text; an empty one stays empty (gettext would return the catalogue's header)."""
    return _active.gettext(text) if text else text


def ngettext(one: str, many: str, count: int) -> str:
    """Translate a text that counts."""
    return _active.ngettext(one, many, count)


def number_text(value: int | Decimal) -> str:
    """Return a number as the language in use writes it."""
    return formatting.number_text(value, _language)


def span_text(span: timedelta) -> str:
    """Return the length of a span of time in its largest unit."""
    return formatting.span_text(span, _language)


def time_text(time: datetime) -> str:
    """Return a time in UTC, to the second."""
    return f"{formatting.time_text(time.astimezone(UTC), _language, seconds=True)} UTC"
