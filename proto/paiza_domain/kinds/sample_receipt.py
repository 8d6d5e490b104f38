"""Act of receipt of samples, by the taking side: each weighed again, and the state of its seal."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

from paiza.content.v1.sample_transfer_pb2 import SampleFound, SampleReceipt
from paiza_domain.i18n import N_, translate
from paiza_domain.schema.field_errors import FieldError, Problem
from paiza_domain.schema.kind import Kind
from paiza_domain.schema.partial_times import write_moment
from paiza_domain.schema.samples import MAX_SAMPLES, named_once, not_in_future
from paiza_domain.schema.shapes import Field, FieldType, Shape


def _seal_explained(found: SampleFound) -> Iterator[tuple[str, Problem]]:
    if found.seal_state and found.seal_state != "intact" and not found.note:
        yield "note", ("seal_note_missing", {})


FOUND: Final = Shape(
    SampleFound,
    (
        Field("number", N_("Number of the sample"), required=True, max_length=64, default="1"),
        Field("quantity", N_("Mass or count as found"), FieldType.QUANTITY, required=True),
        Field("seal_state", N_("State of the seal"), FieldType.CODE, required=True, codes="seal_state"),
        Field("note", N_("What was found"), FieldType.LINES, max_length=2_000),
    ),
    related=_seal_explained,
)


def _related(act: SampleReceipt) -> Iterator[tuple[str, Problem]]:
    yield from named_once(act.samples)


SHAPE: Final = Shape(
    SampleReceipt,
    (
        Field("act_number", N_("Number of the act"), required=True, term="reference"),
        Field("received_at", N_("Date and time of the receipt"), FieldType.MOMENT, required=True),
        Field("received_by", N_("Received by (authority, office)"), required=True),
        Field("samples", N_("Samples"), FieldType.GROUP, required=True, most=MAX_SAMPLES, shape=FOUND),
        Field("remarks", N_("Remarks"), FieldType.LINES, max_length=4_000),
    ),
    related=_related,
)


def _check(content: SampleReceipt, _annex: Any, now: datetime) -> list[FieldError]:
    return not_in_future(content.received_at, "received_at", now)


def _remarks(content: SampleReceipt, _reported: datetime, lang: str) -> tuple[str, ...]:
    numbers = ", ".join(each.number for each in content.samples if each.seal_state != "intact")
    if not numbers:
        return ()
    return (translate(N_("Seal not intact: {numbers}"), lang).format(numbers=numbers),)


def _summary(content: SampleReceipt, lang: str) -> str:
    count = translate(N_("samples: {number}"), lang).format(number=len(content.samples))
    return f"{content.act_number}: {content.received_by}; {count}; {write_moment(content.received_at)}"


KIND: Final = Kind(
    name="sample-receipt",
    version=1,
    title=N_("Act of receipt of samples"),
    shape=SHAPE,
    summarise=_summary,
    subject=("samples.quantity",),
    sender_roles=frozenset({"liaison", "duty", "authoriser", "coordinator"}),
    needs_parent=True,
    check=_check,
    remark=_remarks,
)
