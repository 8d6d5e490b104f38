"""The archive: each file once, whatever a crash leaves, and nothing that a request may not name."""

from pathlib import Path

import pytest

from paiza_register import RegisterReader, archive
from paiza_register.archive import Archive
from tests.unit.paiza_register.conftest import NOW, Holder, Source


@pytest.mark.parametrize("version", [b"", bytes(31), bytes(33), bytes(1000), bytes(100_000)])
def test_what_is_no_version_names_no_set(version: bytes, tmp_path: Path) -> None:
    """An impossible file name is not looked up."""
    assert Archive(tmp_path).files(version) is None
    assert Archive(tmp_path).set(version) is None
    assert Archive(tmp_path).blob(version) is None


def bytes_in(folder: Path) -> int:
    """Return the size of all files below a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def test_a_file_of_two_sets_is_kept_once(holder: Holder, tmp_path: Path) -> None:
    """A further set costs what changed, its metadata and its list; a renewed timestamp replaces the one before."""
    source = Source(holder.files())
    reader = RegisterReader(tmp_path, holder.bootstrap)
    first = reader.refresh(NOW, source)
    one = bytes_in(tmp_path)
    source.files = holder.advance().files()
    metadata = sum(len(data) for path, data in source.files.items() if path.startswith("metadata/2."))
    second = reader.refresh(NOW, source)
    two = bytes_in(tmp_path)
    assert second.version != first.version
    assert two - one < metadata + 20_000
    holder.timestamp.version += 1
    source.files = {**source.files, "metadata/timestamp.json": holder.sign("timestamp", holder.timestamp)}
    assert reader.refresh(NOW, source).version == second.version
    assert abs(bytes_in(tmp_path) - two) < 100
    assert reader.archived_files(first.version)["metadata/timestamp.json"] != source.files["metadata/timestamp.json"]


class Crash(Exception):  # noqa: N818 - it ends a process
    """The machine stops."""


@pytest.mark.parametrize("last", range(45))
def test_a_crash_leaves_the_set_before_or_the_new_one(
    holder: Holder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, last: int
) -> None:
    """After every number of files that reached the disk the reader begins with a whole set, and accepts the new one."""
    source = Source(holder.files())
    old = RegisterReader(tmp_path, holder.bootstrap).refresh(NOW, source)
    holder.rotate_root()
    source.files = holder.advance().files()
    written = 0
    write_all = archive._write_all

    def stopping(folder: Path, files: dict[str, bytes]) -> None:
        nonlocal written
        for name, data in files.items():
            if written == last:
                raise Crash
            written += 1
            write_all(folder, {name: data})

    with monkeypatch.context() as patch:
        patch.setattr(archive, "_write_all", stopping)
        try:
            RegisterReader(tmp_path, holder.bootstrap).refresh(NOW, source)
        except Crash:
            crashed = True
        else:
            crashed = False
    again = RegisterReader(tmp_path, holder.bootstrap)
    found = again.current(NOW)
    assert found is not None
    assert crashed == (found.version == old.version)
    assert again.refresh(NOW, source).root_version == 2
    assert RegisterReader(tmp_path, holder.bootstrap).archived(old.version).state == old.state
