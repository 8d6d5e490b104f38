"""Exported files in a folder of the profile: each stays a day, or a few minutes once all of it was fetched.

So a download that broke off, or that the officer cancelled in the browser, is begun again. How long a file stays is
told by its time of change, which a killed process does not lose. An interrupted export stands here too, until it is
gone on with or given up.
"""

import os
import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from starlette.responses import FileResponse
from starlette.types import Message, Receive, Scope, Send
from typing_extensions import override

from paiza_client.data import exports
from paiza_client.data.exports import Order
from paiza_officer.errors import Refused, disk_problem
from paiza_officer.profiles import Profile

KEPT: Final = timedelta(hours=24)
KEPT_ONCE_FETCHED: Final = timedelta(minutes=10)

_FOLDER: Final = "exports"
_NAME: Final = re.compile(r"[a-z]+-\d{8}-\d{6}(-\d+)?\.[a-z]+\Z", re.ASCII)


@dataclass(frozen=True, slots=True)
class Ready:
    """A file that can be saved, until its ``end``."""

    name: str
    size: int
    end: datetime


class Handed(FileResponse):
    """A file to be saved, which is kept only a little longer once all of it was fetched."""

    def __init__(self, path: Path) -> None:
        """Answer with a file; FileNotFoundError."""
        self._file = path
        self._left = path.stat().st_size
        super().__init__(path, filename=path.name, media_type="application/octet-stream")

    @override
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def counted(message: Message) -> None:
            await send(message)
            self._left -= len(message.get("body", b""))

        await super().__call__(scope, receive, counted)
        if self._left <= 0:
            _keep_until(self._file, datetime.now(UTC) + KEPT_ONCE_FETCHED)


def folder(profile: Profile) -> Path:
    """Return the folder of all exports; it may not exist."""
    return profile.folder / _FOLDER


def new_target(profile: Profile, order: Order) -> Path:
    """Return a file that is not there yet, in a folder that only the officer can read."""
    above = folder(profile)
    try:
        above.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise disk_problem(error, str(above)) from error
    base = f"{order.form}-{datetime.now().astimezone():%Y%m%d-%H%M%S}"
    ending, number = order.file_format, 1
    target = above / f"{base}.{ending}"
    while target.exists() or exports.beside(target).exists():
        number += 1
        target = above / f"{base}-{number}.{ending}"
    return target


def named(profile: Profile, name: str) -> Path:
    """Return the file of this name, which may not exist; Refused for a name that none of ours has."""
    if not _NAME.match(name):
        raise Refused("file_unreadable", name[:100])
    return folder(profile) / name


def ready(profile: Profile) -> list[Ready]:
    """Return the finished files, the one that stays longest first."""
    found = []
    for path in _files(profile):
        with suppress(FileNotFoundError):  # its time ended just now
            stat = path.stat()
            if _NAME.match(path.name):
                found.append(Ready(path.name, stat.st_size, _end(stat)))
    return sorted(found, key=lambda each: each.end, reverse=True)


def delete_old(profile: Profile, now: datetime) -> None:
    """Delete the files whose time is over; an interrupted export stays until it is given up."""
    for path in _files(profile):
        with suppress(FileNotFoundError):
            if path.suffix != exports.SUFFIX and _end(path.stat()) <= now:
                path.unlink()


def delete_damaged(profile: Profile) -> None:
    """Delete interrupted exports that nobody can go on with: no page lists them. For the start alone."""
    listed = {exports.beside(each.target) for each in exports.unfinished(folder(profile))}
    for path in _files(profile):
        if path.suffix == exports.SUFFIX and path not in listed:
            path.unlink(missing_ok=True)


def _files(profile: Profile) -> list[Path]:
    above = folder(profile)
    return list(above.iterdir()) if above.is_dir() else []


def _end(stat: os.stat_result) -> datetime:
    return datetime.fromtimestamp(stat.st_mtime, UTC) + KEPT


def _keep_until(path: Path, end: datetime) -> None:
    moment = (end - KEPT).timestamp()
    with suppress(FileNotFoundError):  # the officer deleted it meanwhile
        if moment < path.stat().st_mtime:
            os.utime(path, (moment, moment))
