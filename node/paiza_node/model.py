"""The nouns of the node: what is stored, what waits, what is known of others. Times are UTC; digests are 32 bytes."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum
from typing import Final

from paiza.core.v1 import delivery_pb2, log_pb2
from paiza_domain.thread import UNMARKED, Marks

MAX_REASON: Final = 1000  # characters of why an officer or operator did something
LOGGED_DIGITS: Final = 16  # hex digits of a digest in what the node prints: enough to find the message


class MessageState(IntEnum):
    """What this node did with a message. Stored as the number: never renumber."""

    RELEASED = 1
    RECEIVED = 2
    REFUSED = 3


class ProofKind(IntEnum):
    """What a proof from another member's log shows. Stored as the number: never renumber."""

    RELEASED = 1
    ANSWER = 2
    ORIGIN = 3
    """The author's release to somebody else, of a message that was passed on to us."""


class Passing(IntEnum):
    """What a delivery is part of. Stored as the number: never renumber."""

    OWN = 0
    """Of a message of our own, to one of its recipients."""
    PASSED_ON = 1
    """Of a message to a member it was not addressed to."""
    NOTICE = 2
    """Of the notice to the author that its message was passed on."""


class Slot(IntEnum):
    """Which of a courier's slots a delivery waits for."""

    BULK = 0
    URGENT = 1
    FIRST = 2


class ApprovalState(IntEnum):
    """Where a message stands that needs more than one officer. Stored as the number: never renumber."""

    WAITING = 1
    RELEASED = 2
    DECLINED = 3
    WITHDRAWN = 4
    EXPIRED = 5


DeliveryState = delivery_pb2.DeliveryState
LogEvent = log_pb2.LogEvent


@dataclass(frozen=True, slots=True)
class MessageRow:
    """A message as stored. ``signed`` is the serialized SignedMessage; None for one refused.

    ``parents`` is given when a row is written; a row that was read has none, and its header says them.
    """

    seq: int
    digest: bytes
    author: str
    message_id: bytes
    thread_id: bytes
    thread_name: str
    kind: str
    urgency: int
    state: MessageState
    header: bytes
    stored_time: datetime
    signed: bytes | None = None
    source_row: bytes | None = None
    parents: tuple[bytes, ...] = ()
    unit: str | None = None

    @property
    def received(self) -> bool:
        """Say whether the message came from another member."""
        return self.state is not MessageState.RELEASED


@dataclass(frozen=True, slots=True)
class ThreadRow:
    """A thread: its id, its short name (empty where its beginning was never seen here), its newest message's number."""

    thread_id: bytes
    thread_name: str
    last_seq: int


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
    passing: int = Passing.OWN


@dataclass(frozen=True, slots=True)
class Settlement:
    """What became of one delivery."""

    id: int
    state: int
    reason: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Postponement:
    """A delivery to be tried again, when, and why."""

    id: int
    next_attempt_time: datetime
    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A waiting delivery with what must be sent for it."""

    id: int
    digest: bytes
    attempts: int
    signed: bytes
    released_index: int
    released_entry: bytes
    passing: int = Passing.OWN


@dataclass(frozen=True, slots=True)
class PassedOn:
    """That a member passed a message on, by its own log: to us, or (told to us as the author) to another.

    ``log_index`` is our entry that answers it, ``denied`` says that this entry is a denial, ``held`` that the message
    row rests on it. Named by ``forwarder`` and ``index``, the entry's place in its log.
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


@dataclass(frozen=True, slots=True)
class KnownLog:
    """The largest checkpoint of another member's log that this node accepted."""

    member: str
    size: int
    root: bytes
    note: bytes
    accepted_time: datetime


@dataclass(frozen=True, slots=True)
class FormerLog:
    """An earlier log of this node. Its ``size`` entries stand in the present one from ``first_index`` on.

    They lead to ``kept_note``; ``largest_note`` is the largest checkpoint of it that anybody showed.
    """

    origin: str
    first_index: int
    size: int
    kept_note: bytes
    largest_note: bytes


@dataclass(frozen=True, slots=True)
class RecoveredEntry:
    """A lost entry of an earlier log of this node, given back by ``counterpart``; ``log_index``: RECOVERED."""

    origin: str
    index: int
    counterpart: str
    digest: bytes
    entry: bytes
    hashes: bytes
    checkpoint: bytes
    log_index: int = 0


class FindingKind(IntEnum):
    """What was found against another member's log."""

    FORK = 1
    DEFAULT = 2


