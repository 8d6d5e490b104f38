"""Each change of a register: what it makes true, and what of it is refused."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial
from hashlib import sha256
from typing import Any

import pytest
from tuf.api.metadata import MetaFile, Targets

from paiza_register import roles
from paiza_register.ceremony import Base, Proposal
from paiza_register.ceremony.application import Known
from paiza_register.ceremony.change import (
    ADMIT,
    CUSTODIAN,
    LOG_KEY,
    LOG_ORIGIN,
    MEMBER_KEY,
    POLICY,
    PUBLISHER,
    REFERENCE_HOLDER,
    REINSTATE,
    REMOVE,
    RESIGN,
    SUSPEND,
    THRESHOLD,
    WITNESS,
    Policy,
    change,
)
from paiza_register.ceremony.federation_file import to_json
from paiza_register.ceremony.publication import member_file, publication
from paiza_register.documents import FORMAT, MAX_REVOKED
from paiza_register.publishing import composed, published
from paiza_register.succession import refuse_rollback
from paiza_wire.errors import Rejected, Unavailable
from tests.unit.paiza_register.ceremony.world import (
    BY_HAND,
    DAY,
    Applicant,
    World,
    encryption_key,
    new_log,
    new_pair,
    new_witness,
)
from tests.unit.paiza_register.conftest import SECOND

ALL = ("kaz", "tjk", "uzb")


@pytest.fixture
def world() -> World:
    """Found a federation of three, of whom two decide."""
    return World(*ALL)


UNKNOWN_ACTION = 'forbid (principal, action == Paiza::Action::"fly", resource);\n'


def refused(call: Callable[[], object]) -> str:
    """Return why something is refused."""
    with pytest.raises(Rejected) as caught:
        call()
    return caught.value.reason


def revoked(*numbers: int) -> bytes:
    """Make a revoked.json."""
    entries = [{"certificate_sha256": f"{each:064x}", "key_sha256": f"{each + 1:064x}"} for each in numbers]
    return to_json({"format": FORMAT, "certificates": entries})


def admitted(world: World, member: str = "kgz", **about: Any) -> Base:
    """Admit another member with the threshold 3."""
    world.members[member] = Applicant(member)
    applied = world.members[member].apply(world.now)
    return world.decide(world.change(ADMIT, applications=[applied], threshold=3, **about), ("kaz", "tjk", "uzb"))


def gone(world: World, member: str = "uzb") -> Known:
    """Remove a member from four, after it revoked a certificate; return what was known of it."""
    admitted(world)
    world.members[member].revoked = revoked(1)
    path = f"members/{member}/revoked.json"
    world.decide(publication(roles.node_role_of(member), {path: revoked(1)}, world.base, world.now), (member,))
    known = world.known(member)
    world.decide(world.change(REMOVE, member=member, threshold=2), ("kaz", "tjk", "kgz"))
    return known


def test_a_member_is_admitted(world: World) -> None:
    """Its custodian decides from then on, its node publishes, its keys are pinned."""
    base = admitted(world)
    assert set(base.register.members) == {"kaz", "tjk", "uzb", "kgz"}
    assert base.threshold == 3
    assert {member for _, member in base.custodians.values()} == {"kaz", "tjk", "uzb", "kgz"}
    assert list(base.publishers) == ["kaz", "tjk", "uzb", "kgz"]
    assert {name for name, _ in base.pins_of("kgz")} == {"kgz.pilot.example/log/1", "kgz.pilot.example/witness/1"}
    world.decide(world.change(SUSPEND, member="uzb", threshold=2), ("kgz", "kaz", "tjk"), publisher="kgz")


def test_suspension_takes_custodian_and_publisher(world: World) -> None:
    """A suspended member decides nothing; reinstated, it has what its application names."""
    admitted(world)
    base = world.decide(world.change(SUSPEND, member="uzb", threshold=2), ("kaz", "tjk", "kgz"))
    assert base.register.member("uzb").status == "suspended"
    assert "uzb" not in {member for _, member in base.custodians.values()} | set(base.publishers)
    assert refused(lambda: world.change(CUSTODIAN, applications=[world.members["uzb"].apply(world.now)])) == "conflict"
    world.members["uzb"].custodian = new_pair()
    applied = world.members["uzb"].apply(world.now, world.known("uzb"))
    base = world.decide(world.change(REINSTATE, applications=[applied], threshold=3), ("kaz", "tjk", "kgz"))
    assert base.register.member("uzb").status == "active"
    assert world.members["uzb"].custodian.public_key.keyid in base.custodians


def junk(count: int) -> bytes:
    """Make a revoked.json of invented entries, as a thief would."""
    entries = [
        {name: sha256(f"{name} {each}".encode()).hexdigest() for name in ("certificate_sha256", "key_sha256")}
        for each in range(count)
    ]
    return to_json({"format": FORMAT, "certificates": entries})


@pytest.mark.parametrize("what", [PUBLISHER, MEMBER_KEY])
def test_a_new_key_of_revocations_begins_them_anew(world: World, what: str) -> None:
    """A thief filled the list. Readers that know it and readers that do not agree on the register that follows."""
    member, path = world.members["uzb"], "members/uzb/revoked.json"
    world.decide(publication("uzb.node", {path: junk(MAX_REVOKED)}, world.base, world.now), ("uzb",))
    full = world.base.register
    assert "uzb" in full.members
    known = world.known("uzb")
    member.revoked = revoked(1)
    assert refused(lambda: world.change(what, applications=[member.apply(world.now, known)])) in {
        "conflict",
        "register_rolled_back",
    }
    member.revocations = new_pair()
    if what == PUBLISHER:
        member.publisher = Applicant("uzb").publisher
    after = world.decide(world.change(what, applications=[member.apply(world.now, known)]), ("kaz", "tjk")).register
    assert len(after.member("uzb").authority.revoked) == 2
    refuse_rollback(full, after)
    again = world.decide(publication("uzb.node", {path: revoked(1, 2)}, world.base, world.now), ("uzb",)).register
    with pytest.raises(Rejected, match="taken back a revocation"):
        refuse_rollback(again, replace(again, revocations=after.revocations))


@pytest.mark.parametrize("what", [PUBLISHER, MEMBER_KEY])
def test_a_node_gets_no_former_pair_again(world: World, what: str) -> None:
    """Who has stolen it would speak for the member again: neither custodians nor readers let it come back."""
    member, former = world.members["uzb"], world.members["uzb"].revocations
    before = world.base.register
    for pair in (new_pair(), new_pair()):
        known = world.known("uzb")
        member.revocations = pair
        world.decide(world.change(what, applications=[member.apply(world.now, known)]), ("kaz", "tjk"))
    register, theirs = world.base.register, SECOND.Register(dict(world.held.files), world.held.bootstrap_root)
    assert register.former_node_keys >= {("uzb", former.public_key.keyid)}
    assert len(register.former_node_keys) == 2
    assert theirs.active == register.active_ids
    known, member.revocations = world.known("uzb"), former
    applied = member.apply(world.now, known)
    with pytest.raises(Rejected, match="had this pair before"):
        world.change(what, applications=[applied])
    with pytest.raises(Rejected, match="no longer named"):
        refuse_rollback(register, replace(register, former_node_keys=frozenset()))
    with pytest.raises(Rejected, match="not named as a former one"):
        refuse_rollback(before, replace(register, former_node_keys=frozenset()))


def test_the_same_key_takes_no_revocation_back(world: World) -> None:
    """Neither by an application for another key of the member."""
    path = "members/uzb/revoked.json"
    world.decide(publication("uzb.node", {path: revoked(1, 7)}, world.base, world.now), ("uzb",))
    member, known = world.members["uzb"], world.known("uzb")
    member.key, member.revoked = new_pair(), revoked(1)
    applied = member.apply(world.now, known)
    assert refused(lambda: world.change(MEMBER_KEY, applications=[applied])) == "register_rolled_back"


def test_a_removed_member_comes_back(world: World) -> None:
    """Versions, keys of logs and witnesses, and revocations continue; it may bring new keys, and new pairs."""
    known = gone(world)
    removed = world.base
    assert "uzb" not in removed.register.members
    assert removed.version_of("uzb") == known.versions["uzb"]
    member = world.members["uzb"]
    member.key, member.revocations, member.revoked = new_pair(), new_pair(), revoked(1, 7)
    member.log, vkey = new_log("uzb", 2)
    member.document["log_keys"].append({"origin": "uzb.pilot.example/log/2", "vkey": vkey})
    applied = member.apply(world.now, known)
    base = world.decide(world.change(ADMIT, applications=[applied], threshold=3), ("kaz", "tjk", "kgz"))
    assert base.version_of("uzb") == known.versions["uzb"] + 1
    assert [key.origin for key in base.register.member("uzb").log_keys][1:] == ["uzb.pilot.example/log/2"]
    assert removed.register.key_pins < base.register.key_pins


@pytest.mark.parametrize("role", ["uzb", "uzb.node"])
def test_a_publisher_cannot_stop_a_removed_member(world: World, role: str) -> None:
    """It raises no version of a removed member's role, and no other file takes the place of the last one."""
    known = gone(world)
    name = f"{role}.json"
    last, signer = world.held.snapshot.meta[name], world.members["tjk"].publisher
    invented = [MetaFile(version, None, last.hashes) for version in (last.version + 1, 1 << 40)]
    for described in (*invented, MetaFile(last.version, None, {"sha256": "0" * 64})):
        meta = {**world.held.snapshot.meta, name: described}
        with pytest.raises(Rejected):
            composed(world.held.files, meta, world.held.bootstrap_root, signer, world.now, world.held.versions)
    applied = world.members["uzb"].apply(world.now, known)
    world.decide(world.change(ADMIT, applications=[applied], threshold=3), ("kaz", "tjk", "kgz"))


