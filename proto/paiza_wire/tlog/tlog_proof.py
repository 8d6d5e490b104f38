"""Proofs as text (C2SP tlog-proof): a log holds an entry, checkable with the entry and the log's keys.

The text carries the index, the inclusion proof and the checkpoint note with its cosignatures. Parsing verifies
nothing: use `checkpoint.verify` and `cosignatures.cosignatures` for the note, `receipts.verify_entry` for the proof.
"""

import re
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from paiza_wire.errors import Rejected
from paiza_wire.receipts import MAX_PROOF_HASHES
from paiza_wire.tlog.merkle import HASH_BYTES, MAX_TREE_SIZE
from paiza_wire.tlog.notes import MAX_NOTE_BYTES, strict_base64

HEAD: Final = "c2sp.org/tlog-proof@v1"
"""The first line of every proof."""

MAX_EXTRA_BYTES: Final = 32
"""Bytes of the extra data that are taken: ours is one digest."""

MAX_HEAD_BYTES: Final = 4096
"""Bytes before the note: 63 hashes in base64 and three short lines."""

MAX_PROOF_BYTES: Final = MAX_HEAD_BYTES + MAX_NOTE_BYTES
"""Bytes of a whole proof."""

_DECIMAL: Final = re.compile(r"0|[1-9][0-9]{0,18}")


@dataclass(frozen=True, slots=True)
class TlogProof:
    """One parsed proof, unverified. ``extra`` belongs to the application and is not authenticated."""

    index: int
    hashes: tuple[bytes, ...]
    note: bytes
    extra: bytes = b""


def format_proof(proof: TlogProof) -> bytes:
    """Return the text of a proof."""
    lines = [HEAD]
    if proof.extra:
        lines.append(f"extra {b64encode(proof.extra).decode()}")
    lines.append(f"index {proof.index}")
    return "\n".join(lines).encode() + b"\n" + format_hashes(proof.hashes) + b"\n" + proof.note


def parse_proof(data: bytes) -> TlogProof:
    """Parse a proof; ``Rejected("bad_proof")`` if it is not the canonical text of a proof."""
    if len(data) > MAX_PROOF_BYTES:
        raise Rejected("bad_proof", "the proof is too large")
    head, blank, note = data.partition(b"\n\n")
    if not blank or len(head) > MAX_HEAD_BYTES:
        raise Rejected("bad_proof", "the proof has no checkpoint, or too much before it")
    try:
        lines = head.decode("ascii").split("\n")
    except UnicodeDecodeError:
        raise Rejected("bad_proof", "the proof is not text") from None
    if lines.pop(0) != HEAD:
        raise Rejected("bad_proof", "the proof is of a format this version does not know")
    extra = b""
    if lines and lines[0].startswith("extra "):
        extra = strict_base64(lines.pop(0).removeprefix("extra "), "bad_proof")
        if not 0 < len(extra) <= MAX_EXTRA_BYTES:
            raise Rejected("bad_proof", "the proof's extra data are empty or too long")
    if not lines or not lines[0].startswith("index "):
        raise Rejected("bad_proof", "the proof names no index")
    digits = lines.pop(0).removeprefix("index ")
    if not _DECIMAL.fullmatch(digits) or int(digits) > MAX_TREE_SIZE:
        raise Rejected("bad_proof", "the proof's index is not a number")
    return TlogProof(int(digits), _hashes(lines), note, extra)


def format_hashes(hashes: Sequence[bytes]) -> bytes:
    """Return hashes as text: one line of base64 each."""
    return b"".join(b64encode(digest) + b"\n" for digest in hashes)


def parse_hashes(data: bytes) -> tuple[bytes, ...]:
    """Parse the text of `format_hashes`; ``Rejected("bad_proof")`` otherwise."""
    if len(data) > MAX_HEAD_BYTES:
        raise Rejected("bad_proof", "the proof has too many hashes")
    if not data:
        return ()
    try:
        text = data.decode("ascii")
    except UnicodeDecodeError:
        raise Rejected("bad_proof", "the proof is not text") from None
    if not text.endswith("\n"):
        raise Rejected("bad_proof", "the last line of the proof does not end")
    return _hashes(text[:-1].split("\n"))


def _hashes(lines: Sequence[str]) -> tuple[bytes, ...]:
    if len(lines) > MAX_PROOF_HASHES + 1:
        raise Rejected("bad_proof", "the proof has too many hashes")
    hashes = tuple(strict_base64(line, "bad_proof") for line in lines)
    if any(len(digest) != HASH_BYTES for digest in hashes):
        raise Rejected("bad_proof", "a hash of the proof is not 32 bytes long")
    return hashes
