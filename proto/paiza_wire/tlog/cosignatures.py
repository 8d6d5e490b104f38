"""Cosignatures (C2SP tlog-cosignature, type 0x06): a witness's statement that it saw a checkpoint of a log by a time.

Only ML-DSA-44 is supported. The signed bytes are the specification's ``cosigned_message``, which names the witness, the
time, the log, and the size and root of its tree. A witness cosigns a checkpoint only after it has verified consistency
with every earlier one and has stored it. The caller ensures this, and decides which keys count.
"""

import struct
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey, MLDSA44PublicKey

from paiza_wire.errors import Rejected
from paiza_wire.identity import keys
from paiza_wire.tlog.checkpoint import Checkpoint, VerifiedCheckpoint
from paiza_wire.tlog.notes import NoteSignature, checked_name, format_note, format_vkey, key_id, parse_note, parse_vkey

MLDSA_44: Final = 0x06
"""Signature type of a timestamped cosignature with ML-DSA-44."""

LABEL: Final = b"subtree/v1\n\0"
"""First 12 bytes of everything that is signed, so that it is never taken for a signature over anything else."""

SEED_BYTES: Final = keys.MLDSA44_SEED_BYTES
"""A witness's private key is kept as its seed (FIPS 204 §3.6.3)."""

TIME_BYTES: Final = 8
"""A time stands before the signature, in seconds since the epoch, big-endian."""

COSIGNATURE_BYTES: Final = TIME_BYTES + keys.MLDSA44_SIGNATURE_BYTES
"""Length of every cosignature, its time included and the key id left out."""

MAX_SIGNED_NAME_BYTES: Final = 255
"""A cosigner's name or an origin as it is signed: its length stands in one byte."""

MAX_SECONDS: Final = 253_402_300_799
"""The last second of the year 9999; later times are no times of ours (the specification's limit is 2^63 - 1)."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class TreeHead(Protocol):
    """The cosigned part of a checkpoint: a `Checkpoint` or a `VerifiedCheckpoint`."""

    @property
    def origin(self) -> str: ...  # noqa: D102 - as in Checkpoint

    @property
    def size(self) -> int: ...  # noqa: D102 - as in Checkpoint

    @property
    def root(self) -> bytes: ...  # noqa: D102 - as in Checkpoint


@dataclass(frozen=True, slots=True)
class WitnessKey:
    """The key that verifies one witness's cosignatures; the register publishes it as vkey text."""

    name: str
    key_id: bytes
    public_key: bytes
    handle: MLDSA44PublicKey = field(repr=False, compare=False)

    @classmethod
    def from_public_key(cls, name: str, public_key: bytes) -> "WitnessKey":
        """Name 1,312 bytes of an ML-DSA-44 public key; ``Rejected("bad_key")`` if they are invalid."""
        handle = keys.mldsa44_public_key(public_key)
        if len(checked_name(name).encode()) > MAX_SIGNED_NAME_BYTES:
            raise Rejected("bad_key", "the witness's name is too long to be signed")
        return cls(name, key_id(name, MLDSA_44, public_key), public_key, handle)

    @classmethod
    def from_vkey(cls, vkey: str) -> "WitnessKey":
        """Parse ``<name>+<hex key id>+<base64 of type and key>``; the key id must match the rest."""
        parsed = parse_vkey(vkey, MLDSA_44)
        return cls.from_public_key(parsed.name, parsed.public_key)

    def to_vkey(self) -> str:
        """Return the vkey text."""
        return format_vkey(self.name, self.key_id, MLDSA_44, self.public_key)

    def verify(self, head: TreeHead, signature: bytes) -> datetime:
        """Check one cosignature of a checkpoint and return its time; ``Rejected("bad_signature")`` otherwise."""
        if len(signature) != COSIGNATURE_BYTES:
            raise Rejected("bad_signature", "a cosignature has not the length of its kind")
        seconds = int.from_bytes(signature[:TIME_BYTES], "big")
        if seconds > MAX_SECONDS:
            raise Rejected("bad_signature", "a cosignature is of a time after the year 9999")
        keys.verify_mldsa44(self.handle, signature[TIME_BYTES:], cosigned_message(self.name, seconds, head))
        return _EPOCH + timedelta(seconds=seconds)


