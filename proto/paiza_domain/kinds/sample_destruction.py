"""Act of the destruction of what was left of samples."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

from paiza.content.v1.sample_transfer_pb2 import SampleDestroyed, SampleDestruction
from paiza_domain.i18n import N_, translate
from paiza_domain.kinds.seizure_notice import PLACE
from paiza_domain.schema.field_errors import FieldError, Problem
from paiza_domain.schema.kind import Kind
from paiza_domain.schema.nominal import ANNEX
from paiza_domain.schema.partial_times import write_moment
from paiza_domain.schema.samples import MAX_SAMPLES, named_once, not_in_future
from paiza_domain.schema.shapes import Field, FieldType, Shape

LEAST_WITNESSES: Final = 2  # an act of one person's word proves nothing
MAX_WITNESSES: Final = 100

DESTROYED: Final = Shape(
    SampleDestroyed,
    (
        Field("number", N_("Number of the sample"), required=True, max_length=64, default="1"),
        Field("destroyed", N_("Destroyed"), FieldType.QUANTITY, required=True),
        Field("used", N_("Used up before"), FieldType.QUANTITY),
    ),
)


def _related(act: SampleDestruction) -> Iterator[tuple[str, Problem]]:
    yield from named_once(act.samples)


SHAPE: Final = Shape(
    SampleDestruction,
    (
        Field("act_number", N_("Number of the act"), required=True, term="reference"),
        Field("destroyed_at", N_("Date and time of the destruction"), FieldType.MOMENT, required=True),
        Field("place", N_("Place of the destruction"), FieldType.GROUP, required=True, shape=PLACE),
        Field("method", N_("Method of destruction"), FieldType.CODE, required=True, codes="destruction_method"),
        Field("authority", N_("Authority that answers for it"), required=True),
        Field("samples", N_("Samples"), FieldType.GROUP, required=True, most=MAX_SAMPLES, shape=DESTROYED),
        Field(
            "witnesses",
            N_("Number of witnesses"),
            FieldType.INTEGER,
            required=True,
            least=LEAST_WITNESSES,
            greatest=MAX_WITNESSES,
            default="2",
        ),
        Field("remarks", N_("Remarks"), FieldType.LINES, max_length=4_000),
    ),
    related=_related,
)


def _check(content: SampleDestruction, _annex: Any, now: datetime) -> list[FieldError]:
    return not_in_future(content.destroyed_at, "destroyed_at", now)


def _summary(content: SampleDestruction, lang: str) -> str:
    count = translate(N_("samples: {number}"), lang).format(number=len(content.samples))
    return f"{content.act_number}: {content.authority}; {count}; {write_moment(content.destroyed_at)}"


KIND: Final = Kind(
    name="sample-destruction",
    version=1,
    title=N_("Act of destruction of samples"),
    shape=SHAPE,
    annex_shape=ANNEX,
    summarise=_summary,
    subject=("method", "samples.destroyed"),
    sender_roles=frozenset({"liaison", "duty", "authoriser", "coordinator"}),
    needs_parent=True,
    check=_check,
)
