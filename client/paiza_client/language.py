"""The user's language: Russian or English, chosen once before the commands are built.

Source texts are English; `locale/ru` holds the Russian. Texts that stand in tables or decorators are marked with
`N_` and translated when shown. click looks its own words up with `gettext.gettext`, so its texts stand in our
catalogue as well.
"""

import gettext
import os
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Final, Literal

from paiza_domain import formatting

Language = Literal["ru", "en"]

LANGUAGES: Final[tuple[Language, ...]] = ("ru", "en")
DOMAIN: Final = "paiza_client"
LOCALES: Final = Path(__file__).parent / "locale"

_active: gettext.NullTranslations = gettext.NullTranslations()
_language: Language = "en"


def choose(arguments: Sequence[str], environ: Mapping[str, str], profile: str | None = None) -> Language:
    """Return the language by `--lang`, else PAIZA_LANG, else the profile's, else the system's.

    English if none is known.

    A value of `--lang` that is not known is left to the command line's own check.
    """
    for place, argument in enumerate(arguments):
        if argument == "--lang" and place + 1 < len(arguments):
            wanted = arguments[place + 1]
        elif argument.startswith("--lang="):
            wanted = argument.removeprefix("--lang=")
        else:
            continue
        if wanted in LANGUAGES:
            return wanted
    system = next((environ[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if environ.get(name)), "")
    for wanted in (environ.get("PAIZA_LANG", ""), profile or "", system):
        if wanted:
            return "ru" if wanted.lower().startswith("ru") else "en"
    return "en"


def use(language: Language) -> None:
    """Make this the language of everything printed from now on, click's own words included."""
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


def language() -> Language:
    """Return the language in use."""
    return _language


def _(text: str) -> str:
    """Translate a text; an empty one stays empty (gettext would give the catalogue's head)."""
    return _active.gettext(text) if text else text


def ngettext(one: str, many: str, count: int) -> str:
    """Translate a text that counts."""
    return _active.ngettext(one, many, count)


def number_text(value: int | Decimal) -> str:
    """Return a number as the language in use writes it."""
    return formatting.number_text(value, _language)


def span_text(length: timedelta) -> str:
    """Return the length of a span of time in its largest unit."""
    return formatting.span_text(length, _language)


def date_text(value: date) -> str:
    """Return a date as the language in use writes it."""
    return formatting.date_text(value, _language)


def time_text(value: datetime) -> str:
    """Return a time, in the zone of this machine, to the second."""
    local = value.astimezone()
    return f"{formatting.time_text(local, _language, seconds=True)} {local:%z}"


def N_(text: str) -> str:  # noqa: N802 - the name gettext tools know
    """Mark a text for translation where it stands; it is translated when shown."""
    return text
