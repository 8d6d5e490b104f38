"""Release with stages of its own: what is asked of which stage in which order, and what the log says of it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

import pytest

from paiza.core.v1 import log_pb2
from paiza.core.v1 import message_pb2 as pb
from paiza_node.core.access.model import Officer
from paiza_node.core.access.need_to_know import UnitDirectory
from paiza_node.core.caller import CALLER, CallerKey
from paiza_node.core.exchange.reactions import Reaction, ReleasedMessage
from paiza_node.core.exchange.send.known_threads import UnknownThread
from paiza_node.core.exchange.send.release import Release
from paiza_node.core.exchange.stages import (
    Held,
    Moment,
    Outcome,
    Released,
    ReleaseSession,
    ReleaseStage,
    Submission,
    SubmittedMessage,
    prepare,
)
from paiza_node.core.limits import Limits
from paiza_node.core.log import store as log_store
from paiza_node.core.log.denial_share import MAX_DENIALS
from paiza_node.core.log.ledger import Ledger
from paiza_node.core.log.signer import LogSigner
from paiza_node.core.log.transaction import LogTransaction
from paiza_node.core.messages import store as messages_store
from paiza_node.core.messages.model import MessageRow
from paiza_node.core.quotas.quotas import Quotas
from paiza_node.core.storage import ReadConnection, Store, WriteConnection, open_store
from paiza_wire import log_entries
from paiza_wire.errors import Rejected, Unavailable
from paiza_wire.message import PendingMessage, VerifiedMessage
from tests.log_entries import entry_of
from tests.unit.paiza_node.core.log.test_ledger import SIGNER, CheckpointInMemory

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
OFFICER = Officer("spiffe://kaz.paiza.example/officer/liaison", frozenset({"liaison"}), "bureau")
DAY = timedelta(days=1)


def message(number: int, *, to: str = "tjk uzb", text: str = "") -> VerifiedMessage:
    """Make a message of kaz that opens a thread; ``text`` makes another one under the same id."""
    message_id = bytes([number]) * 16
    header = pb.Header(
        kind="information-request",
        author="kaz",
        message_id=message_id,
        thread_id=message_id,
        urgency_reason=text,
        urgency=pb.URGENCY_ROUTINE,
        recipients=[pb.Recipient(member=each) for each in to.split()],
    )
    raw = header.SerializeToString()
    return VerifiedMessage(sha256(raw).digest(), header, pb.SignedMessage(header=raw), ())


def submission(message: VerifiedMessage | PendingMessage) -> Submission:
    """Make what the checks give of a message."""
    return Submission(message, message.signed.SerializeToString())


def lacking(whole: VerifiedMessage) -> PendingMessage:
    """Make a message that still lacks a signature."""
    return PendingMessage(whole.digest, whole.header, whole.signed, (), (pb.RequiredSigner(id="second"),))


@dataclass(frozen=True)
class View:
    """A moment that only reads."""

    conn: ReadConnection
    now: datetime


class Probe:
    """A stage that notes what it is asked, and answers as a test says."""

    def __init__(self, name: str, seen: list[str]) -> None:
        self.name = name
        self.known: Callable[[Submission], Outcome | None] = lambda _item: None
        self.judge: Callable[[Submission], Rejected | Unavailable | None] = lambda _item: None
        self.hold: Callable[[LogTransaction, Submission], Held | Unavailable] | None = None
        self._seen = seen

    def stage(self) -> ReleaseStage:
        """Return it as a release uses it."""
        return ReleaseStage(self.name, self._open)

    def _open(self, _at: Moment, _officer: Officer, _batch: Sequence[Submission]) -> ReleaseSession:
        def known(item: Submission) -> Outcome | None:
            self._note("knows?", item)
            return self.known(item)

        def judge(item: Submission, before: Sequence[MessageRow]) -> Rejected | Unavailable | None:
            self._note(f"behind {len(before)}", item)
            return self.judge(item)

        def releasing(tx: LogTransaction, item: Submission) -> None:
            self._note("releases", item)
            tx.append(entry_of(log_pb2.LOG_EVENT_APPROVED, actor=self.name))

        return ReleaseSession(known, judge, self.hold, releasing)

    def _note(self, what: str, item: Submission) -> None:
        self._seen.append(f"{self.name} {what} {item.message.header.message_id[0]}")


class Scene:
    """A store and ledger of kaz, and a release with two stages."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.ledger = Ledger(store, LogSigner([SIGNER]), CheckpointInMemory(), lambda: bytes(32), lambda: NOW)
        self.seen: list[str] = []
        self.barred: set[bytes] = set()
        self.reacted: list[list[tuple[int, str]]] = []
        self.first, self.last = Probe("first", self.seen), Probe("last", self.seen)
        self.release = Release(
            member="kaz",
            stages=(self.first.stage(), self.last.stage()),
            reactions=(Reaction(on_released=self._react),),
            unit_directory=UnitDirectory("kaz", "", dict),
            delivery_life=DAY,
            check_signers=self._check_signers,
        )

    def _check_signers(self, message: SubmittedMessage) -> None:
        """Refuse the messages of a signer who was suspended meanwhile."""
        if message.digest in self.barred:
            raise Rejected("officer_suspended", "suspended")

    def _react(self, tx: LogTransaction, messages: Sequence[ReleasedMessage]) -> None:
        """Note what was released, if it is written already."""
        written = [each for each in messages if messages_store.message(tx.conn, each.row.digest) is not None]
        self.reacted.append([(each.header.message_id[0], each.actor) for each in written])

    def released(self, *checked: Submission | Rejected | Unavailable) -> list[Outcome]:
        """Release a batch."""
        return self.ledger.commit_now(lambda tx: self.release(tx, OFFICER, checked)).result

    def logged(self) -> list[str]:
        """Return what the log says: event, and who or what it is about."""
        with self.store.reads() as reads:
            entries = [log_pb2.LogEntry.FromString(each.entry) for each in log_store.entries(reads, 0, 100)]
        names = [log_pb2.LogEvent.Name(entry.event).removeprefix("LOG_EVENT_") for entry in entries]
        about = [entry.counterpart or log_entries.reason(entry) or entry.actor for entry in entries]
        return [" ".join(each) for each in zip(names, about, strict=True)]


