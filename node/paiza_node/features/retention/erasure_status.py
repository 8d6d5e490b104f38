"""The status of erasures: requests of this member and their answers, and requests of others."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Final

from paiza.core.v1 import log_pb2, message_pb2
from paiza.officer.v1 import retention_pb2
from paiza_domain.threads import thread
from paiza_node.core.access import store as access_store
from paiza_node.core.access.model import MessageQuery, Officer
from paiza_node.core.access.need_to_know import list_scope
from paiza_node.core.api import paging
from paiza_node.core.dependencies import Core
from paiza_node.core.exchange.proofs import foreign_proof, own_proof
from paiza_node.core.log import store as log_store
from paiza_node.core.messages import store as messages_store
from paiza_node.core.messages.model import MessageRow
from paiza_node.core.storage import ReadConnection
from paiza_node.features.retention import store as retention_store
from paiza_node.features.retention.acknowledge import asked_of
from paiza_node.features.retention.model import ErasureAnswer, ErasureRow, ErasureStep
from paiza_wire.errors import Unavailable

ANSWER_WITHIN: Final = timedelta(hours=72)  # from the release: covers a weekend on which a node is offline
MAX_LISTED: Final = 500  # requests of our own, and of others, the newest

_STATES: Final = {
    ErasureStep.ASKED: retention_pb2.ERASURE_STATE_ASKED,
    ErasureStep.GONE: retention_pb2.ERASURE_STATE_ASKED,
    ErasureStep.ERASED: retention_pb2.ERASURE_STATE_ERASED,
    ErasureStep.HELD: retention_pb2.ERASURE_STATE_HELD,
    ErasureStep.NOT_HELD: retention_pb2.ERASURE_STATE_NOT_HELD,
}
_LATEST_NANOS: Final = 2**63 - 1  # the year 2262
_SAID: Final[Mapping[int, "retention_pb2.ErasureState.ValueType"]] = {
    log_pb2.LOG_EVENT_ERASED: retention_pb2.ERASURE_STATE_ERASED,
    log_pb2.LOG_EVENT_ERASURE_DENIED: retention_pb2.ERASURE_STATE_HELD,
    log_pb2.LOG_EVENT_NEVER_HELD: retention_pb2.ERASURE_STATE_NOT_HELD,
}
_DONE: Final = frozenset({retention_pb2.ERASURE_STATE_ERASED, retention_pb2.ERASURE_STATE_NOT_HELD})


class ErasureStatus:
    """Returns the status of erasures."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def __call__(
        self, officer: Officer, request: retention_pb2.ListErasuresRequest
    ) -> retention_pb2.ListErasuresResponse:
        """Return the erasures of messages that an officer may know of, the newest request first."""
        with self._core.store.reads() as reads:
            found = [*self._asked_by_us(reads, officer), *self._here(reads, officer)]
        if request.overdue_only:
            found = [each for each in found if each.overdue]
        found.sort(key=_place)
        page, more = paging.page_of(found, _place, request)
        return retention_pb2.ListErasuresResponse(erasures=page, next_page_token=more)

    def _asked_by_us(self, reads: ReadConnection, officer: Officer) -> Iterator[retention_pb2.Erasure]:
        query = MessageQuery(received=False, kind=thread.ERASURE, limit=MAX_LISTED, seen_by=list_scope(officer))
        rows = access_store.find_messages(reads, query)
        answers = {
            (a.request, a.digest, a.member): a
            for a in retention_store.erasure_answers(reads, [row.digest for row in rows])
        }
        for row in rows:
            header = message_pb2.Header.FromString(row.header)
            for digest in thread.to_be_erased(header):
                for holder in asked_of(reads, row.digest, header):
                    answer = answers.get((row.digest, digest, holder))
                    yield self._of_holder(row, digest, holder, answer)

    def _of_holder(
        self, request: MessageRow, digest: bytes, holder: str, answer: ErasureAnswer | None
    ) -> retention_pb2.Erasure:
        shown = retention_pb2.Erasure(
            request_digest=request.digest,
            message_digest=digest,
            thread_name=request.thread_name,
            requester=self._core.member,
            holder=holder,
            state=retention_pb2.ERASURE_STATE_ASKED,
        )
        if answer is not None:
            entry = log_pb2.LogEntry.FromString(answer.entry)
            if entry.event not in _SAID:
                raise Unavailable("log_damaged", f"the stored answer of {holder} is none")
            shown.state = _SAID[entry.event]
            shown.answer.CopyFrom(foreign_proof(answer))
        return self._timed(shown, request.stored_time)

    def _here(self, reads: ReadConnection, officer: Officer) -> Iterator[retention_pb2.Erasure]:
        rows = retention_store.erasures_here(reads, list_scope(officer), MAX_LISTED)
        found = {row.digest: messages_store.message(reads, row.digest) for row in rows}
        checkpoint = self._core.ledger.checkpoint
        said = [row.log_index for row in rows if row.log_index is not None and row.log_index < checkpoint.size]
        entries = {stored.index: stored for stored in log_store.entries_at(reads, said)}
        for row in rows:
            shown = self._of_ours(row, found[row.digest])
            stored = None if row.log_index is None else entries.get(row.log_index)
            if stored is not None:
                shown.answer.CopyFrom(own_proof(self._core.ledger, stored, checkpoint.size, checkpoint.note))
            yield shown

    def _of_ours(self, row: ErasureRow, message: MessageRow | None) -> retention_pb2.Erasure:
        shown = retention_pb2.Erasure(
            request_digest=row.request,
            message_digest=row.digest,
            thread_name="" if message is None else message.thread_name,
            requester=row.requester,
            holder=self._core.member,
            state=_STATES[row.step],
        )
        return self._timed(shown, row.asked_time)

    def _timed(self, shown: retention_pb2.Erasure, asked: datetime) -> retention_pb2.Erasure:
        """Return when it was requested, by when it should be answered, and whether that is past."""
        due = asked + ANSWER_WITHIN
        shown.asked_time.FromDatetime(asked)
        shown.due_time.FromDatetime(due)
        held = shown.state == retention_pb2.ERASURE_STATE_HELD
        shown.overdue = held or (shown.state not in _DONE and due <= self._core.clock())
        return shown


def _place(shown: retention_pb2.Erasure) -> str:
    """Return the place of an erasure in the list: the newest request first."""
    newest_first = _LATEST_NANOS - shown.asked_time.ToNanoseconds()
    return f"{newest_first:019}.{shown.message_digest.hex()}.{shown.holder}.{shown.request_digest.hex()}"
