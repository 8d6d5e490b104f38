"""Limits of an operation's participants: which messages of its thread may go to whom, checked before release.

The operation's description is sealed in the thread; this node opens it with its own key when a message of the thread is
about to be released, and does not store it. Messages of other members are not checked here: their own nodes did, and
results leave out what does not count.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from paiza.content.v1.operation_pb2 import Operation
from paiza.core.v1 import message_pb2
from paiza_domain import kinds
from paiza_domain.operations import operations
from paiza_domain.threads import thread
from paiza_domain.threads.thread import UNAMENDED, ThreadMessage
from paiza_node.core.access.model import Officer
from paiza_node.core.exchange.stages import Moment, ReleaseSession, ReleaseStage, Submission
from paiza_node.core.messages import markings
from paiza_node.core.messages import store as messages_store
from paiza_node.core.messages.decryption import DecryptionKeys, stored
from paiza_node.core.messages.model import MessageRow
from paiza_node.core.storage import ReadConnection
from paiza_wire.errors import Rejected

# They go to the recipients of the message they are about, whatever that member's role is by now.
EXEMPT: Final = frozenset({thread.RECALL, thread.CORRECTION, "acknowledgement", "feedback"})


class OperationLimits:
    """Checks messages against the operation of their thread."""

    def __init__(self, decryption_keys: DecryptionKeys) -> None:
        """Store the decryption keys."""
        self._decryption_keys = decryption_keys

    def stage(self) -> ReleaseStage:
        """Return the stage of operations in a release."""
        return ReleaseStage("operation limits", self._open)

    def _open(self, at: Moment, _officer: Officer, _batch: Sequence[Submission]) -> ReleaseSession:
        def judge(item: Submission, _before: Sequence[MessageRow]) -> Rejected | None:
            return self.refusal(at.conn, item.message.header, at.now)

        return ReleaseSession(judge=judge)

    def refusal(self, reads: ReadConnection, header: message_pb2.Header, now: datetime) -> Rejected | None:
        """Return why a message may not be released to a recipient; None in a thread without an operation."""
        if header.thread_id == header.message_id or header.kind in EXEMPT:
            return None
        found = self._current(reads, header.thread_id)
        if found is None:
            return None
        nominal = any(part.kind == message_pb2.PART_KIND_NOMINAL_ANNEX for part in header.parts)
        beyond = [
            recipient.member
            for recipient in header.recipients
            if not operations.may_receive(found, recipient.member, header.kind, now, nominal=nominal)
        ]
        if not beyond:
            return None
        return Rejected("policy_denied", f"beyond the limits of their part in the operation: {', '.join(beyond)}")

    def _current(self, reads: ReadConnection, thread_id: bytes) -> Operation | None:
        rows = messages_store.operations(reads, thread_id)
        if not rows:
            return None
        marks = markings.marks(reads, rows)
        folded = [self._opened(reads, row, recalled=bool(marks.get(row.digest, UNAMENDED).recalled_by)) for row in rows]
        found = operations.current(folded)
        return None if found is None else found[1]

    def _opened(self, reads: ReadConnection, row: MessageRow, *, recalled: bool) -> ThreadMessage:
        header = message_pb2.Header.FromString(row.header)
        return ThreadMessage(row.digest, header, row.stored_time.astimezone(UTC), self._content(reads, row), recalled)

    def _content(self, reads: ReadConnection, row: MessageRow) -> Operation | None:
        body = messages_store.body(reads, row.seq)
        if body is None:
            return None
        try:
            message = stored(body)
            content = self._decryption_keys.content(
                message, kinds.get(message.header.kind, message.header.kind_version)
            )
        except Rejected:  # a key is missing, or it is malformed: it stays closed
            return None
        return content if isinstance(content, Operation) else None
