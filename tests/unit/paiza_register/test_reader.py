"""A register is accepted, kept, served, and finally expires."""

import json
from collections.abc import Callable
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from tuf.api.metadata import MetaFile, Root

from paiza_register import FetchMissing, Register, RegisterReader, load_set
from paiza_register.ceremony.federation_file import pin
from paiza_register.pair_key import PairSigner
from paiza_register.tuf_workflow import MAX_METADATA_BYTES
from paiza_wire.errors import PaizaError, Rejected, Unavailable
from paiza_wire.identity import keys
from paiza_wire.identity.pair import PairPrivateKey
from paiza_wire.tlog import notes
from tests.registers import newest
from tests.unit.paiza_register.conftest import MEMBERS, NOW, Holder, Source

DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)
GRACE = timedelta(hours=48)


@pytest.fixture
def source(holder: Holder) -> Source:
    """Serve the register of the federation."""
    return Source(holder.files())


@pytest.fixture
def reader(tmp_path: Path, holder: Holder) -> RegisterReader:
    """Return a reader that has read nothing yet."""
    return RegisterReader(tmp_path / "reader", holder.bootstrap)


def refused(reason: str, action: Callable[[], object], family: type[PaizaError] = Rejected) -> str:
    """Demand a refusal with this reason; gives its detail."""
    with pytest.raises(family) as caught:
        action()
    assert caught.value.reason == reason, str(caught.value)
    return caught.value.detail


def present(register: Register | None) -> Register:
    """Demand that there is a register."""
    assert register is not None
    return register


def test_a_folder_is_read(tmp_path: Path, made: Holder) -> None:
    """The plain folder that the ceremony published is read and archived."""
    reader = RegisterReader(tmp_path / "reader", made.bootstrap)
    register = reader.refresh(NOW, newest(made.folder).fetch())
    assert set(register.members) == {"kaz", "tjk", "centre"}
    assert reader.last_error is None
    assert present(reader.current(NOW)).version == register.version


def test_what_is_known_is_not_fetched_again(reader: RegisterReader, source: Source) -> None:
    """A refresh that finds nothing new asks for the next root and the timestamp, and for no more."""
    reader.refresh(NOW, source)
    source.asked.clear()
    reader.refresh(NOW, source)
    assert source.asked == ["metadata/2.root.json", "metadata/timestamp.json"]


def test_a_new_version_is_believed_and_the_old_one_archived(
    reader: RegisterReader, source: Source, holder: Holder
) -> None:
    """A refresh accepts the new version and keeps the old one under its digest, unchanged."""
    old = reader.refresh(NOW, source)
    holder.edit("federation.json", lambda document: document["members"]["tjk"].update(status="suspended"))
    source.files = holder.advance(days=0.5).files()
    new = reader.refresh(NOW + DAY, source)
    assert new.version != old.version
    assert new.member("tjk").status == "suspended"
    assert reader.archived(old.version).member("tjk").status == "active"
    assert reader.archived(new.version) == new
    assert load_set(reader.archived_files(old.version), holder.bootstrap, NOW) == old
    refused("register_unknown", lambda: reader.archived(bytes(32)), Unavailable)


def test_another_process_goes_on_from_the_folder(
    reader: RegisterReader, source: Source, holder: Holder, tmp_path: Path
) -> None:
    """A set accepted by one reader is known to another on the same folder without fetching."""
    register = reader.refresh(NOW, source)
    source.asked.clear()
    again = RegisterReader(tmp_path / "reader", holder.bootstrap)
    assert present(again.current(NOW)).version == register.version
    assert again.file("metadata/timestamp.json") == source.files["metadata/timestamp.json"]
    assert not source.asked


def test_readers_in_different_folders_do_not_meet(
    reader: RegisterReader, source: Source, holder: Holder, tmp_path: Path
) -> None:
    """A reader that has read nothing knows nothing, even if another has."""
    reader.refresh(NOW, source)
    assert RegisterReader(tmp_path / "other", holder.bootstrap).current(NOW) is None


def test_what_a_reader_serves_is_the_whole_register(reader: RegisterReader, holder: Holder, tmp_path: Path) -> None:
    """A peer that fetches from a reader alone comes to believe the same register, across a change of root."""
    holder.rotate_root()
    source = Source(holder.files())
    first = RegisterReader(tmp_path / "first", holder.bootstrap)
    register = first.refresh(NOW, source)
    second = RegisterReader(tmp_path / "second", holder.bootstrap)
    assert second.refresh(NOW, lambda path, _: first.file(path)) == register
    assert register.role_versions["root"] == 2
    with pytest.raises(FetchMissing):
        first.file("../root.json")
    with pytest.raises(FetchMissing):
        reader.file("metadata/timestamp.json")


