"""Messages sealed, signed, verified and opened: by whom, when, and bound to what."""

import hmac
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

import pytest
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message_factory import GetMessageClass
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from paiza.core.v1 import message_pb2 as pb
from paiza_wire import message
from paiza_wire.errors import Rejected
from paiza_wire.identity import CertificateVerifier
from paiza_wire.message import PlainPart, RecipientKey, UnsignedMessage, key_wrapping, part_cipher
from tests.unit.paiza_wire.minting import (
    ANNEX,
    ATTACHMENT,
    MAIN,
    NOW,
    PARTS,
    Federation,
    Member,
    header,
    signed_message,
)

# A library's warning about a serial number, which it gives before we refuse the certificate.
pytestmark = pytest.mark.filterwarnings("ignore:Parsed a serial number")

ALL_KEYS = ("bbb", "ccc", "aaa")

# How long an example takes says nothing on a shared machine.
UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


@pytest.fixture
def sealed(federation: Federation) -> UnsignedMessage:
    """A message of aaa to bbb and ccc before it is signed, without its attachment."""
    unsigned = message.seal(
        header(federation["aaa"], ["bbb", "ccc"]), PARTS, [federation[member].recipient for member in ALL_KEYS]
    )
    return replace(unsigned, parts=unsigned.parts[:2])


def signed_by(unsigned: UnsignedMessage, author: Member, *names: str) -> bytes:
    """Sign as these officers of a member."""
    return message.sign(unsigned, [author.officers[name].signer for name in names])


# --- round trip -------------------------------------------------------------------------------------------------------


def test_every_addressed_member_and_the_author_open_content_and_annex(
    sent: bytes, federation: Federation, verifier: CertificateVerifier
) -> None:
    """Each recipient and the author can open a sealed message, and the signers are named."""
    verified = message.verify(sent, verifier, at=NOW)
    for member in ALL_KEYS:
        for number in (0, 1):
            opened = message.unseal(verified, number, member, federation[member].private_keys)
            assert opened == PARTS[number].plaintext
    assert [str(signer.id) for signer in verified.signers] == [one.id for one in verified.header.required_signers]
    assert verified.digest == sha256(verified.signed.header).digest() == message.message_digest(verified.signed.header)


def test_an_attachment_travels_apart_and_opens_with_its_key(
    federation: Federation, verifier: CertificateVerifier
) -> None:
    """The wrap of an attachment's key comes with the message, its ciphertext from elsewhere."""
    author, reader = federation["aaa"], federation["bbb"]
    unsigned = message.seal(header(author, ["bbb"]), PARTS, [reader.recipient, author.recipient])
    attached = unsigned.parts[2].ciphertext
    data = signed_by(replace(unsigned, parts=unsigned.parts[:2]), author, "liaison", "authoriser")
    verified = message.verify(data, verifier, at=NOW)
    key = message.unwrap_key(verified, 2, "bbb", reader.private_keys)
    assert message.open_part(verified.header, 2, attached, key) == PARTS[2].plaintext
    with pytest.raises(Rejected, match="part_missing"):
        message.unseal(verified, 2, "bbb", reader.private_keys)
    with pytest.raises(Rejected, match="part_digest_mismatch"):
        message.open_part(verified.header, 2, attached + b"\x00", key)
    with pytest.raises(Rejected, match="part_missing"):
        message.open_part(verified.header, 3, attached, key)
    with pytest.raises(Rejected, match="part_missing"):
        message.verify(signed_by(unsigned, author, "liaison", "authoriser"), verifier, at=NOW)


def test_a_reader_may_be_given_one_part_only(sent: bytes, verifier: CertificateVerifier) -> None:
    """``parts`` says which parts must have come along: exactly those, no fewer and no more."""
    annex_only = pb.SignedMessage.FromString(sent)
    del annex_only.wraps[:]
    del annex_only.parts[0]
    with pytest.raises(Rejected, match="malformed: the subject came along"):
        message.verify(annex_only.SerializeToString(deterministic=True), verifier, at=NOW, parts={1})
    annex_only.subject = b""
    data = annex_only.SerializeToString(deterministic=True)
    assert message.verify(data, verifier, at=NOW, parts={1}).header.author == "aaa"
    for parts in (None, [0], [0, 1], [1, 1], [], [1, 2], [7]):
        with pytest.raises(Rejected, match="part_missing"):
            message.verify(data, verifier, at=NOW, parts=parts)
    del annex_only.parts[:]
    data = annex_only.SerializeToString(deterministic=True)
    assert message.verify(data, verifier, at=NOW, parts=()).signed.parts == []


