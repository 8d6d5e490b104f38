"""Erasure request: the author, by two officers, asks all holders to erase its own messages.

The parents are the messages to be erased, so that every node can act on the header alone.
"""

from typing import Final

from paiza.content.v1.erasure_pb2 import ErasureRequest
from paiza_domain.i18n import N_
from paiza_domain.schema.kind import Kind
from paiza_domain.schema.reading import code_text
from paiza_domain.schema.shapes import Field, FieldType, Shape

SHAPE: Final = Shape(
    ErasureRequest,
    (
        Field("reason", N_("Reason of the erasure"), FieldType.CODE, required=True, codes="erasure_reason"),
        Field("explanation", N_("Why, in words"), FieldType.LINES, required=True, max_length=4_000),
    ),
)


def _summary(content: ErasureRequest, lang: str) -> str:
    return f"{code_text('erasure_reason', content.reason, lang)}: {content.explanation}"


KIND: Final = Kind(
    name="erasure-request",
    version=1,
    title=N_("Erasure request"),
    shape=SHAPE,
    summarise=_summary,
    subject=("reason",),
    sender_roles=frozenset({"liaison", "duty", "authoriser", "coordinator"}),
    second_officer=True,
    needs_parent=True,
)
