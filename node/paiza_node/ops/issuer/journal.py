"""The issuer's journal: what it issued, under which note of the member's log, one line each, in a file that only grows.

A line is JSON in its one form (`paiza_register.carried`) and holds the SHA-256 of the line before. ``<journal>.head``
holds the number of lines and the SHA-256 of the last one, so that a journal that was cut short is noticed.

`Journal.append` in order, and what a crash leaves:

1. The line is written and brought to the disk. A crash before its end leaves an unfinished line, which the next start
   cuts off: nothing of it was handed out.
2. The head is replaced. A crash before that leaves one line more than the head names, which is accepted: its
   certificates may not have been handed out yet, and the same request is answered with them.
3. Only then the certificates are handed out.

The memory of the last note is the last line: what is signed next must have grown from there.
"""

import json
import os
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, Literal

from paiza_register import carried
from paiza_register.archive import write_durably
from paiza_wire.errors import Rejected, Unavailable

Kind = Literal["enrolment", "renewal", "node"]
_KINDS: Final[Mapping[str, Kind]] = {"enrolment": "enrolment", "renewal": "renewal", "node": "node"}

NOTHING: Final = bytes(32)
"""What the first line holds in place of the SHA-256 of the line before."""

_FIELDS: Final = frozenset(
    {"certificates", "id", "index", "keys", "kind", "origin", "previous", "root", "size", "statement", "time"}
)


@dataclass(frozen=True, slots=True)
class KnownLog:
    """The member's log as of the note under which something was issued."""

    origin: str
    size: int
    root: bytes


@dataclass(frozen=True, slots=True)
class Issued:
    """One line: certificates (DER) for keys (SHA-256 of each), which the entry at ``index`` of the log allows.

    An officer's authentication certificate comes before the signing certificate; a node has one certificate.
    ``statement`` is an InvitationStatement, a RenewalStatement, or empty for a node.
    """

    kind: Kind
    id: str
    index: int
    log: KnownLog
    keys: tuple[bytes, ...]
    statement: bytes
    certificates: tuple[bytes, ...]
    time: datetime

    def line(self, previous: bytes) -> bytes:
        """Return the line that follows the one with this SHA-256."""
        return carried.canonical(
            {
                "certificates": [b64encode(each).decode() for each in self.certificates],
                "id": self.id,
                "index": self.index,
                "keys": [each.hex() for each in self.keys],
                "kind": self.kind,
                "origin": self.log.origin,
                "previous": previous.hex(),
                "root": self.log.root.hex(),
                "size": self.log.size,
                "statement": b64encode(self.statement).decode(),
                "time": self.time.isoformat(),
            }
        )


class Journal:
    """The journal in one file, of which one process at a time writes.

    ``Unavailable("journal_damaged")`` at the opening if a line was altered or lines are missing, or if there is no
    journal: it is begun once, with the issuer (`begin_journal`).
    """

    def __init__(self, path: Path) -> None:
        """Read the file."""
        self._path = path
        self._read()

    def _read(self) -> None:
        self.lines: list[Issued] = []
        self._by_entry: dict[tuple[str, int], Issued] = {}
        self._by_key: dict[bytes, Issued] = {}
        self._by_certificate: dict[bytes, Issued] = {}
        self._by_statement: dict[bytes, Issued] = {}
        self._broken = False
        lines, self._last, self._size = _read(self._path)
        for issued in lines:
            self._add(issued)
        if self._path.exists() and self._path.stat().st_size != self._size:
            _cut(self._path, self._size)  # the last line was not finished, and nothing of it was handed out

    @property
    def known(self) -> KnownLog | None:
        """The log as of the note under which something was issued last; None before the first time."""
        return self.lines[-1].log if self.lines else None

    def of_entry(self, origin: str, index: int) -> Issued | None:
        """Return what was issued for an entry."""
        return self._by_entry.get((origin, index))

    def of_key(self, key_sha256: bytes) -> Issued | None:
        """Return what was issued for a key."""
        return self._by_key.get(key_sha256)

    def of_statement(self, statement: bytes) -> Issued | None:
        """Return what was issued for a statement."""
        return self._by_statement.get(sha256(statement).digest())

    def of_certificate(self, der: bytes) -> Issued | None:
        """Return the line that holds a certificate."""
        return self._by_certificate.get(sha256(der).digest())

    def read_again(self) -> None:
        """Read the file anew if a line could not be written: before anything is decided by what the journal holds."""
        if self._broken:
            self._read()

    def append(self, issued: Issued) -> None:
        """Write a line; it is on disk when this returns.

        ``Unavailable("disk_full")`` if it cannot be written: nothing may be handed out, and the next line needs
        `read_again` first.
        """
        assert not self._broken, "the file is read before it is written again"
        line = issued.line(self._last)
        try:
            # 1.
            self._write(line)
            # 2.
            _write_head(self._path, len(self.lines) + 1, sha256(line).digest())
        except OSError as error:
            self._broken = True
            raise Unavailable("disk_full", f"{self._path}: {error.strerror}") from error
        self._size += len(line)
        self._last = sha256(line).digest()
        self._add(issued)

    def _write(self, line: bytes) -> None:
        handle = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            _write_whole(handle, line)
            os.fsync(handle)
        except OSError:
            os.ftruncate(handle, self._size)
            raise
        finally:
            os.close(handle)

    def _add(self, issued: Issued) -> None:
        self.lines.append(issued)
        self._by_entry[issued.log.origin, issued.index] = issued
        self._by_key.update(dict.fromkeys(issued.keys, issued))
        self._by_statement[sha256(issued.statement).digest()] = issued
        self._by_certificate.update((sha256(each).digest(), issued) for each in issued.certificates)


