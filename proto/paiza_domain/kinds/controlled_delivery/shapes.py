"""The shared shapes of the steps of a controlled delivery: senders, states, legs, scopes, conditions, limits."""

from collections.abc import Iterable, Iterator
from datetime import timedelta
from functools import partial
from typing import Any, Final

from paiza.content.v1 import controlled_delivery_pb2 as pb
from paiza_domain import codes
from paiza_domain.i18n import N_
from paiza_domain.kinds.seizure_notice import COUNTS, MAX_SEALS, PLACE, TRANSPORT
from paiza_domain.kinds.seizure_notice import MAX_ENTRIES as MAX_WAYS
from paiza_domain.schema.field_errors import Problem
from paiza_domain.schema.identifiers import member_problem, telephone_problem
from paiza_domain.schema.kind import Kind
from paiza_domain.schema.reading import code_text
from paiza_domain.schema.shapes import Field, FieldType, Shape

WORKFLOW: Final = "controlled-delivery"
step: Final = partial(
    Kind,
    version=1,
    sender_roles=frozenset({"liaison", "duty", "authoriser", "coordinator"}),
    workflow=WORKFLOW,
    needs_parent=True,
)
"""One step: a kind of the workflow, which follows from another message unless it says otherwise."""
AUTHORISER: Final = "authoriser"  # the role in which one of two officers signs
DECISIONS: Final = ("cd-authorisation", "cd-refusal", "cd-acknowledgement", "cd-conditions")  # of a requested state

ACKNOWLEDGE_WITHIN: Final = timedelta(hours=1)  # a stop or a loss of control: the time of FLASH
MAX_STATES: Final = 16  # of one delivery; more than any route of the region crosses
MAX_LEGS: Final = 16  # of one route, one per state and visit
MAX_QUANTITIES: Final = 8  # one per unit
MAX_POINTS: Final = 40  # border points of one authorisation
MAX_ENTRIES: Final = 30  # trackers, risks, stop conditions, conditions, items returned
MAX_PHOTOGRAPHS: Final = 60  # of one consignment; as many as a message has attachments
MAX_POINT: Final = 120  # characters of a border point's name
MAX_PARAGRAPH: Final = 4_000  # characters


def paragraph(name: str, label: str, *, required: bool = False, opened: bool = False) -> Field:
    """Describe a field of several lines."""
    return Field(name, label, FieldType.LINES, required=required, opened=opened, max_length=MAX_PARAGRAPH)


def member(name: str, label: str) -> Field:
    """Describe a mandatory field that names a member."""
    return Field(name, label, required=True, check=member_problem, max_length=16)


def quantities(name: str, label: str, *, required: bool = True) -> Field:
    """Describe quantities, once per unit."""
    return Field(name, label, FieldType.QUANTITY, required=required, most=MAX_QUANTITIES)


def reference() -> Field:
    """Describe the author's own reference."""
    return Field("reference", N_("Own reference"), required=True, term="reference")


def place(label: str = N_("Place"), *, required: bool = False, opened: bool = False) -> Field:
    """Describe a place."""
    return Field("place", label, FieldType.GROUP, required=required, opened=opened, shape=PLACE)


def seals(*, required: bool = False) -> Field:
    """Describe the numbers of seals."""
    return Field("seals", N_("Seals"), required=required, max_length=60, most=MAX_SEALS, term="seal")


def gross_weight(*, required: bool = False) -> Field:
    """Describe a gross weight."""
    return Field("gross_weight", N_("Gross weight"), FieldType.QUANTITY, required=required)


def remarks() -> Field:
    """Describe the field for other remarks."""
    return paragraph("remarks", N_("Remarks"))


CONTACT: Final = Shape(
    pb.ControlledDeliveryContact,
    (
        Field("name", N_("Name or designation"), required=True),
        Field("position", N_("Authority and position")),
        Field("telephone", N_("Telephone, at any hour"), required=True, check=telephone_problem),
        Field("other_channel", N_("Another way to reach")),
        Field("languages", N_("Languages spoken")),
    ),
)


def contact(name: str, label: str, *, required: bool = False) -> Field:
    """Describe an officer who can be reached."""
    return Field(name, label, FieldType.GROUP, required=required, shape=CONTACT)


