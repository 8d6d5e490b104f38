"""Controlled delivery, acceptance of a handover: the next state takes, the second of two signatures."""

from datetime import datetime
from typing import Final

from paiza.v1.controlled_delivery_pb2 import ControlledDeliveryHandoverAcceptance
from paiza_domain.controlled_delivery_shapes import CONTACT, SENDERS, WORKFLOW, gross_weight, remarks, seals
from paiza_domain.field_errors import FieldError
from paiza_domain.i18n import N_, translate
from paiza_domain.kind import Kind
from paiza_domain.kinds.seizure_notice import CLOCK_TOLERANCE
from paiza_domain.moments import to_datetime, write_time
from paiza_domain.shapes import Field, FieldType, Shape

SHAPE: Final = Shape(
    ControlledDeliveryHandoverAcceptance,
    (
        Field("offer_digest", N_("Digest of the offer"), FieldType.DIGEST, required=True),
        Field("taken_time", N_("Taken over on"), FieldType.TIME, key="taken", required=True),
        seals(),
        gross_weight(),
        Field("taking_officer", N_("Officer who takes"), FieldType.GROUP, shape=CONTACT),
        remarks(),
    ),
)


def _check(content: ControlledDeliveryHandoverAcceptance, _annex: object, now: datetime) -> list[FieldError]:
    ahead = to_datetime(content.taken_time) > now + CLOCK_TOLERANCE
    return [FieldError("taken", "in_future")] if ahead else []


def _summary(content: ControlledDeliveryHandoverAcceptance, lang: str) -> str:
    return translate(N_("Taken over on {time}"), lang).format(time=write_time(content.taken_time))


KIND: Final = Kind(
    name="cd-handover-acceptance",
    version=1,
    title=N_("Controlled delivery: handover accepted"),
    shape=SHAPE,
    summarise=_summary,
    sender_roles=SENDERS,
    workflow=WORKFLOW,
    needs_parent=True,
    check=_check,
)
