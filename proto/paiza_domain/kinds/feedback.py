"""Feedback: the usefulness of a message to its recipient, and its outcomes; the message is the parent."""

from typing import Final

from paiza.content.v1.feedback_pb2 import Feedback
from paiza_domain.i18n import N_
from paiza_domain.schema.kind import Kind
from paiza_domain.schema.reading import code_text
from paiza_domain.schema.shapes import Field, FieldType, Shape

MAX_OUTCOMES: Final = 16  # more than the list has
MAX_LINKS: Final = 30  # cases and notices that came of one message

SHAPE: Final = Shape(
    Feedback,
    (
        Field("usefulness", N_("Usefulness"), FieldType.CODE, required=True, codes="usefulness"),
        Field(
            "outcomes", N_("What it led to"), FieldType.CODE, codes="feedback_outcome", most=MAX_OUTCOMES, short=True
        ),
        Field("text", N_("What it led to, in words"), FieldType.LINES, max_length=4_000),
        Field("links", N_("Related notices and cases"), most=MAX_LINKS),
    ),
)


def _summary(content: Feedback, lang: str) -> str:
    worth = code_text("usefulness", content.usefulness, lang)
    led_to = "; ".join(code_text("feedback_outcome", each, lang) for each in content.outcomes)
    return f"{worth}: {led_to}" if led_to else worth


KIND: Final = Kind(
    name="feedback",
    version=1,
    title=N_("Feedback"),
    shape=SHAPE,
    summarise=_summary,
    subject=("usefulness",),
    sender_roles=frozenset({"liaison", "duty", "authoriser", "coordinator"}),
    needs_parent=True,
)