def test_one_changed_file_is_not_believed(made: Holder, tmp_path: Path) -> None:
    """Whichever file a source alters, nothing of its set is accepted, and the last verified set stays.

    A timestamp that does not verify is Rejected; a file that is not the one named makes its source Unavailable.
    """
    served = made.copy().files()
    newer = made.copy()
    newer.edit("federation.json", lambda document: document["members"]["tjk"].update(status="suspended"))
    for member in ("kaz", "tjk", "centre"):
        newer.edit(f"members/{member}/member.json", lambda document: document.update(classification_ceiling=0))
    changed = {path: data for path, data in newer.advance().files().items() if served.get(path) != data}
    assert len(changed) == 1 + 1 + 1 + 7 + 1 + 3  # timestamp, snapshot, targets, roles, federation.json, member.json
    for at, (path, data) in enumerate(changed.items()):
        source = Source(served)
        reader = RegisterReader(tmp_path / str(at), made.bootstrap)
        register = reader.refresh(NOW, source)
        middle = len(data) // 2
        source.files = {**served, **changed, path: data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]}
        before = sorted(path for path in (tmp_path / str(at)).rglob("*"))
        if path == "metadata/timestamp.json":
            refused("register_invalid", lambda reader=reader, source=source: reader.refresh(NOW, source))  # type: ignore[misc]
            assert isinstance(reader.last_error, Rejected)
        else:
            assert reader.refresh(NOW, source).version == register.version
            assert isinstance(reader.last_error, Unavailable)
        after = sorted(path for path in (tmp_path / str(at)).rglob("*"))
        assert set(after) - set(before) <= {tmp_path / str(at) / "highest-seen"}
        assert present(reader.current(NOW)).version == register.version
        source.files = {**served, **changed}
        assert reader.refresh(NOW, source).member("tjk").status == "suspended"
        assert reader.last_error is None


def test_a_missing_file_is_tried_again(reader: RegisterReader, source: Source, holder: Holder) -> None:
    """A source that lacks a file of the new version leaves the last set in place until it has it."""
    old = reader.refresh(NOW, source)
    new = holder.advance().files()
    source.files = {path: data for path, data in new.items() if path != "metadata/2.kaz.json"}
    assert reader.refresh(NOW, source).version == old.version
    assert isinstance(reader.last_error, Unavailable)
    source.files = new
    assert reader.refresh(NOW, source).role_versions["kaz"] == 2


def test_an_older_register_is_refused(reader: RegisterReader, source: Source, holder: Holder) -> None:
    """A source that serves a version before the known one is refused."""
    old = dict(source.files)
    source.files = holder.advance().files()
    new = reader.refresh(NOW, source)
    source.files = old
    refused("register_rolled_back", lambda: reader.refresh(NOW, source))
    assert present(reader.current(NOW)).version == new.version


def test_one_member_cannot_be_rolled_back(reader: RegisterReader, source: Source, holder: Holder) -> None:
    """A new snapshot that names an older version of one member's role is refused."""
    source.files = holder.advance().files()
    reader.refresh(NOW, source)
    holder.advance()
    holder.roles["kaz"].version = 1
    source.files = holder.files()
    refused("register_rolled_back", lambda: reader.refresh(NOW, source))


def test_a_rollback_is_refused_after_a_restart(
    reader: RegisterReader, source: Source, holder: Holder, tmp_path: Path
) -> None:
    """The archive knows what was accepted."""
    old = dict(source.files)
    source.files = holder.advance().files()
    reader.refresh(NOW, source)
    source.files = old
    again = RegisterReader(tmp_path / "reader", holder.bootstrap)
    refused("register_rolled_back", lambda: again.refresh(NOW, source))
    assert again.highest_seen == 2


