"""Ciphertexts on disk: what counts when, what a crash leaves, and what a full disk costs."""

import errno
import os
import random
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from paiza_node.features.attachments import disk_room
from paiza_node.features.attachments.files import AttachmentFiles
from paiza_wire.errors import Rejected, Unavailable

DATA = random.Random(1).randbytes(100_000)
NAME = sha256(DATA).digest()


@pytest.fixture
def files(tmp_path: Path) -> AttachmentFiles:
    """An empty folder of attachments."""
    return AttachmentFiles(tmp_path / "attachments")


def write(files: AttachmentFiles, data: bytes, size: int = len(DATA)) -> None:
    """Bring bytes from where the file stands."""
    writer = files.writer(NAME, files.offset(NAME), size)
    try:
        writer.write(data)
    finally:
        files.release(NAME, writer)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(0, len(DATA)), max_size=8))
def test_a_file_brought_in_any_pieces_is_whole(tmp_path: Path, cuts: list[int]) -> None:
    """Wherever a transfer breaks, it goes on from the bytes that are there, also in another process."""
    folder = tmp_path / os.urandom(8).hex()
    files = AttachmentFiles(folder)
    for cut in [*sorted(cuts), len(DATA)]:
        files = AttachmentFiles(folder)
        write(files, DATA[files.offset(NAME) : cut])
        assert files.offset(NAME) == cut
        assert not files.holds(NAME, len(DATA))
    files.check(NAME)
    files.complete(NAME)
    assert files.holds(NAME, len(DATA))
    assert b"".join(files.pieces(NAME)) == DATA
    assert b"".join(files.pieces(NAME, 70_000)) == DATA[70_000:]


def test_what_one_member_hands_over_is_touched_by_nobody_else(files: AttachmentFiles) -> None:
    """Others who name the same digest and bring other bytes neither end nor spoil what an honest one brings."""
    honest, hostile = files.received_from("kaz"), files.received_from("xyz")
    write(honest, DATA[:1000])
    write(hostile, bytes(len(DATA)))
    write(files, bytes(len(DATA)))
    for liar in (hostile, files):
        with pytest.raises(Rejected, match="part_digest_mismatch"):
            liar.check(NAME)
    assert (honest.offset(NAME), honest.unfinished_bytes(), hostile.unfinished_bytes()) == (1000, 1000, 0)
    write(honest, DATA[1000:])
    honest.check(NAME)
    honest.complete(NAME)
    assert files.holds(NAME, len(DATA))
    write(hostile, bytes(10))
    assert files.older_than(-1) == {NAME}
    files.remove(NAME)
    assert files.older_than(-1) == set()


def test_other_bytes_are_not_believed(files: AttachmentFiles) -> None:
    """A file whose digest is another is refused and gone, so that it is brought again."""
    write(files, bytes(len(DATA)))
    with pytest.raises(Rejected, match="part_digest_mismatch"):
        files.check(NAME)
    assert files.offset(NAME) == 0


def test_more_bytes_than_announced_are_refused(files: AttachmentFiles) -> None:
    """The first byte too many is not written."""
    with pytest.raises(Rejected, match="part_digest_mismatch"):
        write(files, DATA, size=len(DATA) - 1)
    assert files.offset(NAME) == 0


def test_a_later_call_takes_a_file_over(files: AttachmentFiles) -> None:
    """The later of two uploads of one file continues; the earlier is refused at its next piece."""
    earlier = files.writer(NAME, 0, len(DATA))
    earlier.write(DATA[:10])
    later = files.writer(NAME, 10, len(DATA))
    with pytest.raises(Unavailable, match="busy"):
        earlier.write(DATA[10:20])
    later.write(DATA[10:])
    files.release(NAME, earlier)
    files.release(NAME, later)
    files.check(NAME)


def test_a_wrong_offset_is_refused(files: AttachmentFiles) -> None:
    """Nobody leaves a hole or writes over what is there."""
    write(files, DATA[:100])
    for offset in (0, 99, 101):
        with pytest.raises(Unavailable, match="attachment_incomplete"):
            files.writer(NAME, offset, len(DATA))


def test_a_closed_file_takes_nothing(files: AttachmentFiles) -> None:
    """A thread that still writes for a call that was cancelled writes nowhere."""
    writer = files.writer(NAME, 0, len(DATA))
    files.release(NAME, writer)
    with pytest.raises(Unavailable, match="busy"):
        writer.write(DATA)
    assert files.offset(NAME) == 0


