"""One message: sealed for its recipients, signed by its officers, and verified by every receiver.

`seal` and `sign` run in the client of the officer, `verify` and `unseal` at every receiver. The result of `verify` has
a type of its own, so that an unverified message cannot be stored or shown by mistake. Formats: "Message" in
proto/README.md.
"""

import re
import secrets
import struct
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import sha256
from typing import Final, TypeVar

from google.protobuf.message import DecodeError, Message
from google.protobuf.timestamp_pb2 import Timestamp

from paiza.core.v1 import message_pb2 as pb
from paiza_wire.errors import Rejected
from paiza_wire.identity import MEMBER_ID, CertificateVerifier, SpiffeId, VerifiedCertificate, keys
from paiza_wire.message import key_wrapping, part_cipher

PAYLOAD_TYPE: Final = b"application/vnd.paiza.header.v1+protobuf"
WRAP_TAG: Final = b"paiza/v1/part-key"

MAX_MESSAGE_BYTES: Final = 2 * 1024 * 1024  # bytes; larger matter travels as an attachment
MAX_HEADER_BYTES: Final = 64 * 1024  # bytes; a header is names, digests and codes
MAX_RECIPIENTS: Final = 64  # the region with all its observers is about 25
MAX_SIGNERS: Final = 4  # author, second officer, and room for two more
MAX_PARTS: Final = 66  # main part, annex and 64 attachments
MAX_CIPHERTEXT_BYTES: Final = 4 * 1024**3 + 8 * 1024**2  # bytes of an attachment: 4 GiB, its tags and its description
MIN_CIPHERTEXT_BYTES: Final = 24 + 32 + 16  # bytes of an attachment: salt, commitment and one tag
MAX_SUBJECT_BYTES: Final = 328  # bytes of a sealed subject: codes and amounts of one line
MIN_SUBJECT_BYTES: Final = 24 + 32 + 16  # bytes of a sealed subject that says nothing: salt, commitment and one tag
MAX_PARENTS: Final = 32  # concurrent ends of a thread
MAX_TEXT: Final = 256  # characters of any one text in a header
MAX_LIMIT_TEXT: Final = 2000  # characters of the limits that a handling code names; merging joins several
MAX_CODES: Final = 16  # legal bases or purposes of one message
DIGEST_SIZE: Final = 32  # bytes of SHA-256
ID_SIZE: Final = 16  # bytes of a UUID
KEY_SIZE: Final = 32  # bytes of a part key (Cobblestone-256)
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


@dataclass(frozen=True, slots=True)
class PlainPart:
    """A part before it is sealed. ``handling`` is set only if it is stricter than that of the header."""

    kind: pb.PartKind.ValueType
    plaintext: bytes
    handling: pb.Handling | None = None


@dataclass(frozen=True, slots=True)
class SealedFile:
    """A sealed attachment: the header fields of its part, and the part key."""

    part_key: bytes
    ciphertext_sha256: bytes
    ciphertext_size: int


@dataclass(frozen=True, slots=True)
class RecipientKey:
    """The encryption key of one member, from the register."""

    member: str
    public: key_wrapping.EncryptionKey


@dataclass(frozen=True, slots=True)
class OfficerSigner:
    """An officer's certificate with its signing function (a file, a card): ``sign`` receives the bytes to be signed."""

    id: str
    certificate: bytes
    sign: Callable[[bytes], bytes]


@dataclass(frozen=True, slots=True)
class UnsignedMessage:
    """A sealed message without signatures. ``header`` holds the bytes to be signed."""

    header: bytes
    subject: bytes
    wraps: tuple[pb.Wrap, ...]
    parts: tuple[pb.SealedPart, ...]


@dataclass(frozen=True, slots=True)
class VerifiedMessage:
    """A message whose signatures and parts were verified by `verify`."""

    digest: bytes
    header: pb.Header
    signed: pb.SignedMessage
    signers: tuple[VerifiedCertificate, ...]


@dataclass(frozen=True, slots=True)
class PendingMessage:
    """A message that still lacks signatures: those present were verified; ``missing`` names the remaining signers.

    It is not a `VerifiedMessage`: nothing is released before `verify` has checked all signatures.
    """

    digest: bytes
    header: pb.Header
    signed: pb.SignedMessage
    signers: tuple[tuple[pb.RequiredSigner, VerifiedCertificate], ...]
    missing: tuple[pb.RequiredSigner, ...]


