"""Request for samples: which, how much of each, what for, and what becomes of what is left."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, Final

from paiza.content.v1.sample_transfer_pb2 import SampleRequest
from paiza_domain.i18n import N_
from paiza_domain.schema.field_errors import FieldError, Problem
from paiza_domain.schema.kind import Kind
from paiza_domain.schema.partial_times import to_datetime
from paiza_domain.schema.quantity import format_amount
from paiza_domain.schema.reading import code_text
from paiza_domain.schema.samples import MAX_SAMPLES, WANTED_SAMPLE, named_once
from paiza_domain.schema.shapes import Field, FieldType, Shape

_ANSWER_DEADLINE: Final = timedelta(days=30)  # a decision needs an import and an export authorisation


def _related(request: SampleRequest) -> Iterator[tuple[str, Problem]]:
    yield from named_once(request.samples)


SHAPE: Final = Shape(
    SampleRequest,
    (
        Field("reference", N_("Own reference"), required=True, term="reference"),
        Field("purpose", N_("Purpose"), FieldType.CODE, required=True, codes="sample_purpose"),
        Field("reason", N_("Why, in words"), FieldType.LINES, required=True, max_length=4_000),
        Field("samples", N_("Samples"), FieldType.GROUP, required=True, most=MAX_SAMPLES, shape=WANTED_SAMPLE),
        Field("laboratory", N_("Laboratory or unit that uses them"), required=True),
        Field("after_use", N_("What becomes of what is left"), FieldType.CODE, required=True, codes="sample_after_use"),
        Field("import_permit", N_("Import authorisation"), term="document"),
        Field("deadline_time", N_("Needed by"), FieldType.TIME, key="deadline"),
    ),
    related=_related,
)


def _check(content: SampleRequest, _annex: Any, now: datetime) -> list[FieldError]:
    if content.HasField("deadline_time") and to_datetime(content.deadline_time) <= now:
        return [FieldError("deadline", "in_past")]
    return []


def _summary(content: SampleRequest, lang: str) -> str:
    first = content.samples[0]
    amount = f"{format_amount(first.quantity.millionths)} {code_text('unit', first.quantity.unit, lang)}"
    more = f" (+{len(content.samples) - 1})" if len(content.samples) > 1 else ""
    purpose = code_text("sample_purpose", content.purpose, lang)
    return f"{content.reference}: {first.as_named or first.substance_id}, {amount}{more}; {purpose}"


KIND: Final = Kind(
    name="sample-request",
    version=1,
    title=N_("Request for samples"),
    shape=SHAPE,
    summarise=_summary,
    subject=("purpose", "samples.drug_type|samples.drug_group", "samples.quantity"),
    sender_roles=frozenset({"liaison", "duty", "coordinator"}),
    answered_by=("sample-decision", "sample-handover"),
    answer_deadline=_ANSWER_DEADLINE,
    check=_check,
)