def test_what_a_member_publishes_last_does_not_stop_its_removal(world: World) -> None:
    """Its versions may leap between proposal and publication; it comes back above them, with all its revocations."""
    admitted(world)
    member = world.members["uzb"]
    removal = Proposal(world.change(REMOVE, member="uzb", threshold=2))
    member.revoked, path = revoked(1), "members/uzb/revoked.json"
    last = publication("uzb.node", {path: revoked(1)}, world.base, world.now, version=1000)
    world.decide(last, ("uzb",), publisher="uzb")
    known = world.known("uzb")
    removed = world.publish(world.signed(removal, ("kaz", "tjk", "kgz"))).register
    assert "uzb" not in {*removed.active_ids, *removed.unusable, *removed.suspended_ids}
    assert not {"uzb", "uzb.node"} & removed.role_expiries.keys()
    assert removed.revocations["uzb"]
    theirs = SECOND.Register(dict(world.held.files), world.held.bootstrap_root)
    assert (set(theirs.cas), theirs.active) == (set(removed.members), removed.active_ids)
    base = world.decide(
        world.change(ADMIT, applications=[member.apply(world.now, known)], threshold=3), ("kaz", "tjk", "kgz")
    )
    assert base.version_of("uzb.node") == 1001
    assert base.register.revocations["uzb"] == removed.revocations["uzb"]


