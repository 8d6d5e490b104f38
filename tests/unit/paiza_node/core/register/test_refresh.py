"""Nodes that keep their registers up to date from each other: what one publishes all have, whoever lies or is away."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from time import monotonic
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import StaticPool, create_engine

from paiza.core.v1 import register_pb2
from paiza_node.core.register import fetch as fetching
from paiza_node.core.register import refresh as refreshing
from paiza_node.core.register.refresh import NewDirectory, RegisterRefresh
from paiza_node.core.register.revoking import SETTING, Fingerprints, decode, store_revocation
from paiza_node.core.register.sync import RegisterCache
from paiza_node.core.storage import WriteConnection
from paiza_node.core.storage import settings as settings_store
from paiza_register import RegisterReader, files_fetch
from paiza_register.open_set import OpenSet, Versions
from paiza_register.pair_key import PairSigner
from paiza_register.publisher import Publisher
from paiza_register.publishing import node_role_signed, published
from paiza_wire.errors import Unavailable
from tests.unit.paiza_register.conftest import MEMBERS, NOW, Holder, holder, made
from tests.unit.paiza_register.publishers import Signing

__all__ = ["holder", "made"]

HOUR = timedelta(hours=1)
NONE = Versions(0, 0)
FIRST, MIDDLE, LAST = MEMBERS


class Ledger:
    """Counts commits, and stores settings."""

    def __init__(self) -> None:
        self.commits = 0
        self._database = create_engine("sqlite://", poolclass=StaticPool)
        settings_store.setting_table.create(self._database)

    async def commit(self, work: Any) -> None:
        """Do the work, and count."""
        self.run(work)
        self.commits += 1

    def run(self, work: Any) -> None:
        """Do work in a transaction; what it logs is dropped."""
        with self._database.begin() as connection:
            work(SimpleNamespace(conn=WriteConnection(connection), append=lambda *_entry, **_beside: None))

    @property
    def revoking(self) -> list[Fingerprints]:
        """Return the revocations that are stored."""
        found: list[Any] = [None]
        self.run(lambda tx: found.append(settings_store.setting(tx.conn, SETTING)))
        return decode(found[-1] or b"")


class Node:
    """A member's node: it serves what its reader holds, unless it is away or lies."""

    def __init__(self, scene: "Scene", member: str, files: Mapping[str, bytes]) -> None:
        self.scene, self.member, self.ledger = scene, member, Ledger()
        self.reader = RegisterReader(scene.folder / member, scene.holder.bootstrap)
        self.reader.accept(files, scene.now, outdated=True)
        self.away = self.slow = False
        self.lie: Callable[[str, bytes], bytes | None] = lambda _path, _version: None
        self.asked: list[str] = []
        self.told: list[int] = []
        self.start()

    def start(self) -> None:
        """Start with what is stored."""
        clock = self.scene.clock
        self.cache = RegisterCache(self.reader, clock)
        last = self.reader.last
        assert last is not None
        held = OpenSet.verify(self.reader.archived_files(last.version), self.reader.bootstrap_root, None)
        self.directory: NewDirectory | None = None
        self.refresh = RegisterRefresh(
            self.cache,
            self.reader,
            self.ledger,  # type: ignore[arg-type]  # all that is asked of it
            sources=lambda: {each.member: each for each in self.scene.nodes.values() if each is not self},
            publisher=Publisher(self.member, self.scene.signing.publishers[self.member], held),
            clock=clock,
            revocations_key=self.revocations_key,
            directory=lambda: self.directory,
            revoking=self.ledger.revoking,
        )

    def revocations_key(self) -> PairSigner:
        """Return the pair that signs what this member revokes."""
        (signer,) = self.scene.holder.signers[f"{self.member}.node"]
        assert isinstance(signer, PairSigner)
        return signer

    async def get(self, path: str, version: bytes) -> bytes:
        """Serve a file."""
        self.asked.append(path)
        if self.slow:
            await asyncio.sleep(60)
        if self.away:
            raise Unavailable("peer_unreachable", "away")
        if (data := self.lie(path, version)) is not None:
            return data
        return self.reader.file(path, version)

    async def proofs(self) -> list[tuple[bytes, bytes]]:
        """Return the proofs against publishers."""
        return list(self.reader.proofs().values())

    async def greet(self, state: register_pb2.RegisterState) -> register_pb2.RegisterState:
        """Exchange what both sides hold."""
        if self.away:
            raise Unavailable("peer_unreachable", "away")
        assert len(state.register_version) == 32
        self.told.append(state.timestamp_version)
        return self.cache.state

    @property
    def name(self) -> str:
        """Return the name of the first member, which tests change."""
        return self.cache.last.members[FIRST].names["en"]


