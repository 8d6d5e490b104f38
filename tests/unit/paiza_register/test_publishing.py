"""Sets that publishers make: renewed, with a change, and of two that were published at one time."""

from datetime import timedelta
from hashlib import sha256

import pytest
from tuf.api.metadata import Root

from paiza_register import load_set
from paiza_register.open_set import OpenSet, Versions, role_path
from paiza_register.publishing import concurrent, merged, node_role_signed, published, renewed
from paiza_register.succession import follows, refuse_rollback
from paiza_register.tuf_workflow import root_path
from paiza_wire.errors import Rejected
from tests.unit.paiza_register.conftest import NOW, Holder
from tests.unit.paiza_register.publishers import Signing

HOUR = timedelta(hours=1)
NONE = Versions(0, 0)


class Scene:
    """A register and who signs it."""

    def __init__(self, holder: Holder) -> None:
        self.holder = holder
        self.signing = Signing(holder)
        self.held = OpenSet.verify(holder.files(), holder.bootstrap, NOW)
        self.kaz, self.tjk, self.centre = self.signing.publishers.values()


@pytest.fixture
def scene(holder: Holder) -> Scene:
    """Return a scene that the test may change."""
    return Scene(holder)


def test_renewal_changes_the_timestamp_alone(scene: Scene) -> None:
    """The register version stays, the time does not; any publisher may renew."""
    later = NOW + HOUR
    new = renewed(scene.held, scene.tjk, later, NONE)
    changed = {path for path in new.files if new.files[path] != scene.held.files[path]}
    assert changed == {"metadata/timestamp.json"}
    assert new.files.keys() == scene.held.files.keys()
    assert new.register.version == scene.held.register.version
    assert new.timestamp.version == scene.held.timestamp.version + 1
    assert new.register.issued_time == later
    assert new.publishers() == {scene.tjk.public_key.keyid, scene.kaz.public_key.keyid}
    assert follows(new.register, scene.held.register)
    assert not follows(scene.held.register, new.register)
    assert not concurrent(scene.held, new)


def test_renewal_goes_above_what_was_seen(scene: Scene) -> None:
    """A publisher that counted far does not stop the others."""
    assert renewed(scene.held, scene.kaz, NOW, Versions(1000, 5)).versions == (1001, scene.held.snapshot.version)


def test_change_of_a_member(scene: Scene) -> None:
    """The new set has the member's new files, not the old ones, and nothing else is changed."""
    change = scene.signing.renamed(scene.held, "tjk", "Tajikistan!", NOW)
    new = published(scene.held, {**change, "targets/aside": b"not signed"}, scene.kaz, NOW, Versions(7, 9))
    assert new.register.member("tjk").names["en"] == "Tajikistan!"
    assert new.versions == (8, 10)
    assert new.files.keys() >= change.keys()
    assert "targets/aside" not in new.files
    assert role_path("tjk", scene.held.snapshot.meta["tjk.json"].version) not in new.files
    assert follows(new.register, scene.held.register)
    refuse_rollback(scene.held.register, load_set(new.files, scene.holder.bootstrap, NOW))


@pytest.mark.parametrize("again", ["same", "other"])
def test_change_that_the_register_has(scene: Scene, again: str) -> None:
    """A change that is in the register, or another of the same version, is refused."""
    change = scene.signing.renamed(scene.held, "tjk", "one", NOW)
    new = published(scene.held, change, scene.kaz, NOW, NONE)
    repeated = change if again == "same" else scene.signing.renamed(scene.held, "tjk", "other", NOW)
    with pytest.raises(Rejected, match="conflict"):
        published(new, repeated, scene.kaz, NOW, NONE)


def test_nothing_is_published_that_a_node_would_refuse(scene: Scene) -> None:
    """A role signed by another member's key, and a missing file, are refused before anything leaves."""
    change = scene.signing.renamed(scene.held, "tjk", "one", NOW)
    (role,) = (path for path in change if path.endswith(".tjk.json"))
    scene.holder.signers["tjk"] = scene.holder.signers["kaz"]
    forged = scene.signing.renamed(scene.held, "tjk", "one", NOW)
    for wrong in (forged, {role: change[role]}):
        with pytest.raises(Rejected, match="register_invalid"):
            published(scene.held, wrong, scene.kaz, NOW, NONE)