def test_the_key_of_the_subject_opens_the_subject_alone(federation: Federation, verifier: CertificateVerifier) -> None:
    """The derived key follows from the key of the main part, opens no part, and differs in each message."""
    author, reader = federation["aaa"], federation["bbb"]
    unsigned = message.seal(
        header(author, ["bbb"]), PARTS[:2], [reader.recipient, author.recipient], subject=b"\x0a\x00"
    )
    verified = message.verify(signed_by(unsigned, author, "liaison", "authoriser"), verifier, at=NOW)
    part_key = message.unwrap_key(verified, 0, "bbb", reader.private_keys)
    key = part_cipher.subject_key(part_key)
    assert message.open_subject(verified.header, verified.signed.subject, key) == b"\x0a\x00"
    assert key == hmac.digest(part_key, b"paiza/v1/subject\x01", "sha256")
    for part in verified.signed.parts:
        with pytest.raises(Rejected, match="part_altered"):
            message.open_part(verified.header, part.part_number, part.ciphertext, key)
    with pytest.raises(Rejected, match="part_altered"):
        message.open_subject(verified.header, verified.signed.subject, part_key)
    other = header(author, ["bbb"])
    other.subject_sha256 = verified.header.subject_sha256
    with pytest.raises(Rejected, match="part_altered"):
        message.open_subject(other, verified.signed.subject, key)


@pytest.mark.parametrize("size", [0, message.MIN_SUBJECT_BYTES - 1, message.MAX_SUBJECT_BYTES + 1])
def test_a_subject_of_no_size_that_one_has_is_refused(
    size: int, federation: Federation, verifier: CertificateVerifier
) -> None:
    """A missing, short or long value is refused even if the author signs its digest."""
    author, reader = federation["aaa"], federation["bbb"]
    unsigned = message.seal(header(author, ["bbb"]), PARTS[:2], [reader.recipient, author.recipient])
    written = pb.Header.FromString(unsigned.header)
    written.subject_sha256 = sha256(bytes(size)).digest()
    changed = replace(unsigned, header=written.SerializeToString(deterministic=True), subject=bytes(size))
    with pytest.raises(Rejected, match="invalid_subject"):
        message.verify(signed_by(changed, author, "liaison", "authoriser"), verifier, at=NOW)


def test_sealing_needs_a_key_for_everyone_addressed_and_changes_no_header(federation: Federation) -> None:
    """A recipient or the author without a key is named, and the caller's header stays as it was."""
    author, reader = federation["aaa"], federation["bbb"]
    written = header(author, ["bbb"])
    before = written.SerializeToString(deterministic=True)
    for keys_given in ([reader.recipient], [author.recipient], []):
        with pytest.raises(Rejected, match="not_addressed"):
            message.seal(written, PARTS, keys_given)
    message.seal(written, PARTS, [reader.recipient, author.recipient])
    assert written.SerializeToString(deterministic=True) == before


def test_two_sealings_share_nothing(federation: Federation) -> None:
    """Keys and ciphertexts are fresh for every message and part, even of the same content."""
    author, reader = federation["aaa"], federation["bbb"]
    same = [PlainPart(MAIN, b"same"), PlainPart(ATTACHMENT, b"same"), PlainPart(ATTACHMENT, b"same")]
    both = [message.seal(header(author, ["bbb"]), same, [reader.recipient, author.recipient]) for _ in range(2)]
    ciphertexts = {part.ciphertext for one in both for part in one.parts}
    wrapped = {wrap.wrapped_key for one in both for wrap in one.wraps}
    assert (len(ciphertexts), len(wrapped)) == (6, 12)


