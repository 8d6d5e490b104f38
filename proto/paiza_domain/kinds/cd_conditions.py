"""Controlled delivery, conditions: under which a state would consent."""

from typing import Final

from paiza.content.v1.controlled_delivery_pb2 import ControlledDeliveryConditions
from paiza_domain.i18n import N_
from paiza_domain.schema.controlled_delivery import CONDITION, MAX_ENTRIES, SENDERS, WORKFLOW, numbered, remarks
from paiza_domain.schema.kind import Kind
from paiza_domain.schema.reading import code_text
from paiza_domain.schema.shapes import Field, FieldType, Shape

SHAPE: Final = Shape(
    ControlledDeliveryConditions,
    (
        Field("reference", N_("Own reference"), required=True, term="reference"),
        Field("conditions", N_("Conditions"), FieldType.GROUP, required=True, most=MAX_ENTRIES, shape=CONDITION),
        remarks(),
    ),
    related=numbered,
)


def _summary(content: ControlledDeliveryConditions, lang: str) -> str:
    types = (code_text("cd_condition", each.type, lang) for each in content.conditions)
    return f"{content.reference}: {'; '.join(types)}"


KIND: Final = Kind(
    name="cd-conditions",
    version=1,
    title=N_("Controlled delivery: conditions"),
    shape=SHAPE,
    summarise=_summary,
    subject=("conditions.type",),
    sender_roles=SENDERS,
    workflow=WORKFLOW,
    answered_by=("cd-conditions-answer",),
    needs_parent=True,
)
