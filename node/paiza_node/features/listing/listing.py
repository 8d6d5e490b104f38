"""Lists of messages: a page is one query, and one look-up in each package that owns data about its messages."""

from collections.abc import Collection, Mapping
from typing import Final

from paiza.core.v1 import delivery_pb2
from paiza.officer.v1 import officer_pb2
from paiza_domain.threads.thread import UNAMENDED
from paiza_node.core.access import store as access_store
from paiza_node.core.access.model import MessageQuery, Viewer
from paiza_node.core.exchange.model import DeliveryRow
from paiza_node.core.exchange.send import store as deliveries_store
from paiza_node.core.messages import markings
from paiza_node.core.messages import store as messages_store
from paiza_node.core.messages.model import MessageRow, MessageState
from paiza_node.core.storage import ReadConnection
from paiza_node.features.attachments import store as attachments_store
from paiza_node.features.attachments.attached import attachment_status
from paiza_node.features.listing.model import ListedMessage, ReadMessage

MAX_MARKS: Final = 32  # recalls or corrections of one message in a list: an author may send thousands


def list_messages(conn: ReadConnection, query: MessageQuery, officer: str) -> list[ListedMessage]:
    """Return messages that match, newest first, with their states."""
    return _opened_by(conn, access_store.find_messages(conn, query), officer)


def listed(
    conn: ReadConnection, digests: Collection[bytes], officer: str, viewer: Viewer | None = None
) -> list[ListedMessage]:
    """Return those of these messages that ``viewer`` sees, in list form, in order of arrival."""
    return _opened_by(conn, access_store.seen_messages(conn, digests, viewer), officer)


def read(conn: ReadConnection, digests: Collection[bytes]) -> list[ReadMessage]:
    """Return these messages, as far as they are stored, for any officers; who sees them is the caller's to decide."""
    messages = access_store.seen_messages(conn, digests)
    openers = access_store.openers(conn, digests)
    readers = access_store.readers(conn, [row.seq for row in messages])
    return [
        ReadMessage(listed, frozenset(openers.get(listed.row.digest, ())), frozenset(readers.get(listed.row.seq, ())))
        for listed in _with_facts(conn, messages, "", openers)
    ]


def message_info(listed: ListedMessage, subject: tuple[bytes, bytes] = (b"", b"")) -> officer_pb2.MessageInfo:
    """Return a message in list form; ``subject`` is the sealed one and its key."""
    row = listed.row
    sealed, key = subject
    info = officer_pb2.MessageInfo(
        message_digest=row.digest,
        header=row.header,
        thread_name=row.thread_name,
        opened_by_caller=listed.opened_by_caller,
        opened=listed.opened,
        deliveries=[delivery_info(delivery) for delivery in listed.deliveries],
        attachments=[attachment_status(row) for row in listed.attachments],
        sequence=row.seq,
        received=row.received,
        recalled_by=listed.marks.recalled_by[-MAX_MARKS:],
        corrected_by=listed.marks.corrected_by[-MAX_MARKS:],
        replaced_by=listed.marks.replaced_by,
        linked=listed.linked,
        erased=listed.erased,
        subject=sealed,
        subject_key=key,
    )
    info.stored_time.FromDatetime(row.stored_time)
    return info


def delivery_info(delivery: DeliveryRow) -> delivery_pb2.Delivery:
    """Return the state of a message at one recipient."""
    info = delivery_pb2.Delivery(
        recipient=delivery.recipient,
        state=delivery.state,  # type: ignore[arg-type]  # the number is that of the enum
        reason=delivery.reason,
        detail=delivery.detail,
        attempts=delivery.attempts,
    )
    if delivery.settled_time is not None:
        info.settled_time.FromDatetime(delivery.settled_time)
    return info


def _opened_by(conn: ReadConnection, messages: list[MessageRow], officer: str) -> list[ListedMessage]:
    return _with_facts(conn, messages, officer, access_store.openers(conn, [row.digest for row in messages]))


def _with_facts(
    conn: ReadConnection, messages: list[MessageRow], officer: str, openers: Mapping[bytes, Collection[str]]
) -> list[ListedMessage]:
    """Read the states of the messages of a page: one query to each owner."""
    digests = [row.digest for row in messages]
    deliveries = deliveries_store.by_message(conn, [row.seq for row in messages if row.state is MessageState.RELEASED])
    marks = markings.marks(conn, messages)
    attachments = attachments_store.attachments_of(conn, digests)
    erased = messages_store.erased(conn, digests)
    return [
        ListedMessage(
            row,
            officer in openers.get(row.digest, ()),
            row.digest in openers,
            deliveries.get(row.seq, []),
            marks=marks.get(row.digest, UNAMENDED),
            attachments=attachments.get(row.digest, []),
            erased=row.digest in erased,
        )
        for row in messages
    ]
