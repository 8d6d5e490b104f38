"""The two languages of what the demo says."""

from collections.abc import Mapping
from typing import Final, Literal

Language = Literal["en", "ru"]

WIDTH: Final = 100
"""Columns of everything that is printed."""

_VARIABLES: Final = ("PAIZA_LANG", "LC_ALL", "LC_MESSAGES", "LANG")


class Voice:
    """Prints all texts in the chosen language."""

    def __init__(self, language: Language) -> None:
        self.language = language

    def __call__(self, english: str, russian: str) -> str:
        """Choose between the two wordings of one sentence."""
        return russian if self.language == "ru" else english


def choose(asked: str, environment: Mapping[str, str]) -> Voice:
    """Set the requested language, else that of the environment, else English."""
    wanted = asked or next((environment[name] for name in _VARIABLES if environment.get(name)), "")
    return Voice("ru" if wanted.lower().startswith("ru") else "en")
