"""Closing a period: two nodes log that they agree, once, or nothing; and believe no entry that does not say so."""

import asyncio
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

from paiza.core.v1 import delivery_pb2, log_pb2
from paiza.officer.v1 import audit_query_pb2
from paiza.peer.v1 import peer_audit_pb2 as pb
from paiza_node.core.exchange import store as exchange_store
from paiza_node.core.exchange.model import DeliveryRow, ProofKind, Settlement
from paiza_node.core.exchange.send import store as deliveries_store
from paiza_node.core.log import store as log_store
from paiza_node.core.messages.model import MessageState
from paiza_node.features.peer_audit import reconciliation
from paiza_node.features.peer_audit import store as peer_audit_store
from paiza_node.features.peer_audit.reconciliation import MAX_PROPOSALS, Reconciliation
from paiza_wire import receipts
from paiza_wire.errors import PaizaError, Rejected, Unavailable
from paiza_wire.message import message_digest
from paiza_wire.tlog import checkpoint as checkpoints
from paiza_wire.tlog.checkpoint import Checkpoint
from paiza_wire.tlog.log_queries import period_digest
from paiza_wire.tlog.merkle import leaf_hash
from tests.peers import directory_of
from tests.unit.paiza_node.features.peer_audit.log_room import BEGIN, SIGNERS, LogRoom, header, member_of, officer

HOUR = timedelta(hours=1)
ASKER = SimpleNamespace(id=officer("kaz"))


class Direct:
    """The other node without a network; ``bent`` changes what it answers."""

    def __init__(self, caller: str, reconciliation: Reconciliation) -> None:
        self.member = caller
        self._periods = reconciliation
        self.bent: Callable[[pb.AgreePeriodResponse], None] = lambda _answer: None
        self.asked = 0
        self.fails_after = 1_000

    def require_compared(self) -> None:
        """Pass every call: the logs were compared."""

    async def agree_period(self, request: pb.AgreePeriodRequest) -> pb.AgreePeriodResponse:
        """Agree as the other member."""
        self.asked += 1
        if self.asked > self.fails_after:
            raise Unavailable("peer_unreachable", "cut off")
        answer = await self._periods.agree(member_of(self.member), request)
        self.bent(answer)
        return answer


class Pair:
    """The nodes of kaz and tjk; kaz closes."""

    def __init__(self, folder: Path) -> None:
        self.kaz, self.tjk = LogRoom("kaz", folder), LogRoom("tjk", folder)
        self.theirs = Reconciliation(self.tjk.core, directory_of({}))
        self.direct = Direct("kaz", self.theirs)
        self.ours = Reconciliation(self.kaz.core, directory_of({"tjk": self.direct}))

    def exchange(self, sender: LogRoom, recipient: LogRoom, *, settled: bool = True) -> bytes:
        """Send a message; ``settled``: the sender has the receipt."""
        each = header(sender.member, recipient.member)
        digest = message_digest(each)
        released = sender.log("RELEASED", recipient.member, digest)
        recipient.hold(released, sender.member, ProofKind.RELEASED)
        receipt = recipient.log("RECEIVED", sender.member, digest)
        recipient.ledger.commit_now(lambda tx: exchange_store.add_answers(tx.conn, [(digest, receipt.proven.index)]))
        if settled:
            sender.hold(receipt, recipient.member, ProofKind.ANSWER)
        return digest

    def wait(self) -> None:
        """Release a message of kaz that waits for tjk's answer."""
        each = header("kaz", "tjk")
        digest = message_digest(each)
        self.kaz.log("RELEASED", "tjk", digest)
        self.kaz.store_message(each, "kaz", MessageState.RELEASED)
        now = self.kaz.clock.now
        row = DeliveryRow(1, 1, digest, "tjk", 2, 0, now, now + HOUR, now)
        self.kaz.ledger.commit_now(lambda tx: deliveries_store.add_deliveries(tx.conn, [row]))

    def close(self, since: datetime = BEGIN, until: datetime | None = None) -> audit_query_pb2.ClosePeriodResponse:
        """Close a period, as kaz's coordinator."""
        request = audit_query_pb2.ClosePeriodRequest(counterpart="tjk")
        request.period.since_time.FromDatetime(since)
        request.period.until_time.FromDatetime(until or BEGIN + HOUR)
        return asyncio.run(self.ours.close(ASKER, request))  # type: ignore[arg-type]  # its id is asked

    def theirs_size(self) -> int:
        """Return the size of tjk's log."""
        return self.tjk.ledger.checkpoint.size

    def reconciled(self, room: LogRoom) -> int:
        """Count the RECONCILED entries of a log."""
        with room.store.reads() as reads:
            entries = [log_pb2.LogEntry.FromString(each.entry) for each in log_store.entries(reads, 0, 1000)]
        return sum(entry.event == log_pb2.LOG_EVENT_RECONCILED for entry in entries)


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    """Two nodes that exchanged two messages each way, and whose clocks stand after that."""
    pair = Pair(tmp_path)
    with pair.kaz, pair.tjk:
        for sender, recipient in ((pair.kaz, pair.tjk), (pair.tjk, pair.kaz)):
            pair.exchange(sender, recipient)
            pair.exchange(sender, recipient)
        pair.kaz.clock.now = pair.tjk.clock.now = BEGIN + 2 * HOUR
        yield pair