def test_log_keys_are_only_ever_added(reader: RegisterReader, source: Source, holder: Holder) -> None:
    """A member that drops a log key may not speak any more; one that adds a key may."""
    reader.refresh(NOW, source)
    other = "kaz.paiza.example/log/2"
    vkey = notes.SignerKey.from_ed25519(other, keys.generate_ed25519()).verifier_key.to_vkey()
    entry = {"origin": other, "vkey": vkey}
    admitted = pin("origin", vkey)
    holder.edit("federation.json", lambda document: document["log_keys"].append(admitted))
    holder.advance().edit("members/kaz/member.json", lambda document: document["log_keys"].append(entry))
    source.files = holder.files()
    assert len(reader.refresh(NOW, source).member("kaz").log_keys) == 2
    holder.advance().edit("members/kaz/member.json", lambda document: document["log_keys"].pop(0))
    source.files = holder.files()
    assert "lack a key" in reader.refresh(NOW, source).unusable["kaz"]


def test_a_revocation_is_never_taken_back(reader: RegisterReader, source: Source, holder: Holder) -> None:
    """A reader that knows a revocation refuses a version without it; one that never saw it has no reason to."""
    path, entry = "members/kaz/revoked.json", {"certificate_sha256": "1" * 64, "key_sha256": "2" * 64}
    holder.edit(path, lambda document: document["certificates"].append(entry))
    source.files = holder.advance().files()
    assert len(reader.refresh(NOW, source).member("kaz").authority.revoked) == 2
    holder.edit(path, lambda document: document["certificates"].append({**entry, "key_sha256": "3" * 64}))
    source.files = holder.advance().files()
    assert len(reader.refresh(NOW, source).member("kaz").authority.revoked) == 3
    holder.edit(path, lambda document: document["certificates"].pop(0))
    source.files = holder.advance().files()
    assert "revocation" in refused("register_rolled_back", lambda: reader.refresh(NOW, source))
    assert present(reader.current(NOW)).member("kaz").authority.revoked >= {b"\x22" * 32, b"\x33" * 32}
    load_set(source.files, holder.bootstrap, NOW)
    holder.put(path, b"{}")
    source.files = holder.advance().files()
    assert "revocation" in refused("register_rolled_back", lambda: reader.refresh(NOW, source))
    holder.put("members/tjk/revoked.json", b"{}")  # of this one no revocation is known
    holder.put(path, source_of_revocations(3))
    source.files = holder.advance().files()
    assert set(reader.refresh(NOW, source).unusable) == {"tjk"}


def source_of_revocations(last: int) -> bytes:
    """Return a revoked.json of two entries."""
    entries = [{"certificate_sha256": "1" * 64, "key_sha256": f"{at}" * 64} for at in (2, last)]
    return json.dumps({"format": 1, "certificates": entries}).encode()


def test_a_new_log_needs_the_members_threshold(reader: RegisterReader, source: Source, holder: Holder) -> None:
    """A log that a member names and nobody admitted is not its log; one that puts an old log behind may not speak."""
    reader.refresh(NOW, source)
    other = "kaz.paiza.example/log/2"
    vkey = notes.SignerKey.from_ed25519(other, keys.generate_ed25519()).verifier_key.to_vkey()
    entry = {"origin": other, "vkey": vkey}
    holder.advance().edit("members/kaz/member.json", lambda document: document["log_keys"].append(entry))
    source.files = holder.files()
    assert [key.origin for key in reader.refresh(NOW, source).member("kaz").log_keys] == ["kaz.paiza.example/log/1"]
    admitted = pin("origin", vkey)
    holder.edit("federation.json", lambda document: document["log_keys"].append(admitted))
    holder.edit("members/kaz/member.json", lambda document: document["log_keys"].reverse())
    source.files = holder.advance().files()
    assert "order" in reader.refresh(NOW, source).unusable["kaz"]
    holder.edit("members/kaz/member.json", lambda document: document["log_keys"].reverse())
    source.files = holder.advance().files()
    assert reader.refresh(NOW, source).member("kaz").log_keys[-1].origin == other


def test_a_frozen_register_ends_after_its_grace(reader: RegisterReader, source: Source) -> None:
    """When only what is known is served, it counts until its expiry, then late, then not at all."""
    register = reader.refresh(NOW, source)
    end = register.expiry_time
    assert not reader.refresh(end - SECOND, source).late
    late = reader.refresh(end, source)
    assert late.late
    assert late.version == register.version
    assert reader.last_error is not None
    assert reader.last_error.reason == "register_expired"
    assert present(reader.current(end + GRACE)).late
    refused("register_expired", lambda: reader.refresh(end + GRACE + SECOND, source), Unavailable)
    refused("register_expired", lambda: reader.current(end + GRACE + SECOND), Unavailable)
    assert reader.archived(register.version).version == register.version
    assert source.asked


