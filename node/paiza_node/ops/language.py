"""The operator's language: Russian or English, chosen once before the commands are built.

Source texts are English; `locale/ru` holds the Russian. click looks its own words up with `gettext.gettext`, so its
texts stand in our catalogue as well. What the node logs stays English: it is read by programs.
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

    A value of `--lang` that is not known is left to the command line's own check.
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
    """Make this the language of everything printed from now on, click's own words included."""
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
    """Translate a text; an empty one stays empty (gettext would give the catalogue's head)."""
    return _active.gettext(text) if text else text
