"""Controlled delivery, substitution: recorded with weights, seals and photographs before and after."""

from datetime import datetime
from typing import Final

from paiza.content.v1.controlled_delivery_pb2 import ControlledDeliverySubstitution
from paiza_domain.i18n import N_
from paiza_domain.kinds.seizure_notice import PLACE
from paiza_domain.schema.controlled_delivery import CONSIGNMENT_STATE, SENDERS, WORKFLOW, paragraph, remarks
from paiza_domain.schema.field_errors import FieldError
from paiza_domain.schema.kind import Kind
from paiza_domain.schema.partial_times import write_moment
from paiza_domain.schema.reading import code_text
from paiza_domain.schema.samples import not_in_future
from paiza_domain.schema.shapes import Field, FieldType, Shape

SHAPE: Final = Shape(
    ControlledDeliverySubstitution,
    (
        Field("mode", N_("Mode of substitution"), FieldType.CODE, required=True, codes="cd_substituted"),
        Field("substituted_at", N_("Substituted on"), FieldType.MOMENT, required=True),
        Field("place", N_("Place"), FieldType.GROUP, required=True, shape=PLACE),
        Field("before", N_("Before"), FieldType.GROUP, required=True, shape=CONSIGNMENT_STATE),
        Field("after", N_("After"), FieldType.GROUP, required=True, shape=CONSIGNMENT_STATE),
        paragraph("substitute", N_("What was put in its place"), required=True),
        paragraph("custody", N_("Who keeps what was removed"), required=True),
        paragraph("witnesses", N_("Who was present")),
        remarks(),
    ),
)


def _check(content: ControlledDeliverySubstitution, _annex: object, now: datetime) -> list[FieldError]:
    return not_in_future(content.substituted_at, "substituted_at", now)


def _summary(content: ControlledDeliverySubstitution, lang: str) -> str:
    return f"{code_text('cd_substituted', content.mode, lang)}, {write_moment(content.substituted_at)}"


KIND: Final = Kind(
    name="cd-substitution",
    version=1,
    title=N_("Controlled delivery: substitution"),
    shape=SHAPE,
    summarise=_summary,
    subject=("mode", "place.country"),
    sender_roles=SENDERS,
    workflow=WORKFLOW,
    needs_parent=True,
    check=_check,
)
