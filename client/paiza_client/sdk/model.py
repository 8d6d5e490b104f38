"""Frozen records of what the own node lists and says of itself. `paiza_client.verify.model` has what was proven."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal

from paiza.core.v1 import message_pb2

MAX_NAMED: Final = 50  # messages left out that are named one by one; the others are counted

OnProgress = Callable[[int, int], None]
"""Called as long work goes on, in the event loop: with what is done, and what there is in all, 0 while not known."""
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
    """A message as the node lists it: the header fits the digest; signatures and proofs are checked on opening.

    digest            SHA-256 of the header, 32 bytes: names the message in every call
    header            the signed `Header`: author, recipients, kind, thread_id, parent_digests, marks, urgency, parts
    thread_name       the short name of the thread at the own node ("KAZ-2026-00001")
    stored_time       when the own node stored it, aware
    received          True for a message of another member, False for one that our member released
    opened_by_caller  True if this officer has opened the main part; `messages.unread` goes by it
    opened            True if any officer of our member has opened the main part
    deliveries        of a sent message: its state at each recipient
    sequence          a number that grows with every message stored at the own node; see `Session.watch`
    recalled_by       digests of its author's last 32 recalls of it; it is opened only with a reason then
    corrected_by      digests of its author's last 32 corrections of it that were not recalled
    replaced_by       digest of the message that replaces it by the last correction; empty if none does
    attachments       of a received message: what is here of each attachment; of a sent one: its state at each recipient
    linked            True if it shares an identifier with an older message that the officer may see (`Search.links`)
    erased            True if its content was erased at the own node
    subject           a serialized `Subject` to which the header commits; empty unless asked for and permitted;
                      `paiza_domain.schema.subjects.text(subject, "en")` (or "ru") returns it in words
    """

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
    corrected_by: tuple[bytes, ...] = ()
    replaced_by: bytes = b""
    attachments: tuple[AttachmentStatus, ...] = ()
    linked: bool = False
    erased: bool = False
    subject: bytes = b""

    @property
    def id(self) -> str:
        """Message id as 32 hex digits; any unique beginning of it names the message."""
        return self.header.message_id.hex()


@dataclass(frozen=True, slots=True)
class Page:
    """One page of messages, newest first; ``next_token`` is empty on the last."""

    messages: tuple[MessageSummary, ...]
    next_token: str

    @property
    def has_more(self) -> bool:
        """True where older messages follow."""
        return bool(self.next_token)


@dataclass(frozen=True, slots=True)
class NotOpened:
    """A message that is in no result: a reason code of the protocol, and what the node added to it.

    ``id`` is the message id as hex digits where it is known.
    """

    digest: bytes
    reason: str
    detail: str = ""
    id: str = ""

    @property
    def name(self) -> str:
        """A name of the message for a reader: hex digits of its id, or of its digest."""
        return self.id or self.digest.hex()


@dataclass(slots=True)
class LeftOut:
    """The messages that a result lacks: how many by (reason, detail), and the first `MAX_NAMED` of them.

    Reasons are codes of the protocol: "policy_denied" with the detail "export-for-other-purpose" or
    "opening-for-other-purpose" for a limit of purposes, "cannot_open" where no key of the node opens it any more.
    """

    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    first: list[NotOpened] = field(default_factory=list)

    def __len__(self) -> int:
        """Count the messages."""
        return self.counts.total()

    def add(self, each: NotOpened) -> None:
        """Count one more."""
        self.counts[each.reason, each.detail] += 1
        if len(self.first) < MAX_NAMED:
            self.first.append(each)
