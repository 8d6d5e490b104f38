"""Fork proofs: two checkpoints that a log's keys signed and that cannot both be true.

There are three kinds: one size with two roots; a checkpoint whose consistency proof leads to another root at a smaller
size than the log signed for that size; two entries at one index. Checking needs only the log's public keys: all that it
ever had, since a log that changes its key stays answerable for what it signed with the former one.
"""

import json
from base64 import b64encode
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

from google.protobuf.message import DecodeError

from paiza.core.v1 import fork_proof_pb2
from paiza_wire.errors import Rejected
from paiza_wire.tlog import checkpoint as checkpoints
from paiza_wire.tlog import merkle
from paiza_wire.tlog.checkpoint import Checkpoint, VerifiedCheckpoint
from paiza_wire.tlog.notes import VerifierKey, format_note, parse_note, strict_base64

FORMAT: Final = "paiza-fork-proof/1"
MAX_PROOF_HASHES: Final = 128  # a proof between any two sizes, or of any entry, has fewer
MAX_FILE_BYTES: Final = 1024 * 1024  # two notes with every cosignature they may carry, and the hashes
_OTHER_PREFIX: Final = "other_prefix"
_OTHER_ENTRY: Final = "other_entry"


@dataclass(frozen=True, slots=True)
class Fork:
    """A verified fork: two checkpoints of one log that contradict each other.

    ``size`` is the first size that differs: the smaller of the two sizes, or the index of the entry plus one. ``proof``
    is the verified proof, serialized; ``digest`` identifies the two notes, in their order.
    """

    origin: str
    first: VerifiedCheckpoint
    second: VerifiedCheckpoint
    size: int
    proof: bytes

    @property
    def digest(self) -> bytes:
        """Return SHA-256 over both notes, the evidence of a FORK_FOUND entry."""
        return digest(self.first.note, self.second.note)


def digest(first_note: bytes, second_note: bytes) -> bytes:
    """Return the digest of two notes: SHA-256 over both."""
    return sha256(first_note + second_note).digest()


def same_size(one: VerifiedCheckpoint, other: VerifiedCheckpoint) -> Fork:
    """Build the proof that one size has two signed roots."""
    first, second = sorted((one, other), key=lambda checkpoint: checkpoint.root)
    return _checked(fork_proof_pb2.ForkProof(first_note=first.note, second_note=second.note), first, second)


def other_prefix(first: VerifiedCheckpoint, second: VerifiedCheckpoint, root: bytes, hashes: Iterable[bytes]) -> Fork:
    """Build the proof that the tree of the second, larger checkpoint has another root at the size of the first."""
    shown = fork_proof_pb2.OtherPrefix(root=root, consistency_hashes=hashes)
    proof = fork_proof_pb2.ForkProof(first_note=first.note, second_note=second.note, other_prefix=shown)
    return _checked(proof, first, second)


def other_entry(first: VerifiedCheckpoint, second: VerifiedCheckpoint, shown: fork_proof_pb2.OtherEntry) -> Fork:
    """Build the proof that two checkpoints hold different entries at one index."""
    if second.size < first.size:
        first, second = second, first
        shown = fork_proof_pb2.OtherEntry(
            index=shown.index,
            first_leaf=shown.second_leaf,
            first_hashes=shown.second_hashes,
            second_leaf=shown.first_leaf,
            second_hashes=shown.first_hashes,
        )
    proof = fork_proof_pb2.ForkProof(first_note=first.note, second_note=second.note, other_entry=shown)
    return _checked(proof, first, second)


def read_origin(note: bytes) -> str:
    """Return the origin in a note, unverified; ``Rejected("bad_checkpoint")`` if it is not a checkpoint."""
    try:
        return Checkpoint.parse(parse_note(note).text).origin
    except Rejected as refused:
        raise Rejected("bad_checkpoint", refused.detail) from None


