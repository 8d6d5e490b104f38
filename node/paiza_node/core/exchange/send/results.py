"""Receipts: a peer's answers to a batch are verified, and the results are committed with the proofs.

An invalid answer is ignored: its message is sent again later, and the peer answers with the same entry.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import structlog

from paiza.core.v1 import delivery_pb2, log_pb2
from paiza.peer.v1 import exchange_pb2
from paiza_node.core.dependencies import Core
from paiza_node.core.errors import foreign_text
from paiza_node.core.exchange import store as exchange_store
from paiza_node.core.exchange.model import DeliveryKind, ForeignProof, Outgoing, Postponement, ProofKind, Settlement
from paiza_node.core.exchange.rewrap import rewrap
from paiza_node.core.exchange.send import store as deliveries_store
from paiza_node.core.exchange.send.witnessed import UNWITNESSED
from paiza_node.core.executors.executors import fits_loop
from paiza_node.core.executors.periodic import backoff
from paiza_node.core.log.changes import MessagesChanged
from paiza_node.core.log.transaction import LogTransaction
from paiza_node.core.messages import store as messages_store
from paiza_node.core.messages.model import LOGGED_DIGITS
from paiza_node.core.peers import store as peers_store
from paiza_node.core.peers.model import PeerLogView
from paiza_register import Register
from paiza_wire import log_entries, receipts
from paiza_wire.errors import PaizaError, Rejected, Unavailable
from paiza_wire.reasons import REASONS
from paiza_wire.tlog.checkpoint import VerifiedCheckpoint

FIRST_RETRY_SECONDS: Final = 2.0  # parts of one message that the peer asks to have again
LONGEST_RETRY_SECONDS: Final = 3600.0

log = structlog.get_logger("paiza.exchange")


@dataclass(frozen=True, slots=True)
class Sent:
    """A sent batch, the peer's answer, and the peer's checkpoint that the answers are proven to.

    ``first``: the results go ahead of what is not urgent.
    """

    batch: list[Outgoing]
    results: Sequence[exchange_pb2.DeliverResult]
    checkpoint: VerifiedCheckpoint
    first: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of the answer to one message: it ends its delivery, or plans another attempt.

    ``answer_sha256``: digest of the answer relied on. ``rewrapped``: the message as it is sent then, if it changed.
    """

    outgoing: Outgoing
    settlement: Settlement | None = None
    answer_sha256: bytes = b""
    proof: ForeignProof | None = None
    postponement: Postponement | None = None
    rewrapped: bytes | None = None


async def record_receipts(core: Core, peer: str, sent: Sent) -> None:
    """Verify every answer of a batch and commit the results, at once or in several commits as others wait."""
    check = _AnswerCheck(core, peer, sent.checkpoint, core.register_cache.current)
    small = fits_loop(len(outgoing.signed) for outgoing in sent.batch)
    with core.executors.way.occupied(when=small):
        outcomes = await core.executors.deliver.run(
            len(sent.batch), lambda: check.check_all(sent), first=sent.first, on_loop=small
        )
        known = core.logs.to_store(peer, sent.checkpoint)
        await core.ledger.commit_parts(
            lambda tx, begin, end: _write(core.node_id, peer, outcomes[begin:end], known, tx, ahead=sent.first),
            len(outcomes),
            first=sent.first,
        )
    settled = [outcome.outgoing.digest for outcome in outcomes if outcome.settlement is not None]
    log.info("answered", peer=peer, messages=[digest.hex()[:LOGGED_DIGITS] for digest in settled])