def state_text(member_id: str, lang: str) -> str:
    """Return the name of the state that a member id stands for; the id where it is none."""
    code = member_id.upper()
    return code_text("country", code, lang) if code in codes.load("country") else member_id


def way_text(legs: Iterable[pb.ControlledDeliveryLeg], lang: str) -> str:
    """Return the states of a route, in its order."""
    return " → ".join(state_text(leg.member, lang) for leg in legs)


STATE: Final = Shape(
    pb.ControlledDeliveryState,
    (
        member("member", N_("State")),
        Field("role", N_("Part on the route"), FieldType.CODE, required=True, codes="cd_state_role"),
        Field("authority", N_("Authority that decides")),
    ),
)


def _leg_rules(leg: pb.ControlledDeliveryLeg) -> Iterator[tuple[str, Problem]]:
    if leg.entry_time.seconds > leg.exit_time.seconds:
        yield "exit", ("period_order", {})


LEG: Final = Shape(
    pb.ControlledDeliveryLeg,
    (
        member("member", N_("State")),
        Field("entry_point", N_("Border point of entry"), max_length=MAX_POINT, opened=True, term="place",
              hint=N_("empty where the delivery begins")),
        Field("entry_time", N_("Enters or begins"), FieldType.TIME, key="entry", required=True, begins=True),
        Field("exit_point", N_("Border point of exit"), max_length=MAX_POINT, opened=True, term="place",
              hint=N_("empty where the delivery ends")),
        Field("exit_time", N_("Leaves or ends"), FieldType.TIME, key="exit", required=True),
        Field("places", N_("Roads and places between"), FieldType.LINES, max_length=2_000),
    ),
    related=_leg_rules,
)  # fmt: skip
TRACKER: Final = Shape(
    pb.ControlledDeliveryTracker,
    (
        Field("type", N_("Kind of tracker"), FieldType.CODE, required=True, codes="cd_tracker"),
        Field("identifier", N_("Number of the tracker"), max_length=64),
        Field("placed", N_("Where it is placed")),
        Field("operator", N_("Authority that reads it")),
    ),
)


def _other_state(point: pb.ControlledDeliveryHandoverPoint) -> Iterator[tuple[str, Problem]]:
    if point.giver and point.giver == point.taker:
        yield "taker", ("value_repeated", {"value": point.taker})


HANDOVER_POINT: Final = Shape(
    pb.ControlledDeliveryHandoverPoint,
    (
        member("giver", N_("State that gives")),
        member("taker", N_("State that takes")),
        Field("point", N_("Border point or place of the handover"), required=True, max_length=MAX_POINT),
        Field("planned_time", N_("Planned for"), FieldType.TIME, key="planned"),
        contact("giving_officer", N_("Officer who gives")),
        contact("taking_officer", N_("Officer who takes")),
        Field("note", N_("Note"), FieldType.LINES, max_length=2_000),
    ),
    related=_other_state,
)
RISK: Final = Shape(
    pb.ControlledDeliveryRisk,
    (
        Field("type", N_("Kind of risk"), FieldType.CODE, required=True, codes="cd_risk"),
        Field("level", N_("Level of the risk"), FieldType.CODE, required=True, codes="cd_risk_level"),
        Field("text", N_("What may happen"), FieldType.LINES, max_length=2_000),
        Field("mitigation", N_("What is done about it"), FieldType.LINES, max_length=2_000),
    ),
)
STOP_CONDITION: Final = Shape(
    pb.ControlledDeliveryStopCondition,
    (
        Field("condition", N_("Condition"), FieldType.LINES, required=True, max_length=2_000),
        Field("ordered_by", N_("Who may order it")),
    ),
)
CONDITION: Final = Shape(
    pb.ControlledDeliveryCondition,
    (
        Field("number", N_("Number"), FieldType.INTEGER, required=True, least=1, greatest=MAX_ENTRIES, default="1"),
        Field("type", N_("Kind of condition"), FieldType.CODE, required=True, codes="cd_condition"),
        Field("text", N_("Condition"), FieldType.LINES, required=True, max_length=MAX_PARAGRAPH),
    ),
)


