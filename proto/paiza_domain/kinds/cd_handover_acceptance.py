"""Controlled delivery, acceptance of a handover: the next state takes, the second of two signatures."""

from datetime import datetime
from typing import Final

from paiza.content.v1.controlled_delivery_pb2 import ControlledDeliveryHandoverAcceptance
from paiza_domain.i18n import N_, translate
from paiza_domain.schema.controlled_delivery import CONTACT, SENDERS, WORKFLOW, gross_weight, remarks, seals
from paiza_domain.schema.field_errors import FieldError
from paiza_domain.schema.kind import Kind
from paiza_domain.schema.partial_times import write_moment
from paiza_domain.schema.samples import not_in_future
from paiza_domain.schema.shapes import Field, FieldType, Shape

SHAPE: Final = Shape(
    ControlledDeliveryHandoverAcceptance,
    (
        Field("offer_digest", N_("Digest of the offer"), FieldType.DIGEST, required=True),
        Field("taken_at", N_("Taken over on"), FieldType.MOMENT, required=True),
        seals(),
        gross_weight(),
        Field("taking_officer", N_("Officer who takes"), FieldType.GROUP, shape=CONTACT),
        remarks(),
    ),
)


def _check(content: ControlledDeliveryHandoverAcceptance, _annex: object, now: datetime) -> list[FieldError]:
    return not_in_future(content.taken_at, "taken_at", now)


def _summary(content: ControlledDeliveryHandoverAcceptance, lang: str) -> str:
    return translate(N_("Taken over on {time}"), lang).format(time=write_moment(content.taken_at))


KIND: Final = Kind(
    name="cd-handover-acceptance",
    version=1,
    title=N_("Controlled delivery: handover accepted"),
    shape=SHAPE,
    summarise=_summary,
    subject=("gross_weight",),
    sender_roles=SENDERS,
    workflow=WORKFLOW,
    needs_parent=True,
    check=_check,
)
