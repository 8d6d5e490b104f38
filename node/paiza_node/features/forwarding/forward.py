"""Forward: a message is passed on as it is to a member it was not addressed to.

What travels is the author's signed message with the author's own marks; only its keys are wrapped anew, for the new
recipient alone, and only when it is sent. One FORWARDED entry per recipient says who did it, why and on whose consent;
delivery then goes on by itself, as of any message. The author is told by the same entry, since it must know who holds
its message; that word travels as a delivery of its own.
"""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import structlog

from paiza.core.v1 import delivery_pb2, log_pb2, message_pb2
from paiza.officer.v1 import passing_pb2
from paiza_domain import codes, kinds
from paiza_node.core.access.model import Officer
from paiza_node.core.access.need_to_know import may_see
from paiza_node.core.access.principals import principal_of
from paiza_node.core.dependencies import Core
from paiza_node.core.errors import rejection
from paiza_node.core.exchange import precedence
from paiza_node.core.exchange.consent import GrantQuery
from paiza_node.core.exchange.markings import is_recalled
from paiza_node.core.exchange.model import DeliveryKind, DeliveryRow
from paiza_node.core.exchange.send import store as deliveries_store
from paiza_node.core.log import store as log_store
from paiza_node.core.log.changes import DeliveriesQueued, MessagesChanged
from paiza_node.core.log.ledger import LogTransaction
from paiza_node.core.log.model import MAX_REASON
from paiza_node.core.messages import store as messages_store
from paiza_node.core.messages.model import LOGGED_DIGITS, MessageRow, MessageState
from paiza_node.core.policy import MessageAttributes, PolicyContext, Principal
from paiza_node.core.storage import Store
from paiza_node.features.forwarding import grants
from paiza_register import Register
from paiza_wire import log_entries
from paiza_wire import message as wire
from paiza_wire.errors import Rejected

MAX_SHARED: Final = 1024  # messages of a thread shared at once

_FAILED: Final = frozenset({
    delivery_pb2.DELIVERY_STATE_REFUSED,
    delivery_pb2.DELIVERY_STATE_REJECTED,
    delivery_pb2.DELIVERY_STATE_EXPIRED,
    delivery_pb2.DELIVERY_STATE_DROPPED,
})  # fmt: skip

log = structlog.get_logger("paiza.forward")


@dataclass(frozen=True, slots=True)
class _Permission:
    """That a message may be passed on to one member: by whom, what for, with or without its annex, on which grant."""

    row: MessageRow
    recipient: str
    actor: str
    purpose: str
    with_annex: bool
    grant: bytes = b""