def test_both_log_it_once_however_often_it_is_closed(pair: Pair) -> None:
    """Each log says it once, with one digest; each node keeps the other's proof."""
    first = pair.close()
    again = pair.close()
    assert (first.own.proven.index, first.theirs.proven.index) == (again.own.proven.index, again.theirs.proven.index)
    assert (pair.reconciled(pair.kaz), pair.reconciled(pair.tjk)) == (1, 1)
    for room, other in ((pair.kaz, "tjk"), (pair.tjk, "kaz")):
        with room.store.reads() as reads:
            kept = peer_audit_store.reconciled_period(reads, other, BEGIN, BEGIN + HOUR)
        assert kept is not None
        assert kept.digest == first.period_digest
        assert kept.theirs is not None
        assert receipts.parse_entry(kept.theirs.entry).reconciled.period_digest == first.period_digest


def test_a_cut_before_the_last_word_is_mended_by_closing_again(pair: Pair) -> None:
    """Both logs record an agreement even if the other side did not receive ours; the next close sends it."""
    pair.direct.fails_after = 1
    pair.close()
    assert (pair.reconciled(pair.kaz), pair.reconciled(pair.tjk)) == (1, 1)
    pair.direct.fails_after = 1_000
    pair.close()
    with pair.tjk.store.reads() as reads:
        kept = peer_audit_store.reconciled_period(reads, "kaz", BEGIN, BEGIN + HOUR)
    assert kept is not None
    assert kept.theirs is not None
    assert (pair.reconciled(pair.kaz), pair.reconciled(pair.tjk)) == (1, 1)


