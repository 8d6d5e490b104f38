"""Reconciling names what does not agree, with what proves it; and never accuses a member whose node is honest."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest

from paiza.core.v1 import log_pb2
from paiza_client.reconciliation.compare import Comparison, Difference, Result
from paiza_client.reconciliation.log_queries import Question
from paiza_client.reconciliation.plan import compare_logs
from paiza_client.verify import log_query_checks as checks
from paiza_client.verify.log_query_checks import Query, VisiblePage
from paiza_node.core.exchange import store as exchange_store
from paiza_node.core.exchange.model import ForwardingRow, ProofKind
from paiza_node.core.log import store as log_store
from paiza_node.core.log.transaction import LogTransaction
from paiza_node.core.messages.model import MessageState
from paiza_node.features.peer_audit import query as looking
from paiza_node.features.peer_audit import reconciliation
from paiza_node.features.peer_audit.consult import Asker
from paiza_node.features.peer_audit.visibility import Visibility
from paiza_node.features.retention import store as retention_store
from paiza_node.ops.tables import LIFECYCLES
from paiza_officer.errors import Refused
from paiza_wire.message import message_digest
from paiza_wire.tlog import log_queries
from tests.unit.paiza_node.features.peer_audit.log_room import BEGIN, LogRoom, header, log_reader, officer

ASKER = officer("kaz")
HOUR = timedelta(hours=1)


@dataclass
class Both:
    """The logs of kaz and tjk; ``kaz`` is whose coordinator asks. ``between`` is done before each question."""

    kaz: LogRoom
    tjk: LogRoom
    between: Callable[[], None] = lambda: None
    released: dict[bytes, log_pb2.LogProof] = field(default_factory=dict)

    def room(self, member: str) -> LogRoom:
        """One member's log."""
        return self.kaz if member == "kaz" else self.tjk

    def release(self, sender: str, recipient: str, event: str = "RELEASED") -> bytes:
        """Release a message; gives its digest."""
        each = header(sender, recipient)
        digest = message_digest(each)
        self.room(sender).store_message(each, sender, MessageState.RELEASED)
        self.released[digest] = self.room(sender).log(event, recipient, digest)
        self._headers[digest] = each
        return digest

    def receive(self, sender: str, recipient: str, digest: bytes, *, body: bool = True) -> log_pb2.LogProof:
        """Receive it; gives the receipt."""
        room = self.room(recipient)
        room.hold(self.released[digest], sender, ProofKind.RELEASED)
        room.store_message(self._headers[digest], sender, MessageState.RECEIVED, body=body)
        return self.answer(sender, recipient, digest, "RECEIVED")

    def answer(self, sender: str, recipient: str, digest: bytes, event: str, reason: str = "") -> log_pb2.LogProof:
        """Log an answer, which stands in the recipient's table of answers too."""
        room = self.room(recipient)
        proof = room.log(event, sender, digest, **({"reason": reason} if reason else {}))
        room.ledger.commit_now(lambda tx: exchange_store.add_answers(tx.conn, [(digest, proof.proven.index)]))
        return proof

    def settle(self, sender: str, recipient: str, digest: bytes, receipt: log_pb2.LogProof) -> None:
        """Keep the receipt, and log that it came."""
        room = self.room(sender)
        room.hold(receipt, recipient, ProofKind.ANSWER)
        room.log("DELIVERED", recipient, digest)

    def exchange(self, sender: str, recipient: str) -> bytes:
        """Send a message all the way."""
        digest = self.release(sender, recipient)
        self.settle(sender, recipient, digest, self.receive(sender, recipient, digest))
        return digest

    async def pages(self, member: str, question: Question) -> AsyncIterator[VisiblePage]:
        """Answer as `Coordination.pages` does."""
        (query,) = question.queries()
        while True:
            self.between()
            room = self.room(member)
            data = query.SerializeToString(deterministic=True)
            own = member == "kaz"
            asker = Asker(ASKER, "" if own else "kaz", Visibility(member if own else "kaz", own=own))
            page = await room.consult.entries(asker, data)
            found = checks.check_page(page, Query("kaz", ASKER, member, data), log_reader())
            yield found
            if found.complete:
                return
            query.from_index = found.next_index

    def reconcile(self, allowed: timedelta = HOUR, later: timedelta = timedelta()) -> Result:
        """Compare both logs over all there is, as of ``later`` than now."""
        now = max(self.kaz.clock.now, self.tjk.clock.now) + timedelta(seconds=1) + later
        comparison = Comparison("kaz", "tjk", BEGIN, now + HOUR, allowed)
        return asyncio.run(compare_logs(self, comparison, own="kaz", now=now))

    _headers: dict[bytes, bytes] = field(default_factory=dict)


