"""Sets that were never in force here, handed over by a peer: archived when they verify, and never believed."""

from pathlib import Path

import pytest

from paiza_register import RegisterReader, files_fetch, load_set
from paiza_wire.errors import Rejected, Unavailable
from tests.unit.paiza_register.conftest import NOW, Holder, Source


@pytest.fixture
def reader(holder: Holder, tmp_path: Path) -> RegisterReader:
    """Return a reader that has read nothing yet."""
    return RegisterReader(tmp_path / "reader", holder.bootstrap)


def test_older_set_is_archived_and_not_believed(holder: Holder, reader: RegisterReader) -> None:
    """A missed set is found by its version once imported; the set in force stays in force."""
    files = holder.files()
    old = load_set(files, holder.bootstrap, NOW)
    source = Source(holder.copy().advance().files())
    believed = reader.refresh(NOW, source)
    assert believed.version != old.version
    with pytest.raises(Unavailable, match="register_unknown"):
        reader.archived(old.version)
    reader.import_set(old.version, files_fetch(files))
    assert reader.archived(old.version).version == old.version
    assert reader.refresh(NOW, source).version == believed.version
    current = reader.current(NOW)
    assert current is not None
    assert current.version == believed.version


def test_another_set_is_refused(holder: Holder, reader: RegisterReader) -> None:
    """A set of another version than asked for, or one that does not verify, is not archived."""
    files = holder.files()
    old = load_set(files, holder.bootstrap, NOW)
    with pytest.raises(Rejected, match="register_invalid"):
        reader.import_set(bytes(32), files_fetch(files))
    broken = {**files, "metadata/timestamp.json": b"{}"}
    with pytest.raises(Rejected):
        reader.import_set(old.version, files_fetch(broken))
    with pytest.raises(Unavailable, match="register_unknown"):
        reader.archived(old.version)


def test_set_that_a_crash_left_unfinished_is_unknown(holder: Holder, reader: RegisterReader, tmp_path: Path) -> None:
    """An archived set without its list, which is written last, does not exist; importing it again repairs it."""
    files = holder.files()
    old = load_set(files, holder.bootstrap, NOW)
    reader.import_set(old.version, files_fetch(files))
    (tmp_path / f"reader/sets/{old.version.hex()}.json").unlink()
    with pytest.raises(Unavailable, match="register_unknown"):
        reader.archived(old.version)
    reader.import_set(old.version, files_fetch(files))
    assert reader.archived(old.version).version == old.version


def test_source_that_lacks_a_file_is_unavailable(holder: Holder, reader: RegisterReader) -> None:
    """Another peer may have the file: nothing is archived of the first one."""
    files = holder.files()
    old = load_set(files, holder.bootstrap, NOW)
    del files["metadata/1.kaz.json"]
    with pytest.raises(Unavailable, match="register_unavailable"):
        reader.import_set(old.version, files_fetch(files))


def test_set_of_an_older_root_is_imported(holder: Holder, reader: RegisterReader) -> None:
    """A set is verified by the roots it was published under, of which few are fetched: the reader has them."""
    for _ in range(40):
        holder.rotate_root()
    files = holder.files()
    old = load_set(files, holder.bootstrap, NOW)
    for _ in range(40):
        holder.rotate_root()
    reader.refresh(NOW, Source(holder.advance().files()))
    source = Source(files)
    reader.import_set(old.version, source)
    assert reader.archived(old.version).root_version == 41
    assert len([path for path in source.asked if path.endswith(".root.json")]) < 10
    assert "metadata/81.root.json" not in reader.archived_files(old.version)
    assert load_set(reader.archived_files(old.version), holder.bootstrap, None) == old


@pytest.mark.parametrize("name", ["../../../outside", "/outside", "targets/" + "n" * 300, "metadata/timestamp.json/x"])
def test_file_that_nobody_signed_is_not_written(
    holder: Holder, reader: RegisterReader, tmp_path: Path, name: str
) -> None:
    """Extra files of a peer beside a verified set are left out, with any name."""
    files = holder.files()
    old = load_set(files, holder.bootstrap, NOW)
    reader.import_set(old.version, files_fetch({**files, name: b"Exercise"}))
    assert set(reader.archived_files(old.version)) <= set(files)
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and path.read_bytes() == b"Exercise"]