@pytest.fixture
def scene(database_url: str) -> Iterator[Scene]:
    """A release over an empty store, on both databases."""
    made = Scene(open_store(database_url))
    yield made
    made.ledger.close()
    made.store.close()


def test_stages_are_asked_in_order_and_write_before_the_release(scene: Scene) -> None:
    """All stages are asked what they know, then all judge, then all write; the second message sees the first."""
    outcomes = scene.released(submission(message(1)), submission(message(2, to="tjk")))
    assert [type(outcome) for outcome in outcomes] == [Released, Released]
    per_message = ["first knows? {0}", "last knows? {0}", "first behind {1} {0}", "last behind {1} {0}"]
    per_message += ["first releases {0}", "last releases {0}"]
    assert scene.seen == [line.format(number, number - 1) for number in (1, 2) for line in per_message]
    assert scene.logged() == [
        *("APPROVED first", "APPROVED last", "RELEASED tjk", "RELEASED uzb"),
        *("APPROVED first", "APPROVED last", "RELEASED tjk"),
    ]


def test_refusal_of_a_stage_is_denied_and_the_rest_of_the_batch_goes_on(scene: Scene) -> None:
    """A message denied by a stage is logged as DENIED, skips later stages, and its neighbour is released."""
    refusal = Rejected("policy_denied", "not now")
    scene.first.judge = lambda item: refusal if item.message.header.message_id[0] == 1 else None
    refused, released = scene.released(submission(message(1)), submission(message(2, to="tjk")))
    assert refused is refusal
    assert isinstance(released, Released)
    assert not [line for line in scene.seen if line in ("last behind 0 1", "first releases 1")]
    assert scene.logged() == ["DENIED policy_denied", "APPROVED first", "APPROVED last", "RELEASED tjk"]