class Forward:
    """The verb of passing messages on."""

    def __init__(
        self,
        core: Core,
        *,
        delivery_life: timedelta,
    ) -> None:
        """Take what the verb needs."""
        self._member = core.member
        self._register_cache = core.register_cache
        self._ledger = core.ledger
        self._store = core.store
        self._decryption_keys = core.decryption_keys
        self._life = delivery_life
        self._clock = core.clock

    async def __call__(self, officer: Officer, request: passing_pb2.ForwardRequest) -> passing_pb2.ForwardResponse:
        """Pass one message on to each of several members; every one is answered for itself, and a denial is logged.

        Rejected: unknown_id, reason_missing, malformed, too_large.
        """
        recipients = list(request.recipients)
        if not recipients or len(set(recipients)) != len(recipients):
            raise Rejected("malformed", "no recipient is named, or one twice")
        if len(recipients) > wire.MAX_RECIPIENTS:
            raise Rejected("too_large", f"a message is passed on to at most {wire.MAX_RECIPIENTS} members at once")
        check_reason(request.reason_text, request.purpose)
        row, signed = await asyncio.to_thread(read, self._store, request.message_digest)
        header = wire.parse_header(row.header)
        with_annex = _has_annex(header, signed) and not request.without_annex
        decided = await asyncio.to_thread(
            self._decide_all, officer, row, header, recipients, request.purpose, with_annex
        )
        committed = await self._ledger.commit(
            lambda tx: self._write_all(tx, officer.id, [(row, each) for each in decided], request.reason_text)
        )
        leaves = [each for each in decided if isinstance(each, _Permission)]
        if leaves:
            shown = row.digest.hex()[:LOGGED_DIGITS]
            log.info("forwarded", actor=officer.id, message=shown, to=[leave.recipient for leave in leaves])
        checkpoint = committed.checkpoint
        results = []
        for recipient, outcome in zip(recipients, committed.result, strict=True):
            result = passing_pb2.ForwardResult(recipient=recipient)
            if isinstance(outcome, Rejected):
                result.rejection.CopyFrom(rejection(outcome))
            else:
                (entry,) = await asyncio.to_thread(self._entries, [outcome])
                (hashes,) = self._ledger.prove([outcome], checkpoint.size)
                result.forwarded.CopyFrom(log_pb2.ProvenEntry(entry=entry, index=outcome, inclusion_hashes=hashes))
            results.append(result)
        return passing_pb2.ForwardResponse(checkpoint=checkpoint.note, results=results)

    async def share(self, digests: Sequence[bytes], recipient: str, actor: str) -> dict[bytes, Rejected]:
        """Pass steps of a workflow on to a member that takes part in it; the workflow's rule is the consent.

        ``actor`` is the SPIFFE id of whoever of ours did what makes it take part, or of our node. Gives what was
        refused, and why; what was shared before, and what is delivered anyway, is passed over. Unavailable where
        nothing was decided.
        """
        if len(digests) > MAX_SHARED:
            raise Rejected("too_large", f"at most {MAX_SHARED} messages are shared at once")
        decided = await asyncio.to_thread(self._decide_shared, list(dict.fromkeys(digests)), recipient, actor)
        leaves = {digest: each for digest, each in decided.items() if isinstance(each, _Permission)}
        if leaves:
            await self._ledger.commit(
                lambda tx: self._write_all(tx, actor, [(leave.row, leave) for leave in leaves.values()], "")
            )
            shown = [digest.hex()[:LOGGED_DIGITS] for digest in leaves]
            log.info("shared", recipient=recipient, actor=actor, messages=shown)
        return {digest: each for digest, each in decided.items() if isinstance(each, Rejected)}

    def _decide_all(
        self,
        officer: Officer,
        row: MessageRow,
        header: message_pb2.Header,
        recipients: Sequence[str],
        purpose: str,
        with_annex: bool,  # noqa: FBT001 - called through to_thread
    ) -> list[_Permission | Rejected]:
        register = self._register_cache.current
        with self._store.reads() as reads:
            if not may_see(reads, officer, row):
                return [Rejected("policy_denied", "need-to-know") for _ in recipients]
        decided: list[_Permission | Rejected] = []
        for recipient in recipients:
            try:
                decided.append(self._decide(officer, row, header, recipient, purpose, register, with_annex=with_annex))
            except Rejected as error:
                decided.append(error)
        return decided

    def _decide(
        self,
        officer: Officer,
        row: MessageRow,
        header: message_pb2.Header,
        recipient: str,
        purpose: str,
        register: Register,
        *,
        with_annex: bool,
    ) -> _Permission:
        """Ask the rules; where they miss only the originator's grant, look for one and ask again."""
        to = register.active_member(recipient)
        if recipient in (self._member, header.author):
            raise Rejected("conflict", "that member wrote the message, or is ours")
        if row.state is MessageState.RELEASED and recipient in {each.member for each in header.recipients}:
            raise Rejected("conflict", "the message was addressed to that member and is delivered anyway")
        kind = kinds.get(header.kind, header.kind_version)
        facts = MessageAttributes.of(header, kind.sender_roles, to.classification_ceiling, kind.workflow)
        with self._store.reads() as reads:
            recalled = is_recalled(reads, row.digest, header.author)

        def ask(*, granted: bool) -> None:
            policy_context = PolicyContext(
                recipient=recipient, purpose=purpose, granted=granted, recalled=recalled, with_annex=with_annex
            )
            self._register_cache.policy.check(principal_of(officer), "forward", facts, policy_context=policy_context)

        leave = _Permission(row, recipient, officer.id, purpose, with_annex)
        try:
            # The originator speaks for itself, except where two of its officers must sign.
            ask(granted=header.author == self._member and not with_annex)
        except Rejected as denied:
            if denied.reason != "grant_missing" or header.author == self._member:
                raise
            wish = GrantQuery(row.digest, header.author, recipient, purpose, with_annex, self._clock())
            grant = grants.find(self._store, wish, self._decryption_keys)
            if grant is None:
                raise
            ask(granted=True)
            return _Permission(row, recipient, officer.id, purpose, with_annex, grant.digest)
        return leave

    def _decide_shared(
        self, digests: Sequence[bytes], recipient: str, actor: str
    ) -> dict[bytes, _Permission | Rejected]:
        register = self._register_cache.current
        to = register.active_member(recipient)
        node = Principal(self._member, node=True)
        decided: dict[bytes, _Permission | Rejected] = {}
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
                # Our own recalls and corrections go after their message, wherever others passed that on to.
                policy_context = PolicyContext(
                    recipient=recipient,
                    granted=header.author == self._member and not with_annex,
                    consented=bool(kind.workflow),
                    with_annex=with_annex,
                )
                self._register_cache.policy.check(node, "take_forwarded", facts, policy_context=policy_context)
                decided[digest] = _Permission(row, recipient, actor, "", with_annex)
            except Rejected as error:
                decided[digest] = error
        return decided

    def _write_all(
        self, tx: LogTransaction, actor: str, decided: Iterable[tuple[MessageRow, _Permission | Rejected]], reason: str
    ) -> list[int | Rejected]:
        """Write decisions down, each as `_write` does, and announce what is to be delivered."""
        outcomes: list[int | Rejected] = []
        members: set[str] = set()
        digests: dict[bytes, None] = {}
        for row, each in decided:
            outcomes.append(self._write(tx, actor, row, each, reason))
            if isinstance(each, _Permission):
                members.update((each.recipient, row.author))
                digests[row.digest] = None
        if digests:
            tx.announce(DeliveriesQueued(frozenset(members)))
            tx.announce(MessagesChanged(tuple(digests)))
        return outcomes

    def _write(
        self, tx: LogTransaction, actor: str, row: MessageRow, decided: _Permission | Rejected, reason: str
    ) -> int | Rejected:
        """Write one decision down: FORWARDED with its deliveries, or DENIED. Gives the entry's index.

        What was passed on before and did not fail is answered with the entry of then.
        """
        if isinstance(decided, Rejected):
            if decided.reason in ("policy_denied", "grant_missing"):
                denial = log_entries.denied(actor=actor, reason=decided.reason, digest=row.digest)
                tx.append(denial, text=decided.detail)
            return decided
        for recipient, earlier, state in reversed(deliveries_store.forwarded_indices(tx.conn, row.digest)):
            if recipient == decided.recipient and state not in _FAILED:
                return earlier
        has_annex = any(
            part.kind == message_pb2.PART_KIND_NOMINAL_ANNEX for part in wire.parse_header(row.header).parts
        )
        entry = log_entries.forwarded(
            actor=actor,
            recipient=decided.recipient,
            digest=row.digest,
            purpose=decided.purpose,
            grant_digest=decided.grant,
            without_annex=has_annex and not decided.with_annex,
        )
        index = tx.append(entry, text=reason).index
        deliveries = [self._delivery(tx, decided, decided.recipient, index, DeliveryKind.FORWARDED)]
        if row.author != self._member:
            deliveries.append(self._delivery(tx, decided, row.author, index, DeliveryKind.NOTICE))
        deliveries_store.add_deliveries(tx.conn, deliveries)
        return index

    def _delivery(
        self, tx: LogTransaction, leave: _Permission, recipient: str, index: int, delivery_kind: DeliveryKind
    ) -> DeliveryRow:
        header = wire.parse_header(leave.row.header)
        return DeliveryRow(
            id=tx.next_delivery_id(),
            message_seq=leave.row.seq,
            digest=leave.row.digest,
            recipient=recipient,
            urgency=precedence.urgency_of(header),
            released_index=index,
            released_time=tx.now,
            expires_time=tx.now + self._life,
            next_attempt_time=tx.now,
            delivery_kind=delivery_kind,
        )

    def _entries(self, indices: Sequence[int]) -> list[bytes]:
        with self._store.reads() as reads:
            return [stored.entry for stored in log_store.entries_at(reads, indices)]


