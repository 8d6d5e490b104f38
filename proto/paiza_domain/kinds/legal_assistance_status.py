"""The status of a request for legal assistance: received, forwarded, executed, refused."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

from paiza.content.v1.legal_assistance_pb2 import LegalAssistanceStatus
from paiza_domain.i18n import N_
from paiza_domain.schema.field_errors import FieldError, Problem
from paiza_domain.schema.kind import Kind
from paiza_domain.schema.reading import code_text
from paiza_domain.schema.rules import is_to_come
from paiza_domain.schema.shapes import Field, FieldType, Shape

EXPLAINED: Final = frozenset({"more-information", "postponed", "partly-executed", "withdrawn"})
"""Statuses that say nothing without a sentence."""
ENDED: Final = frozenset({"executed", "refused", "returned", "withdrawn"})
"""Statuses after which nothing is expected."""


def _fits_status(report: LegalAssistanceStatus) -> Iterator[tuple[str, Problem]]:
    if report.status in EXPLAINED and not report.text:
        yield "text", ("status_text_missing", {})
    if report.status == "forwarded" and not report.authority:
        yield "authority", ("authority_missing", {})
    if report.status == "refused" and not report.refusal:
        yield "refusal", ("refusal_ground_missing", {})
    if report.refusal and report.status != "refused":
        yield "refusal", ("not_allowed_here", {})
    if report.HasField("expected_time") and report.status in ENDED:
        yield "expected", ("not_allowed_here", {})


SHAPE: Final = Shape(
    LegalAssistanceStatus,
    (
        Field("reference", N_("Own reference"), required=True, term="reference"),
        Field("status", N_("Progress"), FieldType.CODE, required=True, codes="legal_assistance_status"),
        Field("authority", N_("Authority where it is now")),
        Field("date", N_("Date"), FieldType.DATE, required=True),
        Field("text", N_("What was done, is lacking, or why"), FieldType.LINES),
        Field("refusal", N_("Reason of the refusal"), FieldType.CODE, codes="refusal"),
        Field("expected_time", N_("Execution can be expected by"), FieldType.TIME, key="expected"),
    ),
    related=_fits_status,
)


def _leaves_open(report: LegalAssistanceStatus) -> bool:
    return report.status not in ENDED


def _check(content: LegalAssistanceStatus, _annex: Any, now: datetime) -> list[FieldError]:
    return [FieldError("date", "in_future")] if is_to_come(content.date, now) else []


def _summary(content: LegalAssistanceStatus, lang: str) -> str:
    return f"{content.reference}: {code_text('legal_assistance_status', content.status, lang)}, {content.date}"


KIND: Final = Kind(
    name="legal-assistance-status",
    version=1,
    title=N_("Progress of a request for legal assistance"),
    shape=SHAPE,
    summarise=_summary,
    subject=("status",),
    sender_roles=frozenset({"liaison", "authoriser", "coordinator"}),
    needs_parent=True,
    leaves_open=_leaves_open,
    check=_check,
)
