"""Room on the disk is granted once, to whoever writes, and to nobody beyond the reserve."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from paiza_node.features.attachments.disk_room import GRANT_SECONDS, MIN_FREE_BYTES, DiskRoom
from paiza_wire.errors import Unavailable

MIB = 1024 * 1024
OFFICER, PEER = ("spiffe://kaz.paiza.example/officer/one", bytes(32)), ("tjk", bytes(32))


class Disk:
    """A disk with 100 MiB beside the reserve, and a clock."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
        self.free, self.now = MIN_FREE_BYTES + 100 * MIB, 0.0
        found = "paiza_node.core.log.disk_reserve.os.statvfs"
        monkeypatch.setattr(found, lambda _: SimpleNamespace(f_bavail=self.free, f_frsize=1))
        self.room = DiskRoom(folder, lambda: self.now)

    def write(self, holder: tuple[str, bytes], size: int) -> None:
        """Write bytes."""
        self.room.use(holder, size)
        self.free -= size


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Disk:
    """Return a disk."""
    return Disk(monkeypatch, tmp_path)


def test_what_is_granted_is_granted_to_nobody_else(disk: Disk) -> None:
    """Uploads and downloads together fit; what is written counts once; what is given back is free again."""
    disk.room.grant(OFFICER, 60 * MIB)
    with pytest.raises(Unavailable, match="disk_full"):
        disk.room.grant(PEER, 60 * MIB)
    disk.write(OFFICER, 50 * MIB)
    assert disk.room.granted == 10 * MIB
    disk.room.grant(PEER, 40 * MIB)
    disk.room.give_back(OFFICER)
    disk.room.grant(OFFICER, 10 * MIB)
    with pytest.raises(Unavailable, match="disk_full"):
        disk.room.grant(OFFICER, 10 * MIB + 1)
    assert disk.room.granted == 50 * MIB


def test_a_disk_that_others_fill_is_looked_at_before_each_write(disk: Disk) -> None:
    """A grant is no right to the reserve."""
    disk.room.grant(OFFICER, 60 * MIB)
    disk.free -= 99 * MIB
    disk.write(OFFICER, MIB)
    with pytest.raises(Unavailable, match="disk_full"):
        disk.write(OFFICER, 1)


def test_who_does_not_write_loses_the_room(disk: Disk) -> None:
    """After an hour it is granted to others."""
    disk.room.restore(OFFICER, 100 * MIB)
    disk.now += GRANT_SECONDS - 1
    with pytest.raises(Unavailable, match="disk_full"):
        disk.room.grant(PEER, MIB)
    disk.now += 1
    disk.room.grant(PEER, 100 * MIB)


def test_a_ciphertext_that_is_removed_needs_no_room(disk: Disk) -> None:
    """Whoever it was granted to."""
    for holder in (OFFICER, PEER, ("tjk", bytes(31) + b"x")):
        disk.room.grant(holder, MIB)
    disk.room.forget(bytes(32))
    assert disk.room.granted == MIB
