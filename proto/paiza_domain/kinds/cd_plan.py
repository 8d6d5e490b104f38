"""Controlled delivery, plan: route, quantities and mode as they will be, within every authorisation."""

from collections.abc import Iterator
from typing import Final

from paiza.content.v1.controlled_delivery_pb2 import ControlledDeliveryPlan
from paiza_domain.i18n import N_
from paiza_domain.kinds.seizure_notice import MAX_ENTRIES as MAX_WAYS
from paiza_domain.kinds.seizure_notice import TRANSPORT
from paiza_domain.schema import controlled_delivery as cd
from paiza_domain.schema.controlled_delivery import SENDERS, WORKFLOW
from paiza_domain.schema.field_errors import Problem
from paiza_domain.schema.kind import Kind
from paiza_domain.schema.shapes import Field, FieldType, Shape


def _related(plan: ControlledDeliveryPlan) -> Iterator[tuple[str, Problem]]:
    yield from cd.route_rules(plan)
    yield from cd.once_per_unit(plan)


SHAPE: Final = Shape(
    ControlledDeliveryPlan,
    (
        Field("reference", N_("Number of the plan"), required=True, term="reference"),
        cd.route(),
        cd.quantities("quantities", N_("Whole consignment, once per unit")),
        cd.substitution_mode(),
        Field("handover_points", N_("Handover points and officers"), FieldType.GROUP, most=cd.MAX_LEGS,
              shape=cd.HANDOVER_POINT),
        Field("transport", N_("Transport"), FieldType.GROUP, most=MAX_WAYS, shape=TRANSPORT),
        Field("trackers", N_("Trackers"), FieldType.GROUP, most=cd.MAX_ENTRIES, shape=cd.TRACKER),
        cd.paragraph("communications", N_("Channels, reports, languages")),
        Field("stop_conditions", N_("When to stop"), FieldType.GROUP, most=cd.MAX_ENTRIES, shape=cd.STOP_CONDITION),
        cd.remarks(),
    ),
    related=_related,
)  # fmt: skip


def _summary(content: ControlledDeliveryPlan, _lang: str) -> str:
    return f"{content.reference}: {' → '.join(leg.member for leg in content.route)}"


KIND: Final = Kind(
    name="cd-plan",
    version=1,
    title=N_("Controlled delivery: plan"),
    shape=SHAPE,
    summarise=_summary,
    subject=("quantities", "substitution_mode"),
    sender_roles=SENDERS,
    workflow=WORKFLOW,
    needs_parent=True,
)
