"""Reviews: every message has a review date. Officers are reminded and decide; decisions are logged.

A member decides on its own copy alone: other holders review theirs, and the author may have all erased.
"""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog

from paiza.core.v1 import log_pb2
from paiza.officer.v1 import retention_pb2
from paiza_domain.threads import thread
from paiza_node.core.access.model import Officer
from paiza_node.core.access.need_to_know import denied, list_scope, may_see
from paiza_node.core.api import paging
from paiza_node.core.dependencies import Core
from paiza_node.core.exchange.proofs import own_proof
from paiza_node.core.exchange.reactions import Reaction, ReceivedMessage, ReleasedMessage
from paiza_node.core.executors.periodic import PeriodicTask
from paiza_node.core.log.changes import ErasuresPlanned, MessagesChanged
from paiza_node.core.log.model import StoredEntry
from paiza_node.core.log.transaction import LogTransaction
from paiza_node.core.messages import store as messages_store
from paiza_node.core.messages.model import MessageRow
from paiza_node.features.retention import store as retention_store
from paiza_node.features.retention.holds import check_known, check_words
from paiza_node.features.retention.model import ErasureRow, ErasureStep, ReviewRow
from paiza_node.features.retention.notices import REVIEW_DUE, review_notice
from paiza_wire import log_entries
from paiza_wire.errors import Rejected

MAX_DAYS: Final = 36_525  # furthest date that can be listed, in days: a century
LONGEST_KEPT: Final = timedelta(days=3653)  # ten years: then it is reviewed again
REMIND_SECONDS: Final = 3600.0  # between checks for review dates that have come
MAX_REMINDED: Final = 200  # notices of one check; the list has the rest

log = structlog.get_logger("paiza.retention")


def _plan(tx: LogTransaction, messages: Sequence[ReceivedMessage] | Sequence[ReleasedMessage]) -> None:
    retention_store.put_reviews(
        tx.conn, [(each.row.seq, each.header.review_time.ToDatetime(tzinfo=UTC)) for each in messages]
    )


REVIEW_DATES: Final = Reaction(on_received=_plan, on_released=_plan)
"""The reaction of reviews: every message that is stored has a review date."""


