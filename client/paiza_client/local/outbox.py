"""The outbox: signed messages that wait to be sent, sealed to the members, unreadable to this machine.

Every message is put here before it is submitted and taken out only when the node's receipt for it is verified. The node
answers a repeated message with the releases of the first time, so whatever is still here may always be sent again:

- crash while `put` writes: a ``.part`` file is left, nothing was submitted, the user was told nothing; it is removed
  a day later;
- crash after `put`, before or during the submission: the batch is sent at the next command;
- crash after the node released it, before `settle`: it is sent once more, the node says "repeated", it is settled then;
- crash inside `settle`: refused messages and what remains are written before the batch goes, so at worst both stand
  here, and the second submission ends as the line above.
"""

import contextlib
import os
import re
import secrets
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from google.protobuf.message import DecodeError

from paiza.core.v1 import message_pb2
from paiza.officer.v1 import officer_pb2
from paiza_officer.errors import Refused, disk_problem
from paiza_wire.reasons import REASONS

MAX_BATCH_ITEMS: Final = 256  # what one Submit takes
MAX_BATCH_BYTES: Final = 3 * 1024 * 1024  # below gRPC's customary 4 MiB; one message has at most 2 MiB
LEFTOVER_AGE_SECONDS: Final = 24 * 3600  # no writer takes a day: an unfinished file this old has none

_BATCH: Final = re.compile(r"[0-9a-f]{16}-[0-9a-f]{16}\.batch\Z")
_WAITING: Final = re.compile(r"[0-9a-f]{32}\.waiting\Z")
_REFUSED: Final = re.compile(r"(?P<id>[0-9a-f]{32})\.(?P<reason>[a-z0-9_]+)\.refused\Z")


@dataclass(frozen=True, slots=True)
class Batch:
    """Messages that were put together and go in one Submit."""

    path: Path
    items: tuple[officer_pb2.SubmitItem, ...]


@dataclass(frozen=True, slots=True)
class Waiting:
    """The visible part of one message in the outbox: its signed header."""

    header: message_pb2.Header
    path: Path
    second: bool = False
    """True where the node has it and waits for another officer's signature; the copy here is kept until then."""
    refused: str = ""
    """Reason code, where the node refused it for good; it is kept until the officer drops it."""


