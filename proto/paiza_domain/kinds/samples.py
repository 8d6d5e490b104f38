"""Samples: request, decision, acts of handover and receipt, and the act of destruction of the rest."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, Final

from paiza.content.v1 import sample_transfer_pb2 as pb
from paiza_domain.i18n import N_, translate
from paiza_domain.kinds.seizure_notice import DRUG, NAMES, PLACE, drug_type_problems, named
from paiza_domain.schema.field_errors import Problem
from paiza_domain.schema.kind import Kind
from paiza_domain.schema.nominal import ANNEX
from paiza_domain.schema.partial_times import partial_time_text
from paiza_domain.schema.reading import code_text, more, quantity_text
from paiza_domain.schema.rules import all_of, not_in_future, not_in_past, once
from paiza_domain.schema.shapes import Field, FieldType, Shape

MAX_SAMPLES: Final = 100  # of one request or act
MIN_WITNESSES: Final = 2  # one person's statement is not enough
MAX_WITNESSES: Final = 100

_DECIDE_WITHIN: Final = timedelta(days=30)  # a decision needs an import and an export authorisation
_NOTE: Final = 2_000  # characters
_PARAGRAPH: Final = 4_000  # characters
_ASKING: Final = frozenset({"liaison", "duty", "coordinator"})
_DECIDING: Final = _ASKING | {"authoriser"}

_NUMBER: Final = Field("number", N_("Number of the sample"), required=True, max_length=64, default="1")
_REFERENCE: Final = Field("reference", N_("Own reference"), required=True, term="reference")
_ACT_NUMBER: Final = Field("act_number", N_("Number of the act"), required=True, term="reference")
_AFTER_USE: Final = Field(
    "after_use", N_("What becomes of what is left"), FieldType.CODE, required=True, codes="sample_after_use"
)
_EXPORT_PERMIT: Final = Field("export_permit", N_("Export authorisation"), term="document")
_IMPORT_PERMIT: Final = Field("import_permit", N_("Import authorisation"), term="document")
_REMARKS: Final = Field("remarks", N_("Remarks"), FieldType.LINES, max_length=_PARAGRAPH)


def _samples(shape: Shape) -> Field:
    return Field("samples", N_("Samples"), FieldType.GROUP, required=True, most=MAX_SAMPLES, shape=shape)


_NAMED_ONCE: Final = once("samples", "number", "sample_repeated")


def _sample(*, sealed: bool) -> Shape:
    return Shape(
        pb.Sample,
        (
            _NUMBER,
            *NAMES,
            *DRUG,
            Field("quantity", N_("Mass or count"), FieldType.QUANTITY, required=True),
            Field("seal", N_("Number of the seal"), max_length=60, required=sealed, term="seal"),
            Field("origin", N_("Notice or case it was taken from"), term="reference"),
            Field("note", N_("Note"), FieldType.LINES, max_length=_NOTE),
        ),
        related=all_of(named, drug_type_problems),
    )


def _request_summary(content: pb.SampleRequest, lang: str) -> str:
    first = content.samples[0]
    purpose = code_text("sample_purpose", content.purpose, lang)
    what = first.as_named or first.substance_id
    return f"{content.reference}: {what}, {quantity_text(first.quantity, lang)}{more(content.samples)}; {purpose}"


def _fits_decision(content: pb.SampleDecision) -> Iterator[tuple[str, Problem]]:
    if content.decision == "refused" and not content.refusal:
        yield "refusal", ("refusal_ground_missing", {})
    if content.refusal and content.decision != "refused":
        yield "refusal", ("not_allowed_here", {})
    if content.decision == "agreed-part" and not content.sample_numbers:
        yield "sample_numbers", ("missing", {})
    if content.sample_numbers and content.decision != "agreed-part":
        yield "sample_numbers", ("not_allowed_here", {})


def _decision_summary(content: pb.SampleDecision, lang: str) -> str:
    decision = f"{content.reference}: {code_text('sample_decision', content.decision, lang)}"
    return f"{decision}: {code_text('refusal', content.refusal, lang)}" if content.refusal else decision


def _act_summary(act: Any, who: str, partial_time: Any, lang: str) -> str:
    count = translate(N_("samples: {number}"), lang).format(number=len(act.samples))
    return f"{act.act_number}: {who}; {count}; {partial_time_text(partial_time, lang)}"


def _handover_summary(content: pb.SampleHandover, lang: str) -> str:
    return _act_summary(content, f"{content.given_by} → {content.taken_by}", content.handed_over_at, lang)


def _seal_explained(found: pb.SampleFound) -> Iterator[tuple[str, Problem]]:
    if found.seal_state and found.seal_state != "intact" and not found.note:
        yield "note", ("seal_note_missing", {})


def _seals_not_intact(content: pb.SampleReceipt, _reported: datetime, lang: str) -> tuple[str, ...]:
    numbers = ", ".join(each.number for each in content.samples if each.seal_state != "intact")
    if not numbers:
        return ()
    return (translate(N_("Seal not intact: {numbers}"), lang).format(numbers=numbers),)


def _receipt_summary(content: pb.SampleReceipt, lang: str) -> str:
    return _act_summary(content, content.received_by, content.received_at, lang)


def _destruction_summary(content: pb.SampleDestruction, lang: str) -> str:
    return _act_summary(content, content.authority, content.destroyed_at, lang)


FOUND: Final = Shape(
    pb.SampleFound,
    (
        _NUMBER,
        Field("quantity", N_("Mass or count as found"), FieldType.QUANTITY, required=True),
        Field("seal_state", N_("State of the seal"), FieldType.CODE, required=True, codes="seal_state"),
        Field("note", N_("What was found"), FieldType.LINES, max_length=_NOTE),
    ),
    related=_seal_explained,
)
DESTROYED: Final = Shape(
    pb.SampleDestroyed,
    (
        _NUMBER,
        Field("destroyed", N_("Destroyed"), FieldType.QUANTITY, required=True),
        Field("used", N_("Used up before"), FieldType.QUANTITY),
    ),
)

KINDS: Final[tuple[Kind, ...]] = (
    # The samples, the amount of each, the purpose, and the treatment of the rest.
    Kind(
        name="sample-request",
        version=1,
        title=N_("Request for samples"),
        shape=Shape(
            pb.SampleRequest,
            (
                _REFERENCE,
                Field("purpose", N_("Purpose"), FieldType.CODE, required=True, codes="sample_purpose"),
                Field("reason", N_("Why, in words"), FieldType.LINES, required=True, max_length=_PARAGRAPH),
                _samples(_sample(sealed=False)),
                Field("laboratory", N_("Laboratory or unit that uses them"), required=True),
                _AFTER_USE,
                _IMPORT_PERMIT,
                Field("deadline_time", N_("Needed by"), FieldType.TIME, key="deadline"),
            ),
            related=_NAMED_ONCE,
        ),
        summarise=_request_summary,
        subject=("purpose", "samples.drug_type|samples.drug_group", "samples.quantity"),
        sender_roles=_ASKING,
        answered_by=("sample-decision", "sample-handover"),
        answer_deadline=_DECIDE_WITHIN,
        check=not_in_past("deadline"),
    ),
    # Agreed, agreed in part, or refused with its ground.
    Kind(
        name="sample-decision",
        version=1,
        title=N_("Decision on samples"),
        shape=Shape(
            pb.SampleDecision,
            (
                _REFERENCE,
                Field("decision", N_("Decision"), FieldType.CODE, required=True, codes="sample_decision"),
                Field("refusal", N_("Reason of the refusal"), FieldType.CODE, codes="refusal"),
                Field("sample_numbers", N_("Numbers of the samples agreed to"), max_length=64, most=MAX_SAMPLES),
                Field("use_limits", N_("Limits on use"), FieldType.LINES, max_length=_PARAGRAPH),
                _EXPORT_PERMIT,
                Field("text", N_("Text"), FieldType.LINES, max_length=_PARAGRAPH),
            ),
            related=_fits_decision,
        ),
        summarise=_decision_summary,
        subject=("decision", "refusal"),
        sender_roles=_DECIDING,
        needs_parent=True,
    ),
    # By the giving side: each sample with its mass and seal (samples change hands sealed), and what it may be used for.
    Kind(
        name="sample-handover",
        version=1,
        title=N_("Act of handover of samples"),
        shape=Shape(
            pb.SampleHandover,
            (
                _ACT_NUMBER,
                Field("handed_over_at", N_("Date and time of the handover"), FieldType.PARTIAL_TIME, required=True),
                Field("place", N_("Place of the handover"), FieldType.GROUP, required=True, shape=PLACE),
                Field("given_by", N_("Given by (authority, office)"), required=True),
                Field("taken_by", N_("Taken by (authority, office)"), required=True),
                _samples(_sample(sealed=True)),
                Field("courier", N_("How they travel"), FieldType.CODE, required=True, codes="sample_courier"),
                Field("courier_reference", N_("Waybill or mandate of the courier"), term="waybill"),
                Field("use_limits", N_("To be used only for"), FieldType.LINES, required=True, max_length=_PARAGRAPH),
                _AFTER_USE,
                _EXPORT_PERMIT,
                _IMPORT_PERMIT,
                _REMARKS,
            ),
            related=_NAMED_ONCE,
        ),
        annex_shape=ANNEX,
        summarise=_handover_summary,
        subject=("samples.drug_type|samples.drug_group", "samples.quantity"),
        sender_roles=_DECIDING,
        answered_by=("sample-receipt",),
        needs_parent=True,
        check=not_in_future("handed_over_at"),
    ),
    # By the taking side: each sample weighed again, and the state of its seal.
    Kind(
        name="sample-receipt",
        version=1,
        title=N_("Act of receipt of samples"),
        shape=Shape(
            pb.SampleReceipt,
            (
                _ACT_NUMBER,
                Field("received_at", N_("Date and time of the receipt"), FieldType.PARTIAL_TIME, required=True),
                Field("received_by", N_("Received by (authority, office)"), required=True),
                _samples(FOUND),
                _REMARKS,
            ),
            related=_NAMED_ONCE,
        ),
        summarise=_receipt_summary,
        subject=("samples.quantity",),
        sender_roles=_DECIDING,
        needs_parent=True,
        check=not_in_future("received_at"),
        remark=_seals_not_intact,
    ),
    # Of what was left of samples.
    Kind(
        name="sample-destruction",
        version=1,
        title=N_("Act of destruction of samples"),
        shape=Shape(
            pb.SampleDestruction,
            (
                _ACT_NUMBER,
                Field("destroyed_at", N_("Date and time of the destruction"), FieldType.PARTIAL_TIME, required=True),
                Field("place", N_("Place of the destruction"), FieldType.GROUP, required=True, shape=PLACE),
                Field("method", N_("Method of destruction"), FieldType.CODE, required=True, codes="destruction_method"),
                Field("authority", N_("Authority that answers for it"), required=True, known="agency"),
                _samples(DESTROYED),
                Field("witnesses", N_("Number of witnesses"), FieldType.INTEGER, required=True, least=MIN_WITNESSES,
                      greatest=MAX_WITNESSES, default="2"),
                _REMARKS,
            ),
            related=_NAMED_ONCE,
        ),
        annex_shape=ANNEX,
        summarise=_destruction_summary,
        subject=("method", "samples.destroyed"),
        sender_roles=_DECIDING,
        needs_parent=True,
        follows=("sample-handover", "sample-receipt"),
        check=not_in_future("destroyed_at"),
    ),
)  # fmt: skip
