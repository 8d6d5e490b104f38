"""Signing acts of every form with the keys in a folder: which keys are opened, what is remembered, what is refused."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import pytest

from paiza_register import roles
from paiza_register.archive import write_durably
from paiza_register.ceremony import Proposal
from paiza_register.ceremony.change import LOG_ORIGIN, REFERENCE_HOLDER, RESIGN, SUSPEND
from paiza_register.ceremony.publication import publication
from paiza_register.pair_key import key_files
from paiza_trust import signing
from paiza_trust.errors import TrustError
from paiza_trust.files import write_private
from paiza_trust.key_folder import SETTINGS, UNSEALED, KeyFolder
from tests.unit.paiza_register.ceremony.world import World, new_log

PAIRS = ("custodian", "member", "reference", "revocations")


@pytest.fixture
def world() -> World:
    """Found a federation of three."""
    return World("kaz", "tjk", "uzb")


def folder(path: Path, world: World, member: str, names: Sequence[str] = PAIRS) -> KeyFolder:
    """Write a member's pairs of these names into a key folder."""
    if not (path / SETTINGS).exists():
        write_private(path / SETTINGS, UNSEALED.encode())
    for name in names:
        halves = world.members[member].pairs[name].private_bytes()
        for file, data in zip(key_files(path / f"{name}-{member}"), halves, strict=True):
            write_private(file, data)
    return KeyFolder(path)


def names(keys: KeyFolder, proposal: Proposal) -> tuple[str, ...]:
    """Return the keys that are opened for a proposal."""
    return signing.find_keys(keys, proposal).names


def refused(keys: KeyFolder, proposal: Proposal, world: World) -> str:
    """Try to sign; return why it is refused."""
    with pytest.raises(TrustError) as caught:
        signing.sign(keys, signing.find_keys(keys, proposal), proposal, world.now)
    return caught.value.reason


def test_only_keys_that_may_sign_are_opened(tmp_path: Path, world: World) -> None:
    """Of a folder with all of a member's keys each act opens those that it needs."""
    kaz, uzb = (folder(tmp_path / member, world, member) for member in ("kaz", "uzb"))
    log = Proposal(world.change(LOG_ORIGIN, member="uzb", vkey=new_log("uzb", 2)[1]))
    assert names(uzb, log) == ("custodian-uzb", "member-uzb")
    assert names(kaz, log) == ("custodian-kaz",)
    assert names(uzb, Proposal(publication("uzb", {}, world.base, world.now))) == ("member-uzb",)
    assert names(uzb, Proposal(publication("uzb.node", {}, world.base, world.now))) == ("revocations-uzb",)
    assert names(kaz, Proposal(publication(roles.REFERENCE, {}, world.base, world.now))) == ("reference-kaz",)
    holder = world.members["uzb"].apply(world.now, world.known("uzb"))
    other = Proposal(world.change(REFERENCE_HOLDER, applications=[holder]))
    assert names(uzb, other) == ("custodian-uzb", "reference-uzb")
    assert names(kaz, other) == ("custodian-kaz",)


def test_a_log_is_admitted_by_keys_in_several_folders(tmp_path: Path, world: World) -> None:
    """Custodians and the member's trust officer sign where their keys are; together they complete it."""
    proposal = Proposal(world.change(LOG_ORIGIN, member="uzb", vkey=new_log("uzb", 2)[1]))
    for number, (member, own) in enumerate((("kaz", PAIRS), ("tjk", PAIRS), ("uzb", ("member",)))):
        assert not proposal.is_complete
        keys = folder(tmp_path / str(number), world, member, own)
        proposal = signing.sign(keys, signing.find_keys(keys, proposal), proposal, world.now)
    assert proposal.is_complete
    assert f"pilot.example uzb {world.base.version_of('uzb') + 1}" in (tmp_path / "2/signed.json").read_text()


def test_folders_without_one_members_keys_sign_nothing(tmp_path: Path, world: World) -> None:
    """None that may sign, keys of two members, or another key under the name of one that may."""
    own = Proposal(publication("uzb", {}, world.base, world.now))
    assert refused(folder(tmp_path / "a", world, "kaz"), own, world) == "file_unreadable"
    assert refused(folder(tmp_path / "b", world, "uzb", ("custodian",)), own, world) == "file_unreadable"
    suspend = Proposal(world.change(SUSPEND, member="uzb"))
    folder(tmp_path / "c", world, "kaz")
    assert refused(folder(tmp_path / "c", world, "tjk"), suspend, world) == "file_unreadable"
    stranger = World("kaz", "tjk", "uzb")
    assert refused(folder(tmp_path / "d", stranger, "kaz"), suspend, world) == "bad_key"


