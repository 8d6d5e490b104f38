"""Controlled delivery, outcome: due thirty days after the end. Persons stand in the nominal annex."""

from typing import Final

from paiza.content.v1.controlled_delivery_pb2 import ControlledDeliveryOutcome
from paiza_domain.i18n import N_
from paiza_domain.kinds.seizure_notice import COUNTS
from paiza_domain.schema.controlled_delivery import SENDERS, WORKFLOW, paragraph, quantities, remarks
from paiza_domain.schema.kind import Kind
from paiza_domain.schema.nominal import ANNEX
from paiza_domain.schema.reading import code_text
from paiza_domain.schema.shapes import Field, FieldType, Shape

SHAPE: Final = Shape(
    ControlledDeliveryOutcome,
    (
        Field("outcome", N_("Outcome"), FieldType.CODE, required=True, codes="cd_outcome"),
        paragraph("summary", N_("What came of it"), required=True),
        quantities("seized", N_("Seized, once per unit"), required=False),
        Field("counts", N_("Persons"), FieldType.GROUP, shape=COUNTS),
        paragraph("proceedings", N_("Proceedings opened")),
        paragraph("lessons", N_("What should be done otherwise next time")),
        remarks(),
    ),
)


def _summary(content: ControlledDeliveryOutcome, lang: str) -> str:
    return f"{code_text('cd_outcome', content.outcome, lang)}: {content.summary}"


KIND: Final = Kind(
    name="cd-outcome",
    version=1,
    title=N_("Controlled delivery: outcome"),
    shape=SHAPE,
    annex_shape=ANNEX,
    summarise=_summary,
    subject=("outcome", "seized"),
    sender_roles=SENDERS,
    workflow=WORKFLOW,
    needs_parent=True,
)
