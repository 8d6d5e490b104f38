"""The console's own texts: a catalogue beside the client's, in the same language. One process serves one officer."""

from pathlib import Path
from typing import Final

from paiza_cli.language import Catalogue, Language
from paiza_client import language as of_the_client

LOCALES: Final = Path(__file__).parent / "locale"

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


def N_(text: str) -> str:  # noqa: N802 - the name gettext tools know
    """Mark a text for translation where it stands; it is translated when shown."""
    return text
