"""The sections of a draft: the parts of a kind that a short template leaves out, and those that may be added again.

A section is one field of the content or of the nominal annex with all below it, or a field of the header.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final, Literal

from paiza_domain.codes import lookup
from paiza_domain.i18n import LANGUAGES, N_, translate
from paiza_domain.schema.kind import Kind
from paiza_domain.schema.shapes import Field, Shape

Root = Literal["", "content", "annex"]

HEADER: Final[Mapping[str, str]] = MappingProxyType({
    "attention": N_("Unit or officer for attention, by member"),
    "urgency_reason": N_("Reason, for urgent and flash only"),
    "handling": N_("Further limits on use"),
    "attachments": N_("Attachments"),
    "exercise": N_("Exercise"),
})  # fmt: skip
"""The sections of the header, each with its label."""


@dataclass(frozen=True)
class Section:
    """One section. ``field`` is None for one of the header, whose root is empty; ``titles`` are by language."""

    key: str
    root: Root
    titles: Mapping[str, str]
    field: Field | None = None


def sections(kind: Kind) -> tuple[Section, ...]:
    """Return the sections of a kind in the order of the form: content, annex, header."""
    found = _of_shape(kind.shape, "content")
    if kind.annex_shape is not None:
        taken = {each.key for each in found}
        for each in _of_shape(kind.annex_shape, "annex"):
            found.append(replace(each, key=f"annex.{each.key}") if each.key in taken else each)
    return (*found, *(Section(key, "", _titles(label)) for key, label in HEADER.items()))


def find(kind: Kind, text: str) -> tuple[Section, ...]:
    """Return the sections that a person may mean: by key, by name in either language, or by the beginning of one.

    Several where an equally good name is that of several; none where there is no such name.
    """
    wanted = lookup.name_key(text)
    known = sections(kind)
    for fits in (
        lambda each: each.key == text,
        lambda each: wanted in _names(each),
        lambda each: any(name.startswith(wanted) for name in _names(each)),
    ):
        if wanted and (found := tuple(each for each in known if fits(each))):
            return found
    return ()


def _names(section: Section) -> tuple[str, ...]:
    """Return the names of a section in the form in which they are compared."""
    return tuple(lookup.name_key(each) for each in (section.key.replace("_", " "), *section.titles.values()))


def _of_shape(shape: Shape, root: Root) -> list[Section]:
    """Return what a short template leaves out, and every group: it may be filled further, or have another entry."""
    return [
        Section(each.key, root, _titles(each.label), each)
        for each in shape.fields
        if not each.derived and (not each.stands_open or _has_more(each))
    ]


def _has_more(field: Field) -> bool:
    """Return whether a draft can have more of a field than a short template: entries, or fields of a group."""
    if field.shape is None:
        return False
    return bool(field.most) or any(not each.stands_open for each in field.shape.fields)


def _titles(label: str) -> Mapping[str, str]:
    return MappingProxyType({lang: translate(label, lang) for lang in LANGUAGES})
