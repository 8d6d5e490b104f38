"""Verification of what is sent: every delivery has its entries, every imported message names its source row."""

from datetime import UTC, datetime
from typing import Any, Final

from typing_extensions import override

from paiza.core.v1 import delivery_pb2, log_pb2
from paiza_node.core.errors import N_
from paiza_node.core.exchange import store as exchange_store
from paiza_node.core.exchange.model import DeliveryKind
from paiza_node.core.exchange.precedence import AHEAD_OF_FLASH, overtakes
from paiza_node.core.exchange.send import store as deliveries_store
from paiza_node.core.exchange.send.results import LONGEST_RETRY_SECONDS
from paiza_node.core.exchange.source_rows import row_text
from paiza_node.core.log import store as log_store
from paiza_node.core.messages import store as messages_store
from paiza_node.core.storage import ReadConnection, scanning
from paiza_node.core.storage.findings import Check, Part, Step, Tally
from paiza_node.core.storage.times import to_micros
from paiza_wire import log_entries

LONGEST_RETRY_MICROS: Final = int(LONGEST_RETRY_SECONDS * 1_000_000)
LONGEST_LIFE_MICROS: Final = 366 * 24 * 3600 * 1_000_000  # of a delivery, by any configuration

_ENDS: Final = {
    delivery_pb2.DELIVERY_STATE_DELIVERED: log_pb2.LOG_EVENT_DELIVERED,
    delivery_pb2.DELIVERY_STATE_REFUSED: log_pb2.LOG_EVENT_DELIVERY_REFUSED,
    delivery_pb2.DELIVERY_STATE_REJECTED: log_pb2.LOG_EVENT_DELIVERY_REFUSED,
    delivery_pb2.DELIVERY_STATE_EXPIRED: log_pb2.LOG_EVENT_EXPIRED,
    delivery_pb2.DELIVERY_STATE_DROPPED: log_pb2.LOG_EVENT_EXPIRED,
}
_GIVEN_UP: Final = {delivery_pb2.DELIVERY_STATE_EXPIRED: True, delivery_pb2.DELIVERY_STATE_DROPPED: False}
"""The states of abandoned deliveries, and whether their time was over: the entry is the same but for its reason."""
_RELEASES: Final = {
    int(DeliveryKind.OWN): log_pb2.LOG_EVENT_RELEASED,
    int(DeliveryKind.FORWARDED): log_pb2.LOG_EVENT_FORWARDED,
}
_ANSWERED: Final = (log_pb2.LOG_EVENT_RECEIVED, log_pb2.LOG_EVENT_REFUSED)
_ENDED: Final = (log_pb2.LOG_EVENT_DELIVERED, log_pb2.LOG_EVENT_DELIVERY_REFUSED, log_pb2.LOG_EVENT_EXPIRED)