def new_message_id(now: datetime) -> bytes:
    """Generate a UUIDv7 (RFC 9562 section 5.7), 16 bytes: 48 bits of milliseconds, then 74 random bits."""
    milliseconds = int(now.timestamp() * 1000)
    random = bytearray(secrets.token_bytes(10))
    random[0] = _UUID7_VERSION | (random[0] & 0x0F)
    random[2] = _UUID_VARIANT | (random[2] & 0x3F)
    return milliseconds.to_bytes(6, "big") + bytes(random)


def message_digest(header: bytes) -> bytes:
    """Return the digest that identifies a message: SHA-256 of the header as signed."""
    return sha256(header).digest()


def pre_authentication_encoding(header: bytes) -> bytes:
    """Return the bytes that an officer signs: DSSE PAE of payload type and header (DSSE v1, protocol.md)."""
    return b"DSSEv1 %d %b %d %b" % (len(PAYLOAD_TYPE), PAYLOAD_TYPE, len(header), header)


def parse_strictly(message_type: type[_M], data: bytes, what: str) -> _M:
    """Parse protobuf bytes, refusing unknown fields and every non-canonical encoding.

    The canonical encoding: fields in the order of their numbers, none unknown, a singular one at most once, integers as
    short as they can be, defaults left out. Every protobuf library writes it for a message without maps. Comparing
    sizes is not enough: a negative enum value in five bytes is five bytes shorter than the canonical one and leaves
    room for an unknown field.
    """
    try:
        parsed = message_type.FromString(data)
    except DecodeError as error:
        raise Rejected("malformed", f"{what} is not a valid {message_type.DESCRIPTOR.full_name}") from error
    parsed.DiscardUnknownFields()
    if parsed.SerializeToString(deterministic=True) != data:
        raise Rejected("unknown_field", f"{what} holds a field unknown to this version, or is not encoded canonically")
    return parsed


def seal(
    header: pb.Header,
    parts: Sequence[PlainPart],
    recipients: Sequence[RecipientKey],
    attachments: Sequence[SealedFile] = (),
    *,
    subject: bytes = b"",
) -> UnsignedMessage:
    """Encrypt every part under a key of its own, describe the parts in the header, wrap the keys for all recipients.

    ``header`` comes without parts and is not changed. ``subject`` is a serialized `Subject`, derived from the main part
    by its kind; it is sealed under a key derived from that part's. ``attachments`` were sealed before, for this author
    and message id, as the parts that follow ``parts``. ``recipients`` holds one key per addressed member and the
    author's own, so that the author's node can show sent messages to its officers; Rejected("not_addressed") names a
    missing one.
    """
    complete = pb.Header()
    complete.CopyFrom(header)
    del complete.parts[:]
    complete.subject_sha256 = b""
    missing = {*(r.member for r in header.recipients), header.author} - {r.member for r in recipients}
    if missing:
        raise Rejected("not_addressed", f"no encryption key was given for {', '.join(sorted(missing))}")
    part_keys = [secrets.token_bytes(KEY_SIZE) for _ in parts]
    sealed: list[pb.SealedPart] = []
    for number, (part, key) in enumerate(zip(parts, part_keys, strict=True)):
        context = part_cipher.part_context(header.author, header.message_id, number)
        ciphertext = part_cipher.encrypt_part(key, context, part.plaintext)
        complete.parts.add(
            kind=part.kind,
            ciphertext_sha256=sha256(ciphertext).digest(),
            ciphertext_size=len(ciphertext),
            handling=part.handling,
        )
        sealed.append(pb.SealedPart(part_number=number, ciphertext=ciphertext))
    for attached in attachments:
        part_keys.append(attached.part_key)
        complete.parts.add(
            kind=pb.PART_KIND_ATTACHMENT,
            ciphertext_sha256=attached.ciphertext_sha256,
            ciphertext_size=attached.ciphertext_size,
        )
    context = part_cipher.subject_context(header.author, header.message_id)
    sealed_subject = part_cipher.encrypt_part(part_cipher.subject_key(part_keys[0]), context, subject)
    complete.subject_sha256 = sha256(sealed_subject).digest()
    header_bytes = complete.SerializeToString(deterministic=True)
    digest = message_digest(header_bytes)
    wraps = tuple(
        wrap_key(key, digest, number, recipient) for number, key in enumerate(part_keys) for recipient in recipients
    )
    return UnsignedMessage(header_bytes, sealed_subject, wraps, tuple(sealed))


