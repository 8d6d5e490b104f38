"""The language of a program: Russian or English, chosen once before the commands are built.

Source texts are English; the catalogue of each program holds the Russian. click, this package and `paiza_officer` look
their texts up with `gettext.gettext`: their catalogue is here, and is the domain that is bound for it.
"""

import gettext
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, Literal

Language = Literal["ru", "en"]

LOCALES: Final = Path(__file__).parent / "locale"
CLICK_DOMAIN: Final = "paiza_cli"

LANGUAGES: Final[tuple[Language, ...]] = ("ru", "en")


def choose(arguments: Sequence[str], environ: Mapping[str, str], profile: str | None = None) -> Language:
    """Return the language by `--lang`, else PAIZA_LANG, else the profile's, else the system's.

    English if none is known. A value of `--lang` that is not known is left to the command line's own check.
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


class Catalogue:
    """The texts of one program, in English until another language is used; one process speaks one language."""

    def __init__(self, domain: str, locales: Path) -> None:
        self.language: Language = "en"
        self._domain = domain
        self._locales = locales
        self._active = gettext.NullTranslations()

    def use(self, language: Language) -> None:
        """Make this the language of everything printed from now on, click's own words included."""
        self._active = self.translations(language)
        self.language = language
        os.environ["LANGUAGE"] = language
        gettext.bindtextdomain(CLICK_DOMAIN, str(LOCALES))
        gettext.textdomain(CLICK_DOMAIN)

    def translations(self, language: Language) -> gettext.NullTranslations:
        """Return the texts in a language, whichever is in use: for what is shown in both."""
        if language == "en":
            return gettext.NullTranslations()
        return gettext.translation(self._domain, str(self._locales), [language], fallback=True)

    def gettext(self, text: str) -> str:
        """Translate a text; an empty one stays empty (gettext would give the catalogue's head)."""
        return self._active.gettext(text) if text else text

    def ngettext(self, one: str, many: str, count: int) -> str:
        """Translate a text that counts."""
        return self._active.ngettext(one, many, count)
