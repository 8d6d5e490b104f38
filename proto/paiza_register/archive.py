"""The archive of verified sets: each file once, by its SHA-256; each set as a list of them, by its version.

Layout of the folder::

    blobs/<sha256>         a file of any number of sets
    roots/<version>        a root; every set of later roots needs it too
    verified-roots         SHA-256 of each verified root, a line each, from the bootstrap root on
    sets/<version>.json    a set: the versions of its first and newest root, its timestamp, and path -> SHA-256 of every
                           other file
    current                the version of the set in force

Everything is written in this order, and each step is on disk before the next. A crash leaves files that no set names,
which the next set that needs them finds; or a complete set that is not in force, which is then accepted anew. A set
that is listed is complete. Nothing is ever deleted: a renewed timestamp replaces the one before in the list of its set,
so that a copy of the folder that is made meanwhile holds one or the other.
"""

import json
import os
import re
import tempfile
from base64 import b64decode, b64encode
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

from typing_extensions import override

from paiza_register.tuf_workflow import TIMESTAMP_PATH, root_path

VERSION_BYTES: Final = 32
"""Length of a set's version: SHA-256."""
_VERSION: Final = re.compile(r"[0-9a-f]{64}")
_ROOT: Final = re.compile(r"metadata/([1-9][0-9]{0,5})\.root\.json")


@dataclass(frozen=True)
class ArchivedSet:
    """A set that is archived.

    ``first_root`` and ``root`` are the versions of its first and newest root. ``files``: path -> SHA-256 of all else.
    """

    first_root: int
    root: int
    timestamp: bytes
    files: Mapping[str, bytes]


class Archive:
    """The sets below one folder; only one process may write at a time."""

    def __init__(self, folder: Path) -> None:
        self._blobs = folder / "blobs"
        self._roots = folder / "roots"
        self._sets = folder / "sets"
        self._verified_roots = folder / "verified-roots"
        self._current = folder / "current"
        for each in (self._blobs, self._roots, self._sets):
            _make_folders(each)

    def current(self) -> bytes | None:
        """Return the version of the set in force."""
        try:
            text = self._current.read_text("ascii").strip()
        except (FileNotFoundError, UnicodeDecodeError):
            return None
        return bytes.fromhex(text) if _VERSION.fullmatch(text) else None

    def make_current(self, version: bytes) -> None:
        """Put an archived set into force."""
        write_durably(self._current, version.hex().encode() + b"\n")

    def versions(self) -> list[bytes]:
        """Return the versions of all archived sets."""
        return [bytes.fromhex(path.stem) for path in self._sets.iterdir() if _VERSION.fullmatch(path.stem)]

    def set(self, version: bytes) -> ArchivedSet | None:
        """Return what a set consists of; None if it is not archived, or the list is damaged."""
        if len(version) != VERSION_BYTES:
            return None  # the requested version comes from outside: it is never used as a file name
        with suppress(FileNotFoundError, ValueError, KeyError, TypeError, AttributeError):
            values = json.loads((self._sets / f"{version.hex()}.json").read_bytes())
            files = {path: bytes.fromhex(digest) for path, digest in values["files"].items()}
            first, newest = values["roots"]
            return ArchivedSet(int(first), int(newest), b64decode(values["timestamp"]), files)
        return None

    def files(self, version: bytes) -> Mapping[str, bytes] | None:
        """Return a set's files by their published paths, each read from disk when it is asked for."""
        listed = self.set(version)
        return None if listed is None else _Files(self, listed)

    def blob(self, digest: bytes) -> bytes | None:
        """Return the file of this SHA-256; None if there is none, or it is damaged."""
        if len(digest) != VERSION_BYTES:
            return None  # metadata may name anything
        with suppress(FileNotFoundError):
            data = (self._blobs / digest.hex()).read_bytes()
            return data if sha256(data).digest() == digest else None
        return None

    def root(self, version: int) -> bytes | None:
        """Return the root of this version; None if it is not archived."""
        with suppress(FileNotFoundError):
            return (self._roots / str(version)).read_bytes()
        return None

    def verified_root(self, path: str, digest: bytes) -> bytes | None:
        """Return the root of this published path if it has this SHA-256."""
        found = _ROOT.fullmatch(path)
        data = None if found is None else self.root(int(found[1]))
        return data if data is not None and sha256(data).digest() == digest else None

    def verified_roots(self) -> tuple[bytes, ...]:
        """Return the SHA-256 of each root that was verified here, from the bootstrap root on."""
        with suppress(FileNotFoundError, ValueError):
            return tuple(bytes.fromhex(line) for line in self._verified_roots.read_text("ascii").split())
        return ()

    def store(
        self, version: bytes, files: Mapping[str, bytes], roots: Mapping[int, bytes], verified_roots: Sequence[bytes]
    ) -> None:
        """Store a verified set, which is not in force yet.

        ``files`` are all of its files but the roots, by path; ``roots`` are its newest one and those that may not be
        archived yet. ``verified_roots`` is the SHA-256 of every root of the set. Of a set that is archived already the
        timestamp is replaced, and the roots that have become necessary for it.
        """
        digests = {path: sha256(data).digest() for path, data in files.items() if path != TIMESTAMP_PATH}
        missing = {path: files[path] for path in digests if self.blob(digests[path]) is None}
        _write_all(self._blobs, {digests[path].hex(): data for path, data in missing.items()})
        _write_all(self._roots, {str(each): data for each, data in roots.items() if self.root(each) != data})
        if self.verified_roots()[: len(verified_roots)] != tuple(verified_roots):
            self.keep_roots(verified_roots)
        newest = max(roots)
        found = ArchivedSet(newest - len(verified_roots) + 1, newest, files[TIMESTAMP_PATH], digests)
        if self.set(version) != found:
            files_of = {path: digest.hex() for path, digest in sorted(digests.items())}
            timestamp = b64encode(found.timestamp).decode()
            listed = {"roots": [found.first_root, found.root], "timestamp": timestamp, "files": files_of}
            write_durably(self._sets / f"{version.hex()}.json", json.dumps(listed, indent=1).encode() + b"\n")

    def keep_roots(self, verified_roots: Sequence[bytes]) -> None:
        """Replace what is remembered of verified roots."""
        write_durably(self._verified_roots, b"".join(digest.hex().encode() + b"\n" for digest in verified_roots))