class FindingState(IntEnum):
    """Where a finding stands: a fork until an administrator decides, a default until the log proves its growth."""

    OPEN = 1
    ENDED = 2


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found against another member's log. Named by ``index``, the entry of our log that says so.

    ``proof`` is a serialized ForkProof; of a default it holds the two signed notes that the log did not lead together,
    and shows no contradiction. ``forgiven_size``: what the log signed up to there counts no more.
    """

    index: int
    member: str
    origin: str
    kind: FindingKind
    proof: bytes
    found_time: datetime
    state: FindingState = FindingState.OPEN
    ended_time: datetime | None = None
    ended_index: int | None = None
    reason_text: str = ""
    forgiven_size: int = 0


@dataclass(frozen=True, slots=True)
class Officer:
    """An officer of the own member, as this node knows him."""

    id: str
    roles: frozenset[str]
    unit: str
    certificate_sha256: bytes
    suspended: bool = False


@dataclass(frozen=True, slots=True)
class Head:
    """How far the own log has come, and the counters that grow with it. ``batch`` names the last commit."""

    size: int
    root: bytes
    messages: int
    deliveries: int
    last_time: datetime
    batch: bytes


@dataclass(frozen=True, slots=True)
class StoredEntry:
    """An entry of the own log."""

    index: int
    entry: bytes


@dataclass(frozen=True, slots=True)
class Opened:
    """That a part was handed to an officer, by the entry that records it."""

    digest: bytes
    part_number: int
    officer: str
    log_index: int


@dataclass(frozen=True, slots=True)
class Viewer:
    """An officer as far as need-to-know goes: the units whose messages he sees; None for all."""

    officer: str
    units: tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class WorkRow:
    """A message as somebody's work: of a unit, or of one of its officers. ``state`` is a `WorkState`."""

    seq: int
    digest: bytes
    unit: str
    assignee: str
    state: int
    acknowledge_time: datetime | None
    due_time: datetime | None
    escalations: int = 0


@dataclass(frozen=True, slots=True)
class MessageQuery:
    """Which messages to list; unset fields do not restrict. Newest first, below ``before_seq`` where that is given."""

    received: bool | None = None
    unread_by: str = ""
    kind: str = ""
    author: str = ""
    since_time: datetime | None = None
    thread_id: bytes = b""
    thread_name: str = ""
    id_prefix: str = ""
    after_seq: int = 0
    before_seq: int | None = None
    limit: int = 100
    oldest_first: bool = False
    seen_by: Viewer | None = None


@dataclass(frozen=True, slots=True)
class ListedMessage:
    """A message with what became of it, as a list shows it."""

    row: MessageRow
    opened_by_caller: bool
    opened: bool
    deliveries: list[DeliveryRow] = field(default_factory=list)
    marks: Marks = UNMARKED
    attachments: "list[AttachmentRow]" = field(default_factory=list)
    linked: bool = False
    erased: bool = False


@dataclass(frozen=True, slots=True)
class QueueSummary:
    """What waits for one recipient."""

    recipient: str
    waiting: int
    oldest_time: datetime | None


@dataclass(frozen=True, slots=True)
class SearchQuery:
    """Which messages to find: of every clause at least one token. ``annex``: the searcher may read nominal annexes."""

    clauses: tuple[tuple[bytes, ...], ...]
    annex: bool
    author: str = ""
    kind: str = ""
    since_time: datetime | None = None
    until_time: datetime | None = None
    before_seq: int | None = None
    limit: int = 100


@dataclass(frozen=True, slots=True)
class Found:
    """A message that was found, and when what it reports took place."""

    row: MessageRow
    event_time: datetime | None


@dataclass(frozen=True, slots=True)
class IndexedMessage:
    """What one message speaks of: (token, field, whether it stands in the annex alone)."""

    seq: int
    event_time: datetime | None
    tokens: tuple[tuple[bytes, str, bool], ...]
    linked: bool


@dataclass(frozen=True, slots=True)
class SharedToken:
    """That one message speaks of what a token stands for."""

    seq: int
    field: str
    annex: bool
    token: bytes


@dataclass(frozen=True, slots=True)
class Upload:
    """A ciphertext an officer brings; ``whole`` once its digest was checked."""

    ciphertext_sha256: bytes
    size: int
    officer: str
    started_time: datetime
    whole: bool = False


@dataclass(frozen=True, slots=True)
class AttachmentRow:
    """Where one attachment of a message stands at one member.

    ``member`` is ourselves for a message received, and ``source`` the member whose node hands it over; for one sent it
    is a recipient, and ``source`` is empty. ``due_time`` is when we have something to do about it.
    """

    digest: bytes
    part_number: int
    member: str
    source: str
    ciphertext_sha256: bytes
    size: int
    awaited_time: datetime
    due_time: datetime | None = None
    state: int = delivery_pb2.ATTACHMENT_STATE_AWAITED
    attempts: int = 0
    reason: str = ""
    detail: str = ""
    settled_time: datetime | None = None
    log_index: int | None = None


