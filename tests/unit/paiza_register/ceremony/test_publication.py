"""Publications: one role, by its own key alone, and what of them is refused."""

import json
from functools import partial
from typing import Any

import pytest

from paiza_register import roles
from paiza_register.ceremony import Proposal
from paiza_register.ceremony.change import LOG_ORIGIN, SUSPEND
from paiza_register.ceremony.federation_file import to_json
from paiza_register.ceremony.publication import member_file, publication
from paiza_register.ceremony.successor import MAX_LEAP
from paiza_register.documents import FORMAT
from paiza_wire.errors import Rejected
from tests.unit.paiza_register.ceremony.world import BY_HAND, DAY, World, encryption_key, new_log, new_pair

MEMBER = "members/uzb/member.json"
REVOKED = "members/uzb/revoked.json"


@pytest.fixture
def world() -> World:
    """Found a federation of three."""
    return World("kaz", "tjk", "uzb")


def revoked(*numbers: int) -> bytes:
    """Make a revoked.json."""
    entries = [{"certificate_sha256": f"{each:064x}", "key_sha256": f"{each + 1:064x}"} for each in numbers]
    return to_json({"format": FORMAT, "certificates": entries})


def test_a_member_publishes_about_itself(world: World) -> None:
    """Fields of member.json, its practice and its liaison officers change by its own key; no custodian is asked."""
    fresh = encryption_key(world.now, world.now + 365 * DAY)
    changes = {"endpoints": [{"address": "node.uzb.example:7401"}], "encryption_keys": [fresh]}
    files = {MEMBER: member_file(world.base, "uzb", changes, world.now), "members/uzb/profile.json": b"{}\n"}
    act = publication("uzb", files, world.base, world.now)
    assert (list(Proposal(act).draft.roles), act.member) == (["uzb"], "uzb")
    base = world.decide(act, ("uzb",))
    assert base.register.member("uzb").endpoints == ("node.uzb.example:7401",)
    assert len(base.register.member("uzb").encryption_keys) == 2
    assert base.register.reference["members/uzb/profile.json"] == b"{}\n"
    assert (base.version_of("uzb"), base.targets.version, base.file.newest) == (2, 1, 1)
    base = world.decide(publication("uzb", {"members/uzb/profile.json": b""}, base, world.now), ("uzb",))
    assert "members/uzb/profile.json" not in base.register.reference


def test_expired_encryption_keys_leave_the_file(world: World) -> None:
    """Who changes anything also drops what has expired, and nothing else."""
    old = encryption_key(world.now - 2 * DAY, world.now + DAY)
    first = member_file(world.base, "uzb", {"encryption_keys": [old]}, world.now)
    world.decide(publication("uzb", {MEMBER: first}, world.base, world.now), ("uzb",))
    later = json.loads(member_file(world.base, "uzb", {}, world.now + 2 * DAY))
    assert old not in later["encryption_keys"]
    assert len(later["encryption_keys"]) == 1


def test_a_data_officer_publishes_reference_data(world: World) -> None:
    """The holder of the role's key signs alone."""
    act = publication(roles.REFERENCE, {"reference-substances.json": b"[]\n"}, world.base, world.now)
    proposal = world.members["tjk"].sign(Proposal(act))
    assert not proposal.is_complete
    assert proposal.waits_for() == ["kaz"]
    base = world.decide(act, ("kaz",))
    assert base.register.reference["reference-substances.json"] == b"[]\n"


def test_a_node_publishes_revocations(world: World) -> None:
    """They are only ever added to."""
    base = world.decide(publication("uzb.node", {REVOKED: revoked(1)}, world.base, world.now), ("uzb",))
    assert len(base.register.member("uzb").authority.revoked) == 2
    with pytest.raises(Rejected, match="revocation"):
        publication("uzb.node", {REVOKED: revoked()}, base, world.now)


@pytest.mark.parametrize("role", ["uzb", "uzb.node", roles.REFERENCE])
def test_a_role_is_signed_anew(world: World, role: str) -> None:
    """A publication without files gives the role another year."""
    before, world.now = world.base.role(role), world.now + DAY
    base = world.decide(publication(role, {}, world.base, world.now), ("kaz", "uzb"))
    assert base.role(role).targets == before.targets
    assert base.role(role).expires > before.expires


def test_only_its_own_key_counts(world: World) -> None:
    """No other key of the member, nor another member's, completes or refuses a publication."""
    act = publication("uzb", {}, world.base, world.now)
    for name, signer in world.members["uzb"].pairs.items():
        assert Proposal(act).signed_with(signer, BY_HAND).is_complete is (name == "member")
    other = world.members["tjk"].key
    made = other.sign(Proposal(act).refusal_message)
    with pytest.raises(Rejected, match="may not"):
        Proposal(act).with_refusal(made.keyid, made.signature)
    with pytest.raises(Rejected, match="may not"):
        Proposal(act).with_signature("uzb", made.keyid, made.signature)
    own = world.members["uzb"].key.sign(Proposal(act).refusal_message)
    assert Proposal(act).with_refusal(own.keyid, own.signature).is_dead


