"""Operation: a named joint operation with its participants and their limits; it opens the operation's thread."""

from collections.abc import Iterator
from typing import Final

from paiza.content.v1.operation_pb2 import Operation, Participant
from paiza_domain.i18n import N_
from paiza_domain.schema.field_errors import Problem
from paiza_domain.schema.identifiers import member_problem
from paiza_domain.schema.kind import Kind
from paiza_domain.schema.partial_times import to_datetime
from paiza_domain.schema.rules import period_in_order
from paiza_domain.schema.shapes import Field, FieldType, Shape

MAX_PARTICIPANTS: Final = 64  # members and observers there are, with room
MAX_SHARES: Final = 8  # more than the list has
MAX_VERSION: Final = 1_000  # of one description or report


def _fits(participant: Participant) -> Iterator[tuple[str, Problem]]:
    if participant.contributes and participant.participation != "observer":
        yield "contributes", ("not_allowed_here", {})


PARTICIPANT: Final = Shape(
    Participant,
    (
        Field("member", N_("Member"), required=True, check=member_problem),
        Field(
            "participation",
            N_("Takes part as"),
            FieldType.CODE,
            required=True,
            codes="participation",
            default="member",
        ),
        Field(
            "shares",
            N_("What is shared with it"),
            FieldType.CODE,
            codes="operation_share",
            most=MAX_SHARES,
            short=True,
            hint=N_("nothing named: everything for a member, nothing for an observer"),
        ),
        Field(
            "contributes",
            N_("Its figures count"),
            FieldType.FLAG,
            hint=N_("only for an observer; those of a member always do"),
        ),
        Field("until_time", N_("Takes part until"), FieldType.TIME, key="until"),
        Field("contact", N_("Agency and contact")),
        Field("limits", N_("Further limits"), FieldType.LINES, max_length=2_000),
    ),
    related=_fits,
)


def _related(content: Operation) -> Iterator[tuple[str, Problem]]:
    members = [each.member for each in content.participants if each.member]
    if len(set(members)) != len(members):
        yield "participants", ("value_repeated", {"value": max(members, key=members.count)})
    yield from period_in_order(content)


SHAPE: Final = Shape(
    Operation,
    (
        Field("reference", N_("Own reference"), required=True),
        Field(
            "operation_version",
            N_("Version of the description"),
            FieldType.INTEGER,
            required=True,
            least=1,
            greatest=MAX_VERSION,
            default="1",
        ),
        Field("name", N_("Name of the operation"), required=True),
        Field("aim", N_("Aim"), FieldType.LINES, required=True, max_length=4_000),
        Field("from_time", N_("Begins"), FieldType.TIME, key="from", required=True, begins=True),
        Field("until_time", N_("Ends"), FieldType.TIME, key="until", required=True),
        Field("coordinator", N_("Coordinator"), required=True, check=member_problem),
        Field(
            "participants",
            N_("Participants"),
            FieldType.GROUP,
            required=True,
            most=MAX_PARTICIPANTS,
            shape=PARTICIPANT,
        ),
        Field("plan", N_("Plan"), FieldType.LINES),
        Field("use_limits", N_("Limits on use"), FieldType.LINES, max_length=4_000),
    ),
    related=_related,
)


def _summary(content: Operation, _lang: str) -> str:
    members = ", ".join(each.member for each in content.participants)
    first, last = (f"{to_datetime(time):%Y-%m-%d}" for time in (content.from_time, content.until_time))
    return f"{content.reference}: {content.name}; {first} – {last}; {members}"


KIND: Final = Kind(
    name="operation",
    version=1,
    title=N_("Joint operation"),
    shape=SHAPE,
    summarise=_summary,
    sender_roles=frozenset({"liaison", "authoriser", "coordinator"}),
)
