"""Messages from other members' nodes: released by their author, or forwarded by another member."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256

import pytest

from paiza.core.v1 import log_pb2
from paiza.core.v1 import message_pb2 as pb
from paiza_node.core.access.need_to_know import UnitDirectory
from paiza_node.core.caller import CALLER, CallerKey
from paiza_node.core.errors import NodeStopped
from paiza_node.core.exchange import store as exchange_store
from paiza_node.core.exchange.checks import Messages
from paiza_node.core.exchange.model import ProofKind
from paiza_node.core.exchange.reactions import Reaction, ReceivedMessage, RedeliveredMessage
from paiza_node.core.exchange.receive import arrivals as module
from paiza_node.core.exchange.receive.arrivals import Answer, Arrival, Arrivals, Checked
from paiza_node.core.limits import Limits
from paiza_node.core.log import store as log_store
from paiza_node.core.log.ledger import Ledger
from paiza_node.core.log.model import StoredEntry
from paiza_node.core.log.signer import LogSigner
from paiza_node.core.log.transaction import LogTransaction
from paiza_node.core.messages import store as messages_store
from paiza_node.core.messages.model import MessageState
from paiza_node.core.quotas.quotas import Quotas
from paiza_node.core.storage import ReadConnection, Store, open_store
from paiza_node.core.storage.findings import Part
from paiza_node.features.retention import store as retention_store
from paiza_node.ops.tables import LIFECYCLES
from paiza_wire import log_entries
from paiza_wire.errors import Rejected, Unavailable
from paiza_wire.message import VerifiedMessage
from paiza_wire.receipts import VerifiedEntry
from paiza_wire.tlog.checkpoint import VerifiedCheckpoint
from tests.log_entries import entry_of
from tests.unit.paiza_node.core.log.test_ledger import SIGNER, CheckpointInMemory

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
REFUSAL = Rejected("policy_denied", "not allowed")
OFFICER = "spiffe://uzb.paiza.example/officer/liaison"


def message(number: int, *parents: bytes, author: str = "tjk", kind: str = "free-message", text: str = "") -> Arrival:
    """Make a message that its author released to us; ``text`` makes another one under the same id."""
    message_id = bytes([number]) * 16
    header = pb.Header(
        kind=kind,
        author=author,
        message_id=message_id,
        thread_id=bytes([1]) * 16 if parents else message_id,
        parent_digests=parents,
        urgency_reason=text,
        recipients=[pb.Recipient(member="kaz")],
    )
    raw = header.SerializeToString(deterministic=True)
    verified = VerifiedMessage(sha256(raw).digest(), header, pb.SignedMessage(header=raw), ())
    name = "" if parents else f"{author.upper()}-2026-{number:05d}"
    release = entry(author, number, verified.digest, log_pb2.LOG_EVENT_RELEASED, name)
    return Arrival(verified.digest, release, b"proof", verified, raw, release, b"proof")


def entry(
    member: str, index: int, digest: bytes, event: "log_pb2.LogEvent.ValueType", name: str = "", to: str = "kaz"
) -> VerifiedEntry:
    """Make an entry of a member's log."""
    parsed = entry_of(event, actor=OFFICER, counterpart=to, message_digest=digest, salt=bytes(16))
    parsed.entry_time.FromDatetime(NOW)
    if name:
        parsed.released.thread_name = name
    origin = f"{member}.paiza.example/log/1"
    checkpoint = VerifiedCheckpoint(origin, 100, bytes(32), f"{origin}\n".encode())
    return VerifiedEntry(parsed, parsed.SerializeToString(), index, checkpoint)


def forwarded(item: Arrival, index: int, by: str = "uzb") -> Arrival:
    """Make what a member hands over that forwards a message to us."""
    return replace(item, entry=entry(by, index, item.digest, log_pb2.LOG_EVENT_FORWARDED), forwarded=True)


def notice(digest: bytes, index: int) -> Arrival:
    """Make the notice of uzb that it forwarded a message of ours to tjk."""
    return Arrival(digest, entry("uzb", index, digest, log_pb2.LOG_EVENT_FORWARDED, to="tjk"), b"proof", forwarded=True)