def check_reason(reason: str, purpose: str) -> None:
    """Refuse an act without a stated reason, or for a purpose the federation does not know."""
    if not reason.strip():
        raise Rejected("reason_missing", "say why")
    if len(reason) > MAX_REASON:
        raise Rejected("too_large", f"a reason has at most {MAX_REASON} characters")
    if purpose not in codes.load("purpose"):
        raise Rejected("malformed", "the purpose is not one of the list")


def read(store: Store, digest: bytes) -> tuple[MessageRow, bytes]:
    """Give a message with its body; Rejected("unknown_id") where there is none, or it was refused or erased."""
    with store.reads() as reads:
        row = messages_store.message(reads, digest)
    signed = messages_store.read_signed(store, digest)
    if row is None or signed is None:
        raise not_here()
    return row, signed


def not_here() -> Rejected:
    """Return the refusal of what is not here."""
    return Rejected("unknown_id", "there is no such message here, or its content was refused or erased")


def _has_annex(header: message_pb2.Header, signed: bytes) -> bool:
    """Say whether we hold the nominal annex: a message may have been passed on to us without it."""
    held = {part.part_number for part in message_pb2.SignedMessage.FromString(signed).parts}
    annex = message_pb2.PART_KIND_NOMINAL_ANNEX
    return any(part.kind == annex and number in held for number, part in enumerate(header.parts))