def test_a_removed_member_is_changed_by_nothing(world: World) -> None:
    """It publishes nothing, and no change but its admission is about it."""
    gone(world)
    assert refused(lambda: publication("uzb", {}, world.base, world.now)) == "unknown_member"
    assert refused(lambda: world.known("uzb")) == "unknown_member"
    for what in (SUSPEND, REMOVE):
        assert refused(lambda what=what: world.change(what, member="uzb")) == "unknown_member"  # type: ignore[misc]


def test_a_removed_member_drops_nothing(world: World) -> None:
    """An application that begins anew, or lacks a key or a revocation, admits nobody."""
    known = gone(world)
    member = world.members["uzb"]

    def admit(told: Known | None) -> str:
        applied = member.apply(world.now, told)
        return refused(lambda: world.change(ADMIT, applications=[applied], threshold=3))

    assert admit(None) == "register_rolled_back"
    older = {role: version - 1 for role, version in known.versions.items()}
    assert admit(Known(older, {}, {})) == "register_rolled_back"
    member.revoked = revoked(2)
    assert admit(known) == "register_rolled_back"
    member.revoked = revoked(1)
    kept = dict(member.document)
    member.log, vkey = new_log("uzb", 1)
    member.document["log_keys"] = [{"origin": "uzb.pilot.example/log/1", "vkey": vkey}]
    assert admit(known) == "register_rolled_back"
    member.log, vkey = new_log("uzb", 2)
    member.document["log_keys"] = [{"origin": "uzb.pilot.example/log/2", "vkey": vkey}]
    assert admit(known) == "register_rolled_back"
    member.document = {**kept, "witness_keys": []}
    with pytest.raises(Rejected):
        member.apply(world.now, known)


