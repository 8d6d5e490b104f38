"""A message with each field changed, each byte flipped, each length cut, each encoding varied: what is refused, and why."""

# ruff: noqa: E501 - a table is read by lines

from collections.abc import Callable
from typing import Any

import pytest
from google.protobuf.message import Message

from paiza.core.v1 import message_pb2 as pb
from paiza_wire import message
from paiza_wire.errors import Rejected
from paiza_wire.identity import CertificateVerifier, keys
from paiza_wire.message import part_cipher
from tests.unit.paiza_wire.minting import MAIN, NOW, Federation, signed_message
from tests.unit.paiza_wire.mutating import element, mutated, mutations

# What becomes of a message when one field of it is changed. "all" stands for every way the field can be changed.
# A changed header ends with the mark of an exercise written as unset, which no encoder writes.
# "cannot_open" and "opens" are what the reader says of a message that verifies: wraps are not signed.
SIGNED_MESSAGE = """
header                      changed:unknown_field truncated:malformed lengthened:malformed cleared:unsupported_suite
signatures                  all:wrong_signers
signatures.signer_id        all:wrong_signers
signatures.certificate      all:bad_certificate
signatures.signature        all:bad_signature
subject                     changed:part_digest_mismatch truncated:invalid_subject lengthened:invalid_subject cleared:invalid_subject
wraps                       emptied:cannot_open doubled:malformed reversed:opens flooded:malformed
wraps.part_number           all:malformed
wraps.recipient             all:not_addressed
wraps.key_id                changed:cannot_open truncated:malformed lengthened:malformed cleared:malformed
wraps.wrapped_key           all:cannot_open
parts                       all:part_missing
parts.part_number           all:part_missing
parts.ciphertext            all:part_digest_mismatch
"""

# The same for the header. One code is the same for every changer; of two, the first is what a stranger's change gives
# and the second what a change by the author gives, whose officers sign the new header. "signed" is short for
# bad_signature/cannot_open: only the signers may say something else, and then the wraps of before do not open.
HEADER = """
suite                            all:unsupported_suite
message_id                       changed:signed truncated:malformed lengthened:malformed cleared:malformed
thread_id                        changed:signed truncated:malformed lengthened:malformed cleared:malformed
parent_digests                   emptied:malformed doubled:malformed reversed:signed flooded:too_large changed:signed truncated:malformed lengthened:malformed
kind                             changed:signed truncated:signed lengthened:malformed cleared:malformed
kind_version                     changed:signed greatest:signed cleared:malformed
author                           changed:wrong_member truncated:wrong_member lengthened:malformed cleared:malformed
required_signers                 emptied:wrong_signers doubled:wrong_signers reversed:wrong_signers flooded:too_large
required_signers.id              changed:wrong_signers truncated:wrong_signers lengthened:malformed cleared:malformed
required_signers.role            changed:signed truncated:signed lengthened:malformed cleared:malformed
recipients                       emptied:malformed doubled:malformed reversed:signed flooded:too_large
recipients.member                changed:bad_signature/not_addressed truncated:bad_signature/not_addressed lengthened:malformed cleared:malformed
recipients.attention             changed:signed truncated:signed lengthened:too_large cleared:signed
author_time                      cleared:malformed
author_time.seconds              changed:signed greatest:malformed cleared:malformed
author_time.nanos                changed:signed greatest:malformed cleared:signed
urgency                          changed:signed unknown:malformed cleared:malformed
urgency_reason                   changed:signed truncated:signed lengthened:too_large cleared:signed
handling                         cleared:malformed
handling.evaluation_scheme       changed:signed truncated:signed lengthened:too_large cleared:signed
handling.evaluation              changed:signed truncated:signed lengthened:too_large cleared:signed
handling.code                    changed:signed truncated:signed lengthened:too_large cleared:signed
handling.code_text               changed:signed truncated:signed lengthened:too_large cleared:signed
handling.tlp                     changed:signed truncated:signed lengthened:too_large cleared:signed
handling.pap                     changed:signed truncated:signed lengthened:too_large cleared:signed
handling.classification          all:signed
handling.purposes                emptied:signed doubled:signed reversed:signed flooded:too_large changed:signed truncated:signed lengthened:too_large
legal_bases                      emptied:signed doubled:signed reversed:signed flooded:too_large changed:signed truncated:signed lengthened:too_large
review_time                      cleared:malformed
review_time.seconds              changed:signed greatest:malformed cleared:malformed
review_time.nanos                changed:signed greatest:malformed cleared:signed
register_version                 changed:signed truncated:malformed lengthened:malformed cleared:malformed
parts                            emptied:part_missing doubled:malformed reversed:malformed flooded:too_large
exercise                         all:signed
subject_sha256                   changed:bad_signature/part_digest_mismatch truncated:malformed lengthened:malformed cleared:malformed
parts.kind                       all:malformed
parts.ciphertext_sha256          changed:bad_signature/part_digest_mismatch truncated:malformed lengthened:malformed cleared:malformed
parts.ciphertext_size            all:bad_signature/part_digest_mismatch
parts.handling                   cleared:signed
parts.handling.evaluation_scheme changed:signed truncated:signed lengthened:too_large cleared:signed
parts.handling.evaluation        changed:signed truncated:signed lengthened:too_large cleared:signed
parts.handling.code              changed:signed truncated:signed lengthened:too_large cleared:signed
parts.handling.code_text         changed:signed truncated:signed lengthened:too_large cleared:signed
parts.handling.tlp               changed:signed truncated:signed lengthened:too_large cleared:signed
parts.handling.pap               changed:signed truncated:signed lengthened:too_large cleared:signed
parts.handling.classification    all:signed
parts.handling.purposes          emptied:signed doubled:signed reversed:signed flooded:too_large changed:signed truncated:signed lengthened:too_large
"""

