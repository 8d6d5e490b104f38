"""The lines of templates: comments, entries of lists, and what a value of each type looks like."""

import re
from collections.abc import Mapping
from textwrap import wrap
from types import MappingProxyType
from typing import Final

from paiza_domain.i18n import N_
from paiza_domain.schema.shapes import Field, FieldType

MAX_CHOICES: Final = 120  # of a longer code list (countries) only some are shown
EXAMPLE_COUNTRIES: Final = ("AZE", "KAZ", "KGZ", "RUS", "TJK", "TKM", "UZB", "AFG", "XXX")
WIDTH: Final = 110  # columns of a line with its comment
# A key, perhaps commented out; a comment line has a "# " and then no key at once.
_KEY_LINE: Final = re.compile(r"\s*(?P<mark>(?:# )?)(?P<rest>[a-z_]+:.*)")

HINTS: Final[Mapping[FieldType, str]] = MappingProxyType({
    FieldType.TEXT: N_("one line"),
    FieldType.LINES: N_("several lines after “|”, indented"),
    FieldType.CODE: N_("a name of the list, or its code"),
    FieldType.INTEGER: N_("whole number"),
    FieldType.FLAG: N_("yes, or left out"),
    FieldType.DECIMAL: N_("12.5"),
    FieldType.QUANTITY: N_("12.5 kg"),
    FieldType.DEGREES: N_("43.238949"),
    FieldType.TIME: N_("2026-11-23 14:30+05:00"),
    FieldType.PARTIAL_TIME: N_("2026-11-23 14:30+05:00, or the day"),
    FieldType.DATE: N_("2026-11-23, or the month"),
    FieldType.DIGEST: N_("64 hexadecimal digits"),
    FieldType.GROUP: "",
})  # fmt: skip
"""What a value looks like, by type; marked texts."""


MEMBER_HINT: Final = N_("a member by its name, or its id such as kaz")
"""The same of a text that names a member."""


def hint(field: Field) -> str:
    """Return what is written into a field: its own hint, else that of its type; a marked text."""
    return field.hint or (MEMBER_HINT if field.names_member else HINTS[field.value_type])


def comment(text: str, indent: str) -> list[str]:
    """Return a comment, broken into lines; nothing for an empty text."""
    return wrap(
        text,
        WIDTH,
        initial_indent=f"{indent}# ",
        subsequent_indent=f"{indent}#   ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def as_entry(lines: list[str], indent: str) -> list[str]:
    """Format the lines of a group as the one entry of a list: a dash before the first key, what follows indented."""
    found = [f"  {line}" for line in lines]
    for number, line in enumerate(found):
        if key := _KEY_LINE.fullmatch(line):
            found[: number + 1] = [*lines[:number], f"{indent}{key['mark']}- {key['rest']}"]
            break
    return found