def test_a_new_key_under_an_old_number_is_not_pinned(world: World) -> None:
    """A member that comes back with another key below the numbers that are known is refused."""
    member = Applicant("kgz")
    member.log, vkey = new_log("kgz", 5)
    member.document["log_keys"] = [{"origin": "kgz.pilot.example/log/5", "vkey": vkey}]
    world.members["kgz"] = member
    world.decide(world.change(ADMIT, applications=[member.apply(world.now)], threshold=3), ALL)
    known = world.known("kgz")
    world.decide(world.change(REMOVE, member="kgz", threshold=2), ALL)
    low = {"origin": "kgz.pilot.example/log/4", "vkey": new_log("kgz", 4)[1]}
    member.document["log_keys"].insert(0, low)
    applied = member.apply(world.now, known)
    assert refused(lambda: world.change(ADMIT, applications=[applied], threshold=3)) == "conflict"


def test_all_custodians_are_replaced_at_once(world: World) -> None:
    """Enough of the old and of the new ones sign; neither alone is enough."""
    old = {member: each.custodian for member, each in world.members.items()}
    for each in world.members.values():
        each.custodian = new_pair()
    applications = [each.apply(world.now, world.known(each.member)) for each in world.members.values()]
    act = world.change(CUSTODIAN, applications=applications)
    only_new = world.signed(Proposal(act), ALL)
    assert not only_new.is_complete
    only_old = Proposal(act)
    for signer in old.values():
        only_old = only_old.signed_with(signer, BY_HAND)
    assert not only_old.is_complete
    base = world.publish(only_new.merged(only_old))
    assert set(base.custodians) == {each.custodian.public_key.keyid for each in world.members.values()}


def test_a_custodians_key_is_vouched_for_by_its_member(world: World) -> None:
    """An application under another member key, of a key that decides already, or twice of one member is refused."""
    member = world.members["uzb"]
    assert refused(lambda: world.change(CUSTODIAN, applications=[member.apply(world.now)])) == "conflict"
    member.custodian = new_pair()
    twice = [member.apply(world.now), member.apply(world.now)]
    assert refused(lambda: world.change(CUSTODIAN, applications=twice)) == "conflict"
    member.key = new_pair()
    assert refused(lambda: world.change(CUSTODIAN, applications=[member.apply(world.now)])) == "bad_key"
    stranger = Applicant("uzb", custodian=member.custodian)
    assert refused(lambda: world.change(CUSTODIAN, applications=[stranger.apply(world.now)])) == "bad_key"


def test_a_member_gets_other_keys(world: World) -> None:
    """Custodians vouch for new pairs of a member that lost its own; files, versions and revocations continue."""
    member = world.members["uzb"]
    lost, known = member.key, world.known("uzb")
    member.key, member.revocations = new_pair(), new_pair()
    act = world.change(MEMBER_KEY, applications=[member.apply(world.now, known)])
    base = world.decide(act, ("kaz", "tjk"))
    assert base.key_of("uzb") == member.key.public_key
    assert base.version_of("uzb") == known.versions["uzb"] + 1
    assert "root" not in Proposal(act).draft.roles
    assert base.file.newest == 1
    assert lost.public_key.keyid not in str(base.targets.to_dict())
    same = member.apply(world.now, world.known("uzb"))
    assert refused(lambda: world.change(MEMBER_KEY, applications=[same])) == "conflict"
    member.key = new_pair()
    assert refused(lambda: world.change(MEMBER_KEY, applications=[member.apply(world.now)])) == "register_rolled_back"
    member.log, vkey = new_log("uzb", 2)
    member.document["log_keys"].append({"origin": "uzb.pilot.example/log/2", "vkey": vkey})
    more = member.apply(world.now, world.known("uzb"))
    assert refused(lambda: world.change(MEMBER_KEY, applications=[more])) == "conflict"


def test_a_directory_outlives_the_keys_that_signed_it(world: World) -> None:
    """An application carries the directory of its member on, and needs none where none is published."""
    member, path = world.members["uzb"], "members/uzb/liaison.json"
    assert path not in world.known("uzb").files
    world.decide(publication(roles.node_role_of("uzb"), {path: b"{}"}, world.base, world.now), ("uzb",))
    known = world.known("uzb")
    assert known.files[path] == b"{}"
    member.key, member.revocations = new_pair(), new_pair()
    applied = member.apply(world.now, known, files={path: known.files[path]})
    base = world.decide(world.change(MEMBER_KEY, applications=[applied]), ("kaz", "tjk"))
    assert base.target(roles.node_role_of("uzb"), path) == b"{}"
    assert base.register.reference[path] == b"{}"