class Scene:
    """The store and ledger of kaz, what its reactions saw, and what may arrive."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.ledger = Ledger(store, LogSigner([SIGNER]), CheckpointInMemory(), lambda: bytes(32), lambda: NOW)
        self.reacted: list[list[tuple[bytes, str]]] = []
        self.redelivered: list[bytes] = []
        reaction = Reaction(on_received=self._react, on_redelivered=self._note_redelivered)
        self.arrivals = Arrivals(node_id="node", unit_directory=UnitDirectory("kaz", "", dict), reactions=(reaction,))

    def _react(self, tx: LogTransaction, messages: Sequence[ReceivedMessage]) -> None:
        written = [each for each in messages if messages_store.message(tx.conn, each.row.digest) is not None]
        self.reacted.append([(each.row.digest, each.source) for each in written])

    def _note_redelivered(self, _tx: LogTransaction, messages: Sequence[RedeliveredMessage]) -> None:
        self.redelivered += [each.row.digest for each in messages]

    def take(self, source: str, *checked: Checked) -> list[Answer]:
        """Write a batch that a member handed over."""
        return self.ledger.commit_now(lambda tx: self.arrivals(tx, source, checked)).result

    def logged(self) -> list[str]:
        """Return what the log says: event, counterpart and reason."""
        with self.store.reads() as reads:
            entries = [log_pb2.LogEntry.FromString(each.entry) for each in log_store.entries(reads, 0, 100)]
        return [
            " ".join(filter(None, (log_pb2.LogEvent.Name(each.event)[10:], each.counterpart, log_entries.reason(each))))
            for each in entries
        ]

    def state(self, digest: bytes) -> MessageState | None:
        """Return what this node did with a message; None where it is not here."""
        with self.store.reads() as reads:
            row = messages_store.message(reads, digest)
        return None if row is None else row.state

    def proofs(self, digest: bytes) -> list[ProofKind]:
        """Return what is proven of a message."""
        with self.store.reads() as reads:
            return [each.kind for each in exchange_store.proofs(reads, digest)]


@pytest.fixture
def scene(database_url: str) -> Iterator[Scene]:
    """An empty store, on both databases."""
    made = Scene(open_store(database_url))
    yield made
    made.ledger.close()
    made.store.close()


def reasons(answers: Sequence[Answer]) -> list[str]:
    """Return the reasons of refusals; empty for what was answered with an entry."""
    return ["" if isinstance(answer, StoredEntry) else answer.reason for answer in answers]


def test_batch_is_answered_message_by_message(scene: Scene) -> None:
    """Valid messages are received, invalid ones refused under their id, undecided ones passed through."""
    good, bad = message(1), replace(message(2), refusal=REFUSAL)
    unread = Unavailable("clock_skew", "later")
    answers = scene.take("tjk", good, unread, bad)
    assert answers[1] is unread
    assert reasons([answers[0], answers[2]]) == ["", ""]
    assert scene.logged() == ["RECEIVED tjk", "REFUSED tjk policy_denied"]
    assert (scene.state(good.digest), scene.state(bad.digest)) == (MessageState.RECEIVED, MessageState.REFUSED)
    assert scene.proofs(good.digest) == scene.proofs(bad.digest) == [ProofKind.RELEASED]
    assert messages_store.read_signed(scene.store, bad.digest) is None
    assert scene.reacted == [[(good.digest, "tjk")]]


def test_repeat_gets_the_same_entry(scene: Scene) -> None:
    """A repeat in the same batch or later gets the same answer; nothing is written a second time."""
    good, bad = message(1), replace(message(2), refusal=REFUSAL)
    first = scene.take("tjk", good, bad, good)
    assert first[0] == first[2]
    assert scene.take("tjk", good, bad) == first[:2]
    assert scene.logged() == ["RECEIVED tjk", "REFUSED tjk policy_denied"]
    assert scene.reacted == [[(good.digest, "tjk")]]


def test_message_id_is_taken_by_the_first(scene: Scene) -> None:
    """Other content under the same id is refused, in the same batch too, and the first stays."""
    first, other, third = message(1), message(1, text="other"), message(1, text="third")
    scene.take("tjk", first, other)
    scene.take("tjk", third)
    assert scene.logged() == ["RECEIVED tjk", "REFUSED tjk conflict", "REFUSED tjk conflict"]
    assert (scene.state(other.digest), scene.state(third.digest)) == (None, None)


def test_forwarded_message_is_stored_with_the_release_of_its_author(scene: Scene) -> None:
    """A forwarded message is answered and proven by the author's log; a repeat of the entry changes nothing."""
    item = message(1)
    first = scene.take("uzb", forwarded(item, 5))
    assert scene.take("uzb", forwarded(item, 5)) == first
    assert scene.logged() == ["RECEIVED uzb"]
    assert scene.state(item.digest) is MessageState.RECEIVED
    assert scene.proofs(item.digest) == [ProofKind.ORIGIN]
    with scene.store.reads() as reads:
        (forwarding,) = exchange_store.forwardings_of_message(reads, item.digest)
        row = messages_store.message(reads, item.digest)
    assert (forwarding.forwarder, forwarding.held, forwarding.denied) == ("uzb", True, False)
    assert row is not None
    assert row.thread_name == "TJK-2026-00001"
    assert scene.reacted == [[(item.digest, "uzb")]]