@pytest.mark.parametrize(("number", "reason"), [(errno.ENOSPC, "disk_full"), (errno.EIO, "file_unwritable")])
def test_a_disk_that_refuses_loses_nothing(
    files: AttachmentFiles, monkeypatch: pytest.MonkeyPatch, number: int, reason: str
) -> None:
    """The written part stays and counts; the transfer is to be tried again."""
    write(files, DATA[:1000])

    def refuse(*_arguments: object) -> int:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patched:
        patched.setattr(os, "pwrite", refuse)
        with pytest.raises(Unavailable, match=reason):
            write(files, DATA[1000:])
    assert files.offset(NAME) == 1000
    write(files, DATA[1000:])
    files.check(NAME)


def test_bytes_that_an_fsync_did_not_put_on_disk_are_brought_again(
    files: AttachmentFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a failed fsync only the part synced earlier counts: a later fsync would not write the rest."""
    write(files, DATA[:1000])

    def refuse(_file: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as patched:
        writer = files.writer(NAME, 1000, len(DATA))
        writer.write(DATA[1000:])
        patched.setattr(os, "fsync", refuse)
        with pytest.raises(Unavailable, match="file_unwritable"):
            files.release(NAME, writer)
        assert writer.offset == 1000
        with pytest.raises(Unavailable, match="busy"):
            writer.write(DATA[1000:])
    assert files.offset(NAME) == 1000
    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", refuse)
        with pytest.raises(Unavailable, match="file_unwritable"):
            files.offset(NAME)
    assert files.offset(NAME) == 0
    write(files, DATA)
    files.check(NAME)


def test_a_file_is_not_whole_before_its_name_is_on_disk(
    files: AttachmentFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file is not reported whole before its folder is synced after the rename."""
    write(files, DATA)
    files.check(NAME)

    def refuse(_file: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", refuse)
        with pytest.raises(Unavailable, match="file_unwritable"):
            files.complete(NAME)
        with pytest.raises(Unavailable, match="file_unwritable"):
            files.holds(NAME, len(DATA))
    assert files.holds(NAME, len(DATA))


@pytest.mark.parametrize("call", ["fsync", "open"])
def test_a_disk_that_is_away_is_no_defect(files: AttachmentFiles, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    """A fetch while the disk is missing asks to try again, at any failing call."""
    write(files, DATA)

    def refuse(*_arguments: object) -> int:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    with monkeypatch.context() as patched:
        patched.setattr(os, call, refuse)
        with pytest.raises(Unavailable, match="file_unwritable"):
            files.received_from("kaz")
        with pytest.raises(Unavailable, match="file_unwritable"):
            files.offset(NAME)
    assert files.received_from("kaz").offset(NAME) == 0


def test_a_nearly_full_disk_is_left_to_the_database(files: AttachmentFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    """A write that would leave less than the reserve is refused, and what is on disk stays."""
    write(files, DATA[:100], len(DATA))
    monkeypatch.setattr(disk_room, "MIN_FREE_BYTES", 2**62)
    writer = files.writer(NAME, 100, len(DATA))
    with pytest.raises(Unavailable, match="disk_full"):
        writer.write(DATA[100:])
    files.release(NAME, writer)
    assert files.offset(NAME) == 100


def test_old_files_are_named_and_removed(files: AttachmentFiles, tmp_path: Path) -> None:
    """Files unwritten for long are found, finished or not; other files in the folder are ignored."""
    write(files, DATA)
    (tmp_path / "attachments" / "README").write_text("not an attachment")
    assert files.older_than(-60) == {NAME}
    assert files.older_than(60) == set()
    files.complete(NAME)
    assert files.older_than(-60) == {NAME}
    files.remove(NAME)
    assert files.older_than(-60) == set()
    with pytest.raises(Unavailable, match="attachment_incomplete"):
        next(files.pieces(NAME))


def test_only_the_node_reads_the_folder(files: AttachmentFiles, tmp_path: Path) -> None:
    """Folder and files are for the node's own user."""
    write(files, DATA)
    folder = tmp_path / "attachments"
    assert [folder.stat().st_mode & 0o777, next(folder.iterdir()).stat().st_mode & 0o777] == [0o700, 0o600]
