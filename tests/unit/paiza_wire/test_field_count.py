"""Serialized messages that would grow when parsed are refused before."""

import pytest
from google.protobuf.message import Message

from paiza.core.v1 import log_pb2
from paiza.officer.v1 import officer_pb2
from paiza.peer.v1 import exchange_pb2, witness_pb2
from paiza_wire.errors import Rejected
from paiza_wire.field_count import MAX_FIELDS, UNCOUNTED_BYTES, UNCOUNTED_FLAT_BYTES, check_fields

HASHES = [bytes(32)] * 40
PROVEN = log_pb2.ProvenEntry(entry=bytes(1000), index=2**40, inclusion_hashes=HASHES)


def test_the_largest_valid_requests_are_taken() -> None:
    """Batches with all that they may bring."""
    release = exchange_pb2.Release(message=bytes(16_000), released=PROVEN, certificates=[PROVEN])
    deliver = exchange_pb2.DeliverRequest(
        dispatches=[exchange_pb2.Dispatch(release=release)] * 256,
        attachment_answers=[PROVEN] * 256,
        erasure_answers=[PROVEN] * 256,
    )
    items = [officer_pb2.SubmitItem(message=bytes(32_000), source_row_sha256=bytes(32))] * 256
    for request in (deliver, officer_pb2.SubmitRequest(items=items)):
        check_fields(type(request), request.SerializeToString())


@pytest.mark.parametrize(
    ("kind", "element"),
    [
        (officer_pb2.SubmitRequest, b"\x0a\0"),  # empty messages
        (officer_pb2.SubmitRequest, b"\x0a\x02\x0a\0"),  # messages with one empty field
        (officer_pb2.SubmitRequest, b"\x08\x01"),  # an unknown field
        (officer_pb2.FindSourceRowsRequest, b"\x0a\0"),  # empty byte strings
        (officer_pb2.FindSourceRowsRequest, b"\xfa\xff\xff\xff\x0f\0"),  # the greatest number of a field
        (exchange_pb2.ProveConsistencyRequest, b"\x08\x01"),  # numbers one by one
    ],
)
def test_more_fields_than_any_valid_message_has_are_refused(kind: type[Message], element: bytes) -> None:
    """One more than the limit is too large, in whatever message it is nested."""
    least = max(MAX_FIELDS, UNCOUNTED_BYTES // len(element) + 1)
    check_fields(kind, element * (MAX_FIELDS // 2) if len(element) * MAX_FIELDS // 2 > UNCOUNTED_BYTES else element)
    with pytest.raises(Rejected, match="too_large"):
        check_fields(kind, element * (least + 1))


def test_packed_numbers_are_counted() -> None:
    """Each byte of a packed list may be a number."""
    packed = witness_pb2.ProveEntriesRequest(indices=[1] * (UNCOUNTED_BYTES + 1)).SerializeToString()
    with pytest.raises(Rejected, match="too_large"):
        check_fields(witness_pb2.ProveEntriesRequest, packed)


def test_flat_messages_are_looked_into_beyond_their_allowance() -> None:
    """Proofs are taken as they are up to 2 MiB; behind that, each of their hashes counts."""
    small = log_pb2.ProvenEntry(inclusion_hashes=[b""] * 500)
    count = UNCOUNTED_FLAT_BYTES // small.ByteSize()
    answers = exchange_pb2.DeliverRequest(attachment_answers=[small] * count)
    check_fields(exchange_pb2.DeliverRequest, answers.SerializeToString())
    answers.attachment_answers.extend([small] * (MAX_FIELDS // 500))
    with pytest.raises(Rejected, match="too_large"):
        check_fields(exchange_pb2.DeliverRequest, answers.SerializeToString())


@pytest.mark.parametrize("end", [b"\x0a\x05", b"\x0a\xff", b"\x0b\x0c", b"\xff" * 12, b"\x09\0"])
def test_what_ends_in_the_middle_of_a_field_is_malformed(end: bytes) -> None:
    """As is a group, and a number without end."""
    whole = officer_pb2.SubmitRequest(items=[officer_pb2.SubmitItem(message=bytes(UNCOUNTED_BYTES))])
    check_fields(officer_pb2.SubmitRequest, whole.SerializeToString())
    with pytest.raises(Rejected, match="malformed"):
        check_fields(officer_pb2.SubmitRequest, whole.SerializeToString() + end)
