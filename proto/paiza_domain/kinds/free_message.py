"""Free message: a text in a thread, if no other kind fits."""

from typing import Final

from paiza.content.v1.free_message_pb2 import FreeMessage
from paiza_domain.i18n import N_
from paiza_domain.schema.kind import Kind
from paiza_domain.schema.shapes import Field, FieldType, Shape

SHAPE: Final = Shape(
    FreeMessage,
    (
        Field("subject", N_("Subject"), required=True),
        Field("text", N_("Text"), FieldType.LINES, required=True),
    ),
)


def _summary(content: FreeMessage, _lang: str) -> str:
    return content.subject


KIND: Final = Kind(
    name="free-message",
    version=1,
    title=N_("Free message"),
    shape=SHAPE,
    summarise=_summary,
    sender_roles=frozenset({"liaison", "duty", "authoriser", "coordinator"}),
)
