"""Many publishers over a network that loses, splits and stops, one seed after the other: what must hold at every step.

Each node is a `Publisher` with a reader's rule of acceptance. Time moves in steps of two seconds. Nodes speak with
others at random; an exchange may be lost, and one that publishes speaks with all at once.

At every step: a node's set follows the one before; no key signs two sets of one version; what a node that is cut off
holds is not renewed. At the end, when the network is whole again: all hold one register version, with every change that
was submitted anywhere, and a fresh timestamp.
"""

import random
from datetime import datetime, timedelta

import pytest

from paiza_register.publisher import Publisher
from paiza_register.publishing import OpenSet, Versions, follows, published, signers
from paiza_register.verified_set import at_time
from paiza_trust import dev
from paiza_wire.errors import Rejected, Unavailable
from tests.unit.paiza_register.conftest import NOW, Holder
from tests.unit.paiza_register.publishers import Signing

SEEDS = 12
MEMBERS = ("m0", "m1", "m2", "m3", "m4")
STEP = timedelta(seconds=2)
MINUTE = timedelta(minutes=1)
STORM_STEPS = 450  # a quarter of an hour in which everything goes wrong
CALM_STEPS = 150  # five minutes in which nothing does
SPEAKS = timedelta(seconds=20)  # how often a node speaks with another, about
NONE = Versions(0, 0)


class Node:
    """A member's node: what it accepts, and what it publishes."""

    def __init__(self, world: "World", member: str, held: OpenSet) -> None:
        self.world = world
        self.member = member
        self.start(held)

    def start(self, held: OpenSet) -> None:
        """Start with the set that was stored last; all that was in memory is gone."""
        self.publisher = Publisher(self.member, self.world.signing.publishers[self.member], held)

    @property
    def held(self) -> OpenSet:
        """Return the newest set that it accepted."""
        return self.publisher.held

    def hold(self, new: OpenSet) -> None:
        """Accept a set, as a reader does that has the one before."""
        assert follows(new, self.held)
        self.publisher.hold(new)

    def hear(self, other: "Node") -> None:
        """Ask what another holds, and fetch it if it differs."""
        now, theirs = self.world.now, other.held
        self.publisher.hear(other.member, theirs.timestamp.version, now, now)
        if theirs.files["metadata/timestamp.json"] == self.held.files["metadata/timestamp.json"]:
            return
        if follows(theirs, self.held) and _is_fresh(theirs, now):
            self.hold(theirs)
        else:
            self.publisher.could_not_accept(theirs, now)

    def step(self) -> None:
        """Publish what is due, and speak with all about it."""
        made = self.publisher.publish(self.world.now)
        if made is None:
            return
        self.world.note_published(self.member, made)
        self.hold(made)
        for other in self.world.nodes:
            self.world.speak(self, other)


class World:
    """All nodes and the network between them."""

    def __init__(self, holder: Holder, seed: int) -> None:
        self.random = random.Random(seed)
        self.now = NOW
        self.signing = Signing(holder)
        held = OpenSet.verify(holder.files(), holder.bootstrap, NOW)
        held = published(held, {}, self.signing.publishers[MEMBERS[0]], NOW, NONE)
        self.loss = self.random.choice([0.0, 0.2, 0.6])
        self.away: set[str] = set()
        self.groups: dict[str, int] = {}
        self.signed: dict[tuple[str, str, int], bytes] = {}
        self.published = 0
        self.names: dict[str, str] = {}
        self.nodes = [Node(self, member, held) for member in MEMBERS]

    def speak(self, one: Node, other: Node) -> None:
        """Let two nodes speak, unless it is lost on the way, or one of them is away or in another part."""
        if one is other or {one.member, other.member} & self.away or self.random.random() < self.loss:
            return
        if self.groups.get(one.member, 0) != self.groups.get(other.member, 0):
            return
        one.hear(other)
        other.hear(one)

    def note_published(self, member: str, made: OpenSet) -> None:
        """Demand that a key signs one set of a version."""
        self.published += 1
        key = self.signing.publishers[member].public_key.keyid
        for role, version, data in (
            ("timestamp", made.timestamp.version, made.files["metadata/timestamp.json"]),
            ("snapshot", made.snapshot.version, made.snapshot_bytes),
        ):
            if key in signers(made.root, role, data):
                known = self.signed.setdefault((key, role, version), data)
                assert known == data, f"{member} signed two of {role} {version}"

    def step(self, by: timedelta = STEP) -> None:
        """Let time pass."""
        self.now += by
        for node in self.random.sample(self.nodes, len(self.nodes)):
            if node.member in self.away:
                continue
            if self.random.random() < by / SPEAKS:
                self.speak(node, self.random.choice(self.nodes))
            node.step()

    def disturb(self) -> None:
        """Let something happen."""
        node = self.random.choice(self.nodes)
        what = self.random.choice(["content", "content", "shared", "away", "back", "split", "whole", "restart"])
        if what == "content" and node.member not in self.away:
            self.change(node, [node], own=True)
        elif what == "shared":
            self.change(node, [each for each in self.nodes if self.random.random() < 0.7 or each is node], own=False)
        elif what == "away" and len(self.away) < len(MEMBERS) - 1:
            self.away.add(node.member)
        elif what == "back":
            self.away.discard(node.member)
        elif what == "split":
            self.groups = {member: self.random.randrange(2) for member in MEMBERS}
        elif what == "whole":
            self.groups = {}
        elif what == "restart" and not node.publisher.waiting:
            node.start(node.held)

    def change(self, node: Node, at: list[Node], *, own: bool) -> None:
        """Change the name of a node's member, as it stands there; the member signs each version once."""
        if any(each.publisher.waiting for each in self.nodes):
            return
        role = f"{node.member}.json"
        newest = max((each.held for each in self.nodes), key=lambda held: held.snapshot.meta[role].version)
        name = f"{node.member} of {self.now.isoformat()}"
        change = self.signing.renamed(newest, node.member, name, self.now)
        self.names[node.member] = name
        for each in at:
            try:
                each.publisher.submit(change, self.now, own=own)
            except Rejected:
                assert each is not node

    def calm(self) -> None:
        """Mend everything."""
        self.away, self.groups, self.loss = set(), {}, 0.0