def document(world: World, **changes: Any) -> bytes:
    """Return a member.json with fields replaced."""
    return to_json({**world.members["uzb"].document, **changes})


@pytest.mark.parametrize(
    ("role", "files", "reason"),
    [
        ("kgz", {}, "unknown_member"),
        ("root", {}, "unknown_member"),
        ("targets", {}, "unknown_member"),
        ("uzb", {"members/tjk/profile.json": b"{}"}, "malformed"),
        ("uzb", {"members/uzb/other.json": b"{}"}, "malformed"),
        ("uzb", {"members/uzb/revoked.json": b"{}"}, "malformed"),
        ("uzb", {"members/uzb/../tjk/profile.json": b"{}"}, "malformed"),
        ("uzb", {"reference-substances.json": b"{}"}, "malformed"),
        ("uzb", {"federation.json": b"{}"}, "malformed"),
        ("uzb", {MEMBER: b""}, "malformed"),
        ("uzb", {MEMBER: b"{}"}, "malformed"),
        ("uzb.node", {REVOKED: b""}, "malformed"),
        ("uzb.node", {REVOKED: b"[]"}, "malformed"),
        ("uzb.node", {MEMBER: b"{}"}, "malformed"),
        (roles.REFERENCE, {"members/uzb/profile.json": b"{}"}, "malformed"),
        (roles.REFERENCE, {"agreement-x.cedar": b"x"}, "malformed"),
    ],
)
def test_foreign_or_unreadable_files_are_refused(world: World, role: str, files: dict[str, bytes], reason: str) -> None:
    """A role publishes its own files, in a form that readers accept."""
    with pytest.raises(Rejected) as caught:
        publication(role, files, world.base, world.now)
    assert caught.value.reason == reason


def test_a_member_file_that_takes_back_or_takes_more_is_refused(world: World) -> None:
    """A key of a log or witness is neither dropped nor added without a pin, and nobody speaks for another member."""
    _, vkey = new_log("uzb", 2)
    more = [*world.members["uzb"].document["log_keys"], {"origin": "uzb.pilot.example/log/2", "vkey": vkey}]
    wrong: list[dict[str, Any]] = [
        {"log_keys": more},
        {"log_keys": []},
        {"witness_keys": []},
        {"id": "tjk"},
        {"classification_ceiling": 10},
    ]
    for each in wrong:
        with pytest.raises(Rejected):
            publication("uzb", {MEMBER: document(world, **each)}, world.base, world.now)
    stale = document(world)
    world.decide(world.change(LOG_ORIGIN, member="uzb", vkey=vkey), ("kaz", "tjk", "uzb"))
    with pytest.raises(Rejected, match=r"lack a key of uzb\.pilot\.example"):
        publication("uzb", {MEMBER: stale}, world.base, world.now)


def test_versions_go_up(world: World) -> None:
    """A version that is there, or leaps too far, is refused; one that was signed in vain is leapt over."""
    publish = partial(publication, "uzb", {}, world.base, world.now)
    for version in (1, -1, 2 + MAX_LEAP):
        with pytest.raises(Rejected):
            publish(version=version)
    base = world.decide(publish(version=3), ("uzb",))
    assert base.version_of("uzb") == 3
    with pytest.raises(Rejected) as caught:
        world.decide(publish(version=2), ("uzb",))
    assert caught.value.reason == "conflict"
    with pytest.raises(Rejected, match="earlier time"):
        publication("uzb", {}, base, world.now - 2 * DAY)


def test_a_publication_outlives_other_changes(world: World) -> None:
    """What another role published meanwhile, or a change that leaves the member as it is, does not stop it."""
    act = publication("uzb", {}, world.base, world.now)
    world.decide(publication("tjk", {}, world.base, world.now), ("tjk",))
    world.decide(world.change(SUSPEND, member="tjk"), ("kaz", "uzb"))
    base = world.decide(act, ("uzb",))
    assert base.version_of("uzb") == 2


def test_a_key_that_was_replaced_publishes_nothing(world: World) -> None:
    """A publication under the old key of a member that has another one is refused with the set it would make."""
    act = publication("uzb", {}, world.base, world.now)
    old = world.members["uzb"].sign(Proposal(act))
    uzb = world.members["uzb"]
    uzb.key = new_pair()
    known = world.known("uzb")
    world.decide(world.change("member-key", applications=[uzb.apply(world.now, known)]), ("kaz", "tjk"))
    with pytest.raises(Rejected):
        world.publish(old)
