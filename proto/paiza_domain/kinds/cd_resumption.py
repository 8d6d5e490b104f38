"""Controlled delivery, resumption: ends the own suspension, or says that control was regained."""

from typing import Final

from paiza.content.v1.controlled_delivery_pb2 import ControlledDeliveryResumption
from paiza_domain.i18n import N_
from paiza_domain.kinds.seizure_notice import PLACE
from paiza_domain.schema.controlled_delivery import SENDERS, WORKFLOW, paragraph
from paiza_domain.schema.kind import Kind
from paiza_domain.schema.shapes import Field, FieldType, Shape

SHAPE: Final = Shape(
    ControlledDeliveryResumption,
    (
        paragraph("reason", N_("Reason"), required=True),
        Field("place", N_("Where the consignment is"), FieldType.GROUP, shape=PLACE),
    ),
)


def _summary(content: ControlledDeliveryResumption, _lang: str) -> str:
    return content.reason


KIND: Final = Kind(
    name="cd-resumption",
    version=1,
    title=N_("Controlled delivery: resumption"),
    shape=SHAPE,
    summarise=_summary,
    subject=("place.country",),
    sender_roles=SENDERS,
    workflow=WORKFLOW,
    needs_parent=True,
)