def _is_fresh(held: OpenSet, now: datetime) -> bool:
    try:
        at_time(held.register, now)
    except Unavailable:
        return False
    return True


@pytest.fixture(scope="module")
def five(tmp_path_factory: pytest.TempPathFactory) -> Holder:
    """Make one federation for all seeds."""
    folder = tmp_path_factory.mktemp("publishers") / "federation"
    dev.create(folder, MEMBERS, now=NOW, agreements={"base": "// forbids nothing\n"})
    return Holder(folder)


def _storm(world: World) -> None:
    """Live through a time of everything, then through one of nothing."""
    for _ in range(STORM_STEPS):
        if world.random.random() < 0.1:
            world.disturb()
        world.step()
    world.calm()
    for _ in range(CALM_STEPS):
        world.step()


def _demand_one_register(world: World) -> None:
    """All hold one register version, and every change is in it."""
    for node in world.nodes:
        assert node.held.snapshot_bytes == world.nodes[0].held.snapshot_bytes
        assert node.publisher.waiting == ()
        for member, name in world.names.items():
            assert node.held.register.member(member).names["en"] == name


@pytest.mark.parametrize("seed", range(SEEDS))
def test_all_hold_the_same_in_the_end(five: Holder, seed: int) -> None:
    """After a quarter of an hour of losses, splits and restarts, five minutes are enough."""
    world = World(five, seed)
    _storm(world)
    _demand_one_register(world)


@pytest.mark.parametrize("seed", range(3))
def test_timestamp_is_renewed_whoever_is_away(five: Holder, seed: int) -> None:
    """For two days one node after the other is away, the first of them most of all: no timestamp gets old."""
    world = World(five, seed)
    for minute in range(48 * 60):
        if minute % 180 == 0:
            world.away = {MEMBERS[0], world.random.choice(MEMBERS)} if world.random.random() < 0.7 else set()
        world.step(MINUTE)
        for node in world.nodes:
            if node.member not in world.away and minute % 180 > 60:
                assert world.now - node.held.register.issued_time < timedelta(hours=2)
    assert len({node.held.register.version for node in world.nodes}) == 1
    assert world.published < 2 * 48


def test_node_that_is_cut_off_does_not_keep_itself_fresh(five: Holder) -> None:
    """Its timestamp ends, with its grace, while the others renew theirs; then it takes theirs."""
    world = World(five, 1)
    world.loss = 0.0
    cut = world.nodes[0]
    world.groups = {cut.member: 1}
    for _ in range(98 * 60):
        world.step(MINUTE)
    assert cut.held.register.issued_time == NOW
    assert not _is_fresh(cut.held, world.now)
    assert all(_is_fresh(node.held, world.now) for node in world.nodes if node is not cut)
    world.groups = {}
    for _ in range(CALM_STEPS):
        world.step()
    assert _is_fresh(cut.held, world.now)
    _demand_one_register(world)


@pytest.mark.parametrize("seed", range(3))
def test_all_find_together_after_ten_days(five: Holder, seed: int) -> None:
    """All nodes stop while they hold different sets; all start again with what each stored."""
    world = World(five, seed)
    for _ in range(STORM_STEPS):
        if world.random.random() < 0.1:
            world.disturb()
        world.step()
    held = [(node, node.held) for node in world.nodes]
    lost = any(node.publisher.waiting for node in world.nodes)
    world.calm()
    world.now += timedelta(days=10)
    for node, stored in held:
        node.start(stored)
        assert not _is_fresh(stored, world.now)
    for _ in range(CALM_STEPS):
        world.step()
    assert len({node.held.register.version for node in world.nodes}) == 1
    assert all(_is_fresh(node.held, world.now) for node in world.nodes)
    if not lost:
        _demand_one_register(world)