def test_a_signer_who_may_not_act_any_more_sends_nothing(scene: Scene) -> None:
    """Suspended after the checks and before the commit: DENIED, and no stage is asked; a repeat is still answered."""
    before, after = message(1, to="tjk"), message(2, to="tjk")
    (released,) = scene.released(submission(before))
    scene.barred = {before.digest, after.digest}
    repeat, refused = scene.released(submission(before), submission(after))
    assert isinstance(released, Released)
    assert isinstance(repeat, Released)
    assert repeat.repeated
    assert isinstance(refused, Rejected)
    assert refused.reason == "officer_suspended"
    assert scene.logged()[3:] == ["DENIED officer_suspended"]
    assert not [line for line in scene.seen if line.endswith(" 2") and "behind" in line]


def test_what_is_no_denial_is_answered_and_not_logged(scene: Scene) -> None:
    """A refusal for another reason than that somebody may not, and a wait, leave no entry."""
    against = (Unavailable("busy", "later"), Rejected("invalid_header", "no"))
    answers: Iterator[Rejected | Unavailable] = iter(against)
    scene.last.judge = lambda _item: next(answers)
    outcomes = scene.released(*(submission(message(number)) for number in (1, 2)))
    assert outcomes == list(against)
    assert scene.logged() == []


def test_a_message_that_lacks_signatures_is_held_by_the_stage_that_does(scene: Scene) -> None:
    """It is held once nothing stands against it, and the other messages of its batch are released."""
    held = Held(b"digest", 0, b"entry", ("second",), NOW)
    scene.last.hold = lambda _tx, _item: held
    assert scene.released(submission(lacking(message(1)))) == [held]
    scene.first.judge = lambda _item: Rejected("invalid_header", "no")
    (refused,) = scene.released(submission(lacking(message(2))))
    assert isinstance(refused, Rejected)


def test_a_thread_that_an_officer_may_not_know_of_is_logged(scene: Scene) -> None:
    """Its refusal is DENIED, although its reason is that of an unknown message, which is not."""
    scene.first.judge = lambda _item: UnknownThread()
    scene.released(submission(message(1)))
    scene.first.judge = lambda _item: Rejected("unknown_id", "what is taken back is not here")
    scene.released(submission(message(2)))
    assert scene.logged() == ["DENIED unknown_id"]


def test_judging_writes_nothing(scene: Scene) -> None:
    """What only is judged is asked of every stage as in a release, and neither written, logged nor held."""
    scene.last.hold = lambda _tx, _item: Held(b"digest", 0, b"entry", ("second",), NOW)
    with scene.store.reads() as reads:
        at = View(reads, NOW)
        assert scene.release.judge(at, OFFICER, submission(message(1))) is None
        assert scene.release.judge(at, OFFICER, submission(lacking(message(2)))) is None
        scene.last.judge = lambda _item: Rejected("policy_denied", "no")
        refused = scene.release.judge(at, OFFICER, submission(message(3)))
    assert isinstance(refused, Rejected)
    assert [line for line in scene.seen if "releases" in line] == []
    assert scene.logged() == []
    assert scene.reacted == []


def test_denials_of_one_batch_are_bounded(scene: Scene) -> None:
    """An officer cannot fill the log with refusals: one batch leaves a bounded number of entries."""
    denied = [Rejected("policy_denied", "checked before") for _ in range(MAX_DENIALS + 5)]
    assert scene.released(*denied) == denied
    assert scene.logged() == ["DENIED policy_denied"] * MAX_DENIALS


def test_reactions_act_once_on_what_was_released_and_is_written(scene: Scene) -> None:
    """Reactions are notified once per batch, of released messages only; not at all if there are none."""
    refusal = Rejected("policy_denied", "not now")
    scene.first.judge = lambda item: refusal if item.message.header.message_id[0] == 2 else None
    scene.released(*(submission(message(number)) for number in (1, 2, 3)))
    scene.released(submission(message(1)), submission(message(2)))
    assert scene.reacted == [[(1, OFFICER.id), (3, OFFICER.id)]]