# A field replaced by the same field of another message of the same author to the same members.
SWAPPED = {
    "header": "bad_signature",
    "signatures": "bad_signature",
    "signatures.signature": "bad_signature",
    "subject": "part_digest_mismatch",
    "wraps": "cannot_open",
    "wraps.wrapped_key": "cannot_open",
    "parts": "part_digest_mismatch",
    "parts.ciphertext": "part_digest_mismatch",
}

# A library's warning about a serial number, which it gives before we refuse the certificate.
pytestmark = pytest.mark.filterwarnings("ignore:Parsed a serial number")


def expected(table: str, descriptor: Any) -> dict[tuple[str, str], str]:
    """Read a table: (path, way) → reason."""
    ways: dict[str, list[str]] = {}
    for path, way in mutations(descriptor):
        ways.setdefault(path, []).append(way)
    read: dict[tuple[str, str], str] = {}
    for row in table.split("\n"):
        path, *cells = row.split() or [""]
        for way, reason in (cell.split(":") for cell in cells):
            read |= {(path, one): reason for one in (ways.get(path, [way]) if way == "all" else [way])}
    return read


@pytest.fixture(scope="module")
def outcome(federation: Federation, verifier: CertificateVerifier) -> Callable[[bytes], str]:
    """Return why bbb refuses a message, or cannot open it; "opens" where it neither refuses nor fails."""
    private_keys = federation["bbb"].private_keys

    def judge(data: bytes) -> str:
        try:
            verified = message.verify(data, verifier, at=NOW)
            for part in verified.signed.parts:
                message.unseal(verified, part.part_number, "bbb", private_keys)
            key = part_cipher.subject_key(message.unwrap_key(verified, 0, "bbb", private_keys))
            message.open_subject(verified.header, verified.signed.subject, key)
        except Rejected as refused:
            return refused.reason
        return "opens"

    return judge


def serialized(changed: Message) -> bytes:
    """Encode in the one way that is accepted."""
    return changed.SerializeToString(deterministic=True)


def with_header(sent: bytes, header_bytes: bytes) -> pb.SignedMessage:
    """Put another header into a message, everything else as it was."""
    changed = pb.SignedMessage.FromString(sent)
    changed.header = header_bytes
    return changed


def signed_anew(federation: Federation, sent: bytes, header_bytes: bytes) -> bytes:
    """Put another header into a message and let the officers of before sign it."""
    changed = with_header(sent, header_bytes)
    for signature, name in zip(changed.signatures, ("liaison", "authoriser"), strict=True):
        payload = message.pre_authentication_encoding(header_bytes)
        signature.signature = keys.sign(federation["aaa"].officers[name].key, payload)
    return serialized(changed)


def test_the_message_that_is_changed_opens_unchanged(
    sent: bytes, federation: Federation, outcome: Callable[[bytes], str]
) -> None:
    """Each expected refusal comes from the change alone; signing again without a change stays valid."""
    assert outcome(sent) == "opens"
    assert outcome(signed_anew(federation, sent, pb.SignedMessage.FromString(sent).header)) == "opens"


