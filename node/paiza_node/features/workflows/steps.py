"""The steps of a thread: its messages, opened if a workflow needs their content. Kept in memory only.

A message is opened with the node's own key when a workflow needs it, and its content is cached by digest. Messages of
kinds that are no steps are not opened: they only count as ancestors in the thread.
"""

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from typing import Final

import structlog

from paiza.core.v1 import log_pb2, message_pb2
from paiza_domain import kinds, validation
from paiza_domain.schema.kind import Kind
from paiza_domain.workflows.step import Step
from paiza_node.core.exchange import precedence
from paiza_node.core.exchange import store as exchange_store
from paiza_node.core.exchange.model import ProofKind
from paiza_node.core.exchange.stages import SubmittedMessage
from paiza_node.core.messages import store as messages_store
from paiza_node.core.messages.decryption import DecryptionKeys, stored
from paiza_node.core.messages.model import MessageRow, MessageState
from paiza_node.core.storage import ReadConnection
from paiza_node.features.workflows.deconfliction import Identifiers, identifiers_of
from paiza_wire import message as wire
from paiza_wire.errors import Rejected

MAX_KEPT: Final = 4096  # opened steps; a delivery has some thirty, and each is a few kilobytes
ACKNOWLEDGEMENT: Final = "acknowledgement"  # of no workflow, and yet an answer to a step of any
_RELEASES: Final = frozenset({ProofKind.RELEASED, ProofKind.ORIGIN})  # to any recipient

log = structlog.get_logger("paiza.workflows")


NO_STEP: Final = ""  # the kind of a message that moves nothing: the others may follow from it


class Steps:
    """Opens messages of threads and caches them. Thread-safe."""

    def __init__(self, decryption_keys: DecryptionKeys) -> None:
        """Store the decryption keys."""
        self._decryption_keys = decryption_keys
        self._lock = threading.Lock()
        self._kept: OrderedDict[bytes, Step] = OrderedDict()

    def of_thread(self, reads: ReadConnection, thread_id: bytes) -> list[Step]:
        """Return every message of a thread that this node holds and can read, in order of arrival.

        An exercise in a real thread is no step, and neither is a real message in an exercise, unless it is a stop: a
        member whose node let it pass moves nothing by it.
        """
        rows = messages_store.thread(reads, thread_id)
        exercise = is_exercise(rows)
        found = []
        for row in rows:
            step = self._step(reads, row)
            if step is None:
                continue
            of_row = wire.parse_header(row.header).exercise
            if of_row != exercise and (of_row or not precedence.overtakes(row.kind)):
                step = replace(step, kind=NO_STEP, content=None)
            found.append(step)
        return found

    def open(self, message: SubmittedMessage, released: datetime) -> Step:
        """Open a message that is about to be released; Rejected if every recipient would refuse its content."""
        header = message.header
        unsealed = self._decryption_keys.parts(message)
        main, *annex = unsealed.parts
        validation.check_message(header, main, annex[0] if annex else None, released, subject=unsealed.subject)
        content = kinds.get(header.kind, header.kind_version).content.FromString(main)
        return Step.of(header, message.digest, content, released)

    def identifiers_of(self, reads: ReadConnection, row: MessageRow) -> Identifiers:
        """Return the identifiers of a step, including its nominal annex; empty for no step or an unreadable one."""
        kind, body = known_kind(wire.parse_header(row.header)), messages_store.body(reads, row.seq)
        if kind is None or not kind.workflow or body is None:
            return Identifiers()
        try:
            message = stored(body)
            content, annex = self._decryption_keys.content(message, kind), self._decryption_keys.annex(message, kind)
        except Rejected as error:
            log.warning("step_unreadable", digest=row.digest.hex(), reason=error.reason)
            return Identifiers()
        return identifiers_of(kind, content, annex)

    def _step(self, reads: ReadConnection, row: MessageRow) -> Step | None:
        with self._lock:
            kept = self._kept.get(row.digest)
            if kept is not None:
                self._kept.move_to_end(row.digest)
        # Content cached in a transaction that was rolled back may have been released anew since then.
        if kept is not None and (row.received or kept.release_time == row.stored_time):
            return kept
        try:
            step = self._read(reads, row)
        except Rejected as error:  # it was received once: a key is missing, or it was erased
            log.warning("step_unreadable", digest=row.digest.hex(), reason=error.reason)
            return None
        with self._lock:
            self._kept[row.digest] = step
            if len(self._kept) > MAX_KEPT:
                self._kept.popitem(last=False)
        return step

    def _read(self, reads: ReadConnection, row: MessageRow) -> Step:
        header = wire.parse_header(row.header)
        kind = known_kind(header)
        content = None
        if kind is not None and (kind.workflow or kind.name == ACKNOWLEDGEMENT):
            body = messages_store.body(reads, row.seq)
            if body is None:
                raise Rejected("unknown_id", "its content was erased")
            content = self._decryption_keys.content(stored(body), kind)
        return Step.of(header, row.digest, content, _release_time(reads, row))


def is_exercise(rows: Sequence[MessageRow]) -> bool:
    """Return whether a thread is an exercise: by the message that opened it, or else the first one that is here."""
    opener = next((row for row in rows if row.thread_id == row.message_id), rows[0] if rows else None)
    return opener is not None and wire.parse_header(opener.header).exercise


@cache
def _moving() -> frozenset[str]:
    steps = {name for name, kind in kinds.all_kinds().items() if kind.workflow}
    return frozenset({*steps, ACKNOWLEDGEMENT} if steps else ())


def is_step(kind: str) -> bool:
    """Return whether messages of this kind may be steps of a workflow."""
    return kind in _moving()


def known_kind(header: message_pb2.Header) -> Kind | None:
    """Return the kind of a message; None if this node no longer knows it."""
    try:
        return kinds.get(header.kind, header.kind_version)
    except Rejected:
        return None


def _release_time(reads: ReadConnection, row: MessageRow) -> datetime:
    """Return when the author's log released a message."""
    if row.state is MessageState.RELEASED:
        return row.stored_time
    for proof in exchange_store.proofs(reads, row.digest):
        if proof.kind in _RELEASES and proof.member == row.author:
            return log_pb2.LogEntry.FromString(proof.entry).entry_time.ToDatetime(tzinfo=UTC)
    raise Rejected("proof_missing", "the proof of its release is gone")
