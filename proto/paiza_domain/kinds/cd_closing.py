"""Controlled delivery, closing: nothing is left to do."""

from typing import Final

from paiza.v1.controlled_delivery_pb2 import ControlledDeliveryClosing
from paiza_domain.controlled_delivery_shapes import SENDERS, WORKFLOW, remarks
from paiza_domain.i18n import N_, translate
from paiza_domain.kind import Kind
from paiza_domain.shapes import Shape

SHAPE: Final = Shape(ControlledDeliveryClosing, (remarks(),))


def _summary(content: ControlledDeliveryClosing, lang: str) -> str:
    return content.remarks or translate(N_("The controlled delivery is closed"), lang)


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
