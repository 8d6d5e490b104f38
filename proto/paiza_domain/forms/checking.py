"""The check of a filled form: the draft it is, or what is wrong with it by field. The reader of drafts decides."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from paiza_domain.drafts.drafts import Draft, Examined
from paiza_domain.forms import layout, values
from paiza_domain.forms.description import describe
from paiza_domain.forms.values import Values
from paiza_domain.schema.field_errors import FieldError
from paiza_domain.schema.kind import Kind

_OF_DRAFT: Final = frozenset(
    {*values.LISTS, *values.WORDS, "attention", "handling", "attachments", "kind", "version", "second"}
)
_INDEX: Final = re.compile(r"\[\d+\]$", re.ASCII)
_FILE: Final = re.compile(r"attachments\[(\d{1,4})\](.*)", re.ASCII)


@dataclass(frozen=True)
class Checked:
    """The outcome: the draft, None while something is wrong; the values as checked; faults as sentences by name."""

    draft: Draft | None
    values: Mapping[str, str]
    faults: Mapping[str, list[str]] = field(default_factory=dict)


Examine = Callable[[str], Examined]
"""Returns the draft in a text with everything that is wrong with it, such as `drafts.examine`."""


def check(kind: Kind, given: Values, lang: str, examine: Examine) -> Checked:
    """Read the values of a form as a draft; raise `UnknownNamesError` for names of no field."""
    settled = layout.settled(describe(kind, lang), given)
    found = examine(values.text_of(kind, settled))
    return Checked(None if found.errors else found.draft, settled, by_name(kind, found.errors, lang))


def by_name(kind: Kind, errors: Iterable[FieldError], lang: str) -> dict[str, list[str]]:
    """Return errors as sentences in ``lang`` by the name of the field or group; what is of no field is under ""."""
    found: dict[str, list[str]] = {}
    for each in errors:
        texts = found.setdefault(name_of(kind, each.path), [])
        text = each.message(lang)
        if text not in texts:
            texts.append(text)
    return found


def name_of(kind: Kind, path: str) -> str:
    """Return the name of the field or group that the path of an error names; empty if the form has none there."""
    first = path.partition(".")[0].partition("[")[0]
    if file := _FILE.fullmatch(path):  # counted from 1 by the reader
        return f"attachments[{max(int(file[1]) - 1, 0)}]{file[2]}"
    if first in _OF_DRAFT and first not in kind.shape.by_key:
        return _INDEX.sub("", path)
    if first == "annex":
        return _INDEX.sub("", path) if _is_list(kind, path) else path
    full = f"content.{path}" if path else "content"
    return _INDEX.sub("", full) if _is_list(kind, full) else full


def _is_list(kind: Kind, name: str) -> bool:
    """Return whether a name with an index at its end is an entry of a repeated field, and not of a group."""
    return name.endswith("]") and layout.find(describe(kind, "en"), name) is None
