"""Correction: the author lists the errors of its own message, and optionally the message that replaces it.

The first parent is the corrected message, the second the one that replaces it: a new message of the same kind, whole.
Nothing is overwritten.
"""

from collections.abc import Iterator
from typing import Final

from paiza.content.v1.recall_pb2 import CorrectedField, Correction
from paiza_domain.i18n import N_
from paiza_domain.schema.field_errors import Problem
from paiza_domain.schema.kind import Kind
from paiza_domain.schema.reading import code_text
from paiza_domain.schema.shapes import Field, FieldType, Shape

MAX_CHANGES: Final = 50  # more is a new message
_PATH: Final = 200  # characters of a path of a field


def _value_not_of_the_annex(change: CorrectedField) -> Iterator[tuple[str, Problem]]:
    # The annex is sealed separately; a value from it would be visible to every reader of the correction.
    if change.path.startswith("annex"):
        for name in ("before", "after"):
            if getattr(change, name):
                yield name, ("not_allowed_here", {})


def _says_something(content: Correction) -> Iterator[tuple[str, Problem]]:
    if not content.changes and not content.replacement_digest:
        yield "changes", ("missing", {})


CHANGE: Final = Shape(
    CorrectedField,
    (
        Field("path", N_("Field"), required=True, max_length=_PATH),
        Field("before", N_("It said"), FieldType.LINES, max_length=2_000, opened=True),
        Field("after", N_("It should say"), FieldType.LINES, max_length=2_000, opened=True),
    ),
    related=_value_not_of_the_annex,
)
SHAPE: Final = Shape(
    Correction,
    (
        Field("reason", N_("Reason of the correction"), FieldType.CODE, required=True, codes="correction_reason"),
        Field("explanation", N_("Why, in words"), FieldType.LINES, required=True, max_length=4_000),
        Field("changes", N_("Corrected"), FieldType.GROUP, most=MAX_CHANGES, shape=CHANGE, opened=True),
        Field("replacement_digest", N_("Digest of the message that replaces it"), FieldType.DIGEST),
    ),
    related=_says_something,
)


def _summary(content: Correction, lang: str) -> str:
    what = ", ".join(change.path for change in content.changes)
    return f"{code_text('correction_reason', content.reason, lang)}: {what or content.explanation}"


KIND: Final = Kind(
    name="correction",
    version=1,
    title=N_("Correction"),
    shape=SHAPE,
    summarise=_summary,
    subject=("reason",),
    sender_roles=frozenset({"liaison", "duty", "authoriser", "coordinator"}),
    needs_parent=True,
)
