"""Deliveries, and proofs from other members' logs. Times are UTC; digests are 32 bytes."""

from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from typing import Final

from paiza.core.v1 import delivery_pb2

OWN_HASHES: Final = 4 * 32  # bytes of an inclusion proof that are stored with its entry; those above are shared


class ProofKind(IntEnum):
    """The kind of entry that a proof from another member's log shows. Stored as the number: never renumber."""

    RELEASED = 1
    ANSWER = 2
    ORIGIN = 3
    """The author's release to another member of a message that was forwarded to us."""


class DeliveryKind(IntEnum):
    """The content of a delivery. Stored as the number: never renumber."""

    OWN = 0
    """A message of our own, to one of its recipients."""
    FORWARDED = 1
    """A message, to a member it was not addressed to."""
    NOTICE = 2
    """The notice to the author that its message was forwarded."""


class Slot(IntEnum):
    """The slot of an outbound queue in which a delivery waits."""

    BULK = 0
    URGENT = 1
    FIRST = 2


DeliveryState = delivery_pb2.DeliveryState


@dataclass(frozen=True, slots=True)
class DeliveryRow:
    """One message on its way to one recipient."""

    id: int
    message_seq: int
    digest: bytes
    recipient: str
    urgency: int
    released_index: int
    released_time: datetime
    expires_time: datetime
    next_attempt_time: datetime
    state: int = delivery_pb2.DELIVERY_STATE_WAITING
    reason: str = ""
    detail: str = ""
    attempts: int = 0
    settled_time: datetime | None = None
    kind: str = ""
    delivery_kind: int = DeliveryKind.OWN


@dataclass(frozen=True, slots=True)
class Settlement:
    """The result of one delivery."""

    id: int
    state: int
    reason: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Postponement:
    """A delivery to be tried again, with the time and the reason."""

    id: int
    next_attempt_time: datetime
    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A waiting delivery with the data to send."""

    id: int
    digest: bytes
    attempts: int
    signed: bytes
    released_index: int
    released_entry: bytes
    delivery_kind: int = DeliveryKind.OWN
    reason: str = ""
    """Why the attempt before failed; empty if there was none."""


@dataclass(frozen=True, slots=True)
class ForwardingRow:
    """A member forwarded a message, by its own log: to us, or (reported to us as the author) to another member.

    ``log_index`` is our entry that answers it; ``denied``: this entry is a denial; ``held``: the message was stored
    with it. Identified by ``forwarder`` and ``index``, the entry's place in its log.
    """

    forwarder: str
    index: int
    digest: bytes
    holder: str
    entry: bytes
    hashes: bytes
    checkpoint: bytes
    register_version: bytes
    log_index: int
    denied: bool = False
    held: bool = False


@dataclass(frozen=True, slots=True)
class ForeignProof:
    """An entry of another member's log, proven to one of its checkpoints; kept as evidence."""

    digest: bytes
    member: str
    kind: ProofKind
    entry: bytes
    index: int
    hashes: bytes
    checkpoint: bytes
    register_version: bytes


def split_path(hashes: bytes) -> tuple[bytes, bytes]:
    """Return the hashes of an inclusion proof as (those of the entry, those that it shares with its neighbours).

    All entries of an aligned block of 16 that are proven to one checkpoint have the same upper hashes.
    """
    return hashes[:OWN_HASHES], hashes[OWN_HASHES:]


@dataclass(frozen=True, slots=True)
class ProofRow:
    """A stored proof as it is, for verification: ``kind`` may be none, and the checkpoint may be missing."""

    digest: bytes
    member: str
    kind: int
    entry: bytes
    log_index: int
    hashes: bytes
    note_digest: bytes
    register_version: bytes


@dataclass(frozen=True, slots=True)
class ProvenCertificate:
    """The OFFICER_CERTIFIED entry of a member's log for a signing certificate, proven to one of its checkpoints.

    Identified by ``member`` and ``certificate_sha256``.
    """

    member: str
    certificate_sha256: bytes
    entry: bytes
    index: int
    hashes: bytes
    checkpoint: bytes


@dataclass(frozen=True, slots=True)
class QueueSummary:
    """The waiting deliveries to one recipient, counted."""

    recipient: str
    waiting: int
    oldest_time: datetime | None
