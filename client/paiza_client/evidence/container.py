"""The evidence file as bytes: a ZIP in exactly one form, so that one changed byte anywhere is noticed.

Members are stored (not compressed), in the order of their names, without times, owners or comments; manifest.json names
every other member with its size and SHA-256. A file that differs in any byte from what `pack` makes of its members is
refused. That makes it hard to damage unnoticed; what it proves is for `paiza_client.evidence.evidence` to say.
"""

import io
import json
import re
import zipfile
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Final

from paiza_officer.errors import NotProven, Refused
from paiza_officer.profiles import write_private

FORMAT: Final = "paiza-evidence"
VERSION: Final = 2
MANIFEST: Final = "manifest.json"

MAX_FILE_BYTES: Final = 128 * 1024 * 1024  # two notes of 220 KiB for each of 128 entries, sets, a message of 2 MiB
MAX_MEMBERS: Final = 8192  # four of each of 1,000 entries, and the files of 512 sets of the register, most of them one
MAX_MANIFEST_BYTES: Final = 4 * 1024 * 1024  # 300 bytes of each member
MAX_DIRECTORY_BYTES: Final = 4 * 1024 * 1024  # of the list of members at the end, read into memory many times as large
MAX_NAME: Final = 240  # characters of a member's name

_NAME: Final = re.compile(r"(?!.*(?:^|/)\.\.?(?:/|$))[A-Za-z0-9._-]+(?:/[A-Za-z0-9._-]+)*\Z")
_EPOCH: Final = (1980, 1, 1, 0, 0, 0)  # the earliest that ZIP can write: there is no time
_END_BYTES: Final = 22  # of the record that ends a ZIP file without a comment
_LOCATOR_BYTES: Final = 20  # of the record before it that says where the one of ZIP64 is
_UNIX: Final = 3
_MODE: Final = 0o100600 << 16


def read_file(path: Path) -> bytes:
    """Return the bytes of a file, at most one more than `unpack` takes. Refused("file_unreadable") names the file."""
    try:
        with path.open("rb") as stream:
            return stream.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise Refused("file_unreadable", str(path), error.strerror or "") from error


def write_file(path: Path, data: bytes) -> None:
    """Write a file that only its owner can read, whole or not at all. Refused("file_unwritable") names the file."""
    try:
        write_private(path, data)
    except OSError as error:
        raise Refused("file_unwritable", str(path), error.strerror or "") from error


def pack(members: Mapping[str, bytes], facts: Mapping[str, str]) -> bytes:
    """Make the file of these members; ``facts`` stand in the manifest for a reader, and prove nothing."""
    manifest = {
        "format": FORMAT,
        "version": VERSION,
        **facts,
        "files": {name: _entry(data) for name, data in sorted(members.items())},
    }
    text = json.dumps(manifest, ensure_ascii=False, indent=1, sort_keys=True) + "\n"
    return _zip({**members, MANIFEST: text.encode()})


def unpack(data: bytes) -> dict[str, bytes]:
    """Return the members without the manifest; NotProven("bad_evidence") names the first thing that is not in order."""
    if len(data) > MAX_FILE_BYTES:
        raise _bad("", f"the file is over {MAX_FILE_BYTES} bytes")
    members = _unzip(data)
    if MANIFEST not in members:
        raise _bad(MANIFEST, "there is no manifest")
    listed = _listed(members.pop(MANIFEST))
    for name in sorted({*listed, *members}):
        if name not in members:
            raise _bad(name, "the manifest names it and it is not there")
        if name not in listed:
            raise _bad(name, "the manifest does not name it")
        if listed[name] != _entry(members[name]):
            raise _bad(name, "it is not the one the manifest names")
    return members


def _zip(members: Mapping[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for name, data in sorted(members.items()):
            info = zipfile.ZipInfo(name, _EPOCH)
            info.create_system = _UNIX
            info.external_attr = _MODE
            archive.writestr(info, data)
    return file.getvalue()


def _check_end(data: bytes) -> None:
    """Refuse a list of members that is too large, before it is read; its one form has no comment and no ZIP64."""
    end = data[-_END_BYTES:]
    plain = end.startswith(b"PK\5\6") and end.endswith(bytes(2)) and len(end) == _END_BYTES
    if not plain or data[-_END_BYTES - _LOCATOR_BYTES :].startswith(b"PK\6\7"):
        raise _bad("", "not a ZIP file in its one form")
    if int.from_bytes(end[12:16], "little") > MAX_DIRECTORY_BYTES:
        raise _bad("", f"over {MAX_MEMBERS} members")


def _unzip(data: bytes) -> dict[str, bytes]:
    members: dict[str, bytes] = {}
    _check_end(data)
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            listed = archive.infolist()
            if len(listed) > MAX_MEMBERS:
                raise _bad("", f"over {MAX_MEMBERS} members")
            if sum(info.file_size for info in listed) > len(data):
                raise _bad("", "its members overlap")  # a few megabytes would be read as many gigabytes
            for info in listed:
                # Nothing is ever expanded: a stored member is no larger than the file it stands in.
                if info.compress_type != zipfile.ZIP_STORED or info.file_size != info.compress_size:
                    raise _bad(info.filename[:MAX_NAME], "it is compressed")
                if len(info.filename) > MAX_NAME or not _NAME.match(info.filename) or info.filename in members:
                    raise _bad(info.filename[:MAX_NAME], "not a name, or a name that stands twice")
                if info.file_size > len(data):
                    raise _bad(info.filename, "it is larger than the file")
                members[info.filename] = archive.read(info)
    except (zipfile.BadZipFile, ValueError, NotImplementedError, RuntimeError, EOFError, OSError, IndexError) as error:
        raise _bad("", f"not a ZIP file in order ({type(error).__name__})") from error
    except (KeyError, OverflowError, MemoryError) as error:
        raise _bad("", f"not a ZIP file in order ({type(error).__name__})") from error
    if _zip(members) != data:
        raise _bad("", "the file is not in its one form: something was added or changed between the members")
    return members


def _entry(data: bytes) -> dict[str, object]:
    return {"sha256": sha256(data).hexdigest(), "size": len(data)}


def _listed(manifest: bytes) -> dict[str, object]:
    if len(manifest) > MAX_MANIFEST_BYTES:
        raise _bad(MANIFEST, f"over {MAX_MANIFEST_BYTES} bytes")
    try:
        parsed = json.loads(manifest)
        if (parsed["format"], parsed["version"]) != (FORMAT, VERSION):
            raise _bad(MANIFEST, "a format or version this program does not know")
        return dict(parsed["files"])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise _bad(MANIFEST, "it cannot be read") from error


def _bad(where: str, detail: str) -> NotProven:
    return NotProven("bad_evidence", where, detail)
