"""Controlled delivery, refusal: a state does not permit it, with the code of the ground."""

from typing import Final

from paiza.content.v1.controlled_delivery_pb2 import ControlledDeliveryRefusal
from paiza_domain.i18n import N_
from paiza_domain.schema.controlled_delivery import SENDERS, WORKFLOW, paragraph
from paiza_domain.schema.kind import Kind
from paiza_domain.schema.reading import code_text
from paiza_domain.schema.shapes import Field, FieldType, Shape

SHAPE: Final = Shape(
    ControlledDeliveryRefusal,
    (
        Field("reference", N_("Own reference"), required=True, term="reference"),
        Field("refusal", N_("Reason of the refusal"), FieldType.CODE, required=True, codes="refusal"),
        paragraph("explanation", N_("Explanation")),
    ),
)


def _summary(content: ControlledDeliveryRefusal, lang: str) -> str:
    return f"{content.reference}: {code_text('refusal', content.refusal, lang)}"


KIND: Final = Kind(
    name="cd-refusal",
    version=1,
    title=N_("Controlled delivery: refusal"),
    shape=SHAPE,
    summarise=_summary,
    subject=("refusal",),
    sender_roles=SENDERS,
    workflow=WORKFLOW,
    needs_parent=True,
)