def test_only_publishers_publish(scene: Scene) -> None:
    """The key of another is refused."""
    with pytest.raises(Rejected, match="register_invalid"):
        renewed(scene.held, scene.holder.signers["kaz"][0], NOW, NONE)


def test_sets_of_one_time_are_merged(scene: Scene) -> None:
    """Each of two publishers published another change: the set that follows both holds both."""
    held, signing = scene.held, scene.signing
    one = published(held, signing.renamed(held, "kaz", "one", NOW), scene.kaz, NOW, NONE)
    other = published(held, signing.renamed(held, "tjk", "other", NOW), scene.tjk, NOW, NONE)
    assert concurrent(one, other)
    assert concurrent(other, one)
    both = merged(one, other, scene.centre, NOW, NONE)
    assert both.register.member("kaz").names["en"] == "one"
    assert both.register.member("tjk").names["en"] == "other"
    assert follows(both.register, one.register)
    assert follows(both.register, other.register)
    assert both.snapshot.meta == merged(other, one, scene.kaz, NOW, NONE).snapshot.meta


def test_same_content_published_twice_is_published_once_more(scene: Scene) -> None:
    """Two snapshots of one version with the same content are two register versions: a third follows both."""
    change = scene.signing.renamed(scene.held, "tjk", "one", NOW)
    one, other = (published(scene.held, change, by, NOW, NONE) for by in (scene.kaz, scene.tjk))
    assert one.snapshot.meta == other.snapshot.meta
    assert concurrent(one, other)
    third = merged(one, other, scene.centre, NOW, NONE)
    assert follows(third.register, one.register)
    assert follows(third.register, other.register)
    assert third.snapshot.meta == one.snapshot.meta


def test_of_two_files_of_one_version_all_take_the_same(scene: Scene) -> None:
    """A member signed two of one version: the lower SHA-256 counts, in every order."""
    held, signing = scene.held, scene.signing
    one = published(held, signing.renamed(held, "kaz", "one", NOW), scene.kaz, NOW, NONE)
    other = published(held, signing.renamed(held, "kaz", "other", NOW), scene.tjk, NOW, NONE)
    lower = min((one, other), key=lambda each: sha256(each.files[role_path("kaz", 2)]).hexdigest())
    for both in (merged(one, other, scene.kaz, NOW, NONE), merged(other, one, scene.tjk, NOW, NONE)):
        assert both.files[role_path("kaz", 2)] == lower.files[role_path("kaz", 2)]


def test_older_content_under_a_later_timestamp(scene: Scene) -> None:
    """One publisher was cut off and renewed what it had: neither set follows the other until they are merged."""
    held = scene.held
    new = published(held, scene.signing.renamed(held, "kaz", "one", NOW), scene.kaz, NOW, NONE)
    old = renewed(renewed(held, scene.tjk, NOW, NONE), scene.tjk, NOW, NONE)
    assert concurrent(new, old)
    both = merged(old, new, scene.tjk, NOW, NONE)
    assert both.snapshot.meta == new.snapshot.meta
    assert follows(both.register, new.register)
    assert follows(both.register, old.register)


def test_what_was_renewed_twice_is_not_merged(scene: Scene) -> None:
    """Two timestamps over one snapshot are one register version."""
    one, other = (renewed(scene.held, by, NOW, NONE) for by in (scene.kaz, scene.tjk))
    assert not concurrent(one, other)


def test_newer_root_counts(scene: Scene) -> None:
    """A new root in one of the two, and content in the other."""
    held = scene.held
    one = published(held, scene.signing.renamed(held, "kaz", "one", NOW), scene.kaz, NOW, NONE)
    scene.holder.rotate_root()
    root = {root_path(2): scene.holder.old_roots[root_path(2)]}
    other = published(held, root, scene.tjk, NOW, NONE)
    both = merged(one, other, scene.kaz, NOW, NONE)
    assert both.register.root_version == 2
    assert both.register.member("kaz").names["en"] == "one"