class Outbox:
    """The outbox of one profile. Several processes may use it at once: the worst they do is submit a message twice."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, items: Sequence[officer_pb2.SubmitItem]) -> list[Batch]:
        """Write messages durably, in as many batches as the limits need; on return they survive a power cut."""
        return [self._write(batch) for batch in batches(items)]

    def batches(self) -> Iterator[Batch]:
        """Read what waits, oldest first. A file that is gone meanwhile was settled by another process."""
        for path in self._files(_BATCH):
            with contextlib.suppress(FileNotFoundError):
                yield Batch(path, tuple(_parse(path).items))

    def at_second_officers(self) -> Iterator[Batch]:
        """Read what the node keeps until another officer has signed, each message as a batch of its own."""
        for path in self._files(_WAITING):
            with contextlib.suppress(FileNotFoundError):
                yield Batch(path, (officer_pb2.SubmitItem.FromString(path.read_bytes()),))

    def settle(
        self, batch: Batch, remaining: Iterable[int], refused: Mapping[int, str], waiting: Iterable[int] = ()
    ) -> None:
        """Remove a batch except the items at ``remaining`` (tried again) and ``refused`` (reason by place).

        Those at ``waiting`` are set apart: the node has them, and asks another officer for a signature.
        """
        remaining = list(remaining)
        apart = list(waiting)
        if _WAITING.match(batch.path.name):
            remaining, apart = [*remaining, *apart], []
        for place in apart:
            name = f"{_header(batch.items[place]).message_id.hex()}.waiting"
            self._replace(name, batch.items[place].SerializeToString())
        for place, reason in refused.items():
            header = _header(batch.items[place])
            known = reason if reason in REASONS else "unexpected_answer"
            self._replace(f"{header.message_id.hex()}.{known}.refused", batch.items[place].SerializeToString())
        kept = [batch.items[place] for place in sorted(set(remaining) - set(refused))]
        if len(kept) < len(batch.items):
            if kept:
                self._write(kept)
            batch.path.unlink(missing_ok=True)
            _sync_folder(self._folder)
        wanted = {*remaining, *refused, *apart}
        self._remove_sealed(item for place, item in enumerate(batch.items) if place not in wanted)

    def listing(self) -> list[Waiting]:
        """Describe every message that waits or was refused, oldest first."""
        waiting = [Waiting(_header(item), batch.path) for batch in self.batches() for item in batch.items]
        waiting += [Waiting(_header(each.items[0]), each.path, second=True) for each in self.at_second_officers()]
        for path in self._files(_REFUSED):
            name = _REFUSED.match(path.name)
            assert name
            item = officer_pb2.SubmitItem.FromString(path.read_bytes())
            waiting.append(Waiting(_header(item), path, refused=name["reason"]))
        return waiting

    def drop(self, message_id: bytes) -> int:
        """Drop one message; return the number of copies. Irreversible: nobody here can read it."""
        dropped = 0
        for batch in list(self.batches()):
            kept = [place for place, item in enumerate(batch.items) if _header(item).message_id != message_id]
            if len(kept) < len(batch.items):
                dropped += len(batch.items) - len(kept)
                self.settle(batch, kept, {})
        for path in [*self._files(_REFUSED), *self._files(_WAITING)]:
            if path.name.startswith(message_id.hex()):
                item = officer_pb2.SubmitItem.FromString(path.read_bytes())
                path.unlink(missing_ok=True)
                self._remove_sealed([item])
                dropped += 1
        return dropped

    def sealed(self, ciphertext: bytes) -> Path | None:
        """Return the file of a sealed attachment that waits here; None where there is none."""
        path = sealed_file(self._folder, ciphertext)
        return path if path.is_file() else None

    def _remove_sealed(self, items: Iterable[officer_pb2.SubmitItem]) -> None:
        """Remove the attachments of messages that wait no more: the node has them, or they were given up."""
        for item in items:
            for part in _header(item).parts:
                if part.kind == message_pb2.PART_KIND_ATTACHMENT:
                    sealed_file(self._folder, part.ciphertext_sha256).unlink(missing_ok=True)

    def _files(self, name: re.Pattern[str]) -> list[Path]:
        if not self._folder.is_dir():
            return []
        self._remove_leftovers()
        return sorted(path for path in self._folder.iterdir() if name.match(path.name))

    def _remove_leftovers(self) -> None:
        for path in self._folder.glob("*.part"):
            with contextlib.suppress(FileNotFoundError):
                if time.time() - path.stat().st_mtime > LEFTOVER_AGE_SECONDS:
                    path.unlink()
        self._remove_orphans()

    def _remove_orphans(self) -> None:
        """Remove sealed attachments whose message never came to be: it was refused, or the program ended before."""
        now = time.time()
        old = [path for path in self._folder.glob("*.sealed") if now - path.stat().st_mtime > LEFTOVER_AGE_SECONDS]
        if not old:
            return
        waiting = [item for path in self._folder.glob("*.batch") for item in _parse(path).items]
        waiting += [officer_pb2.SubmitItem.FromString(path.read_bytes()) for path in self._folder.glob("*.refused")]
        waiting += [officer_pb2.SubmitItem.FromString(path.read_bytes()) for path in self._folder.glob("*.waiting")]
        named = {part.ciphertext_sha256.hex() for item in waiting for part in _header(item).parts}
        for path in old:
            if path.stem not in named:
                path.unlink(missing_ok=True)

    def _write(self, items: Sequence[officer_pb2.SubmitItem]) -> Batch:
        name = f"{time.time_ns():016x}-{secrets.token_hex(8)}.batch"
        return Batch(self._replace(name, officer_pb2.SubmitRequest(items=items).SerializeToString()), tuple(items))

    def _replace(self, name: str, data: bytes) -> Path:
        path = self._folder / name
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            unfinished = self._folder / f"{name}.{secrets.token_hex(4)}.part"
            # If we crash before the rename, the leftover counts for nothing; after it, the batch is whole.
            with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            unfinished.rename(path)
            # The rename itself must survive a power cut before anyone is told that the message is safe.
            _sync_folder(self._folder)
        except OSError as error:
            raise disk_problem(error, str(self._folder)) from error
        return path


def sealed_file(folder: Path, ciphertext: bytes) -> Path:
    """Name the file of a sealed attachment in an outbox: by the digest that its message names."""
    return folder / f"{ciphertext.hex()}.sealed"


def batches(items: Sequence[officer_pb2.SubmitItem]) -> Iterator[list[officer_pb2.SubmitItem]]:
    """Divide messages into batches within both limits, in order; a message larger than the limit goes by itself."""
    batch: list[officer_pb2.SubmitItem] = []
    size = 0
    for item in items:
        if batch and (len(batch) == MAX_BATCH_ITEMS or size + item.ByteSize() > MAX_BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(item)
        size += item.ByteSize()
    if batch:
        yield batch


def _parse(path: Path) -> officer_pb2.SubmitRequest:
    try:
        return officer_pb2.SubmitRequest.FromString(path.read_bytes())
    except DecodeError as error:
        raise Refused("malformed", str(path), "the outbox file is damaged") from error


def _header(item: officer_pb2.SubmitItem) -> message_pb2.Header:
    try:
        return message_pb2.Header.FromString(message_pb2.SignedMessage.FromString(item.message).header)
    except DecodeError as error:
        raise Refused("malformed", "outbox", "a message in the outbox is damaged") from error


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
