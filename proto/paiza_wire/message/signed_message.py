"""One message: sealed for its recipients, signed by its officers, and verified by every receiver.

`seal` and `sign` run in the client of the officer, `verify` and `unseal` at every receiver. The result of `verify` has
a type of its own, so that an unverified message cannot be stored or shown by mistake. Formats: "Message" in
proto/README.md.
"""

import secrets
import struct
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Final

from google.protobuf.message import DecodeError

from paiza.core.v1 import message_pb2 as pb
from paiza_wire.errors import Rejected
from paiza_wire.identity import CertificateVerifier, VerifiedCertificate, keys
from paiza_wire.message import key_wrapping, part_cipher
from paiza_wire.message.header import DIGEST_SIZE, parse_header, parse_strictly

PAYLOAD_TYPE: Final = b"application/vnd.paiza.header.v1+protobuf"
WRAP_TAG: Final = b"paiza/v1/part-key"

MAX_MESSAGE_BYTES: Final = 2 * 1024 * 1024  # bytes; larger matter travels as an attachment
MAX_SUBJECT_BYTES: Final = 328  # bytes of a sealed subject: codes and amounts of one line
MIN_SUBJECT_BYTES: Final = 24 + 32 + 16  # bytes of a sealed subject that says nothing: salt, commitment and one tag
KEY_SIZE: Final = 32  # bytes of a part key (Cobblestone-256)


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
class ParsedMessage:
    """A message that was parsed by `parse_message`. Nothing in it was verified."""

    header: pb.Header
    signed: pb.SignedMessage


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


@dataclass(frozen=True, slots=True)
class TriedMessage:
    """A message that is tried before it is signed (`verify_trial`): all of it was checked but the signatures.

    ``signers`` holds the officer who tries it, with the certificate that they would sign with; ``missing`` names the
    remaining signers. It is neither a `VerifiedMessage` nor a `PendingMessage`: it is judged, and never stored.
    """

    digest: bytes
    header: pb.Header
    signed: pb.SignedMessage
    signers: tuple[tuple[pb.RequiredSigner, VerifiedCertificate], ...]
    missing: tuple[pb.RequiredSigner, ...]


def message_digest(header: bytes) -> bytes:
    """Return the digest that identifies a message: SHA-256 of the header as signed."""
    return sha256(header).digest()


def pre_authentication_encoding(header: bytes) -> bytes:
    """Return the bytes that an officer signs: DSSE PAE of payload type and header (DSSE v1, protocol.md)."""
    return b"DSSEv1 %d %b %d %b" % (len(PAYLOAD_TYPE), PAYLOAD_TYPE, len(header), header)


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


