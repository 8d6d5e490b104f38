"""Recall: the author, by two officers, recalls its own messages; every holder acknowledges it.

The parents are the recalled messages, so that every node can act on the header. The nodes check that
the messages are the author's.
"""

from typing import Final

from paiza.content.v1.recall_pb2 import Recall
from paiza_domain.i18n import N_
from paiza_domain.schema.kind import Kind
from paiza_domain.schema.reading import code_text
from paiza_domain.schema.shapes import Field, FieldType, Shape

SHAPE: Final = Shape(
    Recall,
    (
        Field("reason", N_("Reason of the recall"), FieldType.CODE, required=True, codes="recall_reason"),
        Field("explanation", N_("Why, in words"), FieldType.LINES, required=True, max_length=4_000),
        Field(
            "measure",
            N_("What holders are asked to do"),
            FieldType.CODE,
            required=True,
            codes="recall_measure",
            default="stop-using",
        ),
    ),
)


def _summary(content: Recall, lang: str) -> str:
    return (
        f"{code_text('recall_reason', content.reason, lang)}; {code_text('recall_measure', content.measure, lang)}: "
        f"{content.explanation}"
    )


KIND: Final = Kind(
    name="recall",
    version=1,
    title=N_("Recall"),
    shape=SHAPE,
    summarise=_summary,
    subject=("reason", "measure"),
    sender_roles=frozenset({"liaison", "duty", "authoriser", "coordinator"}),
    second_officer=True,
    needs_parent=True,
    answered_by=("acknowledgement",),
)