def test_message_that_comes_both_ways_is_stored_once(scene: Scene) -> None:
    """In whichever order it comes, each hand-over is answered, reactions act once, and the log agrees."""
    early, late = message(1), message(2)
    scene.take("uzb", forwarded(early, 5))
    scene.take("tjk", early, late)
    scene.take("uzb", forwarded(late, 6))
    assert scene.logged() == ["RECEIVED uzb", "RECEIVED tjk", "RECEIVED tjk", "RECEIVED uzb"]
    assert scene.reacted == [[(early.digest, "uzb")], [(late.digest, "tjk")]]
    assert scene.redelivered == [early.digest]
    with scene.store.reads() as reads:
        assert [
            each.held
            for each in exchange_store.forwardings_of_message(reads, early.digest)
            + exchange_store.forwardings_of_message(reads, late.digest)
        ] == [
            True,
            False,
        ]
        assert not any("RECEIVED" in str(each) for each in verified(reads))


def verified(reads: ReadConnection) -> list[NodeStopped]:
    """Compare messages and log; return what is found."""
    part = Part("messages")
    check = Messages(reads, "kaz")
    for each in log_store.entries(reads, 0, 100):
        check.read_entry(each.index, log_pb2.LogEntry.FromString(each.entry))
    check.verify(part, lambda _count: None)
    return part.findings


def test_author_brings_what_the_forwarder_left_out(scene: Scene) -> None:
    """What the author is given a receipt for is stored, also where a forwarder was earlier; a refused copy is not."""
    item, invalid = message(1), message(2)
    scene.take("uzb", *(forwarded(replace(each, raw=b"x" + each.raw), at) for at, each in enumerate((item, invalid))))
    scene.take("tjk", item, replace(invalid, refusal=REFUSAL))
    assert messages_store.read_signed(scene.store, item.digest) == item.raw
    assert messages_store.read_signed(scene.store, invalid.digest) != invalid.raw


def test_author_does_not_bring_back_what_was_erased(scene: Scene) -> None:
    """A message that was forwarded and erased before its author delivered it stays erased."""
    item = message(1)
    scene.take("uzb", forwarded(item, 5))

    def erase(tx: LogTransaction) -> None:
        row = messages_store.message(tx.conn, item.digest)
        assert row is not None
        retention_store.erase_body(tx.conn, LIFECYCLES, row, b"stays", tx.now)

    scene.ledger.commit_now(erase)
    scene.take("tjk", item)
    assert scene.logged() == ["RECEIVED uzb", "RECEIVED tjk"]
    assert messages_store.read_signed(scene.store, item.digest) is None


