"""Controlled delivery, activation: it begins, in the hands of the first state of the plan."""

from datetime import datetime
from typing import Final

from paiza.content.v1.controlled_delivery_pb2 import ControlledDeliveryActivation
from paiza_domain.i18n import N_, translate
from paiza_domain.kinds.seizure_notice import PLACE
from paiza_domain.schema.controlled_delivery import SENDERS, WORKFLOW, gross_weight, paragraph, remarks, seals
from paiza_domain.schema.field_errors import FieldError
from paiza_domain.schema.kind import Kind
from paiza_domain.schema.partial_times import write_moment
from paiza_domain.schema.samples import not_in_future
from paiza_domain.schema.shapes import Field, FieldType, Shape

SHAPE: Final = Shape(
    ControlledDeliveryActivation,
    (
        Field("started_at", N_("Began on"), FieldType.MOMENT, required=True),
        Field("place", N_("Place"), FieldType.GROUP, shape=PLACE, opened=True),
        seals(),
        gross_weight(),
        paragraph("deconfliction", N_("Other deliveries touched, and how it was settled")),
        remarks(),
    ),
)


def _check(content: ControlledDeliveryActivation, _annex: object, now: datetime) -> list[FieldError]:
    return not_in_future(content.started_at, "started_at", now)


def _summary(content: ControlledDeliveryActivation, lang: str) -> str:
    return translate(N_("Begun on {time}"), lang).format(time=write_moment(content.started_at))


KIND: Final = Kind(
    name="cd-activation",
    version=1,
    title=N_("Controlled delivery: activation"),
    shape=SHAPE,
    summarise=_summary,
    subject=("place.country", "gross_weight"),
    sender_roles=SENDERS,
    workflow=WORKFLOW,
    needs_parent=True,
    check=_check,
)