def test_message_ids_are_version_7_uuids_that_begin_with_the_time() -> None:
    """RFC 9562 §5.7: milliseconds, version and variant in their places, the rest different each time."""
    now = datetime(2030, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
    ids = {message.new_message_id(now) for _ in range(100)}
    assert len(ids) == 100
    for one in ids:
        assert int.from_bytes(one[:6], "big") == int(now.timestamp() * 1000)
        assert (len(one), one[6] >> 4, one[8] >> 6) == (16, 7, 0b10)


# --- what a ciphertext and a wrap are bound to ------------------------------------------------------------------------


def test_another_member_cannot_send_a_ciphertext_as_its_own(
    sent: bytes, federation: Federation, verifier: CertificateVerifier
) -> None:
    """A recipient who signs the ciphertexts anew under its own name, with the right keys, produces nothing readable."""
    genuine = message.verify(sent, verifier, at=NOW)
    thief, reader = federation["ccc"], federation["bbb"]
    stolen = header(thief, ["bbb"], message_id=genuine.header.message_id)
    stolen.parts.extend(genuine.header.parts)
    stolen.subject_sha256 = genuine.header.subject_sha256
    header_bytes = stolen.SerializeToString(deterministic=True)
    part_key = message.unwrap_key(genuine, 0, "ccc", thief.private_keys)
    wraps = (message.wrap_key(part_key, message.message_digest(header_bytes), 0, reader.recipient),)
    unsigned = UnsignedMessage(header_bytes, genuine.signed.subject, wraps, tuple(genuine.signed.parts))
    verified = message.verify(signed_by(unsigned, thief, "liaison", "authoriser"), verifier, at=NOW)
    with pytest.raises(Rejected, match="part_altered"):
        message.unseal(verified, 0, "bbb", reader.private_keys)
    with pytest.raises(Rejected, match="part_altered"):
        message.open_subject(verified.header, verified.signed.subject, part_cipher.subject_key(part_key))


def test_a_ciphertext_does_not_open_in_another_place_of_its_message(sealed: UnsignedMessage) -> None:
    """A part is bound to its number and message id as well: the right key elsewhere gives nothing."""
    described = pb.Header.FromString(sealed.header)
    key = part_cipher.generate_part_key()
    context = part_cipher.part_context("aaa", described.message_id, 0)
    ciphertext = part_cipher.encrypt_part(key, context, b"content")
    for part in described.parts:
        part.ciphertext_sha256, part.ciphertext_size = sha256(ciphertext).digest(), len(ciphertext)
    assert message.open_part(described, 0, ciphertext, key) == b"content"
    with pytest.raises(Rejected, match="part_altered"):
        message.open_part(described, 1, ciphertext, key)
    described.message_id = message.new_message_id(NOW)
    with pytest.raises(Rejected, match="part_altered"):
        message.open_part(described, 0, ciphertext, key)


def test_two_recipients_cannot_be_shown_two_plaintexts(
    sealed: UnsignedMessage, federation: Federation, verifier: CertificateVerifier
) -> None:
    """An author who wraps different keys for two recipients is found out by the one whose key is not the part's."""
    author, cheated = federation["aaa"], federation["ccc"]
    digest = message.message_digest(sealed.header)
    false = message.wrap_key(part_cipher.generate_part_key(), digest, 0, cheated.recipient)
    wraps = tuple(false if (one.recipient, one.part_number) == ("ccc", 0) else one for one in sealed.wraps)
    data = signed_by(replace(sealed, wraps=wraps), author, "liaison", "authoriser")
    verified = message.verify(data, verifier, at=NOW)
    assert message.unseal(verified, 0, "bbb", federation["bbb"].private_keys) == PARTS[0].plaintext
    with pytest.raises(Rejected, match="part_altered"):
        message.unseal(verified, 0, "ccc", cheated.private_keys)


@pytest.mark.parametrize("field", ["part_number", "recipient", "key_id"])
def test_a_wrap_opens_only_as_what_it_was_made_for(
    field: str, sealed: UnsignedMessage, federation: Federation, verifier: CertificateVerifier
) -> None:
    """A genuine wrap relabelled for another part, member or key does not open there."""
    reader, other = federation["bbb"], key_wrapping.private_key_from_seed(key_wrapping.generate_seed())
    ours = next(one for one in sealed.wraps if (one.recipient, one.part_number) == ("bbb", 0))
    relabelled = pb.Wrap.FromString(ours.SerializeToString())
    readable_as = ("bbb", 0)
    if field == "part_number":
        relabelled.part_number, readable_as = 1, ("bbb", 1)
    elif field == "recipient":
        relabelled.recipient, readable_as = "ccc", ("ccc", 0)
    else:
        relabelled.key_id = other.public_key.key_id
    data = signed_by(replace(sealed, wraps=(relabelled,)), federation["aaa"], "liaison", "authoriser")
    verified = message.verify(data, verifier, at=NOW)
    member, number = readable_as
    # Even someone who holds the right private key under the label's key id gets nothing.
    private_keys = {relabelled.key_id: reader.decryption_key}
    with pytest.raises(Rejected, match="cannot_open"):
        message.unseal(verified, number, member, private_keys)
    genuine = replace(verified, signed=pb.SignedMessage(wraps=[ours], parts=verified.signed.parts))
    assert message.unseal(genuine, 0, "bbb", reader.private_keys) == PARTS[0].plaintext


def test_a_wrapped_key_of_another_length_does_not_open(
    sealed: UnsignedMessage, federation: Federation, verifier: CertificateVerifier
) -> None:
    """Only part keys of 32 bytes are wrapped."""
    reader = federation["bbb"]
    for length in (0, 31, 33, 64):
        wrap = message.wrap_key(bytes(length), message.message_digest(sealed.header), 0, reader.recipient)
        data = signed_by(replace(sealed, wraps=(wrap,)), federation["aaa"], "liaison", "authoriser")
        with pytest.raises(Rejected, match="cannot_open"):
            message.unwrap_key(message.verify(data, verifier, at=NOW), 0, "bbb", reader.private_keys)


def test_a_part_is_wrapped_once_for_each_member(
    sealed: UnsignedMessage, federation: Federation, verifier: CertificateVerifier
) -> None:
    """Under whichever keys: else a message might hold fifty thousand wraps, which each opening looks through."""
    for member in ("aaa", "bbb"):
        ours = next(one for one in sealed.wraps if (one.recipient, one.part_number) == (member, 0))
        more = pb.Wrap(part_number=0, recipient=member, key_id=bytes(32), wrapped_key=ours.wrapped_key)
        data = signed_by(replace(sealed, wraps=(*sealed.wraps, more)), federation["aaa"], "liaison", "authoriser")
        with pytest.raises(Rejected, match="malformed"):
            message.verify(data, verifier, at=NOW)


def test_a_message_is_wrapped_again_for_a_new_key_without_new_signatures(
    sent: bytes, federation: Federation, verifier: CertificateVerifier
) -> None:
    """The author's node opens its own wrap and makes one for the recipient's new key; the signatures still hold."""
    author, renewed = federation["aaa"], key_wrapping.private_key_from_seed(key_wrapping.generate_seed())
    verified = message.verify(sent, verifier, at=NOW)
    part_key = message.unwrap_key(verified, 0, "aaa", author.private_keys)
    again = pb.SignedMessage.FromString(sent)
    old = next(each for each in again.wraps if (each.recipient, each.part_number) == ("bbb", 0))
    old.CopyFrom(message.wrap_key(part_key, verified.digest, 0, RecipientKey("bbb", renewed.public_key)))
    verified = message.verify(again.SerializeToString(deterministic=True), verifier, at=NOW)
    private_keys = {renewed.public_key.key_id: renewed}
    assert message.unseal(verified, 0, "bbb", private_keys) == PARTS[0].plaintext
    with pytest.raises(Rejected, match="cannot_open"):
        message.unseal(verified, 1, "bbb", private_keys)
    with pytest.raises(Rejected, match="cannot_open"):
        message.unseal(verified, 0, "ccc", private_keys)


def test_the_key_of_a_part_is_all_a_court_needs(
    sent: bytes, federation: Federation, verifier: CertificateVerifier
) -> None:
    """Header, ciphertext and part key give the plaintext; the key of one part opens no other."""
    verified = message.verify(sent, verifier, at=NOW)
    key = message.unwrap_key(verified, 1, "ccc", federation["ccc"].private_keys)
    main, annex = (part.ciphertext for part in verified.signed.parts)
    described = message.parse_header(verified.signed.header)
    assert message.open_part(described, 1, annex, key) == PARTS[1].plaintext
    with pytest.raises(Rejected, match="part_altered"):
        message.open_part(described, 0, main, key)
    with pytest.raises(Rejected, match="cannot_open"):
        message.open_part(described, 1, annex, key[:-1])


# --- signers and certificates -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "names",
    [
        (),
        ("liaison",),
        ("authoriser",),
        ("authoriser", "liaison"),
        ("liaison", "liaison"),
        ("liaison", "authoriser", "authoriser"),
        ("liaison", "authoriser", "duty"),
        ("liaison", "duty"),
    ],
)
def test_the_signers_are_exactly_the_required_ones(
    names: Sequence[str], sealed: UnsignedMessage, federation: Federation, verifier: CertificateVerifier
) -> None:
    """Too few, too many, twice the same, another officer or another order is refused."""
    with pytest.raises(Rejected, match="wrong_signers"):
        message.verify(signed_by(sealed, federation["aaa"], *names), verifier, at=NOW)