def test_repeat_is_answered_before_any_stage_is_asked(scene: Scene) -> None:
    """The same message gives the entries of the first time; other content is a conflict."""
    (first,) = scene.released(submission(message(1)))
    scene.seen.clear()
    repeated, conflict = scene.released(submission(message(1)), submission(message(1, text="other")))
    assert isinstance(first, Released)
    assert isinstance(repeated, Released)
    assert (repeated.repeated, repeated.indices, repeated.entries) == (True, first.indices, first.entries)
    assert isinstance(conflict, Rejected)
    assert conflict.reason == "conflict"
    assert scene.seen == []


def test_answer_that_a_stage_knows_ends_the_matter(scene: Scene) -> None:
    """A stage that knows a message from before answers for it, and nothing is judged or written."""
    held = Held(b"digest", 7, b"entry", (), NOW)
    scene.last.known = lambda _item: held
    assert scene.released(submission(message(1))) == [held]
    assert scene.seen == ["first knows? 1", "last knows? 1"]
    assert scene.logged() == []


def test_message_that_lacks_signatures_is_never_released(scene: Scene) -> None:
    """A message that lacks signatures is refused if no stage holds it: nothing unsigned leaves."""
    (refused,) = scene.released(submission(lacking(message(1))))
    assert isinstance(refused, Rejected)
    assert refused.reason == "wrong_signers"
    assert scene.logged() == []


def test_what_stages_prepare_is_kept_by_their_names() -> None:
    """Only stages that prepare something are asked, and only what they made is kept."""
    no_session: Callable[..., ReleaseSession] = lambda *_args: ReleaseSession()  # noqa: E731
    stages = [
        ReleaseStage("one", no_session, lambda _message, now: now),
        ReleaseStage("two", no_session, lambda _message, _now: None),
        ReleaseStage("three", no_session),
    ]
    assert prepare(stages, message(1), NOW) == {"one": NOW}


def test_message_beyond_the_quota_waits_unless_nothing_may_hold_it_up(scene: Scene) -> None:
    """An officer whose day is used up releases what is FLASH, recalls or was approved; repeats are answered as ever."""
    with scene.store.reads() as reads:
        scene.ledger.quotas = Quotas(Limits(officer_messages_per_day=1), reads, NOW)
    items = [submission(message(number, to="tjk")) for number in range(1, 7)]
    items[2].message.header.urgency = pb.URGENCY_FLASH
    items[3].message.header.kind = "recall"
    items[4] = replace(items[4], approved=True)
    token = CALLER.set(CallerKey("officer", OFFICER.id))
    outcomes = scene.released(*items)
    (again,) = scene.released(items[0])
    CALLER.reset(token)
    assert [isinstance(outcome, Released) for outcome in outcomes] == [True, False, True, True, True, False]
    assert [each.reason for each in outcomes if isinstance(each, Unavailable)] == ["daily_quota"] * 2
    assert isinstance(again, Released)
    assert again.repeated


def test_repeats_of_a_batch_are_looked_up_together(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """An officer who repeats a batch costs the ledger no query for each message: others wait for it meanwhile."""
    items = [submission(message(number)) for number in range(1, 33)]
    released = scene.released(*items)
    asked: list[str] = []
    run, execute = WriteConnection.run, WriteConnection.execute

    def counted_run(conn: WriteConnection, sql: str, *given: Any) -> Any:
        asked.append(sql)
        return run(conn, sql, *given)

    def counted_execute(conn: WriteConnection, statement: Any, *given: Any) -> Any:
        asked.append(str(statement))
        return execute(conn, statement, *given)

    monkeypatch.setattr(WriteConnection, "run", counted_run)
    monkeypatch.setattr(WriteConnection, "execute", counted_execute)
    one = scene.released(items[0])
    of_one = len(asked)
    again = scene.released(*items)
    assert len(asked) - of_one == of_one
    assert one == again[:1]
    for before, now in zip(released, again, strict=True):
        assert isinstance(before, Released)
        assert now == replace(before, repeated=True)
