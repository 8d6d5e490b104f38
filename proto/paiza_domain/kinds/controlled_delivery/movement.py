"""Controlled delivery, the movement: plan, activation, handovers from state to state, and arrival."""

from collections.abc import Iterator
from typing import Final

from paiza.content.v1 import controlled_delivery_pb2 as pb
from paiza_domain.i18n import N_, translate
from paiza_domain.kinds.controlled_delivery import shapes
from paiza_domain.kinds.controlled_delivery.shapes import (
    contact,
    gross_weight,
    paragraph,
    place,
    quantities,
    remarks,
    seals,
    step,
)
from paiza_domain.schema.field_errors import Problem
from paiza_domain.schema.kind import Kind
from paiza_domain.schema.partial_times import partial_time_text
from paiza_domain.schema.reading import code_text
from paiza_domain.schema.rules import all_of, not_in_future, not_in_past, once
from paiza_domain.schema.shapes import Field, FieldType, Shape


def _plan_summary(content: pb.ControlledDeliveryPlan, lang: str) -> str:
    return f"{content.reference}: {shapes.way_text(content.route, lang)}"


def _new_states_need_time(change: pb.ControlledDeliveryRouteChange) -> Iterator[tuple[str, Problem]]:
    if change.new_states and not change.HasField("latest_decision_time"):
        yield "latest_decision", ("missing", {})


def _route_change_summary(content: pb.ControlledDeliveryRouteChange, lang: str) -> str:
    return f"{shapes.way_text(content.route, lang)}: {content.reason}"


def _activation_summary(content: pb.ControlledDeliveryActivation, lang: str) -> str:
    return translate(N_("Begun on {time}"), lang).format(time=partial_time_text(content.started_at, lang))


def _substitution_summary(content: pb.ControlledDeliverySubstitution, lang: str) -> str:
    return f"{code_text('cd_substituted', content.mode, lang)}, {partial_time_text(content.substituted_at, lang)}"


def _offer_summary(content: pb.ControlledDeliveryHandoverOffer, lang: str) -> str:
    return f"→ {shapes.state_text(content.taker, lang)}: {content.point}"


def _acceptance_summary(content: pb.ControlledDeliveryHandoverAcceptance, lang: str) -> str:
    return translate(N_("Taken over on {time}"), lang).format(time=partial_time_text(content.taken_at, lang))


def _delivered_summary(content: pb.ControlledDeliveryDelivered, lang: str) -> str:
    return translate(N_("Delivered under control on {time}"), lang).format(
        time=partial_time_text(content.delivered_at, lang)
    )


