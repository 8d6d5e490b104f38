"""The names of the fields of a draft in the reader's words, for errors and warnings."""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from paiza_domain.i18n import N_, translate
from paiza_domain.schema.kind import Kind
from paiza_domain.schema.shapes import Shape

SEPARATOR: Final = " › "  # between a group and its field
_STEP: Final = re.compile(r"([^.\[\]]+)(?:\[(\d+)\])?")

_HEADER: Final[Mapping[str, str]] = MappingProxyType({
    "kind": N_("Kind of message"),
    "version": N_("Version of the kind"),
    "to": N_("Recipients"),
    "attention": N_("For the attention of"),
    "urgency": N_("Urgency"),
    "urgency_reason": N_("Reason of the urgency"),
    "handling": N_("Handling marks"),
    "legal_bases": N_("Legal bases"),
    "review": N_("Review date"),
    "in_reply_to": N_("Message answered"),
    "attachments": N_("Attachments"),
    "second": N_("Second officer"),
    "content": N_("Content"),
    "annex": N_("Nominal annex"),
    "file": N_("File"),
    "note": N_("Note"),
})  # fmt: skip
_MARKS: Final[Mapping[str, str]] = MappingProxyType({
    "tlp": N_("TLP"),
    "code": N_("Handling code"),
    "code_text": N_("Text of the limit"),
    "pap": N_("PAP"),
    "classification": N_("Classification level"),
    "evaluation_scheme": N_("Evaluation scheme"),
    "evaluation": N_("Evaluation"),
    "purposes": N_("Purposes of use"),
})  # fmt: skip


def label(kind: Kind | None, path: str, lang: str) -> str:
    """Return the name of the field at ``path`` of an error, such as "Substance 2 › Quantity"; empty for none.

    A part that is no field (a wrong key) stands as it is written. The path of a content field wins over one of the
    header with the same name.
    """
    steps = [(found[1], found[2]) for found in _STEP.finditer(path)]
    if not steps:
        return ""
    shape = None if kind is None else kind.shape
    first = steps[0][0]
    if shape is not None and first in shape.by_key:
        return SEPARATOR.join(_in_shape(shape, steps, lang))
    if first == "annex" and kind is not None and kind.annex_shape is not None:
        return SEPARATOR.join([translate(_HEADER["annex"], lang), *_in_shape(kind.annex_shape, steps[1:], lang)])
    if first not in _HEADER:
        return ""
    names = {**_HEADER, **_MARKS} if first == "handling" else _HEADER
    begin = 0 if first == "attachments" else 1  # the reader counts attachments from 1
    return SEPARATOR.join(_numbered(translate(names.get(key, key), lang), index, begin) for key, index in steps)


def _in_shape(shape: Shape | None, steps: list[tuple[str, str | None]], lang: str) -> list[str]:
    found = []
    for key, index in steps:
        field = shape.by_key.get(key) if shape is not None else None
        found.append(_numbered(translate(field.label, lang) if field else key, index, 1))
        shape = field.shape if field else None
    return found


def _numbered(name: str, index: str | None, first: int) -> str:
    """Return a name with the number of the entry, counted from 1; the index of an error begins at ``1 - first``."""
    return name if index is None else f"{name} {int(index) + first}"
