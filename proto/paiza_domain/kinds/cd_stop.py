"""Controlled delivery, stop: any state on its own territory, at any time; it goes ahead of everything."""

from typing import Final

from paiza.content.v1.controlled_delivery_pb2 import ControlledDeliveryStop
from paiza_domain.i18n import N_
from paiza_domain.kinds.seizure_notice import PLACE
from paiza_domain.schema.controlled_delivery import ACKNOWLEDGE_WITHIN, SENDERS, WORKFLOW, paragraph
from paiza_domain.schema.kind import Kind
from paiza_domain.schema.reading import code_text
from paiza_domain.schema.shapes import Field, FieldType, Shape

SHAPE: Final = Shape(
    ControlledDeliveryStop,
    (
        Field("stop_reason", N_("Reason of the stop"), FieldType.CODE, required=True, codes="cd_stop_reason"),
        paragraph("text", N_("What happened"), opened=True),
        Field("place", N_("Where the consignment is"), FieldType.GROUP, shape=PLACE),
        paragraph("instructions", N_("What the others are asked to do at once"), opened=True),
    ),
)


def _summary(content: ControlledDeliveryStop, lang: str) -> str:
    reason = code_text("cd_stop_reason", content.stop_reason, lang)
    return f"{reason}: {content.text}" if content.text else reason


KIND: Final = Kind(
    name="cd-stop",
    version=1,
    title=N_("Controlled delivery: STOP"),
    shape=SHAPE,
    summarise=_summary,
    subject=("stop_reason", "place.country"),
    sender_roles=SENDERS,
    workflow=WORKFLOW,
    overtakes=True,
    answered_by=("cd-acknowledgement",),
    answer_deadline=ACKNOWLEDGE_WITHIN,
    needs_parent=True,
)
