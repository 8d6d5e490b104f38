"""Publishers that lie, and publishers that meet: what a reader believes, refuses, forgets and keeps as proof."""

import json
from datetime import timedelta
from pathlib import Path

import pytest
from tuf.api.metadata import Root

from paiza_register import Register, RegisterReader, files_fetch
from paiza_register.validity import highest_version
from paiza_wire.errors import Rejected, Unavailable
from tests.unit.paiza_register.conftest import NOW, Holder, Source
from tests.unit.paiza_register.publishers import Signing

HOUR = timedelta(hours=1)


class Scene:
    """A reader that accepted one set, and a source that serves what publishers make."""

    def __init__(self, folder: Path, holder: Holder) -> None:
        self.folder = folder
        self.holder = holder
        self.publishers = Signing(holder).publishers
        self.source = Source(holder.files())
        self.reader = RegisterReader(folder, holder.bootstrap)
        self.register = self.reader.refresh(NOW, self.source)
        self.files = dict(self.source.files)
        self.first_snapshot = holder.timestamp.snapshot_meta

    def keyid(self, member: str) -> str:
        """Return the id of a publisher's key."""
        return self.publishers[member].public_key.keyid

    def sign(self, member: str, *, timestamp: int, snapshot: int | None = None, hours: float = 0) -> None:
        """Have a publisher sign a timestamp, and a snapshot if it has a version; serve the set."""
        holder = self.holder
        holder.signers |= {"timestamp": [self.publishers[member]], "snapshot": [self.publishers[member]]}
        holder.timestamp.version = timestamp
        holder.timestamp.expires = NOW + timedelta(hours=24 + hours)
        if snapshot is None:
            holder.timestamp.snapshot_meta = self.first_snapshot
            self.source.files = {**self.files, "metadata/timestamp.json": holder.sign("timestamp", holder.timestamp)}
        else:
            holder.snapshot.version = snapshot
            self.source.files = holder.files()

    def lose(self, path: str) -> None:
        """Serve one file less."""
        self.source.files = {name: data for name, data in self.source.files.items() if name != path}

    def read(self) -> Register:
        """Refresh from the source."""
        return self.reader.refresh(NOW, self.source)

    def refused(self, detail: str) -> None:
        """Demand that the set is refused, and that the one before stays in force."""
        before = self.reader.current(NOW)
        with pytest.raises(Rejected, match=detail):
            self.read()
        assert self.reader.current(NOW) == before

    def restart(self) -> None:
        """Open the folder again."""
        self.reader = RegisterReader(self.folder, self.holder.bootstrap)


@pytest.fixture
def scene(holder: Holder, tmp_path: Path) -> Scene:
    """Return a scene that the test may change."""
    return Scene(tmp_path / "reader", holder)


@pytest.mark.parametrize("snapshot", [False, True])
def test_two_sets_of_one_version_disqualify_their_publisher(scene: Scene, snapshot: bool) -> None:  # noqa: FBT001
    """Both files are kept, and nothing that only this key signed is believed; another publisher goes on."""
    if snapshot:
        scene.sign("kaz", timestamp=2, snapshot=1)
    else:
        scene.sign("kaz", timestamp=1, hours=1)
    scene.refused("signed two files")
    assert scene.reader.disqualified == {scene.keyid("kaz")}
    role = "snapshot" if snapshot else "timestamp"
    path = "metadata/1.snapshot.json" if snapshot else "metadata/timestamp.json"
    proof = scene.folder / f"proofs/{scene.keyid('kaz')}-{role}"
    assert (proof / "first.json").read_bytes() == scene.files[path]
    assert (proof / "second.json").read_bytes() == scene.source.files[path]
    scene.restart()
    scene.sign("kaz", timestamp=3, snapshot=3)
    scene.refused("signed two sets of one version before")
    scene.sign("tjk", timestamp=4)
    scene.refused("signed two sets of one version before")  # the snapshot is still that key's alone
    scene.sign("tjk", timestamp=5, snapshot=4)
    assert scene.read().timestamp_version == 5
    assert scene.reader.disqualified == {scene.keyid("kaz")}


def test_publishers_that_meet_are_no_liars(scene: Scene) -> None:
    """Two publishers may sign one version at one time: the set that came first stays until one goes above both."""
    scene.sign("tjk", timestamp=1, hours=1)
    assert scene.read().state == scene.register.state
    assert scene.reader.last_error is None
    scene.sign("tjk", timestamp=2, snapshot=1)
    assert scene.read().state == scene.register.state
    assert not scene.reader.disqualified
    scene.sign("centre", timestamp=3, snapshot=2)
    assert scene.read().snapshot_version == 2


def test_one_payload_in_two_files_proves_nothing(scene: Scene) -> None:
    """A publisher signs again after a crash, and anybody can write JSON in another way: what is said stays the same."""
    data = scene.files["metadata/timestamp.json"]
    for other in (
        scene.holder.sign("timestamp", scene.holder.timestamp),
        json.dumps(json.loads(data), indent=7).encode(),
    ):
        assert other != data
        scene.source.files = {**scene.files, "metadata/timestamp.json": other}
        assert scene.read() == scene.register
    assert not scene.reader.disqualified
    assert scene.reader.file("metadata/timestamp.json") == data


def test_a_version_is_no_higher_than_the_clock(scene: Scene) -> None:
    """Nobody uses up the numbers for good: there are new ones each millisecond, and all readers agree how many."""
    highest = highest_version(NOW)
    scene.sign("tjk", timestamp=1 + highest)
    scene.refused("higher than it may be yet")
    assert scene.reader.highest_seen == 1
    scene.sign("tjk", timestamp=2, snapshot=1 + highest)
    scene.refused("higher than it may be yet")
    scene.holder.roles["kaz"].version = 1 + highest
    scene.sign("tjk", timestamp=3, snapshot=2)
    scene.refused("version of kaz is")
    assert scene.reader.refresh(NOW + timedelta(milliseconds=1), scene.source).timestamp_version == 3


