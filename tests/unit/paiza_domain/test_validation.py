"""The receiver's validation: header, parts and content, each refused with its reason."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from google.protobuf.message import DecodeError
from hypothesis import given
from hypothesis import strategies as st

from paiza.content.v1.free_message_pb2 import FreeMessage
from paiza.content.v1.nominal_annex_pb2 import NominalAnnex
from paiza.content.v1.seizure_notice_pb2 import SeizureNotice
from paiza.core.v1.message_pb2 import (
    PART_KIND_ATTACHMENT,
    PART_KIND_MAIN,
    PART_KIND_NOMINAL_ANNEX,
    URGENCY_FLASH,
    URGENCY_ROUTINE,
    URGENCY_URGENT,
    Handling,
    Header,
)
from paiza_domain import kinds, validation
from paiza_wire import message as wire_message
from paiza_wire.errors import Rejected
from tests.unit.paiza_domain.conftest import NOW

CONTENT = FreeMessage(subject="Тема", text="Текст").SerializeToString()


def refused(header: Header, content: bytes | None, annex: bytes | None = None, subject: bytes = b"") -> str:
    """Return reason and detail of the refusal; empty if there is none."""
    try:
        validation.check_message(header, content, annex, NOW, subject=subject)
    except Rejected as why:
        return str(why)
    return ""


def test_a_valid_message_passes(header: Header) -> None:
    """A valid message is accepted."""
    assert refused(header, CONTENT) == ""


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda h: setattr(h, "kind", "weather"), "unknown_kind"),
        (lambda h: setattr(h, "kind_version", 2), "unsupported_version"),
        (lambda h: setattr(h, "urgency", 0), "invalid_header: urgency"),
        (lambda h: setattr(h, "urgency", 99), "invalid_header: urgency"),
        (lambda h: setattr(h, "urgency", URGENCY_URGENT), "invalid_header: urgency_reason: urgency_reason_missing"),
        (lambda h: setattr(h, "urgency_reason", "other"), "invalid_header: urgency_reason: urgency_reason_unneeded"),
        (
            lambda h: h.MergeFrom(Header(urgency=URGENCY_FLASH, urgency_reason="hurry")),
            "invalid_header: urgency_reason: code_unknown",
        ),
        (lambda h: h.ClearField("handling"), "invalid_header: handling.code: missing"),
        (lambda h: setattr(h.handling, "tlp", "amber"), "invalid_header: handling.tlp: not_one_of"),
        (lambda h: setattr(h.handling, "pap", "BLUE"), "invalid_header: handling.pap"),
        (lambda h: setattr(h.handling, "code", "H3"), "invalid_header: handling.code_text: handling_text"),
        (lambda h: setattr(h.handling, "code_text", "x"), "invalid_header: handling.code_text: handling_text"),
        (lambda h: setattr(h.handling, "classification", 5), "invalid_header: handling.classification"),
        (lambda h: setattr(h.handling, "evaluation", "B2"), "invalid_header: handling.evaluation"),
        (
            lambda h: h.handling.MergeFrom(Handling(evaluation_scheme="4x4", evaluation="F6")),
            "invalid_header: handling.evaluation: code_malformed",
        ),
        (lambda h: h.handling.purposes.append("revenge"), "invalid_header: handling.purposes[0]"),
        (lambda h: h.ClearField("author_time"), "invalid_header: author_time: missing"),
        (lambda h: h.author_time.FromDatetime(NOW + timedelta(days=2)), "invalid_header: author_time: in_future"),
        (lambda h: h.ClearField("review_time"), "invalid_header: review_time: missing"),
        (lambda h: h.review_time.FromDatetime(NOW), "invalid_header: review_time: review_before_author"),
        (lambda h: setattr(h.review_time, "seconds", 2**62), "invalid_header: review_time: time_malformed"),
        (lambda h: h.ClearField("recipients"), "invalid_header: recipients: recipients_missing"),
        (lambda h: h.recipients.add(member="kaz"), "invalid_header: recipients: value_repeated"),
        (lambda h: setattr(h.recipients[0], "attention", "\u202e"), "invalid_header: recipients[0].attention"),
        (lambda h: h.legal_bases.extend(["x"] * 17), "invalid_header: legal_bases: too_many"),
        (lambda h: h.legal_bases.append("\x00"), "invalid_header: legal_bases[0]"),
        (lambda h: h.ClearField("parts"), "invalid_parts"),
        (lambda h: h.parts.add(kind=PART_KIND_MAIN), "invalid_parts"),
        (lambda h: h.parts.add(kind=PART_KIND_NOMINAL_ANNEX), "invalid_parts"),
        (lambda h: h.parts.add(kind=9), "invalid_parts"),
        (lambda h: [h.parts.add(kind=PART_KIND_ATTACHMENT) for _ in range(66)], "invalid_parts: 67 parts"),
        (lambda h: h.parts.add(kind=PART_KIND_ATTACHMENT, handling=Handling(tlp="RED")), "invalid_header: parts[1]"),
    ],
)
def test_each_wrong_header_field_is_refused_by_name(
    header: Header, change: Callable[[Header], object], reason: str
) -> None:
    """Every rule of the header has its reason, path and code."""
    change(header)
    assert refused(header, CONTENT).startswith(reason)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "invalid_content"),
        (b"", "invalid_content: subject: missing and 1 more"),
        (b"\xff", "invalid_content"),
        (CONTENT + b"\x98\x06\x01", "unknown_field"),
        (b"\x0a\xff\xff\xff\xff\x07", "invalid_content"),
        (b"\x0a\x02\xff\xfe", "invalid_content"),
        (bytes((1 << 20) + 1), "too_large"),
    ],
)
def test_content_that_is_none_is_refused(header: Header, content: bytes | None, reason: str) -> None:
    """No content, broken content, unknown fields, wrong UTF-8 and too much of it are refused."""
    assert refused(header, content).startswith(reason)


def test_unknown_fields_are_found_in_the_depth(header: Header, notice: SeizureNotice) -> None:
    """A field unknown to a message inside the content is found as well."""
    header.kind = "seizure-notice"
    subject = kinds.all_kinds()["seizure-notice"].subject_of(notice)
    assert refused(header, notice.SerializeToString(), subject=subject) == ""
    notice.place.MergeFromString(b"\x98\x06\x01")
    assert refused(header, notice.SerializeToString()).startswith("unknown_field")


def test_annex_and_header_must_agree(header: Header, notice: SeizureNotice) -> None:
    """An annex the header does not name, and a named one that is not there, are refused; two as well."""
    header.kind = "seizure-notice"
    annex = NominalAnnex()
    annex.telephones.add(number="+77270000000")
    content = notice.SerializeToString()
    assert refused(header, content, annex.SerializeToString()).startswith("invalid_parts")
    header.parts.add(kind=PART_KIND_NOMINAL_ANNEX)
    subject = kinds.all_kinds()["seizure-notice"].subject_of(notice)
    assert refused(header, content, annex.SerializeToString(), subject) == ""
    assert refused(header, content, annex.SerializeToString(), subject[:-1]).startswith("invalid_subject")
    assert refused(header, content, annex.SerializeToString()).startswith("invalid_subject")
    assert refused(header, content).startswith("invalid_parts")
    header.parts.add(kind=PART_KIND_NOMINAL_ANNEX)
    assert refused(header, content, annex.SerializeToString()).startswith("invalid_parts")


def test_nominal_data_to_more_than_one_state_needs_two_officers(header: Header) -> None:
    """The annex alone, or many recipients alone, need no second officer; both together do."""
    kind = kinds.get("seizure-notice", 1)
    header.author = "tjk"
    header.recipients.add(member="uzb")
    assert not validation.needs_second_officer(header, kind)
    header.parts.add(kind=PART_KIND_NOMINAL_ANNEX)
    assert validation.needs_second_officer(header, kind)
    header.recipients[1].member = "tjk"
    assert not validation.needs_second_officer(header, kind)


def test_an_answer_needs_the_message_it_answers(header: Header) -> None:
    """A kind that follows from another message is refused without a parent."""
    header.kind = "acknowledgement"
    assert refused(header, b"\x0a\x20" + bytes(range(32))).startswith("invalid_header: parent_digests: missing")
    header.parent_digests.append(bytes(32))
    assert refused(header, b"\x0a\x20" + bytes(range(32))) == ""


def test_the_verdict_does_not_hang_on_the_receivers_clock(header: Header, notice: SeizureNotice, now: datetime) -> None:
    """Content is judged at the author's time, so that a slow clock refuses nothing that the author's node released."""
    header.kind = "seizure-notice"
    content, subject = notice.SerializeToString(), kinds.all_kinds()["seizure-notice"].subject_of(notice)
    validation.check_message(header, content, None, now - timedelta(hours=20), subject=subject)
    validation.check_message(header, content, None, now + timedelta(days=4000), subject=subject)


@given(st.binary(max_size=300), st.binary(max_size=100), st.sampled_from(["free-message", "seizure-notice"]))
def test_no_bytes_raise_anything_but_rejected(content: bytes, annex: bytes, kind: str) -> None:
    """Any bytes are accepted or Rejected."""
    header = Header(kind=kind, kind_version=1, urgency=URGENCY_ROUTINE, handling=Handling(code="H0", tlp="CLEAR"))
    header.recipients.add(member="kaz")
    header.author_time.FromDatetime(NOW)
    header.review_time.FromDatetime(NOW + timedelta(days=9))
    header.parts.add(kind=PART_KIND_MAIN)
    header.parts.add(kind=PART_KIND_NOMINAL_ANNEX)
    refused(header, content, annex)


@given(st.binary(max_size=400))
def test_no_header_raises_anything_but_rejected(data: bytes) -> None:
    """Any header that parses is judged or refused."""
    header = Header(kind="free-message", kind_version=1)
    try:
        header.MergeFromString(data)
    except DecodeError:  # what does not parse never comes here
        return
    refused(header, CONTENT)


def test_as_many_legal_bases_are_valid_as_the_wire_carries() -> None:
    """The limits of the domain equal those of the wire."""
    assert validation.MAX_LEGAL_BASES == wire_message.MAX_CODES