STEPS: Final[tuple[Kind, ...]] = (
    # Route, quantities and mode as they will be, within every authorisation.
    step(
        "cd-plan",
        title=N_("Controlled delivery: plan"),
        shape=Shape(
            pb.ControlledDeliveryPlan,
            (
                Field("reference", N_("Number of the plan"), required=True, term="reference"),
                shapes.route(),
                quantities("quantities", N_("Whole consignment, once per unit")),
                shapes.substitution_mode(),
                shapes.handover_points(),
                shapes.transport(),
                shapes.trackers(),
                paragraph("communications", N_("Channels, reports, languages")),
                shapes.stop_conditions(),
                remarks(),
            ),
            related=all_of(shapes.route_rules, shapes.once_per_unit),
        ),
        summarise=_plan_summary,
        subject=("quantities", "substitution_mode"),
    ),
    # Another route for the rest; a new state enters only by its own authorisation.
    step(
        "cd-route-change",
        title=N_("Controlled delivery: change of route"),
        shape=Shape(
            pb.ControlledDeliveryRouteChange,
            (
                paragraph("reason", N_("Reason"), required=True),
                shapes.route(N_("Rest of the route, one leg per state")),
                Field("new_states", N_("States not asked before"), FieldType.GROUP, most=shapes.MAX_STATES,
                      shape=shapes.STATE, short=True),
                Field("latest_decision_time", N_("Decision needed by"), FieldType.TIME, key="latest_decision",
                      hint=N_("mandatory with new states"), short=True),
                remarks(),
            ),
            related=all_of(shapes.route_rules, once("new_states", "member"), _new_states_need_time),
        ),
        summarise=_route_change_summary,
        answered_by=shapes.DECISIONS,
        check=not_in_past("latest_decision"),
    ),
    # It begins, in the hands of the first state of the plan.
    step(
        "cd-activation",
        title=N_("Controlled delivery: activation"),
        shape=Shape(
            pb.ControlledDeliveryActivation,
            (
                Field("started_at", N_("Began on"), FieldType.PARTIAL_TIME, required=True),
                place(opened=True),
                seals(),
                gross_weight(),
                paragraph("deconfliction", N_("Other deliveries touched, and how it was settled")),
                remarks(),
            ),
        ),
        summarise=_activation_summary,
        subject=("place.country", "gross_weight"),
        check=not_in_future("started_at"),
    ),
    # Recorded with weights, seals and photographs before and after.
    step(
        "cd-substitution",
        title=N_("Controlled delivery: substitution"),
        shape=Shape(
            pb.ControlledDeliverySubstitution,
            (
                Field("mode", N_("Mode of substitution"), FieldType.CODE, required=True, codes="cd_substituted"),
                Field("substituted_at", N_("Substituted on"), FieldType.PARTIAL_TIME, required=True),
                place(required=True),
                Field("before", N_("Before"), FieldType.GROUP, required=True, shape=shapes.CONSIGNMENT_STATE),
                Field("after", N_("After"), FieldType.GROUP, required=True, shape=shapes.CONSIGNMENT_STATE),
                paragraph("substitute", N_("What was put in its place"), required=True),
                paragraph("custody", N_("Who keeps what was removed"), required=True),
                paragraph("witnesses", N_("Who was present")),
                remarks(),
            ),
        ),
        summarise=_substitution_summary,
        subject=("mode", "place.country"),
        check=not_in_future("substituted_at"),
    ),
    # The responsible state gives: the first of two signatures.
    step(
        "cd-handover-offer",
        title=N_("Controlled delivery: handover offered"),
        shape=Shape(
            pb.ControlledDeliveryHandoverOffer,
            (
                shapes.member("taker", N_("State that takes")),
                Field("point", N_("Border point or place of the handover"), required=True,
                      max_length=shapes.MAX_POINT, term="place"),
                Field("planned_time", N_("Planned for"), FieldType.TIME, key="planned", required=True),
                seals(),
                gross_weight(),
                contact("giving_officer", N_("Officer who gives")),
                remarks(),
            ),
        ),
        summarise=_offer_summary,
        subject=("gross_weight",),
        answered_by=("cd-handover-acceptance", "cd-handover-refusal"),
    ),
    # The next state takes: the second of two signatures.
    step(
        "cd-handover-acceptance",
        title=N_("Controlled delivery: handover accepted"),
        shape=Shape(
            pb.ControlledDeliveryHandoverAcceptance,
            (
                Field("offer_digest", N_("Digest of the offer"), FieldType.DIGEST, required=True),
                Field("taken_at", N_("Taken over on"), FieldType.PARTIAL_TIME, required=True),
                seals(),
                gross_weight(),
                contact("taking_officer", N_("Officer who takes")),
                remarks(),
            ),
        ),
        summarise=_acceptance_summary,
        subject=("gross_weight",),
        check=not_in_future("taken_at"),
    ),
    # By the taker, or a withdrawal of the offer by the giver.
    step(
        "cd-handover-refusal",
        title=N_("Controlled delivery: handover refused"),
        shape=Shape(
            pb.ControlledDeliveryHandoverRefusal,
            (
                Field("offer_digest", N_("Digest of the offer"), FieldType.DIGEST, required=True),
                paragraph("reason", N_("Reason"), required=True),
            ),
        ),
        summarise=lambda content, _lang: content.reason,
    ),
    # The consignment reached the end of the route under control.
    step(
        "cd-delivered",
        title=N_("Controlled delivery: delivered"),
        shape=Shape(
            pb.ControlledDeliveryDelivered,
            (
                Field("delivered_at", N_("Delivered on"), FieldType.PARTIAL_TIME, required=True),
                place(opened=True),
                seals(),
                gross_weight(),
                remarks(),
            ),
        ),
        summarise=_delivered_summary,
        subject=("place.country", "gross_weight"),
        check=not_in_future("delivered_at"),
    ),
)  # fmt: skip