def read_size(note: bytes) -> int:
    """Return the size in a note, unverified; 0 for an empty note, ``Rejected`` if it is not a checkpoint."""
    return Checkpoint.parse(parse_note(note).text).size if note else 0


def proof_origin(data: bytes) -> str:
    """Return the origin in a proof, unverified; ``Rejected`` if it is not a proof."""
    return read_origin(_parsed(data).first_note)


def minimal_note(note: bytes, *keys: VerifierKey) -> bytes:
    """Return a verified note with one signature by each of these keys, so that others cannot make it larger."""
    parsed = parse_note(note)
    known = {(key.name, key.key_id) for key in keys}
    own = {(one.name, one.key_id): one for one in reversed(parsed.signatures) if (one.name, one.key_id) in known}
    assert own, "the note was verified by these keys"
    return format_note(parsed.text, reversed(own.values()))


def minimal_proof(data: bytes, *keys: VerifierKey) -> bytes:
    """Return a proof without other signatures and unknown fields: it is stored, and sent to all members.

    ``Rejected`` if no key of the log has signed each note; nothing else is verified.
    """
    proof = _parsed(data)
    for name in ("first_note", "second_note"):
        verified = checkpoints.verify(getattr(proof, name), keys, keys[0].name)
        setattr(proof, name, minimal_note(verified.note, *keys))
    return proof.SerializeToString(deterministic=True)


def verify(data: bytes, *keys: VerifierKey) -> Fork:
    """Check a proof against the public keys of its log, which are named by one origin.

    1. Both notes are checkpoints of that log, each signed by one of its keys, whether abandoned or not.
    2. They contradict each other in the way that the proof names.

    ``Rejected("bad_proof")`` or ``Rejected("bad_checkpoint")`` otherwise. The caller ensures that the keys are those of
    the log.
    """
    proof = _parsed(data)
    # 1.
    first = checkpoints.verify(proof.first_note, keys, keys[0].name)
    second = checkpoints.verify(proof.second_note, keys, keys[0].name)
    # 2.
    return _checked(proof, first, second)


def _parsed(data: bytes) -> fork_proof_pb2.ForkProof:
    try:
        proof = fork_proof_pb2.ForkProof.FromString(data)
    except DecodeError:
        raise Rejected("bad_proof", "the proof of a fork is not of its format") from None
    proof.DiscardUnknownFields()  # a proof is stored, shown and sent on: nothing goes along that was not verified
    return proof


def _checked(proof: fork_proof_pb2.ForkProof, first: VerifiedCheckpoint, second: VerifiedCheckpoint) -> Fork:
    size = _contradiction(proof, first, second)
    return Fork(first.origin, first, second, size, proof.SerializeToString(deterministic=True))


def _contradiction(proof: fork_proof_pb2.ForkProof, first: VerifiedCheckpoint, second: VerifiedCheckpoint) -> int:
    """Return the first size at which two checkpoints contradict each other.

    Rejected if the proof does not prove it.
    """
    if first.origin != second.origin or first.size > second.size:
        raise Rejected("bad_proof", "the notes are of two logs, or not in their order")
    shown = proof.WhichOneof("shown")
    if shown == _OTHER_PREFIX:
        other = proof.other_prefix
        if len(other.consistency_hashes) > MAX_PROOF_HASHES:
            raise Rejected("bad_proof", f"the proof has over {MAX_PROOF_HASHES} hashes")
        # From size 0 nothing can differ, and of one size no proof is needed.
        if not 0 < first.size < second.size or other.root == first.root:
            raise Rejected("bad_proof", "the proof shows no other beginning")
        merkle.verify_consistency(first.size, other.root, second.size, second.root, other.consistency_hashes)
        return first.size
    if shown == _OTHER_ENTRY:
        entry = proof.other_entry
        if max(len(entry.first_hashes), len(entry.second_hashes)) > MAX_PROOF_HASHES:
            raise Rejected("bad_proof", f"the proof has over {MAX_PROOF_HASHES} hashes")
        if entry.first_leaf == entry.second_leaf:
            raise Rejected("bad_proof", "the proof shows one entry, not two")
        merkle.verify_inclusion(entry.first_leaf, entry.index, first.size, entry.first_hashes, first.root)
        merkle.verify_inclusion(entry.second_leaf, entry.index, second.size, entry.second_hashes, second.root)
        return entry.index + 1
    if first.size != second.size or first.root == second.root:
        raise Rejected("bad_proof", "the notes do not contradict each other")
    return first.size


