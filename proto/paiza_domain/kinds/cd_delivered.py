"""Controlled delivery, delivered: the consignment reached the end of the route under control."""

from datetime import datetime
from typing import Final

from paiza.content.v1.controlled_delivery_pb2 import ControlledDeliveryDelivered
from paiza_domain.i18n import N_, translate
from paiza_domain.kinds.seizure_notice import PLACE
from paiza_domain.schema.controlled_delivery import SENDERS, WORKFLOW, gross_weight, remarks, seals
from paiza_domain.schema.field_errors import FieldError
from paiza_domain.schema.kind import Kind
from paiza_domain.schema.partial_times import write_moment
from paiza_domain.schema.samples import not_in_future
from paiza_domain.schema.shapes import Field, FieldType, Shape

SHAPE: Final = Shape(
    ControlledDeliveryDelivered,
    (
        Field("delivered_at", N_("Delivered on"), FieldType.MOMENT, required=True),
        Field("place", N_("Place"), FieldType.GROUP, shape=PLACE, opened=True),
        seals(),
        gross_weight(),
        remarks(),
    ),
)


def _check(content: ControlledDeliveryDelivered, _annex: object, now: datetime) -> list[FieldError]:
    return not_in_future(content.delivered_at, "delivered_at", now)


def _summary(content: ControlledDeliveryDelivered, lang: str) -> str:
    return translate(N_("Delivered under control on {time}"), lang).format(time=write_moment(content.delivered_at))


KIND: Final = Kind(
    name="cd-delivered",
    version=1,
    title=N_("Controlled delivery: delivered"),
    shape=SHAPE,
    summarise=_summary,
    subject=("place.country", "gross_weight"),
    sender_roles=SENDERS,
    workflow=WORKFLOW,
    needs_parent=True,
    check=_check,
)
