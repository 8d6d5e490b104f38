"""Controlled delivery, offer of a handover: the responsible state gives, the first of two signatures."""

from typing import Final

from paiza.content.v1.controlled_delivery_pb2 import ControlledDeliveryHandoverOffer
from paiza_domain.i18n import N_
from paiza_domain.schema.controlled_delivery import (
    CONTACT,
    MAX_POINT,
    SENDERS,
    WORKFLOW,
    gross_weight,
    member,
    remarks,
    seals,
)
from paiza_domain.schema.kind import Kind
from paiza_domain.schema.shapes import Field, FieldType, Shape

SHAPE: Final = Shape(
    ControlledDeliveryHandoverOffer,
    (
        member("taker", N_("State that takes (member id)")),
        Field("point", N_("Border point or place of the handover"), required=True, max_length=MAX_POINT, term="place"),
        Field("planned_time", N_("Planned for"), FieldType.TIME, key="planned", required=True),
        seals(),
        gross_weight(),
        Field("giving_officer", N_("Officer who gives"), FieldType.GROUP, shape=CONTACT),
        remarks(),
    ),
)


def _summary(content: ControlledDeliveryHandoverOffer, _lang: str) -> str:
    return f"→ {content.taker}: {content.point}"


KIND: Final = Kind(
    name="cd-handover-offer",
    version=1,
    title=N_("Controlled delivery: handover offered"),
    shape=SHAPE,
    summarise=_summary,
    subject=("gross_weight",),
    sender_roles=SENDERS,
    workflow=WORKFLOW,
    answered_by=("cd-handover-acceptance", "cd-handover-refusal"),
    needs_parent=True,
)
