"""Lawfulness at the own node: who read what and why, what is to be erased, held and reviewed. Proofs are checked.

The node says which entries meet a question, and can withhold one; it cannot alter or invent any. Whether an officer had
need of what he opened is the node's own judgement.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Final, Literal

import grpc

from paiza.v1 import lawful_pb2, lawful_pb2_grpc, log_pb2, message_pb2
from paiza_client.errors import NotProven, located
from paiza_client.logs import LogReader, Registers, event_name
from paiza_client.model import Proof
from paiza_client.session import channel
from paiza_wire import receipts
from paiza_wire.message import message_digest, parse_header

MAX_PAGE: Final = 500  # entries the node gives at once
MAX_ENTRIES: Final = 100_000  # of one question
MAX_LISTED: Final = 5_000  # erasures, holds or reviews of one answer

ErasureState = Literal["asked", "erased", "held", "not_held", "unknown"]
_STATES: Final[Mapping[int, ErasureState]] = MappingProxyType({
    lawful_pb2.ERASURE_STATE_ASKED: "asked",
    lawful_pb2.ERASURE_STATE_ERASED: "erased",
    lawful_pb2.ERASURE_STATE_HELD: "held",
    lawful_pb2.ERASURE_STATE_NOT_HELD: "not_held",
})  # fmt: skip
_ANSWERS: Final[Mapping[tuple[str, str], ErasureState]] = MappingProxyType({
    ("ERASED", ""): "erased",
    ("ERASED", receipts.NOT_HELD): "not_held",
    ("DENIED", receipts.LEGAL_HOLD): "held",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class LogQuestion:
    """Which entries of the own log to read; what is not set does not restrict."""

    events: tuple[str, ...] = ()
    actor: str = ""
    counterpart: str = ""
    since: datetime | None = None
    until: datetime | None = None
    digest: bytes = b""
    without_need: bool = False


@dataclass(frozen=True, slots=True)
class LoggedAct:
    """An entry of the own log, proven, and the text beside it; empty where there is none or it was erased."""

    proof: Proof
    text: str
    purpose: str


@dataclass(frozen=True, slots=True)
class Erasure:
    """How the erasure of one message stands at one holder; ``answer`` proves what the holder's log says."""

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