def conditions(*, required: bool = False) -> Field:
    """Describe the conditions of a state."""
    return Field("conditions", N_("Conditions"), FieldType.GROUP, required=required, most=MAX_ENTRIES, shape=CONDITION)


def _scope_rules(scope: pb.ControlledDeliveryScope) -> Iterator[tuple[str, Problem]]:
    if scope.valid_from_time.seconds > scope.valid_until_time.seconds:
        yield "valid_until", ("period_order", {})
    yield from once_per_unit(scope)


SCOPE: Final = Shape(
    pb.ControlledDeliveryScope,
    (
        Field("valid_from_time", N_("Valid from"), FieldType.TIME, key="valid_from", required=True, begins=True),
        Field("valid_until_time", N_("Valid until"), FieldType.TIME, key="valid_until", required=True),
        Field("border_points", N_("Border points"), max_length=MAX_POINT, most=MAX_POINTS, opened=True),
        quantities("quantities", N_("Quantity at most, once per unit")),
        Field("substitution_modes", N_("Modes of substitution permitted"), FieldType.CODE, required=True,
              codes="cd_substitution", most=MAX_QUANTITIES),
    ),
    related=_scope_rules,
)  # fmt: skip
CONSIGNMENT_STATE: Final = Shape(
    pb.ControlledDeliveryConsignmentState,
    (
        gross_weight(required=True),
        Field("net_weight", N_("Net weight of what is controlled"), FieldType.QUANTITY),
        seals(required=True),
        Field("photograph_digests", N_("SHA-256 of each photograph"), FieldType.DIGEST, key="photographs",
              required=True, most=MAX_PHOTOGRAPHS),
    ),
)  # fmt: skip


def route(label: str = N_("Route, one leg per state")) -> Field:
    """Describe a route."""
    return Field("route", label, FieldType.GROUP, required=True, most=MAX_LEGS, shape=LEG)


def substitution_mode() -> Field:
    """Describe the mode of substitution of a delivery."""
    return Field("substitution_mode", N_("Intact or substituted"), FieldType.CODE, required=True,
                 codes="cd_substitution")  # fmt: skip


def route_rules(content: Any) -> Iterator[tuple[str, Problem]]:
    """Return errors of legs out of time order, in the state of the leg before, or without the border point between."""
    for index, (before, leg) in enumerate(zip(content.route, content.route[1:], strict=False), start=1):
        if leg.member and leg.member == before.member:
            yield f"route[{index}].member", ("value_repeated", {"value": leg.member})
        if leg.entry_time.seconds < before.exit_time.seconds:
            yield f"route[{index}].entry", ("before_previous_leg", {})
        if not leg.entry_point:
            yield f"route[{index}].entry_point", ("missing", {})
        if not before.exit_point:
            yield f"route[{index - 1}].exit_point", ("missing", {})


def once_per_unit(content: Any) -> Iterator[tuple[str, Problem]]:
    """Return an error if a unit occurs twice."""
    units = [each.unit for each in content.quantities]
    for index, unit in enumerate(units):
        if unit in units[:index]:
            yield f"quantities[{index}]", ("value_repeated", {"value": unit})


def transport(*, opened: bool = False) -> Field:
    """Describe the ways of transport."""
    return Field("transport", N_("Transport"), FieldType.GROUP, most=MAX_WAYS, shape=TRANSPORT, opened=opened)


def trackers() -> Field:
    """Describe the trackers."""
    return Field("trackers", N_("Trackers"), FieldType.GROUP, most=MAX_ENTRIES, shape=TRACKER)


def handover_points() -> Field:
    """Describe the handovers planned."""
    return Field("handover_points", N_("Handover points and officers"), FieldType.GROUP, most=MAX_LEGS,
                 shape=HANDOVER_POINT)  # fmt: skip


def stop_conditions() -> Field:
    """Describe the conditions of a stop."""
    return Field("stop_conditions", N_("When to stop"), FieldType.GROUP, most=MAX_ENTRIES, shape=STOP_CONDITION)


def results() -> tuple[Field, Field]:
    """Describe the seized items, and the number of persons."""
    return (
        quantities("seized", N_("Seized, once per unit"), required=False),
        Field("counts", N_("Numbers of persons"), FieldType.GROUP, shape=COUNTS),
    )