class Scene:
    """The nodes of all members."""

    def __init__(self, folder: Path, holder: Holder) -> None:
        self.folder, self.holder = folder, holder
        self.signing = Signing(holder)
        self.now = NOW
        self.held = self.by(FIRST, OpenSet.verify(holder.files(), holder.bootstrap, NOW), {})
        self.nodes: dict[str, Node] = {}
        for member in MEMBERS:
            self.nodes[member] = Node(self, member, self.held.files)

    def __getitem__(self, member: str) -> Node:
        """Return the node of a member."""
        return self.nodes[member]

    def clock(self) -> datetime:
        """Return the time."""
        return self.now

    def by(self, member: str, held: OpenSet, change: Mapping[str, bytes]) -> OpenSet:
        """Return a set that a member publishes."""
        return published(held, change, self.signing.publishers[member], self.now, NONE)

    def change(self, name: str) -> dict[str, bytes]:
        """Return a change of the first member's name."""
        return self.signing.renamed(self.nodes[FIRST].refresh.publisher.held, FIRST, name, self.now)  # type: ignore[union-attr]

    async def round(self, seconds: float = 1.0) -> None:
        """Let all announce what they hold, and do a round."""
        self.now += timedelta(seconds=seconds)
        there = [node for node in self.nodes.values() if not node.away]
        for node in there:
            for other in there:
                if other is not node and other.member in node.cache.last.members:
                    node.cache.note_state(other.member, other.cache.state)
        for node in there:
            await node.refresh._round()
            await asyncio.gather(*node.refresh._greetings)

    async def rounds(self, count: int, seconds: float = 1.0) -> None:
        """Do some rounds; no member is left alone for longer than one."""
        for _ in range(count):
            for node in self.nodes.values():
                for known in node.refresh._members.values():
                    known.left_alone_until = float("-inf")
            await self.round(seconds)

    def versions(self) -> set[bytes]:
        """Return the register versions in force."""
        return {node.cache.version for node in self.nodes.values()}


@pytest.fixture
async def scene(holder: Holder, tmp_path: Path) -> Scene:
    """Return a scene that the test may change."""
    found = Scene(tmp_path, holder)
    for node in found.nodes.values():
        await node.refresh._follow()
    return found


async def test_all_have_what_one_publishes(scene: Scene) -> None:
    """Own content goes out at once, from the last in order; each logs it once."""
    change = scene.change("one")
    await scene.rounds(1)
    scene[LAST].refresh.submit(change)
    await scene.rounds(2)
    assert {node.name for node in scene.nodes.values()} == {"one"}
    assert len(scene.versions()) == 1
    assert scene[FIRST].reader.archived(scene.held.register.version).version == scene.held.register.version


async def test_first_in_order_is_away_and_the_next_renews(scene: Scene) -> None:
    """The register version stays; the timestamp is renewed for all that are there."""
    scene[FIRST].away = True
    await scene.rounds(3, 1800)
    assert {scene[member].cache.last.timestamp_version for member in (MIDDLE, LAST)} == {
        scene.held.timestamp.version + 1
    }
    assert scene.versions() == {scene.held.register.version}
    scene[FIRST].away = False
    await scene.rounds(2)
    assert scene[FIRST].cache.last.timestamp_version == scene.held.timestamp.version + 1


async def test_all_are_told_of_a_renewal_at_once(scene: Scene) -> None:
    """Not only when they ask, half a minute later: the next in order would renew it a second time."""
    await scene.rounds(2, 1800)
    await scene.rounds(1, 1800)
    renewed = scene[FIRST].cache.last.timestamp_version
    assert renewed > scene.held.timestamp.version
    assert renewed in scene[MIDDLE].told
    assert renewed in scene[LAST].told


