"""The format of a backup: a tar archive whose first member, manifest.json, lists every other with size and SHA-256.

    manifest.json           member, log, size, checkpoint, time; and the list of the following files
    paiza.db                every table of the node, an SQLite database whichever database the node uses
    register/…              the archive of verified registers, without which old evidence cannot be verified
    attachments/…           ciphertexts of attachments, if requested

It contains no key. Sealed content stays sealed, but headers, lists and names of officers are readable: protect it like
the node's own disk. A reader rejects files that the manifest does not list or whose digest differs; the checkpoint,
which the member's log key signed and the tables lead to, authenticates the manifest.
"""

import errno
import io
import json
import os
import re
import shutil
import tarfile
import tempfile
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import IO, Any, Final

from typing_extensions import override

from paiza_node.core.errors import N_, NodeStopped
from paiza_node.features.attachments.disk_room import MIN_FREE_BYTES

FORMAT: Final = 1
DATABASE: Final = "paiza.db"
REGISTER: Final = "register/"
ATTACHMENTS: Final = "attachments/"
_MANIFEST: Final = "manifest.json"
MAX_MANIFEST_BYTES: Final = 64 << 20  # a hundred bytes for each of some hundred thousand attachments
PACKINGS: Final = 3  # attempts at a backup, if files are removed while it is made
_BLOCK: Final = 1 << 20
_MAX_READ: Final = 1 << 20  # bytes read at once: a block, or a header with a file's name and size
_UNREADABLE: Final = (ValueError, ArithmeticError, LookupError, TypeError, AttributeError, RecursionError)
_NAME: Final = re.compile(r"paiza\.db|(?:register|attachments)(?:/[A-Za-z0-9_.%-]{1,140}){1,6}")


@dataclass(frozen=True, slots=True)
class Manifest:
    """The manifest of a backup. ``checkpoint`` is the note signed last before the copy was made.

    ``backup_id`` is that of the backup's BACKED_UP entry.
    """

    backup_id: bytes
    member: str
    federation: str
    origin: str
    size: int
    messages: int
    checkpoint: bytes
    database: str
    created_time: datetime
    with_attachments: bool
    files: Mapping[str, tuple[int, str]]
    """Name -> size in bytes, SHA-256 in hex."""

    def to_json(self) -> bytes:
        """Return the manifest as JSON."""
        files = {name: {"size": size, "sha256": digest} for name, (size, digest) in self.files.items()}
        return json.dumps(
            {
                "format": FORMAT,
                "backup_id": self.backup_id.hex(),
                "member": self.member,
                "federation": self.federation,
                "origin": self.origin,
                "size": self.size,
                "messages": self.messages,
                "checkpoint": b64encode(self.checkpoint).decode(),
                "database": self.database,
                "created_time": self.created_time.astimezone(UTC).isoformat(timespec="seconds"),
                "with_attachments": self.with_attachments,
                "files": files,
            },
            indent=1,
        ).encode()

    @classmethod
    def from_json(cls, data: bytes) -> "Manifest":
        """Parse a manifest; ValueError, KeyError or TypeError if it is malformed."""
        values: dict[str, Any] = json.loads(data)
        if values["format"] != FORMAT:
            raise ValueError("a format this version does not know")
        files = {str(name): (int(each["size"]), str(each["sha256"])) for name, each in values["files"].items()}
        if DATABASE not in files or not all(map(_NAME.fullmatch, files)) or any(".." in name for name in files):
            raise ValueError("it names what no backup holds")
        return cls(
            backup_id=bytes.fromhex(values["backup_id"]),
            member=str(values["member"]),
            federation=str(values["federation"]),
            origin=str(values["origin"]),
            size=int(values["size"]),
            messages=int(values["messages"]),
            checkpoint=b64decode(values["checkpoint"], validate=True),
            database=str(values["database"]),
            created_time=datetime.fromisoformat(values["created_time"]),
            with_attachments=bool(values["with_attachments"]),
            files=files,
        )