def test_a_version_of_a_role_is_signed_once(tmp_path: Path, world: World) -> None:
    """Another content of a signed version is refused; a publication then goes under the next one that is free."""
    keys = folder(tmp_path / "uzb", world, "uzb")
    first = Proposal(publication("uzb", {}, world.base, world.now))
    signing.sign(keys, signing.find_keys(keys, first), first, world.now)
    files = {"members/uzb/profile.json": b"{}\n"}
    second = Proposal(publication("uzb", files, world.base, world.now))
    assert refused(keys, second, world) == "conflict"
    free = signing.free_version(keys, "pilot.example", "uzb", world.base.version_of("uzb"))
    assert free == 3
    third = Proposal(publication("uzb", files, world.base, world.now, version=free))
    assert signing.sign(keys, signing.find_keys(keys, third), third, world.now).is_complete
    world.publish(signing.sign(keys, signing.find_keys(keys, third), third, world.now))
    assert signing.free_version(keys, "pilot.example", "uzb", world.base.version_of("uzb")) == 4


def test_who_signs_twice_at_one_moment_signs_one_content(
    tmp_path: Path, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second process waits until the first has remembered, and refuses another content of the version."""
    keys = folder(tmp_path / "uzb", world, "uzb")
    first = Proposal(publication("uzb", {}, world.base, world.now))
    second = Proposal(publication("uzb", {"members/uzb/profile.json": b"{}\n"}, world.base, world.now))
    remembering, signed = Event(), Event()

    def slowly(path: Path, data: bytes) -> None:
        remembering.set()
        signed.wait(0.3)
        write_durably(path, data)

    monkeypatch.setattr(signing, "write_durably", slowly)
    with ThreadPoolExecutor() as other:
        done = other.submit(signing.sign, keys, signing.find_keys(keys, first), first, world.now)
        assert remembering.wait(60)
        reason = refused(keys, second, world)
        signed.set()
    assert reason == "conflict"
    assert done.result().is_complete


def test_only_who_decides_refuses(tmp_path: Path, world: World) -> None:
    """The member's key that must sign too, and decides nothing, has no refusal to give; its custodian has."""
    proposal = Proposal(world.change(LOG_ORIGIN, member="uzb", vkey=new_log("uzb", 2)[1]))
    alone = folder(tmp_path / "alone", world, "uzb", ("member",))
    with pytest.raises(TrustError) as caught:
        signing.refuse(alone, signing.find_keys(alone, proposal), proposal, world.now)
    assert caught.value.reason == "bad_key"
    keys = folder(tmp_path / "all", world, "uzb")
    assert signing.refuse(keys, signing.find_keys(keys, proposal), proposal, world.now).refused_by() == ["uzb"]
    assert refused(keys, proposal, world) == "conflict"


def test_targets_of_another_register_are_noticed(tmp_path: Path, world: World) -> None:
    """Who signed targets of a version signs no change that builds on other targets of it, under the same root."""
    keys = folder(tmp_path / "kaz", world, "kaz")
    mine = Proposal(world.change(LOG_ORIGIN, member="uzb", vkey=new_log("uzb", 2)[1]))
    signing.sign(keys, signing.find_keys(keys, mine), mine, world.now)
    world.decide(world.change(LOG_ORIGIN, member="uzb", vkey=new_log("uzb", 2)[1]), ("tjk", "uzb"))
    assert refused(keys, Proposal(world.change(SUSPEND, member="tjk")), world) == "conflict"


def test_a_custodian_who_came_later_knows_all_roots(tmp_path: Path, world: World) -> None:
    """With the first signature the folder remembers them; another federation of the same name is refused then."""
    keys = folder(tmp_path / "uzb", world, "uzb")
    proposal = Proposal(world.change(RESIGN))
    assert not signing.knows_first_root(keys, proposal)
    signing.sign(keys, signing.find_keys(keys, proposal), proposal, world.now)
    assert signing.knows_first_root(keys, proposal)
    assert f'pilot.example root 1":"{world.base.signed["root", 1].hex()}' in (tmp_path / "uzb/signed.json").read_text()
    world.decide(world.change(RESIGN), ("kaz", "tjk"))
    other = Proposal(World("kaz", "tjk", "uzb").change(RESIGN))
    with pytest.raises(TrustError, match="another content of version 1 of root"):
        signing._remember(tmp_path / "uzb/signed.json", other, [])
