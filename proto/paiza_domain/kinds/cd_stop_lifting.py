"""Controlled delivery, lifting of a stop by the state that ordered it. Two officers sign, one as authoriser."""

from typing import Final

from paiza.content.v1.controlled_delivery_pb2 import ControlledDeliveryStopLifting
from paiza_domain.i18n import N_
from paiza_domain.schema.controlled_delivery import AUTHORISER, SENDERS, WORKFLOW, paragraph
from paiza_domain.schema.kind import Kind
from paiza_domain.schema.shapes import Field, FieldType, Shape

SHAPE: Final = Shape(
    ControlledDeliveryStopLifting,
    (
        Field("stop_digest", N_("Digest of the stop"), FieldType.DIGEST, required=True),
        paragraph("reason", N_("Reason"), required=True),
    ),
)


def _summary(content: ControlledDeliveryStopLifting, _lang: str) -> str:
    return content.reason


KIND: Final = Kind(
    name="cd-stop-lifting",
    version=1,
    title=N_("Controlled delivery: stop lifted"),
    shape=SHAPE,
    summarise=_summary,
    sender_roles=SENDERS,
    second_officer=True,
    second_role=AUTHORISER,
    workflow=WORKFLOW,
    needs_parent=True,
)