def described(path: Path) -> tuple[int, str]:
    """Return size and SHA-256 of a file, as in a manifest."""
    digest = sha256()
    size = 0
    with path.open("rb") as stream:
        while block := stream.read(_BLOCK):
            digest.update(block)
            size += len(block)
    return size, digest.hexdigest()


def pack(target: Path, manifest: Manifest, files: Callable[[], Mapping[str, Path]]) -> tuple[Manifest, str]:
    """Write a backup of the existing files, by name; return its manifest and its SHA-256.

    ``manifest`` lists no files yet. If a file is removed before it was copied, the backup begins anew: it is an
    attachment that was erased meanwhile, and must not be in the backup.
    """
    for _ in range(PACKINGS - 1):
        with suppress(FileNotFoundError):
            return _pack(target, manifest, files())
    return _pack(target, manifest, files())


def check_new(target: Path) -> None:
    """Raise NodeStopped("file_unwritable") if there is such a file: no backup is overwritten."""
    if target.exists():
        raise NodeStopped(
            "file_unwritable",
            what=N_("The file exists already, and nothing is overwritten."),
            where="{path}",
            remedy=N_("Name another file; keep old backups apart."),
            path=target,
        )


def check_room(target: Path, size: int) -> None:
    """Raise OSError(ENOSPC) if a file of so many bytes would leave the disk less than the database of a node needs.

    A backup may lie on the disk of a node that runs.
    """
    if shutil.disk_usage(target.parent).free - size < MIN_FREE_BYTES:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(target))


def _pack(target: Path, manifest: Manifest, sources: Mapping[str, Path]) -> tuple[Manifest, str]:
    whole = replace(manifest, files={name: described(path) for name, path in sources.items()})
    return whole, write(target, whole, sources)


def write(target: Path, manifest: Manifest, sources: Mapping[str, Path]) -> str:
    """Write a backup, whole or not at all, for its owner only; return its SHA-256 after reading it back.

    A crash before the last step leaves a side file whose name begins with a dot. Nothing is overwritten.
    """
    check_new(target)
    check_room(target, sum(size for size, _digest in manifest.files.values()))
    handle, side_name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", suffix=".new")  # 0600
    side_file = Path(side_name)
    try:
        with os.fdopen(handle, "wb") as stream:
            with tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as archive:
                _add(archive, _MANIFEST, io.BytesIO(data := manifest.to_json()), len(data), manifest)
                for name, source in sources.items():
                    with source.open("rb") as content:
                        _add(archive, name, content, manifest.files[name][0], manifest)
            stream.flush()
            os.fsync(stream.fileno())
        check(side_file)
        digest = described(side_file)[1]
        os.link(side_file, target)  # unlike a rename it replaces nothing
    finally:
        side_file.unlink(missing_ok=True)
    folder = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    return digest


def check(path: Path) -> Manifest:
    """Read a backup through and compare every file with the manifest; NodeStopped("bad_backup") if one differs."""
    manifest, contents = _opened(path)
    for name, content in contents:
        digest, size = sha256(), 0
        for block in _blocks(path, content):
            digest.update(block)
            size += len(block)
        if (size, digest.hexdigest()) != manifest.files[name]:
            raise bad_backup(path, N_("{name} is not the file that was backed up."), name=name)
    return manifest


def read_manifest(path: Path) -> Manifest:
    """Return the manifest of a backup; nothing else is read."""
    opened, _archive, manifest = _begin(path)
    opened.close()
    return manifest


