"""Room on the disk is granted once, to whoever writes, and to nobody beyond the reserve."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from paiza_node.features.attachments.disk_room import GRANT_SECONDS, MIN_FREE_BYTES, PACE_BYTES, DiskRoom
from paiza_wire.errors import Unavailable
from paiza_wire.message import MAX_CIPHERTEXT_BYTES

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
    disk.room.grant(OFFICER, 50 * MIB)
    with pytest.raises(Unavailable, match="disk_full"):
        disk.room.grant(PEER, 30 * MIB)
    disk.write(OFFICER, 40 * MIB)
    assert disk.room.granted == 10 * MIB
    disk.room.grant(PEER, 25 * MIB)
    disk.room.give_back(OFFICER)
    disk.room.grant(OFFICER, 15 * MIB)
    with pytest.raises(Unavailable, match="disk_full"):
        disk.room.grant(OFFICER, 18 * MIB)
    assert disk.room.granted == 40 * MIB


def test_nobody_is_granted_more_than_half_of_what_others_leave(disk: Disk) -> None:
    """All grants of one caller count together; each of the others still gets half of the rest."""
    disk.room.grant(OFFICER, 30 * MIB)
    with pytest.raises(Unavailable, match="disk_full"):
        disk.room.grant((OFFICER[0], bytes(31) + b"x"), 20 * MIB + 1)
    disk.room.grant((OFFICER[0], bytes(31) + b"x"), 20 * MIB)
    assert disk.room.left_to("tjk") == 50 * MIB
    disk.room.grant(PEER, 25 * MIB)
    with pytest.raises(Unavailable, match="disk_full"):
        disk.room.grant(("uzb", bytes(32)), 12 * MIB + MIB)
    disk.room.grant(("uzb", bytes(32)), 12 * MIB)


def test_largest_attachment_needs_ten_gigabytes(disk: Disk) -> None:
    """An upload of 4 GiB is granted on a disk with 10 GiB free, and written whole."""
    disk.free = 10 * 1024 * MIB
    disk.room.grant(OFFICER, MAX_CIPHERTEXT_BYTES)
    disk.write(OFFICER, MAX_CIPHERTEXT_BYTES // 2)
    disk.room.grant(OFFICER, MAX_CIPHERTEXT_BYTES - MAX_CIPHERTEXT_BYTES // 2)
    disk.write(OFFICER, MAX_CIPHERTEXT_BYTES - MAX_CIPHERTEXT_BYTES // 2)


def test_a_disk_that_others_fill_is_looked_at_before_each_write(disk: Disk) -> None:
    """A grant is no right to the reserve."""
    disk.room.grant(OFFICER, 50 * MIB)
    disk.free -= 99 * MIB
    disk.write(OFFICER, MIB)
    with pytest.raises(Unavailable, match="disk_full"):
        disk.write(OFFICER, 1)


def test_who_does_not_write_loses_the_room(disk: Disk) -> None:
    """After minutes it is granted to others."""
    disk.room.restore(OFFICER, 100 * MIB)
    disk.now += GRANT_SECONDS - 1
    with pytest.raises(Unavailable, match="disk_full"):
        disk.room.grant(PEER, MIB)
    disk.now += 1
    disk.room.grant(PEER, 50 * MIB)


def test_who_writes_byte_by_byte_loses_the_room(disk: Disk) -> None:
    """Some bytes do not keep a grant; what is written after its end takes no room of others."""
    disk.room.grant(OFFICER, 50 * MIB)
    for _ in range(10):
        disk.now += GRANT_SECONDS / 10
        disk.write(OFFICER, 1)
    assert disk.room.granted == 0
    for each in ("tjk", "uzb", "kgz"):
        disk.room.grant((each, bytes(32)), disk.room.left_to(each) // 2)
    with pytest.raises(Unavailable, match="disk_full"):
        disk.write(OFFICER, 20 * MIB)
    disk.write(OFFICER, MIB)


def test_who_writes_at_a_slow_pace_keeps_the_room(disk: Disk) -> None:
    """A slow line is no reason to lose it."""
    disk.room.grant(OFFICER, 50 * MIB)
    for _ in range(8):
        disk.now += GRANT_SECONDS - 1
        disk.write(OFFICER, PACE_BYTES)
    assert disk.room.granted == 50 * MIB - 8 * PACE_BYTES


def test_a_ciphertext_that_is_removed_needs_no_room(disk: Disk) -> None:
    """Whoever it was granted to."""
    for holder in (OFFICER, PEER, ("tjk", bytes(31) + b"x")):
        disk.room.grant(holder, MIB)
    disk.room.forget(bytes(32))
    assert disk.room.granted == MIB
