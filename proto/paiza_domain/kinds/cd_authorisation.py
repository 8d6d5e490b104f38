"""Controlled delivery, authorisation: what a state permits and until when. Two officers sign, one as authoriser."""

from datetime import datetime
from typing import Final

from paiza.content.v1.controlled_delivery_pb2 import ControlledDeliveryAuthorisation
from paiza_domain.i18n import N_, translate
from paiza_domain.schema.controlled_delivery import (
    AUTHORISER,
    CONDITION,
    CONTACT,
    MAX_ENTRIES,
    SCOPE,
    SENDERS,
    WORKFLOW,
    numbered,
    paragraph,
    remarks,
)
from paiza_domain.schema.field_errors import FieldError
from paiza_domain.schema.kind import Kind
from paiza_domain.schema.partial_times import to_datetime, write_time
from paiza_domain.schema.quantity import format_amount
from paiza_domain.schema.reading import code_text
from paiza_domain.schema.shapes import Field, FieldType, Shape

SHAPE: Final = Shape(
    ControlledDeliveryAuthorisation,
    (
        Field("reference", N_("Own reference"), required=True, term="reference"),
        Field("authority", N_("Authority that decided"), required=True),
        paragraph("legal_basis", N_("Legal basis"), required=True),
        Field("scope", N_("What is permitted"), FieldType.GROUP, required=True, shape=SCOPE),
        Field("conditions", N_("Conditions"), FieldType.GROUP, most=MAX_ENTRIES, shape=CONDITION),
        Field("duty_contact", N_("Contact at any hour"), FieldType.GROUP, required=True, shape=CONTACT),
        remarks(),
    ),
    related=numbered,
)


def _check(content: ControlledDeliveryAuthorisation, _annex: object, now: datetime) -> list[FieldError]:
    past = to_datetime(content.scope.valid_until_time) <= now
    return [FieldError("scope.valid_until", "in_past")] if past else []


def _summary(content: ControlledDeliveryAuthorisation, lang: str) -> str:
    amounts = ", ".join(
        f"{format_amount(each.millionths)} {code_text('unit', each.unit, lang)}" for each in content.scope.quantities
    )
    until = translate(N_("authorised until {time}"), lang).format(time=write_time(content.scope.valid_until_time))
    return f"{content.reference}: {until}; {amounts}; {', '.join(content.scope.border_points)}"


KIND: Final = Kind(
    name="cd-authorisation",
    version=1,
    title=N_("Controlled delivery: authorisation"),
    shape=SHAPE,
    summarise=_summary,
    subject=("scope.quantities",),
    sender_roles=SENDERS,
    second_officer=True,
    second_role=AUTHORISER,
    workflow=WORKFLOW,
    needs_parent=True,
    check=_check,
)