def test_refusal_of_something_forwarded_is_denied_once_and_claims_nothing(scene: Scene) -> None:
    """A refusal is logged once per entry of the forwarder's log, and the author may still deliver the message."""
    item = message(1)
    denied = replace(forwarded(item, 5), refusal=REFUSAL)
    assert reasons(scene.take("uzb", denied, denied)) == ["policy_denied", "policy_denied"]
    assert reasons(scene.take("uzb", forwarded(item, 5))) == ["policy_denied"]
    assert scene.state(item.digest) is None
    scene.take("tjk", item)
    assert scene.logged() == ["DENIED uzb policy_denied", "RECEIVED tjk"]


def test_what_came_from_its_author_in_the_batch_decides_on_what_is_forwarded(scene: Scene) -> None:
    """A batch holds messages of the forwarder's own: an id, a refusal and a recall count in any order."""
    taken, refused, gone = message(1, author="uzb"), message(2, author="uzb"), message(3, author="uzb")
    recall = message(4, gone.digest, author="uzb", kind="recall")
    answers = scene.take(
        "uzb",
        forwarded(message(1, author="uzb", text="other"), 11),
        forwarded(refused, 12),
        forwarded(gone, 13),
        taken,
        replace(refused, refusal=REFUSAL),
        recall,
    )
    assert reasons(answers) == ["conflict", "policy_denied", "policy_denied", "", "", ""]
    assert scene.state(gone.digest) is None


def test_recall_that_is_forwarded_ahead_keeps_its_message_out(scene: Scene) -> None:
    """A message that its author recalled is not received by forwarding, also in one batch with the recall."""
    gone = message(1)
    recall = message(2, gone.digest, kind="recall")
    assert reasons(scene.take("uzb", forwarded(recall, 5), forwarded(gone, 6))) == ["", "policy_denied"]
    assert reasons(scene.take("uzb", forwarded(gone, 7))) == ["policy_denied"]


def test_notice_is_believed_of_our_own_messages_only(scene: Scene) -> None:
    """A notice of something that is not here, or not ours, is refused without an entry."""
    item = message(1)
    scene.take("tjk", item)
    assert reasons(scene.take("uzb", notice(b"u" * 32, 5), notice(item.digest, 6))) == ["unknown_id", "unknown_id"]
    assert scene.logged() == ["RECEIVED tjk"]


def test_reply_takes_the_name_of_its_thread(scene: Scene) -> None:
    """The name stands in the release that opens a thread; what follows has it too, forwarded or not."""
    root = message(1)
    reply, other = message(2, root.digest), message(3, root.digest)
    scene.take("tjk", root, reply)
    scene.take("uzb", forwarded(other, 5))
    with scene.store.reads() as reads:
        rows = [messages_store.message(reads, each.digest) for each in (root, reply, other)]
    assert [row.thread_name for row in rows if row is not None] == ["TJK-2026-00001"] * 3


def test_thread_is_bounded_for_one_member(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """Messages over the limit are refused and leave nothing; a repeat of a stored one still gets its entry."""
    monkeypatch.setattr(module, "MAX_IN_THREAD", 2)
    root = message(1)
    first, second = message(2, root.digest), message(3, root.digest)
    assert reasons(scene.take("tjk", root, first, second)) == ["", "", "too_large"]
    assert scene.state(second.digest) is None
    assert reasons(scene.take("tjk", first, second)) == ["", "too_large"]


def test_peer_beyond_its_quota_is_told_to_try_again(scene: Scene) -> None:
    """Its urgent messages are stored, the others wait at its node without an entry; repeats are answered as ever."""
    with scene.store.reads() as reads:
        scene.ledger.quotas = Quotas(Limits(peer_messages_per_day=1), reads, NOW)
    first, second, urgent = message(1), message(2), message(3, kind="cd-stop")
    passed_on = forwarded(message(4, author="uzb"), 7, by="tjk")
    token = CALLER.set(CallerKey("peer", "tjk"))
    answers = scene.take("tjk", first, second, urgent, passed_on)
    again = scene.take("tjk", first, second)
    CALLER.reset(token)
    assert reasons(answers) == ["", "daily_quota", "", "daily_quota"]
    assert reasons(again) == ["", "daily_quota"]
    assert all(isinstance(answer, StoredEntry | Unavailable) for answer in answers)
    assert scene.logged() == ["RECEIVED tjk", "RECEIVED tjk"]