class Deliveries(Check):
    """Verifies that deliveries and answers are exactly those the log records.

    Attempts and the detail of a reason are compared with nothing: they decide nothing, and the log has neither.
    """

    events = (log_pb2.LOG_EVENT_RELEASED, log_pb2.LOG_EVENT_FORWARDED, *_ANSWERED, *_ENDED)

    def __init__(self, scan: ReadConnection) -> None:
        self._scan = scan
        self._released, self._ended, self._answered = Tally(), Tally(), Tally()

    @override
    def read_entry(self, index: int, entry: log_pb2.LogEntry) -> None:
        event, digest, who = entry.event, entry.message_digest, entry.counterpart.encode()
        if event in (log_pb2.LOG_EVENT_RELEASED, log_pb2.LOG_EVENT_FORWARDED):
            self._released.add(b"%d %d %d" % (index, event, _micros(entry)), digest, who)
        elif log_entries.part_number(entry) is not None:  # about an attachment
            return
        elif event in _ANSWERED:
            self._answered.add(digest, b"%d" % index)
        else:
            self._ended.add(digest, who, b"%d %d" % (event, _micros(entry)), log_entries.reason(entry).encode())

    @override
    def verify(self, part: Part, step: Step) -> None:
        released, ended, answered = Tally(), Tally(), Tally()
        waiting, counted = Tally(), Tally()
        addressed: set[str] = set()
        latest = to_micros(datetime.now(UTC)) + LONGEST_RETRY_MICROS
        given = log_store.head(self._scan).deliveries
        for rows in deliveries_store.with_messages(self._scan):
            notices = [row.released_index for row in rows if row.delivery_kind == DeliveryKind.NOTICE]
            told = {each.index: each.entry for each in log_store.entries_at(self._scan, notices)}
            for row in rows:
                recipient = row.recipient.encode()
                addressed.add(row.recipient)
                # The entry that a notice sends to the author names the recipient of the message.
                if row.delivery_kind != DeliveryKind.NOTICE:
                    event = _RELEASES.get(row.delivery_kind, 0)
                    released.add(b"%d %d %d" % (row.released_index, event, row.released_time), row.digest, recipient)
                elif not _is_told(row, told.get(row.released_index)):
                    _delivery(part, row, N_("The log records no such forwarding."))
                if row.state in _ENDS:
                    settled = b"%d %d" % (_ENDS[row.state], row.settled_time or 0)
                    ended.add(row.digest, recipient, settled, row.reason.encode())
                elif row.state == delivery_pb2.DELIVERY_STATE_WAITING:
                    waiting.add(recipient)
                    if row.next_attempt_time > latest:
                        _delivery(part, row, N_("Its next attempt is later than any pause lasts."))
                if row.id > given or not _is_consistent(row):
                    _delivery(part, row, N_("The row says something else than its message or its state."))
            step(len(rows))
        queues = deliveries_store.queue_lengths(self._scan)
        for recipient, count in queues.items():
            counted.add(recipient.encode(), times=count)
        for rows in scanning.rows(self._scan, exchange_store.answer_table):
            for row in rows:
                answered.add(row.digest, b"%d" % row.log_index)
            step(len(rows))
        for rows in scanning.rows(self._scan, exchange_store.forwarding_table):
            for row in rows:
                if not row.denied:
                    answered.add(row.digest, b"%d" % row.log_index)
            step(len(rows))
        part.counts |= {"deliveries": released.count, "answers": answered.count}
        part.compare("RELEASED / delivery", self._released, released)
        part.compare("DELIVERED, DELIVERY_REFUSED, EXPIRED / delivery", self._ended, ended)
        part.compare("RECEIVED, REFUSED / answer", self._answered, answered)
        part.compare("delivery / outbound_queue", waiting, counted)
        # The deliveries of a member may all have been retired, and its queue stays.
        if not addressed <= queues.keys() or (queues.keys() > addressed and not self._may_lack()):
            part.find(
                "log_damaged",
                N_("The queues are not those of the members that something was sent to."),
                "outbound_queue",
            )

    def _may_lack(self) -> bool:
        return bool(scanning.count(self._scan, messages_store.retired_message_table))


def _micros(entry: log_pb2.LogEntry) -> int:
    return entry.entry_time.seconds * 1_000_000 + entry.entry_time.nanos // 1000


def _is_told(row: Any, entry: bytes | None) -> bool:
    """Return whether an entry is the forwarding that a notice tells the author of, of the time of the notice."""
    if entry is None:
        return False
    found = log_pb2.LogEntry.FromString(entry)
    said = found.event, found.message_digest, _micros(found)
    return said == (log_pb2.LOG_EVENT_FORWARDED, row.digest, row.released_time) and row.recipient == row.author


def _is_consistent(row: Any) -> bool:
    """Return whether a delivery, with columns of its message, agrees with that and with itself."""
    urgency = AHEAD_OF_FLASH if overtakes(row.kind or "") else row.message_urgency
    return (
        row.digest == row.message_digest
        and (row.urgency, row.urgent) == (urgency, urgency >= deliveries_store.URGENT_FROM)
        and row.released_time < row.expires_time <= row.released_time + LONGEST_LIFE_MICROS
        and (row.settled_time is None) == (row.state == delivery_pb2.DELIVERY_STATE_WAITING)
        and (row.state not in _GIVEN_UP or _GIVEN_UP[row.state] == (row.reason == "delivery_expired"))
    )


def _delivery(part: Part, row: Any, what: str) -> None:
    part.find(
        "log_damaged",
        what,
        N_("delivery of message {digest} to {member}"),
        digest=row.digest.hex(),
        member=row.recipient,
    )


class SourceRows(Check):
    """Verifies that every imported message names the row that it was released for: a row is sent once."""

    events = (log_pb2.LOG_EVENT_RELEASED,)

    def __init__(self, scan: ReadConnection) -> None:
        self._scan = scan
        self._logged = Tally()

    @override
    def read_entry(self, index: int, entry: log_pb2.LogEntry) -> None:
        if entry.text_sha256:
            self._logged.add(entry.message_digest)

    @override
    def verify(self, part: Part, step: Step) -> None:
        stored = Tally()
        for rows in messages_store.imported(self._scan):
            texts = set(log_store.texts_of(self._scan, [row.digest for row in rows]))
            for row in rows:
                stored.add(row.digest)
                if (row.digest, row_text(row.source_row)) not in texts:
                    part.find(
                        "log_damaged",
                        N_("The log records another source row of the message."),
                        N_("message {digest}"),
                        digest=row.digest.hex(),
                    )
            step(len(rows))
        part.compare("RELEASED / message.source_row", self._logged, stored)
