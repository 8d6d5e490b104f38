"""Forward: a message is sent unchanged to a member it was not addressed to.

The author's signed message is sent with the author's own markings; only its keys are wrapped again, for the new
recipient alone, and only when it is sent. One FORWARDED entry per recipient states who forwarded it, why and with whose
consent; delivery then continues like that of any message. The author receives the same entry as a notice, in a delivery
of its own, since it must know who holds its message.
"""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

import structlog

from paiza.core.v1 import delivery_pb2, log_pb2, message_pb2
from paiza.officer.v1 import forwarding_pb2
from paiza_domain import codes, kinds
from paiza_node.core.access.model import Officer
from paiza_node.core.access.need_to_know import known, may_see, need_to_know, unknown, unknown_to
from paiza_node.core.access.principals import principal_of
from paiza_node.core.dependencies import Core
from paiza_node.core.errors import as_result, rejection
from paiza_node.core.exchange import precedence
from paiza_node.core.exchange.consent import GrantQuery
from paiza_node.core.exchange.markings import is_recalled
from paiza_node.core.exchange.model import DeliveryKind, DeliveryRow
from paiza_node.core.exchange.send import store as deliveries_store
from paiza_node.core.log import store as log_store
from paiza_node.core.log.changes import DeliveriesQueued, MessagesChanged
from paiza_node.core.log.model import MAX_REASON
from paiza_node.core.log.transaction import LogTransaction
from paiza_node.core.messages import store as messages_store
from paiza_node.core.messages.model import LOGGED_DIGITS, MessageRow, MessageState
from paiza_node.core.policy import MessageAttributes, PolicyContext, Principal
from paiza_node.core.storage import ReadConnection, Store
from paiza_node.features.forwarding import grants
from paiza_wire import log_entries
from paiza_wire import message as wire
from paiza_wire.errors import Rejected

MAX_SHARED: Final = 1024  # messages of a thread shared at once

DENIALS: Final = frozenset({"policy_denied", "grant_missing"})
"""Refusals that are logged of a message that the actor may know of."""

_FAILED: Final = frozenset({
    delivery_pb2.DELIVERY_STATE_REFUSED,
    delivery_pb2.DELIVERY_STATE_REJECTED,
    delivery_pb2.DELIVERY_STATE_EXPIRED,
    delivery_pb2.DELIVERY_STATE_DROPPED,
})  # fmt: skip