def test_all_readers_follow_who_counts_as_far_as_it_may(scene: Scene) -> None:
    """Those whose register is in use, and those that know none; a moment later another publisher goes above it."""
    highest, later = highest_version(NOW), NOW + timedelta(milliseconds=1)
    scene.sign("kaz", timestamp=highest, snapshot=highest)
    fresh = RegisterReader(scene.folder / "fresh", scene.holder.bootstrap)
    for reader in (scene.reader, fresh):
        assert reader.refresh(NOW, scene.source).timestamp_version == highest
    scene.sign("tjk", timestamp=highest + 1, snapshot=highest + 1)
    for reader in (scene.reader, fresh):
        assert reader.refresh(later, scene.source).timestamp_version == highest + 1


def test_a_publisher_goes_above_what_was_seen(scene: Scene) -> None:
    """A validly signed timestamp counts even if its set is refused: its publisher may have shown it to others."""
    scene.sign("tjk", timestamp=7, snapshot=2)
    scene.lose("metadata/2.snapshot.json")
    assert scene.read() == scene.register
    assert isinstance(scene.reader.last_error, Unavailable)
    scene.restart()
    assert scene.reader.highest_seen == 7
    scene.sign("centre", timestamp=2, snapshot=2)
    assert scene.read().timestamp_version == 2, "nobody is bound by a set that was not accepted"
    assert scene.reader.highest_seen == 7


def test_a_timestamp_that_names_nothing_poisons_nothing(scene: Scene) -> None:
    """What an honest source serves later is accepted, and nothing of the lie is on disk but its number."""
    before = {path for path in scene.folder.rglob("*") if path.is_file()}
    scene.sign("kaz", timestamp=5, snapshot=5)
    lies = {path: b"{}" for path in scene.source.files if path.startswith("metadata/5.")}
    scene.source.files = {**scene.source.files, **lies}
    assert scene.read() == scene.register
    assert {path for path in scene.folder.rglob("*") if path.is_file()} - before == set()
    scene.sign("tjk", timestamp=2, snapshot=2)
    assert scene.read().timestamp_version == 2


def test_the_numbers_of_a_key_that_may_not_publish_are_forgotten(scene: Scene) -> None:
    """A stolen key used up the numbers; the root takes it away, and others begin anew. Roles never go back."""
    scene.holder.roles["kaz"].version = 3
    scene.sign("kaz", timestamp=1 << 20, snapshot=1 << 20)
    scene.read()
    gone = scene.keyid("kaz")

    def revoke(root: Root) -> None:
        for role in ("snapshot", "timestamp"):
            root.revoke_key(gone, role)

    scene.holder.rotate_root(revoke)
    scene.holder.edit("federation.json", suspend_kaz)
    scene.holder.top.version += 1
    scene.holder.roles["kaz"].version = 2
    scene.sign("tjk", timestamp=2, snapshot=2)
    scene.refused("kaz is older")
    scene.holder.roles["kaz"].version = 3
    scene.sign("tjk", timestamp=2, snapshot=2)
    assert scene.read().timestamp_version == 2
    scene.sign("tjk", timestamp=1, snapshot=1)
    scene.refused("older")


def suspend_kaz(document: dict[str, object]) -> None:
    """Suspend kaz, whose publisher goes; its custodian stays."""
    members, publishers = document["members"], document["publishers"]
    assert isinstance(members, dict)
    assert isinstance(publishers, list)
    members["kaz"]["status"] = "suspended"
    document["publishers"] = [each for each in publishers if each["member"] != "kaz"]


def test_an_own_set_is_accepted_under_the_same_checks(scene: Scene) -> None:
    """A publisher's node accepts what it made; what is older or not newer changes nothing."""
    scene.sign("tjk", timestamp=2, snapshot=2)
    new = dict(scene.source.files)
    assert scene.reader.accept(new, NOW).timestamp_version == 2
    with pytest.raises(Rejected, match="older"):
        scene.reader.accept(scene.files, NOW)
    assert scene.reader.accept(new, NOW).timestamp_version == 2
    scene.sign("tjk", timestamp=3, snapshot=3)
    scene.lose("metadata/3.snapshot.json")
    with pytest.raises(Rejected, match="missing"):
        scene.reader.accept(scene.source.files, NOW)
    later = NOW + timedelta(days=30)
    with pytest.raises(Unavailable, match="register_expired"):
        scene.reader.accept(new, later)


def test_a_carried_register_may_have_an_old_timestamp(holder: Holder, tmp_path: Path) -> None:
    """It is accepted where its content is valid, and then in no use before a newer timestamp comes."""
    files = holder.files()
    reader = RegisterReader(tmp_path / "reader", holder.bootstrap)
    later = NOW + timedelta(days=30)
    with pytest.raises(Unavailable, match="register_expired"):
        reader.accept(files, later)
    reader.accept(files, later, outdated=True)
    with pytest.raises(Unavailable, match="register_expired"):
        reader.current(later)
    assert reader.last is not None
    holder.timestamp.version += 1
    holder.timestamp.expires = later + timedelta(hours=24)
    newer = {**files, "metadata/timestamp.json": holder.sign("timestamp", holder.timestamp)}
    assert reader.refresh(later, files_fetch(newer)).version == reader.last.version
    with pytest.raises(Unavailable, match="register_expired"):
        RegisterReader(tmp_path / "other", holder.bootstrap).accept(files, NOW + timedelta(days=400), outdated=True)