def test_a_trial_names_one_signer_and_is_not_signed(
    sealed: UnsignedMessage, federation: Federation, verifier: CertificateVerifier
) -> None:
    """It is checked as a message is, but for signatures; what has one, or names another signer, is no trial."""
    author = federation["aaa"]
    liaison = author.officers["liaison"]
    raw = message.for_trial(sealed, str(liaison.id), liaison.certificate)
    tried = message.verify_trial(raw, verifier, at=NOW)
    assert [each.id for each, _ in tried.signers] == [str(liaison.id)]
    assert [each.id for each in tried.missing] == [str(author.officers["authoriser"].id)]
    assert tried.digest == message.message_digest(sealed.header)
    with pytest.raises(Rejected, match="bad_signature"):
        message.verify_pending(raw, verifier, at=NOW)
    duty = author.officers["duty"]
    for other in (
        signed_by(sealed, author, "liaison"),
        signed_by(sealed, author, "liaison", "authoriser"),
        signed_by(sealed, author),
        message.for_trial(sealed, str(duty.id), duty.certificate),
    ):
        with pytest.raises(Rejected, match="wrong_signers"):
            message.verify_trial(other, verifier, at=NOW)


def test_a_trial_is_checked_like_a_message(
    sealed: UnsignedMessage, federation: Federation, verifier: CertificateVerifier
) -> None:
    """The certificate must count and be the signer's own, and parts and wraps must be those of the header."""
    author = federation["aaa"]
    liaison = author.officers["liaison"]
    own, certificate = str(liaison.id), liaison.certificate
    revoked = federation.verifier(revoked=sha256(certificate).digest())
    for raw, checks, reason in (
        (message.for_trial(sealed, own, author.officers["duty"].certificate), verifier, "wrong_member"),
        (message.for_trial(sealed, own, certificate), revoked, "certificate_revoked"),
        (message.for_trial(replace(sealed, parts=()), own, certificate), verifier, "part_missing"),
        (message.for_trial(replace(sealed, wraps=sealed.wraps * 2), own, certificate), verifier, "malformed"),
    ):
        with pytest.raises(Rejected, match=reason):
            message.verify_trial(raw, checks, at=NOW)


