"""Controlled delivery, request: what every state on the route is asked to permit, in full."""

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from paiza.content.v1.controlled_delivery_pb2 import ControlledDeliveryRequest
from paiza_domain.i18n import N_
from paiza_domain.kinds.seizure_notice import (
    CLOCK_TOLERANCE,
    CONCEALMENT,
    MAX_SUBSTANCES,
    PACKAGING,
    SUBSTANCE,
    TRANSPORT,
)
from paiza_domain.kinds.seizure_notice import MAX_ENTRIES as MAX_WAYS
from paiza_domain.schema import controlled_delivery as cd
from paiza_domain.schema.controlled_delivery import SENDERS, WORKFLOW
from paiza_domain.schema.field_errors import FieldError, Problem
from paiza_domain.schema.kind import Kind
from paiza_domain.schema.nominal import ANNEX
from paiza_domain.schema.partial_times import to_datetime
from paiza_domain.schema.quantity import format_amount
from paiza_domain.schema.reading import code_text
from paiza_domain.schema.shapes import Field, FieldType, Shape


def _related(request: ControlledDeliveryRequest) -> Iterator[tuple[str, Problem]]:
    yield from cd.states_once(request.states, "states")
    yield from cd.route_rules(request)
    yield from cd.once_per_unit(request)
    asked = {state.member for state in request.states}
    for index, leg in enumerate(request.route):
        if leg.member not in asked:
            yield f"route[{index}].member", ("state_not_asked", {"value": leg.member})
    on_route = {leg.member for leg in request.route}
    for index, state in enumerate(request.states):
        if state.member not in on_route:
            yield f"states[{index}].member", ("state_without_leg", {"value": state.member})


SHAPE: Final = Shape(
    ControlledDeliveryRequest,
    (
        Field("reference", N_("Own reference"), required=True, term="reference"),
        Field("requesting_authority", N_("Requesting authority"), required=True),
        Field("case_officer", N_("Case officer"), FieldType.GROUP, required=True, shape=cd.CONTACT),
        Field("duty_contact", N_("Contact at any hour"), FieldType.GROUP, required=True, shape=cd.CONTACT),
        Field("states", N_("States asked"), FieldType.GROUP, required=True, most=cd.MAX_STATES, shape=cd.STATE),
        Field("latest_decision_time", N_("Decision needed by"), FieldType.TIME, key="latest_decision", required=True),
        Field("oral_request_time", N_("Requested orally on"), FieldType.TIME, key="oral_request",
              hint=N_("only where it was; to be confirmed in writing within three days")),
        cd.paragraph("legal_basis", N_("Legal basis"), required=True),
        Field("case_number", N_("Number of the case"), required=True, term="reference"),
        Field("facts", N_("Facts"), FieldType.LINES, required=True),
        cd.paragraph("objective", N_("Objective"), required=True),
        cd.paragraph("why_necessary", N_("Why other means would fail"), required=True),
        Field("substances", N_("Substance"), FieldType.GROUP, required=True, most=MAX_SUBSTANCES, shape=SUBSTANCE),
        cd.quantities("quantities", N_("Whole consignment, once per unit")),
        Field("packaging", N_("Packaging"), FieldType.GROUP, most=MAX_WAYS, shape=PACKAGING),
        Field("marks", N_("Marks on the consignment")),
        Field("concealment", N_("Concealment"), FieldType.GROUP, most=MAX_WAYS, shape=CONCEALMENT),
        Field("transport", N_("Transport"), FieldType.GROUP, most=MAX_WAYS, shape=TRANSPORT, opened=True),
        Field("trackers", N_("Trackers"), FieldType.GROUP, most=cd.MAX_ENTRIES, shape=cd.TRACKER),
        cd.route(N_("Planned route, one leg per state")),
        cd.substitution_mode(),
        Field("surveillance", N_("Surveillance and technical means"), FieldType.CODE, codes="cd_surveillance",
              most=cd.MAX_ENTRIES),
        cd.paragraph("surveillance_note", N_("Surveillance in detail")),
        Field("handover_points", N_("Handover points and officers"), FieldType.GROUP, most=cd.MAX_LEGS,
              shape=cd.HANDOVER_POINT),
        Field("risks", N_("Risks"), FieldType.GROUP, most=cd.MAX_ENTRIES, shape=cd.RISK),
        Field("stop_conditions", N_("When to stop"), FieldType.GROUP, most=cd.MAX_ENTRIES, shape=cd.STOP_CONDITION),
        cd.paragraph("arrests", N_("Arrests")),
        cd.paragraph("jurisdiction", N_("Jurisdiction")),
        cd.paragraph("costs", N_("Costs")),
        cd.paragraph("evidence", N_("Evidence")),
        cd.paragraph("sampling", N_("Sampling")),
        cd.paragraph("media_embargo", N_("Media embargo")),
        Field("media_embargo_time", N_("Media embargo until"), FieldType.TIME, key="media_embargo_until"),
        cd.paragraph("use_limits", N_("Limits on use")),
        cd.remarks(),
    ),
    related=_related,
)  # fmt: skip


def _check(content: ControlledDeliveryRequest, _annex: object, now: datetime) -> list[FieldError]:
    found = []
    if to_datetime(content.latest_decision_time) <= now:
        found.append(FieldError("latest_decision", "in_past"))
    if content.HasField("oral_request_time") and to_datetime(content.oral_request_time) > now + CLOCK_TOLERANCE:
        found.append(FieldError("oral_request", "in_future"))
    return found


def _summary(content: ControlledDeliveryRequest, lang: str) -> str:
    first = content.substances[0]
    name = code_text("drug_type", first.drug_type, lang) if first.drug_type else first.as_named or first.substance_id
    amount = content.quantities[0]
    way = " → ".join(leg.member for leg in content.route)
    return (
        f"{content.reference}: {name}, {format_amount(amount.millionths)} {code_text('unit', amount.unit, lang)}; {way}"
    )


KIND: Final = Kind(
    name="cd-request",
    version=1,
    title=N_("Controlled delivery: request"),
    shape=SHAPE,
    annex_shape=ANNEX,
    summarise=_summary,
    subject=("substances.drug_type|substances.drug_group", "quantities"),
    sender_roles=SENDERS,
    workflow=WORKFLOW,
    answered_by=("cd-authorisation", "cd-refusal", "cd-acknowledgement", "cd-conditions"),
    check=_check,
)
