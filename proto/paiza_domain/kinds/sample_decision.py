"""Decision on a request for samples: agreed, agreed in part, or refused with its ground."""

from collections.abc import Iterator
from typing import Final

from paiza.content.v1.sample_transfer_pb2 import SampleDecision
from paiza_domain.i18n import N_
from paiza_domain.schema.field_errors import Problem
from paiza_domain.schema.kind import Kind
from paiza_domain.schema.reading import code_text
from paiza_domain.schema.samples import MAX_SAMPLES
from paiza_domain.schema.shapes import Field, FieldType, Shape


def _fits_decision(content: SampleDecision) -> Iterator[tuple[str, Problem]]:
    if content.decision == "refused" and not content.refusal:
        yield "refusal", ("refusal_ground_missing", {})
    if content.refusal and content.decision != "refused":
        yield "refusal", ("not_allowed_here", {})
    if content.decision == "agreed-part" and not content.sample_numbers:
        yield "sample_numbers", ("missing", {})
    if content.sample_numbers and content.decision != "agreed-part":
        yield "sample_numbers", ("not_allowed_here", {})


SHAPE: Final = Shape(
    SampleDecision,
    (
        Field("reference", N_("Own reference"), required=True, term="reference"),
        Field("decision", N_("Decision"), FieldType.CODE, required=True, codes="sample_decision"),
        Field("refusal", N_("Reason of the refusal"), FieldType.CODE, codes="refusal"),
        Field("sample_numbers", N_("Numbers of the samples agreed to"), max_length=64, most=MAX_SAMPLES),
        Field("use_limits", N_("Limits on use"), FieldType.LINES, max_length=4_000),
        Field("export_permit", N_("Export authorisation"), term="document"),
        Field("text", N_("Text"), FieldType.LINES, max_length=4_000),
    ),
    related=_fits_decision,
)


def _summary(content: SampleDecision, lang: str) -> str:
    decision = f"{content.reference}: {code_text('sample_decision', content.decision, lang)}"
    return f"{decision}: {code_text('refusal', content.refusal, lang)}" if content.refusal else decision


KIND: Final = Kind(
    name="sample-decision",
    version=1,
    title=N_("Decision on samples"),
    shape=SHAPE,
    summarise=_summary,
    subject=("decision", "refusal"),
    sender_roles=frozenset({"liaison", "duty", "authoriser", "coordinator"}),
    needs_parent=True,
)