def test_two_signers_of_one_key_are_one(
    sealed: UnsignedMessage, federation: Federation, verifier: CertificateVerifier
) -> None:
    """A CA certified one key under two names: its holder cannot approve what they wrote, at once or later."""
    author = federation["aaa"]
    liaison = author.officers["liaison"]
    signers = [liaison.signer, author.certify("authoriser", key=liaison.key).signer]
    with pytest.raises(Rejected, match="wrong_signers: two signers have one key"):
        message.verify(message.sign(sealed, signers), verifier, at=NOW)


@pytest.mark.parametrize("names", [(), ("liaison", "liaison")])
def test_a_header_cannot_ask_for_no_signer_or_for_one_twice(
    names: Sequence[str], federation: Federation, verifier: CertificateVerifier
) -> None:
    """A message that requires nobody, or one officer in two places, is refused though it is signed as it asks."""
    author = federation["aaa"]
    written = header(author, ["bbb"])
    del written.required_signers[:]
    written.required_signers.extend(
        author.officers[name].required(role) for name, role in zip(names, ("liaison", "authoriser"), strict=False)
    )
    unsigned = message.seal(written, PARTS[:1], [federation["bbb"].recipient, author.recipient])
    with pytest.raises(Rejected, match="wrong_signers"):
        message.verify(signed_by(unsigned, author, *names), verifier, at=NOW)


@pytest.mark.parametrize(
    ("signer", "reason"),
    [
        ("spiffe://bbb.federation.example/officer/liaison", "wrong_member"),
        ("spiffe://aaa.federation.example/node", "wrong_signers"),
        ("spiffe://aaa.other.example/officer/liaison", "bad_certificate"),
        ("spiffe://AAA.federation.example/officer/liaison", "malformed"),
        ("spiffe://aaa.federation.example/officer/liaison/", "malformed"),
        ("aaa", "malformed"),
    ],
)
def test_only_officers_of_the_author_can_be_required(
    signer: str, reason: str, federation: Federation, verifier: CertificateVerifier
) -> None:
    """An id of another member, of a node, of another federation or in another spelling is refused."""
    author = federation["aaa"]
    written = header(author, ["bbb"])
    del written.required_signers[:]
    written.required_signers.add(id=signer, role="liaison")
    unsigned = message.seal(written, PARTS[:1], [federation["bbb"].recipient, author.recipient])
    as_required = replace(author.officers["liaison"].signer, id=signer, certificate=b"none such")
    with pytest.raises(Rejected, match=f"^{reason}"):
        message.verify(message.sign(unsigned, [as_required]), verifier, at=NOW)


