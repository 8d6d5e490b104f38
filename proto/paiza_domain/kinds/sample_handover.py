"""Act of handover of samples, by the giving side: each sample with its mass and seal, and what it may be used for."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

from paiza.content.v1.sample_transfer_pb2 import SampleHandover
from paiza_domain.i18n import N_, translate
from paiza_domain.kinds.seizure_notice import PLACE
from paiza_domain.schema.field_errors import FieldError, Problem
from paiza_domain.schema.kind import Kind
from paiza_domain.schema.nominal import ANNEX
from paiza_domain.schema.partial_times import write_moment
from paiza_domain.schema.samples import MAX_SAMPLES, SEALED_SAMPLE, named_once, not_in_future
from paiza_domain.schema.shapes import Field, FieldType, Shape


def _related(act: SampleHandover) -> Iterator[tuple[str, Problem]]:
    yield from named_once(act.samples)


SHAPE: Final = Shape(
    SampleHandover,
    (
        Field("act_number", N_("Number of the act"), required=True, term="reference"),
        Field("handed_over_at", N_("Date and time of the handover"), FieldType.MOMENT, required=True),
        Field("place", N_("Place of the handover"), FieldType.GROUP, required=True, shape=PLACE),
        Field("given_by", N_("Given by (authority, office)"), required=True),
        Field("taken_by", N_("Taken by (authority, office)"), required=True),
        Field("samples", N_("Samples"), FieldType.GROUP, required=True, most=MAX_SAMPLES, shape=SEALED_SAMPLE),
        Field("courier", N_("How they travel"), FieldType.CODE, required=True, codes="sample_courier"),
        Field("courier_reference", N_("Waybill or mandate of the courier"), term="waybill"),
        Field("use_limits", N_("To be used only for"), FieldType.LINES, required=True, max_length=4_000),
        Field("after_use", N_("What becomes of what is left"), FieldType.CODE, required=True, codes="sample_after_use"),
        Field("export_permit", N_("Export authorisation"), term="document"),
        Field("import_permit", N_("Import authorisation"), term="document"),
        Field("remarks", N_("Remarks"), FieldType.LINES, max_length=4_000),
    ),
    related=_related,
)


def _check(content: SampleHandover, _annex: Any, now: datetime) -> list[FieldError]:
    return not_in_future(content.handed_over_at, "handed_over_at", now)


def _summary(content: SampleHandover, lang: str) -> str:
    count = translate(N_("samples: {number}"), lang).format(number=len(content.samples))
    return f"{content.act_number}: {content.given_by} → {content.taken_by}; {count}; " + write_moment(
        content.handed_over_at
    )


KIND: Final = Kind(
    name="sample-handover",
    version=1,
    title=N_("Act of handover of samples"),
    shape=SHAPE,
    annex_shape=ANNEX,
    summarise=_summary,
    subject=("samples.drug_type|samples.drug_group", "samples.quantity"),
    sender_roles=frozenset({"liaison", "duty", "authoriser", "coordinator"}),
    answered_by=("sample-receipt",),
    needs_parent=True,
    check=_check,
)