def test_a_node_gets_other_keys(world: World) -> None:
    """Another publisher's key changes the root, another key of revocations the targets; both need the member's key."""
    member = world.members["uzb"]
    fresh = Applicant("uzb")
    member.publisher = fresh.publisher
    base = world.decide(world.change(PUBLISHER, applications=[member.apply(world.now, world.known("uzb"))]), ALL[:2])
    assert (base.file.newest, list(base.publishers)) == (2, list(ALL))
    assert base.publishers["uzb"] == fresh.publisher.public_key
    member.revocations = fresh.revocations
    known = world.known("uzb")
    base = world.decide(world.change(PUBLISHER, applications=[member.apply(world.now, known)]), ALL[:2], "uzb")
    assert base.file.newest == 2
    assert (base.version_of("uzb"), base.version_of("uzb.node")) == (1, 2)
    again = member.apply(world.now, world.known("uzb"))
    assert refused(lambda: world.change(PUBLISHER, applications=[again])) == "conflict"
    member.key, member.publisher = new_pair(), Applicant("uzb").publisher
    assert refused(lambda: world.change(PUBLISHER, applications=[member.apply(world.now)])) == "bad_key"


@pytest.mark.parametrize(("what", "make", "kind"), [(LOG_ORIGIN, new_log, "log"), (WITNESS, new_witness, "witness")])
def test_a_member_gets_the_next_log_or_witness(world: World, what: str, make: Any, kind: str) -> None:
    """The key is pinned and named at once: custodians sign the pin, the member's own key the name."""
    _, vkey = make("uzb", 2)
    act = world.change(what, member="uzb", vkey=vkey)
    without = world.signed(Proposal(act), ("kaz", "tjk"))
    assert (without.is_complete, without.missing, without.waits_for()) == (False, 0, ["uzb"])
    only_named = world.members["uzb"].sign(without, "member")
    assert only_named.is_complete
    base = world.publish(only_named)
    found = base.register.member("uzb")
    named = [key.vkey for key in (found.log_keys if kind == "log" else found.witness_keys)]
    assert named[1:] == [vkey]
    assert base.file.newest == 1
    for member, number in (("uzb", 2), ("uzb", 4), ("uzb", 1), ("tjk", 3), ("kgz", 1)):
        _, other = make(member, number)
        reason = refused(partial(world.change, what, member="uzb", vkey=other))
        assert reason in {"unknown_log", "malformed"}
    assert refused(lambda: world.change(what, member="kgz", vkey=make("kgz", 1)[1])) == "unknown_member"
    assert refused(lambda: world.change(what, member="uzb", vkey="no key")) in {"unknown_log", "malformed"}


@pytest.mark.parametrize("until", [None, timedelta(0), timedelta(days=30)])
def test_a_log_gets_another_key_of_its_own(world: World, until: timedelta | None) -> None:
    """The log goes on under its origin; the key before it ends when the act says, and stays in the register."""
    ends = None if until is None else world.now + until
    (_, vkey), before = new_log("uzb", 1), world.base.register.member("uzb").log_keys
    act = world.change(LOG_KEY, member="uzb", vkey=vkey, until=ends)
    base = world.decide(act, ("kaz", "uzb"))
    own = base.register.member("uzb")
    assert [(key.origin, key.vkey, key.until) for key in own.log_keys] == [
        (before[0].origin, before[0].vkey, None if ends is None else ends.replace(microsecond=0)),
        (before[0].origin, vkey, None),
    ]
    assert own.origin == before[0].origin
    assert refused(lambda: world.change(LOG_KEY, member="kgz", vkey=new_log("kgz", 1)[1])) == "unknown_member"


