"""Wrapping part keys for a member: HPKE base mode (RFC 9180 §5.1.1) with X-Wing, HKDF-SHA256 and AES-256-GCM.

X-Wing (draft-connolly-cfrg-xwing-kem; KEM id 0x647a in draft-ietf-hpke-pq) joins ML-KEM-768 and X25519: an
attacker must break both. The private key is stored as its 32-byte seed only; `private_key_from_seed` expands it. Base
mode does not authenticate the sender: the signature of the message does.

A wrap is the encapsulated key (1,120 bytes), then the AES-GCM ciphertext and tag.
"""

import os
from dataclasses import dataclass, field
from hashlib import sha256, shake_256
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import (
    AEAD,
    KDF,
    KEM,
    MLKEM768X25519PrivateKey,
    MLKEM768X25519PublicKey,
    Suite,
)

from paiza_wire.errors import Rejected

SEED_BYTES: Final = 32
"""Length of a stored private key (X-Wing draft §5.2)."""

PUBLIC_KEY_BYTES: Final = 1184 + 32
"""Length of a public key: ML-KEM-768 ‖ X25519 (X-Wing draft §5.2)."""

OVERHEAD_BYTES: Final = 1088 + 32 + 16
"""Overhead of a wrap in bytes: ML-KEM ciphertext, ephemeral X25519 key, AES-GCM tag."""

MAX_PLAINTEXT_BYTES: Final = 1024
"""Only keys are wrapped, 32 bytes each; content goes through `paiza_wire.message.part_cipher`."""

_SUITE: Final = Suite(KEM.MLKEM768_X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)


@dataclass(frozen=True, slots=True)
class EncryptionKey:
    """A member's public key, parsed; the register publishes ``public_key_bytes``, and ``key_id`` is their SHA-256."""

    public_key_bytes: bytes
    key_id: bytes
    handle: MLKEM768X25519PublicKey = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True, eq=False)
class DecryptionKey:
    """A member's private key, expanded; it has no printable form and is kept in memory only."""

    public_key: EncryptionKey
    handle: MLKEM768X25519PrivateKey = field(repr=False)


def generate_seed() -> bytes:
    """Generate a private key: 32 random bytes."""
    return os.urandom(SEED_BYTES)


def private_key_from_seed(seed: bytes) -> DecryptionKey:
    """Expand a stored seed: SHAKE256 to the ML-KEM seed (d ‖ z, 64 bytes) and the X25519 key (X-Wing draft §5.2)."""
    if len(seed) != SEED_BYTES:
        raise Rejected("bad_key", "the seed of a decryption key is not 32 bytes long")
    expanded = shake_256(seed).digest(96)
    mlkem = MLKEM768PrivateKey.from_seed_bytes(expanded[:64])
    x25519 = X25519PrivateKey.from_private_bytes(expanded[64:])
    public_key_bytes = mlkem.public_key().public_bytes_raw() + x25519.public_key().public_bytes_raw()
    return DecryptionKey(public_key_from_bytes(public_key_bytes), MLKEM768X25519PrivateKey(mlkem, x25519))


def public_key_from_bytes(public_key_bytes: bytes) -> EncryptionKey:
    """Parse a published key; ``Rejected("bad_key")`` if it is invalid (FIPS 203 §7.2 checks included)."""
    if len(public_key_bytes) != PUBLIC_KEY_BYTES:
        raise Rejected("bad_key", "the encryption key is not 1,216 bytes long")
    try:
        mlkem = MLKEM768PublicKey.from_public_bytes(public_key_bytes[:1184])
        x25519 = X25519PublicKey.from_public_bytes(public_key_bytes[1184:])
    except ValueError:
        raise Rejected("bad_key", "the encryption key is not an X-Wing key") from None
    handle = MLKEM768X25519PublicKey(mlkem, x25519)
    return EncryptionKey(public_key_bytes, sha256(public_key_bytes).digest(), handle)


def wrap(plaintext: bytes, public: EncryptionKey, info: bytes) -> bytes:
    """Encrypt a key for its recipient, bound to ``info``; every call gives another ciphertext.

    ``Rejected("bad_key")`` if the recipient's key is degenerate (a low-order X25519 point).
    """
    assert len(plaintext) <= MAX_PLAINTEXT_BYTES
    try:
        return _SUITE.encrypt(plaintext, public.handle, info)
    except ValueError:
        raise Rejected("bad_key", "nothing can be encrypted for this key") from None


def unwrap(ciphertext: bytes, private: DecryptionKey, info: bytes) -> bytes:
    """Unwrap a key that was wrapped for this key with the same ``info``; ``Rejected("cannot_open")`` on any error."""
    if not OVERHEAD_BYTES <= len(ciphertext) <= OVERHEAD_BYTES + MAX_PLAINTEXT_BYTES:
        raise Rejected("cannot_open", "the wrap has an impossible length")
    try:
        return _SUITE.decrypt(ciphertext, private.handle, info)
    except (InvalidTag, ValueError):
        raise Rejected("cannot_open", "the wrap does not open with this key and info") from None
