"""Queries for lists of messages, and what lists show. Times are UTC; digests are 32 bytes."""

from dataclasses import dataclass, field
from datetime import datetime

from paiza_domain.threads.thread import UNMARKED, Marks
from paiza_node.core.access.model import Viewer
from paiza_node.core.exchange.model import DeliveryRow
from paiza_node.core.messages.model import MessageRow
from paiza_node.features.attachments.model import AttachmentRow


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
    attachments: list[AttachmentRow] = field(default_factory=list)
    linked: bool = False
    erased: bool = False
