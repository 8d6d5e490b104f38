"""Release denial: the originator does not consent that a message is passed on.

The parents are the release request and the message concerned, in this order.
"""

from typing import Final

from paiza.content.v1.release_pb2 import ReleaseDenial
from paiza_domain.i18n import N_
from paiza_domain.schema.kind import Kind
from paiza_domain.schema.reading import code_text
from paiza_domain.schema.shapes import Field, FieldType, Shape

SHAPE: Final = Shape(
    ReleaseDenial,
    (
        Field("reference", N_("Own reference"), required=True),
        Field("refusal", N_("Reason of the refusal"), FieldType.CODE, required=True, codes="refusal"),
        Field("note", N_("Note"), FieldType.LINES, max_length=2_000),
    ),
)


def _summary(content: ReleaseDenial, lang: str) -> str:
    return f"{content.reference}: {code_text('refusal', content.refusal, lang)}"


KIND: Final = Kind(
    name="release-denial",
    version=1,
    title=N_("Refusal to have a message passed on"),
    shape=SHAPE,
    summarise=_summary,
    subject=("refusal",),
    sender_roles=frozenset({"liaison", "duty", "authoriser", "coordinator"}),
    needs_parent=True,
)
