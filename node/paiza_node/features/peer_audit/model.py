"""Grants, reconciled periods and counts. Times are UTC; digests are 32 bytes."""

from dataclasses import dataclass
from datetime import datetime

from paiza_node.core.exchange.model import ForeignProof


@dataclass(frozen=True, slots=True)
class AuditGrant:
    """Permission of another member to see entries of our log of these events; ``since_time`` None for all of them."""

    id: int
    member: str
    events: frozenset[int]
    since_time: datetime | None
    until_time: datetime
    headers: bool
    granted_time: datetime
    withdrawn_time: datetime | None = None


@dataclass(frozen=True, slots=True)
class ReconciledPeriod:
    """The agreement with a member on a period: the digest, our RECONCILED entry, and theirs once it is here."""

    counterpart: str
    since_time: datetime
    until_time: datetime
    digest: bytes
    log_index: int
    theirs: ForeignProof | None = None


@dataclass(frozen=True, slots=True)
class Tally:
    """The numbers of messages exchanged with one member: ours to it, and its own to us."""

    counterpart: str
    sent: int
    receipted: int
    refused: int
    overdue: int
    received: int
    refused_here: int
