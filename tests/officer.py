"""An officer of a development federation as the protocol sees one: keys, certificates, channel, messages made by hand.

For tests and the benchmark that speak to a node directly; what an officer really uses is `paiza_client`.
"""

import ssl
import tomllib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import grpc
from google.protobuf.message import DecodeError

from paiza.content.v1.free_message_pb2 import FreeMessage
from paiza.core.v1 import message_pb2 as pb
from paiza_domain import kinds
from paiza_register import Register
from paiza_wire import message
from paiza_wire.identity import keys, node_dns_name
from tests.registers import read_register

REVIEW: Final = timedelta(days=365)
ROLE: Final = "liaison"
KIND: Final = "free-message"
SUBJECT: Final = "Exercise"
MAX_ANSWER_BYTES: Final = 64 * 1024 * 1024


class Officer:
    """One profile of a federation's folder, for example "kaz-liaison". The channel belongs to the caller."""

    def __init__(self, folder: Path, profile: str, register: Register | None = None) -> None:
        self.folder = folder / "home" / profile
        self.register = register or read_register(folder)
        settings = tomllib.loads((self.folder / "profile.toml").read_text())
        self.id = str(settings["id"])
        self.member = str(settings["member"])
        self.node = str(settings["node"])
        self.key_pem = (self.folder / str(settings["authentication_key"])).read_bytes()
        self.certificate_pem = (self.folder / str(settings["authentication_certificate"])).read_bytes()
        key = keys.private_key_from_pem((self.folder / str(settings["signing_key"])).read_bytes())
        certificate = ssl.PEM_cert_to_DER_cert((self.folder / str(settings["signing_certificate"])).read_text())
        self.signer = message.OfficerSigner(self.id, certificate, lambda data: keys.sign(key, data))

    def channel(self, *options: tuple[str, int]) -> grpc.aio.Channel:
        """Dial the officer's own node, believing nothing but its member's node CAs; ``options`` as gRPC names them."""
        roots = node_roots(self.register, self.member)
        return grpc.aio.secure_channel(
            self.node,
            grpc.ssl_channel_credentials(roots, self.key_pem, self.certificate_pem),
            options=[
                ("grpc.ssl_target_name_override", node_dns_name(self.member, self.register.federation)),
                ("grpc.max_receive_message_length", MAX_ANSWER_BYTES),
                ("grpc.enable_http_proxy", 0),
                *options,
            ],
        )

    def compose(
        self,
        recipients: Sequence[str],
        text: str = "Nothing of this is real.",
        *,
        urgency: pb.Urgency.ValueType = pb.URGENCY_ROUTINE,
        urgency_reason: str = "",
        role: str = ROLE,
        now: datetime | None = None,
    ) -> bytes:
        """Seal and sign a free message that opens a thread; gives a serialized SignedMessage."""
        header = self.header(recipients, urgency=urgency, urgency_reason=urgency_reason, role=role, now=now)
        return self.seal(header, FreeMessage(subject=SUBJECT, text=text).SerializeToString())

    def header(
        self,
        recipients: Sequence[str],
        *,
        urgency: pb.Urgency.ValueType = pb.URGENCY_ROUTINE,
        urgency_reason: str = "",
        role: str = ROLE,
        now: datetime | None = None,
    ) -> pb.Header:
        """Write the header of a free message that opens a thread; a test may change it before it is sealed."""
        moment = now or datetime.now(UTC)
        message_id = message.new_message_id(moment)
        header = pb.Header(
            suite=pb.SUITE_1,
            message_id=message_id,
            thread_id=message_id,
            kind=KIND,
            kind_version=1,
            author=self.member,
            required_signers=[pb.RequiredSigner(id=self.id, role=role)],
            recipients=[pb.Recipient(member=member) for member in recipients],
            urgency=urgency,
            urgency_reason=urgency_reason,
            handling=pb.Handling(code="H0", tlp="AMBER"),
            legal_bases=sorted(self.register.legal_bases)[:1],
            register_version=self.register.version,
        )
        header.author_time.FromDatetime(moment)
        header.review_time.FromDatetime(moment + REVIEW)
        return header

    def seal(self, header: pb.Header, content: bytes, *others: "Officer") -> bytes:
        """Seal a content under a header for its recipients and the author, and sign it, with others where they must."""
        moment = header.author_time.ToDatetime(tzinfo=UTC)
        members = [*(recipient.member for recipient in header.recipients), self.member]
        keys_of = [self.recipient_key(member, moment) for member in members]
        sealed = message.seal(
            header, [message.PlainPart(pb.PART_KIND_MAIN, content)], keys_of, subject=subject_of(header, content)
        )
        return message.sign(sealed, [self.signer, *(other.signer for other in others)])

    def recipient_key(self, member: str, at: datetime) -> message.RecipientKey:
        """Return the key that a member's parts are wrapped for now."""
        return message.RecipientKey(member, self.register.member(member).current_encryption_key(at).key)


def unsigned(raw: bytes) -> bytes:
    """Return a signed message as a trial has it."""
    signed = pb.SignedMessage.FromString(raw)
    for each in signed.signatures:
        each.signature = b""
    return signed.SerializeToString(deterministic=True)


def node_roots(register: Register, member: str) -> bytes:
    """Return a member's node CAs in PEM: what a caller of its node believes."""
    cas = register.member(member).authority.node_cas
    return "".join(ssl.DER_cert_to_PEM_cert(ca.certificate) for ca in cas).encode()


def subject_of(header: pb.Header, content: bytes) -> bytes:
    """Return the subject that a content's kind derives; none where it is of no known kind."""
    kind = kinds.all_kinds().get(header.kind)
    if kind is None:
        return b""
    try:
        return kind.subject_of(kind.content.FromString(content))
    except DecodeError:
        return b""
