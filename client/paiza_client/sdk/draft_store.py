"""The drafts of a profile: YAML files in its folder `drafts`, the same for the command line and the console.

Each may have a folder of files to attach beside it, called as the draft with `.files` at its end. All are in plain
text, readable by their owner alone.
"""

import fcntl
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from paiza_client.files.names import shortened
from paiza_client.sdk.drafts import MAX_DRAFT_BYTES, writing_time
from paiza_domain import kinds
from paiza_domain.schema.kind import Kind
from paiza_officer.errors import Refused, disk_problem
from paiza_officer.profiles import Profile, write_private

ENDING: Final = ".yaml"
FILES: Final = ".files"
LOCK_FILE: Final = "drafts.lock"

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}", re.ASCII)
_KIND: Final = re.compile(r"^kind:[ \t]*[\"']?([a-z0-9-]{1,80})", re.MULTILINE | re.ASCII)
_LONGEST: Final = 100  # characters of the name of a file that is kept
_LONGEST_BYTES: Final = 240  # of it: a number may follow
_LONGEST_ENDING: Final = 10
_UNFINISHED: Final = ".part"  # ends the name of a file that `write_private` is writing
_WRITTEN_IN: Final = timedelta(minutes=1)
_HEAD: Final = 4_096  # bytes of a draft in which its kind stands


@dataclass(frozen=True, slots=True)
class StoredDraft:
    """A draft of the profile. ``name`` is that of its file without the ending; ``kind`` is None if it names none."""

    name: str
    path: Path
    kind: Kind | None
    changed_time: datetime


def stored(profile: Profile) -> list[StoredDraft]:
    """Return the drafts of a profile, the one changed last first; files that are none are left out."""
    return sorted(_found(_folder(profile)), key=lambda each: each.changed_time, reverse=True)


def find(profile: Profile, name: str) -> StoredDraft:
    """Return the draft of this name; Refused("unknown_id") if there is none."""
    path = path_of(profile, name)
    found = _one(path)
    if found is None:
        raise Refused("unknown_id", name)
    return found


def path_of(profile: Profile, name: str) -> Path:
    """Return where the draft of a name is kept; Refused("unknown_id") for a name that no draft has."""
    if _NAME.fullmatch(name) is None:
        raise Refused("unknown_id", name[:100])
    return _folder(profile) / f"{name}{ENDING}"


def read_text(profile: Profile, name: str) -> str:
    """Return the text of a draft. Refused("unknown_id"), ("file_unreadable"), ("too_large")."""
    path = path_of(profile, name)
    try:
        with path.open("rb") as file:
            data = file.read(MAX_DRAFT_BYTES + 1)
    except FileNotFoundError:
        raise Refused("unknown_id", name) from None
    except OSError as error:
        raise Refused("file_unreadable", str(path), error.strerror or "") from error
    if len(data) > MAX_DRAFT_BYTES:
        raise Refused("too_large", str(path), f"over {MAX_DRAFT_BYTES} bytes")
    return data.decode("utf-8-sig", errors="replace")


def write_text(profile: Profile, name: str, text: str) -> None:
    """Write the text of a draft, in the place of the one before; after a crash either is there whole."""
    path = path_of(profile, name)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_private(path, text.encode("utf-8", errors="replace"))
    except OSError as error:
        raise disk_problem(error, str(path)) from error


@contextmanager
def changing(profile: Profile) -> Iterator[None]:
    """Keep other programs of the officer from changing drafts meanwhile: for what reads a draft before it writes it.

    They wait, so nothing under it may take long.
    """
    path = profile.folder / LOCK_FILE
    try:
        file = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "wb")
    except OSError as error:
        raise disk_problem(error, str(path)) from error
    with file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def remove_unchanged(profile: Profile, name: str, text: str) -> bool:
    """Delete a draft that was sent, unless it is another one by now than the ``text`` that was; return whether."""
    with changing(profile):
        try:
            if read_text(profile, name) != text:
                return False
        except Refused as error:
            if error.reason != "unknown_id":
                raise
        remove(profile, name)
    return True


def clear_unfinished(profile: Profile, now: datetime) -> None:
    """Delete what killed processes left of drafts that they were writing."""
    for path in _folder(profile).glob(f"*{ENDING}.*{_UNFINISHED}"):
        with suppress(FileNotFoundError):
            if datetime.fromtimestamp(path.stat().st_mtime, UTC) < now - _WRITTEN_IN:
                path.unlink()


def new_name(profile: Profile, kind: Kind, now: datetime | None = None) -> str:
    """Return a name for a new draft, which no other has."""
    base = f"{kind.name}-{now or writing_time():%Y%m%dT%H%M%S}"
    names = (base, *(f"{base}-{number}" for number in range(2, 1_000)))
    return next(each for each in names if not path_of(profile, each).exists())


def remove(profile: Profile, name: str) -> None:
    """Delete a draft with the files beside it; nothing happens where there is none."""
    path = path_of(profile, name)
    try:
        shutil.rmtree(files_of(profile, name), ignore_errors=True)
        path.unlink(missing_ok=True)
    except OSError as error:
        raise disk_problem(error, str(path)) from error


def files_of(profile: Profile, name: str) -> Path:
    """Return the folder of a draft's files to attach; it may not exist."""
    return path_of(profile, name).with_suffix(FILES)


def keep_file(profile: Profile, name: str, file_name: str, data: Any) -> str:
    """Copy a file to attach beside a draft; return its path from the draft's folder, as the draft names it.

    ``data`` is an open binary file. Of the given name only the last part counts, without characters that a file name
    should not have.
    """
    folder = files_of(profile, name)
    wanted = _plain_name(file_name)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = next(each for each in _free(folder, wanted) if not each.exists())
        with path.open("xb") as file:
            path.chmod(0o600)
            shutil.copyfileobj(data, file)
    except OSError as error:
        raise disk_problem(error, str(folder)) from error
    return f"{folder.name}/{path.name}"


def drop_file(profile: Profile, name: str, kept: str) -> None:
    """Delete a file that was kept beside a draft; a path that leads elsewhere is left alone."""
    folder, _slash, file_name = kept.partition("/")
    own = files_of(profile, name)
    if folder == own.name and file_name == _plain_name(file_name):
        (own / file_name).unlink(missing_ok=True)


def _plain_name(file_name: str) -> str:
    last = re.split(r"[/\\]", file_name)[-1]
    kept = "".join(each for each in last if each.isprintable() and each not in '<>:"|?*').strip(" .")
    stem, ending = Path(kept).stem, Path(kept).suffix[-_LONGEST_ENDING:]
    return shortened(f"{stem[: _LONGEST - len(ending)]}{ending}", _LONGEST_BYTES) if kept else "file"


def _free(folder: Path, name: str) -> Iterator[Path]:
    stem, ending = Path(name).stem, Path(name).suffix
    yield folder / name
    for number in range(2, 1_000):
        yield folder / f"{stem}-{number}{ending}"


def _folder(profile: Profile) -> Path:
    return profile.folder / "drafts"


def _found(folder: Path) -> Iterator[StoredDraft]:
    for path in folder.glob(f"*{ENDING}"):
        if _NAME.fullmatch(path.stem) and (found := _one(path)) is not None:
            yield found


def _one(path: Path) -> StoredDraft | None:
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD).decode("utf-8-sig", errors="replace")
        changed = datetime.fromtimestamp(path.stat().st_mtime, UTC)
    except OSError:
        return None
    named = _KIND.search(head)
    return StoredDraft(path.stem, path, kinds.all_kinds().get(named[1]) if named else None, changed)
