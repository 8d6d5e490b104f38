"""Controlled delivery, return of evidence, substitutes and devices."""

from collections.abc import Iterator
from typing import Final

from paiza.content.v1.controlled_delivery_pb2 import ControlledDeliveryEvidenceItem, ControlledDeliveryEvidenceReturn
from paiza_domain.i18n import N_, translate
from paiza_domain.schema.controlled_delivery import MAX_ENTRIES, SENDERS, WORKFLOW, member, remarks
from paiza_domain.schema.field_errors import Problem
from paiza_domain.schema.kind import Kind
from paiza_domain.schema.shapes import Field, FieldType, Shape


def _items_or_nothing(content: ControlledDeliveryEvidenceReturn) -> Iterator[tuple[str, Problem]]:
    if content.nothing_to_return and content.items:
        yield "nothing_to_return", ("not_allowed_here", {})
    if not content.nothing_to_return and not content.items:
        yield "items", ("missing", {})


ITEM: Final = Shape(
    ControlledDeliveryEvidenceItem,
    (
        Field("description", N_("Description"), required=True),
        Field("identifier", N_("Seal or number")),
        member("returned_to", N_("State it goes to (member id)")),
        Field("returned_time", N_("Returned on"), FieldType.TIME, key="returned"),
    ),
)
SHAPE: Final = Shape(
    ControlledDeliveryEvidenceReturn,
    (
        Field("items", N_("What is returned"), FieldType.GROUP, most=MAX_ENTRIES, shape=ITEM, opened=True),
        Field("nothing_to_return", N_("Nothing to return"), FieldType.FLAG, hint=N_("true, where there are no items")),
        remarks(),
    ),
    related=_items_or_nothing,
)  # fmt: skip


def _summary(content: ControlledDeliveryEvidenceReturn, lang: str) -> str:
    items = "; ".join(f"{each.description} → {each.returned_to}" for each in content.items)
    return items or translate(N_("Nothing to return"), lang)


KIND: Final = Kind(
    name="cd-evidence-return",
    version=1,
    title=N_("Controlled delivery: evidence returned"),
    shape=SHAPE,
    summarise=_summary,
    sender_roles=SENDERS,
    workflow=WORKFLOW,
    needs_parent=True,
)