log = structlog.get_logger("paiza.forwarding")


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A message to forward to one member, after the checks that never change, and the grant that covers it."""

    row: MessageRow
    recipient: str
    actor: str
    purpose: str
    with_annex: bool
    facts: MessageAttributes
    grant: bytes = b""


class Forward:
    """Handles forwarding."""

    def __init__(
        self,
        core: Core,
        *,
        delivery_life: timedelta,
    ) -> None:
        self._member = core.member
        self._register_cache = core.register_cache
        self._ledger = core.ledger
        self._store = core.store
        self._decryption_keys = core.decryption_keys
        self._life = delivery_life
        self._clock = core.clock

    async def __call__(
        self, officer: Officer, request: forwarding_pb2.ForwardRequest
    ) -> forwarding_pb2.ForwardResponse:
        """Forward one message to each of several members; each is answered separately, and denials are logged.

        Rejected: unknown_id (logged), erased, reason_missing, malformed, too_large. Whether it may be forwarded is
        checked in the transaction that writes FORWARDED.
        """
        recipients = list(request.recipients)
        if not recipients or len(set(recipients)) != len(recipients):
            raise Rejected("malformed", "no recipient is named, or one twice")
        if len(recipients) > wire.MAX_RECIPIENTS:
            raise Rejected("too_large", f"a message is passed on to at most {wire.MAX_RECIPIENTS} members at once")
        check_reason(request.reason_text, request.purpose)
        row, signed = await self._known(officer, request.message_digest)
        with_annex = _has_annex(wire.parse_header(row.header), signed) and not request.without_annex
        candidates = await asyncio.to_thread(self._check_all, officer, row, recipients, request.purpose, with_annex)

        def work(tx: LogTransaction) -> list[int | Rejected]:
            judged = self._judged(tx.conn, officer, row, candidates)
            return self._write_all(tx, officer.id, [(row, each) for each in judged], request.reason_text)

        committed = await self._ledger.commit(work)
        to = [
            recipient
            for recipient, outcome in zip(recipients, committed.result, strict=True)
            if not isinstance(outcome, Rejected)
        ]
        if to:
            log.info("forwarded", actor=officer.id, message=row.digest.hex()[:LOGGED_DIGITS], to=to)
        checkpoint = committed.checkpoint
        results = []
        for recipient, outcome in zip(recipients, committed.result, strict=True):
            result = forwarding_pb2.ForwardResult(recipient=recipient)
            if isinstance(outcome, Rejected):
                result.rejection.CopyFrom(rejection(outcome))
            else:
                entry = await asyncio.to_thread(self._entry, outcome)
                (hashes,) = self._ledger.prove([outcome], checkpoint.size)
                result.forwarded.CopyFrom(log_pb2.ProvenEntry(entry=entry, index=outcome, inclusion_hashes=hashes))
            results.append(result)
        return forwarding_pb2.ForwardResponse(checkpoint=checkpoint.note, results=results)

    async def _known(self, officer: Officer, digest: bytes) -> tuple[MessageRow, bytes]:
        """Return a message that an officer may know of, with its body; that there is none is logged."""
        try:
            return await asyncio.to_thread(read_known, self._store, officer, digest)
        except Rejected as refusal:
            if refusal.reason == unknown().reason:
                await self._ledger.commit(lambda tx: unknown_to(tx, officer, digest))
            raise

    async def share(self, digests: Sequence[bytes], recipient: str, actor: str) -> dict[bytes, Rejected]:
        """Forward steps of a workflow to a member that takes part in it; the workflow's rule is the consent.

        ``actor`` is the SPIFFE id of our officer whose act makes the member take part, or of our node. Return the
        refusals; steps that were shared before, and those that are delivered anyway, are skipped. Unavailable if
        nothing was decided. Whether a step is still stored is checked in the transaction that writes FORWARDED.
        """
        if len(digests) > MAX_SHARED:
            raise Rejected("too_large", f"at most {MAX_SHARED} messages are shared at once")
        candidates = await asyncio.to_thread(self._check_shared, list(dict.fromkeys(digests)), recipient, actor)
        allowed = [each for each in candidates.values() if isinstance(each, _Candidate)]
        refused = {digest: each for digest, each in candidates.items() if isinstance(each, Rejected)}
        if not allowed:
            return refused

        def work(tx: LogTransaction) -> list[int | Rejected]:
            held = _held(tx.conn, [each.row.digest for each in allowed])
            judged = [(each.row, each if each.row.digest in held else _gone(tx.conn, each.row)) for each in allowed]
            return self._write_all(tx, actor, judged, "")

        committed = await self._ledger.commit(work)
        shown: list[str] = []
        for each, outcome in zip(allowed, committed.result, strict=True):
            if isinstance(outcome, Rejected):
                refused[each.row.digest] = outcome
            else:
                shown.append(each.row.digest.hex()[:LOGGED_DIGITS])
        log.info("shared", recipient=recipient, actor=actor, messages=shown)
        return refused

    def _check_all(
        self,
        officer: Officer,
        row: MessageRow,
        recipients: Sequence[str],
        purpose: str,
        with_annex: bool,  # noqa: FBT001 - called through to_thread
    ) -> list[_Candidate | Rejected]:
        """Check what never changes for each recipient, and find the grants where only these are missing."""
        candidates: list[_Candidate | Rejected] = []
        for recipient in recipients:
            try:
                candidates.append(self._check(officer, row, recipient, purpose, with_annex=with_annex))
            except Rejected as error:
                candidates.append(as_result(error))
        with self._store.reads() as reads:
            judged = self._judged(reads, officer, row, candidates)
        return [self._with_grant(each, outcome) for each, outcome in zip(candidates, judged, strict=True)]

    def _check(
        self, officer: Officer, row: MessageRow, recipient: str, purpose: str, *, with_annex: bool
    ) -> _Candidate:
        to = self._register_cache.current.active_member(recipient)
        header = wire.parse_header(row.header)
        if recipient in (self._member, header.author):
            raise Rejected("conflict", "that member wrote the message, or is ours")
        if row.state is MessageState.RELEASED and recipient in {each.member for each in header.recipients}:
            raise Rejected("conflict", "the message was addressed to that member and is delivered anyway")
        kind = kinds.get(header.kind, header.kind_version)
        facts = MessageAttributes.of(header, kind.sender_roles, to.classification_ceiling, kind.workflow)
        return _Candidate(row, recipient, officer.id, purpose, with_annex, facts)

    def _with_grant(self, candidate: _Candidate | Rejected, outcome: _Candidate | Rejected) -> _Candidate | Rejected:
        """Add the originator's grant if the policy lacks only that and there is one: it is opened to be found."""
        if isinstance(candidate, Rejected) or isinstance(outcome, _Candidate) or outcome.reason != "grant_missing":
            return candidate
        author = candidate.row.author
        if author == self._member:
            return candidate
        query = GrantQuery(
            candidate.row.digest, author, candidate.recipient, candidate.purpose, candidate.with_annex, self._clock()
        )
        grant = grants.find(self._store, query, self._decryption_keys)
        return candidate if grant is None else replace(candidate, grant=grant.digest)

    def _judged(
        self, reads: ReadConnection, officer: Officer, row: MessageRow, candidates: Sequence[_Candidate | Rejected]
    ) -> list[_Candidate | Rejected]:
        """Decide for each member whether a message may be forwarded at this moment; the first that applies counts.

        1. Its content is not stored: it was retired or erased.
        2. Need-to-know does not include it.
        3. It is never forwarded to that member.
        4. The policy does not allow it, with the grant as far as that is still in force.
        """
        # 1.
        if not _held(reads, [row.digest]):
            return [_gone(reads, row) for _ in candidates]
        # 2.
        if not may_see(reads, officer, row):
            return [need_to_know() if known(reads, officer, row.digest) else unknown() for _ in candidates]
        # 3. and 4.
        recalled = is_recalled(reads, row.digest, row.author)
        return [
            each if isinstance(each, Rejected) else self._denied(reads, officer, each, recalled=recalled) or each
            for each in candidates
        ]

    def _denied(
        self, reads: ReadConnection, officer: Officer, candidate: _Candidate, *, recalled: bool
    ) -> Rejected | None:
        """Return the reason for which the policy does not allow it; None if it does."""
        author = candidate.row.author
        policy_context = PolicyContext(
            recipient=candidate.recipient,
            purpose=candidate.purpose,
            # The originator needs no grant from itself, except if two of its officers must sign.
            granted=(author == self._member and not candidate.with_annex)
            or (bool(candidate.grant) and grants.is_in_force(reads, candidate.grant, author)),
            recalled=recalled,
            with_annex=candidate.with_annex,
        )
        try:
            self._register_cache.policy.check(
                principal_of(officer), "forward", candidate.facts, policy_context=policy_context
            )
        except Rejected as denied:
            return as_result(denied)
        return None

    def _check_shared(self, digests: Sequence[bytes], recipient: str, actor: str) -> dict[bytes, _Candidate | Rejected]:
        register = self._register_cache.current
        to = register.active_member(recipient)
        node = Principal(self._member, node=True)
        candidates: dict[bytes, _Candidate | Rejected] = {}
        for digest in digests:
            try:
                row, signed = read(self._store, digest)
                header = wire.parse_header(row.header)
                addressed = recipient in {each.member for each in header.recipients}
                if header.author == recipient or (addressed and row.state is MessageState.RELEASED):
                    continue
                kind = kinds.get(header.kind, header.kind_version)
                facts = MessageAttributes.of(header, kind.sender_roles, to.classification_ceiling, kind.workflow)
                with_annex = _has_annex(header, signed)
                # Our own recalls and corrections follow their message to all members that others forwarded it to.
                policy_context = PolicyContext(
                    recipient=recipient,
                    granted=header.author == self._member and not with_annex,
                    consented=bool(kind.workflow),
                    with_annex=with_annex,
                )
                self._register_cache.policy.check(node, "take_forwarded", facts, policy_context=policy_context)
                candidates[digest] = _Candidate(row, recipient, actor, "", with_annex, facts)
            except Rejected as error:
                candidates[digest] = as_result(error)
        return candidates

    def _write_all(
        self, tx: LogTransaction, actor: str, judged: Iterable[tuple[MessageRow, _Candidate | Rejected]], reason: str
    ) -> list[int | Rejected]:
        """Write the decisions, each as `_write` does, and announce the deliveries."""
        outcomes: list[int | Rejected] = []
        members: set[str] = set()
        digests: dict[bytes, None] = {}
        for row, each in judged:
            outcomes.append(self._write(tx, actor, row, each, reason))
            if isinstance(each, _Candidate):
                members.update((each.recipient, row.author))
                digests[row.digest] = None
        if digests:
            tx.announce(DeliveriesQueued(frozenset(members)))
            tx.announce(MessagesChanged(tuple(digests)))
        return outcomes

    def _write(
        self, tx: LogTransaction, actor: str, row: MessageRow, judged: _Candidate | Rejected, reason: str
    ) -> int | Rejected:
        """Write FORWARDED with its deliveries, or DENIED; return the entry's index, or the refusal.

        A message that was forwarded before and did not fail is answered with its earlier entry.
        """
        if isinstance(judged, Rejected):
            if judged.reason in DENIALS:
                tx.deny(log_entries.denied(actor=actor, reason=judged.reason, digest=row.digest), text=judged.detail)
            return judged
        for recipient, earlier, state in reversed(deliveries_store.forwarded_indices(tx.conn, row.digest)):
            if recipient == judged.recipient and state not in _FAILED:
                return earlier
        has_annex = any(
            part.kind == message_pb2.PART_KIND_NOMINAL_ANNEX for part in wire.parse_header(row.header).parts
        )
        entry = log_entries.forwarded(
            actor=actor,
            recipient=judged.recipient,
            digest=row.digest,
            purpose=judged.purpose,
            grant_digest=judged.grant,
            without_annex=has_annex and not judged.with_annex,
        )
        index = tx.append(entry, text=reason).index
        deliveries = [self._delivery(tx, judged, judged.recipient, index, DeliveryKind.FORWARDED)]
        if row.author != self._member:
            deliveries.append(self._delivery(tx, judged, row.author, index, DeliveryKind.NOTICE))
        deliveries_store.add_deliveries(tx.conn, deliveries)
        return index

    def _delivery(
        self, tx: LogTransaction, candidate: _Candidate, recipient: str, index: int, delivery_kind: DeliveryKind
    ) -> DeliveryRow:
        header = wire.parse_header(candidate.row.header)
        return DeliveryRow(
            id=tx.next_delivery_id(),
            message_seq=candidate.row.seq,
            digest=candidate.row.digest,
            recipient=recipient,
            urgency=precedence.urgency_of(header),
            released_index=index,
            released_time=tx.now,
            expires_time=tx.now + self._life,
            next_attempt_time=tx.now,
            delivery_kind=delivery_kind,
        )

    def _entry(self, index: int) -> bytes:
        with self._store.reads() as reads:
            return log_store.entry_at(reads, index).entry