@pytest.fixture
def both(tmp_path: Path) -> Iterator[Both]:
    """Two logs in which two messages each way agree."""
    with LogRoom("kaz", tmp_path) as kaz, LogRoom("tjk", tmp_path) as tjk:
        both = Both(kaz, tjk)
        for sender, recipient in (("kaz", "tjk"), ("tjk", "kaz")):
            both.exchange(sender, recipient)
            both.exchange(sender, recipient)
        yield both


def only(result: Result) -> Difference:
    """Return the one difference there is."""
    assert result.agreed == 4
    (difference,) = result.differences
    return difference


def told(difference: Difference) -> tuple[str, str, str]:
    """Return what a difference says."""
    return difference.kind, difference.remark, difference.against


def test_what_agrees_can_be_closed(both: Both) -> None:
    """Everything released was received: no difference, and a digest that does not depend on who asks."""
    result = both.reconcile()
    assert (result.agreed, result.under_way, result.differences, result.agrees) == (4, 0, (), True)


def test_under_way_is_no_difference_until_it_is_late(both: Both) -> None:
    """A waiting message is under way within the time allowed and late after it, without proof against anybody."""
    both.release("kaz", "tjk")
    result = both.reconcile()
    assert (result.under_way, result.differences, result.agrees) == (1, (), False)
    late = both.reconcile(later=2 * HOUR)
    assert told(only(late)) == ("late", "not_answered", "")
    assert not late.agrees


def test_a_late_answer_is_named_and_can_be_closed(both: Both) -> None:
    """An answer after more than the time allowed is a fact of both logs."""
    digest = both.release("tjk", "kaz")
    both.kaz.clock.now = both.tjk.clock.now = both.tjk.clock.now + 3 * HOUR
    both.settle("tjk", "kaz", digest, both.receive("tjk", "kaz", digest))
    result = both.reconcile()
    assert told(only(result)) == ("late", "answered_late", "")
    assert result.agrees


@pytest.mark.parametrize("sender", ["kaz", "tjk"])
def test_content_that_is_gone_is_lost(both: Both, sender: str) -> None:
    """A node that denies a message contradicts its own receipt."""
    recipient = "tjk" if sender == "kaz" else "kaz"
    digest = both.release(sender, recipient)
    both.settle(sender, recipient, digest, both.receive(sender, recipient, digest, body=False))
    difference = only(both.reconcile())
    assert told(difference) == ("lost", "content_missing", recipient)
    assert [proof.event for proof in difference.proofs] == ["RECEIVED", "CONSULTED"]