def begin_journal(path: Path) -> None:
    """Begin a journal without a line."""
    _write_head(path, 0, NOTHING)


def read_journal(path: Path) -> list[Issued]:
    """Return the lines of a journal that another process may write; errors as of `Journal`."""
    return _read(path)[0]


def _read(path: Path) -> tuple[list[Issued], bytes, int]:
    """Return the whole lines of a journal, the SHA-256 of the last one, and their length in bytes."""
    # The head before the lines: a line that is written meanwhile is one more than it names.
    head = _head_of(path)
    data = path.read_bytes() if path.exists() else b""
    whole = data[: data.rfind(b"\n") + 1]
    lines, digests = list[Issued](), [NOTHING]
    for line in whole.splitlines(keepends=True):
        lines.append(_parsed(line, digests[-1]))
        digests.append(sha256(line).digest())
    count, digest = head
    if not 0 <= count < len(digests):
        raise _damaged(f"{count} lines were written, {len(lines)} are there")
    if digests[count] != digest:
        raise _damaged(f"line {count} is another one than was written")
    return lines, digests[-1], len(whole)


def _head_of(path: Path) -> tuple[int, bytes]:
    head = _head_file(path)
    try:
        count, digest = head.read_text("ascii").split()
        return int(count), bytes.fromhex(digest)
    except (FileNotFoundError, ValueError) as error:
        raise _damaged(f"{head} is missing or cannot be read") from error


def _write_head(path: Path, count: int, digest: bytes) -> None:
    write_durably(_head_file(path), f"{count} {digest.hex()}\n".encode())


def _head_file(path: Path) -> Path:
    return path.with_name(f"{path.name}.head")


def _parsed(line: bytes, previous: bytes) -> Issued:
    try:
        values: Any = carried.only(json.loads(line), _FIELDS)
        issued = Issued(
            kind=_KINDS[values["kind"]],
            id=values["id"],
            index=values["index"],
            log=KnownLog(values["origin"], values["size"], bytes.fromhex(values["root"])),
            keys=tuple(bytes.fromhex(each) for each in values["keys"]),
            statement=b64decode(values["statement"], validate=True),
            certificates=tuple(b64decode(each, validate=True) for each in values["certificates"]),
            time=datetime.fromisoformat(values["time"]).astimezone(UTC),
        )
        same = issued.line(previous) == line
    except (ValueError, TypeError, KeyError, AttributeError, Rejected) as error:
        raise _damaged("a line cannot be read") from error
    if not same:
        raise _damaged("a line was altered, or does not follow the one before")
    return issued


def _write_whole(handle: int, line: bytes) -> None:
    while line:
        line = line[os.write(handle, line) :]


def _cut(path: Path, size: int) -> None:
    handle = os.open(path, os.O_WRONLY)
    try:
        os.ftruncate(handle, size)
        os.fsync(handle)
    finally:
        os.close(handle)


def _damaged(detail: str) -> Unavailable:
    return Unavailable("journal_damaged", detail)
