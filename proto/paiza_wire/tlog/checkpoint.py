"""Checkpoints (C2SP tlog-checkpoint): size and root of a log's tree, in a note signed by the log's key.

A log's keys are named by the log's origin. It has one, or while one follows another several, all of which sign each
note. Extension lines, which the specification allows and advises against, are refused: later kinds of signature do not
cover them.
"""

import re
from base64 import b64encode
from collections.abc import Container, Iterable
from dataclasses import dataclass
from typing import Final

from paiza_wire.errors import Rejected
from paiza_wire.tlog.merkle import EMPTY_ROOT, HASH_BYTES, MAX_TREE_SIZE
from paiza_wire.tlog.notes import SignerKey, VerifierKey, checked_name, sign_note, strict_base64, verify_note

MAX_SIZE_DIGITS: Final = 19
"""Decimal digits of the largest tree size."""

_DECIMAL: Final = re.compile(r"0|[1-9][0-9]*")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The statement of a log at one moment: ``size`` entries, and the ``root`` of the tree over them."""

    origin: str
    size: int
    root: bytes

    def format(self) -> bytes:
        """Return the note's text: three lines, each ended."""
        return f"{self.origin}\n{self.size}\n{b64encode(self.root).decode()}\n".encode()

    @classmethod
    def parse(cls, text: bytes) -> "Checkpoint":
        """Parse a note's text; ``Rejected("bad_checkpoint")`` if it is not exactly one checkpoint."""
        try:
            lines = text.decode("utf-8").split("\n")
        except UnicodeDecodeError:
            raise Rejected("bad_checkpoint", "the checkpoint is not UTF-8") from None
        if len(lines) != 4 or lines[3]:  # noqa: PLR2004 - three lines, and nothing after the last newline
            raise Rejected("bad_checkpoint", "the checkpoint has not exactly three lines")
        origin, digits, encoded = lines[:3]
        if len(digits) > MAX_SIZE_DIGITS or not _DECIMAL.fullmatch(digits):
            raise Rejected("bad_checkpoint", "the tree size is not a number")
        size = int(digits)
        try:
            root = strict_base64(encoded)
            checked_name(origin)
        except Rejected as refused:
            raise Rejected("bad_checkpoint", refused.detail) from None
        if size > MAX_TREE_SIZE:
            raise Rejected("bad_checkpoint", "the tree size exceeds the limit")
        if len(root) != HASH_BYTES:
            raise Rejected("bad_checkpoint", "the root is not 32 bytes long")
        if size == 0 and root != EMPTY_ROOT:
            raise Rejected("bad_checkpoint", "the root of size 0 is not that of the empty tree")
        return cls(origin, size, root)


@dataclass(frozen=True, slots=True)
class VerifiedCheckpoint:
    """A checkpoint that the log of this origin has signed; ``note`` is the signed note as received."""

    origin: str
    size: int
    root: bytes
    note: bytes


def sign(checkpoint: Checkpoint, *signers: SignerKey) -> bytes:
    """Return the note, signed with each key. The caller ensures consistency with earlier checkpoints of this log."""
    assert {signer.verifier_key.name for signer in signers} == {checkpoint.origin}, "a log's keys are named by it"
    text = checkpoint.format()
    assert Checkpoint.parse(text) == checkpoint
    return sign_note(text, signers)


def verify(
    note: bytes, verifier_keys: Iterable[VerifierKey], origin: str, *, abandoned: Container[VerifierKey] = ()
) -> VerifiedCheckpoint:
    """Return the checkpoint if a key of this origin signed it; ``Rejected("bad_checkpoint")`` otherwise.

    Only keys named by the origin count; other keys among ``verifier_keys``, such as those of witnesses, are ignored.
    Of several keys that signed, each signature must hold. A note that only ``abandoned`` keys signed is refused: the
    caller names them for a note that is new, and none for one that was accepted before, or that a quorum of witnesses
    accepted. Use `merkle.verify_consistency` to check consistency with other checkpoints of the log.
    """
    try:
        verified = verify_note(note, [key for key in verifier_keys if key.name == origin])
    except Rejected as refused:
        raise Rejected("bad_checkpoint", refused.detail) from None
    if all(signer in abandoned for signer in verified.signers):
        raise Rejected("bad_checkpoint", "only keys that the log has abandoned signed it")
    checkpoint = Checkpoint.parse(verified.text)
    if checkpoint.origin != origin:
        raise Rejected("bad_checkpoint", "the checkpoint is of another log")
    return VerifiedCheckpoint(origin, checkpoint.size, checkpoint.root, note)
