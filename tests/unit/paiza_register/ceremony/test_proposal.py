"""Proposals: their file, their base, and signatures that must not count twice or for something else."""

import json
from collections.abc import Callable, Iterator, Sequence
from hashlib import sha256
from random import Random
from typing import Any, Final

import pytest
from tuf.api.metadata import Metadata

from paiza_register import carried
from paiza_register.ceremony import Act, Base, BaseName, Proposal
from paiza_register.ceremony.change import (
    LOG_ORIGIN,
    POLICY,
    REMOVE,
    RESIGN,
    SUSPEND,
    Policy,
    change,
)
from paiza_register.ceremony.publication import publication
from paiza_register.ceremony.record import REFUSED, SIGNED
from paiza_register.publishing import renewed
from paiza_register.register_file import RegisterFile
from paiza_wire.errors import Rejected, Unavailable
from tests.unit.paiza_register.ceremony.world import BY_HAND, DAY, World, new_log

JUNK: Final[Sequence[object]] = ("", "x", "uzb.node", 0, -1, 1 << 70, None, True, [], ["x"], {}, {"x": "y"})


@pytest.fixture(scope="module")
def world() -> World:
    """Found a federation of four, of whom three decide."""
    return World("kaz", "tjk", "uzb", "kgz", threshold=3)


def acts(world: World) -> Iterator[Act]:
    """Yield one act of each form."""
    yield world.change(SUSPEND, member="uzb", threshold=2)
    yield world.change(LOG_ORIGIN, member="uzb", vkey=new_log("uzb", 2)[1])
    rules = {"agreement-x.cedar": "forbid (principal, action, resource);\n"}
    yield world.change(POLICY, policy=Policy(12, 24, rules, {}))
    yield world.change(RESIGN)
    yield publication("uzb", {"members/uzb/profile.json": b"{}\n"}, world.base, world.now)


def test_the_file_gives_the_same_proposal_with_and_without_its_register(world: World) -> None:
    """Between nodes the register is left out; every copy has one fingerprint, and signatures are merged."""
    for act in acts(world):
        signed, other = world.signed(Proposal(act), ["uzb"]), world.signed(Proposal(act), ["tjk"])
        small = signed.to_bytes(with_register=False)
        assert len(small) < 0.2 * len(signed.to_bytes())
        whole, read = Proposal.read(signed.to_bytes()), Proposal.read(small, lambda _: world.base)
        assert whole.fingerprint == read.fingerprint == signed.fingerprint
        assert whole.signatures == read.signatures == signed.signatures
        assert read.merged(other).signed_by() == whole.merged(other).signed_by()
        assert json.loads(small)["act"] == json.loads(signed.to_bytes())["act"]


def test_the_base_is_the_one_that_the_act_names(world: World) -> None:
    """Another register, from the file or from the archive, is refused, as is none."""
    proposal = Proposal(world.change(SUSPEND, member="uzb", threshold=2))
    other = World("kaz", "tjk", "uzb", "kgz", threshold=3)
    values = json.loads(proposal.to_bytes())
    for register, reason in (("", "malformed"), (other.base.file.to_bytes().decode(), "conflict"), ("{}", "malformed")):
        with pytest.raises(Rejected) as caught:
            Proposal.read(carried.canonical({**values, "register": register}))
        assert caught.value.reason == reason
    with pytest.raises(Rejected, match="another"):
        Proposal.read(proposal.to_bytes(), lambda _: other.base)

    def nowhere(name: BaseName) -> Base:
        raise Unavailable("register_unknown", name.register_version.hex())

    with pytest.raises(Unavailable):  # the register in the file does not replace the archive
        Proposal.read(proposal.to_bytes(), nowhere)
    for field, wrong in (("root_version", 2), ("root_sha256", "00" * 32), ("register_version", "00" * 32)):
        act = {**values["act"], "base": {**values["act"]["base"], field: wrong}}
        with pytest.raises(Rejected):
            Proposal.read(carried.canonical({**values, "act": act}))


def test_a_renewed_timestamp_is_the_same_base(world: World) -> None:
    """A node that holds the register under a later timestamp reads the proposal, also of before it."""
    proposal = Proposal(world.change(SUSPEND, member="uzb", threshold=2))
    signer = world.members["tjk"].publisher
    later = renewed(world.held, signer, world.now + DAY / 2, world.held.versions)
    base = Base.verify(RegisterFile(later.files), None)
    assert Proposal.read(proposal.to_bytes(with_register=False), lambda _: base).fingerprint == proposal.fingerprint