class _Files(Mapping[str, bytes]):
    """The files of one archived set; a damaged one is not there."""

    def __init__(self, archive: Archive, listed: ArchivedSet) -> None:
        self._archive = archive
        self._listed = listed
        self._roots = range(listed.first_root, listed.root + 1)

    @override
    def __getitem__(self, path: str) -> bytes:
        found = None
        if (root := _ROOT.fullmatch(path)) is not None:
            found = self._archive.root(int(root[1])) if int(root[1]) in self._roots else None
        elif path == TIMESTAMP_PATH:
            found = self._listed.timestamp
        elif path in self._listed.files:
            found = self._archive.blob(self._listed.files[path])
        if found is None:
            raise KeyError(path)
        return found

    @override
    def __iter__(self) -> Iterator[str]:
        yield from map(root_path, self._roots)
        yield TIMESTAMP_PATH
        yield from self._listed.files

    @override
    def __len__(self) -> int:
        return len(self._roots) + 1 + len(self._listed.files)


def write_durably(path: Path, data: bytes) -> None:
    """Write a file atomically: after a crash it is complete or unchanged; returns once it is on disk."""
    _make_folders(path.parent)
    _write_all(path.parent, {path.name: data})


def _write_all(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write files into a folder, each atomically; returns once all of them are on disk."""
    for name, data in files.items():
        handle, side_file = tempfile.mkstemp(dir=folder, prefix=".", suffix=".new")
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
            Path(side_file).replace(folder / name)
        except BaseException:
            Path(side_file).unlink(missing_ok=True)
            raise
    if files:
        _sync_folder(folder)


def _make_folders(folder: Path) -> None:
    """Create a folder and its parents; the name of each new folder is on disk before anything is written into it."""
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    for each in reversed(missing):
        each.mkdir(mode=0o700, exist_ok=True)
        _sync_folder(each.parent)


def _sync_folder(folder: Path) -> None:
    directory = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