async def test_cut_off_node_does_not_renew(scene: Scene) -> None:
    """It hears nobody."""
    for member in (MIDDLE, LAST):
        scene[member].away = True
    await scene.rounds(5, 3600)
    assert scene[FIRST].cache.last.timestamp_version == scene.held.timestamp.version


async def test_concurrent_sets_are_merged(scene: Scene) -> None:
    """Two publish at one time: in the end all hold one version with both changes."""
    await scene.rounds(1)
    one = scene.signing.renamed(scene.held, FIRST, "one", scene.now)
    other = scene.signing.renamed(scene.held, MIDDLE, "other", scene.now)
    scene[MIDDLE].reader.accept(scene.by(MIDDLE, scene.held, other).files, scene.now)
    scene[LAST].reader.accept(scene.by(LAST, scene.held, one).files, scene.now)
    for member in (MIDDLE, LAST):
        await scene[member].refresh._follow()
    assert len(scene.versions()) == 3
    await scene.rounds(6, 5)
    assert len(scene.versions()) == 1
    assert {node.name for node in scene.nodes.values()} == {"one"}
    assert {node.cache.last.members[MIDDLE].names["en"] for node in scene.nodes.values()} == {"other"}


async def test_archived_concurrent_set_is_merged(scene: Scene) -> None:
    """A message named the set, or the node stopped before it merged the two."""
    await scene.rounds(1)
    scene[FIRST].away = True
    entry = (bytes(range(32)), bytes(range(1, 33)))
    for member in (MIDDLE, LAST):
        change = node_role_signed(scene.held, member, scene[member].revocations_key(), scene.now, [entry])
        scene[member].reader.accept(scene.by(member, scene.held, change).files, scene.now)
        await scene[member].refresh._follow()
    for member, other in ((MIDDLE, scene[LAST]), (LAST, scene[MIDDLE])):
        files = other.reader.archived_files(other.cache.version)
        scene[member].reader.import_set(other.cache.version, files_fetch(files))
    await scene.rounds(6, 5)
    scene[FIRST].away = False
    await scene.rounds(2, 5)
    assert len(scene.versions()) == 1
    assert all(scene[FIRST].cache.last.revocations[member] >= set(entry) for member in (MIDDLE, LAST))


async def test_older_set_is_not_fetched_again(scene: Scene) -> None:
    """Another announces what this node had before: its own set follows that one."""
    await scene.rounds(1)
    state = scene[LAST].cache.state
    scene[FIRST].reader.accept(scene.by(FIRST, scene.held, scene.change("one")).files, scene.now)
    await scene[FIRST].refresh._follow()
    before = len(scene[LAST].asked)
    scene[FIRST].cache.note_state(LAST, state)
    await scene[FIRST].refresh._round()
    assert len(scene[LAST].asked) == before


async def test_publisher_of_two_sets_is_disqualified_everywhere(scene: Scene) -> None:
    """Its key signed two sets of one version, one for each of the others: all find out, and go on without it."""
    await scene.rounds(1)
    key = scene.signing.publishers[MIDDLE].public_key.keyid
    for member, name in ((FIRST, "one"), (LAST, "two")):
        change = scene.signing.renamed(scene.held, FIRST, name, scene.now)
        scene[member].reader.accept(scene.by(MIDDLE, scene.held, change).files, scene.now)
        await scene[member].refresh._follow()
    await scene.rounds(6, 5)
    assert [key in node.reader.disqualified for node in scene.nodes.values()] == [True, True, True]
    assert len(scene.versions()) == 1
    scene[MIDDLE].refresh.submit(scene.change("three"))
    await scene.rounds(2)
    assert len(scene.versions()) == 1
    assert scene[FIRST].name != "three"


async def test_nodes_that_all_stopped_find_together(scene: Scene) -> None:
    """Ten days later, with different sets, none of which is in force any more."""
    await scene.rounds(1)
    change = scene.change("one")
    scene[LAST].reader.accept(scene.by(LAST, scene.held, change).files, scene.now)
    scene.now += timedelta(days=10)
    for node in scene.nodes.values():
        node.start()
        with pytest.raises(Unavailable, match="register_expired"):
            node.cache.current  # noqa: B018
    await scene.rounds(10, 10)
    assert len(scene.versions()) == 1
    for node in scene.nodes.values():
        assert node.cache.current.members[FIRST].names["en"] == "one"


