"""Verification of the files beside the database: every stored attachment is there, and has its digest."""

from hashlib import sha256
from pathlib import Path

from paiza.core.v1 import delivery_pb2
from paiza_node.core.errors import N_
from paiza_node.core.messages import store as messages_store
from paiza_node.core.storage import ReadConnection, scanning
from paiza_node.features.attachments import store as attachments_store
from paiza_node.ops.verify.findings import Part, Step
from paiza_wire.message.attachment import CHUNK_BYTES


def verify_attachments(scan: ReadConnection, folder: Path, part: Part, step: Step) -> None:
    """Re-hash the file of every attachment that was sent from here, or received whole; each file once.

    Erased attachments have none. Pending ones, and uploads that no message names yet, may appear or disappear at any
    time.
    """
    looked_at: set[bytes] = set()
    size = 0
    for rows in scanning.rows(scan, attachments_store.attachment_table):
        for row in rows:
            here = not row.source or row.state == delivery_pb2.ATTACHMENT_STATE_RECEIVED
            if not here or row.ciphertext_sha256 in looked_at or messages_store.erased(scan, [row.digest]):
                continue
            looked_at.add(row.ciphertext_sha256)
            found = _check(part, folder / row.ciphertext_sha256.hex(), row.ciphertext_sha256, row.size)
            size += found
        step(len(rows))
    part.counts = {"files": len(looked_at), "bytes": size}


def _check(part: Part, path: Path, expected: bytes, size: int) -> int:
    """Read one file; return its size in bytes."""
    digest, read = sha256(), 0
    try:
        with path.open("rb", buffering=0) as file:
            while piece := file.read(CHUNK_BYTES):
                digest.update(piece)
                read += len(piece)
    except FileNotFoundError:
        part.find("part_altered", N_("The file of the attachment is missing."), "{path}", path=path)
        return 0
    except OSError as error:
        detail = error.strerror or type(error).__name__
        part.find("part_altered", N_("The file cannot be read: {detail}."), "{path}", path=path, detail=detail)
        return read
    if (digest.digest(), read) != (expected, size):
        part.find("part_altered", N_("The file is not the attachment that was signed."), "{path}", path=path)
    return read
