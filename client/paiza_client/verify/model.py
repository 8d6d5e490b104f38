"""Frozen records of what was verified."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from paiza.core.v1 import message_pb2
from paiza.officer.v1.workflow_pb2 import WorkflowBreach
from paiza_wire.message import VerifiedMessage

OutcomeState = Literal["released", "waiting", "refused", "retry"]


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
    """The outcome of one submitted message.

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
    earlier: bytes = b""
    """Refused as "source_row_known": digest of the message that was sent for the row, as the node says; or empty."""


@dataclass(frozen=True, slots=True)
class SentRow:
    """A message that the own log proves to be released, and that the node says was made from a source row."""

    digest: bytes
    header: message_pb2.Header
    released: tuple[Proof, ...]

    @property
    def signers(self) -> tuple[str, ...]:
        """Return the ids of the officers who signed it."""
        return tuple(signer.id for signer in self.header.required_signers)


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
    """The size of the own log that a quorum of the other members cosigned; None if there is none, or it is not ours."""
    witnesses: tuple[str, ...] = ()
    """Whose cosignatures under that checkpoint were verified."""
    unwitnessed_since: datetime | None = None
    """When the oldest entry was made that it does not cover, as the node says; None where it covers all."""
    misbehaviour: tuple[str, ...] = ()
    """The misbehaviour of the log, as reason codes, stated by the own node."""
    ending_certificates: tuple[tuple[str, datetime], ...] = ()
    """The officers of the own member whose certificates end soon, and when, as the node says to its coordinators."""
