"""The header of a message: strict parsing, and the checks of all fields that need no other data."""

import re
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final, TypeVar

from google.protobuf.message import DecodeError, Message
from google.protobuf.timestamp_pb2 import Timestamp

from paiza.core.v1 import message_pb2 as pb
from paiza_wire.errors import Rejected
from paiza_wire.field_count import check_fields
from paiza_wire.identity import MEMBER_ID, SpiffeId

MAX_HEADER_BYTES: Final = 64 * 1024  # bytes; a header is names, digests and codes
MAX_RECIPIENTS: Final = 64  # the region with all its observers is about 25
MAX_SIGNERS: Final = 4  # author, second officer, and room for two more
MAX_PARTS: Final = 66  # main part, annex and 64 attachments
MAX_CIPHERTEXT_BYTES: Final = 4 * 1024**3 + 8 * 1024**2  # bytes of an attachment: 4 GiB, its tags and its description
MIN_CIPHERTEXT_BYTES: Final = 24 + 32 + 16  # bytes of an attachment: salt, commitment and one tag
MAX_PARENTS: Final = 32  # concurrent ends of a thread
MAX_TEXT: Final = 256  # characters of any one text in a header
MAX_LIMIT_TEXT: Final = 2000  # characters of the limits that a handling code names; merging joins several
MAX_CODES: Final = 16  # legal bases or purposes of one message
DIGEST_SIZE: Final = 32  # bytes of SHA-256
ID_SIZE: Final = 16  # bytes of a UUID
MAX_AUTHOR_TIME: Final = datetime(9000, 1, 1, tzinfo=UTC)
REMEMBERED_IDS: Final = 4096  # parsed officer ids kept, about 1 MB; the same officers write again and again
_KIND: Final = re.compile(r"[a-z][a-z0-9-]{1,63}\Z")
_ROLE: Final = re.compile(r"[a-z][a-z0-9-]{1,31}\Z")
_URGENCIES: Final = frozenset(pb.Urgency.values()) - {pb.URGENCY_UNSPECIFIED}
_PART_KINDS: Final = frozenset(pb.PartKind.values()) - {pb.PART_KIND_UNSPECIFIED}
_AUTHOR_TIME_END: Final = int(MAX_AUTHOR_TIME.timestamp())
_UUID7_VERSION: Final = 0x70
_UUID_VARIANT: Final = 0x80
_M = TypeVar("_M", bound=Message)
_officer_id = lru_cache(maxsize=REMEMBERED_IDS)(SpiffeId.parse)


def new_message_id(now: datetime) -> bytes:
    """Generate a UUIDv7 (RFC 9562 section 5.7), 16 bytes: 48 bits of milliseconds, then 74 random bits."""
    milliseconds = int(now.timestamp() * 1000)
    random = bytearray(secrets.token_bytes(10))
    random[0] = _UUID7_VERSION | (random[0] & 0x0F)
    random[2] = _UUID_VARIANT | (random[2] & 0x3F)
    return milliseconds.to_bytes(6, "big") + bytes(random)


def parse_strictly(message_type: type[_M], data: bytes, what: str) -> _M:
    """Parse protobuf bytes, refusing unknown fields and every non-canonical encoding.

    The canonical encoding: fields in the order of their numbers, none unknown, a singular one at most once, integers as
    short as they can be, defaults left out. Every protobuf library writes it for a message without maps. Comparing
    sizes is not enough: a negative enum value in five bytes is five bytes shorter than the canonical one and leaves
    room for an unknown field.
    """
    check_fields(message_type, data)
    try:
        parsed = message_type.FromString(data)
    except DecodeError as error:
        raise Rejected("malformed", f"{what} is not a valid {message_type.DESCRIPTOR.full_name}") from error
    parsed.DiscardUnknownFields()
    if parsed.SerializeToString(deterministic=True) != data:
        raise Rejected("unknown_field", f"{what} holds a field unknown to this version, or is not encoded canonically")
    return parsed


def parse_header(data: bytes) -> pb.Header:
    """Parse a header and check all its fields that need no other data; Rejected names the field."""
    if len(data) > MAX_HEADER_BYTES:
        raise Rejected("too_large", f"a header of {len(data)} bytes is over the limit of {MAX_HEADER_BYTES}")
    header = parse_strictly(pb.Header, data, "the header")
    if header.suite != pb.SUITE_1:
        raise Rejected("unsupported_suite", f"suite {header.suite} is not supported")
    _check_names(header)
    _check_people(header)
    _check_descriptions(header)
    return header


