"""When a member's node publishes: ranks, renewals, what it holds alone, what it merges, and what it never does."""

from datetime import datetime, timedelta

import pytest

from paiza_register.open_set import OpenSet, Versions
from paiza_register.publisher import BEHIND_WAIT, RANK_WAIT, Publisher
from paiza_register.publishing import published, renewed
from paiza_register.succession import follows
from paiza_wire.errors import Rejected
from tests.unit.paiza_register.conftest import MEMBERS, NOW, Holder
from tests.unit.paiza_register.publishers import Signing

HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)
NONE = Versions(0, 0)
FIRST, MIDDLE, LAST = MEMBERS


class Scene:
    """A register whose timestamp was just renewed, and the nodes of its members, which hear each other."""

    def __init__(self, holder: Holder) -> None:
        self.signing = Signing(holder)
        held = OpenSet.verify(holder.files(), holder.bootstrap, NOW)
        self.held = published(held, {}, self.signing.publishers[FIRST], NOW, NONE)
        self.now = NOW
        self.nodes = {
            member: Publisher(member, signer, self.held) for member, signer in self.signing.publishers.items()
        }

    def __getitem__(self, member: str) -> Publisher:
        """Return the node of a member."""
        return self.nodes[member]

    def move(self, by: timedelta, *, hear: bool = True) -> None:
        """Let time pass; then each hears all others, unless nobody does."""
        self.now += by
        if hear:
            for node in self.nodes.values():
                for member, other in self.nodes.items():
                    node.hear(member, other.held.timestamp.version, self.now, self.now)

    def publish(self, member: str) -> OpenSet | None:
        """Return what a node publishes now, which it then holds."""
        made = self[member].publish(self.now)
        if made is not None:
            assert follows(made.register, self[member].held.register)
            self[member].hold(made)
        return made

    def change(self, member: str, name: str) -> dict[str, bytes]:
        """Return a change of a member's name, signed."""
        return self.signing.renamed(self.held, member, name, self.now)


@pytest.fixture
def scene(holder: Holder) -> Scene:
    """Return a scene that the test may change."""
    return Scene(holder)


def test_ranks_are_the_order_of_the_register(scene: Scene) -> None:
    """Each node knows its place; a key that signed two sets of one version has none, here."""
    assert [node.rank for node in scene.nodes.values()] == [0, 1, 2]
    scene[LAST].disqualify(scene.held.register.publishers[FIRST], NOW)
    assert scene[LAST].rank == 1
    scene[FIRST].disqualify(scene.held.register.publishers[FIRST], NOW)
    assert scene[FIRST].rank is None
    scene.move(30 * HOUR)
    assert scene.publish(FIRST) is None


def test_node_with_another_key_publishes_nothing(scene: Scene) -> None:
    """The register names another key for the member."""
    node = Publisher(MIDDLE, scene.signing.publishers[FIRST], scene.held)
    node.submit(scene.change(MIDDLE, "one"), NOW, own=True)
    node.hear(FIRST, 0, NOW, NOW)
    assert node.rank is None
    assert node.publish(NOW + 30 * HOUR) is None


def test_renewal_waits_its_turn(scene: Scene) -> None:
    """The first renews after a 24th of the life, the next ones later by a 144th each, if nobody did."""
    scene.move(HOUR - SECOND)
    assert [scene.publish(member) for member in MEMBERS] == [None, None, None]
    scene.move(HOUR / 6 + SECOND)
    assert scene.publish(LAST) is None
    made = scene.publish(MIDDLE)
    assert made is not None
    assert made.register.version == scene.held.register.version
    for node in scene.nodes.values():
        node.hold(made)
    scene.move(HOUR - SECOND)
    assert [scene.publish(member) for member in MEMBERS] == [None, None, None]
    scene.move(SECOND)
    assert scene.publish(FIRST) is not None


def test_node_that_is_cut_off_keeps_nothing_fresh(scene: Scene) -> None:
    """It does not renew, and what is submitted to it lasts no longer than the timestamp before; later it renews."""
    scene.move(HOUR / 2)
    scene.move(2 * HOUR, hear=False)
    assert scene.publish(FIRST) is None
    scene[FIRST].submit(scene.change(FIRST, "one"), scene.now, own=True)
    made = scene.publish(FIRST)
    assert made is not None
    assert made.register.member(FIRST).names["en"] == "one"
    assert made.timestamp.expires == scene.held.timestamp.expires
    assert scene.publish(FIRST) is None
    scene[FIRST].hear(LAST, 0, scene.now, scene.now)
    made = scene.publish(FIRST)
    assert made is not None
    assert made.register.issued_time == scene.now