def test_a_signed_timestamp_ends_the_lateness(reader: RegisterReader, source: Source, holder: Holder) -> None:
    """A new timestamp and snapshot after the expiry make the register current again."""
    end = reader.refresh(NOW, source).expiry_time
    assert reader.refresh(end + DAY, source).late
    source.files = holder.advance(days=1.5).files()
    register = reader.refresh(end + DAY, source)
    assert not register.late
    assert register.expiry_time == end + 1.5 * DAY


def test_a_new_timestamp_over_the_same_snapshot_keeps_the_version(
    reader: RegisterReader, source: Source, holder: Holder
) -> None:
    """The version is the snapshot's; the archive then holds the newer timestamp."""
    register = reader.refresh(NOW, source)
    holder.timestamp.version += 1
    source.files = {**source.files, "metadata/timestamp.json": holder.sign("timestamp", holder.timestamp)}
    assert reader.refresh(NOW, source).version == register.version
    assert reader.archived_files(register.version)["metadata/timestamp.json"] == source.files["metadata/timestamp.json"]


def test_without_a_source_the_last_set_counts(reader: RegisterReader, source: Source) -> None:
    """When nobody answers, the last set is given and the error kept; without any set the error is raised."""
    source.failure = Unavailable("node_unreachable", "nobody there")
    refused("node_unreachable", lambda: reader.refresh(NOW, source), Unavailable)
    source.failure = None
    register = reader.refresh(NOW, source)
    source.failure = Unavailable("node_unreachable", "nobody there")
    assert reader.refresh(NOW, source).version == register.version
    assert reader.last_error is source.failure


def test_an_empty_source_is_unavailable(reader: RegisterReader, source: Source) -> None:
    """A source that has no register is unavailable, not an error of the register."""
    source.files = {}
    refused("register_unavailable", lambda: reader.refresh(NOW, source), Unavailable)


@pytest.mark.parametrize("data", [b"", b"[" * 100_000, b"null", b"{}", b'{"signed":1,"signatures":[]}', b"\xff\xfe"])
def test_a_source_of_nonsense_is_refused(reader: RegisterReader, source: Source, data: bytes) -> None:
    """Any bytes from a source make the refresh Rejected and raise nothing else."""
    for path in list(source.files):
        if path != "metadata/1.root.json":
            source.files = {**source.files, path: data}
    refused("register_invalid", lambda: reader.refresh(NOW, source))


def test_a_file_over_its_limit_is_not_read_to_its_end(reader: RegisterReader, source: Source) -> None:
    """No more bytes are asked for than were named, and one more shows that the source lies."""
    path = next(path for path in source.files if path.endswith(".federation.json"))
    source.files = {**source.files, path: source.files[path] + bytes(10)}
    assert "longer" in refused("register_unavailable", lambda: reader.refresh(NOW, source), Unavailable)


def test_a_timestamp_is_verified_before_it_names_anything(
    reader: RegisterReader, source: Source, holder: Holder
) -> None:
    """Nothing is fetched for a timestamp that no publisher signed."""
    reader.refresh(NOW, source)
    source.asked.clear()
    holder.advance().signers["timestamp"] = holder.signers["kaz"]
    source.files = holder.files()
    refused("register_invalid", lambda: reader.refresh(NOW, source))
    assert source.asked == ["metadata/2.root.json", "metadata/timestamp.json"]


def test_only_what_changed_is_fetched(reader: RegisterReader, source: Source, holder: Holder) -> None:
    """Of a new version the timestamp, the snapshot, and what has another hash than anything in the archive."""
    files = source.files
    reader.refresh(NOW, source)
    source.asked.clear()
    holder.timestamp.version += 1
    holder.snapshot.version += 1
    holder.roles["kaz"].version += 1
    changed = holder.files()
    names = {"metadata/2.snapshot.json", "metadata/timestamp.json", "metadata/2.kaz.json"}
    # Signatures differ each time; all other metadata are those of before.
    kept = {path: files[path] for path in changed if path not in names}
    holder.snapshot.meta = {
        name: meta_of(kept.get(f"metadata/1.{name}", changed.get("metadata/2.kaz.json", b"")), meta.version)
        for name, meta in holder.snapshot.meta.items()
    }
    snapshot = holder.sign("snapshot", holder.snapshot)
    holder.timestamp.snapshot_meta = meta_of(snapshot, 2)
    source.files = {
        **kept,
        "metadata/2.kaz.json": changed["metadata/2.kaz.json"],
        "metadata/2.snapshot.json": snapshot,
        "metadata/timestamp.json": holder.sign("timestamp", holder.timestamp),
    }
    assert reader.refresh(NOW, source).role_versions["kaz"] == 2
    assert set(source.asked) == {"metadata/2.root.json", *names}