class _AnswerCheck:
    """Checks the answers of one peer to one batch. For use in a plain thread."""

    def __init__(self, core: Core, peer: str, checkpoint: VerifiedCheckpoint, register: Register) -> None:
        self._core = core
        self._peer = peer
        self._entries = receipts.EntryVerifier(checkpoint)
        self._register = register

    def check_all(self, sent: Sent) -> list[Outcome]:
        """Return the results of the answers, in the order of the batch."""
        if len(sent.results) != len(sent.batch):
            raise Unavailable("unexpected_answer", "the peer did not answer for every message")
        return [self._checked(*each) for each in zip(sent.batch, sent.results, strict=True)]

    def _checked(self, outgoing: Outgoing, result: exchange_pb2.DeliverResult) -> Outcome:
        try:
            return self._check(outgoing, result)
        except PaizaError as error:
            # The peer's answer is invalid. It is ignored, and requested again later.
            log.warning("answer_refused", peer=self._peer, reason=error.reason, detail=error.detail)
            return Outcome(outgoing, postponement=self._again(outgoing, error.reason, error.detail, 0.0))

    def _check(self, outgoing: Outgoing, result: exchange_pb2.DeliverResult) -> Outcome:
        which = result.WhichOneof("result")
        if which == "answer":
            answer, checkpoint = self._entries.verify(result.answer), self._entries.checkpoint
            receipts.check_answer(answer.entry, outgoing.digest, self._core.member)
            received = answer.entry.event == log_pb2.LOG_EVENT_RECEIVED
            state = delivery_pb2.DELIVERY_STATE_DELIVERED if received else delivery_pb2.DELIVERY_STATE_REFUSED
            settlement = Settlement(outgoing.id, state, log_entries.reason(answer.entry))
            evidence = receipts.evidence_digest(answer.raw, checkpoint.note)
            if outgoing.delivery_kind == DeliveryKind.NOTICE:  # its receipt is not one of the message
                return Outcome(outgoing, settlement)
            proof = ForeignProof(
                digest=outgoing.digest,
                member=self._peer,
                kind=ProofKind.ANSWER,
                entry=answer.raw,
                index=answer.index,
                hashes=b"".join(result.answer.inclusion_hashes),
                checkpoint=checkpoint.note,
                register_version=self._register.version,
            )
            return Outcome(outgoing, settlement, evidence, proof)
        if which == "rejection":
            reason, detail = _bounded(result.rejection.reason), foreign_text(result.rejection.detail)
            settlement = Settlement(outgoing.id, delivery_pb2.DELIVERY_STATE_REJECTED, reason, detail)
            return Outcome(outgoing, settlement)
        if which == "retry":
            reason = _bounded(result.retry.reason)
            rewrapped = None
            if (
                reason == "cannot_open" and outgoing.delivery_kind == DeliveryKind.OWN
            ):  # forwarded messages are always wrapped anew
                rewrapped = self._rewrapped(outgoing)
            detail, seconds = foreign_text(result.retry.detail), float(result.retry.retry_after.seconds)
            return Outcome(outgoing, postponement=self._again(outgoing, reason, detail, seconds), rewrapped=rewrapped)
        raise Rejected("malformed", "the answer holds no result")

    def _rewrapped(self, outgoing: Outgoing) -> bytes:
        core = self._core
        return rewrap(
            outgoing.signed,
            self._peer,
            decryption_keys=core.decryption_keys,
            register=self._register,
            now=core.clock(),
        )

    def _again(self, outgoing: Outgoing, reason: str, detail: str, at_least_seconds: float) -> Postponement:
        pause = backoff(outgoing.attempts + 1, FIRST_RETRY_SECONDS, LONGEST_RETRY_SECONDS)
        if outgoing.attempts == 0 and reason in ("cannot_open", "certificate_unproven", UNWITNESSED):
            pause = 0.0  # it was wrapped anew, or the proof is attached: at once
        pause = max(pause, min(at_least_seconds, LONGEST_RETRY_SECONDS))
        return Postponement(outgoing.id, self._core.clock() + timedelta(seconds=pause), reason, detail)


def _write(
    actor: str, peer: str, outcomes: Sequence[Outcome], known: PeerLogView, tx: LogTransaction, *, ahead: bool
) -> None:
    """Write the results of a batch, with the proofs: runs in the ledger's transaction. ``ahead``: it is FLASH."""
    peers_store.put_known_log(tx.conn, known)
    settled = [(each.settlement, each) for each in outcomes if each.settlement is not None]
    ended = set(deliveries_store.settle(tx.conn, [settlement for settlement, _ in settled], tx.now))
    for settlement, each in settled:
        if settlement.id in ended:
            tx.append(_entry(settlement, each.outgoing.digest, actor, peer, each.answer_sha256))
    exchange_store.add_proofs(tx.conn, [each.proof for each in outcomes if each.proof is not None])
    deliveries_store.postpone(tx.conn, [each.postponement for each in outcomes if each.postponement is not None])
    for each in outcomes:
        if each.rewrapped is not None:
            messages_store.replace_signed(tx.conn, each.outgoing.digest, each.rewrapped)
    if settled:
        digests = tuple(each.outgoing.digest for _, each in settled)
        tx.announce(MessagesChanged(digests, frozenset(digests if ahead else ())))


def _entry(settlement: Settlement, digest: bytes, actor: str, peer: str, answer_sha256: bytes) -> log_pb2.LogEntry:
    if settlement.state == delivery_pb2.DELIVERY_STATE_DELIVERED:
        return log_entries.delivered(actor=actor, recipient=peer, digest=digest, answer_sha256=answer_sha256)
    return log_entries.delivery_refused(
        actor=actor, recipient=peer, digest=digest, reason=settlement.reason, answer_sha256=answer_sha256
    )


def _bounded(reason: str) -> str:
    """Return a reason code of the other side if it is a known one."""
    return reason if reason in REASONS else "unexpected_answer"
