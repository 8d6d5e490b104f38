"""What the SDK gives: frozen records. Whatever is called a proof here was verified."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from paiza.core.v1 import message_pb2
from paiza.officer.v1.workflow_pb2 import WorkflowBreach
from paiza_wire.message import VerifiedMessage

Box = Literal["inbox", "sent", "both"]
DeliveryState = Literal["waiting", "delivered", "refused", "rejected", "expired", "dropped", "unknown"]
AttachmentState = Literal["awaited", "received", "refused", "expired", "erased", "unknown"]
OutcomeState = Literal["released", "waiting", "refused", "retry"]


@dataclass(frozen=True, slots=True)
class Whoami:
    """Who the node takes the caller for, and what the node is."""

    officer_id: str
    roles: tuple[str, ...]
    unit: str
    protocol_version: int
    node_version: str
    node_time: datetime
    register_version: bytes


@dataclass(frozen=True, slots=True)
class Delivery:
    """Where a message stands at one recipient, as the own node says. Proofs are in `OpenedPart` and `Trail`."""

    recipient: str
    state: DeliveryState
    reason: str
    detail: str
    attempts: int
    settled_time: datetime | None


@dataclass(frozen=True, slots=True)
class AttachmentStatus:
    """Where an attachment stands at one member, as the own node says: ours where we received it, else a recipient."""

    part_number: int
    member: str
    state: AttachmentState
    size: int
    reason: str
    settled_time: datetime | None


@dataclass(frozen=True, slots=True)
class MessageSummary:
    """A message as the node lists it: the header fits the digest; signatures and proofs are checked on opening."""

    digest: bytes
    header: message_pb2.Header
    thread_name: str
    stored_time: datetime
    received: bool
    opened_by_caller: bool
    opened: bool
    deliveries: tuple[Delivery, ...]
    sequence: int
    recalled_by: tuple[bytes, ...] = ()
    """Digests of its author's recalls of it; it is opened only with a reason then."""
    corrected_by: tuple[bytes, ...] = ()
    replaced_by: bytes = b""
    attachments: tuple[AttachmentStatus, ...] = ()
    linked: bool = False
    """It shares an identifier with an older message that the officer may see; `Searching.links` names them."""
    erased: bool = False
    """Its content was erased at the own node."""
    subject: bytes = b""
    """A serialized `Subject`, where it was asked for and may be read; the header commits to it."""

    @property
    def id(self) -> str:
        """Message id as 32 hex digits; any unique beginning of it names the message."""
        return self.header.message_id.hex()


@dataclass(frozen=True, slots=True)
class Page:
    """One page of messages, newest first; ``next_token`` is empty on the last."""

    messages: tuple[MessageSummary, ...]
    next_token: str


@dataclass(frozen=True, slots=True)
class Proof:
    """One entry of a member's log, proven to a checkpoint signed with that log's key in the register."""

    event: str
    """RELEASED, RECEIVED, REFUSED, OPENED …: the name of the log event."""
    member: str
    """Whose log it is."""
    counterpart: str
    time: datetime
    actor: str
    reason: str
    origin: str
    index: int
    tree_size: int
    digest: bytes
    """Digest of the message concerned; empty where none is."""
    part_number: int | None
    register_version: bytes
    without_annex: bool = False
    """Whether a forwarding or an export left the nominal annex out."""
    listed: tuple[bytes, ...] = ()
    """Digests of the messages of an entry about several, where its log told them."""

    def concerns(self, digest: bytes) -> bool:
        """Return whether the entry is about a message."""
        return digest in {self.digest, *self.listed}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one submitted message.

    ``proofs`` are the releases, one per recipient, where it was released; where it waits for other officers, that it
    was submitted. ``missing`` are those who have not signed.
    """

    state: OutcomeState
    digest: bytes
    proofs: tuple[Proof, ...] = ()
    repeated: bool = False
    thread_name: str = ""
    reason: str = ""
    detail: str = ""
    retry_after_seconds: float = 0.0
    missing: tuple[str, ...] = ()
    expires_time: datetime | None = None
    breaches: tuple[WorkflowBreach, ...] = ()
    """The rules that a refused step of a workflow breaks."""


@dataclass(frozen=True, slots=True)
class OpenedPart:
    """One part whose signers, digests, key and log proofs have all been verified."""

    message: VerifiedMessage
    part_number: int
    plaintext: bytes
    thread_name: str
    opened: Proof
    released: tuple[Proof, ...]
    answers: tuple[Proof, ...]
    forwarded: tuple[Proof, ...] = ()


@dataclass(frozen=True, slots=True)
class Trail:
    """Everything the own log and the proofs held of other logs say about one message, each verified."""

    own: tuple[Proof, ...]
    foreign: tuple[Proof, ...]


@dataclass(frozen=True, slots=True)
class LogState:
    """One member's log as the own node knows it: a verified checkpoint."""

    member: str
    origin: str
    size: int
    root: bytes
    accepted_time: datetime | None
    own: bool
    witnessed_size: int | None = None
    """Of the own log: how much of it a quorum of the other members cosigned; None where none did, or it is not ours."""
    witnesses: tuple[str, ...] = ()
    """Whose cosignatures under that checkpoint were verified."""
    unwitnessed_since: datetime | None = None
    """When the oldest entry was made that it does not cover, as the node says; None where it covers all."""
    misbehaviour: tuple[str, ...] = ()
    """What speaks against the log, as reason codes, by the word of the own node."""
