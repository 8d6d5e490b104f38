"""From a valid draft to a sealed and signed message. Validation comes before anything is encrypted.

`Composer.validate` refuses a draft that any receiver would refuse and names every field. Its result is the only thing
that `Composer.seal` takes: header and parts are made once, and what was validated is what is sealed and signed.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from paiza.core.v1 import message_pb2
from paiza.officer.v1 import officer_pb2
from paiza_client import language
from paiza_client.compose import addressing
from paiza_client.files import attaching
from paiza_client.files.attaching import Attachment, Progress
from paiza_domain import validation
from paiza_domain.schema.field_checks import nearest
from paiza_domain.schema.field_errors import FieldError
from paiza_domain.schema.kind import Kind
from paiza_officer.errors import FieldProblem, Refused, located
from paiza_officer.profiles import Profile
from paiza_register import Register
from paiza_wire.message import (
    OfficerSigner,
    PlainPart,
    RecipientKey,
    message_digest,
    new_message_id,
    seal,
    sign,
)


@dataclass(frozen=True, slots=True)
class Envelope:
    """The header fields beside the content. Times are aware; ``thread_id`` is empty for a new thread."""

    recipients: tuple[message_pb2.Recipient, ...]
    urgency: message_pb2.Urgency.ValueType
    handling: message_pb2.Handling
    review_time: datetime
    urgency_reason: str = ""
    legal_bases: tuple[str, ...] = ()
    thread_id: bytes = b""
    parent_digests: tuple[bytes, ...] = ()
    annex_handling: message_pb2.Handling | None = None
    second: tuple[str, str] | None = None
    """SPIFFE ID of the officer who must sign as well, and their role."""
    attachments: tuple[Attachment, ...] = ()
    exercise: bool = False
    """Whether it is an exercise; in a federation that is one every message is."""


@dataclass(frozen=True, slots=True)
class Validated:
    """A message that every receiver would accept, before anything of it is encrypted; made by `Composer.validate`.

    ``header`` has no parts yet: sealing adds one for each of ``parts`` and ``attachments``, in this order. ``keys`` are
    those of the recipients and of the own member.
    """

    header: message_pb2.Header
    parts: tuple[PlainPart, ...]
    subject: bytes
    attachments: tuple[Attachment, ...]
    keys: tuple[RecipientKey, ...]


@dataclass(frozen=True, slots=True)
class Sealed:
    """A signed message, sealed to the members: nobody on this machine can read it again."""

    data: bytes
    header: message_pb2.Header
    digest: bytes
    source_row: bytes = b""

    @property
    def id(self) -> str:
        """Message id as 32 hex digits."""
        return self.header.message_id.hex()

    def item(self) -> officer_pb2.SubmitItem:
        """Return it as the outbox keeps and Submit takes it."""
        return officer_pb2.SubmitItem(message=self.data, source_row_sha256=self.source_row)


class Composer:
    """Validates, seals and signs for one officer under one version of the register."""

    def __init__(
        self, profile: Profile, signer: Callable[[], OfficerSigner], register: Register, roles: Sequence[str]
    ) -> None:
        """Store what composes; ``signer`` is called when a message is signed."""
        self._profile = profile
        self._register = register
        self._roles = tuple(roles)
        self._signer = signer

    def validate(
        self, kind: Kind, content: Message, annex: Message | None, envelope: Envelope, now: datetime
    ) -> Validated:
        """Return the message as it will be sealed; nothing is encrypted.

        Refused names every field that a receiver would refuse, or the sender or recipient that cannot be one.
        """
        header = self._header(kind, envelope, now)
        plain = [PlainPart(message_pb2.PART_KIND_MAIN, content.SerializeToString(deterministic=True))]
        if annex is not None:
            data = annex.SerializeToString(deterministic=True)
            plain.append(PlainPart(message_pb2.PART_KIND_NOMINAL_ANNEX, data, envelope.annex_handling))
        subject = kind.subject_of(content)
        described = message_pb2.Header()
        described.CopyFrom(header)
        for part in plain:
            described.parts.add(kind=part.kind, handling=part.handling)
        for _each in envelope.attachments:
            described.parts.add(kind=message_pb2.PART_KIND_ATTACHMENT)
        annex_bytes = plain[1].plaintext if annex is not None else None
        members = tuple(recipient.member for recipient in envelope.recipients)
        unknown = [
            *self._unknown_bases(envelope),
            *addressing.errors(self._register, self._profile.member, kind, content, members, now),
        ]
        try:
            # The function that every receiver runs has the last word; only it runs for a message that is right.
            with located(kind.name):
                validation.check_message(described, plain[0].plaintext, annex_bytes, now, subject=subject)
        except Refused:
            errors = [*validation.header_errors(described, kind, now), *unknown]
            raise_field_problems(kind.name, [*errors, *kind.validate(content, annex, now)])
            raise
        raise_field_problems(kind.name, unknown)
        return Validated(
            header,
            tuple(plain),
            subject,
            envelope.attachments,
            tuple(self._recipient_key(each, now) for each in (*members, self._profile.member)),
        )

    def seal(self, message: Validated, *, source_row: bytes = b"", progress: Progress | None = None) -> Sealed:
        """Seal a message for its recipients and the own member, and sign it; attachments go first.

        The header that was validated is the one that is sealed: only the digests of the ciphertexts are added.
        """
        attached = [
            attaching.seal(each, message.header, number, self._profile.outbox, progress)
            for number, each in enumerate(message.attachments, len(message.parts))
        ]
        with located(message.header.message_id.hex()):
            unsigned = seal(message.header, message.parts, message.keys, attached, subject=message.subject)
            data = sign(unsigned, [self._signer()])
        return Sealed(data, message_pb2.Header.FromString(unsigned.header), message_digest(unsigned.header), source_row)

    def _unknown_bases(self, envelope: Envelope) -> list[FieldError]:
        """Find legal bases that the federation does not list; nothing where it lists none."""
        known = self._register.legal_bases
        return [
            FieldError(
                f"legal_bases[{place}]",
                "legal_basis_unknown",
                {"value": basis, "suggestion": nearest(basis, known)},
            )
            for place, basis in enumerate(envelope.legal_bases)
            if known and basis not in known
        ]

    def _header(self, kind: Kind, envelope: Envelope, now: datetime) -> message_pb2.Header:
        message_id = new_message_id(now)
        header = message_pb2.Header(
            suite=message_pb2.SUITE_1,
            message_id=message_id,
            thread_id=envelope.thread_id or message_id,
            parent_digests=envelope.parent_digests,
            kind=kind.name,
            kind_version=kind.version,
            author=self._profile.member,
            required_signers=self._signers(kind, envelope),
            recipients=envelope.recipients,
            urgency=envelope.urgency,
            urgency_reason=envelope.urgency_reason,
            handling=envelope.handling,
            legal_bases=envelope.legal_bases,
            register_version=self._register.version,
            exercise=envelope.exercise or self._register.exercise,
        )
        header.author_time.CopyFrom(_timestamp(now))
        header.review_time.CopyFrom(_timestamp(envelope.review_time))
        return header

    def _signers(self, kind: Kind, envelope: Envelope) -> list[message_pb2.RequiredSigner]:
        """Name ourselves, and the second officer if there is one; their signature comes later."""
        signers = [message_pb2.RequiredSigner(id=str(self._profile.id), role=self._role(kind))]
        if envelope.second is not None:
            signers.append(message_pb2.RequiredSigner(id=envelope.second[0], role=envelope.second[1]))
        return signers

    def _role(self, kind: Kind) -> str:
        """Choose the role to act in: the first of the officer's own that may send this kind."""
        for role in self._roles:
            if role in kind.sender_roles:
                return role
        raise Refused(
            "role_missing",
            kind.name,
            f"has {', '.join(self._roles) or 'none'}; needs {', '.join(sorted(kind.sender_roles))}",
        )

    def _recipient_key(self, member: str, now: datetime) -> RecipientKey:
        known = self._register.members.get(member)
        if known is None or known.status != "active":
            raise Refused("unknown_recipient", member)
        with located(member):
            return RecipientKey(member, known.current_encryption_key(now).key)


def raise_field_problems(source: str, errors: Sequence[FieldError]) -> None:
    """Refuse a draft with these errors, each at its line of the source; nothing happens where there are none."""
    if not errors:
        return
    problems = [
        FieldProblem(
            " ".join(filter(None, (f"{source}:{each.line}:{each.column}" if each.line else source, each.path))),
            each.message(language.language()),
            each.code,
        )
        for each in errors
    ]
    raise Refused("invalid_draft", source, f"{errors[0].path}: {errors[0].code}", problems)


def recipients_of(register: Register, author: str) -> list[str]:
    """Name every active member but the author: whom an import addresses."""
    return [member.id for member in register.active_members() if member.id != author]


def _timestamp(moment: datetime) -> Timestamp:
    timestamp = Timestamp()
    timestamp.FromDatetime(moment)
    return timestamp
