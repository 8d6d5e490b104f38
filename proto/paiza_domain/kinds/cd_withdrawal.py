"""Controlled delivery, withdrawal: of the request by who requested, or of its own authorisation by a state."""

from typing import Final

from paiza.content.v1.controlled_delivery_pb2 import ControlledDeliveryWithdrawal
from paiza_domain.i18n import N_
from paiza_domain.schema.controlled_delivery import SENDERS, WORKFLOW, paragraph
from paiza_domain.schema.kind import Kind
from paiza_domain.schema.reading import code_text
from paiza_domain.schema.shapes import Field, FieldType, Shape

SHAPE: Final = Shape(
    ControlledDeliveryWithdrawal,
    (
        Field("withdrawn", N_("What is withdrawn"), FieldType.CODE, required=True, codes="cd_withdrawn"),
        paragraph("reason", N_("Reason"), required=True),
    ),
)


def _summary(content: ControlledDeliveryWithdrawal, lang: str) -> str:
    return f"{code_text('cd_withdrawn', content.withdrawn, lang)}: {content.reason}"


KIND: Final = Kind(
    name="cd-withdrawal",
    version=1,
    title=N_("Controlled delivery: withdrawal"),
    shape=SHAPE,
    summarise=_summary,
    subject=("withdrawn",),
    sender_roles=SENDERS,
    workflow=WORKFLOW,
    needs_parent=True,
)