def test_a_file_carries_a_register_of_any_size_that_is_read(world: World) -> None:
    """After a thousand changes the roots alone make a register of 50 MiB, and a proposal carries all of it."""
    proposal = world.signed(Proposal(world.change(RESIGN)), ["kaz"])
    base = proposal.act.base
    assert base is not None
    large = RegisterFile({**base.file.files, "metadata/unread": bytes(60 << 20)})
    values = json.loads(proposal.to_bytes())
    data = carried.canonical({**values, "register": large.to_bytes().decode()})
    assert Proposal.read(data).signatures == proposal.signatures


def test_every_altered_byte_is_refused(world: World) -> None:
    """A signed act of which one byte is another one is no proposal, or still the same one."""
    random = Random(7)
    for act in acts(world):
        signed = world.signed(Proposal(act), ["kaz", "uzb"])
        data = signed.to_bytes(with_register=False)
        for at in {*random.sample(range(len(data)), 60), *range(0, min(len(data), 120), 3)}:
            for flip in (1, 32):
                altered = data[:at] + bytes([data[at] ^ flip]) + data[at + 1 :]
                with pytest.raises(Rejected):
                    Proposal.read(altered, lambda _: world.base)


def test_an_altered_register_in_the_file_changes_nothing(world: World) -> None:
    """The register beside the act is refused, or is the one that was signed: whitespace of a timestamp says nothing."""
    random = Random(7)
    signed = world.signed(Proposal(world.change(SUSPEND, member="uzb", threshold=2)), ["kaz"])
    values = json.loads(signed.to_bytes())
    text = values["register"]
    for at in random.sample(range(len(text)), 40):
        altered = text[:at] + random.choice("ABCabc012") + text[at + 1 :]
        try:
            read = Proposal.read(carried.canonical({**values, "register": altered}))
        except (Rejected, Unavailable):
            continue
        assert read.fingerprint == signed.fingerprint


def in_force(world: World) -> Callable[[str, int], bytes]:
    """Return a function that returns the digest of what is signed in a role of the newest register."""

    def signed(role: str, version: int) -> bytes:
        data = world.base.file.files.get(f"metadata/{version}.{role}.json")
        metadata: Metadata[Any] | None = None if data is None else Metadata.from_bytes(data)
        return b"" if metadata is None else sha256(metadata.signed_bytes).digest()

    return signed


def test_two_honest_proposals_of_one_version(world: World) -> None:
    """Their signatures are not exchanged between them, and the register has room for one.

    To suspend and to remove a member takes the same keys from the root; only the targets tell the two apart.
    """
    suspend = Proposal(world.change(SUSPEND, member="uzb", threshold=2))
    remove = Proposal(world.change(REMOVE, member="uzb", threshold=2))
    rules = Proposal(world.change(POLICY, policy=Policy(12, 24, {}, {})))
    signed = world.signed(suspend, ["kaz", "tjk", "kgz"])
    assert signed.is_complete
    for other in (remove, rules):
        for keyid, made in signed.signatures["targets"].items():
            with pytest.raises(Rejected, match="does not hold"):
                other.with_signature("targets", keyid, made)
        with pytest.raises(Rejected, match="different proposals"):
            signed.merged(other)
    here = World("kaz", "tjk", "uzb", "kgz", threshold=3)
    first = Proposal(here.change(SUSPEND, member="uzb", threshold=2))
    second = Proposal(here.change(POLICY, policy=Policy(12, 24, {}, {})))
    here.publish(here.signed(first, ["kaz", "tjk", "kgz"]))
    assert first.is_superseded_by(here.base.register, in_force(here))
    assert second.is_superseded_by(here.base.register, in_force(here))
    with pytest.raises(Rejected):
        here.publish(here.signed(second, ["kaz", "tjk", "kgz"]))


def test_a_signature_of_an_older_version_does_not_count_again() -> None:
    """The same change, proposed on the next register, needs every signature anew."""
    world = World("kaz", "tjk", "uzb", "kgz", threshold=3)
    old = world.signed(Proposal(world.change(RESIGN)), ["kaz", "tjk", "kgz"])
    world.publish(old)
    new = Proposal(world.change(RESIGN))
    for role, made in old.signatures.items():
        for keyid, signature in made.items():
            with pytest.raises(Rejected, match="does not hold"):
                new.with_signature(role, keyid, signature)


def test_a_stale_base_publishes_nothing() -> None:
    """A change of a register that others have changed meanwhile is complete, and too late."""
    world = World("kaz", "tjk", "uzb", "kgz", threshold=3)
    stale = world.base
    act = change(REMOVE, stale, world.now, member="uzb", threshold=2)
    world.decide(world.change(RESIGN), ("kaz", "tjk", "kgz"))
    late = world.signed(Proposal(act), ["kaz", "tjk", "kgz"])
    assert late.is_complete
    assert late.is_superseded_by(world.base.register, in_force(world))
    with pytest.raises(Rejected):
        world.publish(late)