def test_a_certificate_counts_only_at_its_time_and_unless_revoked(
    sealed: UnsignedMessage, federation: Federation, verifier: CertificateVerifier
) -> None:
    """Before, after and revoked are refused; what was valid then stays valid for then."""
    author = federation["aaa"]
    data = signed_by(sealed, author, "liaison", "authoriser")
    for days, reason in ((-2, "certificate_expired"), (2, "certificate_expired"), (500, "certificate_expired")):
        with pytest.raises(Rejected, match=reason):
            message.verify(data, verifier, at=NOW + timedelta(days=days))
    assert message.verify(data, verifier, at=NOW).signers[0].not_after == NOW + timedelta(days=1)
    for name in ("liaison", "authoriser"):
        revoked = sha256(author.officers[name].certificate).digest()
        with pytest.raises(Rejected, match="certificate_revoked"):
            message.verify(data, federation.verifier(revoked=revoked), at=NOW)


def test_the_certificate_must_be_the_listed_officers_own(
    sealed: UnsignedMessage, federation: Federation, verifier: CertificateVerifier
) -> None:
    """A colleague's, a node's, a namesake's of another member, the CA's and a self-made certificate are refused."""
    author = federation["aaa"]
    liaison, authoriser = author.officers["liaison"], author.officers["authoriser"]
    stranger = federation["bbb"].officers["liaison"]
    for certificate, reason in (
        (author.officers["duty"].certificate, "wrong_member"),
        (stranger.certificate, "wrong_member"),
        (author.certify("", role="node").certificate, "bad_certificate"),
        (author.authority.officer_cas[0].certificate, "bad_certificate"),
        (b"", "bad_certificate"),
    ):
        signers = [replace(liaison.signer, certificate=certificate), authoriser.signer]
        with pytest.raises(Rejected, match=f"^{reason}"):
            message.verify(message.sign(sealed, signers), verifier, at=NOW)
    with pytest.raises(Rejected, match="bad_signature"):
        message.verify(
            message.sign(
                sealed,
                [replace(stranger.signer, id=str(liaison.id), certificate=liaison.certificate), authoriser.signer],
            ),
            verifier,
            at=NOW,
        )
    unknown = CertificateVerifier({"bbb": federation["bbb"].authority})
    with pytest.raises(Rejected, match="wrong_member"):
        message.verify(signed_by(sealed, author, "liaison", "authoriser"), unknown, at=NOW)


def test_what_is_signed_is_the_header_in_its_envelope(sealed: UnsignedMessage, federation: Federation) -> None:
    """Each officer signs DSSE PAE of payload type and header, nothing else."""
    payloads: list[bytes] = []

    def note(data: bytes) -> bytes:
        payloads.append(data)
        return b""

    officers = federation["aaa"].officers
    message.sign(sealed, [replace(officers[name].signer, sign=note) for name in ("liaison", "authoriser")])
    expected = b"DSSEv1 40 application/vnd.paiza.header.v1+protobuf %d " % len(sealed.header) + sealed.header
    assert payloads == [expected, expected]


# --- limits -----------------------------------------------------------------------------------------------------------


def test_the_largest_message_opens_and_a_larger_one_is_refused(
    federation: Federation, verifier: CertificateVerifier
) -> None:
    """A message of just under 2 MiB is taken, one byte over the limit is refused for its size."""
    author, reader = federation["aaa"], federation["bbb"]
    content = bytes(message.MAX_MESSAGE_BYTES - 9000)
    data = signed_message(author, [reader], parts=[PlainPart(MAIN, content)])
    assert message.MAX_MESSAGE_BYTES - 9000 < len(data) <= message.MAX_MESSAGE_BYTES
    verified = message.verify(data, verifier, at=NOW)
    assert message.unseal(verified, 0, "bbb", reader.private_keys) == content
    for size in (message.MAX_MESSAGE_BYTES + 1, 2 * message.MAX_MESSAGE_BYTES):
        with pytest.raises(Rejected, match="too_large"):
            message.verify(data.ljust(size, b"\x00"), verifier, at=NOW)
    with pytest.raises(Rejected, match="too_large"):
        message.parse_header(bytes(message.MAX_HEADER_BYTES + 1))


