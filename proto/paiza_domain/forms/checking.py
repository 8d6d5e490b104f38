"""The check of a filled form: the draft it is, or what is wrong with it by field. The reader of drafts decides."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from paiza_domain.drafts import drafts
from paiza_domain.drafts.drafts import Draft, DraftError
from paiza_domain.drafts.header import Levels
from paiza_domain.drafts.members import UNKNOWN, Members
from paiza_domain.forms import layout, values
from paiza_domain.forms.description import describe
from paiza_domain.forms.values import Values
from paiza_domain.schema.field_errors import FieldError
from paiza_domain.schema.kind import Kind

# What the check of a finished header calls otherwise than the draft.
_HEADER: Final[Mapping[str, str]] = {"recipients": "to", "review_time": "review", "parent_digests": "in_reply_to"}
_OF_DRAFT: Final = frozenset({*values.LISTS, *values.WORDS, "attention", "handling", "attachments", "kind", "version"})
_INDEX: Final = re.compile(r"\[\d+\]$", re.ASCII)
_FILE: Final = re.compile(r"attachments\[(\d{1,4})\](.*)", re.ASCII)


@dataclass(frozen=True)
class Checked:
    """The outcome: the draft, None while something is wrong; the values as checked; faults as sentences by name."""

    draft: Draft | None
    values: Mapping[str, str]
    faults: Mapping[str, list[str]] = field(default_factory=dict)


def check(
    kind: Kind, given: Values, lang: str, *, now: datetime, levels: Levels | None = None, members: Members = UNKNOWN
) -> Checked:
    """Read the values of a form as a draft at ``now``; raise `UnknownNamesError` for names of no field."""
    settled = layout.settled(describe(kind, lang), given)
    text = values.text_of(kind, settled)
    try:
        draft = drafts.read(text, lang, now=now, levels=levels, members=members)
    except DraftError as error:
        return Checked(None, settled, by_name(kind, error.errors, lang))
    return Checked(draft, settled)


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
    if first in _HEADER and first not in kind.shape.by_key:
        return _HEADER[first]
    if file := _FILE.fullmatch(path):  # counted from 1 by the reader
        return f"attachments[{max(int(file[1]) - 1, 0)}]{file[2]}"
    if first in _OF_DRAFT:
        return _INDEX.sub("", path)
    if first == "annex":
        return _INDEX.sub("", path) if _is_list(kind, path) else path
    full = f"content.{path}" if path else "content"
    return _INDEX.sub("", full) if _is_list(kind, full) else full


def _is_list(kind: Kind, name: str) -> bool:
    """Return whether a name with an index at its end is an entry of a repeated field, and not of a group."""
    return name.endswith("]") and layout.find(describe(kind, "en"), name) is None
