"""Result sheet: the results of an operation, computed from its messages (`paiza_domain.operations`) and signed.

The stated results may differ from the computed ones; the sheet then holds both, and the reason.
"""

from collections.abc import Iterator
from typing import Final

from paiza.content.v1.operation_pb2 import Contribution, NotCounted, ResultSheet
from paiza_domain.i18n import N_
from paiza_domain.kinds.operation import MAX_PARTICIPANTS
from paiza_domain.kinds.situation_report import RESULTS
from paiza_domain.operations.figures import figures_line
from paiza_domain.schema.field_errors import Problem
from paiza_domain.schema.identifiers import member_problem
from paiza_domain.schema.kind import Kind
from paiza_domain.schema.reading import code_text
from paiza_domain.schema.shapes import Field, FieldType, Shape

MAX_SOURCES: Final = 10_000  # messages of one operation; the whole stays inside the limit of a content
_MAX_PER_MEMBER: Final = 10_000  # messages of one participant


def _said_why(content: ResultSheet) -> Iterator[tuple[str, Problem]]:
    if content.results != content.computed and not content.correction_note:
        yield "correction_note", ("correction_unexplained", {})
    if content.results == content.computed and content.correction_note:
        yield "correction_note", ("not_allowed_here", {})


CONTRIBUTION: Final = Shape(
    Contribution,
    (
        Field("member", N_("Member"), required=True, check=member_problem),
        Field("reports", N_("Situation reports"), FieldType.INTEGER, least=0, greatest=_MAX_PER_MEMBER),
        Field("notices", N_("Notices"), FieldType.INTEGER, least=0, greatest=_MAX_PER_MEMBER),
    ),
)
NOT_COUNTED: Final = Shape(
    NotCounted,
    (
        Field("message_digest", N_("Digest of the message"), FieldType.DIGEST, required=True),
        Field("reason", N_("Reason"), FieldType.CODE, required=True, codes="not_counted"),
    ),
)
SHAPE: Final = Shape(
    ResultSheet,
    (
        Field("reference", N_("Own reference"), required=True),
        Field("status", N_("Status"), FieldType.CODE, required=True, codes="sheet_status", default="interim"),
        Field("as_of_time", N_("Counted up to"), FieldType.TIME, key="as_of", required=True),
        Field("results", N_("Result"), FieldType.GROUP, short=True, shape=RESULTS),
        Field("computed", N_("Computed"), FieldType.GROUP, shape=RESULTS, derived=True),
        Field(
            "correction_note",
            N_("Why it stands otherwise than computed"),
            FieldType.LINES,
            max_length=4_000,
            short=True,
        ),
        Field(
            "contributions",
            N_("Contributions"),
            FieldType.GROUP,
            most=MAX_PARTICIPANTS,
            shape=CONTRIBUTION,
            derived=True,
        ),
        Field("sources", N_("Messages counted"), FieldType.DIGEST, most=MAX_SOURCES, derived=True),
        Field(
            "not_counted",
            N_("Messages not counted"),
            FieldType.GROUP,
            most=MAX_SOURCES,
            shape=NOT_COUNTED,
            derived=True,
        ),
        Field("assessment", N_("Assessment"), FieldType.LINES),
    ),
    related=_said_why,
)


def _summary(content: ResultSheet, lang: str) -> str:
    status = code_text("sheet_status", content.status, lang)
    return f"{content.reference}, {status}: {figures_line(content.results, lang)}"


KIND: Final = Kind(
    name="result-sheet",
    version=1,
    title=N_("Result sheet"),
    shape=SHAPE,
    summarise=_summary,
    subject=("status",),
    sender_roles=frozenset({"liaison", "coordinator"}),
    needs_parent=True,
    follows=("operation", "situation-report", "result-sheet"),
)
