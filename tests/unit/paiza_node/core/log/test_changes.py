"""Changes after the commit: when they are published, who hears of them, and what is found without them."""

import asyncio
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

import pytest
from structlog.testing import capture_logs
from typing_extensions import override

from paiza.officer.v1 import officer_pb2
from paiza_node.core.access.need_to_know import UnitDirectory
from paiza_node.core.dependencies import Core
from paiza_node.core.exchange.send.queue import OutboundQueues
from paiza_node.core.exchange.send.submit import Submit
from paiza_node.core.executors.executors import Executors
from paiza_node.core.log import changes as module
from paiza_node.core.log.changes import Change, ChangeFeed
from paiza_node.core.log.ledger import Ledger
from paiza_node.core.log.notifier import Notifier
from paiza_node.core.log.signer import LogSigner
from paiza_node.core.log.transaction import LogTransaction
from paiza_node.core.messages.decryption import DecryptionKeys
from paiza_node.core.peers.log_views import PeerLogViews
from paiza_node.core.policy import Policy
from paiza_node.features.workflows.deadlines import WorkflowDeadlines
from paiza_node.features.workflows.legality import WORKFLOWS, WorkflowStates, workflow_stage
from paiza_node.features.workflows.steps import Steps
from paiza_node.ops.config import load
from paiza_node.ops.keys import load_keys
from paiza_trust import dev
from paiza_wire import log_entries
from paiza_wire.errors import Rejected, Unavailable
from tests import delivery
from tests.changed_messages import ChangedMessages
from tests.officer import Officer
from tests.registers import read_register
from tests.unit.paiza_node.core.log.test_ledger import SIGNER, CheckpointInMemory, FailingStore
from tests.unit.paiza_node.fixed_officers import listed_officers
from tests.unit.paiza_node.room import Room

SECONDS: Final = 30.0  # for what takes none; a limit, not a measure
MEMBERS: Final = ("kaz", "tjk", "uzb")


@dataclass(frozen=True, slots=True)
class Noted(Change):
    """A change of these tests."""

    name: str


class Listener:
    """A subscriber that keeps what it hears."""

    def __init__(self, events: list[str] | None = None) -> None:
        self.events = [] if events is None else events
        self.came = asyncio.Event()
        self.caught_up = 0

    def notify(self, changes: Sequence[Change]) -> None:
        """Keep the names of changes."""
        self.events += [change.name for change in changes if isinstance(change, Noted)]
        self.came.set()

    def catch_up(self) -> None:
        """Count the call."""
        self.caught_up += 1
        self.came.set()


class Failing(Listener):
    """A subscriber with a defect."""

    @override
    def notify(self, changes: Sequence[Change]) -> None:
        """Fail."""
        raise AssertionError(changes)


class GatedFile(CheckpointInMemory):
    """A checkpoint file that notes when a checkpoint is on disk, and can be made to wait before that."""

    def __init__(self, events: list[str] | None = None) -> None:
        super().__init__()
        self.events = [] if events is None else events
        self.begun, self.authenticator = threading.Event(), threading.Event()
        self.authenticator.set()

    @override
    def save(self, note: bytes) -> None:
        """Wait at the gate, then keep the note."""
        self.begun.set()
        self.authenticator.wait(SECONDS)
        super().save(note)
        self.events.append("saved")


def note(name: str, *, fails: bool = False) -> Any:
    """Make work that appends an entry and announces a change, and fails after that if it is told to."""

    def work(tx: LogTransaction) -> None:
        tx.append(log_entries.searched(actor=name))
        tx.announce(Noted(name))
        if fails:
            raise Rejected("unknown_id", "no")

    return work


