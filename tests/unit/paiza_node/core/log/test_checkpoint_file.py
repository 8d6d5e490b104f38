"""The two slots of the checkpoint file: a crash damages at most one of them."""

from pathlib import Path

import pytest

from paiza_node.core.log.checkpoint_file import SLOT_BYTES, CheckpointSlots, read_checkpoint
from paiza_wire.errors import Unavailable


def saved(path: Path, *notes: bytes) -> None:
    """Save notes one after the other and close the file."""
    slots = CheckpointSlots(path)
    for note in notes:
        slots.save(note)
    slots.close()


def reopened(path: Path) -> bytes | None:
    """Return what a new process finds; the reader that writes nothing must find the same."""
    slots = CheckpointSlots(path)
    note = slots.load()
    slots.close()
    assert read_checkpoint(path) == note
    return note


def test_new_file_holds_nothing(tmp_path: Path) -> None:
    """Before the first save there is no checkpoint, and looking for one makes no file."""
    assert read_checkpoint(tmp_path / "checkpoint") is None
    assert not (tmp_path / "checkpoint").exists()
    assert reopened(tmp_path / "checkpoint") is None


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_last_one_saved_is_found(count: int, tmp_path: Path) -> None:
    """Whichever slot it went to, the newest note is the one that counts."""
    notes = [b"note %d" % number for number in range(count)]
    saved(tmp_path / "checkpoint", *notes)
    assert reopened(tmp_path / "checkpoint") == notes[-1]


@pytest.mark.parametrize("count", [2, 3])
@pytest.mark.parametrize("at", [0, 20, 32, 39, 43, 44, 60])
def test_torn_slot_leaves_the_one_before(count: int, at: int, tmp_path: Path) -> None:
    """A save that was cut off anywhere, in either slot, leaves the note before it."""
    path = tmp_path / "checkpoint"
    notes = [b"a note of some length, number %d" % number for number in range(count)]
    saved(path, *notes)
    data = bytearray(path.read_bytes())
    slot = count % 2 * SLOT_BYTES
    data[slot + at] ^= 0xFF
    path.write_bytes(data)
    assert reopened(path) == notes[-2]
    saved(path, b"the next")
    assert reopened(path) == b"the next"


def test_both_slots_torn_is_no_checkpoint(tmp_path: Path) -> None:
    """No checkpoint is returned if neither slot is valid."""
    saved(tmp_path / "checkpoint", b"one", b"two")
    (tmp_path / "checkpoint").write_bytes(b"\xff" * 2 * SLOT_BYTES)
    assert reopened(tmp_path / "checkpoint") is None


def test_disk_that_refuses_is_told(tmp_path: Path) -> None:
    """A save that fails is Unavailable and leaves the last note in force."""
    slots = CheckpointSlots(tmp_path / "checkpoint")
    slots.save(b"one")
    slots.close()
    with pytest.raises(Unavailable, match="checkpoint_unsaved"):
        slots.save(b"two")
    assert slots.load() == b"one"
