"""Controlled delivery, control lost: an alert to everyone at once."""

from datetime import datetime
from typing import Final

from paiza.content.v1.controlled_delivery_pb2 import ControlledDeliveryControlLost
from paiza_domain.i18n import N_
from paiza_domain.kinds.seizure_notice import PLACE
from paiza_domain.schema.controlled_delivery import ACKNOWLEDGE_WITHIN, SENDERS, WORKFLOW, paragraph
from paiza_domain.schema.field_errors import FieldError
from paiza_domain.schema.kind import Kind
from paiza_domain.schema.samples import not_in_future
from paiza_domain.schema.shapes import Field, FieldType, Shape

SHAPE: Final = Shape(
    ControlledDeliveryControlLost,
    (
        Field("lost_at", N_("Last under control on"), FieldType.MOMENT, required=True),
        Field("place", N_("Place"), FieldType.GROUP, shape=PLACE, opened=True),
        paragraph("circumstances", N_("What happened"), required=True),
        paragraph("measures", N_("What is being done")),
        paragraph("instructions", N_("What the others are asked to do at once"), opened=True),
    ),
)


def _check(content: ControlledDeliveryControlLost, _annex: object, now: datetime) -> list[FieldError]:
    return not_in_future(content.lost_at, "lost_at", now)


def _summary(content: ControlledDeliveryControlLost, _lang: str) -> str:
    return content.circumstances


KIND: Final = Kind(
    name="cd-control-lost",
    version=1,
    title=N_("Controlled delivery: CONTROL LOST"),
    shape=SHAPE,
    summarise=_summary,
    subject=("place.country",),
    sender_roles=SENDERS,
    workflow=WORKFLOW,
    overtakes=True,
    answered_by=("cd-acknowledgement",),
    answer_deadline=ACKNOWLEDGE_WITHIN,
    needs_parent=True,
    check=_check,
)