def test_old_word_of_another_keeps_nothing_fresh(scene: Scene) -> None:
    """A word was under way while all machines slept: it is as old as when it was spoken, also if newer ones came."""
    scene.move(HOUR / 2)
    spoken = scene.now
    scene.move(2 * HOUR, hear=False)
    scene[FIRST].hear(LAST, 0, spoken, scene.now)
    assert scene.publish(FIRST) is None
    scene[FIRST].hear(LAST, 0, scene.now + 9 * HOUR, scene.now)
    scene[FIRST].hear(LAST, 0, spoken, scene.now)
    assert scene.publish(FIRST) is not None
    scene.move(2 * HOUR, hear=False)
    assert scene.publish(FIRST) is None


def test_merging_while_cut_off_keeps_the_former_expiry(scene: Scene) -> None:
    """What another published waits to be merged when the line breaks: the merged set lasts no longer than the own."""
    scene.move(SECOND)
    others = {}
    for member in (FIRST, LAST):
        scene[member].submit(scene.change(member, f"by {member}"), scene.now, own=True)
        others[member] = scene.publish(member)
    other = others[LAST]
    assert other is not None
    scene[FIRST].could_not_accept(other, scene.now)
    scene.move(2 * HOUR, hear=False)
    before = scene[FIRST].held.timestamp.expires
    made = scene.publish(FIRST)
    assert made is not None
    assert follows(made.register, other.register)
    assert made.timestamp.expires == before
    assert scene.publish(FIRST) is None


def test_only_an_active_member_is_heard(scene: Scene) -> None:
    """The own node, and who is no member, connect nobody."""
    scene.move(2 * HOUR, hear=False)
    scene[FIRST].hear(FIRST, 0, scene.now, scene.now)
    scene[FIRST].hear("zzz", 0, scene.now, scene.now)
    assert scene.publish(FIRST) is None


def test_own_content_goes_out_at_once(scene: Scene) -> None:
    """The last in order publishes what was submitted there; the same again is refused."""
    change = scene.change(LAST, "one")
    scene.move(SECOND)
    scene[LAST].submit(change, scene.now, own=True)
    made = scene.publish(LAST)
    assert made is not None
    assert made.register.member(LAST).names["en"] == "one"
    assert scene[LAST].waiting == ()
    with pytest.raises(Rejected, match="conflict"):
        scene[LAST].submit(change, scene.now, own=True)
    assert scene.publish(LAST) is None


def test_content_that_all_hold_waits_its_turn(scene: Scene) -> None:
    """The first publishes it at once, the third after twice the wait if it was not published until then."""
    change = scene.change(MIDDLE, "one")
    scene.move(SECOND)
    for node in scene.nodes.values():
        node.submit(change, scene.now, own=False)
    assert scene.publish(LAST) is None
    scene.move(2 * RANK_WAIT - SECOND)
    assert scene.publish(LAST) is None
    scene.move(SECOND)
    made = scene.publish(LAST)
    assert made is not None
    scene[FIRST].hold(made)
    assert scene[FIRST].waiting == ()
    assert scene.publish(FIRST) is None


def test_content_that_cannot_be_published_stops_nothing(scene: Scene) -> None:
    """A change with a wrong signature waits, with the reason, while another is published."""
    scene.move(SECOND)
    wrong = scene.change(FIRST, "one")
    scene.signing.holder.signers[FIRST] = scene.signing.holder.signers[LAST]
    forged = scene.change(FIRST, "one")
    assert forged.keys() == wrong.keys()
    scene[LAST].submit(forged, scene.now, own=True)
    scene[LAST].submit(scene.change(MIDDLE, "two"), scene.now, own=True)
    made = scene.publish(LAST)
    assert made is not None
    assert made.register.member(MIDDLE).names["en"] == "two"
    (waiting,) = scene[LAST].waiting
    assert waiting.reason is not None
    assert waiting.reason.reason == "register_invalid"