def test_every_field_of_a_message_changed_gives_its_reason(sent: bytes, outcome: Callable[[bytes], str]) -> None:
    """Every field of SignedMessage in every way: refused or not opened as the table says; a new field is missed here."""
    signed = pb.SignedMessage.FromString(sent)
    found = {(path, way): outcome(serialized(mutated(signed, path, way))) for path, way in mutations(signed.DESCRIPTOR)}
    assert found == expected(SIGNED_MESSAGE, pb.SignedMessage.DESCRIPTOR)


def test_every_field_of_a_header_changed_gives_its_reason(
    sent: bytes, federation: Federation, outcome: Callable[[bytes], str]
) -> None:
    """Every field of Header in every way, by a stranger and by the author's own officers, as the table says."""
    before = pb.Header.FromString(pb.SignedMessage.FromString(sent).header)
    found = {}
    for path, way in mutations(before.DESCRIPTOR):
        changed = serialized(mutated(before, path, way))
        by_stranger = outcome(serialized(with_header(sent, changed)))
        by_author = outcome(signed_anew(federation, sent, changed))
        both = by_stranger if by_stranger == by_author else f"{by_stranger}/{by_author}"
        found[path, way] = "signed" if both == "bad_signature/cannot_open" else both
    assert found == expected(HEADER, pb.Header.DESCRIPTOR)


def test_what_belongs_to_another_message_of_the_author_is_refused(
    sent: bytes, federation: Federation, outcome: Callable[[bytes], str]
) -> None:
    """Header, signatures, wraps and parts of two genuine messages do not mix."""
    author, recipients = federation["aaa"], [federation["bbb"], federation["ccc"]]
    other = pb.SignedMessage.FromString(signed_message(author, recipients))
    found = {}
    for path in SWAPPED:
        changed = pb.SignedMessage.FromString(sent)
        above, _, last = path.rpartition(".")
        owner: Any = getattr(changed, above)[0] if above else changed
        source: Any = getattr(other, above)[0] if above else other
        owner.ClearField(last)
        if owner.DESCRIPTOR.fields_by_name[last].is_repeated:
            getattr(owner, last).extend(getattr(source, last))
        else:
            setattr(owner, last, getattr(source, last))
        found[path] = outcome(serialized(changed))
    assert found == SWAPPED


def test_every_flipped_byte_is_refused_or_keeps_its_reader_from_opening(
    federation: Federation, verifier: CertificateVerifier
) -> None:
    """One bit of every byte in turn: refused, but for wraps, where the one member whose wrap it is cannot open."""
    sent = signed_message(federation["aaa"], [federation["bbb"]], parts=[message.PlainPart(MAIN, b"content")])
    places: dict[str, set[int]] = {}
    for wrap in pb.SignedMessage.FromString(sent).wraps:
        begin = sent.index(wrap.key_id)
        end = sent.index(wrap.wrapped_key) + len(wrap.wrapped_key)
        places[wrap.recipient] = {*range(begin, end)} - {begin + 32, begin + 33, begin + 34}  # tag and length between
    for place in range(len(sent)):
        flipped = sent[:place] + bytes([sent[place] ^ 1 << place % 8]) + sent[place + 1 :]
        try:
            verified = message.verify(flipped, verifier, at=NOW)
        except Rejected:
            assert not any(place in inside for inside in places.values())
            continue
        for member, inside in places.items():
            opens = _opens(verified, federation, member)
            assert opens == ("cannot_open" if place in inside else "opens"), f"byte {place}, {member}"
        assert any(place in inside for inside in places.values()), f"byte {place} may be changed"


def _opens(verified: message.VerifiedMessage, federation: Federation, member: str) -> str:
    try:
        message.unseal(verified, 0, member, federation[member].private_keys)
    except Rejected as refused:
        return refused.reason
    return "opens"


def test_every_truncation_is_refused(sent: bytes, verifier: CertificateVerifier) -> None:
    """A message cut short at any length, or with a byte behind its end, is refused."""
    for length in range(len(sent)):
        with pytest.raises(Rejected):
            message.verify(sent[:length], verifier, at=NOW)
    for tail in (b"\x00", b"\x08", sent[:1], sent):
        with pytest.raises(Rejected):
            message.verify(sent + tail, verifier, at=NOW)


LEVELS = ("", "signatures", "wraps", "parts")
HEADER_LEVELS = (
    "",
    "required_signers",
    "recipients",
    "author_time",
    "handling",
    "review_time",
    "parts",
    "parts.handling",
)