@pytest.mark.parametrize(
    "kinds",
    [
        (ANNEX,),
        (ATTACHMENT,),
        (MAIN, MAIN),
        (MAIN, ANNEX, ANNEX),
        (MAIN, ATTACHMENT, ANNEX),
        (MAIN, 0),
        (MAIN, 99),
        (MAIN, -1),
    ],
)
def test_the_parts_of_a_message_are_one_content_one_annex_and_attachments(
    kinds: Sequence["pb.PartKind.ValueType"], federation: Federation
) -> None:
    """Part 0 and no other is the content, part 1 may be the annex, and a kind this version does not know is refused."""
    written = header(federation["aaa"], ["bbb"])
    for kind in kinds:
        written.parts.add(kind=kind, ciphertext_sha256=bytes(32), ciphertext_size=100)
    with pytest.raises(Rejected, match="malformed"):
        message.parse_header(written.SerializeToString(deterministic=True))


def test_the_limits_of_a_header_are_those_that_are_named(federation: Federation) -> None:
    """The greatest number of signers, recipients, parents, parts, codes and characters is taken."""
    author = federation["aaa"]
    greatest = header(author, [f"m{number}" for number in range(message.MAX_RECIPIENTS)])
    greatest.ClearField("parent_digests")
    greatest.parent_digests.extend(sha256(bytes([number])).digest() for number in range(message.MAX_PARENTS))
    greatest.ClearField("required_signers")
    for number in range(message.MAX_SIGNERS):
        greatest.required_signers.add(id=f"spiffe://aaa.federation.example/officer/o{number}", role="liaison")
    greatest.legal_bases[:] = ["ж" * message.MAX_TEXT] * message.MAX_CODES
    greatest.handling.purposes[:] = ["x" * message.MAX_TEXT] * message.MAX_CODES
    greatest.urgency_reason = greatest.handling.code_text = "x" * message.MAX_TEXT
    for number in range(message.MAX_PARTS):
        kind = (pb.PART_KIND_MAIN, pb.PART_KIND_NOMINAL_ANNEX)[number] if number < 2 else ATTACHMENT
        greatest.parts.add(kind=kind, ciphertext_sha256=bytes(32), ciphertext_size=message.MAX_CIPHERTEXT_BYTES)
    assert message.parse_header(greatest.SerializeToString(deterministic=True)) == greatest


# --- arbitrary input --------------------------------------------------------------------------------------------------


def varint(value: int) -> bytes:
    """Encode an integer of any width as protobuf does."""
    encoded = bytearray()
    while value >= 0x80:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*encoded, value])


@pytest.mark.parametrize(
    "data",
    [
        b"\xc3\x3e" * 200_000,
        b"\xc3\x3e" * 90 + b"\xc4\x3e" * 90,
        b"\x0b" * 1_000_000,
        b"\xff" * 2_000_000,
        b"\x80" * 2_000_000,
        b"\x0a" + varint(2**63),
        b"\x0a" + varint(2**31),
        b"\x0a" + varint(2**64 - 1),
        b"\x0a" + varint(2**70),
        varint(2**32 << 3 | 2) + b"\x00",
        varint(2**29 << 3),
        b"\x00\x00",
        b"\x0f",
        b"\x12\x00" * 1_000_000,
        b"\x1a\x00" * 1_000_000,
        b"\x22\x00" * 1_000_000,
        b"\x0a\x02\x08\x01" * 500_000,
        b"\x08\x01" + b"\x42\x00" * 32_000,
        b"\x08\x01" + b"\x8a\x01\x00" * 20_000,
        b"\x08\xff\xff\xff\xff\x0f" + b"\xc0\x3e\x01",
        b"\x2a\x02\xc3\x28",
        b"\x2a\x03\xed\xa0\x80",
    ],
    ids=range(22),
)
def test_hostile_encodings_are_refused(data: bytes, verifier: CertificateVerifier) -> None:
    """Deep nesting, huge integers and lengths, endless lists, wrong tags and text that is not UTF-8 are refused."""
    for parse in (lambda: message.verify(data, verifier, at=NOW), lambda: message.parse_header(data)):
        with pytest.raises(Rejected):
            parse()
    wrapped = pb.SignedMessage(header=data).SerializeToString(deterministic=True)
    with pytest.raises(Rejected):
        message.verify(wrapped, verifier, at=NOW)


