"""A pair: ECDSA over P-256 with SHA-256 and ML-DSA-44 as one key, whose signature holds only if both halves do.

So that what a pair signs rests on neither kind alone, and a threshold counts persons: of two separate keys for each
person, many forged signatures of the broken kind would make up for missing ones of the other.

Everything has one encoding, of one length; "Pairs" in proto/README.md defines the bytes. Both halves sign the same
message, which names the pair: no half of a signature holds under another pair, by itself, or for anything else.
"""

from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey, MLDSA44PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from paiza_wire.errors import Rejected
from paiza_wire.identity import keys

LABEL: Final = b"paiza/v1/pair\n"
"""Stands before everything that a pair signs, so that it is never taken for a signature over anything else."""

POINT_BYTES: Final = 65
"""An uncompressed point of P-256 (SEC 1 §2.3.3): 4, x, y."""

MLDSA44_PUBLIC_KEY_BYTES: Final = 1312
"""FIPS 204 table 2."""

PUBLIC_KEY_BYTES: Final = POINT_BYTES + MLDSA44_PUBLIC_KEY_BYTES
"""Length of every public key."""

SCALAR_BYTES: Final = 32
"""Each of the two numbers of an ECDSA signature over P-256."""

SIGNATURE_BYTES: Final = 2 * SCALAR_BYTES + keys.MLDSA44_SIGNATURE_BYTES
"""Length of every signature."""

# FIPS 186-5 with SP 800-186 §3.2.1.3: the order of P-256's group.
_ORDER: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


@dataclass(frozen=True, slots=True)
class PairPublicKey:
    """A parsed public key; ``encoded`` is its one encoding, P-256 before ML-DSA-44."""

    encoded: bytes
    _classical: EllipticCurvePublicKey = field(repr=False, compare=False)
    _lattice: MLDSA44PublicKey = field(repr=False, compare=False)

    @classmethod
    def from_bytes(cls, encoded: bytes) -> "PairPublicKey":
        """Read `PUBLIC_KEY_BYTES`; ``Rejected("bad_key")`` if they are not a pair in its one encoding."""
        if len(encoded) != PUBLIC_KEY_BYTES:
            raise Rejected("bad_key", "a pair's public key has another length")
        point = encoded[:POINT_BYTES]
        try:
            classical = EllipticCurvePublicKey.from_encoded_point(SECP256R1(), point)
        except (ValueError, UnsupportedAlgorithm):
            raise Rejected("bad_key", "a pair's first half is no point of P-256") from None
        if _point(classical) != point:
            raise Rejected("bad_key", "a pair's first half is not in its canonical encoding")
        return cls(encoded, classical, keys.mldsa44_public_key(encoded[POINT_BYTES:]))

    @property
    def halves(self) -> tuple[bytes, bytes]:
        """Return the encodings of the two keys: 65 bytes of P-256, 1,312 of ML-DSA-44."""
        return self.encoded[:POINT_BYTES], self.encoded[POINT_BYTES:]

    def verify(self, signature: bytes, data: bytes) -> None:
        """Check that both halves signed exactly these bytes; ``Rejected("bad_signature")`` otherwise."""
        if len(signature) != SIGNATURE_BYTES:
            raise Rejected("bad_signature", "a pair's signature has another length")
        r = int.from_bytes(signature[:SCALAR_BYTES], "big")
        s = int.from_bytes(signature[SCALAR_BYTES : 2 * SCALAR_BYTES], "big")
        if s > _ORDER // 2:  # with s, the order less s holds too: that would be a second signature
            raise Rejected("bad_signature", "the first half of a pair's signature is not in its canonical form")
        message = signed_message(self.encoded, data)
        keys.verify(self._classical, encode_dss_signature(r, s), message)
        keys.verify_mldsa44(self._lattice, signature[2 * SCALAR_BYTES :], message)


@dataclass(frozen=True, slots=True, eq=False)
class PairPrivateKey:
    """Both private keys of a pair, and its public key."""

    public_key: PairPublicKey
    _classical: EllipticCurvePrivateKey = field(repr=False)
    _lattice: MLDSA44PrivateKey = field(repr=False)

    @classmethod
    def generate(cls) -> "PairPrivateKey":
        """Make a new pair."""
        return cls.from_halves(keys.generate_p256(), keys.generate_mldsa44())

    @classmethod
    def from_halves(cls, classical: EllipticCurvePrivateKey, lattice: MLDSA44PrivateKey) -> "PairPrivateKey":
        """Join a private key over P-256 and one of ML-DSA-44; neither may serve anything else."""
        encoded = _point(classical.public_key()) + lattice.public_key().public_bytes_raw()
        return cls(PairPublicKey.from_bytes(encoded), classical, lattice)

    def to_pem(self) -> tuple[bytes, bytes]:
        """Encode the two halves, each as PKCS #8 PEM: P-256, ML-DSA-44."""
        lattice = self._lattice.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return keys.private_key_to_pem(self._classical), lattice

    def sign(self, data: bytes) -> bytes:
        """Sign these bytes with both halves: `SIGNATURE_BYTES`. No two signatures are alike."""
        message = signed_message(self.public_key.encoded, data)
        r, s = decode_dss_signature(keys.sign(self._classical, message))
        scalars = b"".join(each.to_bytes(SCALAR_BYTES, "big") for each in (r, min(s, _ORDER - s)))
        return scalars + keys.sign_mldsa44(self._lattice, message)


def signed_message(public_key: bytes, data: bytes) -> bytes:
    """Return the bytes that both halves of a pair sign."""
    return LABEL + sha256(public_key).digest() + data


def _point(public_key: EllipticCurvePublicKey) -> bytes:
    return public_key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
