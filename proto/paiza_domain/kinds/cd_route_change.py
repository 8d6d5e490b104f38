"""Controlled delivery, change of route: another way for the rest; a new state enters only by its own authorisation."""

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from paiza.content.v1.controlled_delivery_pb2 import ControlledDeliveryRouteChange
from paiza_domain.i18n import N_
from paiza_domain.schema import controlled_delivery as cd
from paiza_domain.schema.controlled_delivery import SENDERS, WORKFLOW
from paiza_domain.schema.field_errors import FieldError, Problem
from paiza_domain.schema.kind import Kind
from paiza_domain.schema.partial_times import to_datetime
from paiza_domain.schema.shapes import Field, FieldType, Shape


def _related(change: ControlledDeliveryRouteChange) -> Iterator[tuple[str, Problem]]:
    yield from cd.route_rules(change)
    yield from cd.states_once(change.new_states, "new_states")
    if change.new_states and not change.HasField("latest_decision_time"):
        yield "latest_decision", ("missing", {})


SHAPE: Final = Shape(
    ControlledDeliveryRouteChange,
    (
        cd.paragraph("reason", N_("Reason"), required=True),
        cd.route(N_("Rest of the route, one leg per state")),
        Field("new_states", N_("States not asked before"), FieldType.GROUP, most=cd.MAX_STATES, shape=cd.STATE,
              short=True),
        Field("latest_decision_time", N_("Decision needed by"), FieldType.TIME, key="latest_decision",
              hint=N_("mandatory with new states"), short=True),
        cd.remarks(),
    ),
    related=_related,
)  # fmt: skip


def _check(content: ControlledDeliveryRouteChange, _annex: object, now: datetime) -> list[FieldError]:
    past = content.HasField("latest_decision_time") and to_datetime(content.latest_decision_time) <= now
    return [FieldError("latest_decision", "in_past")] if past else []


def _summary(content: ControlledDeliveryRouteChange, _lang: str) -> str:
    return f"{' → '.join(leg.member for leg in content.route)}: {content.reason}"


KIND: Final = Kind(
    name="cd-route-change",
    version=1,
    title=N_("Controlled delivery: change of route"),
    shape=SHAPE,
    summarise=_summary,
    sender_roles=SENDERS,
    workflow=WORKFLOW,
    answered_by=("cd-authorisation", "cd-refusal", "cd-acknowledgement", "cd-conditions"),
    needs_parent=True,
    check=_check,
)
