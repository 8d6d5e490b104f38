"""Controlled delivery, intervention: seizure or arrests. Who was arrested stands in the nominal annex."""

from datetime import datetime
from typing import Final

from paiza.content.v1.controlled_delivery_pb2 import ControlledDeliveryIntervention
from paiza_domain.i18n import N_
from paiza_domain.kinds.seizure_notice import COUNTS, PLACE
from paiza_domain.schema.controlled_delivery import SENDERS, WORKFLOW, paragraph, quantities
from paiza_domain.schema.field_errors import FieldError
from paiza_domain.schema.kind import Kind
from paiza_domain.schema.nominal import ANNEX
from paiza_domain.schema.partial_times import write_moment
from paiza_domain.schema.samples import not_in_future
from paiza_domain.schema.shapes import Field, FieldType, Shape

SHAPE: Final = Shape(
    ControlledDeliveryIntervention,
    (
        Field("intervened_at", N_("Intervened on"), FieldType.MOMENT, required=True),
        Field("place", N_("Place"), FieldType.GROUP, required=True, shape=PLACE),
        paragraph("text", N_("What happened"), required=True),
        quantities("seized", N_("Seized, once per unit"), required=False),
        Field("counts", N_("Persons"), FieldType.GROUP, shape=COUNTS),
    ),
)


def _check(content: ControlledDeliveryIntervention, _annex: object, now: datetime) -> list[FieldError]:
    return not_in_future(content.intervened_at, "intervened_at", now)


def _summary(content: ControlledDeliveryIntervention, _lang: str) -> str:
    return f"{write_moment(content.intervened_at)}: {content.text}"


KIND: Final = Kind(
    name="cd-intervention",
    version=1,
    title=N_("Controlled delivery: intervention"),
    shape=SHAPE,
    annex_shape=ANNEX,
    summarise=_summary,
    subject=("place.country", "seized"),
    sender_roles=SENDERS,
    workflow=WORKFLOW,
    needs_parent=True,
    check=_check,
)
