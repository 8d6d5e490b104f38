"""Controlled delivery, the request and the decisions of the requested states."""

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from paiza.content.v1 import controlled_delivery_pb2 as pb
from paiza_domain.i18n import N_, translate
from paiza_domain.kinds.acknowledgement import acknowledgement_summary
from paiza_domain.kinds.controlled_delivery import shapes
from paiza_domain.kinds.controlled_delivery.shapes import contact, paragraph, quantities, reference, remarks, step
from paiza_domain.kinds.seizure_notice import CONCEALMENT, MAX_SUBSTANCES, PACKAGING, SUBSTANCE
from paiza_domain.kinds.seizure_notice import MAX_ENTRIES as MAX_WAYS
from paiza_domain.schema.field_errors import FieldError, Problem
from paiza_domain.schema.kind import Kind
from paiza_domain.schema.nominal import ANNEX
from paiza_domain.schema.partial_times import timestamp_text, to_datetime
from paiza_domain.schema.reading import code_text, quantity_text, substance_text
from paiza_domain.schema.rules import CLOCK_TOLERANCE, all_of, not_in_past, numbered, once
from paiza_domain.schema.shapes import Field, FieldType, Shape


def _states_on_route(request: pb.ControlledDeliveryRequest) -> Iterator[tuple[str, Problem]]:
    asked = {state.member for state in request.states}
    for index, leg in enumerate(request.route):
        if leg.member not in asked:
            yield f"route[{index}].member", ("state_not_asked", {"value": leg.member})
    on_route = {leg.member for leg in request.route}
    for index, state in enumerate(request.states):
        if state.member not in on_route:
            yield f"states[{index}].member", ("state_without_leg", {"value": state.member})


def _request_in_time(content: pb.ControlledDeliveryRequest, annex: object, now: datetime) -> list[FieldError]:
    found = not_in_past("latest_decision")(content, annex, now)
    if content.HasField("oral_request_time") and to_datetime(content.oral_request_time) > now + CLOCK_TOLERANCE:
        found.append(FieldError("oral_request", "in_future"))
    return found


def _request_summary(content: pb.ControlledDeliveryRequest, lang: str) -> str:
    name = substance_text(content.substances[0], lang)
    way = shapes.way_text(content.route, lang)
    return f"{content.reference}: {name}, {quantity_text(content.quantities[0], lang)}; {way}"


def _confirmation_summary(content: pb.ControlledDeliveryConfirmation, lang: str) -> str:
    text = translate(N_("Oral request of {time} confirmed"), lang).format(
        time=timestamp_text(content.oral_request_time, lang)
    )
    return f"{text}: {content.letter}" if content.letter else text


def _still_valid(content: pb.ControlledDeliveryAuthorisation, _annex: object, now: datetime) -> list[FieldError]:
    past = to_datetime(content.scope.valid_until_time) <= now
    return [FieldError("scope.valid_until", "in_past")] if past else []


def _authorisation_summary(content: pb.ControlledDeliveryAuthorisation, lang: str) -> str:
    amounts = ", ".join(quantity_text(each, lang) for each in content.scope.quantities)
    until = translate(N_("authorised until {time}"), lang).format(
        time=timestamp_text(content.scope.valid_until_time, lang)
    )
    return f"{content.reference}: {'; '.join(filter(None, (until, amounts, ', '.join(content.scope.border_points))))}"


def _refusal_summary(content: pb.ControlledDeliveryRefusal, lang: str) -> str:
    return f"{content.reference}: {code_text('refusal', content.refusal, lang)}"


def _conditions_summary(content: pb.ControlledDeliveryConditions, lang: str) -> str:
    types = (code_text("cd_condition", each.type, lang) for each in content.conditions)
    return f"{content.reference}: {'; '.join(types)}"


def _counter_needs_text(answer: pb.ControlledDeliveryConditionAnswer) -> Iterator[tuple[str, Problem]]:
    if answer.status == "countered" and not answer.text:
        yield "text", ("missing", {})


def _answer_summary(content: pb.ControlledDeliveryConditionsAnswer, lang: str) -> str:
    answers = (f"{each.number} – {code_text('cd_condition_answer', each.status, lang)}" for each in content.answers)
    return f"{shapes.state_text(content.member, lang)}: {'; '.join(answers)}"


