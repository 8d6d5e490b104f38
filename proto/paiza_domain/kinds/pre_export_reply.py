"""Reply to a pre-export notification: no objection, objection or more time. Silence is never one of them."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

from paiza.content.v1.pre_export_pb2 import PreExportReply
from paiza_domain.i18n import N_
from paiza_domain.schema.field_errors import FieldError, Problem
from paiza_domain.schema.kind import Kind
from paiza_domain.schema.partial_times import to_datetime
from paiza_domain.schema.reading import code_text
from paiza_domain.schema.shapes import Field, FieldType, Shape

MAX_GROUNDS: Final = 9  # as many as the list has
SILENCE: Final = "none"  # the code under which a missing reply is shown; it is not sent and is not consent


def _fits_reply(reply: PreExportReply) -> Iterator[tuple[str, Problem]]:
    if reply.reply == SILENCE:
        yield "reply", ("silence_not_sent", {})
    if reply.reply == "objection" and not reply.grounds:
        yield "grounds", ("grounds_missing", {})
    if reply.grounds and reply.reply != "objection":
        yield "grounds", ("not_allowed_here", {})
    if reply.reply == "more-time" and not reply.HasField("until_time"):
        yield "until", ("until_missing", {})
    if reply.HasField("until_time") and reply.reply != "more-time":
        yield "until", ("not_allowed_here", {})


SHAPE: Final = Shape(
    PreExportReply,
    (
        Field("reference", N_("Own reference"), required=True, term="reference"),
        Field("reply", N_("Reply"), FieldType.CODE, required=True, codes="pre_export_reply"),
        Field(
            "grounds",
            N_("Grounds of the objection"),
            FieldType.CODE,
            codes="objection_ground",
            most=MAX_GROUNDS,
            hint=N_("mandatory with an objection"),
        ),
        Field("text", N_("Grounds or conditions, in words"), FieldType.LINES, max_length=4_000),
        Field("until_time", N_("Time needed until"), FieldType.TIME, key="until", hint=N_("mandatory with more time")),
        Field("import_permit", N_("Import authorisation"), term="document"),
    ),
    related=_fits_reply,
)


def _check(content: PreExportReply, _annex: Any, now: datetime) -> list[FieldError]:
    if content.HasField("until_time") and to_datetime(content.until_time) <= now:
        return [FieldError("until", "in_past")]
    return []


def _summary(content: PreExportReply, lang: str) -> str:
    reply = f"{content.reference}: {code_text('pre_export_reply', content.reply, lang)}"
    grounds = ", ".join(code_text("objection_ground", each, lang) for each in content.grounds)
    return f"{reply}: {grounds}" if grounds else reply


KIND: Final = Kind(
    name="pre-export-reply",
    version=1,
    title=N_("Reply to a pre-export notification"),
    shape=SHAPE,
    summarise=_summary,
    subject=("reply", "grounds"),
    sender_roles=frozenset({"liaison", "duty", "coordinator"}),
    needs_parent=True,
    leaves_open=lambda content: content.reply == "more-time",
    check=_check,
)
