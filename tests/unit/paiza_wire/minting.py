"""Invented members for the tests: CAs, officers, node, log and encryption keys, minted anew for every run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

from paiza.core.v1 import log_pb2, message_pb2
from paiza_wire import message, receipts
from paiza_wire.identity import (
    CertificateAuthority,
    CertificateUse,
    CertificateVerifier,
    MemberAuthority,
    Role,
    SpiffeId,
    certificates,
    keys,
    load_certificate,
)
from paiza_wire.message import OfficerSigner, PlainPart, RecipientKey, key_wrapping
from paiza_wire.tlog import checkpoint, merkle
from paiza_wire.tlog.checkpoint import Checkpoint, VerifiedCheckpoint
from paiza_wire.tlog.notes import SignerKey
from tests.log_entries import entry_of

FEDERATION = "federation.example"
NOW = datetime(2030, 5, 17, 12, tzinfo=UTC)
REGISTER_VERSION = bytes(range(32))


@dataclass(frozen=True)
class Officer:
    """An officer with key and certificate: for signing, where no other use is named."""

    id: SpiffeId
    key: EllipticCurvePrivateKey
    certificate: bytes

    @property
    def signer(self) -> OfficerSigner:
        """The signer for `paiza_wire.message.sign`."""
        return OfficerSigner(str(self.id), self.certificate, lambda data: keys.sign(self.key, data))

    def required(self, role: str) -> message_pb2.RequiredSigner:
        """The officer as a header names one who must sign."""
        return message_pb2.RequiredSigner(id=str(self.id), role=role)


@dataclass(frozen=True)
class Member:
    """A member with everything it owns."""

    id: str
    ca_keys: Mapping[Role, EllipticCurvePrivateKey]
    authority: MemberAuthority
    decryption_key: key_wrapping.DecryptionKey
    log_key: SignerKey
    officers: dict[str, Officer] = field(default_factory=dict)

    @property
    def recipient(self) -> RecipientKey:
        """The member as one that can be sealed for."""
        return RecipientKey(self.id, self.decryption_key.public_key)

    @property
    def private_keys(self) -> Mapping[bytes, key_wrapping.DecryptionKey]:
        """The member's decryption key."""
        return {self.decryption_key.public_key.key_id: self.decryption_key}

    def certify(
        self,
        name: str,
        *,
        role: Role = "officer",
        use: CertificateUse = "signing",
        not_before: datetime = NOW - timedelta(days=1),
        not_after: datetime = NOW + timedelta(days=1),
        key: EllipticCurvePrivateKey | None = None,
    ) -> Officer:
        """Mint a certificate for one officer of this name (or for the node), for a new key unless one is named."""
        spiffe_id = SpiffeId(self.id, FEDERATION, role, name)
        key = key or keys.generate_p256()
        certificate = certificates.issue(
            key.public_key(),
            load_certificate(self.authority.cas(role)[0].certificate),
            self.ca_keys[role],
            spiffe_id,
            "authentication" if role == "node" else use,
            not_before,
            not_after,
        )
        return Officer(spiffe_id, key, certificate)

    def checkpoint(self, entries: Sequence[bytes]) -> VerifiedCheckpoint:
        """Sign a log of exactly these entries and verify it as another member would."""
        origin = self.log_key.verifier_key.name
        root, _ = tree(entries, 0)
        note = checkpoint.sign(Checkpoint(origin, len(entries), root), self.log_key)
        return checkpoint.verify(note, [self.log_key.verifier_key], origin)


def mint_member(member: str) -> Member:
    """Mint a member with one officer of each role the tests need."""
    ca_keys: dict[Role, EllipticCurvePrivateKey] = {"node": keys.generate_p256(), "officer": keys.generate_p256()}
    life = {"not_before": NOW - timedelta(days=400), "not_after": NOW + timedelta(days=400)}
    cas = {
        role: CertificateAuthority.of(certificates.issue_ca(member, FEDERATION, role, key, **life))
        for role, key in ca_keys.items()
    }
    minted = Member(
        id=member,
        ca_keys=ca_keys,
        authority=MemberAuthority(member, FEDERATION, (cas["node"],), (cas["officer"],)),
        decryption_key=key_wrapping.private_key_from_seed(key_wrapping.generate_seed()),
        log_key=SignerKey.from_ed25519(f"{member}.{FEDERATION}/log/1", keys.generate_ed25519()),
    )
    for name in ("liaison", "authoriser", "duty"):
        minted.officers[name] = minted.certify(name)
    return minted