def _withdrawal_summary(content: pb.ControlledDeliveryWithdrawal, lang: str) -> str:
    return f"{code_text('cd_withdrawn', content.withdrawn, lang)}: {content.reason}"


ANSWER: Final = Shape(
    pb.ControlledDeliveryConditionAnswer,
    (
        Field("number", N_("Number of the condition"), FieldType.INTEGER, required=True, least=1,
              greatest=shapes.MAX_ENTRIES),
        Field("status", N_("Answer to the condition"), FieldType.CODE, required=True, codes="cd_condition_answer"),
        Field("text", N_("Counter-condition or reason"), FieldType.LINES, max_length=shapes.MAX_PARAGRAPH, opened=True,
              hint=N_("mandatory with countered")),
    ),
    related=_counter_needs_text,
)  # fmt: skip

STEPS: Final[tuple[Kind, ...]] = (
    # The full request to every state on the route.
    step(
        "cd-request",
        title=N_("Controlled delivery: request"),
        shape=Shape(
            pb.ControlledDeliveryRequest,
            (
                reference(),
                Field("requesting_authority", N_("Requesting authority"), required=True, known="agency"),
                contact("case_officer", N_("Case officer"), required=True),
                contact("duty_contact", N_("Contact at any hour"), required=True),
                Field("states", N_("States asked"), FieldType.GROUP, required=True, most=shapes.MAX_STATES,
                      shape=shapes.STATE),
                Field("latest_decision_time", N_("Decision needed by"), FieldType.TIME, key="latest_decision",
                      required=True),
                Field("oral_request_time", N_("Requested orally on"), FieldType.TIME, key="oral_request",
                      hint=N_("only where it was; to be confirmed in writing within three days")),
                paragraph("legal_basis", N_("Legal basis"), required=True),
                Field("case_number", N_("Number of the case"), required=True, term="reference"),
                Field("facts", N_("Facts"), FieldType.LINES, required=True),
                paragraph("objective", N_("Objective"), required=True),
                paragraph("why_necessary", N_("Why other means would fail"), required=True),
                Field("substances", N_("Substance"), FieldType.GROUP, required=True, most=MAX_SUBSTANCES,
                      shape=SUBSTANCE),
                quantities("quantities", N_("Whole consignment, once per unit")),
                Field("packaging", N_("Packaging"), FieldType.GROUP, most=MAX_WAYS, shape=PACKAGING),
                Field("marks", N_("Marks on the consignment")),
                Field("concealment", N_("Concealment"), FieldType.GROUP, most=MAX_WAYS, shape=CONCEALMENT),
                shapes.transport(opened=True),
                shapes.trackers(),
                shapes.route(N_("Planned route, one leg per state")),
                shapes.substitution_mode(),
                Field("surveillance", N_("Surveillance and technical means"), FieldType.CODE, codes="cd_surveillance",
                      most=shapes.MAX_ENTRIES),
                paragraph("surveillance_note", N_("Surveillance in detail")),
                shapes.handover_points(),
                Field("risks", N_("Risks"), FieldType.GROUP, most=shapes.MAX_ENTRIES, shape=shapes.RISK),
                shapes.stop_conditions(),
                paragraph("arrests", N_("Arrests")),
                paragraph("jurisdiction", N_("Jurisdiction")),
                paragraph("costs", N_("Costs")),
                paragraph("evidence", N_("Evidence")),
                paragraph("sampling", N_("Sampling")),
                paragraph("media_embargo", N_("Media embargo")),
                Field("media_embargo_time", N_("Media embargo until"), FieldType.TIME, key="media_embargo_until"),
                paragraph("use_limits", N_("Limits on use")),
                remarks(),
            ),
            related=all_of(once("states", "member"), shapes.route_rules, shapes.once_per_unit, _states_on_route),
        ),
        annex_shape=ANNEX,
        summarise=_request_summary,
        subject=("substances.drug_type|substances.drug_group", "quantities"),
        answered_by=shapes.DECISIONS,
        needs_parent=False,
        check=_request_in_time,
    ),
    # In writing, of an oral request; due within three days.
    step(
        "cd-confirmation",
        title=N_("Controlled delivery: written confirmation"),
        shape=Shape(
            pb.ControlledDeliveryConfirmation,
            (
                Field("oral_request_time", N_("Requested orally on"), FieldType.TIME, key="oral_request",
                      required=True),
                Field("letter", N_("Number and date of the letter"), term="reference"),
                remarks(),
            ),
        ),
        summarise=_confirmation_summary,
    ),
    # The scope that a state permits, and until when. Two officers sign, one as authoriser.
    step(
        "cd-authorisation",
        title=N_("Controlled delivery: authorisation"),
        shape=Shape(
            pb.ControlledDeliveryAuthorisation,
            (
                reference(),
                Field("authority", N_("Authority that decided"), required=True, known="agency"),
                paragraph("legal_basis", N_("Legal basis"), required=True),
                Field("scope", N_("What is permitted"), FieldType.GROUP, required=True, shape=shapes.SCOPE),
                shapes.conditions(),
                contact("duty_contact", N_("Contact at any hour"), required=True),
                remarks(),
            ),
            related=numbered("conditions", "condition_order"),
        ),
        summarise=_authorisation_summary,
        subject=("scope.quantities",),
        second_officer=True,
        second_role=shapes.AUTHORISER,
        check=_still_valid,
    ),
    # A state does not permit it, with the code of the ground.
    step(
        "cd-refusal",
        title=N_("Controlled delivery: refusal"),
        shape=Shape(
            pb.ControlledDeliveryRefusal,
            (
                reference(),
                Field("refusal", N_("Reason of the refusal"), FieldType.CODE, required=True, codes="refusal"),
                paragraph("explanation", N_("Explanation")),
            ),
        ),
        summarise=_refusal_summary,
        subject=("refusal",),
    ),
    # The conditions of a state's consent.
    step(
        "cd-conditions",
        title=N_("Controlled delivery: conditions"),
        shape=Shape(
            pb.ControlledDeliveryConditions,
            (reference(), shapes.conditions(required=True), remarks()),
            related=numbered("conditions", "condition_order"),
        ),
        summarise=_conditions_summary,
        subject=("conditions.type",),
        answered_by=("cd-conditions-answer",),
    ),
    # The conditions of one state are accepted, refused, or countered, by number.
    step(
        "cd-conditions-answer",
        title=N_("Controlled delivery: answer to conditions"),
        shape=Shape(
            pb.ControlledDeliveryConditionsAnswer,
            (
                shapes.member("member", N_("State whose conditions are answered")),
                Field("conditions_digest", N_("Digest of the conditions"), FieldType.DIGEST, required=True),
                Field("answers", N_("Answers"), FieldType.GROUP, required=True, most=shapes.MAX_ENTRIES, shape=ANSWER),
                remarks(),
            ),
            related=once("answers", "number", "number_repeated"),
        ),
        summarise=_answer_summary,
        subject=("answers.status",),
        answered_by=shapes.DECISIONS,
    ),
    # Of the request by the requester, or of its own authorisation by a state.
    step(
        "cd-withdrawal",
        title=N_("Controlled delivery: withdrawal"),
        shape=Shape(
            pb.ControlledDeliveryWithdrawal,
            (
                Field("withdrawn", N_("What is withdrawn"), FieldType.CODE, required=True, codes="cd_withdrawn"),
                paragraph("reason", N_("Reason"), required=True),
            ),
        ),
        summarise=_withdrawal_summary,
        subject=("withdrawn",),
    ),
    # Of the request, a route change, a stop, or a loss of control.
    step(
        "cd-acknowledgement",
        title=N_("Controlled delivery: acknowledgement"),
        shape=Shape(
            pb.ControlledDeliveryAcknowledgement,
            (
                Field("message_digest", N_("Digest of the message"), FieldType.DIGEST, required=True),
                Field("reference", N_("Own reference"), term="reference"),
                contact("contact", N_("Who deals with it")),
                Field("note", N_("Note"), FieldType.LINES, max_length=2_000),
            ),
        ),
        summarise=acknowledgement_summary,
    ),
)  # fmt: skip
