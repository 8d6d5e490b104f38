"""Stages of a release: how capabilities take part in releasing a message, each independent of the others.

A stage prepares its data for a message off the event loop, before the transaction. In the transaction it opens one
session for the batch, which is called for each message, in the order in which the stages are registered:

1. `ReleaseSession.known`: whether the message came before, and how it was answered then.
2. `ReleaseSession.judge`: what forbids its release at this moment. The session sees the messages that the same batch
   releases before it.
3. `ReleaseSession.hold`: nothing forbids it, but signatures are missing; the session stores it until they are there.
4. `ReleaseSession.releasing`: nothing forbids it; the session writes its own rows and entries. The RELEASED entries
   follow.

The first answer decides. A stage returns a refusal and never raises: raising would undo the whole batch, and with it
the DENIED entry of the refusal. Steps 1 and 2 only read, so that they can judge a message that is only tried
(`paiza_node.core.exchange.send.trial`). The stage of approvals comes last, since its bounds count what is left.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final, Protocol

from paiza_node.core.access.model import Officer
from paiza_node.core.exchange import precedence
from paiza_node.core.log.transaction import LogTransaction
from paiza_node.core.messages.model import MessageRow
from paiza_node.core.storage import ReadConnection
from paiza_wire.errors import Rejected, Unavailable
from paiza_wire.message import PendingMessage, TriedMessage, VerifiedMessage

SubmittedMessage = VerifiedMessage | PendingMessage | TriedMessage
"""A message with every signature, with some of them, or tried before it is signed."""

NOTHING_PREPARED: Final[Mapping[str, Any]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Submission:
    """A submitted message that passed every check that needs no database.

    ``prepared`` holds the stages' data by the name of the stage. ``approved``: the caller signed a message that another
    officer had submitted.
    """

    message: SubmittedMessage
    raw: bytes
    source_row: bytes = b""
    prepared: Mapping[str, Any] = field(default=NOTHING_PREPARED)
    approved: bool = False

    @property
    def goes_first(self) -> bool:
        """Whether the message goes ahead of everything else."""
        return precedence.overtakes(self.message.header.kind)

    @property
    def missing(self) -> tuple[str, ...]:
        """The SPIFFE IDs of the officers who must sign it as well."""
        return () if isinstance(self.message, VerifiedMessage) else tuple(each.id for each in self.message.missing)


@dataclass(frozen=True, slots=True)
class Released:
    """A message that is released, by its RELEASED entries. ``repeated``: it was released before."""

    digest: bytes
    indices: list[int]
    entries: list[bytes]
    repeated: bool
    thread_name: str


@dataclass(frozen=True, slots=True)
class Held:
    """A message that waits for the signatures of further officers, by its SUBMITTED entry."""

    digest: bytes
    index: int
    entry: bytes
    missing: tuple[str, ...]
    expires_time: datetime


Outcome = Released | Held | Rejected | Unavailable
"""The result of one submitted message."""


class Moment(Protocol):
    """The state that messages are judged by: that of a transaction of the ledger, or of a trial, which only reads."""

    @property
    def conn(self) -> ReadConnection:
        """The rows of this moment."""

    @property
    def now(self) -> datetime:
        """The time of the release."""


@dataclass(frozen=True, slots=True)
class ReleaseSession:
    """One stage in one batch; a function left out does nothing.

    ``known`` returns the answer for a message that came before, None for a new one. ``judge`` returns what forbids
    releasing a message now; it also sees the messages that the batch releases before it. ``hold`` stores a message that
    lacks signatures. ``releasing`` writes the stage's rows and entries for a message that is released next.
    """

    known: Callable[[Submission], Outcome | None] | None = None
    judge: Callable[[Submission, Sequence[MessageRow]], Rejected | Unavailable | None] | None = None
    hold: Callable[[LogTransaction, Submission], Held | Unavailable] | None = None
    releasing: Callable[[LogTransaction, Submission], None] | None = None


@dataclass(frozen=True, slots=True)
class ReleaseStage:
    """The part of one capability in releasing messages.

    ``open`` begins the session of a batch that an officer submits, in the transaction or in a trial. ``prepare``
    returns the data that the session needs of a message, or None; it runs off the event loop, and raises Rejected if no
    recipient would accept the message.
    """

    name: str
    open: Callable[[Moment, Officer, Sequence[Submission]], ReleaseSession]
    prepare: Callable[[SubmittedMessage, datetime], Any] | None = None


def prepare(stages: Sequence[ReleaseStage], message: SubmittedMessage, now: datetime) -> Mapping[str, Any]:
    """Return the stages' data for a message, by the name of the stage."""
    prepared = {stage.name: stage.prepare(message, now) for stage in stages if stage.prepare is not None}
    return {name: made for name, made in prepared.items() if made is not None} or NOTHING_PREPARED