class Books:
    """A store that fails where a test says, its ledger, and one who listens."""

    def __init__(self, folder: Path) -> None:
        self.events: list[str] = []
        self.store = FailingStore(f"sqlite:///{folder / 'paiza.db'}")
        self.file = GatedFile(self.events)
        self.ledger = Ledger(self.store, LogSigner([SIGNER]), self.file, lambda: bytes(32))
        self.events.clear()  # what the start signed
        self.file.begun.clear()
        self.listener = Listener(self.events)
        self.ledger.changes.subscribe([self.listener])

    def close(self) -> None:
        """End the ledger's thread."""
        self.ledger.close()
        self.store.close()


@pytest.fixture
async def books(tmp_path: Path) -> AsyncIterator[Books]:
    """A ledger and one who listens."""
    with closing(Books(tmp_path)) as books:
        yield books


async def test_nothing_is_published_before_the_checkpoint_is_on_disk(books: Books) -> None:
    """The checkpoint is saved first, then subscribers are notified, then the caller is answered."""
    await books.ledger.commit(note("a"))
    books.events.append("answered")
    assert books.events == ["saved", "a", "answered"]


async def test_a_change_of_work_that_fails_is_not_published(books: Books) -> None:
    """Changes of failed work are dropped with its writes; those of other work in the commit are published."""
    books.file.authenticator.clear()
    first = asyncio.create_task(books.ledger.commit(note("first")))
    await asyncio.to_thread(books.file.begun.wait, SECONDS)  # what comes now shares the next commit
    rest = [books.ledger.commit(note("bad", fails=True)), books.ledger.commit(note("good"))]
    together = asyncio.gather(*rest, return_exceptions=True)
    await asyncio.sleep(0)
    books.file.authenticator.set()
    await first
    assert isinstance((await together)[0], Rejected)
    # The ledger's thread may save the next commit before the loop has published the changes of the first.
    assert books.events in (["saved", "first", "saved", "good"], ["saved", "saved", "first", "good"])


@pytest.mark.parametrize("how", ["begin", "commit"])
async def test_a_change_that_was_not_committed_is_not_published(books: Books, how: str) -> None:
    """A transaction that was rolled back changed nothing, now or later."""
    books.store.failures = [how]
    with pytest.raises(Unavailable):
        await books.ledger.commit(note("never"))
    await books.ledger.commit(note("a"))
    assert books.events == ["saved", "a"]


async def test_a_commit_that_is_taken_over_later_is_published_then(books: Books) -> None:
    """Nobody knew whether it took place; the next commit finds it, and publishes its changes ahead of its own."""
    books.store.failures = ["answer", "begin"]
    with pytest.raises(Unavailable):
        await books.ledger.commit(note("uncertain"))
    assert books.events == []
    await books.ledger.commit(note("next"))
    assert books.events == ["saved", "uncertain", "next"]


async def test_what_is_committed_and_not_signed_is_published_with_the_next_checkpoint(books: Books) -> None:
    """Subscribers are not notified while the checkpoint's disk is full, and then of everything, once."""
    books.file.full = True
    with pytest.raises(Unavailable):
        await books.ledger.commit(note("a"))
    assert books.events == []
    books.file.full = False
    await books.ledger.commit(note("b"))
    await books.ledger.commit(lambda _tx: None)
    assert books.events == ["saved", "a", "b"]


