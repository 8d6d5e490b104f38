"""Lawfulness at the own node: what is to be erased, held and reviewed. Proofs are checked."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Final, Literal

import grpc

from paiza.core.v1 import log_pb2, message_pb2
from paiza.officer.v1 import retention_pb2, retention_pb2_grpc
from paiza_client.verify.logs import LogReader, Registers
from paiza_client.verify.model import Proof
from paiza_officer import channel
from paiza_officer.errors import NotProven, located
from paiza_wire import log_entries, receipts
from paiza_wire.message import message_digest, parse_header

MAX_PAGE: Final = 500  # reviews the node gives at once
MAX_LISTED: Final = 5_000  # erasures, holds or reviews of one answer

ErasureState = Literal["asked", "erased", "held", "not_held", "unknown"]
_STATES: Final[Mapping[int, ErasureState]] = MappingProxyType({
    retention_pb2.ERASURE_STATE_ASKED: "asked",
    retention_pb2.ERASURE_STATE_ERASED: "erased",
    retention_pb2.ERASURE_STATE_HELD: "held",
    retention_pb2.ERASURE_STATE_NOT_HELD: "not_held",
})  # fmt: skip
_ANSWERS: Final[Mapping[str, ErasureState]] = MappingProxyType({
    "ERASED": "erased",
    "NEVER_HELD": "not_held",
    "ERASURE_DENIED": "held",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Erasure:
    """The state of an erasure at one holder; ``answer`` is the proven entry of the holder's log."""

    request: bytes
    digest: bytes
    thread_name: str
    requester: str
    holder: str
    state: ErasureState
    asked_time: datetime
    due_time: datetime
    overdue: bool
    answer: Proof | None


@dataclass(frozen=True, slots=True)
class Hold:
    """A message under legal hold, as the own node says."""

    digest: bytes
    thread_name: str
    actor: str
    since_time: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class Review:
    """A message that is to be reviewed; the header fits the digest."""

    digest: bytes
    header: message_pb2.Header
    thread_name: str
    unit: str
    review_time: datetime
    overdue: bool
    held: bool


