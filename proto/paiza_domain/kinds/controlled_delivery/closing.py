"""Controlled delivery, the end: intervention, outcome, return of evidence, closing."""

from collections.abc import Iterator
from typing import Final

from paiza.content.v1 import controlled_delivery_pb2 as pb
from paiza_domain.i18n import N_, translate
from paiza_domain.kinds.controlled_delivery.shapes import MAX_ENTRIES, member, paragraph, place, remarks, results, step
from paiza_domain.schema.field_errors import Problem
from paiza_domain.schema.kind import Kind
from paiza_domain.schema.nominal import ANNEX
from paiza_domain.schema.partial_times import partial_time_text
from paiza_domain.schema.reading import code_text
from paiza_domain.schema.rules import not_in_future
from paiza_domain.schema.shapes import Field, FieldType, Shape


def _intervention_summary(content: pb.ControlledDeliveryIntervention, lang: str) -> str:
    return f"{partial_time_text(content.intervened_at, lang)}: {content.text}"


def _outcome_summary(content: pb.ControlledDeliveryOutcome, lang: str) -> str:
    return f"{code_text('cd_outcome', content.outcome, lang)}: {content.summary}"


def _items_or_nothing(content: pb.ControlledDeliveryEvidenceReturn) -> Iterator[tuple[str, Problem]]:
    if content.nothing_to_return and content.items:
        yield "nothing_to_return", ("return_contradiction", {})
    if not content.nothing_to_return and not content.items:
        yield "items", ("return_missing", {})


def _return_summary(content: pb.ControlledDeliveryEvidenceReturn, lang: str) -> str:
    items = "; ".join(f"{each.description} → {each.returned_to}" for each in content.items)
    return items or translate(N_("Nothing to return"), lang)


ITEM: Final = Shape(
    pb.ControlledDeliveryEvidenceItem,
    (
        Field("description", N_("Description"), required=True),
        Field("identifier", N_("Seal or number")),
        member("returned_to", N_("State it goes to")),
        Field("returned_time", N_("Returned on"), FieldType.TIME, key="returned"),
    ),
)

STEPS: Final[tuple[Kind, ...]] = (
    # Seizure or arrests. The persons are in the nominal annex.
    step(
        "cd-intervention",
        title=N_("Controlled delivery: intervention"),
        shape=Shape(
            pb.ControlledDeliveryIntervention,
            (
                Field("intervened_at", N_("Intervened on"), FieldType.PARTIAL_TIME, required=True),
                place(required=True),
                paragraph("text", N_("What happened"), required=True),
                *results(),
            ),
        ),
        annex_shape=ANNEX,
        summarise=_intervention_summary,
        subject=("place.country", "seized"),
        check=not_in_future("intervened_at"),
    ),
    # Due thirty days after the end. The persons are in the nominal annex.
    step(
        "cd-outcome",
        title=N_("Controlled delivery: outcome"),
        shape=Shape(
            pb.ControlledDeliveryOutcome,
            (
                Field("outcome", N_("Outcome"), FieldType.CODE, required=True, codes="cd_outcome"),
                paragraph("summary", N_("What came of it"), required=True),
                *results(),
                paragraph("proceedings", N_("Proceedings opened")),
                paragraph("lessons", N_("What should be done otherwise next time")),
                remarks(),
            ),
        ),
        annex_shape=ANNEX,
        summarise=_outcome_summary,
        subject=("outcome", "seized"),
    ),
    # Of evidence, substitutes and devices.
    step(
        "cd-evidence-return",
        title=N_("Controlled delivery: evidence returned"),
        shape=Shape(
            pb.ControlledDeliveryEvidenceReturn,
            (
                Field("items", N_("What is returned"), FieldType.GROUP, most=MAX_ENTRIES, shape=ITEM, opened=True,
                      instead="nothing_to_return"),
                Field("nothing_to_return", N_("Nothing to return"), FieldType.FLAG, short=True,
                      hint=N_("true, where there are no items")),
                remarks(),
            ),
            related=_items_or_nothing,
        ),
        summarise=_return_summary,
    ),
    # Nothing remains to be done.
    step(
        "cd-closing",
        title=N_("Controlled delivery: closing"),
        shape=Shape(
            pb.ControlledDeliveryClosing,
            (paragraph("remarks", N_("What remains to be said"), required=True),),
        ),
        summarise=lambda content, _lang: content.remarks,
    ),
)  # fmt: skip