def test_set_that_was_not_accepted_is_merged(scene: Scene) -> None:
    """Two published at one time: the first of those who hold the one and see the other merges both."""
    scene.move(SECOND)
    sets = {}
    for member in (MIDDLE, LAST):
        scene[member].submit(scene.change(member, f"by {member}"), scene.now, own=True)
        sets[member] = scene.publish(member)
    other = sets[LAST]
    assert other is not None
    scene[MIDDLE].could_not_accept(other, scene.now)
    assert scene.publish(MIDDLE) is None
    scene.move(RANK_WAIT)
    made = scene.publish(MIDDLE)
    assert made is not None
    assert {made.register.member(member).names["en"] for member in (MIDDLE, LAST)} == {"by tjk", "by centre"}
    assert scene[MIDDLE].waiting == ()
    assert follows(made.register, other.register)


def test_older_set_is_not_merged(scene: Scene) -> None:
    """A node that is merely behind holds nothing that the others lack."""
    scene.move(SECOND)
    scene[FIRST].submit(scene.change(FIRST, "one"), scene.now, own=True)
    assert scene.publish(FIRST) is not None
    scene[FIRST].could_not_accept(scene.held, scene.now)
    assert scene[FIRST].waiting == ()


def test_node_waits_for_the_later_timestamp_of_another(scene: Scene) -> None:
    """After a restore it holds an old register: it publishes nothing before it has the newer one, or a minute passed.

    A member that announces what it never serves makes it wait once an hour.
    """
    node = scene[FIRST]
    scene.move(2 * HOUR)
    node.hear(LAST, 1000, scene.now, scene.now)
    assert scene.publish(FIRST) is None
    node.hear(LAST, 1, scene.now, scene.now)
    node.hear(LAST, 1000, scene.now + BEHIND_WAIT, scene.now + BEHIND_WAIT)
    scene.move(BEHIND_WAIT, hear=False)
    assert scene.publish(FIRST) is not None
    scene.move(HOUR + SECOND)
    node.hear(LAST, 1000, scene.now, scene.now)
    assert scene.publish(FIRST) is None


def test_snapshot_is_signed_anew_before_it_expires(scene: Scene) -> None:
    """It lives a year; the first publisher signs the same content 60 days before its end."""
    expires: datetime = scene.held.register.role_expiries["snapshot"]
    scene.now = expires - timedelta(days=60)
    for node in scene.nodes.values():
        node.hold(renewed(node.held, scene.signing.publishers[FIRST], scene.now, NONE))
    scene.move(SECOND)
    assert scene.publish(MIDDLE) is None
    made = scene.publish(FIRST)
    assert made is not None
    assert made.snapshot.version == scene.held.snapshot.version + 1
    assert made.snapshot.meta == scene.held.snapshot.meta


def test_set_of_a_disqualified_key_is_replaced(scene: Scene) -> None:
    """Another publisher signs the same content anew."""
    key = scene.held.register.publishers[FIRST]
    scene.move(SECOND)
    scene[MIDDLE].disqualify(key, scene.now)
    made = scene.publish(MIDDLE)
    assert made is not None
    assert made.publishers() == {scene.held.register.publishers[MIDDLE]}
    assert scene.publish(MIDDLE) is None


def test_after_a_start_the_ranks_begin_with_the_first_word(scene: Scene) -> None:
    """All were away for two days: not all of them renew at once."""
    scene.now += 48 * HOUR
    scene.move(SECOND)
    assert scene.publish(LAST) is None
    scene.move(2 * RANK_WAIT)
    assert scene.publish(LAST) is not None


def test_change_travels_with_what_it_needs(scene: Scene) -> None:
    """Nothing beside the change gets into the set, and a change of another version is superseded."""
    scene.move(SECOND)
    older = scene.change(LAST, "older")
    newer = scene.signing.renamed(
        published(scene.held, older, scene.signing.publishers[FIRST], NOW, NONE), LAST, "newer", NOW
    )
    node = scene[LAST]
    node.submit(older, scene.now, own=False)
    node.submit({**newer, "targets/aside": b"x"}, scene.now, own=True)
    made = scene.publish(LAST)
    assert made is not None
    assert made.register.member(LAST).names["en"] == "newer"
    assert "targets/aside" not in made.files
    assert node.waiting == ()
