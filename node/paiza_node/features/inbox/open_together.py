"""Open several messages together: for one reason, with one entry, and without marking any of them as read.

Each is authorised like a single opening. The entry commits to the list of opened messages, which is stored beside it:
trails, evidence and the report on need find each opening by it. A crash after the commit and before the answer leaves
an entry for messages that were not shown: the safe side.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Final

from paiza.core.v1 import message_pb2
from paiza.officer.v1 import officer_pb2
from paiza_domain import codes
from paiza_node.core.access import store as access_store
from paiza_node.core.access.denials import deny
from paiza_node.core.access.model import Officer
from paiza_node.core.access.need_to_know import all_known, unknown
from paiza_node.core.access.open import DENIED, OpenAuthorizer, OpenRequest
from paiza_node.core.access.open_rules import OpenRule
from paiza_node.core.dependencies import Core
from paiza_node.core.errors import as_result, rejection, retry
from paiza_node.core.exchange.proofs import ExchangeProofs, own_proof, proofs_of_all
from paiza_node.core.log import store as log_store
from paiza_node.core.log.model import MAX_REASON, StoredEntry
from paiza_node.core.log.transaction import LogTransaction
from paiza_node.core.messages import store as messages_store
from paiza_node.core.messages.decryption import stored
from paiza_node.core.messages.model import MessageRow
from paiza_wire import log_entries
from paiza_wire import message as wire
from paiza_wire.errors import Rejected, Unavailable
from paiza_wire.message import VerifiedMessage

MAX_TOGETHER: Final = 256  # messages of one request
MAX_ANSWER_BYTES: Final = 4 * 1024 * 1024  # of messages in one answer, whose limit is twice that
MAX_A_DAY: Final = 500_000  # messages that one officer opens together in a day, UTC: ten tables of a region's years
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class _Read:
    """A requested message, read and unwrapped before it is authorised; it leaves the node only if opened."""

    request: OpenRequest
    row: MessageRow
    message: VerifiedMessage
    part_key: bytes


_Outcome = _Read | Rejected | Unavailable


@dataclass(frozen=True, slots=True)
class _Opened:
    outcomes: Sequence[_Outcome]
    entry: StoredEntry | None
    listed: Sequence[bytes]


class OpenTogether:
    """Opens several messages together."""

    def __init__(self, core: Core, rules: Sequence[OpenRule]) -> None:
        """Store the collaborators; ``rules`` are those of capabilities against opening a part, in their order."""
        self._core = core
        self._authorizer = OpenAuthorizer(core, rules)

    async def __call__(
        self, officer: Officer, request: officer_pb2.OpenMessagesRequest
    ) -> officer_pb2.OpenMessagesResponse:
        """Open the main parts of messages.

        Rejected: malformed, too_large, opening_reason_missing; for one message: as for a single opening. Unavailable:
        opening_budget. Each message is authorised in the transaction that writes OPENED_TOGETHER.
        """
        digests = list(request.message_digests)
        if not digests:
            raise Rejected("malformed", "the request names no message")
        if len(digests) > MAX_TOGETHER:
            raise Rejected("too_large", f"at most {MAX_TOGETHER} messages are opened together")
        if len(set(digests)) != len(digests) or any(len(each) != wire.DIGEST_SIZE for each in digests):
            raise Rejected("malformed", "a digest is not 32 bytes long, or stands twice")
        if not request.reason_text.strip():
            raise Rejected("opening_reason_missing", "several messages are opened only with a stated reason")
        if len(request.reason_text) > MAX_REASON:
            raise Rejected("too_large", f"a reason has at most {MAX_REASON} characters")
        if request.purpose and request.purpose not in codes.load("purpose"):
            raise Rejected("malformed", "the purpose is none of the list")
        read = await asyncio.to_thread(self._read, officer, digests, request.reason_text, request.purpose)
        committed = await self._core.ledger.commit(
            lambda tx: self._open(tx, officer, digests, read, request.reason_text)
        )
        opened = committed.result
        if isinstance(opened, Unavailable):
            raise opened
        size, note = committed.checkpoint.size, committed.checkpoint.note
        response = officer_pb2.OpenMessagesResponse(
            results=await asyncio.to_thread(self._results, opened.outcomes, size, note)
        )
        if opened.entry is not None:
            response.opened.CopyFrom(own_proof(self._core.ledger, opened.entry, size, note, opened.listed))
        return response

    def _read(self, officer: Officer, digests: Sequence[bytes], reason: str, purpose: str) -> list[_Outcome]:
        """Read messages and open their keys, as many as fit into an answer, at least one."""
        with self._core.store.reads() as reads:
            rows = all_known(reads, officer, digests)
            sizes = messages_store.body_sizes(reads, [row.seq for row in rows.values()])
            room = MAX_ANSWER_BYTES
            wanted: list[bytes] = []
            for digest in digests:
                room -= sizes.get(rows[digest].seq, 0) if digest in rows else 0
                if room < 0 and wanted:
                    break
                wanted.append(digest)
            bodies = messages_store.bodies(reads, [rows[digest].seq for digest in wanted if digest in rows])
        return [self._read_one(officer, rows.get(digest), bodies, reason, purpose) for digest in wanted]

    def _read_one(
        self, officer: Officer, row: MessageRow | None, bodies: Mapping[int, bytes], reason: str, purpose: str
    ) -> _Outcome:
        try:
            if row is None:
                return unknown()
            request = self._authorizer.request_for(officer, row, 0, reason, purpose)
            body = bodies.get(row.seq)
            if body is None:
                return Rejected("erased", "its content was erased; header, signatures and proofs are still here")
            message = stored(body)
            return _Read(request, row, message, self._core.decryption_keys.part_key(message, 0))
        except Rejected as error:
            return as_result(error)

    def _open(
        self, tx: LogTransaction, officer: Officer, digests: Sequence[bytes], read: Sequence[_Outcome], reason: str
    ) -> _Opened | Unavailable:
        """Authorise each, and write OPENED_TOGETHER and DENIED; runs in the transaction."""
        today = (tx.now - _EPOCH).days
        before = access_store.opened_together(tx.conn, officer.id, today)
        if before + len(read) > MAX_A_DAY:
            midnight = datetime.combine(tx.now.date() + timedelta(days=1), time.min, UTC)
            detail = f"an officer opens at most {MAX_A_DAY} messages together in a day; {before} were opened today"
            return Unavailable("opening_budget", detail, (midnight - tx.now).total_seconds())
        outcomes = self._judged(tx, officer, digests, read)
        listed = sorted(each.row.digest for each in outcomes if isinstance(each, _Read))
        if not listed:
            return _Opened(outcomes, None, ())
        entry = tx.append(log_entries.opened_together(actor=officer.id, digests=listed), text=reason)
        log_store.add_listed(tx.conn, entry.index, listed)
        access_store.put_opened_together(tx.conn, officer.id, today, before + len(listed))
        return _Opened(outcomes, entry, listed)

    def _judged(
        self, tx: LogTransaction, officer: Officer, digests: Sequence[bytes], read: Sequence[_Outcome]
    ) -> list[_Outcome]:
        """Return what becomes of each; denials are logged."""
        wanted = [each for each in read if isinstance(each, _Read)]
        refused = self._authorizer.refusals(tx.conn, officer, [each.request for each in wanted])
        found = dict(zip((each.row.digest for each in wanted), refused, strict=True))
        outcomes: list[_Outcome] = []
        for digest, each in zip(digests, read, strict=False):
            refusal = found[digest] if isinstance(each, _Read) else each
            if refusal is not None and refusal.reason in DENIED:
                deny(tx, officer, refusal, digest)
            outcomes.append(each if refusal is None else refusal)
        return outcomes

    def _results(self, outcomes: Sequence[_Outcome], size: int, note: bytes) -> list[officer_pb2.OpenMessagesResult]:
        rows = [each.row for each in outcomes if isinstance(each, _Read)]
        with self._core.store.reads() as reads:
            proofs = proofs_of_all(reads, self._core.ledger, rows, size, note)
        return [_result(each, proofs) for each in outcomes]


def _result(outcome: _Outcome, proofs_by_digest: Mapping[bytes, ExchangeProofs]) -> officer_pb2.OpenMessagesResult:
    if isinstance(outcome, Rejected):
        return officer_pb2.OpenMessagesResult(rejection=rejection(outcome))
    if isinstance(outcome, Unavailable):
        return officer_pb2.OpenMessagesResult(retry=retry(outcome))
    signed = outcome.message.signed
    proofs = proofs_by_digest[outcome.row.digest]
    opened = officer_pb2.OpenedMessage(
        message=message_pb2.SignedMessage(
            header=signed.header,
            signatures=signed.signatures,
            subject=signed.subject,
            parts=[part for part in signed.parts if part.part_number == 0],
        ),
        part_key=outcome.part_key,
        released=proofs.released,
        answers=proofs.answers,
        thread_name=outcome.row.thread_name,
        forwarded=proofs.forwarded,
    )
    return officer_pb2.OpenMessagesResult(opened=opened)