class Reviews:
    """Handles reviews, and reminds officers. Belongs to one event loop."""

    def __init__(self, core: Core) -> None:
        """Store the core."""
        self._core = core
        self._reminded_until = core.clock()
        self.task = PeriodicTask(self._remind, period=REMIND_SECONDS, failed="not_reminded")

    async def listed(
        self, officer: Officer, request: retention_pb2.ListReviewsRequest
    ) -> retention_pb2.ListReviewsResponse:
        """Return the messages whose review date is past or near, of those an officer may know of."""
        if request.days_ahead > MAX_DAYS:
            raise Rejected("malformed", f"days_ahead is at most {MAX_DAYS}")
        return await asyncio.to_thread(self._listed, officer, request)

    def _listed(self, officer: Officer, request: retention_pb2.ListReviewsRequest) -> retention_pb2.ListReviewsResponse:
        now = self._core.clock()
        size = paging.page_size(request)
        numbers = paging.numbers_of(request, 2)
        after = None if numbers is None else (paging.time_of(numbers[0]), numbers[1])
        answer = retention_pb2.ListReviewsResponse()
        with self._core.store.reads() as reads:
            found = retention_store.reviews(
                reads, now + timedelta(days=request.days_ahead), list_scope(officer), size + 1, after
            )
            if len(found) > size:
                del found[size:]
                last = found[-1]
                answer.next_page_token = paging.token_of(paging.micros_of(last.review_time), last.message.seq)
            held = retention_store.holds(reads, [each.message.digest for each in found])
        for each in found:
            shown = answer.reviews.add(
                message_digest=each.message.digest,
                header=each.message.header,
                thread_name=each.message.thread_name,
                unit=each.message.unit or "",
                overdue=each.review_time <= now,
                held=each.message.digest in held,
            )
            shown.review_time.FromDatetime(each.review_time)
        return answer

    async def keep(
        self, officer: Officer, request: retention_pb2.KeepMessageRequest
    ) -> retention_pb2.KeepMessageResponse:
        """Keep a message until another date.

        Rejected: unknown_id (logged), erased, malformed (no date, or not one within ten years), reason_missing,
        too_large, policy_denied (logged).
        """
        now = self._core.clock()
        until = request.keep_until_time.ToDatetime(tzinfo=UTC) if request.HasField("keep_until_time") else None
        if until is None or not now < until <= now + LONGEST_KEPT:
            raise Rejected("malformed", f"it is kept until a date within {LONGEST_KEPT.days} days from now")
        reviewed = await self._commit(officer, request.message_digest, request.reason_text, until)
        return retention_pb2.KeepMessageResponse(reviewed=reviewed)

    async def erase(
        self, officer: Officer, request: retention_pb2.EraseOwnCopyRequest
    ) -> retention_pb2.EraseOwnCopyResponse:
        """Erase the own copy of a message.

        Rejected: unknown_id (logged), erased, legal_hold, reason_missing, too_large, workflow_breach (a step of a
        workflow before its date), policy_denied (logged).
        """
        reviewed = await self._commit(officer, request.message_digest, request.reason_text, None)
        return retention_pb2.EraseOwnCopyResponse(reviewed=reviewed)

    async def _commit(self, officer: Officer, digest: bytes, reason: str, keep: datetime | None) -> log_pb2.LogProof:
        """Commit one decision and return the proof of its entry; without a date the own copy is erased."""
        core = self._core
        check_words(reason)
        committed = await core.ledger.commit(lambda tx: self._decide(tx, officer, digest, reason, keep))
        if isinstance(committed.result, Rejected):
            raise committed.result
        return own_proof(core.ledger, committed.result, committed.checkpoint.size, committed.checkpoint.note)

    def _decide(
        self, tx: LogTransaction, officer: Officer, digest: bytes, reason: str, keep: datetime | None
    ) -> StoredEntry | Rejected:
        refused = check_known(tx, officer, digest)
        if refused is not None:
            return refused
        row = messages_store.message(tx.conn, digest)
        assert row is not None, "what is known has a row"
        if not may_see(tx.conn, officer, row):
            return denied(tx, officer, digest)
        if messages_store.erased(tx.conn, [digest]):
            return Rejected("erased", "the content was erased before")
        due = retention_store.review(tx.conn, row.seq)
        against = self._against(tx, row, due) if keep is None else None
        if against is not None:
            return against
        if keep is None:
            entry = tx.append(log_entries.review_erased(actor=officer.id, digest=digest), text=reason)
            retention_store.drop_review(tx.conn, row.seq)
            retention_store.put_erasures(
                tx.conn, [ErasureRow(digest, b"", self._core.member, ErasureStep.ASKED, tx.now)]
            )
            tx.announce(ErasuresPlanned())
        else:
            kept = log_entries.review_kept(actor=officer.id, digest=digest)
            entry = tx.append(kept, text=f"{keep:%Y-%m-%d}: {reason}")
            retention_store.put_reviews(tx.conn, [(row.seq, keep)])
        tx.announce(MessagesChanged((digest,)))
        return entry

    def _against(self, tx: LogTransaction, row: MessageRow, due: datetime | None) -> Rejected | None:
        """Return why the own copy may not be erased."""
        if retention_store.holds(tx.conn, [row.digest]):
            return Rejected("legal_hold", "the message is under legal hold")
        if row.kind == thread.ERASURE:
            return Rejected("invalid_header", "a request to erase says why something is gone, and stays")
        if thread.is_step(row.kind) and (due is None or due > tx.now):
            return Rejected("workflow_breach", "others rest on a step of a workflow: it is kept until its review date")
        return None

    async def _remind(self) -> None:
        """Notify watching officers of review dates that have come since the last notice."""
        now = self._core.clock()
        for due in await asyncio.to_thread(self._due_between, self._reminded_until, now):
            self._core.notifier.tell(review_notice(due, REVIEW_DUE))
        self._reminded_until = now

    def _due_between(self, since: datetime, until: datetime) -> list[ReviewRow]:
        with self._core.store.reads() as reads:
            return retention_store.reviews_between(reads, since, until, MAX_REMINDED)