@given(st.binary(max_size=400))
@UNHURRIED
def test_arbitrary_bytes_are_refused(verifier: CertificateVerifier, data: bytes) -> None:
    """Verification and header parsing raise only the refusal."""
    with pytest.raises(Rejected):
        message.verify(data, verifier, at=NOW)
    with pytest.raises(Rejected):
        message.parse_header(data)


@given(data=st.data())
@settings(UNHURRIED, max_examples=150)
def test_pieces_of_a_message_are_refused_or_unread(
    sent: bytes, federation: Federation, verifier: CertificateVerifier, data: st.DataObject
) -> None:
    """A genuine message with a stretch overwritten, left out or repeated never says anything it did not say before."""
    begin = data.draw(st.integers(0, len(sent)))
    end = data.draw(st.integers(begin, min(begin + 200, len(sent))))
    put = data.draw(st.one_of(st.binary(max_size=20), st.just(sent[begin:end] * 2), st.just(b"")))
    changed = sent[:begin] + put + sent[end:]
    try:
        verified = message.verify(changed, verifier, at=NOW)
        for number in (0, 1):
            opened = message.unseal(verified, number, "bbb", federation["bbb"].private_keys)
            assert opened == PARTS[number].plaintext
    except Rejected:
        return
    assert verified.header == message.verify(sent, verifier, at=NOW).header


def messages_of(descriptor: Descriptor) -> st.SearchStrategy[Any]:
    """Draw messages of a type with every field set to anything at all, or not set."""
    drawn = {field.name: values_of(field) for field in descriptor.fields}
    return st.fixed_dictionaries({}, optional=drawn).map(lambda values: GetMessageClass(descriptor)(**values))


def values_of(field: FieldDescriptor) -> st.SearchStrategy[Any]:
    """Draw values of a field, those of valid messages among them."""
    one: st.SearchStrategy[Any]
    if field.message_type:
        one = messages_of(field.message_type)
    elif field.type == FieldDescriptor.TYPE_BOOL:
        one = st.booleans()
    elif field.enum_type:
        one = st.one_of(st.integers(0, 4), st.integers(-(2**31), 2**31 - 1))
    elif field.type == FieldDescriptor.TYPE_STRING:
        known = ["aaa", "bbb", "liaison", "seizure-notice", "spiffe://aaa.federation.example/officer/liaison"]
        one = st.one_of(st.sampled_from(known), st.text(max_size=20))
    elif field.type == FieldDescriptor.TYPE_BYTES:
        one = st.one_of(st.sampled_from([message.new_message_id(NOW), bytes(32)]), st.binary(max_size=40))
    else:
        signed = field.cpp_type in {FieldDescriptor.CPPTYPE_INT32, FieldDescriptor.CPPTYPE_INT64}
        bits = 32 if field.cpp_type in {FieldDescriptor.CPPTYPE_INT32, FieldDescriptor.CPPTYPE_UINT32} else 64
        least, greatest = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
        one = st.one_of(st.integers(0, 2), st.integers(least, greatest))
    return st.lists(one, max_size=3) if field.is_repeated else one


def refused_or(parse: Callable[[bytes], object], data: bytes) -> object:
    """Return what a parser gives, or None where it refuses; anything else it raises is a failure."""
    try:
        return parse(data)
    except Rejected:
        return None


@given(messages_of(pb.Header.DESCRIPTOR))
@settings(UNHURRIED, max_examples=150)
def test_arbitrary_headers_are_refused_or_parsed(drawn: pb.Header) -> None:
    """A header with any fields is refused or returned unchanged."""
    assert refused_or(message.parse_header, drawn.SerializeToString(deterministic=True)) in (None, drawn)


@given(drawn=messages_of(pb.SignedMessage.DESCRIPTOR), genuine=st.booleans())
@settings(UNHURRIED, max_examples=150)
def test_arbitrary_messages_are_refused(
    sent: bytes, verifier: CertificateVerifier, drawn: pb.SignedMessage, *, genuine: bool
) -> None:
    """An envelope with any fields, around a genuine header too, is refused without its signatures."""
    if genuine:
        drawn.header = pb.SignedMessage.FromString(sent).header
    with pytest.raises(Rejected):
        message.verify(drawn.SerializeToString(deterministic=True), verifier, at=NOW)