def test_what_a_further_key_may_not_be(world: World) -> None:
    """Another log's key, another member's, one that is named already, an end in the past or of what ends nothing."""
    first = world.base.register.member("uzb").log_keys[0].vkey
    soon = world.now + timedelta(days=1)
    for what, about, reason in (
        (LOG_KEY, {"member": "uzb", "vkey": new_log("uzb", 2)[1]}, "unknown_log"),
        (LOG_KEY, {"member": "uzb", "vkey": new_log("tjk", 1)[1]}, "unknown_log"),
        (LOG_KEY, {"member": "uzb", "vkey": first}, "malformed"),
        (LOG_KEY, {"member": "uzb", "vkey": new_witness("uzb", 1)[1]}, "unknown_log"),
        (
            LOG_KEY,
            {"member": "uzb", "vkey": new_log("uzb", 1)[1], "until": world.now - timedelta(hours=1)},
            "clock_skew",
        ),
        (WITNESS, {"member": "uzb", "vkey": new_witness("uzb", 1)[1], "until": soon}, "unknown_log"),
        (LOG_ORIGIN, {"member": "uzb", "vkey": new_log("uzb", 2)[1], "until": soon}, "malformed"),
        (SUSPEND, {"member": "uzb", "until": soon}, "malformed"),
    ):
        assert refused(partial(world.change, what, **about)) == reason


def test_a_witness_gets_its_next_key_and_ends_the_one_before(world: World) -> None:
    """Earlier ends stay as they are: nothing that was abandoned counts again."""
    soon, later = (world.now + timedelta(days=days) for days in (1, 9))
    for number, until in ((2, soon), (3, later)):
        _, vkey = new_witness("uzb", number)
        world.decide(world.change(WITNESS, member="uzb", vkey=vkey, until=until), ("kaz", "uzb"))
    ends = [key.until for key in world.base.register.member("uzb").witness_keys]
    assert ends == [soon.replace(microsecond=0), later.replace(microsecond=0), None]


def test_a_member_applies_again_after_its_log_changed_its_key(world: World) -> None:
    """An application keeps every key of the log with its end, though the node's folder names only the first."""
    key, vkey = new_log("uzb", 1)
    act = world.change(LOG_KEY, member="uzb", vkey=vkey, until=world.now + timedelta(days=1))
    world.decide(act, ("kaz", "uzb"))
    member = world.members["uzb"]
    member.log, known = key, world.known("uzb")
    first = {"origin": "uzb.pilot.example/log/1", "vkey": world.base.register.member("uzb").log_keys[0].vkey}
    joined = known.joined({**known.document, "log_keys": [first]}, world.now)
    assert joined["log_keys"] == known.document["log_keys"]
    assert "until" in joined["log_keys"][0]


def test_the_reference_data_get_another_holder(world: World) -> None:
    """The new holder signs the role anew; only then may the old one be suspended."""
    assert refused(lambda: world.change(SUSPEND, member="kaz")) == "conflict"
    assert refused(lambda: world.change(REMOVE, member="kaz")) == "conflict"
    admitted(world)
    applied = [world.members[member].apply(world.now, world.known(member)) for member in ("tjk", "uzb")]
    act = world.change(REFERENCE_HOLDER, applications=applied)
    assert Proposal(act).draft.quorums[roles.REFERENCE][0].needed == 1
    before = world.base.register.reference
    base = world.decide(act, ("kaz", "kgz", "uzb"))
    assert {each["member"] for each in base.federation["reference"]} == {"tjk", "uzb"}
    assert base.register.reference == before
    world.decide(world.change(SUSPEND, member="kaz", threshold=2), ("tjk", "uzb", "kgz"), publisher="tjk")
    again = [world.members[member].apply(world.now, world.known(member)) for member in ("uzb", "tjk")]
    assert refused(lambda: world.change(REFERENCE_HOLDER, applications=again)) == "conflict"


