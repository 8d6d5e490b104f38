"""The shapes of a sample, which the messages about samples share, and the rule that each is named once."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any, Final

from paiza.content.v1.sample_transfer_pb2 import Sample
from paiza_domain.i18n import N_
from paiza_domain.kinds.seizure_notice import CLOCK_TOLERANCE, DAY_SPREAD, drug_type_problems
from paiza_domain.schema.field_errors import FieldError, Problem
from paiza_domain.schema.partial_times import DAY, moment_start
from paiza_domain.schema.shapes import Field, FieldType, Shape

MAX_SAMPLES: Final = 100  # of one request or act

_NOTE: Final = 2_000  # characters


def _sample_rules(sample: Sample) -> Iterator[tuple[str, Problem]]:
    if not sample.substance_id and not sample.as_named:
        yield "as_named", ("substance_unnamed", {})
    yield from drug_type_problems(sample)


def _sample(*, sealed: bool) -> Shape:
    return Shape(
        Sample,
        (
            Field("number", N_("Number of the sample"), required=True, max_length=64, default="1"),
            Field(
                "as_named",
                N_("Substance as named"),
                opened=True,
                hint=N_("mandatory where there is no reference id"),
                term="substance",
            ),
            Field("substance_id", N_("Reference id of the substance"), max_length=64, term="substance"),
            Field("drug_group", N_("Drug group"), FieldType.CODE, required=True, codes="drug_group", term="drug-group"),
            Field("drug_type", N_("Drug type"), FieldType.CODE, codes="drug_type", term="substance"),
            Field("form", N_("Form"), FieldType.CODE, codes="form"),
            Field("quantity", N_("Mass or count"), FieldType.QUANTITY, required=True),
            Field("seal", N_("Number of the seal"), max_length=60, required=sealed, term="seal"),
            Field("origin", N_("Notice or case it was taken from"), term="reference"),
            Field("note", N_("Note"), FieldType.LINES, max_length=_NOTE),
        ),
        related=_sample_rules,
    )


WANTED_SAMPLE: Final = _sample(sealed=False)
SEALED_SAMPLE: Final = _sample(sealed=True)
"""A sample as it changes hands: under a seal with a number."""


def named_once(samples: Iterable[Any]) -> Iterator[tuple[str, Problem]]:
    """Find a number that two samples of one message share."""
    seen = set()
    for index, sample in enumerate(samples):
        if sample.number in seen:
            yield f"samples[{index}].number", ("sample_repeated", {"value": sample.number})
        seen.add(sample.number)


def not_in_future(moment: Any, path: str, now: datetime) -> list[FieldError]:
    """Find that an act is dated ahead of its author's clock."""
    ahead = DAY_SPREAD if moment.precision == DAY else CLOCK_TOLERANCE
    return [FieldError(path, "in_future")] if moment_start(moment) > now + ahead else []