@dataclass(frozen=True, slots=True)
class AttachmentProof:
    """A recipient's entry about an attachment of ours, proven to its log; kept as evidence."""

    digest: bytes
    part_number: int
    member: str
    entry: bytes
    index: int
    hashes: bytes
    checkpoint: bytes
    register_version: bytes


@dataclass(frozen=True, slots=True)
class ApprovalRow:
    """A message that waits, or waited, for the signatures of other officers. ``signed`` only while it waits."""

    digest: bytes
    message_id: bytes
    drafter: str
    header: bytes
    submitted_index: int
    submitted_time: datetime
    expires_time: datetime
    state: ApprovalState = ApprovalState.WAITING
    missing: tuple[str, ...] = ()
    signed: bytes | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class WitnessedNote:
    """A checkpoint of the own log that a quorum of the other members cosigned.

    ``note`` holds the log's own signatures and all cosignatures that came; ``time`` is the median of what the witnesses
    say, ``witnesses`` are their member ids. ``again``: cosigned anew, when the log had not grown since it was first.
    """

    origin: str
    size: int
    root: bytes
    note: bytes
    time: datetime
    witnesses: tuple[str, ...]
    again: bool = False


@dataclass(frozen=True, slots=True)
class WitnessedTime:
    """Which witnessed note, and of what time, without the note."""

    size: int
    again: bool
    time: datetime


@dataclass(frozen=True, slots=True)
class CosignedSpan:
    """Two cosigned notes of a log, one right after the other: what was appended between them has its time from both.

    ``before`` is empty where there was none; ``growth`` is the consistency proof between the two, joined. Whose
    cosignatures make a quorum was judged by the register of ``register_version``.
    """

    before: bytes
    note: bytes
    growth: bytes
    register_version: bytes


@dataclass(frozen=True, slots=True)
class CosignedProof:
    """An entry of another member's log, proven to a note that a quorum of that log's witnesses cosigned."""

    member: str
    index: int
    hashes: bytes
    span: CosignedSpan


@dataclass(frozen=True, slots=True)
class Uncosigned:
    """An entry of another member's log of which a proof is kept that no quorum cosigned; ``leaf`` is its hash."""

    member: str
    index: int
    leaf: bytes


@dataclass(frozen=True, slots=True)
class AuditGrant:
    """Leave given to another member to see entries of our log of these events; ``since_time`` None for all of it."""

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
    """What was agreed with a member on a period: the digest, our RECONCILED entry, and theirs once it is here."""

    counterpart: str
    since_time: datetime
    until_time: datetime
    digest: bytes
    log_index: int
    theirs: ForeignProof | None = None


@dataclass(frozen=True, slots=True)
class Possession:
    """What is left of a message here: its header, and whether its ciphertexts are there."""

    author: str
    header: bytes
    has_body: bool


@dataclass(frozen=True, slots=True)
class Tally:
    """How many messages were exchanged with one member: ours to it, and its own to us."""

    counterpart: str
    sent: int
    receipted: int
    refused: int
    overdue: int
    received: int
    refused_here: int


class ErasureStep(IntEnum):
    """Where an erasure stands here. Stored as the number: never renumber; below ERASED there is something to do."""

    ASKED = 1
    GONE = 2
    """Deleted in the database; files may lie there yet, and the log does not say so yet."""
    ERASED = 3
    HELD = 4
    """Not erased: it is under legal hold."""
    NOT_HELD = 5
    """It was never here."""


@dataclass(frozen=True, slots=True)
class ErasureRow:
    """One message that one request asks to erase here. ``request`` is empty where the own member does it by itself.

    ``log_index`` is the entry of our log that answers, ``tell_time`` when the requester is to be told (again).
    """

    digest: bytes
    request: bytes
    requester: str
    step: ErasureStep
    asked_time: datetime
    log_index: int | None = None
    tell_time: datetime | None = None


@dataclass(frozen=True, slots=True)
class ErasureAnswer:
    """A holder's entry that answers a request of ours for one message, proven to its log; kept as evidence."""

    request: bytes
    digest: bytes
    member: str
    entry: bytes
    index: int
    hashes: bytes
    checkpoint: bytes
    register_version: bytes


@dataclass(frozen=True, slots=True)
class ReviewRow:
    """A message that is to be reviewed, and by when."""

    message: MessageRow
    review_time: datetime


@dataclass(frozen=True, slots=True)
class LogFact:
    """What an entry of the log says that is asked about. ``needless``: an opening without need."""

    index: int
    event: int
    actor: str
    counterpart: str
    needless: bool = False


@dataclass(frozen=True, slots=True)
class LogQuery:
    """Which entries of the own log to find, from index ``first`` on and below ``end``; what is not set is not asked."""

    first: int
    end: int
    limit: int
    events: tuple[int, ...] = ()
    actor: str = ""
    counterpart: str = ""
    digests: tuple[bytes, ...] = ()
    needless: bool = False