def test_a_period_long_past_holds_only_its_own_messages(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """The cost of a period depends on its own messages only, not on later ones."""
    for sender, recipient in ((pair.tjk, pair.kaz), (pair.kaz, pair.tjk)):
        for _ in range(5):
            pair.exchange(sender, recipient)
    monkeypatch.setattr(reconciliation, "MAX_MESSAGES", 2)
    pair.close()
    assert (pair.reconciled(pair.kaz), pair.reconciled(pair.tjk)) == (1, 1)
    monkeypatch.setattr(reconciliation, "MAX_MESSAGES", 1)
    with pytest.raises(Rejected, match="too_large"):
        pair.close()


def test_nothing_is_logged_where_the_two_differ(pair: Pair) -> None:
    """A receipt that the sender does not hold makes the digests differ; neither log says that they agree."""
    pair.kaz.clock.now = pair.tjk.clock.now = BEGIN + HOUR / 2
    pair.exchange(pair.kaz, pair.tjk, settled=False)
    pair.kaz.clock.now = pair.tjk.clock.now = BEGIN + 2 * HOUR
    with pytest.raises(Rejected, match="period_differs"):
        pair.close()
    assert (pair.reconciled(pair.kaz), pair.reconciled(pair.tjk)) == (0, 0)


def test_what_waits_keeps_a_period_open(pair: Pair) -> None:
    """While a message of ours waits for its answer the period is open; once it was given up it is not."""
    pair.kaz.clock.now = BEGIN + HOUR / 2
    pair.wait()
    pair.kaz.clock.now = BEGIN + 2 * HOUR
    with pytest.raises(Rejected, match="period_open"):
        pair.close()
    assert pair.reconciled(pair.kaz) == 0
    gone = Settlement(1, delivery_pb2.DELIVERY_STATE_EXPIRED, "delivery_expired")
    pair.kaz.ledger.commit_now(lambda tx: deliveries_store.settle(tx.conn, [gone], tx.now))
    assert pair.close().own.proven.index
    assert pair.reconciled(pair.kaz) == 1


async def test_one_member_has_one_period_computed_at_a_time(pair: Pair) -> None:
    """A repeated call while its period is computed is told to wait, and delays nobody."""
    request = pb.AgreePeriodRequest(period_digest=bytes(32))
    request.period.since_time.FromDatetime(BEGIN)
    request.period.until_time.FromDatetime(BEGIN + HOUR)
    asked = [pair.theirs.agree(member_of("kaz"), request) for _ in range(3)]
    outcomes = await asyncio.gather(*asked, return_exceptions=True)
    assert [each.reason for each in outcomes if isinstance(each, PaizaError)] == ["period_differs", "busy", "busy"]


def test_a_period_that_is_not_over_is_refused(pair: Pair) -> None:
    """By our clock or by theirs; and one that ends before it begins."""
    with pytest.raises(Rejected, match="period_open"):
        pair.close(until=BEGIN + 3 * HOUR)
    pair.tjk.clock.now = BEGIN + HOUR / 2
    with pytest.raises(Rejected, match="period_open"):
        pair.close()
    with pytest.raises(Rejected, match="malformed"):
        pair.close(since=BEGIN + HOUR, until=BEGIN)
    assert (pair.reconciled(pair.kaz), pair.reconciled(pair.tjk)) == (0, 0)


def test_messages_of_other_periods_and_members_do_not_count(pair: Pair) -> None:
    """A period holds what was released in it: what came before or after, or went elsewhere, changes no digest."""
    digest = pair.close().period_digest
    pair.exchange(pair.kaz, pair.tjk)
    pair.kaz.log("RELEASED", "uzb", bytes(32))
    assert pair.close().period_digest == digest
    assert pair.close(until=BEGIN + HOUR + HOUR / 2).period_digest != digest


def _other_entry(answer: pb.AgreePeriodResponse) -> None:
    entry = receipts.parse_entry(answer.reconciled.proven.entry)
    entry.counterpart = "uzb"
    answer.reconciled.proven.entry = entry.SerializeToString()


def _no_proof(answer: pb.AgreePeriodResponse) -> None:
    answer.reconciled.proven.index += 1


def _no_checkpoint(answer: pb.AgreePeriodResponse) -> None:
    answer.reconciled.checkpoint = b"nothing"


@pytest.mark.parametrize("bent", [_other_entry, _no_proof, _no_checkpoint])
def test_an_answer_that_does_not_hold_closes_nothing(
    pair: Pair, bent: Callable[[pb.AgreePeriodResponse], None]
) -> None:
    """The other node must show its RECONCILED entry with us over this digest, proven by its log."""
    pair.direct.bent = bent
    with pytest.raises((Rejected, Unavailable)):
        pair.close()
    assert pair.reconciled(pair.kaz) == 0


def test_an_entry_of_a_second_history_is_found_out(pair: Pair, tmp_path: Path) -> None:
    """A log that agrees in a history shown to nobody else is unverified, and found forked if both have one size."""
    folder = tmp_path / "second"
    folder.mkdir()
    with LogRoom("tjk", folder) as second:

        def agree(answer: pb.AgreePeriodResponse) -> None:
            said = receipts.parse_entry(answer.reconciled.proven.entry)
            answer.reconciled.CopyFrom(
                second.log("RECONCILED", "kaz", b"", period_digest=said.reconciled.period_digest)
            )

        pair.direct.bent = agree
        pair.close()
        (unproven,) = pair.kaz.core.logs.unverified_checkpoints.of("tjk", SIGNERS["tjk"].verifier_key.name)
        assert unproven.size == 1
        # What it showed others at that size.
        with pair.tjk.store.reads() as reads:
            (begun,) = log_store.entries_at(reads, [0])
        root = leaf_hash(begun.entry)
        note = checkpoints.sign(Checkpoint(SIGNERS["tjk"].verifier_key.name, 1, root), SIGNERS["tjk"])
        with pytest.raises(Rejected, match="log_forked"):
            pair.kaz.core.logs.add_reported(member_of("tjk"), note, told_by="uzb")
        with pytest.raises(Rejected, match="log_forked"):
            pair.close(until=BEGIN + HOUR / 2)


async def test_one_member_proposes_only_so_many_periods_in_a_minute(pair: Pair) -> None:
    """Each span of time agrees, and makes an entry: nobody fills the log with empty periods."""
    began = pair.theirs_size()
    outcomes: list[str] = []
    for number in range(MAX_PROPOSALS + 3):
        since, until = BEGIN - HOUR + timedelta(microseconds=number), BEGIN - HOUR / 2
        request = pb.AgreePeriodRequest(period_digest=period_digest(("kaz", "tjk"), since, until, []))
        request.period.since_time.FromDatetime(since)
        request.period.until_time.FromDatetime(until)
        try:
            await pair.theirs.agree(member_of("kaz"), request)
        except PaizaError as error:
            outcomes.append(error.reason)
    assert outcomes == ["busy"] * 3
    assert pair.theirs_size() - began == MAX_PROPOSALS


async def test_computing_periods_takes_so_much_of_a_minute(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """For each proposal the log is read through: a long one soon takes all the time there is, agreed or not."""
    monkeypatch.setattr(reconciliation, "MAX_COMPUTED_SECONDS", 1e-9)
    request = pb.AgreePeriodRequest(period_digest=bytes(32))
    request.period.since_time.FromDatetime(BEGIN)
    request.period.until_time.FromDatetime(BEGIN + HOUR)
    for reason in ("period_differs", "busy"):
        with pytest.raises(PaizaError, match=reason):
            await pair.theirs.agree(member_of("kaz"), request)
    with pytest.raises(PaizaError, match="period_differs"):
        await pair.theirs.agree(member_of("uzb"), request)