def extract(path: Path, folder: Path) -> Manifest:
    """Write a backup's files below a folder, each checked; existing files of the same name are left."""
    manifest, contents = _opened(path)
    for name, content in contents:
        target = folder / name
        if target.exists():
            continue
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        side_file = target.with_name(f".{target.name}.new")
        digest, size = sha256(), 0
        with os.fdopen(os.open(side_file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as stream:
            for block in _blocks(path, content):
                digest.update(block)
                size += len(block)
                stream.write(block)
            stream.flush()
            os.fsync(stream.fileno())
        if (size, digest.hexdigest()) != manifest.files[name]:
            side_file.unlink()
            raise bad_backup(path, N_("{name} is not the file that was backed up."), name=name)
        side_file.rename(target)
    return manifest


def bad_backup(path: Path, what: str, **values: object) -> NodeStopped:
    """Return the error for a defect of a backup."""
    remedy = N_("Use another backup. This file was changed or truncated, or is no backup.")
    return NodeStopped("bad_backup", what=what, where="{path}", remedy=remedy, path=path, **values)


class _InPieces(io.FileIO):
    """A file read in blocks of at most `_MAX_READ`, for any stated size."""

    @override
    def read(self, size: int | None = -1) -> bytes:
        """Read; tarfile.ReadError if that is too much."""
        if size is None or not 0 <= size <= _MAX_READ:
            raise tarfile.ReadError("more stands before a file than its name and size")
        return super().read(size)


def _opened(path: Path) -> tuple[Manifest, Iterator[tuple[str, IO[bytes]]]]:
    opened, archive, manifest = _begin(path)
    return manifest, _contents(path, opened, archive, manifest)


def _begin(path: Path) -> tuple[ExitStack, tarfile.TarFile, Manifest]:
    """Read the manifest; return the closer of the archive, and the archive, positioned after the manifest."""
    with ExitStack() as opened:
        try:
            stream = opened.enter_context(_InPieces(path))
            archive = opened.enter_context(tarfile.open(fileobj=stream, mode="r:"))
            first = archive.next()
            content = archive.extractfile(first) if first is not None and first.name == _MANIFEST else None
            if first is None or content is None or first.issparse() or first.size > MAX_MANIFEST_BYTES:
                raise bad_backup(path, N_("It does not begin with a manifest."))
            manifest = Manifest.from_json(content.read())
            if sum(size for size, _digest in manifest.files.values()) > path.stat().st_size:
                raise bad_backup(path, N_("Files that its manifest lists are missing."))
        except OSError as error:
            raise bad_backup(path, N_("It cannot be read: {error}."), error=error.strerror) from error
        except (tarfile.TarError, *_UNREADABLE) as error:
            raise bad_backup(path, N_("It cannot be read as a backup: {error}."), error=error) from error
        return opened.pop_all(), archive, manifest


def _contents(
    path: Path, opened: ExitStack, archive: tarfile.TarFile, manifest: Manifest
) -> Iterator[tuple[str, IO[bytes]]]:
    """Yield every file in turn; unlisted, duplicate and missing files raise the error of a bad backup."""
    missing = set(manifest.files)
    with opened:
        try:
            while (member := archive.next()) is not None:
                content = archive.extractfile(member) if member.isreg() and not member.issparse() else None
                if content is None or member.name not in missing or member.size != manifest.files[member.name][0]:
                    raise bad_backup(
                        path, N_("It contains a file that its manifest does not list: {name}."), name=member.name
                    )
                missing.discard(member.name)
                yield member.name, content
        except tarfile.TarError as error:
            raise bad_backup(path, N_("It cannot be read as a backup: {error}."), error=error) from error
    if missing:
        raise bad_backup(path, N_("{name} is missing."), name=min(missing))


def _blocks(path: Path, content: IO[bytes]) -> Iterator[bytes]:
    """Yield the blocks of one file of an archive; a truncated one is detected only while it is read."""
    try:
        while block := content.read(_BLOCK):
            yield block
    except tarfile.TarError as error:
        raise bad_backup(path, N_("It cannot be read as a backup: {error}."), error=error) from error


def _add(archive: tarfile.TarFile, name: str, content: IO[bytes], size: int, manifest: Manifest) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mode = size, 0o600
    member.mtime = int(manifest.created_time.timestamp())
    archive.addfile(member, content)
