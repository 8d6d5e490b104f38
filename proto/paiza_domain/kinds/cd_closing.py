"""Controlled delivery, closing: nothing is left to do."""

from typing import Final

from paiza.content.v1.controlled_delivery_pb2 import ControlledDeliveryClosing
from paiza_domain.i18n import N_
from paiza_domain.schema.controlled_delivery import SENDERS, WORKFLOW, paragraph
from paiza_domain.schema.kind import Kind
from paiza_domain.schema.shapes import Shape

SHAPE: Final = Shape(
    ControlledDeliveryClosing,
    (paragraph("remarks", N_("What remains to be said"), required=True),),
)


def _summary(content: ControlledDeliveryClosing, _lang: str) -> str:
    return content.remarks


KIND: Final = Kind(
    name="cd-closing",
    version=1,
    title=N_("Controlled delivery: closing"),
    shape=SHAPE,
    summarise=_summary,
    sender_roles=SENDERS,
    workflow=WORKFLOW,
    needs_parent=True,
)