@dataclass(frozen=True, slots=True, eq=False)
class WitnessSigner:
    """A witness's private key under its name."""

    witness_key: WitnessKey
    private_key: MLDSA44PrivateKey = field(repr=False)

    @classmethod
    def from_seed(cls, name: str, seed: bytes) -> "WitnessSigner":
        """Build the key from a 32-byte seed; ``Rejected("bad_key")`` if the seed is invalid."""
        return cls.from_private_key(name, keys.mldsa44_private_key(seed))

    @classmethod
    def from_private_key(cls, name: str, private_key: MLDSA44PrivateKey) -> "WitnessSigner":
        """Name a private key."""
        return cls(WitnessKey.from_public_key(name, private_key.public_key().public_bytes_raw()), private_key)


@dataclass(frozen=True, slots=True)
class Cosignature:
    """A verified cosignature: the witness saw the checkpoint by this time (UTC, whole seconds)."""

    name: str
    time: datetime
    signature: NoteSignature


def cosigned_message(name: str, seconds: int, head: TreeHead) -> bytes:
    """Return the signed bytes (C2SP tlog-cosignature, "ML-DSA-44 signed message"), from size 0 to the head's."""
    cosigner, origin = name.encode(), head.origin.encode()
    if len(origin) > MAX_SIGNED_NAME_BYTES:
        raise Rejected("bad_checkpoint", "the origin is too long to be cosigned")
    return b"".join(
        (
            LABEL,
            bytes([len(cosigner)]) + cosigner,
            struct.pack(">Q", seconds),
            bytes([len(origin)]) + origin,
            struct.pack(">QQ", 0, head.size),
            head.root,
        )
    )


def cosign(checkpoint: VerifiedCheckpoint, signer: WitnessSigner, at: datetime) -> NoteSignature:
    """Return the cosignature line: at this time, this is the largest consistent tree that the witness saw of the log.

    The caller ensures that this is true and that the checkpoint was stored first. The time is truncated to the second.
    ML-DSA is hedged here (FIPS 204 §3.4): two cosignatures of the same bytes differ, and both are valid.
    """
    seconds = (at - _EPOCH) // timedelta(seconds=1)
    assert 0 < seconds <= MAX_SECONDS, "a witness signs a time between 1970 and 9999"
    key = signer.witness_key
    signature = keys.sign_mldsa44(signer.private_key, cosigned_message(key.name, seconds, checkpoint))
    return NoteSignature(key.name, key.key_id, struct.pack(">Q", seconds) + signature)


def cosignatures(note: bytes, witnesses: Iterable[WitnessKey]) -> tuple[Cosignature, ...]:
    """Return the newest cosignature of each of these witnesses in a note, in the note's order.

    Signatures by unknown keys are ignored, the log's own among them: `checkpoint.verify` checks that one. An invalid
    signature by a known key refuses the note: ``Rejected("bad_checkpoint")``. A cosignature without a time (0: no
    statement that the tree is the largest seen) must be valid too, but is not returned.
    """
    known = {(key.name, key.key_id): key for key in witnesses}
    try:
        parsed = parse_note(note)
        head = Checkpoint.parse(parsed.text)
        newest: dict[tuple[str, bytes], Cosignature] = {}
        for signature in parsed.signatures:
            identity = (signature.name, signature.key_id)
            key = known.get(identity)
            if key is None:
                continue
            time = key.verify(head, signature.signature)
            if time > _EPOCH and (identity not in newest or newest[identity].time < time):
                newest[identity] = Cosignature(key.name, time, signature)
    except Rejected as refused:
        raise Rejected("bad_checkpoint", refused.detail) from None
    return tuple(newest.values())


def add_signatures(note: bytes, signatures: Iterable[NoteSignature]) -> bytes:
    """Add signatures to a note; only the newest cosignature of a key is kept, the text is unchanged.

    Nothing is verified. ``Rejected("bad_note")`` if it is not a note or has too many signatures.
    """
    parsed = parse_note(note)
    kept: dict[tuple[str, bytes], NoteSignature] = {}
    for signature in (*parsed.signatures, *signatures):
        identity = (signature.name, signature.key_id)
        if identity not in kept or _is_newer(signature.signature, kept[identity].signature):
            kept[identity] = signature
    together = format_note(parsed.text, kept.values())
    parse_note(together)
    return together


def quorum(others: int) -> int:
    """Return the number of witnesses, out of the other active members, that must cosign a log: more than two thirds.

    Up to three witnesses that is all of them. Without witnesses the result is 1, which is never reached.
    """
    return 2 * others // 3 + 1


def _is_newer(signature: bytes, than: bytes) -> bool:
    """Return whether a cosignature is newer, by its leading time; other signatures have no time."""
    if len(signature) != COSIGNATURE_BYTES or len(than) != COSIGNATURE_BYTES:
        return False
    return signature[:TIME_BYTES] > than[:TIME_BYTES]