def sign(unsigned: UnsignedMessage, signers: Sequence[OfficerSigner]) -> bytes:
    """Sign a sealed message with every officer in turn and serialize it; `verify` checks the required signers."""
    payload = pre_authentication_encoding(unsigned.header)
    return pb.SignedMessage(
        header=unsigned.header,
        signatures=[
            pb.Signature(signer_id=signer.id, certificate=signer.certificate, signature=signer.sign(payload))
            for signer in signers
        ],
        subject=unsigned.subject,
        wraps=unsigned.wraps,
        parts=unsigned.parts,
    ).SerializeToString(deterministic=True)


def countersign(header: bytes, signer: OfficerSigner) -> pb.Signature:
    """Sign the same header bytes as the officers before; the header is verified by the caller (`verify_pending`)."""
    payload = pre_authentication_encoding(header)
    return pb.Signature(signer_id=signer.id, certificate=signer.certificate, signature=signer.sign(payload))


def add_signature(message: bytes, signature: pb.Signature) -> bytes:
    """Add a signature to the existing ones, in the order of the header; `verify` checks it.

    Rejected("wrong_signers") if the message does not require it or has it already.
    """
    signed = parse_strictly(pb.SignedMessage, message, "the message")
    order = [signer.id for signer in parse_header(signed.header).required_signers]
    there = {each.signer_id: each for each in signed.signatures}
    if signature.signer_id not in order or signature.signer_id in there:
        raise Rejected("wrong_signers", "the message wants no such signature, or has it")
    there[signature.signer_id] = signature
    del signed.signatures[:]
    signed.signatures.extend(there[signer] for signer in order if signer in there)
    return signed.SerializeToString(deterministic=True)


def verify(
    message: bytes,
    certificates: CertificateVerifier,
    *,
    at: datetime,
    parts: Collection[int] | None = None,
    forwarded_to: str = "",
) -> VerifiedMessage:
    """Check a message against the register's certificates; Rejected names the first failed step.

    1. It is of bounded size and a SignedMessage this version understands whole.
    2. Its header is one of a suite we support, understood whole and well formed.
    3. The signatures are exactly those of the required signers: distinct, all officers of the author's member.
    4. Each signer's certificate is the one its id names, from that member's officer CA, valid at ``at``, not revoked.
    5. Each signature holds over the header as it travelled.
    6. The parts are all there (or just those of ``parts``), each once, in order, of the size and digest in the header;
       with the main part, and only with it, the sealed subject of that digest.
    7. Every wrap is for a part of the message and for a member who may read it (author, recipients,
       and ``forwarded_to`` if it was forwarded), and none occurs twice.

    The caller ensures that it is addressed to us, that the author's log holds its release (`paiza_wire.receipts`), that
    ``at`` is a time the logs prove, policy, that the key opens (`unseal`) and that the content is valid for its kind.
    """
    # 1., 2.
    signed, header = _parsed(message)
    # 3.
    if [s.signer_id for s in signed.signatures] != [s.id for s in header.required_signers]:
        raise Rejected("wrong_signers", "the signatures are not those of the required signers, in their order")
    # 4., 5.
    signers = _check_signatures(signed, certificates, at)
    # 6., 7.
    _check_sealed(header, signed, parts, forwarded_to)
    return VerifiedMessage(message_digest(signed.header), header, signed, signers)


def verify_pending(
    message: bytes,
    certificates: CertificateVerifier,
    *,
    at: datetime,
    parts: Collection[int] | None = None,
) -> PendingMessage:
    """Check a message as `verify` does, but for the signatures that are missing (step 3).

    3. There is at least one signature and one missing; those there are of required signers, each once, in their order.
    """
    # 1., 2.
    signed, header = _parsed(message)
    # 3.
    there = [s.signer_id for s in signed.signatures]
    present = tuple(signer for signer in header.required_signers if signer.id in there)
    missing = tuple(signer for signer in header.required_signers if signer.id not in there)
    if not there or not missing or [signer.id for signer in present] != there:
        raise Rejected("wrong_signers", "the signatures are not those of some of the required signers, in their order")
    # 4., 5.
    signers = _check_signatures(signed, certificates, at)
    # 6., 7.
    _check_sealed(header, signed, parts)
    digest = message_digest(signed.header)
    return PendingMessage(digest, header, signed, tuple(zip(present, signers, strict=True)), missing)