def test_who_is_waited_for(world: World) -> None:
    """Signers and those who may still sign are named by member; a complete proposal waits for nobody."""
    proposal = Proposal(world.change(SUSPEND, member="uzb", threshold=2))
    assert (proposal.signed_by(), proposal.missing) == ([], 3)
    assert proposal.waits_for() == ["kaz", "kgz", "tjk", "uzb"]
    two = world.signed(proposal, ["kaz", "tjk"])
    assert (two.signed_by(), two.missing, two.is_complete) == (["kaz", "tjk"], 1, False)
    assert two.waits_for() == ["kgz", "uzb"]
    three = world.signed(two, ["uzb"])  # the member that is suspended may consent
    assert (three.missing, three.is_complete, three.waits_for()) == (0, True, [])


def test_a_proposal_dies_of_refusals_by_those_who_have_not_signed(world: World) -> None:
    """Of four custodians, of whom three decide, two refusals are the end; one of a signer does not count."""
    proposal = world.signed(Proposal(world.change(SUSPEND, member="uzb", threshold=2)), ["kaz"])
    for member, dead in (("kaz", False), ("tjk", False), ("uzb", True)):
        proposal = proposal.refused_with(world.members[member].custodian, BY_HAND)
        assert Proposal.read(proposal.to_bytes()).is_dead is dead


def test_junk_in_an_act_is_refused_and_nothing_else(world: World) -> None:
    """Any value of any field ends in a refusal, or in another proposal that nobody has signed."""
    for act in acts(world):
        values = json.loads(Proposal(act).to_bytes(with_register=False))
        for name in values["act"]:
            for junk in JUNK:
                changed = {**values, "act": {**values["act"], name: junk}}
                try:
                    read = Proposal.read(carried.canonical(changed), lambda _: world.base)
                except (Rejected, Unavailable):
                    continue
                assert read.fingerprint == carried.digest(changed["act"])


def test_a_record_stands_beside_every_signature(world: World) -> None:
    """It says who decided what, when, by which clock and on which token, and is signed with the same key."""
    proposal = world.signed(Proposal(world.change(RESIGN)), ["kaz"])
    proposal = proposal.refused_with(world.members["tjk"].custodian, BY_HAND)
    key = world.members["kaz"].custodian.public_key
    read = Proposal.read(proposal.to_bytes())
    stated = json.loads(read.record_text(SIGNED, key.keyid))
    assert stated.pop("signature") == read.records[SIGNED][key.keyid].signature
    assert stated == {
        "decision": "signed",
        "federation": read.act.federation,
        "key": key.keyid,
        "member": "kaz",
        "proposal": read.fingerprint.hex(),
        "sha256": {role: read.digest(role).hex() for role in ("root", "targets")},
        "time": "2026-11-03T12:00:00Z",
        "time_source": "clock of the test",
        "token": "",
    }
    refused = json.loads(read.record_text(REFUSED, world.members["tjk"].custodian.public_key.keyid))
    assert (refused["decision"], refused["member"], refused["sha256"]) == (
        "refused", "tjk", {"root": read.digest("root").hex()},
    )  # fmt: skip


def test_a_record_that_lacks_or_lies_is_refused(world: World) -> None:
    """Neither a signature without record, nor a record without signature, nor one that was altered or moved."""
    proposal = world.signed(Proposal(world.change(RESIGN)), ["kaz", "tjk"])
    kaz, tjk = (world.members[member].custodian.public_key.keyid for member in ("kaz", "tjk"))

    def altered(change: Callable[[Any], object]) -> str:
        values = json.loads(proposal.to_bytes())
        change(values["records"])
        with pytest.raises(Rejected) as refused:
            Proposal.read(carried.canonical(values))
        return refused.value.reason

    assert altered(lambda records: records["signed"].pop(kaz)) == "malformed"
    assert altered(lambda records: records["refused"].update({kaz: records["signed"][kaz]})) == "malformed"
    assert altered(lambda records: records["signed"].update({kaz: records["signed"][tjk]})) == "bad_signature"
    assert altered(lambda records: records["signed"][kaz].update(token="another")) == "bad_signature"
    assert altered(lambda records: records["signed"][kaz].update(time="2026-11-03T12:00:01Z")) == "bad_signature"
    assert altered(lambda records: records["signed"][kaz].update(token="x" * 501)) == "malformed"
    assert altered(lambda records: records["signed"][kaz].update(more="")) == "malformed"
