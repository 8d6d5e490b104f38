"""Exported files: each is there until it was fetched whole, and a day at most."""

import asyncio
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest
from starlette.types import Message

from paiza_client.web import export_store

if TYPE_CHECKING:
    from paiza_officer.profiles import Profile

NAME = "full-20260101-000001.json"
SIZE = 1_000_000
MINUTE = timedelta(minutes=1)  # in which these tests end


@pytest.fixture
def profile(tmp_path: Path) -> "Profile":
    """A profile with one exported file."""
    found = cast("Profile", SimpleNamespace(folder=tmp_path))
    export_store.folder(found).mkdir()
    (export_store.folder(found) / NAME).write_bytes(b"x" * SIZE)
    return found


async def fetched(path: Path, pieces: int | None = None) -> int:
    """Fetch a file, or hang up after some pieces; return the bytes that came."""
    came, gone = 0, asyncio.Event()

    async def receive() -> Message:
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        nonlocal came, pieces
        came += len(message.get("body", b""))
        if message["type"] == "http.response.body" and pieces is not None:
            pieces -= 1
            if pieces <= 0:
                gone.set()
                await asyncio.sleep(0.01)

    scope = {"type": "http", "method": "POST", "path": "/", "headers": [], "asgi": {"spec_version": "2.3"}}
    await export_store.Handed(path)(scope, receive, send)
    return came


async def test_a_download_that_breaks_off_is_begun_again(profile: "Profile") -> None:
    """The file stays its day; once all of it was fetched, a few minutes, in which a cancelled one is begun again."""
    path = export_store.named(profile, NAME)
    (before,) = export_store.ready(profile)
    assert await fetched(path, pieces=2) < SIZE
    assert export_store.ready(profile) == [before]
    assert await fetched(path) == SIZE
    (after,) = export_store.ready(profile)
    assert abs(after.end - datetime.now(UTC) - export_store.KEPT_ONCE_FETCHED) < MINUTE
    assert await fetched(path) == SIZE
    export_store.delete_old(profile, datetime.now(UTC) + export_store.KEPT_ONCE_FETCHED + MINUTE)
    assert export_store.ready(profile) == []
    assert not path.exists()


async def test_fetching_gives_no_longer_time(profile: "Profile") -> None:
    """A file whose day is nearly over is not kept for having been fetched."""
    path = export_store.named(profile, NAME)
    old = (datetime.now(UTC) - export_store.KEPT + timedelta(minutes=1)).timestamp()
    os.utime(path, (old, old))
    (before,) = export_store.ready(profile)
    await fetched(path)
    assert export_store.ready(profile) == [before]


def test_everything_goes_after_a_day_but_interrupted_exports(profile: "Profile") -> None:
    """What is of no export goes as well; an export that nobody can go on with goes at the next start."""
    above = export_store.folder(profile)
    (above / "left").write_bytes(b"x")
    (above / f"{NAME}.part").write_bytes(b"damaged")
    export_store.delete_old(profile, datetime.now(UTC) + export_store.KEPT - MINUTE)
    assert len(list(above.iterdir())) == 3
    export_store.delete_old(profile, datetime.now(UTC) + export_store.KEPT + MINUTE)
    assert [each.name for each in above.iterdir()] == [f"{NAME}.part"]
    export_store.delete_damaged(profile)
    assert list(above.iterdir()) == []
