"""Acknowledgement: an officer's statement that a message was read; receipts prove its arrival."""

from typing import Any, Final

from paiza.content.v1.acknowledgement_pb2 import Acknowledgement
from paiza_domain.i18n import N_, translate
from paiza_domain.schema.kind import Kind
from paiza_domain.schema.shapes import Field, FieldType, Shape

SHAPE: Final = Shape(
    Acknowledgement,
    (
        Field("message_digest", N_("Digest of the message"), FieldType.DIGEST, required=True),
        Field("note", N_("Note"), FieldType.LINES, max_length=2_000),
    ),
)

_DIGEST_SHOWN: Final = 12  # hexadecimal digits of a message digest in a list


def acknowledgement_summary(content: Any, lang: str) -> str:
    """Return the summary of an acknowledgement: the message and the note."""
    digest = content.message_digest.hex()[:_DIGEST_SHOWN]
    taken = translate(N_("Message {digest} taken note of"), lang).format(digest=digest)
    return f"{taken}: {content.note}" if content.note else taken


KIND: Final = Kind(
    name="acknowledgement",
    version=1,
    title=N_("Acknowledgement"),
    shape=SHAPE,
    summarise=acknowledgement_summary,
    sender_roles=frozenset({"liaison", "duty", "authoriser", "coordinator"}),
    needs_parent=True,
)
