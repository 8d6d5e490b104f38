"""Reading a forged backup costs no more than its own size, and is refused."""

import io
import json
import tarfile
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace

import pytest

from paiza_node.core.errors import NodeStopped
from paiza_node.features.attachments.disk_room import MIN_FREE_BYTES
from paiza_node.ops.backup import container

SIZE = 64 << 20


def manifest(size: int) -> bytes:
    """Write a backup that claims one file of this many zeros."""
    named = {
        "format": 1,
        "backup_id": "00" * 32,
        "member": "kaz",
        "federation": "paiza.example",
        "origin": "kaz.paiza.example/log/1",
        "size": 0,
        "messages": 0,
        "checkpoint": "",
        "database": "sqlite",
        "created_time": "2026-11-25T12:00:00+00:00",
        "with_attachments": False,
        "files": {container.DATABASE: {"size": size, "sha256": sha256(bytes(size)).hexdigest()}},
    }
    return json.dumps(named).encode()


def _put(archive: tarfile.TarFile, name: str, data: bytes, headers: dict[str, str] | None = None) -> None:
    info = tarfile.TarInfo(name)
    info.size, info.pax_headers = len(data), headers or {}
    archive.addfile(info, io.BytesIO(data))


def sparse(path: Path) -> None:
    """Pack a database that is nothing but a hole."""
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as archive:
        _put(archive, "manifest.json", manifest(SIZE))
        hole = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": str(SIZE)}
        hole["GNU.sparse.name"] = container.DATABASE
        _put(archive, "hole", b"1\n%d\n0\n" % SIZE + bytes(500), hole)


def long_header(path: Path) -> None:
    """Put a header before the manifest that is larger than any backup's."""
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as archive:
        _put(archive, "manifest.json", manifest(1), {"comment": "x" * SIZE})


def large_number(path: Path) -> None:
    """Set a file size that is no whole number."""
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as archive:
        _put(archive, "manifest.json", manifest(0).replace(b'"size": 0, "sha256"', b'"size": 1e999, "sha256"'))


def nested(path: Path) -> None:
    """Nest the manifest deeper than it can be read."""
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as archive:
        _put(archive, "manifest.json", b"[" * 1_000_000)


@pytest.mark.parametrize("made", [sparse, long_header, large_number, nested])
def test_what_is_made_up_is_refused_before_it_costs_anything(made: Callable[[Path], None], tmp_path: Path) -> None:
    """Holes are not filled, headers not gathered, numbers not believed."""
    path = tmp_path / "backup"
    made(path)
    tracemalloc.start()
    try:
        for read in (container.check, lambda file: container.extract(file, tmp_path / "out")):
            with pytest.raises(NodeStopped, match="bad_backup"):
                read(path)
        assert tracemalloc.get_traced_memory()[1] < SIZE // 4
    finally:
        tracemalloc.stop()
    assert sum(each.stat().st_size for each in (tmp_path / "out").rglob("*") if each.is_file()) == 0


def test_a_file_that_is_erased_meanwhile_is_not_in_the_backup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A backup restarts without a vanished file and leaves no rest; repeated losses are reported."""
    database, erased = tmp_path / container.DATABASE, tmp_path / "attachment"
    database.write_bytes(b"database")
    erased.write_bytes(b"content")
    described = container.described

    def erase(path: Path) -> tuple[int, str]:
        found = described(path)
        erased.unlink(missing_ok=True)
        return found

    def files() -> dict[str, Path]:
        there = {container.DATABASE: database}
        return {**there, "attachments/ab/cd": erased} if erased.exists() else there

    monkeypatch.setattr(container, "described", erase)
    unnamed = replace(container.Manifest.from_json(manifest(8)), files={})
    whole, _digest = container.pack(tmp_path / "backup", unnamed, files)
    assert set(whole.files) == set(container.check(tmp_path / "backup").files) == {container.DATABASE}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["backup", container.DATABASE]
    with pytest.raises(FileNotFoundError):
        container.pack(tmp_path / "other", unnamed, lambda: {container.DATABASE: database, "attachments/ab/cd": erased})


def test_a_backup_leaves_room_to_the_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may lie on the disk of a node that runs: what would fill that is not begun."""
    database = tmp_path / container.DATABASE
    database.write_bytes(b"database")
    whole = container.Manifest.from_json(manifest(0))
    free = MIN_FREE_BYTES + 7
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=free))
    with pytest.raises(OSError, match="No space left"):
        container.pack(tmp_path / "backup", whole, lambda: {container.DATABASE: database})
    assert list(tmp_path.iterdir()) == [database]