def format_file(fork: Fork, *keys: VerifierKey) -> bytes:
    """Format a proof as a file: JSON with the text of both notes and the log's public keys."""
    proof = fork_proof_pb2.ForkProof.FromString(fork.proof)
    content: dict[str, Any] = {
        "format": FORMAT,
        "log_keys": [key.to_vkey() for key in keys],
        "first_note": fork.first.note.decode(),
        "second_note": fork.second.note.decode(),
    }
    match proof.WhichOneof("shown"):
        case "other_prefix":
            other = proof.other_prefix
            content[_OTHER_PREFIX] = {
                "root": _encoded(other.root),
                "consistency_hashes": [_encoded(each) for each in other.consistency_hashes],
            }
        case "other_entry":
            entry = proof.other_entry
            content[_OTHER_ENTRY] = {
                "index": entry.index,
                "first_leaf": _encoded(entry.first_leaf),
                "first_hashes": [_encoded(each) for each in entry.first_hashes],
                "second_leaf": _encoded(entry.second_leaf),
                "second_hashes": [_encoded(each) for each in entry.second_hashes],
            }
    return json.dumps(content, ensure_ascii=False, indent=2).encode() + b"\n"


def verify_file(data: bytes) -> tuple[Fork, tuple[VerifierKey, ...]]:
    """Check a file from `format_file`; return the fork and the keys it was checked with, all of one name.

    The caller must compare each key with the register or with an archived set of it. ``Rejected("bad_evidence")`` if
    the file has another format.
    """
    if len(data) > MAX_FILE_BYTES:
        raise Rejected("bad_evidence", "the file is too large")
    try:
        content = json.loads(data)
        if not isinstance(content, dict) or content.get("format") != FORMAT:
            raise Rejected("bad_evidence", f"the file is not of the format {FORMAT}")
        proof = _read(content)
        vkeys = [str(vkey) for vkey in content["log_keys"]]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise Rejected("bad_evidence", f"the file is not of the format {FORMAT}") from None
    keys = tuple(map(VerifierKey.from_vkey, vkeys))
    if len({key.name for key in keys}) != 1:
        raise Rejected("bad_evidence", "the file names no key, or keys of several logs")
    return verify(proof.SerializeToString(deterministic=True), *keys), keys


def _read(content: dict[str, Any]) -> fork_proof_pb2.ForkProof:
    proof = fork_proof_pb2.ForkProof(
        first_note=str(content["first_note"]).encode(), second_note=str(content["second_note"]).encode()
    )
    if _OTHER_PREFIX in content:
        other = content[_OTHER_PREFIX]
        proof.other_prefix.root = _decoded(other["root"])
        proof.other_prefix.consistency_hashes.extend(map(_decoded, other["consistency_hashes"]))
    if _OTHER_ENTRY in content:
        entry = content[_OTHER_ENTRY]
        proof.other_entry.index = entry["index"]
        proof.other_entry.first_leaf = _decoded(entry["first_leaf"])
        proof.other_entry.first_hashes.extend(map(_decoded, entry["first_hashes"]))
        proof.other_entry.second_leaf = _decoded(entry["second_leaf"])
        proof.other_entry.second_hashes.extend(map(_decoded, entry["second_hashes"]))
    return proof


def _encoded(data: bytes) -> str:
    return b64encode(data).decode()


def _decoded(text: str) -> bytes:
    return strict_base64(text, "bad_evidence")
