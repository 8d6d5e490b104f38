"""From a valid draft to a sealed and signed message. Validation comes before anything is encrypted.

`Composer.validate` refuses a draft that any receiver would refuse and names every field. Its result is the only thing
that `Composer.seal` takes: header and parts are made once, and what was validated is what is sealed and signed.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from paiza.core.v1 import message_pb2
from paiza.officer.v1 import officer_pb2
from paiza_client import language
from paiza_client.compose import addressing, faults
from paiza_client.files import attaching
from paiza_client.files.attaching import Attachment, Progress
from paiza_client.language import _
from paiza_domain import validation
from paiza_domain.drafts import labels
from paiza_domain.drafts.content import Position, position
from paiza_domain.drafts.drafts import in_order
from paiza_domain.schema.field_errors import FieldError
from paiza_domain.schema.kind import Kind
from paiza_officer import unlocked
from paiza_officer.errors import FieldProblem, Refused, located
from paiza_officer.profiles import Profile
from paiza_register import Register
from paiza_wire.message import (
    OfficerSigner,
    PlainPart,
    RecipientKey,
    SealedFile,
    UnsignedMessage,
    for_trial,
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
class Written:
    """The text that a message was read from: its name, and line and column of its fields by path."""

    source: str
    places: Mapping[str, Position] = field(default_factory=dict)


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
        self,
        kind: Kind,
        content: Message,
        annex: Message | None,
        envelope: Envelope,
        now: datetime,
        draft: Written | None = None,
    ) -> Validated:
        """Return the message as it will be sealed; nothing is encrypted.

        Refused("invalid_draft") names every field that a receiver or the own node would refuse, at its line of
        ``draft``; ("role_missing") is of an officer who may not send the kind.
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
        addressed = addressing.errors(self._register, self._profile.member, kind, content, members, now)
        draft = draft or Written(kind.name)
        try:
            # The function that every receiver runs has the last word; only it runs for a message that is right.
            with located(kind.name):
                validation.check_message(described, plain[0].plaintext, annex_bytes, now, subject=subject)
        except Refused:
            of_header = faults.of_header(described, kind, self._register)
            raise_field_problems(
                draft.source, [*of_header, *addressed, *kind.validate(content, annex, now)], kind, draft.places
            )
            raise
        found = [*faults.of_register(described, self._register), *addressed]
        raise_field_problems(draft.source, found, kind, draft.places)
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
        unsigned = _sealed(message, attached)
        with located(message.header.message_id.hex()):
            return _as_sealed(unsigned, sign(unsigned, [self._signer()]), source_row)

    def seal_for_trial(self, message: Validated, now: datetime) -> Sealed:
        """Seal a message so that the own node can say whether it would take it; nothing is signed.

        The signing key stays closed. Attachments are described by their size and not sealed.
        ProfileProblem names the signing certificate, which has expired.
        """
        certificate = unlocked.signing_certificate(self._profile, now)
        unsigned = _sealed(message, [attaching.described(each) for each in message.attachments])
        return _as_sealed(unsigned, for_trial(unsigned, str(self._profile.id), certificate), b"")

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


def _sealed(message: Validated, attached: Sequence[SealedFile]) -> UnsignedMessage:
    with located(message.header.message_id.hex()):
        return seal(message.header, message.parts, message.keys, attached, subject=message.subject)


def _as_sealed(unsigned: UnsignedMessage, data: bytes, source_row: bytes) -> Sealed:
    return Sealed(data, message_pb2.Header.FromString(unsigned.header), message_digest(unsigned.header), source_row)


def raise_field_problems(
    source: str,
    errors: Sequence[FieldError],
    kind: Kind | None = None,
    places: Mapping[str, Position] = MappingProxyType({}),
) -> None:
    """Refuse a draft with these errors, each at its line of the source; nothing happens where there are none.

    The fields are named in the reader's words where ``kind`` is given; ``places`` are for errors without a line.
    """
    if not errors:
        return
    found = in_order(each if each.line else each.at(*position(each.path, places)) for each in errors)
    problems = [field_problem(source, each, kind) for each in found]
    raise Refused("invalid_draft", source, f"{found[0].path}: {found[0].code}", problems)


def field_problem(source: str, error: FieldError, kind: Kind | None) -> FieldProblem:
    """Return an error in the language in use, with the name of its field in the reader's words."""
    lang = language.language()
    label = labels.label(kind, error.path, lang)
    key = error.path.rpartition(".")[2].partition("[")[0]
    line = _("line {n}").format(n=error.line) if error.line else ""
    where = f"{source}:{error.line}:{error.column}" if error.line else source
    return FieldProblem(
        " ".join(filter(None, (where, error.path))),
        error.message(lang),
        error.code,
        path=error.path,
        label=label,
        line=error.line,
        place=", ".join(filter(None, (line, f"{label} ({key})" if label and key else error.path))),
    )


def recipients_of(register: Register, author: str) -> list[str]:
    """Name every active member but the author: whom an import addresses."""
    return [member.id for member in register.active_members() if member.id != author]


def _timestamp(moment: datetime) -> Timestamp:
    timestamp = Timestamp()
    timestamp.FromDatetime(moment)
    return timestamp