async def test_silent_members_are_asked(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody calls: each asks the others what they hold, and so hears of a new version."""
    monkeypatch.setattr(refreshing, "SILENT_SECONDS", 0.0)
    scene[LAST].reader.accept(scene.by(LAST, scene.held, scene.change("one")).files, scene.now)
    await scene[LAST].refresh._follow()
    for _ in range(3):
        await scene[FIRST].refresh._round()
    assert scene[FIRST].name == "one"


async def test_member_whose_role_has_expired_renews_it(
    holder: Holder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its node publishes the renewed role, and the others ask it, although what it announces does not count."""
    holder.roles[LAST].expires = NOW + HOUR
    scene = Scene(tmp_path, holder)
    await scene.rounds(2)
    scene.now += timedelta(hours=50)
    for node in scene.nodes.values():
        assert LAST in node.cache.current.unusable
    before = scene[LAST].cache.version
    change = scene.signing.renamed(scene.held, LAST, "back", scene.now)
    scene[LAST].refresh.submit(change)
    await scene[LAST].refresh._round()
    assert scene[LAST].cache.version != before
    scene[MIDDLE].away = True
    for _ in range(3):
        scene[FIRST].cache.note_state(LAST, scene[FIRST].cache.state)
        await scene.rounds(1, 7200)
    assert scene[FIRST].cache.version == before
    assert scene[FIRST].cache.last.timestamp_version == scene.held.timestamp.version  # it heard nobody who counts
    monkeypatch.setattr(refreshing, "SILENT_SECONDS", 0.0)
    scene[MIDDLE].away = False
    await scene.rounds(3)
    for node in scene.nodes.values():
        assert node.cache.current.members[LAST].names["en"] == "back"


async def test_asking_tells_who_did_not_answer(scene: Scene) -> None:
    """An operator asks at once."""
    scene[LAST].reader.accept(scene.by(LAST, scene.held, scene.change("one")).files, scene.now)
    await scene[LAST].refresh._follow()
    scene[MIDDLE].away = True
    running = asyncio.create_task(scene[FIRST].refresh.run())
    assert await scene[FIRST].refresh.ask_all() == {MIDDLE: "peer_unreachable"}
    assert scene[FIRST].name == "one"
    running.cancel()


@pytest.mark.parametrize("lies", ["frozen", "garbage", "slow"])
async def test_one_member_cannot_keep_a_register_from_another(
    scene: Scene, lies: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It announces what it does not serve, serves garbage, or nothing for long: the others are asked all the same."""
    monkeypatch.setattr(fetching, "FETCH_SECONDS", 3.0)
    await scene.rounds(1)
    scene[LAST].reader.accept(scene.by(LAST, scene.held, scene.change("one")).files, scene.now)
    await scene[LAST].refresh._follow()
    state = scene[LAST].cache.state
    state.timestamp_version += 5
    node = scene[FIRST]
    if lies == "garbage":
        scene[MIDDLE].lie = lambda path, _version: b"{}" if "timestamp" in path else None
    scene[MIDDLE].slow = lies == "slow"
    node.cache.note_state(MIDDLE, state)
    node.cache.note_state(LAST, scene[LAST].cache.state)
    await node.refresh._round()
    assert node.name == "one"
    before = len(scene[MIDDLE].asked)
    node.cache.note_state(MIDDLE, state)
    await node.refresh._round()
    assert len(scene[MIDDLE].asked) == before


async def test_a_member_that_is_back_is_asked_for_what_it_announces(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that announced something and could not be reached is asked again later, and at once when it calls again."""
    monkeypatch.setattr(refreshing, "LEAST_SECONDS", 0.0)
    monkeypatch.setattr(refreshing, "PATIENCE", 0.0)
    await scene.rounds(1)
    node, other = scene[FIRST], scene[LAST]
    other.reader.accept(scene.by(LAST, scene.held, scene.change("one")).files, scene.now)
    await other.refresh._follow()
    other.away = True
    node.cache.note_state(LAST, other.cache.state)
    await node.refresh._round()
    asked = list(other.asked)
    assert asked
    for _ in range(3):
        await node.refresh._round()
    assert other.asked == asked
    other.away = False
    node.cache.note_state(LAST, other.cache.state)
    await node.refresh._round()
    assert node.name == "one"


async def test_a_silent_member_does_not_keep_the_rounds_waiting(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """Messages name versions that nobody has, again and again: it is asked for the first of them alone."""
    monkeypatch.setattr(fetching, "FETCH_SECONDS", 3.0)
    monkeypatch.setattr(refreshing, "PATIENCE", 1000.0)
    await scene.rounds(1)
    node, silent = scene[FIRST], scene[MIDDLE]
    silent.slow, silent.asked = True, []
    for _ in range(2):
        for named in range(256):
            node.cache._want(sha256(bytes([named])).digest())
        await node.refresh._round()
    assert len(silent.asked) == 1


async def test_a_member_that_is_silent_when_greeted_does_not_keep_the_rounds_waiting(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What another one announces is in force meanwhile; the silent one is not greeted again before it has answered."""
    await scene.rounds(1)
    greeted = list[bytes]()

    async def greet(state: register_pb2.RegisterState) -> register_pb2.RegisterState:
        greeted.append(state.register_version)
        await asyncio.Event().wait()
        return state

    node = scene[FIRST]
    monkeypatch.setattr(scene[MIDDLE], "greet", greet)
    node.refresh._members[MIDDLE].heard = node.refresh._members[MIDDLE].greeted = float("-inf")
    scene[LAST].reader.accept(scene.by(LAST, scene.held, scene.change("one")).files, scene.now)
    await scene[LAST].refresh._follow()
    async with asyncio.timeout(60):
        await node.refresh._round()
        node.cache.note_state(LAST, scene[LAST].cache.state)
        await node.refresh._round()
    assert node.name == "one"
    assert len(greeted) == len(node.refresh._greetings) == 1
    for greeting in node.refresh._greetings:
        greeting.cancel()


async def test_a_member_that_answers_no_greeting_is_asked_for_files(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It suspended this one, which learns of that from it."""
    await scene.rounds(1)

    async def greet(_state: register_pb2.RegisterState) -> register_pb2.RegisterState:
        raise Unavailable("own_member_suspended", "not with you")

    node = scene[FIRST]
    monkeypatch.setattr(scene[LAST], "greet", greet)
    for known in node.refresh._members.values():
        known.heard = known.greeted = known.left_alone_until = float("-inf")
    scene[LAST].reader.accept(scene.by(LAST, scene.held, scene.change("one")).files, scene.now)
    await scene[LAST].refresh._follow()
    for _ in range(2):
        await node.refresh._round()
        await asyncio.gather(*node.refresh._greetings)
    assert node.name == "one"


async def test_a_slow_member_is_left_alone_though_it_serves(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """It announces another root each time, and serves what is in force as late as it may."""
    monkeypatch.setattr(refreshing, "PATIENCE", 1000.0)
    await scene.rounds(1)
    node, slow = scene[FIRST], scene[MIDDLE]
    serve = slow.get

    async def get(path: str, version: bytes) -> bytes:
        await asyncio.sleep(0.05)
        return await serve(path, version)

    monkeypatch.setattr(slow, "get", get)
    known = node.refresh._members[MIDDLE]
    known.left_alone_until = float("-inf")
    state = slow.cache.state
    state.root_sha256 = bytes(32)
    node.cache.note_state(MIDDLE, state)
    await node.refresh._round()
    assert known.failures == 0
    assert known.left_alone_until > monotonic() + 10


async def test_forked_root_is_found(scene: Scene) -> None:
    """Another member follows another root of the same version: membership freezes here, and the proof is kept."""
    for member, later in ((FIRST, HOUR), (LAST, 2 * HOUR)):
        other = scene.holder.copy()
        other.rotate_root(lambda root, by=later: setattr(root, "expires", root.expires + by))  # type: ignore[misc]
        root = {"metadata/2.root.json": other.old_roots["metadata/2.root.json"]}
        scene[member].reader.accept(scene.by(member, scene.held, root).files, scene.now)
        await scene[member].refresh._follow()
    scene[MIDDLE].away = True
    await scene.rounds(3)
    for member in (FIRST, LAST):
        fork = scene[member].reader.fork
        assert fork is not None
        assert fork.version == 2
        assert scene[member].cache.last.root_version == 1
    scene[MIDDLE].away = False
    await scene.rounds(2)
    assert scene[MIDDLE].reader.fork is not None


async def test_older_version_that_a_message_names_is_fetched(scene: Scene) -> None:
    """This node was away while it was in force."""
    await scene.rounds(1)
    old = scene.by(LAST, scene.held, scene.change("old"))
    scene[LAST].reader.accept(old.files, scene.now)
    change = scene.signing.renamed(old, FIRST, "new", scene.now)
    scene[LAST].reader.accept(scene.by(LAST, old, change).files, scene.now)
    await scene[LAST].refresh._follow()
    await scene.rounds(2)
    node = scene[FIRST]
    assert node.name == "new"
    with pytest.raises(Unavailable, match="register_unknown"):
        node.cache.check_known(old.register.version)
    await asyncio.sleep(0)
    await node.refresh._round()
    node.cache.check_known(old.register.version)
    assert node.cache.archived(old.register.version).members[FIRST].names["en"] == "old"


async def stored(node: Node, entries: Sequence[Fingerprints]) -> None:
    """Return when these revocations that were asked for, and no others, are stored: the key is opened before."""
    while sorted(node.ledger.revoking) != sorted(entries):  # noqa: ASYNC110 - nothing tells of it
        await asyncio.sleep(0.01)


async def test_no_revocation_is_lost_while_another_waits(scene: Scene) -> None:
    """Two are asked for while the node must not publish yet: both follow, since one content of a version is signed."""
    entries = [(bytes([at]) * 32, bytes([at + 1]) * 32) for at in (1, 3, 5)]
    node = scene[LAST]
    await scene.rounds(1)
    publisher = node.refresh.publisher
    assert publisher is not None
    publisher.hear(FIRST, 1 << 20, scene.now, scene.now)
    asked = [asyncio.create_task(node.refresh.revoke(entry)) for entry in entries]
    await stored(node, entries)
    for _ in range(3):
        await node.refresh._ended_round()
    assert not node.cache.last.revocations[LAST]
    for task in asked:
        task.cancel()
    await scene.rounds(8, 10)
    assert len(scene.versions()) == 1
    assert {each for entry in entries for each in entry} <= scene[FIRST].cache.last.revocations[LAST]


async def test_a_revocation_waits_for_its_publication_however_many_rounds_that_takes(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rounds may follow each other at once while the node must not publish: the caller is answered when it is done."""
    monkeypatch.setattr(refreshing, "ROUND_SECONDS", 0.01)
    node, entry = scene[LAST], (bytes(range(32)), bytes(range(1, 33)))
    await scene.rounds(1)
    publish, held_back = node.refresh._publish, iter(range(20))

    async def later() -> None:
        if next(held_back, None) is None:
            await publish()

    monkeypatch.setattr(node.refresh, "_publish", later)
    running = asyncio.create_task(node.refresh.run())
    version = await node.refresh.revoke(entry)
    assert node.cache.version == version
    assert set(entry) <= node.cache.last.revocations[LAST]
    running.cancel()


async def test_a_revocation_that_is_not_published_in_time_is_told_as_that(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its caller learns that the node publishes it by itself, and so it does."""
    monkeypatch.setattr(refreshing, "PUBLISHED_SECONDS", 0.05)
    node, entry = scene[LAST], (bytes(range(32)), bytes(range(1, 33)))
    await scene.rounds(1)
    publisher = node.refresh.publisher
    assert publisher is not None
    publisher.hear(FIRST, 1 << 20, scene.now, scene.now)
    running = asyncio.create_task(node.refresh.run())
    with pytest.raises(Unavailable, match="publication_pending"):
        await node.refresh.revoke(entry)
    running.cancel()
    await scene.rounds(8, 10)
    assert set(entry) <= scene[FIRST].cache.last.revocations[LAST]


async def test_a_revocation_outlives_a_restart(scene: Scene) -> None:
    """What was asked for and not published yet is stored: the next start publishes it."""
    node, entry = scene[LAST], (bytes(range(32)), bytes(range(1, 33)))
    await scene.rounds(1)
    publisher = node.refresh.publisher
    assert publisher is not None
    publisher.hear(FIRST, 1 << 20, scene.now, scene.now)
    asked = asyncio.create_task(node.refresh.revoke(entry))
    await stored(node, [entry])
    asked.cancel()
    node.start()
    await scene.rounds(8, 10)
    assert set(entry) <= scene[FIRST].cache.last.revocations[LAST]


def test_published_revocations_are_stored_no_longer() -> None:
    """The stored ones are those that wait, each once."""
    ledger = Ledger()
    first, second = (bytes([1]) * 32, bytes([2]) * 32), (bytes([3]) * 32, bytes([4]) * 32)
    for _ in range(2):
        ledger.run(lambda tx: store_revocation(tx, first, frozenset()))
    assert ledger.revoking == [first]
    ledger.run(lambda tx: store_revocation(tx, second, frozenset(first)))
    assert ledger.revoking == [second]
    with pytest.raises(Unavailable, match="log_damaged"):
        decode(bytes(65))


async def test_a_directory_is_published_once(scene: Scene) -> None:
    """A new one takes the place of the one that it was made from, and no other's; all have it soon."""
    node, path = scene[LAST], f"members/{LAST}/liaison.json"
    await scene.rounds(1)
    base = sha256(node.cache.last.reference[path]).digest()
    node.directory = NewDirectory(b"{}", base)
    await scene.rounds(8, 10)
    versions = scene.versions()
    assert len(versions) == 1
    assert scene[FIRST].cache.last.reference[path] == b"{}"
    await scene.rounds(4, 10)
    assert scene.versions() == versions
    node.directory = NewDirectory(b"[]", base)  # of an older database
    await scene.rounds(4, 10)
    assert scene[FIRST].cache.last.reference[path] == b"{}"


async def test_revocations_are_signed_anew_before_they_expire(scene: Scene) -> None:
    """Each node does so for its own member, by itself; what is revoked stays."""
    entry = (bytes(range(32)), bytes(range(1, 33)))
    await scene.rounds(1)
    running = asyncio.create_task(scene[LAST].refresh.run())
    version = await scene[LAST].refresh.revoke(entry)
    assert scene[LAST].cache.version == version
    assert await scene[LAST].refresh.revoke(entry) == b""
    running.cancel()
    before = scene[LAST].cache.last.role_expiries
    for node in scene.nodes.values():
        node.refresh._revocations_from = float("-inf")
    scene.now = min(before[f"{member}.node"] for member in MEMBERS) - timedelta(days=59)
    await scene.rounds(8, 10)
    assert len(scene.versions()) == 1
    after = scene[FIRST].cache.last
    assert all(after.role_expiries[f"{each}.node"] > before[f"{each}.node"] for each in MEMBERS)
    assert set(entry) <= after.revocations[LAST]


async def test_a_flood_of_sets_reaches_no_disk(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """A publisher makes a set every ten seconds; the others take some, then the newest one each minute."""

    def seconds() -> float:
        return (scene.now - NOW).total_seconds()

    monkeypatch.setattr(refreshing, "monotonic", seconds)
    monkeypatch.setattr(fetching, "SETS_AN_HOUR", 5)
    node = scene[FIRST]
    node.refresh._taken, node.refresh._learnt = fetching.Allowance(), fetching.Allowance()
    scene[MIDDLE].away = True
    before = len(node.reader._archive.versions())
    for at in range(60):
        held = scene[LAST].refresh.publisher.held  # type: ignore[union-attr]
        made = published(held, {}, scene.signing.publishers[LAST], scene.now, NONE)
        scene[LAST].reader.accept(made.files, scene.now)
        await scene[LAST].refresh._follow(made)
        await scene.rounds(1, 10.0)
        if at == 4:
            assert len(node.reader._archive.versions()) == before + 5
    taken = len(node.reader._archive.versions()) - before
    assert 5 + 9 <= taken <= 5 + 10
    newest = scene[LAST].cache.last
    assert newest.snapshot_version - node.cache.last.snapshot_version <= 6, "it is a minute behind, and not more"
    asked = asyncio.create_task(node.refresh.ask_all())
    running = asyncio.create_task(node.refresh.run())
    await asked
    running.cancel()
    assert node.cache.version == newest.version, "whoever asks has the newest at once"