def test_forked_roots_are_not_merged(scene: Scene) -> None:
    """Two roots of one version have no common successor."""
    sets = []
    for expires in (HOUR, 2 * HOUR):
        holder = scene.holder.copy()

        def later(root: Root, by: timedelta = expires) -> None:
            root.expires += by

        holder.rotate_root(later)
        root = {root_path(2): holder.old_roots[root_path(2)]}
        sets.append(published(scene.held, root, scene.kaz, NOW, NONE))
    with pytest.raises(Rejected, match="conflict"):
        merged(sets[0], sets[1], scene.kaz, NOW, NONE)


def test_version_of_a_key_that_was_replaced(scene: Scene) -> None:
    """A member published with its old key while its new one was admitted: no set can follow both.

    The member must publish a later version with its new key.
    """
    held, holder = scene.held, scene.holder
    change = scene.signing.renamed(held, "tjk", "one", NOW)
    by_old = published(held, change, scene.tjk, NOW, NONE)
    by_old = published(by_old, scene.signing.renamed(by_old, "tjk", "two", NOW), scene.tjk, NOW, NONE)
    rotated = holder.copy()
    (key,) = rotated.signers["tjk"] = [Signing(holder).new_pair()]
    rotated.advance()
    assert rotated.top.delegations is not None
    assert rotated.top.delegations.roles is not None
    role = rotated.top.delegations.roles["tjk"]
    del rotated.top.delegations.keys[role.keyids[0]]
    role.keyids[0] = key.public_key.keyid
    rotated.top.delegations.keys[key.public_key.keyid] = key.public_key
    by_new = OpenSet.verify(rotated.files(), rotated.bootstrap, NOW)
    with pytest.raises(Rejected, match="conflict"):
        merged(by_old, by_new, scene.kaz, NOW, NONE)


def test_a_directory_is_signed_with_the_revocations(scene: Scene) -> None:
    """The node's key replaces the directory, and keeps it with the next revocation; the content is nobody's fault."""
    (signer,) = scene.holder.signers["kaz.node"]
    held = renewed(scene.held, scene.kaz, NOW, NONE)
    path, entry = "members/kaz/liaison.json", (bytes(range(32)), bytes(range(1, 33)))
    assert path in held.register.reference
    new = published(held, node_role_signed(held, "kaz", signer, NOW, directory=b"broken"), scene.kaz, NOW, NONE)
    assert new.register.reference[path] == b"broken"
    assert not new.register.unusable
    after = published(new, node_role_signed(new, "kaz", signer, NOW, [entry]), scene.kaz, NOW, NONE)
    assert after.register.reference[path] == b"broken"
    assert set(entry) <= after.register.revocations["kaz"]


def test_revocations_are_signed_anew(scene: Scene) -> None:
    """The node's key adds an entry, once; without one the same list lasts another year."""
    (signer,) = scene.holder.signers["kaz.node"]
    entry = (bytes(range(32)), bytes(range(1, 33)))
    later = NOW + 300 * 24 * HOUR
    held = renewed(scene.held, scene.kaz, NOW, NONE)
    change = node_role_signed(held, "kaz", signer, NOW, [entry, entry])
    new = published(held, change, scene.kaz, NOW, NONE)
    assert new.register.member("kaz").authority.revoked == {*held.register.member("kaz").authority.revoked, *entry}
    again = node_role_signed(new, "kaz", signer, later)
    with pytest.raises(Rejected, match="later than it may"):
        published(new, again, scene.kaz, NOW, NONE)
    again = node_role_signed(new, "kaz", signer, later := NOW + HOUR)
    signed = published(new, again, scene.kaz, NOW, NONE)
    assert signed.register.members == new.register.members
    assert signed.register.role_expiries["kaz.node"] == later + 365 * 24 * HOUR
