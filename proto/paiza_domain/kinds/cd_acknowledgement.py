"""Controlled delivery, acknowledgement: of the request, a route change, a stop, or a loss of control."""

from typing import Final

from paiza.content.v1.controlled_delivery_pb2 import ControlledDeliveryAcknowledgement
from paiza_domain.i18n import N_, translate
from paiza_domain.schema.controlled_delivery import CONTACT, SENDERS, WORKFLOW
from paiza_domain.schema.kind import Kind
from paiza_domain.schema.shapes import Field, FieldType, Shape

_DIGEST_SHOWN: Final = 12  # hexadecimal digits that tell messages apart in a list

SHAPE: Final = Shape(
    ControlledDeliveryAcknowledgement,
    (
        Field("message_digest", N_("Digest of the message"), FieldType.DIGEST, required=True),
        Field("reference", N_("Own reference"), term="reference"),
        Field("contact", N_("Who deals with it"), FieldType.GROUP, shape=CONTACT),
        Field("note", N_("Note"), FieldType.LINES, max_length=2_000),
    ),
)


def _summary(content: ControlledDeliveryAcknowledgement, lang: str) -> str:
    digest = content.message_digest.hex()[:_DIGEST_SHOWN]
    taken = translate(N_("Message {digest} taken note of"), lang).format(digest=digest)
    return f"{taken}: {content.note}" if content.note else taken


KIND: Final = Kind(
    name="cd-acknowledgement",
    version=1,
    title=N_("Controlled delivery: acknowledgement"),
    shape=SHAPE,
    summarise=_summary,
    sender_roles=SENDERS,
    workflow=WORKFLOW,
    needs_parent=True,
)