def test_rules_change(world: World) -> None:
    """Times, agreements and legal bases are set and removed; what holds already, or is not there, is refused."""
    legal = {"treaty-1": {"ru": "Договор", "en": "Treaty"}}
    rules = Policy(12, 24, {"agreement-x.cedar": "forbid (principal, action, resource);\n"}, legal)
    base = world.decide(world.change(POLICY, policy=rules), ("kaz", "tjk"))
    assert base.register.agreements == (("agreement-x", "forbid (principal, action, resource);\n"),)
    assert base.register.legal_bases == legal
    assert (base.register.life.total_seconds(), base.register.grace.total_seconds()) == (12 * 3600, 24 * 3600)
    assert base.file.newest == 1
    assert refused(lambda: world.change(POLICY, policy=rules)) == "conflict"
    for wrong, reason in (
        (Policy(0, 24, {}, {}), "malformed"),
        (Policy(721, 24, {}, {}), "malformed"),
        (Policy(12, 169, {}, {}), "malformed"),
        (Policy(12, 24, {"agreement-y.cedar": ""}, {}), "conflict"),
        (Policy(12, 24, {"agreement-y.cedar": "permit (principal"}, {}), "policy_invalid"),
        (Policy(12, 24, {"agreement-y.cedar": UNKNOWN_ACTION}, {}), "policy_invalid"),
        (Policy(12, 24, {"federation.json": "x"}, {}), "malformed"),
        (Policy(12, 24, {"members/kaz/member.json": "x"}, {}), "malformed"),
        (Policy(12, 24, {"agreement-../x.cedar": "x"}, {}), "malformed"),
        (Policy(12, 24, {}, {"none": {}}), "conflict"),
        (Policy(12, 24, {}, {"UPPER": {"ru": "x", "en": "x"}}), "malformed"),
        (Policy(12, 24, {}, {"half": {"ru": "x"}}), "malformed"),
    ):
        assert refused(partial(world.change, POLICY, policy=wrong)) == reason
    gone_again = Policy(12, 24, {"agreement-x.cedar": ""}, {"treaty-1": {}})
    base = world.decide(world.change(POLICY, policy=gone_again), ("kaz", "tjk"))
    assert (base.register.agreements, base.register.legal_bases) == ((), {})


def test_signing_anew_changes_nothing_else(world: World) -> None:
    """Root and targets live another year, also those of a register that has expired."""
    before = world.base
    world.now += 380 * DAY
    with pytest.raises(Unavailable):
        world.change(THRESHOLD, threshold=3)
    act = world.change(RESIGN)
    proposal = world.signed(Proposal(act), ("kaz", "tjk"))
    assert proposal.is_complete
    root, targets = proposal.draft.roles["root"], proposal.draft.roles["targets"]
    assert (root.version, targets.version) == (2, 2)
    assert root.expires == targets.expires == act.time + 365 * DAY
    assert isinstance(targets, Targets)
    assert targets.targets == before.targets.targets
    assert targets.delegations == before.targets.delegations


def test_custodians_who_signed_nothing_for_a_year_do_not_count(world: World) -> None:
    """Nobody becomes necessary who has not shown for 13 months that they still hold the key."""
    for _ in range(14):
        world.now += 30 * DAY
        world.decide(world.change(RESIGN), ("kaz", "tjk"))
        for member in ALL:
            for role in (member, roles.node_role_of(member)):
                world.decide(publication(role, {}, world.base, world.now), (member,))
        world.decide(publication(roles.REFERENCE, {}, world.base, world.now), ("kaz",))
    assert refused(lambda: world.change(SUSPEND, member="tjk")) == "conflict"
    uzb = world.members["uzb"]
    uzb.custodian = new_pair()
    world.decide(world.change(CUSTODIAN, applications=[uzb.apply(world.now, world.known("uzb"))]), ("kaz", "tjk"))
    world.change(SUSPEND, member="tjk")


@pytest.mark.parametrize(
    ("what", "about", "reason"),
    [
        (ADMIT, {"member": "kgz"}, "malformed"),
        (ADMIT, {}, "malformed"),
        (ADMIT, {"apply": ["kaz"]}, "conflict"),
        (ADMIT, {"apply": ["kgz"]}, "malformed"),  # two of four
        (ADMIT, {"apply": ["kgz", "aze"]}, "malformed"),
        (SUSPEND, {"member": "kgz"}, "unknown_member"),
        (SUSPEND, {"apply": ["uzb"]}, "malformed"),
        (SUSPEND, {"member": "uzb", "vkey": "x"}, "malformed"),
        (REINSTATE, {"apply": ["uzb"]}, "conflict"),
        (REINSTATE, {"apply": ["kgz"]}, "unknown_member"),
        (REMOVE, {"member": "kgz"}, "unknown_member"),
        (CUSTODIAN, {"apply": ["kgz"]}, "unknown_member"),
        (THRESHOLD, {"threshold": 2}, "conflict"),
        (THRESHOLD, {"threshold": 1}, "malformed"),
        (THRESHOLD, {"threshold": 3}, "malformed"),
        (THRESHOLD, {"threshold": -1}, "malformed"),
        (THRESHOLD, {"member": "uzb", "threshold": 2}, "malformed"),
        (MEMBER_KEY, {"apply": ["kgz"]}, "unknown_member"),
        (PUBLISHER, {"apply": ["kgz"]}, "unknown_member"),
        (PUBLISHER, {"apply": ["tjk", "uzb"]}, "malformed"),
        (REFERENCE_HOLDER, {"apply": ["kgz"]}, "unknown_member"),
        (REFERENCE_HOLDER, {"apply": ["kaz"]}, "conflict"),
        (LOG_ORIGIN, {"member": "uzb"}, "malformed"),
        (WITNESS, {"vkey": "x"}, "malformed"),
        (POLICY, {}, "malformed"),
        (RESIGN, {"member": "uzb"}, "malformed"),
        ("rename", {"member": "uzb"}, "malformed"),
        ("", {}, "malformed"),
    ],
)
def test_what_the_register_does_not_allow(world: World, what: str, about: dict[str, Any], reason: str) -> None:
    """A change that contradicts the register, leaves no working threshold, or states more or less than its kind."""
    named = about.pop("apply", [])
    about["applications"] = [world.members.get(member, Applicant(member)).apply(world.now) for member in named]
    assert refused(lambda: world.change(what, **about)) == reason


