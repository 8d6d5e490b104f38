"""The console's own texts: a catalogue beside the client's, in the same language. One process serves one officer.

The language that the officer chose on a page is kept in the file `console-language` of the profile. Until they choose
one, the console speaks that of the browser.
"""

from contextlib import suppress
from pathlib import Path
from typing import Final

from paiza_cli.language import LANGUAGES, Catalogue, Language
from paiza_client import language as of_the_client
from paiza_officer.errors import disk_problem
from paiza_officer.profiles import Profile, write_private

LOCALES: Final = Path(__file__).parent / "locale"
FILE: Final = "console-language"

_CATALOGUE: Final = Catalogue("paiza_web", LOCALES)

_ = _CATALOGUE.gettext
ngettext = _CATALOGUE.ngettext


def use(language: Language) -> None:
    """Make this the language of every page from now on, and of what the SDK says on it."""
    of_the_client.use(language)
    _CATALOGUE.use(language)


def language() -> Language:
    """Return the language in use."""
    return _CATALOGUE.language


def remembered(profile: Profile) -> Language | None:
    """Return the language that the officer chose on a page of this profile; None before the first choice."""
    with suppress(OSError, UnicodeDecodeError):
        text = (profile.folder / FILE).read_text("ascii").strip()
        return next((each for each in LANGUAGES if each == text), None)
    return None


def remember(profile: Profile, chosen: Language) -> None:
    """Keep a choice for the next start; Refused as of `disk_problem` where it cannot be written."""
    path = profile.folder / FILE
    try:
        write_private(path, f"{chosen}\n".encode())
    except OSError as error:
        raise disk_problem(error, str(path)) from error


def of_browser(header: str) -> Language | None:
    """Return the language of ours that a browser asks for first in `Accept-Language` (RFC 9110 §12.5.4)."""
    wanted: list[tuple[float, int, Language]] = []
    for place, each in enumerate(header.split(",")):
        tag, _mark, weight = each.strip().partition(";q=")
        known = next((own for own in LANGUAGES if own == tag.strip().lower().partition("-")[0]), None)
        with suppress(ValueError):
            rank = float(weight) if weight else 1.0
            if known is not None and rank > 0:
                wanted.append((-rank, place, known))
    return min(wanted)[2] if wanted else None


def N_(text: str) -> str:  # noqa: N802 - the name gettext tools know
    """Mark a text for translation where it stands; it is translated when shown."""
    return text
