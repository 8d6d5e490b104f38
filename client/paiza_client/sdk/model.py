"""Frozen records of what the own node lists and says of itself. `paiza_client.verify.model` has what was proven."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from paiza.core.v1 import message_pb2

OnProgress = Callable[[int, int], None]
"""Called as long work goes on, in the event loop: with what is done, and what there is in all."""
Box = Literal["inbox", "sent", "both"]
DeliveryState = Literal["waiting", "delivered", "refused", "rejected", "expired", "dropped", "unknown"]
AttachmentState = Literal["pending", "received", "refused", "expired", "erased", "unknown"]


@dataclass(frozen=True, slots=True)
class Whoami:
    """The caller's record at the node, and the identity of the node."""

    officer_id: str
    roles: tuple[str, ...]
    unit: str
    protocol_version: int
    node_version: str
    node_time: datetime
    register_version: bytes


@dataclass(frozen=True, slots=True)
class Delivery:
    """The state of a message at one recipient, as stated by the own node. Proofs are in `OpenedPart` and `Trail`."""

    recipient: str
    state: DeliveryState
    reason: str
    detail: str
    attempts: int
    settled_time: datetime | None


@dataclass(frozen=True, slots=True)
class AttachmentStatus:
    """The state of an attachment at one member, as stated by the own node: ours if received, else a recipient."""

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
    """True if it shares an identifier with an older message that the officer may see; `Search.links` names them."""
    erased: bool = False
    """True if its content was erased at the own node."""
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
