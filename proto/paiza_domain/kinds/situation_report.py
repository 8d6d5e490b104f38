"""Situation report: the events and figures of one reporting period of an operation.

The operation is the parent. The report names the seizure notices that its figures include, so that they are
not counted twice.
"""

from collections.abc import Iterator
from typing import Final

from paiza.content.v1.operation_pb2 import OperationResults, SituationReport, SubstanceResult
from paiza_domain.i18n import N_
from paiza_domain.kinds.operation import MAX_VERSION
from paiza_domain.kinds.seizure_notice import drug_type_problems
from paiza_domain.operations.figures import COUNTS, figures_line
from paiza_domain.schema.field_errors import Problem
from paiza_domain.schema.kind import Kind
from paiza_domain.schema.rules import period_in_order
from paiza_domain.schema.shapes import Field, FieldType, Shape

MAX_LINES: Final = 200  # substances and units of one operation
MAX_NOTICES: Final = 500  # of one author in one reporting period
MAX_COUNT: Final = 10**9  # rounds of ammunition


def _substance_rules(substance: SubstanceResult) -> Iterator[tuple[str, Problem]]:
    if not (substance.substance_id or substance.as_named or substance.drug_type):
        yield "as_named", ("substance_unnamed", {})
    yield from drug_type_problems(substance)


SUBSTANCE: Final = Shape(
    SubstanceResult,
    (
        Field("as_named", N_("Substance as named"), opened=True, hint=N_("mandatory where there is no reference id")),
        Field("substance_id", N_("Reference id of the substance"), max_length=64),
        Field("drug_group", N_("Drug group"), FieldType.CODE, required=True, codes="drug_group"),
        Field("drug_type", N_("Drug type"), FieldType.CODE, codes="drug_type"),
        Field("quantity", N_("Quantity"), FieldType.QUANTITY, required=True),
    ),
    related=_substance_rules,
)
RESULTS: Final = Shape(
    OperationResults,
    (
        Field("substances", N_("Seized"), FieldType.GROUP, most=MAX_LINES, shape=SUBSTANCE),
        *(
            Field(name, label, FieldType.INTEGER, short=True, least=0, greatest=MAX_COUNT)
            for name, label in COUNTS.items()
        ),
    ),
)


SHAPE: Final = Shape(
    SituationReport,
    (
        Field("report_number", N_("Number of the report"), required=True, max_length=64),
        Field(
            "report_version",
            N_("Version of the report"),
            FieldType.INTEGER,
            required=True,
            least=1,
            greatest=MAX_VERSION,
            default="1",
        ),
        Field("status", N_("Status"), FieldType.CODE, required=True, codes="report_status", default="initial"),
        Field("from_time", N_("Reporting period begins"), FieldType.TIME, key="from", required=True, begins=True),
        Field("until_time", N_("Reporting period ends"), FieldType.TIME, key="until", required=True),
        Field("situation", N_("Situation"), FieldType.LINES, required=True),
        Field("results", N_("Figures"), FieldType.GROUP, short=True, shape=RESULTS),
        Field(
            "included_notices",
            N_("Own notices contained in the figures"),
            max_length=64,
            most=MAX_NOTICES,
            short=True,
        ),
        Field("next_steps", N_("Next steps"), FieldType.LINES, max_length=4_000),
        Field("difficulties", N_("Difficulties, what is needed"), FieldType.LINES, max_length=4_000),
    ),
    related=period_in_order,
)


def _summary(content: SituationReport, lang: str) -> str:
    figures = figures_line(content.results, lang)
    return f"{content.report_number}: {figures or content.situation}"


KIND: Final = Kind(
    name="situation-report",
    version=1,
    title=N_("Situation report"),
    shape=SHAPE,
    summarise=_summary,
    subject=("status",),
    sender_roles=frozenset({"liaison", "duty", "coordinator"}),
    needs_parent=True,
    follows=("operation", "situation-report"),
)
