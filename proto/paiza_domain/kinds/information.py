"""Information request (facts, what it asks about, numbered questions) and its answer, question by question."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any, Final

from paiza.content.v1.common_pb2 import Answer, EarlierRequest, Question
from paiza.content.v1.information_pb2 import (
    Consignment,
    FreightContainer,
    InformationAnswer,
    InformationRequest,
    SoughtSubstance,
    Vehicle,
    Vessel,
)
from paiza_domain.handling import MAX_PURPOSES
from paiza_domain.i18n import N_, translate
from paiza_domain.kinds.seizure_notice import DRUG, NAMES, PLACE, drug_type_problems, named
from paiza_domain.schema.field_errors import Problem
from paiza_domain.schema.identifiers import container_problem, imo_problem, vin_problem
from paiza_domain.schema.kind import Kind
from paiza_domain.schema.nominal import ANNEX
from paiza_domain.schema.reading import code_text
from paiza_domain.schema.rules import all_of, any_of, not_in_past, numbered, once
from paiza_domain.schema.shapes import Field, FieldType, Shape

MAX_QUESTIONS: Final = 50  # a request longer than this is several requests
MAX_EARLIER: Final = 20  # earlier requests
MAX_SUBJECTS: Final = 50  # vehicles, seals or others of one sort; more belongs in an attachment
MAX_FEW: Final = 10  # seals of a container, documents of a consignment, offences
SENDERS: Final = frozenset({"liaison", "duty", "coordinator"})
_ANSWER_DEADLINE: Final = timedelta(days=7)  # the default for requests that are not urgent
_NOTE: Final = 2_000  # characters

QUESTION: Final = Shape(
    Question,
    (
        Field("number", N_("Number"), FieldType.INTEGER, required=True, least=1, greatest=MAX_QUESTIONS, default="1"),
        Field("text", N_("Question"), FieldType.LINES, required=True, max_length=4_000),
    ),
)
EARLIER: Final = Shape(
    EarlierRequest,
    (
        Field("addressee", N_("Addressee and channel"), required=True),
        Field("date", N_("Date"), FieldType.DATE),
        Field("outcome", N_("Outcome")),
    ),
)
VEHICLE: Final = Shape(
    Vehicle,
    (
        Field("plate", N_("Registration plate"), max_length=40, term="plate", opened=True),
        Field("country", N_("Registered in"), FieldType.CODE, codes="country", term="country"),
        Field("vin", N_("Vehicle identification number (VIN)"), check=vin_problem, term="vin"),
        Field("means", N_("Means of transport"), FieldType.CODE, codes="transport_means"),
        Field("make", N_("Make and model")),
        Field("note", N_("Note"), FieldType.LINES, max_length=_NOTE),
    ),
    related=any_of("plate", "vin", "means", "make"),
)
VESSEL: Final = Shape(
    Vessel,
    (
        Field("name", N_("Name of the vessel"), term="vessel", opened=True),
        Field("imo_number", N_("IMO number of the vessel"), check=imo_problem, term="vessel"),
        Field("flag", N_("Flag"), FieldType.CODE, codes="country", term="country"),
        Field("note", N_("Note"), FieldType.LINES, max_length=_NOTE),
    ),
    related=any_of("name", "imo_number"),
)
CONTAINER: Final = Shape(
    FreightContainer,
    (
        Field("number", N_("Container number"), required=True, check=container_problem, term="container"),
        Field("seals", N_("Seals"), max_length=60, most=MAX_FEW, term="seal"),
        Field("note", N_("Note"), FieldType.LINES, max_length=_NOTE),
    ),
)
CONSIGNMENT: Final = Shape(
    Consignment,
    (
        Field("description", N_("Goods, and what is known of them"), FieldType.LINES, max_length=_NOTE, opened=True),
        Field("documents", N_("Numbers of its documents"), max_length=60, most=MAX_FEW, term="document"),
        Field("air_waybill", N_("Air waybill"), max_length=40, term="waybill"),
        Field("tir_carnet", N_("TIR carnet"), max_length=40, term="carnet"),
        Field("flight", N_("Flight"), max_length=40, term="flight"),
        Field("origin", N_("Comes from"), FieldType.CODE, codes="country", term="country"),
        Field("destination", N_("Goes to"), FieldType.CODE, codes="country", term="country"),
    ),
    related=any_of("description", "documents", "air_waybill", "tir_carnet", "flight"),
)
SUBSTANCE: Final = Shape(
    SoughtSubstance,
    (
        *NAMES,
        *DRUG,
        Field("logo", N_("Logo, text on the packages"), term="logo"),
        Field("note", N_("Note"), FieldType.LINES, max_length=_NOTE),
    ),
    related=all_of(named, drug_type_problems),
)
_SUBJECTS: Final = (
    Field("vehicles", N_("Vehicles"), FieldType.GROUP, most=MAX_SUBJECTS, shape=VEHICLE),
    Field("vessels", N_("Vessels"), FieldType.GROUP, most=MAX_SUBJECTS, shape=VESSEL),
    Field("containers", N_("Containers"), FieldType.GROUP, most=MAX_SUBJECTS, shape=CONTAINER),
    Field("seals", N_("Seals"), max_length=60, most=MAX_SUBJECTS, term="seal"),
    Field("consignments", N_("Consignments"), FieldType.GROUP, most=MAX_SUBJECTS, shape=CONSIGNMENT),
    Field("substances", N_("Substance"), FieldType.GROUP, most=MAX_SUBJECTS, shape=SUBSTANCE),
    Field("places", N_("Places"), FieldType.GROUP, most=MAX_SUBJECTS, shape=PLACE),
)
"""What a request may ask about. Persons, companies, telephones and accounts are in the nominal annex."""


def _fits_status(answer: Answer) -> Iterator[tuple[str, Problem]]:
    if answer.status in {"full", "partial"} and not answer.text:
        yield "text", ("answer_text_missing", {})
    if answer.status == "refused" and not answer.refusal:
        yield "refusal", ("refusal_missing", {})
    if answer.refusal and answer.status != "refused":
        yield "refusal", ("not_allowed_here", {})
    if answer.status == "forwarded" and not answer.forwarded_to:
        yield "forwarded_to", ("forwarded_to_missing", {})
    if answer.forwarded_to and answer.status != "forwarded":
        yield "forwarded_to", ("not_allowed_here", {})
    if answer.HasField("expected_time") and answer.status not in {"interim", "forwarded"}:
        yield "expected", ("not_allowed_here", {})


ANSWER: Final = Shape(
    Answer,
    (
        Field(
            "question_number", N_("Question number"), FieldType.INTEGER, required=True, least=1, greatest=MAX_QUESTIONS
        ),
        Field("status", N_("Status of the answer"), FieldType.CODE, required=True, codes="answer_status"),
        Field("text", N_("Answer"), FieldType.LINES, opened=True, hint=N_("mandatory with full and partial")),
        Field("refusal", N_("Reason of the refusal"), FieldType.CODE, codes="refusal"),
        Field("forwarded_to", N_("Forwarded to")),
        Field("expected_time", N_("More can be expected by"), FieldType.TIME, key="expected"),
    ),
    related=_fits_status,
)

QUESTIONS_NUMBERED: Final = numbered("questions", "number_order")
ANSWERED_ONCE: Final = once("answers", "question_number", "number_repeated")


def request_summary(content: Any, _lang: str) -> str:
    """Return the summary of a request: its reference and subject."""
    return f"{content.reference}: {content.subject}"


def answer_summary(content: Any, lang: str) -> str:
    """Return the summary of an answer: its reference and the status of each question."""
    number = translate(N_("No. {number}"), lang)
    states = (
        f"{number.format(number=each.question_number)} – {code_text('answer_status', each.status, lang)}"
        for each in content.answers
    )
    return f"{content.reference}: {'; '.join(states)}"


KINDS: Final[tuple[Kind, ...]] = (
    # Facts, and numbered questions that an answer can name.
    Kind(
        name="information-request",
        version=1,
        title=N_("Information request"),
        shape=Shape(
            InformationRequest,
            (
                Field("reference", N_("Own reference"), required=True, term="reference"),
                Field("subject", N_("Subject"), required=True, term="subject"),
                Field("purposes", N_("Purposes"), FieldType.CODE, required=True, codes="purpose", most=MAX_PURPOSES),
                Field(
                    "offence_types",
                    N_("Types of offence"),
                    FieldType.CODE,
                    codes="offence_type",
                    most=MAX_FEW,
                    opened=True,
                ),
                Field("facts", N_("Facts"), FieldType.LINES, required=True),
                *_SUBJECTS,
                Field("questions", N_("Questions"), FieldType.GROUP, required=True, most=MAX_QUESTIONS, shape=QUESTION),
                Field("why_addressee", N_("Why this addressee"), FieldType.LINES, required=True, max_length=4_000),
                Field("deadline_time", N_("Answer needed by"), FieldType.TIME, key="deadline"),
                Field("use_limits", N_("Limits on use"), FieldType.LINES, max_length=4_000),
                Field(
                    "earlier_requests",
                    N_("Earlier requests elsewhere"),
                    FieldType.GROUP,
                    most=MAX_EARLIER,
                    shape=EARLIER,
                ),
            ),
            related=QUESTIONS_NUMBERED,
        ),
        annex_shape=ANNEX,
        summarise=request_summary,
        subject=("purposes", "offence_types"),
        sender_roles=SENDERS,
        answer_deadline=_ANSWER_DEADLINE,
        answered_by=("information-answer",),
        check=not_in_past("deadline"),
    ),
    # Per question number full, partial, negative, interim, refused or forwarded.
    Kind(
        name="information-answer",
        version=1,
        title=N_("Answer to an information request"),
        shape=Shape(
            InformationAnswer,
            (
                Field("reference", N_("Own reference"), required=True),
                Field("answers", N_("Answers"), FieldType.GROUP, required=True, most=MAX_QUESTIONS, shape=ANSWER),
                Field("remarks", N_("Remarks"), FieldType.LINES),
                Field("use_limits", N_("Limits on use"), FieldType.LINES, max_length=4_000),
            ),
            related=ANSWERED_ONCE,
        ),
        annex_shape=ANNEX,
        summarise=answer_summary,
        subject=("answers.status",),
        sender_roles=SENDERS,
        needs_parent=True,
    ),
)
