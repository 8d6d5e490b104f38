"""The issuer's journal: whole, or not opened; a line is on disk before anything is handed out."""

import errno
import os
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import pytest

from paiza_node.ops.issuer import journal as journals
from paiza_node.ops.issuer.journal import Issued, Journal, KnownLog, begin_journal
from paiza_wire.errors import Unavailable

FIRST = Issued(
    kind="enrolment",
    id="spiffe://kaz.pilot.example/officer/petrov",
    index=3,
    log=KnownLog("kaz.pilot.example/log/1", 5, bytes(32)),
    keys=(b"a" * 32, b"b" * 32),
    statement=b"statement",
    certificates=(b"one", b"two"),
    time=datetime(2026, 11, 3, 12, tzinfo=UTC),
)
SECOND = replace(FIRST, index=4, keys=(b"c" * 32, b"d" * 32), certificates=(b"three", b"four"))
THIRD = replace(FIRST, index=5, keys=(b"e" * 32, b"f" * 32), certificates=(b"five", b"six"))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return the path of a journal of two lines."""
    begin_journal(tmp_path / "journal.jsonl")
    journal = Journal(tmp_path / "journal.jsonl")
    journal.append(FIRST)
    journal.append(SECOND)
    return tmp_path / "journal.jsonl"


def head(path: Path) -> Path:
    """Return the file that names the last line."""
    return path.with_name(f"{path.name}.head")


def damaged(path: Path) -> bool:
    """Return whether a journal is refused as damaged."""
    with pytest.raises(Unavailable) as refusal:
        Journal(path)
    return refusal.value.reason == "journal_damaged"


def test_what_was_written_is_read(path: Path) -> None:
    """Every line is found by its entry, its keys and its certificates; the last one tells the note."""
    journal = Journal(path)
    assert journal.lines == [FIRST, SECOND]
    assert journal.of_entry(FIRST.log.origin, 4) == SECOND
    assert journal.of_entry("tjk.pilot.example/log/1", 4) is None
    assert journal.of_key(b"c" * 32) == SECOND
    assert journal.of_certificate(b"one") == FIRST
    assert journal.known == SECOND.log
    assert path.stat().st_mode & 0o077 == 0


def test_an_unfinished_line_is_cut_off(path: Path) -> None:
    """A crash within a line leaves nothing of it: nothing was handed out."""
    whole = path.read_bytes()
    line = THIRD.line(sha256(SECOND.line(sha256(FIRST.line(bytes(32))).digest())).digest())
    for length in (1, len(line) // 2, len(line) - 1):
        path.write_bytes(whole + line[:length])
        journal = Journal(path)
        assert journal.lines == [FIRST, SECOND]
        assert path.read_bytes() == whole
        journal.append(THIRD)
        assert Journal(path).lines == [FIRST, SECOND, THIRD]
        path.write_bytes(whole)
        head(path).write_text(f"2 {sha256(whole.splitlines(keepends=True)[1]).hexdigest()}\n")


def test_a_crash_before_the_head_was_replaced_loses_nothing(path: Path) -> None:
    """A line that the head does not name yet counts: the same request is answered with it."""
    before = head(path).read_bytes()
    Journal(path).append(THIRD)
    head(path).write_bytes(before)
    journal = Journal(path)
    assert journal.of_entry(THIRD.log.origin, THIRD.index) == THIRD
    journal.append(replace(FIRST, index=6))
    assert len(Journal(path).lines) == 4


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes().splitlines(keepends=True)[0])


def _cut_in_the_middle(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-10])


def _emptied(path: Path) -> None:
    path.write_bytes(b"")


def _removed(path: Path) -> None:
    path.unlink()


def _altered(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b"petrov", b"sidorv", 1))


def _last_altered(path: Path) -> None:
    first, second = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(first + second.replace(b'"index":4', b'"index":9'))


def _swapped(path: Path) -> None:
    path.write_bytes(b"".join(reversed(path.read_bytes().splitlines(keepends=True))))


def _replaced(path: Path) -> None:
    previous = sha256(FIRST.line(bytes(32))).digest()
    path.write_bytes(FIRST.line(bytes(32)) + THIRD.line(previous))


def _not_json(path: Path) -> None:
    path.write_bytes(b"{}\n" + path.read_bytes())


def _lost(path: Path) -> None:
    path.unlink()
    head(path).unlink()


def _without_head(path: Path) -> None:
    head(path).unlink()


def _strange_head(path: Path) -> None:
    head(path).write_bytes(b"two\n")


@pytest.mark.parametrize(
    "harm",
    [
        _cut,
        _cut_in_the_middle,
        _emptied,
        _removed,
        _altered,
        _last_altered,
        _swapped,
        _replaced,
        _not_json,
        _without_head,
        _lost,
        _strange_head,
    ],
)
def test_a_journal_that_was_cut_or_altered_is_refused(path: Path, harm: Callable[[Path], None]) -> None:
    """The issuer does not start with a journal that forgot something: it could issue twice."""
    harm(path)
    assert damaged(path)


@pytest.mark.parametrize("step", ["write", "fsync", "head"])
def test_a_full_disk_issues_nothing(path: Path, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    """Where a line, or the head, cannot be written, the caller is refused, and what is on disk stays whole."""

    def full(*_arguments: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    journal = Journal(path)
    with monkeypatch.context() as patched:
        if step == "head":
            patched.setattr(journals, "write_durably", full)
        else:
            patched.setattr(os, step, full)
        with pytest.raises(Unavailable) as refusal:
            journal.append(THIRD)
    assert refusal.value.reason == "disk_full"
    found = Journal(path).lines
    # Of the step after the line the line stays: its certificates go to nobody but the same keys.
    assert found == ([FIRST, SECOND, THIRD] if step == "head" else [FIRST, SECOND])


def test_a_full_disk_that_was_freed_goes_on(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next line is written after a new look at the file; a line in part does not stay."""
    write = os.write

    def part(handle: int, line: bytes) -> int:
        if len(line) > 5:
            return write(handle, line[:5])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    journal = Journal(path)
    with monkeypatch.context() as patched:
        patched.setattr(os, "write", part)
        with pytest.raises(Unavailable):
            journal.append(replace(THIRD, statement=b""))
    journal.read_again()
    journal.append(THIRD)
    assert journal.lines == [FIRST, SECOND, THIRD]
    assert Journal(path).lines == [FIRST, SECOND, THIRD]