def test_unknown_fields_are_refused_at_every_level(sent: bytes, outcome: Callable[[bytes], str]) -> None:
    """A field this version does not know is refused wherever it stands, of every wire type."""
    unknown = {
        "varint": b"\xc0\x3e\x01",
        "fixed64": b"\xc1\x3e" + bytes(8),
        "bytes": b"\xc2\x3e\x00",
        "group": b"\xc3\x3e\xc4\x3e",
        "fixed32": b"\xc5\x3e" + bytes(4),
    }
    signed = pb.SignedMessage.FromString(sent)
    before = pb.Header.FromString(signed.header)
    assert {*LEVELS} == {"", *_message_paths(signed)}
    assert {*HEADER_LEVELS} == {"", *_message_paths(before)}
    found: dict[tuple[str, str], str] = {}
    for wire_type, field in unknown.items():
        for level in LEVELS:
            found[level, wire_type] = outcome(serialized(_with_bytes(signed, level, field)))
        for level in HEADER_LEVELS:
            changed = with_header(sent, serialized(_with_bytes(before, level, field)))
            found[f"header.{level}", wire_type] = outcome(serialized(changed))
    assert {key for key, reason in found.items() if reason != "unknown_field"} == set()


def _message_paths(root: pb.SignedMessage | pb.Header) -> set[str]:
    return {path.rpartition(".")[0] for path, _ in mutations(root.DESCRIPTOR) if "." in path}


def _with_bytes(root: Message, level: str, field: bytes) -> Message:
    changed = type(root).FromString(root.SerializeToString())
    element(changed, level.split(".") if level else [], "").MergeFromString(field)
    return changed


def delimited(number: int, content: bytes, *, overlong: bool = False) -> bytes:
    """Encode a length-delimited field."""
    length, rest = [], len(content)
    while rest >= 0x80 or overlong:
        length.append(rest & 0x7F | 0x80)
        rest >>= 7
        overlong = overlong and rest > 0
    return bytes([number << 3 | 2, *length, rest]) + content


def fields(message: Message, numbers: range) -> bytes:
    """Encode only the fields of these numbers."""
    chosen = type(message)()
    chosen.CopyFrom(message)
    for field, _ in message.ListFields():
        if field.number not in numbers:
            chosen.ClearField(field.name)
    return serialized(chosen)


def test_a_header_in_another_encoding_is_refused(
    federation: Federation, sent: bytes, outcome: Callable[[bytes], str]
) -> None:
    """Bytes that mean the same header are refused though the officers signed them as they are."""
    before = pb.Header.FromString(pb.SignedMessage.FromString(sent).header)
    plain = pb.Header()
    plain.CopyFrom(before)
    plain.ClearField("urgency_reason")
    suite, rest = b"\x08\x01", fields(before, range(2, 99))
    ways = {
        "in another order": rest + suite,
        "a field twice": suite + suite + rest,
        "an over-long integer": b"\x08\x81\x00" + rest,
        "an over-long tag": b"\x88\x00\x01" + rest,
        "an integer beyond its width": b"\x08\x81" + b"\x80" * 8 + b"\x01" + rest,
        "a submessage in two pieces": fields(before, range(14)) + b"\x6a\x02\x38\x01" + fields(before, range(14, 99)),
        "an explicit default": fields(plain, range(12)) + b"\x62\x00" + fields(plain, range(13, 99)),
        "an over-long length": suite + delimited(2, before.message_id, overlong=True) + fields(before, range(3, 99)),
    }
    for way, data in ways.items():
        assert pb.Header.FromString(data) in (before, plain), way
    reasons = {way: outcome(signed_anew(federation, sent, data)) for way, data in ways.items()}
    assert reasons == dict.fromkeys(ways, "unknown_field")
    assert outcome(signed_anew(federation, sent, suite + rest)) == "opens"


def test_a_message_in_another_encoding_is_refused(sent: bytes, outcome: Callable[[bytes], str]) -> None:
    """The envelope around the signed header has one encoding too."""
    signed = pb.SignedMessage.FromString(sent)
    head, middle, parts = fields(signed, range(2)), fields(signed, range(2, 5)), fields(signed, range(5, 6))
    first, second = map(serialized, signed.parts)
    ways = {
        "in another order": parts + head + middle,
        "a field twice": head + head + middle + parts,
        "an explicit default": head + middle + delimited(5, b"\x08\x00" + first) + delimited(5, second),
        "an over-long length": head + middle + delimited(5, first, overlong=True) + delimited(5, second),
    }
    for way, data in ways.items():
        assert pb.SignedMessage.FromString(data) == signed, way
    assert {way: outcome(data) for way, data in ways.items()} == dict.fromkeys(ways, "unknown_field")
    assert outcome(head + middle + delimited(5, first) + delimited(5, second)) == "opens"
