"""Texts in the reader's language: English is the source, Russian comes from the catalogue `paiza_domain`.

A node and a client need a language per call, so nothing is installed globally: the language is a parameter.
"""

import gettext
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Final, Literal

Language = Literal["ru", "en"]

LANGUAGES: Final[tuple[Language, ...]] = ("ru", "en")  # Russian first: the working language of the forms

_DOMAIN: Final = "paiza_domain"


def N_(text: str) -> str:  # noqa: N802 - gettext's customary mark
    """Mark `text` in a table for the catalogue; `translate` translates it later."""
    return text


def NN_(one: str, many: str) -> tuple[str, str]:  # noqa: N802 - as `N_`, of a text that counts
    """Mark a text that counts for the catalogue; it is translated later, by `ngettext`."""
    return one, many


@cache
def catalogue(lang: str) -> gettext.NullTranslations:
    """Return the catalogue of `lang`; English and languages without a catalogue stay untranslated."""
    return gettext.translation(_DOMAIN, str(files(_DOMAIN) / "locale"), languages=[lang], fallback=True)


_ADDED: Final[dict[str, dict[str, str]]] = {}


def add_texts(texts: Mapping[str, Mapping[str, str]]) -> None:
    """Add the texts of an external kind, by language and English text; built-in texts take precedence."""
    for lang, by_english in texts.items():
        _ADDED.setdefault(lang, {}).update(by_english)


def translate(text: str, lang: str) -> str:
    """Return a marked `text` in `lang`; the empty text stays empty (gettext would give the catalogue's header)."""
    if lang == "en" or not text:
        return text
    found = catalogue(lang).gettext(text)
    return found if found != text else _ADDED.get(lang, {}).get(text, text)


def ngettext(one: str, many: str, count: int, lang: str) -> str:
    """Return the form of a text that goes with `count` in `lang`; the count itself is not filled in."""
    return catalogue(lang).ngettext(one, many, count)
