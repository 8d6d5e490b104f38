"""Messages prepared before anything is timed: each sealed and signed by itself, packed into Submit requests on disk."""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Final

from paiza.content.v1.free_message_pb2 import FreeMessage
from paiza.officer.v1.officer_pb2 import SubmitItem, SubmitRequest
from tests.officer import SUBJECT, Officer

BATCH: Final = 256  # messages of one Submit: the most the protocol allows
WORKERS: Final = os.cpu_count() or 1
LENGTH_BYTES: Final = 4


@dataclass(frozen=True)
class Corpus:
    """Files of Submit requests, each preceded by its length; ``count`` messages in all."""

    files: tuple[Path, ...]
    count: int

    def requests(self, messages: int) -> Iterator[bytes]:
        """Yield serialized Submit requests until they hold this many messages, a multiple of the batch or all."""
        assert messages <= self.count, "the corpus is smaller"
        left = messages
        for file in self.files:
            with file.open("rb") as stream:
                while left > 0 and (head := stream.read(LENGTH_BYTES)):
                    request = stream.read(int.from_bytes(head, "big"))
                    if left < BATCH:
                        # Only the last request is ever cut.
                        request = SubmitRequest(
                            items=SubmitRequest.FromString(request).items[:left]
                        ).SerializeToString()
                    yield request
                    left -= BATCH

    def message(self) -> bytes:
        """Return one of the messages."""
        return SubmitRequest.FromString(next(self.requests(self.count))).items[0].message


def prepare(folder: Path, federation: Path, profile: str, recipient: str, *, count: int, content_bytes: int) -> Corpus:
    """Seal and sign ``count`` messages (rounded up to whole batches) in worker processes."""
    folder.mkdir(exist_ok=True)
    batches = -(-count // BATCH)
    shares = [batches // WORKERS + (at < batches % WORKERS) for at in range(WORKERS)]
    files = [folder / f"{at}.requests" for at in range(WORKERS)]
    # A fresh interpreter for each worker: this process may already have threads.
    with ProcessPoolExecutor(WORKERS, mp_context=get_context("spawn")) as workers:
        tasks = [
            workers.submit(_write, file, share, federation, profile, recipient, content_bytes)
            for file, share in zip(files, shares, strict=True)
        ]
        for task in tasks:
            task.result()
    return Corpus(tuple(files), batches * BATCH)


def compose(officer: Officer, recipients: Sequence[str], content_bytes: int) -> bytes:
    """Seal and sign one message whose serialized content has this size."""
    return officer.compose(recipients, text(content_bytes))


def text(content_bytes: int) -> str:
    """Return a text with which a free message has this size."""
    frame = len(FreeMessage(subject=SUBJECT, text="x" * content_bytes).SerializeToString()) - content_bytes
    return "x" * (content_bytes - frame)


def _write(file: Path, batches: int, federation: Path, profile: str, recipient: str, content_bytes: int) -> None:
    officer = Officer(federation, profile)
    with file.open("wb") as stream:
        for _ in range(batches):
            items = [SubmitItem(message=compose(officer, [recipient], content_bytes)) for _ in range(BATCH)]
            request = SubmitRequest(items=items).SerializeToString()
            stream.write(len(request).to_bytes(LENGTH_BYTES, "big") + request)