def meta_of(data: bytes, version: int) -> MetaFile:
    """Describe a metadata file."""
    return MetaFile(version, len(data), {"sha256": sha256(data).hexdigest()})


def test_no_source_is_read_without_end(reader: RegisterReader, source: Source) -> None:
    """Whatever is asked for has a bound, also what nobody named, and a source that ignores it is refused."""
    asked: dict[str, int] = {}

    def endless(path: str, most: int) -> bytes:
        asked[path] = most
        return source(path, most) if path.startswith("metadata/1.") else bytes(most + 1)

    refused("register_invalid", lambda: reader.refresh(NOW, endless))
    assert set(asked) == {"metadata/2.root.json"}
    assert max(asked.values()) <= MAX_METADATA_BYTES

    def without_roots(path: str, most: int) -> bytes:
        if path.endswith(".root.json"):
            raise FetchMissing(path)
        return endless(path, most)

    refused("register_unavailable", lambda: reader.refresh(NOW, without_roots), Unavailable)
    assert asked["metadata/timestamp.json"] <= MAX_METADATA_BYTES


def test_all_custodians_at_once_are_followed(reader: RegisterReader, source: Source, holder: Holder) -> None:
    """A root signed by enough of the old custodians and of the new ones hands everything over."""
    reader.refresh(NOW, source)
    old = holder.signers["root"]
    new = [PairSigner(PairPrivateKey.generate()) for _ in MEMBERS]

    def replace_all(root: Root) -> None:
        for role in ("root", "targets"):
            for keyid in list(root.roles[role].keyids):
                root.revoke_key(keyid, role)
            for each in new:
                root.add_key(each.public_key, role)

    def name_all(document: dict[str, Any]) -> None:
        keyids = (each.public_key.keyid for each in new)
        document["custodians"] = [{"member": member, "key": next(keyids)} for member in MEMBERS]

    holder.rotate_root(replace_all, [*old[:2], *new[:2]])
    holder.signers |= {"root": new, "targets": new}
    holder.edit("federation.json", name_all)
    source.files = holder.advance().files()
    after = reader.refresh(NOW, source)
    assert {each.keyid for each in after.custodians.values()} == {each.public_key.keyid for each in new}
    holder.rotate_root()
    source.files = holder.advance().files()
    assert reader.refresh(NOW, source).root_version == 3


def test_a_changed_archive_is_not_believed(
    reader: RegisterReader, source: Source, holder: Holder, tmp_path: Path
) -> None:
    """A set altered on disk is not there any more, and a source heals it. The newest intact one counts meanwhile."""
    version = reader.refresh(NOW, source).version
    path = tmp_path / f"reader/blobs/{sha256(source.files['metadata/1.kaz.json']).hexdigest()}"
    path.write_bytes(path.read_bytes().replace(b"kaz", b"kax"))
    refused("register_unknown", lambda: reader.archived(version), Unavailable)
    again = RegisterReader(tmp_path / "reader", holder.bootstrap)
    assert again.current(NOW) is None
    again.import_set(version, source)
    assert again.archived(version).version == version
    assert again.refresh(NOW, source).version == version
    source.files = holder.advance().files()
    new = again.refresh(NOW, source)
    (tmp_path / f"reader/blobs/{new.version.hex()}").unlink()  # the snapshot, whose SHA-256 is the version
    again = RegisterReader(tmp_path / "reader", holder.bootstrap)
    assert present(again.current(NOW)).version == version
    refused("register_unknown", lambda: again.archived_files(new.version), Unavailable)
    assert again.refresh(NOW, source) == new


def test_a_set_under_another_digest_is_not_believed(reader: RegisterReader, source: Source, tmp_path: Path) -> None:
    """An archived set must be of the version it is filed under."""
    version = reader.refresh(NOW, source).version
    sets = tmp_path / "reader/sets"
    (sets / f"{version.hex()}.json").rename(sets / f"{bytes(32).hex()}.json")
    refused("register_invalid", lambda: reader.archived(bytes(32)))