def _check_names(header: pb.Header) -> None:
    if not _is_uuid7(header.message_id):
        raise Rejected("malformed", "message_id is not a UUIDv7")
    if not _is_uuid7(header.thread_id):
        raise Rejected("malformed", "thread_id is not a UUIDv7")
    parents = header.parent_digests
    if len(parents) > MAX_PARENTS:
        raise Rejected("too_large", f"a message has at most {MAX_PARENTS} parents")
    if not {*map(len, parents)} <= {DIGEST_SIZE}:
        raise Rejected("malformed", "a parent digest is not 32 bytes long")
    if len({*parents}) != len(parents):
        raise Rejected("malformed", "a parent digest stands twice")
    if (header.thread_id == header.message_id) != (not parents):
        raise Rejected(
            "malformed", "the first message of a thread, and no other, has no parents and its own id as thread_id"
        )
    if not _KIND.match(header.kind):
        raise Rejected("malformed", "kind is not a lower-case name")
    if header.kind_version < 1:
        raise Rejected("malformed", "kind_version is not set")
    if not MEMBER_ID.fullmatch(header.author):
        raise Rejected("malformed", "author is not a member id")
    if len(header.register_version) != DIGEST_SIZE:
        raise Rejected("malformed", "register_version is not 32 bytes long")
    if len(header.subject_sha256) != DIGEST_SIZE:
        raise Rejected("malformed", "subject_sha256 is not 32 bytes long")
    _check_time(header.author_time, "author_time")
    _check_time(header.review_time, "review_time")
    if header.urgency not in _URGENCIES:
        raise Rejected("malformed", "urgency is not set, or of no known kind")
    if len(header.urgency_reason) > MAX_TEXT:
        raise Rejected("too_large", f"urgency_reason is over {MAX_TEXT} characters")
    if len(header.legal_bases) > MAX_CODES or _longest(header.legal_bases) > MAX_TEXT:
        raise Rejected("too_large", f"legal_bases holds over {MAX_CODES} codes or one over {MAX_TEXT} characters")
    if not header.HasField("handling"):
        raise Rejected("malformed", "handling is not set")
    _check_handling(header.handling)


def _check_people(header: pb.Header) -> None:
    recipients = header.recipients
    members = [recipient.member for recipient in recipients]
    if not members:
        raise Rejected("malformed", "the message has no recipients")
    if len(members) > MAX_RECIPIENTS:
        raise Rejected("too_large", f"a message has at most {MAX_RECIPIENTS} recipients")
    if not all(map(MEMBER_ID.fullmatch, members)):
        raise Rejected("malformed", "a recipient is not a member id")
    if _longest([recipient.attention for recipient in recipients]) > MAX_TEXT:
        raise Rejected("too_large", f"attention is over {MAX_TEXT} characters")
    if len({*members, header.author}) != len(members) + 1:
        raise Rejected("malformed", "a recipient stands twice, or is the author")
    required = [(signer.id, signer.role) for signer in header.required_signers]
    if not required:
        raise Rejected("wrong_signers", "the message requires no signer")
    if len(required) > MAX_SIGNERS:
        raise Rejected("too_large", f"a message has at most {MAX_SIGNERS} signers")
    if len({signer for signer, _ in required}) != len(required):
        raise Rejected("wrong_signers", "a required signer stands twice")
    for signer, role in required:
        identity = _officer_id(signer)
        if identity.role != "officer":
            raise Rejected("wrong_signers", "a required signer is not an officer")
        if identity.member != header.author:
            raise Rejected("wrong_member", "a required signer is not an officer of the author's member")
        if not _ROLE.match(role):
            raise Rejected("malformed", "a required signer's role is not a lower-case name")


def _check_descriptions(header: pb.Header) -> None:
    if not header.parts:
        raise Rejected("part_missing", "the message has no parts")
    if len(header.parts) > MAX_PARTS:
        raise Rejected("too_large", f"a message has at most {MAX_PARTS} parts")
    for number, part in enumerate(header.parts):
        kind = part.kind
        if kind not in _PART_KINDS:
            raise Rejected("malformed", f"the kind of part {number} is not set, or not known")
        if (kind == pb.PART_KIND_MAIN) != (number == 0):
            raise Rejected("malformed", "part 0, and no other, is the main part")
        if kind == pb.PART_KIND_NOMINAL_ANNEX and number != 1:
            raise Rejected("malformed", "the nominal annex is part 1")
        if len(part.ciphertext_sha256) != DIGEST_SIZE:
            raise Rejected("malformed", f"the digest of part {number} is not 32 bytes long")
        if kind == pb.PART_KIND_ATTACHMENT and not MIN_CIPHERTEXT_BYTES <= part.ciphertext_size <= MAX_CIPHERTEXT_BYTES:
            raise Rejected("too_large", f"attachment {number} is of a size that none has")
        if part.HasField("handling"):
            _check_handling(part.handling)


def _check_handling(handling: pb.Handling) -> None:
    purposes = handling.purposes
    if len(purposes) > MAX_CODES:
        raise Rejected("too_large", f"handling names over {MAX_CODES} purposes")
    marks = (handling.evaluation_scheme, handling.evaluation, handling.code, handling.tlp, handling.pap)
    if _longest((*marks, *purposes)) > MAX_TEXT:
        raise Rejected("too_large", f"a handling mark is over {MAX_TEXT} characters")
    if len(handling.code_text) > MAX_LIMIT_TEXT:
        raise Rejected("too_large", f"the limits of the handling code are over {MAX_LIMIT_TEXT} characters")


def _longest(texts: Sequence[str]) -> int:
    return max(map(len, texts), default=0)


def _check_time(time: Timestamp, field: str) -> None:
    if not 0 < time.seconds < _AUTHOR_TIME_END or not 0 <= time.nanos < 10**9:
        raise Rejected("malformed", f"{field} is not set, or not a time between 1970 and {MAX_AUTHOR_TIME.year}")


def _is_uuid7(data: bytes) -> bool:
    return len(data) == ID_SIZE and data[6] & 0xF0 == _UUID7_VERSION and data[8] & 0xC0 == _UUID_VARIANT
