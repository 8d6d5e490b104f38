"""Tables to be imported, each in a folder of its own below the profile, with its map and what it rejected.

They stay until the officer deletes them: an import that was interrupted goes on from the same table. A table that a
killed process was still receiving is none: it goes at the next start.
"""

import codecs
import hashlib
import json
import re
import secrets
import shutil
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Final

from paiza_client.data.imports import EqualRows, ImportMap, load_map
from paiza_client.data.imports.maps import MAX_MAP_BYTES, parse_map
from paiza_officer.errors import Refused, disk_problem
from paiza_officer.profiles import Profile, write_private

FOLDER: Final = "imports"
SHIPPED_MAP: Final = "ids"
_TABLE: Final = "table.csv"
_MAP: Final = "map.toml"
_ABOUT: Final = "about.json"
_ID: Final = re.compile(r"[0-9a-f]{12}\Z")
_NAME: Final = 200  # characters of the name of a file that are kept
_COPY: Final = 1 << 20  # bytes written together


@dataclass(slots=True)
class Choices:
    """What the officer chose: the name of the table's file, whether its own map is used, marks, equal rows."""

    name: str
    own_map: bool = False
    tlp: str = "AMBER"
    equal_rows: EqualRows = ""


@dataclass(frozen=True, slots=True)
class Stored:
    """One table."""

    folder: Path
    choices: Choices

    @property
    def id(self) -> str:
        """Return the id, as addresses have it."""
        return self.folder.name

    @property
    def table(self) -> Path:
        """Return the table's file."""
        return self.folder / _TABLE

    @property
    def size(self) -> int:
        """Return the bytes of the table."""
        return self.table.stat().st_size

    @property
    def time(self) -> datetime:
        """Return when it was brought."""
        return datetime.fromtimestamp(self.table.stat().st_mtime).astimezone()

    @property
    def map_text(self) -> str:
        """Return the table's own map; empty where it has none."""
        path = self.folder / _MAP
        return path.read_text("utf-8") if path.exists() else ""

    def layout(self) -> ImportMap:
        """Return the map that is used; Refused("bad_map") where it is none."""
        if self.choices.own_map:
            return parse_map(self.map_text.encode(), _MAP)
        return load_map(SHIPPED_MAP)

    def fingerprint(self) -> str:
        """Return what tells the table, its map and the choices from any others: what was checked is what is sent."""
        digest = hashlib.sha256()
        with self.table.open("rb") as file:
            while piece := file.read(_COPY):
                digest.update(piece)
        digest.update(f"{self.map_text}\0{asdict(self.choices)}".encode())
        return digest.hexdigest()

    def rejects(self) -> list[str]:
        """Return the names of the files with rejected rows, the newest first."""
        found = [each for each in self.folder.glob("rejects-*.csv") if each.is_file()]
        return [each.name for each in sorted(found, key=lambda each: each.stat().st_mtime, reverse=True)]

    def new_rejects(self) -> Path:
        """Return a file for rejected rows that is not there yet."""
        return self.folder / f"rejects-{datetime.now().astimezone():%Y%m%d-%H%M%S-%f}.csv"

    def write_map(self, text: str) -> None:
        """Keep a map of its own, and use it; Refused("too_large")."""
        data = text.encode()
        if len(data) > MAX_MAP_BYTES:
            raise Refused("too_large", _MAP, f"over {MAX_MAP_BYTES} bytes")
        write_private(self.folder / _MAP, data)
        self.choices.own_map = True
        self.write()

    def write(self) -> None:
        """Keep the choices."""
        write_private(self.folder / _ABOUT, json.dumps(asdict(self.choices)).encode())

    def delete(self) -> None:
        """Delete the table with everything beside it; what a crash leaves of it goes at the next start."""
        (self.folder / _ABOUT).unlink(missing_ok=True)
        shutil.rmtree(self.folder)


def read_map(name: str, file: IO[bytes]) -> str:
    """Return the text of a map that an officer brings; of a larger file no more is read than tells that it is.

    Refused("too_large"), or ("bad_map") for what is no text in UTF-8.
    """
    most = MAX_MAP_BYTES + len(codecs.BOM_UTF8)
    data = file.read(most + 1).removeprefix(codecs.BOM_UTF8)
    if len(data) > MAX_MAP_BYTES:
        raise Refused("too_large", name[:_NAME], f"over {MAX_MAP_BYTES} bytes")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise Refused("bad_map", name[:_NAME], str(error)) from error


def add(profile: Profile, name: str, file: IO[bytes]) -> Stored:
    """Keep a table, wholly or not at all; errors of the disk as of `disk_problem`."""
    folder = profile.folder / FOLDER / secrets.token_hex(6)
    try:
        folder.parent.mkdir(mode=0o700, exist_ok=True)
        folder.mkdir(mode=0o700)
        with (folder / _TABLE).open("xb") as written:
            shutil.copyfileobj(file, written, _COPY)
        stored = Stored(folder, Choices(name[:_NAME]))
        stored.write()
    except OSError as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise disk_problem(error, str(folder)) from error
    return stored


def find(profile: Profile, wanted: str) -> Stored:
    """Return a table by its id; Refused("unknown_id")."""
    folder = profile.folder / FOLDER / wanted
    if not _ID.match(wanted) or not folder.is_dir():
        raise Refused("unknown_id", wanted[:40])
    return _read(folder)


def listed(profile: Profile) -> list[Stored]:
    """Return all tables, the newest first."""
    above = profile.folder / FOLDER
    found = [each for each in above.iterdir() if _ID.match(each.name)] if above.is_dir() else []
    folders = [each for each in found if (each / _ABOUT).exists()]  # the others are being written
    return sorted(map(_read, folders), key=lambda each: each.time, reverse=True)


def clear_unfinished(profile: Profile) -> int:
    """Delete what a killed process was still receiving or deleting; return how many tables. For the start alone."""
    above = profile.folder / FOLDER
    found = [each for each in above.iterdir() if _ID.match(each.name)] if above.is_dir() else []
    left = [each for each in found if not (each / _ABOUT).exists()]
    for each in left:
        shutil.rmtree(each, ignore_errors=True)
    return len(left)


def _read(folder: Path) -> Stored:
    try:
        return Stored(folder, Choices(**json.loads((folder / _ABOUT).read_bytes())))
    except (OSError, ValueError, TypeError) as error:
        raise Refused("file_unreadable", str(folder), str(error)) from error
