"""TOML as files that somebody hands over hold it: whatever they hold is values or a `ValueError`, at a bounded cost."""

import re
import tomllib
from typing import Any, Final

MAX_KEY_PARTS: Final = 64
"""Parts of a dotted key. The parser keeps every prefix of one: 20,000 parts, 40 KB, take gigabytes of memory."""

_LONG_KEY: Final = re.compile(
    rf"""(?<![\w-])(?:(?:[\w-]++|"[^"\n]*+"|'[^'\n]*+')[ \t]*+\.[ \t]*+){{{MAX_KEY_PARTS}}}""", re.ASCII
)


def parse_toml(data: bytes) -> dict[str, Any]:
    """Return the values of a TOML text in UTF-8; ValueError says what is wrong with it."""
    text = data.decode()
    if _LONG_KEY.search(text):
        raise ValueError(f"a key has over {MAX_KEY_PARTS} parts")
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
