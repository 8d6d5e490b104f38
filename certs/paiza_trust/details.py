"""The details of refusals by the layers below, which stand in parentheses after an error, in the reader's language.

Those layers know one language. A detail is found here by its English text; one that is not here stays as it is.
"""

import re
from collections.abc import Callable
from functools import cache
from typing import Final

DETAILS: Final[tuple[str, ...]] = ()
"""Texts with places to fill, as `paiza_register.ceremony` and what it reads with refuse."""

_PLACE: Final = re.compile(r"\{(\w+)\}")


def translated_detail(detail: str, translate: Callable[[str], str]) -> str:
    """Return a detail in another language."""
    for text, pattern in _patterns():
        if found := pattern.fullmatch(detail):
            return translate(text).format(**found.groupdict())
    return detail


@cache
def _patterns() -> tuple[tuple[str, re.Pattern[str]], ...]:
    return tuple((text, re.compile(_pattern(text), re.DOTALL)) for text in DETAILS)


def _pattern(text: str) -> str:
    """Return the expression that a filled text matches."""
    parts = _PLACE.split(text)  # text and names of places by turns
    return "".join(f"(?P<{part}>.+?)" if place % 2 else re.escape(part) for place, part in enumerate(parts))