def test_times_follow_one_another(world: World) -> None:
    """A change is not earlier than its register, and no application is later than the change."""
    late = Applicant("kgz").apply(world.now + DAY)
    assert refused(lambda: world.change(ADMIT, applications=[late], threshold=3)) == "clock_skew"
    assert refused(lambda: change(SUSPEND, world.base, world.now - DAY, member="uzb")) == "clock_skew"


def test_an_application_to_another_federation_is_refused(world: World) -> None:
    """Keys that were made for one federation are not taken into another."""
    other = Applicant("kgz", federation="other.example")
    assert refused(lambda: world.change(ADMIT, applications=[other.apply(world.now)], threshold=3)) == "conflict"


def test_a_key_that_was_named_and_never_admitted_is_dropped(world: World) -> None:
    """A publisher parts the member's signature from a proposal that fails: the member speaks, and names another key."""
    uzb = world.members["uzb"]
    failed = uzb.sign(Proposal(world.change(LOG_ORIGIN, member="uzb", vkey=new_log("uzb", 2)[1])), "member")
    alone = {path: data for path, data in failed.files().items() if "uzb" in path}
    world.now += timedelta(minutes=5)
    world.accept(published(world.held, alone, world.members["tjk"].publisher, world.now, world.held.versions))
    assert [key.origin for key in world.base.register.member("uzb").log_keys] == ["uzb.pilot.example/log/1"]
    assert len(world.known("uzb").document["log_keys"]) == 1
    file = {"members/uzb/member.json": member_file(world.base, "uzb", {}, world.now)}
    publication("uzb", file, world.base, world.now)
    _, vkey = new_log("uzb", 2)
    base = world.decide(world.change(LOG_ORIGIN, member="uzb", vkey=vkey), ALL)
    assert [key.vkey for key in base.register.member("uzb").log_keys][1:] == [vkey]
    assert len(base.document("uzb")["log_keys"]) == 2


def test_an_application_keeps_what_the_member_published_since(world: World) -> None:
    """Its first file is not published anew with another key: endpoints, encryption keys and its practice stay."""
    fresh, old = encryption_key(world.now, world.now + DAY), encryption_key(world.now - 2 * DAY, world.now - DAY)
    changes = {"endpoints": [{"address": "new.uzb.example:7401"}], "encryption_keys": [fresh, old]}
    files = {"members/uzb/member.json": member_file(world.base, "uzb", changes, world.now)}
    files["members/uzb/profile.json"] = b"{}\n"
    world.decide(publication("uzb", files, world.base, world.now), ("uzb",))
    known, first = world.known("uzb"), world.members["uzb"].document
    joined = known.joined(first, world.now)
    assert [each["address"] for each in joined["endpoints"]] == ["127.0.0.1:7401", "new.uzb.example:7401"]
    assert joined["encryption_keys"] == [*first["encryption_keys"], fresh]
    assert joined["log_keys"] == first["log_keys"]
    assert known.files["members/uzb/profile.json"] == b"{}\n"
    world.members["uzb"].document, world.members["uzb"].key = joined, new_pair()
    applied = world.members["uzb"].apply(world.now, known, {"members/uzb/profile.json": b"{}\n"})
    base = world.decide(world.change(MEMBER_KEY, applications=[applied]), ("kaz", "tjk"))
    assert base.register.reference["members/uzb/profile.json"] == b"{}\n"
