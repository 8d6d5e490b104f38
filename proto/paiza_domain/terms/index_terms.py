"""The index terms of a message: plates, persons, substances, places.

The shapes declare which fields are terms (`Field.term`, `Shape.terms`). Terms are built from the open content and leave
the process only as keyed blind tokens.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from google.protobuf.message import Message

from paiza_domain.schema.kind import Kind
from paiza_domain.schema.shapes import Field, FieldType, Shape
from paiza_domain.terms.extraction import found_in_text
from paiza_domain.terms.folding import fold

IDENTIFIERS: Final = frozenset({
    "plate", "vin", "container", "vessel", "flight", "waybill", "carnet", "seal", "document", "personal-number",
    "account", "registration", "phone", "imei", "person", "company", "logo",
})  # fmt: skip
"""Terms that link: messages that share one may speak of the same persons or the same consignment."""

WORDWISE: Final = frozenset({"name", "place", "subject", "substance"})
"""Terms that are searched by their words: each word is a term of its own, beside the whole."""

MAX_TERMS: Final = 2_000  # of one message; an annex of 200 persons has fewer


@dataclass(frozen=True, slots=True, order=True)
class Term:
    """One term of a message: its field and its folded text."""

    field: str
    text: str

    @property
    def links(self) -> bool:
        """Return whether two messages that share this term are worth a notice."""
        return self.field in IDENTIFIERS


def terms(kind: Kind, content: Message, annex: Message | None) -> frozenset[Term]:
    """Return the terms of a message and its annex. Never fails: a text that cannot be folded gives no term."""
    found = set(_walk(kind.shape, content))
    if annex is not None and kind.annex_shape is not None:
        found.update(_walk(kind.annex_shape, annex))
    return frozenset(found if len(found) <= MAX_TERMS else sorted(found)[:MAX_TERMS])


def term(field: str, text: str) -> Term | None:
    """Return the term of a query text; None if the folded text is empty, KeyError if the field is unknown."""
    folded = fold(field, text)
    return Term(field, folded) if folded else None


def _walk(shape: Shape, message: Message) -> Iterator[Term]:
    for descriptor, value in message.ListFields():
        field = shape.by_name[descriptor.name]
        for each in value if field.most else [value]:
            if field.shape is not None:
                yield from _walk(field.shape, each)
            else:
                yield from _of_value(field, each)
    if shape.terms is not None:
        for name, text in shape.terms(message):
            yield from folded(name, text)


def _of_value(field: Field, value: Any) -> Iterator[Term]:
    if field.term:
        yield from folded(field.term, str(value))
    if field.value_type in {FieldType.TEXT, FieldType.LINES} and field.term in {"", *WORDWISE}:
        for name, text in found_in_text(value):
            yield from folded(name, text)


def folded(field: str, text: str) -> Iterator[Term]:
    """Yield the terms of one text: the whole, and its words if the field is searched by words."""
    whole = term(field, text)
    if whole is None:
        return
    yield whole
    if field in WORDWISE:
        words = whole.text.split()
        if len(words) > 1:
            yield from (Term(field, word) for word in words)