class Lawful:
    """What a session can ask and decide about lawfulness."""

    def __init__(self, connection: grpc.aio.Channel, call: channel.Call, registers: Registers, member: str) -> None:
        self._stub = lawful_pb2_grpc.LawfulServiceStub(connection)
        self._call = call
        self._registers = registers
        self._member = member

    async def read_log(self, question: LogQuestion, limit: int = MAX_ENTRIES) -> list[LoggedAct]:
        """Read the own log; every entry is proven and meets the question. That it was read is logged."""
        reader = LogReader(self._registers)
        found: list[LoggedAct] = []
        index = 0
        while True:
            request = _request(question)
            request.from_index, request.page_size = index, min(MAX_PAGE, limit - len(found))
            answer: lawful_pb2.ReadLogResponse = await self._call(
                lambda request=request: self._stub.ReadLog(request, timeout=channel.CALL_SECONDS)  # type: ignore[misc]
            )
            page = [self._act(reader, each, answer.checkpoint, question) for each in answer.entries]
            places = [act.proof.index for act in (*found[-1:], *page)]
            if places != sorted(set(places)) or (page and page[0].proof.index < index):
                raise NotProven("unexpected_answer", self._member, "the entries are not in order")
            found += page
            if not answer.next_index or len(found) >= limit:
                return found
            if answer.next_index <= max(index, places[-1] if places else 0):
                raise NotProven("unexpected_answer", self._member, "the pages lead nowhere")
            index = answer.next_index

    def _act(self, reader: LogReader, read: lawful_pb2.ReadEntry, note: bytes, question: LogQuestion) -> LoggedAct:
        proof, entry = reader.entry(read.proven, note)
        where = f"{proof.origin} #{proof.index}"
        if proof.member != self._member:
            raise NotProven("bad_proof", where, "an entry of another member's log")
        if not _meets(proof, question):
            raise NotProven("unexpected_answer", where, "the entry does not meet the question")
        parsed = entry.entry
        if read.text and receipts.text_digest(parsed.salt, read.text) != parsed.text_sha256:
            raise NotProven("bad_proof", where, "the text is not the one the entry commits to")
        return LoggedAct(proof, read.text, parsed.purpose)

    async def erasures(self, *, overdue_only: bool = False) -> list[Erasure]:
        """Say how erasures stand: those this member asked for, and those asked of it."""
        answer: lawful_pb2.ListErasuresResponse = await self._call(
            lambda: self._stub.ListErasures(
                lawful_pb2.ListErasuresRequest(overdue_only=overdue_only), timeout=channel.CALL_SECONDS
            )
        )
        _bound(len(answer.erasures))
        reader = LogReader(self._registers)
        return [self._erasure(reader, each) for each in answer.erasures]

    def _erasure(self, reader: LogReader, shown: lawful_pb2.Erasure) -> Erasure:
        proof = None
        state: ErasureState = "asked"
        if shown.HasField("answer"):
            proof, _entry = reader.proof(shown.answer)
            where = f"{proof.origin} #{proof.index}"
            if (proof.member, proof.digest) != (shown.holder, shown.message_digest):
                raise NotProven("bad_proof", where, "the entry is of another member or message")
            if _entry.entry.evidence_sha256 != shown.request_digest:
                raise NotProven("bad_proof", where, "the entry answers another request")
            if shown.request_digest and shown.holder != shown.requester:
                with located(where, NotProven):
                    receipts.check_erasure_answer(_entry.entry, shown.requester)
            state = _ANSWERS.get((proof.event, proof.reason), "unknown")
        elif shown.state != lawful_pb2.ERASURE_STATE_ASKED:
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

    async def hold(self, digest: bytes, reason: str, *, lift: bool = False) -> Proof:
        """Put a message under legal hold, or lift that; gives the proof that it was logged."""
        request = lawful_pb2.ChangeHoldRequest(message_digest=digest, reason_text=reason, lift=lift)
        answer: lawful_pb2.ChangeHoldResponse = await self._call(
            lambda: self._stub.ChangeHold(request, timeout=channel.CALL_SECONDS)
        )
        return self._done(answer.held, "HELD", digest)

    async def holds(self) -> list[Hold]:
        """Give the messages under legal hold."""
        answer: lawful_pb2.ListHoldsResponse = await self._call(
            lambda: self._stub.ListHolds(lawful_pb2.ListHoldsRequest(), timeout=channel.CALL_SECONDS)
        )
        _bound(len(answer.holds))
        return [
            Hold(
                each.message_digest,
                each.thread_name,
                each.actor,
                each.since_time.ToDatetime(tzinfo=UTC),
                each.reason_text,
            )
            for each in answer.holds
        ]

    async def reviews(self, days_ahead: int = 0) -> list[Review]:
        """Give the messages whose review date is past, or comes within so many days."""
        request = lawful_pb2.ListReviewsRequest(days_ahead=days_ahead, page_size=MAX_PAGE)
        answer: lawful_pb2.ListReviewsResponse = await self._call(
            lambda: self._stub.ListReviews(request, timeout=channel.CALL_SECONDS)
        )
        _bound(len(answer.reviews))
        return [_review(each) for each in answer.reviews]

    async def keep(self, digest: bytes, reason: str, until: datetime) -> Proof:
        """Keep a message until a date; return the proof that it was logged."""
        request = lawful_pb2.KeepMessageRequest(message_digest=digest, reason_text=reason)
        request.keep_until_time.FromDatetime(until)
        answer: lawful_pb2.KeepMessageResponse = await self._call(
            lambda: self._stub.KeepMessage(request, timeout=channel.CALL_SECONDS)
        )
        return self._done(answer.reviewed, "REVIEWED", digest)

    async def erase_own_copy(self, digest: bytes, reason: str) -> Proof:
        """Erase the own member's copy of a message; return the proof that it was logged."""
        request = lawful_pb2.EraseOwnCopyRequest(message_digest=digest, reason_text=reason)
        answer: lawful_pb2.EraseOwnCopyResponse = await self._call(
            lambda: self._stub.EraseOwnCopy(request, timeout=channel.CALL_SECONDS)
        )
        return self._done(answer.reviewed, "REVIEWED", digest)

    def _done(self, logged: log_pb2.LogProof, event: str, digest: bytes) -> Proof:
        proof, _entry = LogReader(self._registers).proof(logged)
        if (proof.event, proof.member, proof.digest) != (event, self._member, digest):
            raise NotProven("bad_proof", f"{proof.origin} #{proof.index}", "the entry is not of this act")
        return proof


def _request(question: LogQuestion) -> lawful_pb2.ReadLogRequest:
    request = lawful_pb2.ReadLogRequest(
        events=[log_pb2.LogEvent.Value(f"LOG_EVENT_{name}") for name in question.events],
        actor=question.actor,
        counterpart=question.counterpart,
        message_digest=question.digest,
        without_need=question.without_need,
        with_texts=True,
    )
    if question.since is not None:
        request.since_time.FromDatetime(question.since)
    if question.until is not None:
        request.until_time.FromDatetime(question.until)
    return request


def _meets(proof: Proof, question: LogQuestion) -> bool:
    return (
        (not question.events or proof.event in question.events)
        and question.actor in proof.actor
        and question.counterpart in ("", proof.counterpart)
        and (question.since is None or proof.time >= question.since)
        and (question.until is None or proof.time < question.until)
        and question.digest in (b"", proof.digest)
        and (not question.without_need or proof.event == "OPENED")
    )


def _review(shown: lawful_pb2.Review) -> Review:
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


def events() -> Sequence[str]:
    """Name the events a log can hold."""
    return [event_name(number) for number in log_pb2.LogEvent.values() if number]
