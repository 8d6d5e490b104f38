"""The language of `paiza-trust`. What a custodian signs is shown in both languages, whichever is in use."""

from pathlib import Path
from typing import Final

from paiza_cli.language import Catalogue, Language

LOCALES: Final = Path(__file__).parent / "locale"

_CATALOGUE: Final = Catalogue("paiza_trust", LOCALES)

use = _CATALOGUE.use
translations = _CATALOGUE.translations
_ = _CATALOGUE.gettext


def current() -> Language:
    """Return the language in use."""
    return _CATALOGUE.language


def N_(text: str) -> str:  # noqa: N802 - the name gettext tools know
    """Mark a text for translation in place; it is translated when shown."""
    return text


PLACEHOLDERS: Final = (
    N_("APPLICATION"),
    N_("APPLICATIONS"),
    N_("ARGS"),
    N_("CODE"),
    N_("COMMAND"),
    N_("COPIES"),
    N_("FILE"),
    N_("FINGERPRINT"),
    N_("FOLDER"),
    N_("INTEGER"),
    N_("MEMBER"),
    N_("NAME"),
    N_("NUMBER"),
    N_("OPTIONS"),
    N_("PATH"),
    N_("ROLE"),
    N_("TEXT"),
)
"""The words that stand for values in the help of commands."""
