"""The outbox: what is put stands on disk, what is settled goes, and no crash in between loses a message."""

import errno
import os
import time
from pathlib import Path

import pytest

from paiza.core.v1 import message_pb2
from paiza.officer.v1 import officer_pb2
from paiza_client.local import outbox as module
from paiza_client.local.outbox import MAX_BATCH_BYTES, MAX_BATCH_ITEMS, Outbox, batches
from paiza_officer.errors import Refused, Unreachable


def item(number: int, size: int = 10) -> officer_pb2.SubmitItem:
    """Make a message that has an id and otherwise only a size."""
    header = message_pb2.Header(message_id=number.to_bytes(16, "big"), kind="free-message")
    signed = message_pb2.SignedMessage(header=header.SerializeToString())
    signed.parts.add(ciphertext=bytes(size))
    return officer_pb2.SubmitItem(message=signed.SerializeToString())


def ids(outbox: Outbox) -> list[int]:
    """Return the numbers of all messages that wait, in order."""
    return [int.from_bytes(each.header.message_id, "big") for each in outbox.listing()]


def test_what_is_put_is_there_for_another_process(tmp_path: Path) -> None:
    """A message put by one object is read, byte for byte, by a new one."""
    Outbox(tmp_path / "outbox").put([item(1), item(2)])
    (batch,) = Outbox(tmp_path / "outbox").batches()
    assert list(batch.items) == [item(1), item(2)]


def test_files_are_only_the_owners(tmp_path: Path) -> None:
    """Neither the folder nor a batch can be read by another user."""
    (batch,) = Outbox(tmp_path / "outbox").put([item(1)])
    assert batch.path.stat().st_mode & 0o077 == 0
    assert batch.path.parent.stat().st_mode & 0o077 == 0


def test_settled_messages_go_and_the_others_stay(tmp_path: Path) -> None:
    """Released messages leave, what is to be tried again stays, what was refused is kept apart with its reason."""
    outbox = Outbox(tmp_path)
    (batch,) = outbox.put([item(1), item(2), item(3)])
    outbox.settle(batch, remaining=[1], refused={2: "policy_denied"})
    assert ids(outbox) == [2, 3]
    assert [each.refused for each in outbox.listing()] == ["", "policy_denied"]
    assert [len(each.items) for each in outbox.batches()] == [1]


def test_nothing_settled_leaves_the_batch_as_it_is(tmp_path: Path) -> None:
    """A batch of which everything must be tried again is not rewritten."""
    outbox = Outbox(tmp_path)
    (batch,) = outbox.put([item(1)])
    outbox.settle(batch, remaining=[0], refused={})
    assert [each.path for each in outbox.batches()] == [batch.path]


@pytest.mark.parametrize("step", ["write", "fsync", "rename"])
def test_a_crash_while_writing_leaves_no_half_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """A failure at any step of writing lists no message and leaves an earlier one untouched."""
    outbox = Outbox(tmp_path)
    outbox.put([item(1)])

    class PowerCutError(Exception):
        pass

    def cut(*_arguments: object) -> None:
        raise PowerCutError

    if step == "rename":
        monkeypatch.setattr(Path, "rename", cut)
    else:
        monkeypatch.setattr(os, "fsync" if step == "fsync" else "fdopen", cut)
    with pytest.raises(PowerCutError):
        outbox.put([item(2)])
    monkeypatch.undo()
    assert ids(Outbox(tmp_path)) == [1]


def test_a_crash_between_rewriting_and_removing_repeats_but_does_not_lose(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If settling is cut off before the old batch goes, every message still stands at least once."""
    outbox = Outbox(tmp_path)
    (batch,) = outbox.put([item(1), item(2), item(3)])

    def cut(*_arguments: object, **_named: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "unlink", cut)
    with pytest.raises(KeyboardInterrupt):
        outbox.settle(batch, remaining=[2], refused={1: "conflict"})
    monkeypatch.undo()
    assert set(ids(Outbox(tmp_path))) == {1, 2, 3}


def test_a_full_disk_is_said_before_anything_is_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk is `disk_full`, which asks to try again, and no message is half written."""

    def full(_handle: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(Unreachable, match="disk_full"):
        Outbox(tmp_path).put([item(1)])
    monkeypatch.undo()
    assert Outbox(tmp_path).listing() == []


def test_old_leftovers_are_removed_and_fresh_ones_left(tmp_path: Path) -> None:
    """An unfinished file of yesterday goes; one that may still be written to stays."""
    old, fresh = tmp_path / "a.batch.1.part", tmp_path / "b.batch.2.part"
    for path in (old, fresh):
        path.write_bytes(b"half")
    os.utime(old, (0, time.time() - 2 * module.LEFTOVER_AGE_SECONDS))
    Outbox(tmp_path).listing()
    assert (old.exists(), fresh.exists()) == (False, True)


def test_a_damaged_file_is_refused_not_skipped(tmp_path: Path) -> None:
    """A batch whose bytes cannot be read is named; it is not passed over in silence."""
    outbox = Outbox(tmp_path)
    (batch,) = outbox.put([item(1)])
    batch.path.write_bytes(b"\xff" * 20)
    with pytest.raises(Refused, match="malformed"):
        outbox.listing()


def test_batches_keep_both_limits_and_the_order() -> None:
    """Messages are divided by number and by size, and none is left out or turned around."""
    many = [item(number, 10) for number in range(2 * MAX_BATCH_ITEMS + 1)]
    assert [len(batch) for batch in batches(many)] == [MAX_BATCH_ITEMS, MAX_BATCH_ITEMS, 1]
    large = [item(number, MAX_BATCH_BYTES // 2) for number in range(3)]
    divided = list(batches(large))
    assert [len(batch) for batch in divided] == [1, 1, 1]
    assert [each for batch in divided for each in batch] == large


def test_dropping_takes_one_message_and_leaves_the_rest(tmp_path: Path) -> None:
    """A dropped message is gone from its batch and from the refused ones, its neighbours stay."""
    outbox = Outbox(tmp_path)
    (batch,) = outbox.put([item(1), item(2)])
    outbox.settle(batch, remaining=[0], refused={1: "conflict"})
    assert outbox.drop((2).to_bytes(16, "big")) == 1
    assert ids(outbox) == [1]
    assert outbox.drop((1).to_bytes(16, "big")) == 1
    assert outbox.listing() == []
