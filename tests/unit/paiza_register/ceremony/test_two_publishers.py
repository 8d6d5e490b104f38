"""Two nodes publish one proposal at one time, each with the signatures that it had: members and roots stay the same."""

from datetime import timedelta

import pytest

from paiza_register import load_set
from paiza_register.ceremony import Base, Proposal
from paiza_register.ceremony.change import LOG_ORIGIN, REMOVE, RESIGN, SUSPEND
from paiza_register.open_set import OpenSet
from paiza_register.publishing import concurrent, merged, published
from paiza_register.register_file import RegisterFile
from paiza_wire.errors import Rejected
from tests.unit.paiza_register.ceremony.test_proposal import in_force
from tests.unit.paiza_register.ceremony.world import World, new_log

ALL = ("kaz", "tjk", "uzb")


def published_by(world: World, proposal: Proposal, publisher: str) -> OpenSet:
    """Publish a proposal on the newest register with a node's key; the world does not learn of it."""
    signer = world.members[publisher].publisher
    return published(world.held, proposal.files(), signer, world.now, world.held.versions)


def test_other_signatures_under_the_same_root_are_no_second_root() -> None:
    """Both sets are valid; all publishers make the same content of the two, on which the next change builds."""
    world = World(*ALL)
    proposal = Proposal(world.change(SUSPEND, member="uzb"))
    few, all_of_them = world.signed(proposal, ["kaz", "tjk"]), world.signed(proposal, ALL)
    one, other = published_by(world, few, "kaz"), published_by(world, all_of_them, "tjk")
    assert one.files["metadata/2.root.json"] != other.files["metadata/2.root.json"]
    assert concurrent(one, other)
    assert one.register.root_sha256 == other.register.root_sha256
    assert RegisterFile(one.files).newest_digest == RegisterFile(other.files).newest_digest
    signer = world.members["kaz"].publisher
    made = merged(one, other, signer, world.now, one.versions)
    again = merged(other, one, signer, world.now, one.versions)
    assert made.snapshot.meta == again.snapshot.meta
    assert made.files["metadata/2.root.json"] == again.files["metadata/2.root.json"]
    register = load_set(made.files, world.held.bootstrap_root, world.now)
    assert register.member("uzb").status == "suspended"
    world.held, world.base = made, Base.verify(RegisterFile(made.files), None)
    world.decide(world.change(RESIGN), ("kaz", "tjk"))


def test_two_roots_of_one_version_are_not_merged() -> None:
    """Custodians who sign two proposals of one version split the federation, which no publisher mends."""
    world = World(*ALL)
    one = published_by(world, world.signed(Proposal(world.change(SUSPEND, member="uzb")), ALL), "kaz")
    world.now += timedelta(seconds=1)  # or the two would come to the same root
    other = published_by(world, world.signed(Proposal(world.change(REMOVE, member="uzb")), ALL), "tjk")
    with pytest.raises(Rejected, match="other roots"):
        merged(one, other, world.members["kaz"].publisher, world.now, one.versions)


@pytest.mark.parametrize("left_out", ["targets", "uzb"])
def test_a_part_that_a_publisher_left_out_follows(left_out: str) -> None:
    """A publisher that parts the custodians' signatures from the member's own delays a change, and stops nobody."""
    world = World(*ALL)
    act = world.change(LOG_ORIGIN, member="uzb", vkey=new_log("uzb", 2)[1])
    proposal = world.signed(Proposal(act), ALL)
    part = {path: data for path, data in proposal.files().items() if not path.endswith(f"2.{left_out}.json")}
    world.now += timedelta(minutes=5)
    world.accept(published(world.held, part, world.members["tjk"].publisher, world.now, world.held.versions))
    assert not proposal.is_superseded_by(world.base.register, in_force(world))
    assert set(world.base.register.unusable) == ({"uzb"} if left_out == "uzb" else set())
    base = world.publish(proposal)
    assert len(base.register.member("uzb").log_keys) == 2
    assert proposal.is_superseded_by(base.register, in_force(world))
    with pytest.raises(Rejected, match="all of the change"):
        world.publish(proposal)