@pytest.mark.parametrize("sender", ["kaz", "tjk"])
def test_a_receipt_that_its_log_does_not_show_is_lost(both: Both, sender: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hidden receipt is proven against its issuer, with the answer that hid it."""
    recipient = "tjk" if sender == "kaz" else "kaz"
    digest = both.release(sender, recipient)
    both.settle(sender, recipient, digest, both.receive(sender, recipient, digest))
    matches = looking._matches

    def lying(entry: log_pb2.LogEntry, query: object) -> bool:
        hidden = entry.message_digest == digest and entry.event == log_pb2.LOG_EVENT_RECEIVED
        return not hidden and matches(entry, query)  # type: ignore[arg-type]  # as it came

    monkeypatch.setattr(looking, "_matches", lying)
    difference = only(both.reconcile())
    assert told(difference) == ("lost", "receipt_not_shown", recipient)
    assert [(proof.event, proof.member) for proof in difference.proofs] == [
        ("RECEIVED", recipient),
        ("CONSULTED", recipient),
    ]


def test_a_release_that_its_log_does_not_show_stands_against_it(both: Both, monkeypatch: pytest.MonkeyPatch) -> None:
    """The recipient holds the proof of release; a sender that hides it is named."""
    digest = both.exchange("tjk", "kaz")
    matches = looking._matches

    def lying(entry: log_pb2.LogEntry, query: object) -> bool:
        hidden = entry.message_digest == digest and entry.event == log_pb2.LOG_EVENT_RELEASED
        return not hidden and matches(entry, query)  # type: ignore[arg-type]  # as it came

    monkeypatch.setattr(looking, "_matches", lying)
    difference = only(both.reconcile())
    assert told(difference) == ("only-here", "release_not_shown", "tjk")
    assert [proof.event for proof in difference.proofs] == ["RELEASED", "CONSULTED"]


def test_what_nobody_released_is_named_without_an_accusation(both: Both) -> None:
    """A receipt for what the other's log does not know, without a proof: only here, against nobody."""
    both.answer("kaz", "tjk", bytes(range(32)), "RECEIVED")
    assert told(only(both.reconcile())) == ("only-here", "no_release", "")


def test_refusals_are_told_with_the_reason(both: Both) -> None:
    """A refusal in the recipient's log is proven; one that only the sender states is its word alone."""
    digest = both.release("kaz", "tjk")
    both.tjk.hold(both.released[digest], "kaz", ProofKind.RELEASED)
    refusal = both.answer("kaz", "tjk", digest, "REFUSED", "invalid_content")
    both.kaz.hold(refusal, "tjk", ProofKind.ANSWER)
    both.kaz.log("DELIVERY_REFUSED", "tjk", digest, reason="invalid_content")
    result = both.reconcile()
    assert (*told(only(result)), only(result).reason) == ("refused", "refused", "", "invalid_content")
    assert result.agrees


def test_a_rejection_is_the_senders_word_alone(both: Both) -> None:
    """A message that the recipient did not log cannot be proven, and the period is not closed."""
    digest = both.release("kaz", "tjk")
    both.kaz.log("DELIVERY_REFUSED", "tjk", digest, reason="bad_signature")
    result = both.reconcile()
    assert (*told(only(result)), result.agrees) == ("refused", "refused_unproven", "", False)


def test_what_was_given_up_is_late(both: Both) -> None:
    """A delivery that was given up is named so, against nobody."""
    digest = both.release("kaz", "tjk")
    both.kaz.log("EXPIRED", "tjk", digest, reason="delivery_expired")
    assert told(only(both.reconcile())) == ("late", "given_up", "")


def test_an_erasure_under_legal_hold_is_no_exchange(both: Both) -> None:
    """That a holder keeps a message it should erase, which its author logs too, says nothing of what was exchanged."""
    digest = both.exchange("kaz", "tjk")
    both.tjk.log("ERASURE_DENIED", "kaz", digest)
    both.kaz.log("ERASURE_ANSWERED", "tjk", digest)
    assert not both.reconcile().differences


def test_passing_on_is_taken_or_denied_and_notices_are_neither(both: Both) -> None:
    """A forwarded and denied message is named; the author's notice of a forwarding is no message."""
    denied = both.release("tjk", "kaz", "FORWARDED")
    both.kaz.log("DENIED", "tjk", denied, reason="policy_denied")
    # Tjk passed a message of kaz on to uzb, and told kaz.
    own = both.exchange("kaz", "tjk")
    notice = both.tjk.log("FORWARDED", "uzb", own)
    index = both.kaz.log("RECEIVED", "tjk", own).proven.index
    for proof, at, is_denied in ((both.released[denied], 0, True), (notice, index, False)):
        proven = proof.proven
        row = ForwardingRow(
            forwarder="tjk",
            index=proven.index,
            digest=denied if is_denied else own,
            holder="uzb",
            entry=proven.entry,
            hashes=b"".join(proven.inclusion_hashes),
            checkpoint=proof.checkpoint,
            register_version=bytes(32),
            log_index=at,
            denied=is_denied,
        )
        both.kaz.ledger.commit_now(lambda tx, row=row: exchange_store.add_forwardings(tx.conn, [row]))  # type: ignore[misc]
    result = both.reconcile()
    assert result.agreed == 5
    (difference,) = result.differences
    assert (*told(difference), difference.reason) == ("denied", "denied", "", "policy_denied")


def retire(room: LogRoom, digest: bytes) -> None:
    """Remove a message's log entries by audit retention."""

    def work(tx: LogTransaction) -> None:
        gone = log_store.entries_of(tx.conn, digest)
        retention_store.retire_messages(tx.conn, LIFECYCLES, [digest])
        retention_store.retire_entries(tx.conn, LIFECYCLES, gone)

    room.ledger.commit_now(work)


@pytest.mark.parametrize("sender", ["kaz", "tjk"])
def test_what_retention_took_is_not_missed(both: Both, sender: str) -> None:
    """A receipt or a release whose entry its log retired accuses nobody."""
    recipient = "tjk" if sender == "kaz" else "kaz"
    taken, released = both.exchange(sender, recipient), both.exchange(sender, recipient)
    both.kaz.clock.now = both.tjk.clock.now = both.kaz.clock.now + timedelta(days=400)
    retire(both.room(recipient), taken)
    retire(both.room(sender), released)
    both.exchange(sender, recipient)
    result = both.reconcile()
    assert (result.differences, result.agreed) == ((), 6)


def test_nothing_young_was_retired(both: Both) -> None:
    """That retention took it is no excuse for what is younger than any retention."""
    digest = both.exchange("kaz", "tjk")
    retire(both.tjk, digest)
    assert told(only(both.reconcile())) == ("lost", "receipt_not_shown", "tjk")


def test_a_narrow_scope_is_no_loss(both: Both, monkeypatch: pytest.MonkeyPatch) -> None:
    """A node that shows less than what is compared is named as not granting it; nothing is called lost."""
    narrow = frozenset({log_pb2.LOG_EVENT_RELEASED})
    monkeypatch.setattr("paiza_node.features.peer_audit.visibility.PARTY_EVENTS", narrow)
    with pytest.raises(Refused, match="audit_not_granted"):
        both.reconcile()


@pytest.mark.parametrize("seed", range(8))
def test_no_honest_node_is_ever_accused(both: Both, seed: int) -> None:
    """No act of two honest nodes during the queries proves anything against either, and no message is lost."""
    chosen = random.Random(seed)
    waiting: list[tuple[str, str, bytes]] = []
    receipts: list[tuple[str, str, bytes, log_pb2.LogProof]] = []

    def step() -> None:
        sender, recipient = chosen.choice([("kaz", "tjk"), ("tjk", "kaz")])
        match chosen.randrange(4):
            case 0:
                waiting.append((sender, recipient, both.release(sender, recipient)))
            case 1 if waiting:
                sender, recipient, digest = waiting.pop(chosen.randrange(len(waiting)))
                receipts.append((sender, recipient, digest, both.receive(sender, recipient, digest)))
            case 2 if receipts:
                both.settle(*receipts.pop(chosen.randrange(len(receipts))))
            case 3 if waiting and chosen.random() < 0.3:
                sender, recipient, digest = waiting.pop()
                both.room(sender).log("EXPIRED", recipient, digest, reason="delivery_expired")

    def busy() -> None:
        for _ in range(chosen.randrange(6)):
            step()

    for _ in range(30):
        step()
    both.between = busy
    result = both.reconcile()
    assert [each for each in result.differences if each.against or each.kind in ("lost", "only-here")] == []


def test_the_node_computes_the_digest_of_the_client(both: Both) -> None:
    """The digest that both nodes would close a period with equals the client's, computed from the answers."""
    result = both.reconcile()
    ends = (BEGIN, max(both.kaz.clock.now, both.tjk.clock.now) + timedelta(seconds=1) + HOUR)
    for room, other in ((both.kaz, "tjk"), (both.tjk, "kaz")):
        size = room.ledger.checkpoint.size
        with room.store.reads() as reads:
            exchanged = [
                *reconciliation._ours(reads, room.member, other, *ends, size),
                *reconciliation._theirs(reads, other, *ends, size),
            ]
        assert log_queries.period_digest((room.member, other), *ends, exchanged) == result.digest
