"""Publication of a directory at the node: what is stored and logged before anything is published."""

import asyncio
from datetime import timedelta
from hashlib import sha256

import pytest

from paiza.core.v1 import log_pb2
from paiza_domain import directory
from paiza_domain.directory import Confirmation, Directory
from paiza_node.features.directory import publish
from paiza_node.features.directory.publish import PublishDirectory
from paiza_register import roles
from paiza_register.ceremony.publication import publication
from paiza_wire.errors import Rejected, Unavailable
from tests.unit.paiza_node.features.ceremonies.ceremony_room import CeremonyRoom

OFFICER = "spiffe://kaz.pilot.example/officer/data"
FIRST = directory.to_bytes(Directory("kaz"))
SECOND = directory.to_bytes(Directory("kaz", confirmed=(Confirmation("uzb", "karimov", "Karimov"),)))


def digest(file: bytes) -> bytes:
    """Return the SHA-256 of a file."""
    return sha256(file).digest()


def logged(room: CeremonyRoom) -> list[tuple[str, bytes]]:
    """Return who changed the directory to what, by the log."""
    changed = [each for each in room.entries() if each.event == log_pb2.LOG_EVENT_DIRECTORY_CHANGED]
    return [(each.actor, each.directory_changed.file_sha256) for each in changed]


def sign(room: CeremonyRoom, file: bytes) -> None:
    """Put a register with a directory into force, as the node does in its next round."""
    files = {directory.path_of("kaz"): file}
    room.world.decide(publication(roles.node_role_of("kaz"), files, room.world.base, room.world.now), ("kaz",))
    room.refresh()


async def published(room: CeremonyRoom, service: PublishDirectory, file: bytes, base: bytes) -> bytes:
    """Publish a file, with the round of the node that signs it."""
    asked = asyncio.create_task(service.publish(OFFICER, file, base))
    while service.last is None or service.last.data != file:  # noqa: ASYNC110 - it is logged in a thread
        await asyncio.sleep(0.01)
    sign(room, file)
    return await asked


async def test_a_directory_is_logged_and_then_published(room: CeremonyRoom) -> None:
    """The answer is the register version with it; each change names the one before."""
    service = PublishDirectory(room.core)
    assert service.last is None
    assert await published(room, service, FIRST, b"") == room.register_cache.version
    assert await published(room, service, SECOND, digest(FIRST)) == room.register_cache.version
    assert logged(room) == [(OFFICER, digest(FIRST)), (OFFICER, digest(SECOND))]


async def test_what_is_published_already_is_no_change(room: CeremonyRoom) -> None:
    """A repeat, as after a lost answer, succeeds and is logged once."""
    service = PublishDirectory(room.core)
    await published(room, service, FIRST, b"")
    assert await service.publish(OFFICER, FIRST, b"") == room.register_cache.version
    assert len(logged(room)) == 1


async def test_nobody_overwrites_what_they_have_not_seen(room: CeremonyRoom) -> None:
    """A file that replaces another than the published one is refused, and nothing is logged."""
    service = PublishDirectory(room.core)
    await published(room, service, FIRST, b"")
    for base in (b"", digest(SECOND)):
        with pytest.raises(Rejected, match="directory_conflict"):
            await service.publish(OFFICER, SECOND, base)
    assert len(logged(room)) == 1


async def test_changes_of_a_day_are_bounded(room: CeremonyRoom, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every member keeps every version: a data officer's stolen key fills no archive. A repeat costs nothing."""
    monkeypatch.setattr(publish, "MAX_CHANGES", 1)
    service = PublishDirectory(room.core)
    await published(room, service, FIRST, b"")
    await service.publish(OFFICER, FIRST, b"")
    with pytest.raises(Unavailable, match="busy"):
        await PublishDirectory(room.core).publish(OFFICER, SECOND, digest(FIRST))
    assert len(logged(room)) == 1
    room.ahead += timedelta(days=1)
    await published(room, service, SECOND, digest(FIRST))


@pytest.mark.parametrize("file", [b"", b"{}", b'{"format": 1, "officers": [{}]}', b" " * (300 << 10)])
async def test_a_file_that_nobody_could_read_is_refused(room: CeremonyRoom, file: bytes) -> None:
    """The node publishes only what every reader can use."""
    with pytest.raises(Rejected, match="directory_invalid"):
        await PublishDirectory(room.core).publish(OFFICER, file, b"")
    assert logged(room) == []


async def test_what_was_accepted_is_published_after_a_restart(
    room: CeremonyRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A node that stops between the log entry and the publication publishes when it runs again, and no other file."""
    monkeypatch.setattr(publish, "PUBLICATION_SECONDS", 0.05)
    for file in (FIRST, FIRST, SECOND):
        with pytest.raises(Unavailable, match="publication_pending"):
            await PublishDirectory(room.core).publish(OFFICER, file, b"")
    assert len(logged(room)) == 1
    again = PublishDirectory(room.core).last
    assert again is not None
    assert again.data == FIRST
    assert again.is_due(None)
    sign(room, FIRST)
    assert not again.is_due(room.register_cache.last.reference[directory.path_of("kaz")])


async def test_an_older_database_brings_nothing_back(room: CeremonyRoom) -> None:
    """After a restore the last file of the database is not published over a newer one."""
    service = PublishDirectory(room.core)
    await published(room, service, FIRST, b"")
    sign(room, SECOND)
    assert service.last is not None
    assert not service.last.is_due(SECOND)