def _parsed(message: bytes) -> tuple[pb.SignedMessage, pb.Header]:
    if len(message) > MAX_MESSAGE_BYTES:
        raise Rejected("too_large", f"a message of {len(message)} bytes is over the limit of {MAX_MESSAGE_BYTES}")
    signed = parse_strictly(pb.SignedMessage, message, "the message")
    return signed, parse_header(signed.header)


def _check_signatures(
    signed: pb.SignedMessage, certificates: CertificateVerifier, at: datetime
) -> tuple[VerifiedCertificate, ...]:
    signers = tuple(
        certificates.officer(signature.certificate, expected_id=signature.signer_id, at=at)
        for signature in signed.signatures
    )
    payload = pre_authentication_encoding(signed.header)
    for signature, signer in zip(signed.signatures, signers, strict=True):
        keys.verify(signer.public_key, signature.signature, payload)
    return signers


def _check_sealed(
    header: pb.Header, signed: pb.SignedMessage, parts: Collection[int] | None, forwarded_to: str = ""
) -> None:
    expected = _expected_parts(header) if parts is None else sorted(parts)
    if [part.part_number for part in signed.parts] != expected:
        raise Rejected("part_missing", f"the parts that must come along are {expected}")
    for part in signed.parts:
        _check_part(header, part.part_number, part.ciphertext)
    _check_subject(header, signed.subject, came=0 in expected)
    _check_wraps(header, signed, forwarded_to)


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


def unseal(
    message: VerifiedMessage | PendingMessage,
    part_number: int,
    member: str,
    private_keys: Mapping[bytes, key_wrapping.DecryptionKey],
) -> bytes:
    """Open one part with the member's own decryption keys (by key id) and return its plaintext.

    Rejected("cannot_open") if no wrap opens: the author must wrap again. Rejected("part_altered") if the key opens but
    the ciphertext does not match it: the author sealed it wrongly.
    """
    key = unwrap_key(message, part_number, member, private_keys)
    return open_part(message.header, part_number, _ciphertext(message.signed, part_number), key)


def unwrap_key(
    message: VerifiedMessage | PendingMessage,
    part_number: int,
    member: str,
    private_keys: Mapping[bytes, key_wrapping.DecryptionKey],
) -> bytes:
    """Return the key of one part (32 bytes), unwrapped with one of this member's keys."""
    return unwrap(message.signed.wraps, message.digest, part_number, member, private_keys)


def unwrap(
    wraps: Iterable[pb.Wrap],
    digest: bytes,
    part_number: int,
    member: str,
    private_keys: Mapping[bytes, key_wrapping.DecryptionKey],
) -> bytes:
    """Return the key of one part as `unwrap_key` does, from the wraps of a message alone."""
    for wrap in wraps:
        if wrap.part_number != part_number or wrap.recipient != member:
            continue
        private = private_keys.get(wrap.key_id)
        if private is None:
            continue
        info = _wrap_info(digest, part_number, member, wrap.key_id)
        key = key_wrapping.unwrap(wrap.wrapped_key, private, info)
        if len(key) != KEY_SIZE:
            raise Rejected("cannot_open", f"the key of part {part_number} is not {KEY_SIZE} bytes long")
        return key
    raise Rejected("cannot_open", f"part {part_number} has no wrap for a key of {member}")


def read_leading_fields(data: bytes) -> pb.SignedMessage:
    """Parse the complete fields in the first bytes of a stored message; wraps and parts may be missing."""
    at = end = 0
    while at < len(data):
        at += 1  # the tag: every field of a SignedMessage is length-delimited, and has a number below 16
        length, shift, more = 0, 0, 0x80
        while more and at < len(data):
            length |= (data[at] & 0x7F) << shift
            at, shift, more = at + 1, shift + 7, data[at] & 0x80
        at += length
        if not more and at <= len(data):
            end = at
    try:
        return pb.SignedMessage.FromString(data[:end])
    except DecodeError as error:
        raise Rejected("malformed", "the stored message is damaged") from error