def check_reason(reason: str, purpose: str) -> None:
    """Raise unless a reason is stated and the federation knows the purpose."""
    if not reason.strip():
        raise Rejected("reason_missing", "say why")
    if len(reason) > MAX_REASON:
        raise Rejected("too_large", f"a reason has at most {MAX_REASON} characters")
    if purpose not in codes.load("purpose"):
        raise Rejected("malformed", "the purpose is not one of the list")


def read(store: Store, digest: bytes) -> tuple[MessageRow, bytes]:
    """Return a message with its body; Rejected: unknown_id if there is none or it was refused, erased."""
    with store.reads() as reads:
        row = messages_store.message(reads, digest)
    signed = messages_store.read_signed(store, digest)
    if row is None or row.state is MessageState.REFUSED:
        raise unknown()
    if signed is None:
        raise erased()
    return row, signed


def read_known(store: Store, officer: Officer, digest: bytes) -> tuple[MessageRow, bytes]:
    """Return what `read` does, of a message that an officer may know of; they are told no more of others."""
    with store.reads() as reads:
        if known(reads, officer, digest) is None:
            raise unknown()
    return read(store, digest)


def erased() -> Rejected:
    """Return the refusal for a message whose content is not stored any more."""
    return Rejected("erased", "its content was erased; header, signatures and proofs are still here")


def _gone(reads: ReadConnection, row: MessageRow) -> Rejected:
    """Return the refusal for a message that was erased or retired since it was read."""
    return unknown() if messages_store.message(reads, row.digest) is None else erased()


def _held(reads: ReadConnection, digests: Sequence[bytes]) -> set[bytes]:
    """Return those of these messages whose content is stored: neither retired nor erased."""
    return {digest for digest, found in messages_store.possessions(reads, digests).items() if found.has_body}


def _has_annex(header: message_pb2.Header, signed: bytes) -> bool:
    """Return whether we hold the nominal annex: a message may have been forwarded to us without it."""
    held = {part.part_number for part in message_pb2.SignedMessage.FromString(signed).parts}
    annex = message_pb2.PART_KIND_NOMINAL_ANNEX
    return any(part.kind == annex and number in held for number, part in enumerate(header.parts))
