"""The archive of verified sets: a folder, keyed by the SHA-256 of the snapshot, with a pointer to the current set.

Layout: ``archive/<hex>/metadata/…`` and ``archive/<hex>/targets/…`` as published, and ``current`` with the hex
digest. Every file is written to a temporary file, flushed to disk and renamed, so a reader sees a whole file or none.
"""

import os
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

VERSION_BYTES: Final = 32
"""Length of a set's version: SHA-256."""
_VERSION: Final = re.compile(r"[0-9a-f]{64}")
_TIMESTAMP: Final = "metadata/timestamp.json"


class Archive:
    """The sets below one folder; only one process may write at a time."""

    def __init__(self, folder: Path) -> None:
        self._sets = folder / "archive"
        self._current = folder / "current"
        self._sets.mkdir(parents=True, exist_ok=True)

    def current(self) -> bytes | None:
        """Return the version of the set stored last."""
        try:
            text = self._current.read_text("ascii").strip()
        except (FileNotFoundError, UnicodeDecodeError):
            return None
        return bytes.fromhex(text) if _VERSION.fullmatch(text) else None

    def versions(self) -> list[bytes]:
        """Return the versions of all archived sets."""
        return [bytes.fromhex(path.name) for path in self._sets.iterdir() if _VERSION.fullmatch(path.name)]

    def files(self, version: bytes) -> Mapping[str, bytes] | None:
        """Return a set's files by their published paths.

        None if there is no such set, or a crash left it unfinished.
        """
        if len(version) != VERSION_BYTES:
            return None  # the requested version comes from outside: it is never used as a folder name
        folder = self._sets / version.hex()
        if not (folder / _TIMESTAMP).is_file():  # written last
            return None
        return {
            path.relative_to(folder).as_posix(): path.read_bytes()
            for path in sorted(folder.rglob("[!.]*"))
            if path.is_file()
        }

    def store(self, version: bytes, files: Mapping[str, bytes]) -> None:
        """Store a verified set and make it the current one.

        A crash before the last step leaves the set before current; the new one is then fetched again. Files that
        stand already are left, but for the timestamp, which is renewed for an unchanged snapshot; it is written after
        the roots that may have become necessary for it.
        """
        self.store_other(version, files)
        write_durably(self._current, version.hex().encode() + b"\n")

    def store_other(self, version: bytes, files: Mapping[str, bytes]) -> None:
        """Store a verified set beside the current one."""
        folder = self._sets / version.hex()
        for path, data in sorted(files.items(), key=lambda item: item[0] == _TIMESTAMP):
            target = folder / path
            if path == _TIMESTAMP or not target.exists():
                write_durably(target, data)


def write_durably(path: Path, data: bytes) -> None:
    """Write a file atomically: after a crash it is complete or unchanged; returns once it is on disk."""
    _make_folders(path.parent)
    handle, side_file = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".new")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        Path(side_file).replace(path)
    except BaseException:
        Path(side_file).unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def _make_folders(folder: Path) -> None:
    """Create a folder and its parents; the name of each new folder is on disk before anything is written into it."""
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    for each in reversed(missing):
        each.mkdir(exist_ok=True)
        _sync_folder(each.parent)


def _sync_folder(folder: Path) -> None:
    directory = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