async def test_a_commit_group_costs_the_event_loop_one_call(books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    """A group with any number of changes costs one call; one without changes costs none."""
    notified: list[int] = []
    monkeypatch.setattr(books.ledger.changes, "_notify", lambda changes: notified.append(len(changes)))

    def work(tx: LogTransaction) -> None:
        for _ in range(300):
            tx.announce(Noted("x"))

    await books.ledger.commit(work)
    await books.ledger.commit(lambda _tx: None)
    assert notified == [300]


async def test_a_subscriber_that_fails_keeps_nothing_from_the_others() -> None:
    """A failing subscriber is logged, catches up at once, and the next ones are notified."""
    feed, failing, listener = ChangeFeed(), Failing(), Listener()
    feed.subscribe([failing, listener])
    await asyncio.to_thread(feed.publish, [Noted("a")])
    await asyncio.wait_for(listener.came.wait(), SECONDS)
    assert (failing.caught_up, listener.caught_up) == (1, 0)
    assert listener.events == ["a"]


async def test_a_damaged_row_is_told_without_a_traceback() -> None:
    """What a subscriber cannot read of a row is a state of the database, not an error of the program."""

    class Damaged(Failing):
        @override
        def notify(self, changes: Sequence[Change]) -> None:
            raise Rejected("malformed", "the header is not a valid paiza.core.v1.Header")

    feed, damaged, listener = ChangeFeed(), Damaged(), Listener()
    feed.subscribe([damaged, listener])
    with capture_logs() as told:
        await asyncio.to_thread(feed.publish, [Noted("a")])
        await asyncio.wait_for(listener.came.wait(), SECONDS)
    assert [(each["event"], each["reason"], "exc_info" in each) for each in told] == [
        ("change_not_delivered", "malformed", False)
    ]
    assert damaged.caught_up == 1


async def test_subscribers_catch_up_at_once_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """They look at the rows when the node starts, and periodically after it."""
    monkeypatch.setattr(module, "CATCH_UP_SECONDS", 0.01)
    feed, listener = ChangeFeed(), Listener()
    feed.subscribe([listener])
    running = asyncio.create_task(feed.task.run())
    async with asyncio.timeout(SECONDS):
        while listener.caught_up < 3:
            listener.came.clear()
            await listener.came.wait()
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running


async def test_workflow_that_nobody_was_told_of_is_found(tmp_path: Path) -> None:
    """A step that no change spoke of is looked at when the watch catches up, and its workflow is watched over."""
    with Room(f"sqlite:///{tmp_path / 'paiza.db'}") as room:
        seen = room.begin().header.thread_id
        await room.deadlines.load()
        missed = room.message("tjk", "cd-request", delivery.request(MEMBERS, room.clock.now))
        room.ledger.commit_now(lambda tx: room.write(tx, missed))
        await room.deadlines.round()
        assert set(room.deadlines.live) == {seen}
        room.deadlines.catch_up()
        await room.deadlines.round()
        assert set(room.deadlines.live) == {seen, missed.header.thread_id}


async def test_workflows_are_all_loaded_where_the_database_was_away_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A load that breaks off is repeated in full: no workflow stays unwatched until its next step."""
    with Room(f"sqlite:///{tmp_path / 'paiza.db'}") as room:
        threads = {room.begin().header.thread_id for _ in range(2)}
        room.restart()
        look = room.deadlines._look

        async def failing(thread_id: bytes, *, tell: bool) -> None:
            monkeypatch.undo()
            await look(thread_id, tell=tell)
            raise Unavailable("database_unavailable", "away")

        monkeypatch.setattr(room.deadlines, "_look", failing)
        with pytest.raises(Unavailable):
            await room.deadlines.load()
        await room.deadlines.load()
        assert set(room.deadlines.live) == threads


class Sender:
    """The sending side of kaz over a store that fails where a test says, with all who act on a release."""

    def __init__(self, federation: Path, folder: Path) -> None:
        register = read_register(federation)
        config = load(federation / "nodes" / "kaz" / "node.toml", {})
        decryption_keys = DecryptionKeys("kaz", load_keys(config, register.member("kaz")).decryption)
        officers = listed_officers(config.path.parent / "officers.json")
        register_cache: Any = SimpleNamespace(
            current=register,
            version=register.version,
            policy=Policy(register.agreements),
            check_known=lambda _version: None,
        )
        self.store = FailingStore(f"sqlite:///{folder / 'paiza.db'}")
        self.file = GatedFile()
        self.ledger = Ledger(self.store, LogSigner([SIGNER]), self.file, lambda: register.version)
        self.file.begun.clear()
        self.executors = Executors()
        self.notifier = Notifier()
        core = Core(
            member="kaz",
            node_id="spiffe://kaz.paiza.example/node",
            register_cache=register_cache,
            ledger=self.ledger,
            store=self.store,
            logs=PeerLogViews({}, now),
            notifier=self.notifier,
            executors=self.executors,
            decryption_keys=decryption_keys,
            clock=now,
        )
        steps = Steps(decryption_keys)
        unit_directory = UnitDirectory("kaz", "", officers.officers)
        self.submit = Submit(
            core,
            stages=(workflow_stage(steps),),
            reactions=(WORKFLOWS,),
            officers=officers,
            delivery_life=timedelta(days=1),
            unit_directory=unit_directory,
        )
        self.deadlines = WorkflowDeadlines(
            member="kaz",
            store=self.store,
            steps=steps,
            workflow_states=WorkflowStates(steps),
            notifier=self.notifier,
            clock=now,
            ask=nobody,
            share=nobody,
            settle=nobody,
        )
        peers: Any = None  # nothing is sent here
        queues = OutboundQueues(core, peers, lambda _reads, _proof: None)
        self.woken = asyncio.Event()
        queue: Any = SimpleNamespace(wake=self.woken.set)
        queues._queues["tjk"] = queue
        self.told = ChangedMessages()
        self.ledger.changes.subscribe([queues, self.told, self.deadlines])
        self.officer = Officer(federation, "kaz-liaison", register)
        second = Officer(federation, "kaz-authoriser", register)
        header = delivery.header(self.officer, "cd-request", MEMBERS[1:], second=second)
        self.thread = header.thread_id
        content = delivery.request(MEMBERS, datetime.now(UTC))
        self.items = [officer_pb2.SubmitItem(message=delivery.seal(self.officer, header, content, second=second))]
        self.caller = officers.officers()[self.officer.id]

    async def released(self) -> officer_pb2.Released:
        """Submit the request."""
        (result,) = (await self.submit(self.caller, self.items)).results
        assert result.WhichOneof("result") == "released", result
        return result.released

    async def check_notified(self) -> None:
        """Check that the outbound queue, watching officers and the watch over workflows were told of the request."""
        async with asyncio.timeout(SECONDS):
            await self.woken.wait()
            digest = await self.told.digests.get()
            await self.deadlines.round()
        assert set(self.deadlines.live) == {self.thread}
        again = await self.released()
        assert (again.message_digest, again.repeated_submission) == (digest, True)
        assert [entry.index for entry in again.entries] == [0, 1]

    def close(self) -> None:
        """End the threads."""
        self.ledger.close()
        self.executors.close()
        self.store.close()


def now() -> datetime:
    """Return the time."""
    return datetime.now(UTC)


def nobody(*_arguments: object) -> Any:
    """Be nobody: nothing is asked, shared or connected to here."""
    raise AssertionError


@pytest.fixture(scope="module")
def federation(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of a federation; no node of it runs."""
    made = tmp_path_factory.mktemp("changes") / "federation"
    dev.create(made, MEMBERS)
    return made


@pytest.fixture
async def sender(federation: Path, tmp_path: Path) -> AsyncIterator[Sender]:
    """The sending side of a node."""
    with closing(Sender(federation, tmp_path)) as sender:
        yield sender


async def test_who_hangs_up_during_a_commit_loses_nobody_a_notification(sender: Sender) -> None:
    """A call cancelled during a commit: all are notified, and a repeat gives the same entries."""
    sender.file.authenticator.clear()
    call = asyncio.create_task(sender.released())
    await asyncio.to_thread(sender.file.begun.wait, SECONDS)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    sender.file.authenticator.set()
    await sender.check_notified()


async def test_a_release_that_is_taken_over_later_loses_nobody_a_notification(sender: Sender) -> None:
    """After "try again" the next commit finds the release, and all are notified."""
    sender.store.failures = ["answer", "begin"]
    with pytest.raises(Unavailable):
        await sender.released()
    assert not sender.woken.is_set()
    await sender.ledger.commit(lambda _tx: None)
    await sender.check_notified()