def open_part(header: pb.Header, part_number: int, ciphertext: bytes, part_key: bytes) -> bytes:
    """Check a ciphertext against the header and open it with the part's key."""
    _check_part(header, part_number, ciphertext)
    context = part_cipher.part_context(header.author, header.message_id, part_number)
    return part_cipher.decrypt_part(part_key, context, ciphertext)


def open_subject(header: pb.Header, subject: bytes, subject_key: bytes) -> bytes:
    """Check a sealed subject against the header and open it with its key (`part_cipher.subject_key`)."""
    _check_subject(header, subject, came=True)
    context = part_cipher.subject_context(header.author, header.message_id)
    return part_cipher.decrypt_part(subject_key, context, subject)


def wrap_key(part_key: bytes, digest: bytes, part_number: int, recipient: RecipientKey) -> pb.Wrap:
    """Encrypt one part's key to one member, bound to this message, part, member and key."""
    key_id = recipient.public.key_id
    info = _wrap_info(digest, part_number, recipient.member, key_id)
    return pb.Wrap(
        part_number=part_number,
        recipient=recipient.member,
        key_id=key_id,
        wrapped_key=key_wrapping.wrap(part_key, recipient.public, info),
    )


def _wrap_info(digest: bytes, part_number: int, recipient: str, key_id: bytes) -> bytes:
    """Encode the HPKE info: tag ‖ digest (32) ‖ part (4, big-endian) ‖ length of name (1) ‖ recipient ‖ key id (32)."""
    name = recipient.encode()
    return WRAP_TAG + digest + struct.pack(">IB", part_number, len(name)) + name + key_id


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


def _check_part(header: pb.Header, part_number: int, ciphertext: bytes) -> None:
    if part_number >= len(header.parts):
        raise Rejected("part_missing", f"the header names no part {part_number}")
    described = header.parts[part_number]
    if described.ciphertext_size != len(ciphertext):
        raise Rejected("part_digest_mismatch", f"part {part_number} is not of the size the header names")
    if described.ciphertext_sha256 != sha256(ciphertext).digest():
        raise Rejected("part_digest_mismatch", f"part {part_number} is not the one the header names")


def _check_subject(header: pb.Header, subject: bytes, *, came: bool) -> None:
    if not came:
        if subject:
            raise Rejected("malformed", "the subject came along without the main part")
        return
    if not MIN_SUBJECT_BYTES <= len(subject) <= MAX_SUBJECT_BYTES:
        raise Rejected("invalid_subject", f"a sealed subject has {MIN_SUBJECT_BYTES} to {MAX_SUBJECT_BYTES} bytes")
    if header.subject_sha256 != sha256(subject).digest():
        raise Rejected("part_digest_mismatch", "the subject is not the one the header names")


def _check_wraps(header: pb.Header, signed: pb.SignedMessage, forwarded_to: str) -> None:
    readers = {recipient.member for recipient in header.recipients}
    readers.add(header.author)
    if forwarded_to:
        readers.add(forwarded_to)
    part_count = len(header.parts)
    wraps = [(wrap.part_number, wrap.recipient, wrap.key_id) for wrap in signed.wraps]
    for part_number, recipient, key_id in wraps:
        if part_number >= part_count:
            raise Rejected("malformed", f"a wrap is for part {part_number}, which the header does not name")
        if recipient not in readers:
            raise Rejected("not_addressed", "a wrap is for a member to whom the message is not addressed")
        if len(key_id) != DIGEST_SIZE:
            raise Rejected("malformed", "a wrap's key id is not 32 bytes long")
    if len(set(wraps)) != len(wraps):
        raise Rejected("malformed", "a wrap stands twice")


def _expected_parts(header: pb.Header) -> list[int]:
    return [number for number, part in enumerate(header.parts) if part.kind != pb.PART_KIND_ATTACHMENT]


def _ciphertext(signed: pb.SignedMessage, part_number: int) -> bytes:
    for part in signed.parts:
        if part.part_number == part_number:
            return part.ciphertext
    raise Rejected("part_missing", f"part {part_number} did not come with the message")


def _is_uuid7(data: bytes) -> bool:
    return len(data) == ID_SIZE and data[6] & 0xF0 == _UUID7_VERSION and data[8] & 0xC0 == _UUID_VARIANT
