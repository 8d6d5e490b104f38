"""Controlled delivery, refusal of a handover by who was to take, or the offer taken back by who gave."""

from typing import Final

from paiza.content.v1.controlled_delivery_pb2 import ControlledDeliveryHandoverRefusal
from paiza_domain.i18n import N_
from paiza_domain.schema.controlled_delivery import SENDERS, WORKFLOW, paragraph
from paiza_domain.schema.kind import Kind
from paiza_domain.schema.shapes import Field, FieldType, Shape

SHAPE: Final = Shape(
    ControlledDeliveryHandoverRefusal,
    (
        Field("offer_digest", N_("Digest of the offer"), FieldType.DIGEST, required=True),
        paragraph("reason", N_("Reason"), required=True),
    ),
)


def _summary(content: ControlledDeliveryHandoverRefusal, _lang: str) -> str:
    return content.reason


KIND: Final = Kind(
    name="cd-handover-refusal",
    version=1,
    title=N_("Controlled delivery: handover refused"),
    shape=SHAPE,
    summarise=_summary,
    sender_roles=SENDERS,
    workflow=WORKFLOW,
    needs_parent=True,
)