class Retention:
    """The session's calls for retention."""

    def __init__(self, connection: grpc.aio.Channel, call: channel.Call, registers: Registers, member: str) -> None:
        self._stub = retention_pb2_grpc.RetentionServiceStub(connection)
        self._call = call
        self._registers = registers
        self._member = member

    async def erasures(self, *, overdue_only: bool = False) -> list[Erasure]:
        """Return how erasures stand: those this member asked for, and those asked of it."""
        request = retention_pb2.ListErasuresRequest(overdue_only=overdue_only, page_size=MAX_PAGE)
        reader = LogReader(self._registers)
        found: list[Erasure] = []
        async for page in channel.pages(self._call, self._stub.ListErasures, request):
            _bound(len(found) + len(page.erasures))
            found += [self._erasure(reader, each) for each in page.erasures]
        return found

    def _erasure(self, reader: LogReader, shown: retention_pb2.Erasure) -> Erasure:
        proof = None
        state: ErasureState = "asked"
        if shown.HasField("answer"):
            proof, _entry = reader.proof(shown.answer)
            where = f"{proof.origin} #{proof.index}"
            if (proof.member, proof.digest) != (shown.holder, shown.message_digest):
                raise NotProven("bad_proof", where, "the entry is of another member or message")
            if log_entries.request_digest(_entry.entry) != shown.request_digest:
                raise NotProven("bad_proof", where, "the entry answers another request")
            if shown.request_digest and shown.holder != shown.requester:
                with located(where, NotProven):
                    receipts.check_erasure_answer(_entry.entry, shown.requester)
            state = _ANSWERS.get(proof.event, "unknown")
        elif shown.state != retention_pb2.ERASURE_STATE_ASKED:
            raise NotProven("proof_missing", shown.message_digest.hex()[:16], "an answer without the holder's entry")
        return Erasure(
            request=shown.request_digest,
            digest=shown.message_digest,
            thread_name=shown.thread_name,
            requester=shown.requester,
            holder=shown.holder,
            state=state,
            asked_time=shown.asked_time.ToDatetime(tzinfo=UTC),
            due_time=shown.due_time.ToDatetime(tzinfo=UTC),
            overdue=shown.overdue,
            answer=proof,
        )

    async def place_hold(self, digest: bytes, reason: str) -> Proof:
        """Put a message under legal hold; return the proof that it was logged."""
        request = retention_pb2.PlaceHoldRequest(message_digest=digest, reason_text=reason)
        answer: retention_pb2.PlaceHoldResponse = await self._call(
            lambda: self._stub.PlaceHold(request, timeout=channel.CALL_SECONDS)
        )
        return self._done(answer.held, "HELD", digest)

    async def release_hold(self, digest: bytes, reason: str) -> Proof:
        """Release a message from legal hold; return the proof that it was logged."""
        request = retention_pb2.ReleaseHoldRequest(message_digest=digest, reason_text=reason)
        answer: retention_pb2.ReleaseHoldResponse = await self._call(
            lambda: self._stub.ReleaseHold(request, timeout=channel.CALL_SECONDS)
        )
        return self._done(answer.released, "HOLD_RELEASED", digest)

    async def holds(self) -> list[Hold]:
        """Return the messages under legal hold."""
        request = retention_pb2.ListHoldsRequest(page_size=MAX_PAGE)
        found: list[Hold] = []
        async for page in channel.pages(self._call, self._stub.ListHolds, request):
            _bound(len(found) + len(page.holds))
            found += [
                Hold(
                    each.message_digest,
                    each.thread_name,
                    each.actor,
                    each.since_time.ToDatetime(tzinfo=UTC),
                    each.reason_text,
                )
                for each in page.holds
            ]
        return found

    async def reviews(self, days_ahead: int = 0) -> list[Review]:
        """Return the messages whose review date is past, or comes within so many days."""
        request = retention_pb2.ListReviewsRequest(days_ahead=days_ahead, page_size=MAX_PAGE)
        found: list[Review] = []
        async for page in channel.pages(self._call, self._stub.ListReviews, request):
            _bound(len(found) + len(page.reviews))
            found += [_review(each) for each in page.reviews]
        return found

    async def keep(self, digest: bytes, reason: str, until: datetime) -> Proof:
        """Keep a message until a date; return the proof that it was logged."""
        request = retention_pb2.KeepMessageRequest(message_digest=digest, reason_text=reason)
        request.keep_until_time.FromDatetime(until)
        answer: retention_pb2.KeepMessageResponse = await self._call(
            lambda: self._stub.KeepMessage(request, timeout=channel.CALL_SECONDS)
        )
        return self._done(answer.reviewed, "REVIEW_KEPT", digest)

    async def erase_own_copy(self, digest: bytes, reason: str) -> Proof:
        """Erase the own member's copy of a message; return the proof that it was logged."""
        request = retention_pb2.EraseOwnCopyRequest(message_digest=digest, reason_text=reason)
        answer: retention_pb2.EraseOwnCopyResponse = await self._call(
            lambda: self._stub.EraseOwnCopy(request, timeout=channel.CALL_SECONDS)
        )
        return self._done(answer.reviewed, "REVIEW_ERASED", digest)

    def _done(self, logged: log_pb2.LogProof, event: str, digest: bytes) -> Proof:
        proof, _entry = LogReader(self._registers).proof(logged)
        if (proof.event, proof.member, proof.digest) != (event, self._member, digest):
            raise NotProven("bad_proof", f"{proof.origin} #{proof.index}", "the entry is not of this act")
        return proof


def _review(shown: retention_pb2.Review) -> Review:
    where = shown.message_digest.hex()[:16]
    if message_digest(shown.header) != shown.message_digest:
        raise NotProven("bad_proof", where, "the header does not have the digest of the message")
    with located(where, NotProven):
        header = parse_header(shown.header)
    return Review(
        digest=shown.message_digest,
        header=header,
        thread_name=shown.thread_name,
        unit=shown.unit,
        review_time=shown.review_time.ToDatetime(tzinfo=UTC),
        overdue=shown.overdue,
        held=shown.held,
    )


def _bound(count: int) -> None:
    if count > MAX_LISTED:
        raise NotProven("too_large", "", f"the node lists {count}, over the limit of {MAX_LISTED}")
