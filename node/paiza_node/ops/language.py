"""The operator's language: Russian or English, chosen once before the commands are built.

Source texts are English; `locale/ru` holds the Russian. click translates its own texts with `gettext.gettext`, so they
are in our catalogue as well. The node's log is English only, for programs.
"""

import gettext
import os
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Final

LANGUAGES: Final = ("ru", "en")
DOMAIN: Final = "paiza_node"
LOCALES: Final = Path(__file__).parent / "locale"

_active: gettext.NullTranslations = gettext.NullTranslations()


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
    global _active  # noqa: PLW0603 - one process speaks one language
    _active = (
        gettext.NullTranslations()
        if language == "en"
        else gettext.translation(DOMAIN, str(LOCALES), [language], fallback=True)
    )
    os.environ["LANGUAGE"] = language
    gettext.bindtextdomain(DOMAIN, str(LOCALES))
    gettext.textdomain(DOMAIN)


def _(text: str) -> str:
    """Translate a text; an empty one stays empty (gettext would return the catalogue's header)."""
    return _active.gettext(text) if text else text
