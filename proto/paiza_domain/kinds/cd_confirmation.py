"""Controlled delivery, written confirmation of an oral request; due within three days."""

from typing import Final

from paiza.content.v1.controlled_delivery_pb2 import ControlledDeliveryConfirmation
from paiza_domain.i18n import N_, translate
from paiza_domain.schema.controlled_delivery import SENDERS, WORKFLOW, remarks
from paiza_domain.schema.kind import Kind
from paiza_domain.schema.partial_times import write_time
from paiza_domain.schema.shapes import Field, FieldType, Shape

SHAPE: Final = Shape(
    ControlledDeliveryConfirmation,
    (
        Field("oral_request_time", N_("Requested orally on"), FieldType.TIME, key="oral_request", required=True),
        Field("letter", N_("Number and date of the letter"), term="reference"),
        remarks(),
    ),
)


def _summary(content: ControlledDeliveryConfirmation, lang: str) -> str:
    text = translate(N_("Oral request of {time} confirmed"), lang).format(time=write_time(content.oral_request_time))
    return f"{text}: {content.letter}" if content.letter else text


KIND: Final = Kind(
    name="cd-confirmation",
    version=1,
    title=N_("Controlled delivery: written confirmation"),
    shape=SHAPE,
    summarise=_summary,
    sender_roles=SENDERS,
    workflow=WORKFLOW,
    needs_parent=True,
)
