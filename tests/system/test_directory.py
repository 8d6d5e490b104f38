"""Liaison officers that one member's data officer publishes, as officers of all other members see them."""

import asyncio
import time
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Final

import pytest

from paiza_client.sdk import connect, directories
from paiza_domain import directory
from paiza_domain.directory import Confirmation, Directory
from paiza_officer import profiles
from tests.federation import Federation

MEMBERS: Final = ("kaz", "tjk", "uzb")
MINUTE_SECONDS: Final = 60.0
POLL_SECONDS: Final = 0.1


@pytest.fixture
def federation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Federation]:
    """A federation whose three nodes run."""
    with Federation.create(tmp_path / "federation", MEMBERS) as made:
        monkeypatch.setenv("PAIZA_HOME", str(made.home))
        made.start()
        yield made


async def seen_by(profile: str) -> Directory:
    """Return the directory of kaz as an officer sees it."""
    async with connect(profiles.find(profile)) as session:
        return directories.of(session.register()).published["kaz"].directory


async def published(file: bytes, base: bytes) -> float:
    """Publish a directory of kaz; return the seconds until the node answered."""
    begun = time.monotonic()
    async with connect(profiles.find("kaz-data")) as session:
        await session.directory.publish(file, base)
    return time.monotonic() - begun


async def until_all_see(wanted: Directory) -> float:
    """Wait until officers of the other members see a directory; return the seconds it took."""
    begun = time.monotonic()
    for member in MEMBERS[1:]:
        while await seen_by(f"{member}-liaison") != wanted:
            assert time.monotonic() - begun < MINUTE_SECONDS
            await asyncio.sleep(POLL_SECONDS)
    return time.monotonic() - begun


async def test_all_members_see_a_new_directory_within_a_minute(federation: Federation) -> None:
    """It is in force at the own node with the answer, and everywhere soon; also after the node was killed."""
    first = await seen_by("kaz-data")
    second = Directory("kaz", first.officers, first.duty, (Confirmation("uzb", "karimov", "Karimov"),))
    answered = await published(directory.to_bytes(second), sha256(directory.to_bytes(first)).digest())
    seconds = await until_all_see(second)
    print(f"answered after {answered:.1f} s, seen by all after {answered + seconds:.1f} s")
    federation.node("kaz").kill()
    federation.node("kaz").start()
    third = Directory("kaz", first.officers)
    await published(directory.to_bytes(third), sha256(directory.to_bytes(second)).digest())
    await until_all_see(third)