@dataclass(frozen=True)
class Federation:
    """Some members, and the verifier that knows their authorities."""

    members: Mapping[str, Member]

    def __getitem__(self, member: str) -> Member:
        return self.members[member]

    def verifier(self, *, revoked: bytes = b"") -> CertificateVerifier:
        """Make a verifier; ``revoked`` is the fingerprint of a certificate its member has revoked."""
        authorities = {one.id: replace(one.authority, revoked=frozenset([revoked])) for one in self.members.values()}
        return CertificateVerifier(authorities)


def header(author: Member, recipients: Sequence[str], **changes: object) -> message_pb2.Header:
    """Write a valid header without parts: the author's liaison officer and authoriser must sign."""
    message_id = message.new_message_id(NOW)
    written = message_pb2.Header(
        suite=message_pb2.SUITE_1,
        message_id=message_id,
        thread_id=message.new_message_id(NOW - timedelta(days=2)),
        parent_digests=[b"\x01" * 32, b"\x02" * 32],
        kind="seizure-notice",
        kind_version=1,
        author=author.id,
        required_signers=[
            author.officers["liaison"].required("liaison"),
            author.officers["authoriser"].required("authoriser"),
        ],
        recipients=[message_pb2.Recipient(member=member, attention="duty desk") for member in recipients],
        urgency=message_pb2.URGENCY_FLASH,
        urgency_reason="moving_consignment",
        handling=handling("B2"),
        legal_bases=["agreement-2006", "protocol-2011"],
        register_version=REGISTER_VERSION,
        subject_sha256=bytes(32),
        exercise=True,
    )
    written.author_time.FromDatetime(NOW - timedelta(microseconds=1))
    written.review_time.FromDatetime(NOW + timedelta(days=1000, microseconds=1))
    for name, value in changes.items():
        setattr(written, name, value)
    return written


def handling(evaluation: str) -> message_pb2.Handling:
    """Write handling marks in which every field is set."""
    return message_pb2.Handling(
        evaluation_scheme="4x4",
        evaluation=evaluation,
        code="H3",
        code_text="for the addressed desk only",
        tlp="AMBER+STRICT",
        pap="GREEN",
        classification=1,
        purposes=["investigate", "prosecute"],
    )


MAIN, ANNEX, ATTACHMENT = (
    message_pb2.PART_KIND_MAIN,
    message_pb2.PART_KIND_NOMINAL_ANNEX,
    message_pb2.PART_KIND_ATTACHMENT,
)
PARTS = (
    PlainPart(MAIN, b"content of the notice"),
    PlainPart(ANNEX, b"names of invented persons", handling("A1")),
    PlainPart(ATTACHMENT, b"an attached file"),
)


def signed_message(
    author: Member,
    recipients: Sequence[Member],
    written: message_pb2.Header | None = None,
    parts: Sequence[PlainPart] = PARTS,
) -> bytes:
    """Seal and sign a message as the author's liaison officer and authoriser do; attachments stay apart."""
    written = written or header(author, [one.id for one in recipients])
    unsigned = message.seal(written, parts, [one.recipient for one in (*recipients, author)])
    travelling = tuple(part for part in unsigned.parts if parts[part.part_number].kind != ATTACHMENT)
    signers = [author.officers[one.id.rpartition("/")[2]].signer for one in written.required_signers]
    return message.sign(replace(unsigned, parts=travelling), signers)


def log_entry(event: "log_pb2.LogEvent.ValueType", **fields: object) -> log_pb2.LogEntry:
    """Write a valid log entry."""
    entry = entry_of(event, **{"salt": receipts.new_salt(), "register_version": REGISTER_VERSION, **fields})
    entry.entry_time.FromDatetime(NOW + timedelta(microseconds=1))
    return entry


def tree(entries: Sequence[bytes], index: int) -> tuple[bytes, list[bytes]]:
    """Return root and inclusion proof by the recursion of RFC 9162 §2.1.1 and §2.1.3.1, as written there."""
    if len(entries) == 1:
        return merkle.leaf_hash(entries[0]), []
    split = 1 << (len(entries) - 1).bit_length() - 1
    if index < split:
        left, proof = tree(entries[:split], index)
        right, _ = tree(entries[split:], 0)
        return merkle.node_hash(left, right), [*proof, right]
    left, _ = tree(entries[:split], 0)
    right, proof = tree(entries[split:], index - split)
    return merkle.node_hash(left, right), [*proof, left]


def prove(entries: Sequence[bytes], index: int) -> log_pb2.ProvenEntry:
    """Return an entry of a log of exactly these entries with its inclusion proof."""
    _, proof = tree(entries, index)
    return log_pb2.ProvenEntry(entry=entries[index], index=index, inclusion_hashes=proof)