def for_trial(unsigned: UnsignedMessage, signer_id: str, certificate: bytes) -> bytes:
    """Serialize a sealed message with the certificate (DER) of the officer who would sign it, and no signature.

    Nobody signs a message in order to try it: with a signature it could be released by every node that has it.
    """
    return pb.SignedMessage(
        header=unsigned.header,
        signatures=[pb.Signature(signer_id=signer_id, certificate=certificate)],
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


def parse_message(message: bytes) -> ParsedMessage:
    """Parse a message strictly: steps 1 and 2 of `verify`, which does not repeat them."""
    if len(message) > MAX_MESSAGE_BYTES:
        raise Rejected("too_large", f"a message of {len(message)} bytes is over the limit of {MAX_MESSAGE_BYTES}")
    signed = parse_strictly(pb.SignedMessage, message, "the message")
    return ParsedMessage(parse_header(signed.header), signed)


def verify(
    message: bytes | ParsedMessage,
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
    5. Each signature holds over the header as it travelled, and no two are of one key.
    6. The parts are all there (or just those of ``parts``), each once, in order, of the size and digest in the header;
       with the main part, and only with it, the sealed subject of that digest.
    7. Every wrap is for a part of the message and for a member who may read it (author, recipients,
       and ``forwarded_to`` if it was forwarded), and no two are for one part and member.

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


def read_verified(message: bytes, certificates: CertificateVerifier, *, at: datetime) -> VerifiedMessage:
    """Return a message that `verify` has accepted in another process, by the same certificates and time.

    Only its certificates are verified again.
    """
    signed = pb.SignedMessage.FromString(message)
    header = pb.Header.FromString(signed.header)
    return VerifiedMessage(message_digest(signed.header), header, signed, _signers(signed, certificates, at))


def verify_pending(
    message: bytes | ParsedMessage,
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


def verify_trial(message: bytes, certificates: CertificateVerifier, *, at: datetime) -> TriedMessage:
    """Check a message that is tried before it is signed as `verify` does, but for its signatures (steps 3 and 5).

    3. There is one entry of a required signer, with their certificate and without a signature (`for_trial`).
    """
    # 1., 2.
    parsed = parse_message(message)
    signed, header = parsed.signed, parsed.header
    # 3.
    there = [each.signer_id for each in signed.signatures]
    signers = tuple(signer for signer in header.required_signers if signer.id in there)
    if len(there) != 1 or len(signers) != 1 or signed.signatures[0].signature:
        raise Rejected("wrong_signers", "a trial names one required signer, and holds no signature")
    # 4.
    (certificate,) = _signers(signed, certificates, at)
    # 6., 7.
    _check_sealed(header, signed, None)
    missing = tuple(signer for signer in header.required_signers if signer.id not in there)
    return TriedMessage(message_digest(signed.header), header, signed, ((signers[0], certificate),), missing)


def read_sealed(message: bytes) -> pb.SignedMessage:
    """Check a stored message as `verify` does, but for its signatures (steps 1, 2, 6 and 7)."""
    signed, header = _parsed(message)
    _check_sealed(header, signed, None)
    return signed


def _parsed(message: bytes | ParsedMessage) -> tuple[pb.SignedMessage, pb.Header]:
    parsed = message if isinstance(message, ParsedMessage) else parse_message(message)
    return parsed.signed, parsed.header


def _check_signatures(
    signed: pb.SignedMessage, certificates: CertificateVerifier, at: datetime
) -> tuple[VerifiedCertificate, ...]:
    signers = _signers(signed, certificates, at)
    payload = pre_authentication_encoding(signed.header)
    for signature, signer in zip(signed.signatures, signers, strict=True):
        keys.verify(signer.public_key, signature.signature, payload)
    _check_keys_differ(signers)
    return signers


def _signers(
    signed: pb.SignedMessage, certificates: CertificateVerifier, at: datetime
) -> tuple[VerifiedCertificate, ...]:
    return tuple(
        certificates.signing(signature.certificate, expected_id=signature.signer_id, at=at)
        for signature in signed.signatures
    )


def _check_keys_differ(signers: Sequence[VerifiedCertificate]) -> None:
    """Two signatures by one key are the approval of one person, under whichever names its CA certified the key."""
    if len(signers) > 1 and len({keys.fingerprint(signer.public_key) for signer in signers}) != len(signers):
        raise Rejected("wrong_signers", "two signers have one key")


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


def unseal(
    message: VerifiedMessage | PendingMessage | TriedMessage,
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
    message: VerifiedMessage | PendingMessage | TriedMessage,
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
    wraps: set[tuple[int, str]] = set()
    for wrap in signed.wraps:
        part_number, recipient = wrap.part_number, wrap.recipient
        if part_number >= part_count:
            raise Rejected("malformed", f"a wrap is for part {part_number}, which the header does not name")
        if recipient not in readers:
            raise Rejected("not_addressed", "a wrap is for a member to whom the message is not addressed")
        if len(wrap.key_id) != DIGEST_SIZE:
            raise Rejected("malformed", "a wrap's key id is not 32 bytes long")
        # Under whichever key: else nothing bounds their number, and whoever opens a part looks through all of them.
        if (part_number, recipient) in wraps:
            raise Rejected("malformed", f"part {part_number} is wrapped twice for one member")
        wraps.add((part_number, recipient))


def _expected_parts(header: pb.Header) -> list[int]:
    return [number for number, part in enumerate(header.parts) if part.kind != pb.PART_KIND_ATTACHMENT]


def _ciphertext(signed: pb.SignedMessage, part_number: int) -> bytes:
    for part in signed.parts:
        if part.part_number == part_number:
            return part.ciphertext
    raise Rejected("part_missing", f"part {part_number} did not come with the message")
