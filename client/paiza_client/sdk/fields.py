"""The fields of the contents: what a record of `paiza.content.v1` holds, for filling it in from a program.

    for each in fields.describe(drafts.find_kind("information-answer")):
        print(each.path, each.value_type, each.mandatory, each.codes)

The record is ``kind.content``, or ``kind.annex`` for the nominal annex. `drafts.kind_of_content` finds the kind of one.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from google.protobuf.message import Message

from paiza_client.language import language
from paiza_domain.i18n import translate
from paiza_domain.schema.kind import Kind
from paiza_domain.schema.shapes import FieldType, Shape


@dataclass(frozen=True, slots=True)
class DescribedField:
    """One field of a content, or a group of fields, whose own fields follow it.

    path        its place in the record: "answers[].status", where [] is one of several
    key         the same as drafts and errors name it: "answers[].expected" for the path "answers[].expected_time"
    label       its name for a reader; "Own reference" is that of the author's agency, in a request as in an answer
    hint        a rule in words, or empty: "mandatory with full and partial"
    value_type  a `FieldType`: "text" is one line, "code" a code, "group" a record of its own
    mandatory   True if the record is refused without it; below a group, if the group is there
    codes       name of its code list, or empty; `paiza_domain.codes.load(codes)` has each code with its names
    most        the most values of a repeated field; 0 for a single one
    derived     True if it is computed from other fields: when a draft is read, and by `kind.derive(content)`
    record      the record type of a group, otherwise None
    """

    path: str
    key: str
    label: str
    hint: str
    value_type: FieldType
    mandatory: bool
    codes: str
    most: int
    derived: bool
    record: type[Message] | None


def describe(kind: Kind, lang: str = "", *, annex: bool = False) -> tuple[DescribedField, ...]:
    """Return the fields of a kind's content, or of its nominal annex, in the order of the form.

    Labels and hints are in ``lang``, "ru" or "en", by default the language in use. Empty where the kind has no annex.
    Rules between fields are not among them; `sending.check` applies all.
    """
    shape = kind.annex_shape if annex else kind.shape
    return tuple(_rows(shape, lang or language(), "", "")) if shape else ()


def _rows(shape: Shape, lang: str, path: str, key: str) -> Iterator[DescribedField]:
    for field in shape.fields:
        several = "[]" if field.most else ""
        row = DescribedField(
            path=f"{path}{field.name}{several}",
            key=f"{key}{field.key}{several}",
            label=translate(field.label, lang),
            hint=translate(field.hint, lang) if field.hint else "",
            value_type=field.value_type,
            mandatory=field.required,
            codes=field.codes,
            most=field.most,
            derived=field.derived,
            record=field.shape.message if field.shape else None,
        )
        yield row
        if field.shape:
            yield from _rows(field.shape, lang, f"{row.path}.", f"{row.key}.")
