"""The kinds of secret key that are stored, each with its PKCS #8 form (RFC 5958).

P-256, Ed25519 and ML-DSA-44 keys have the forms of RFC 5915, RFC 8410 and RFC 9881 (a key as its seed alone). An X-Wing
key is its 32-byte seed in `privateKey`, under the identifier of draft-connolly-cfrg-xwing-kem. The key of the search
index is no private key; it has the same form under the identifier of HMAC-SHA256 (RFC 8018 §B.1.2), so that all key
files are of one format.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final, Generic, TypeVar

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
)

from paiza_wire.errors import Rejected
from paiza_wire.identity import der

SEED_BYTES: Final = 32
"""Length of an X-Wing seed and of the key of the search index."""

Key = TypeVar("Key")

_SEQUENCE: Final = 0x30
_OCTETS: Final = 0x04
_VERSION: Final = der.encode_integer(0)
_X_WING: Final = bytes.fromhex("060b2b0601040183e62d81c87a")  # 1.3.6.1.4.1.62253.25722
_HMAC_SHA256: Final = bytes.fromhex("06082a864886f70d0209")


@dataclass(frozen=True, slots=True)
class KeyKind(Generic[Key]):
    """A kind of secret key: its name for people, and its PKCS #8 form (DER) read and written.

    ``read`` raises ``Rejected("bad_key")`` for every other kind.
    """

    name: str
    read: Callable[[bytes], Key] = field(repr=False)
    write: Callable[[Key], bytes] = field(repr=False)


def _load(pkcs8: bytes) -> object:
    try:
        return load_der_private_key(pkcs8, None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise Rejected("bad_key", "not a private key") from None


def _p256(pkcs8: bytes) -> EllipticCurvePrivateKey:
    private_key = _load(pkcs8)
    if not isinstance(private_key, EllipticCurvePrivateKey) or not isinstance(private_key.curve, SECP256R1):
        raise Rejected("bad_key", "not a private key on P-256")
    return private_key


def _ed25519(pkcs8: bytes) -> Ed25519PrivateKey:
    private_key = _load(pkcs8)
    if not isinstance(private_key, Ed25519PrivateKey):
        raise Rejected("bad_key", "not an Ed25519 private key")
    return private_key


def _mldsa44(pkcs8: bytes) -> MLDSA44PrivateKey:
    private_key = _load(pkcs8)
    if not isinstance(private_key, MLDSA44PrivateKey):
        raise Rejected("bad_key", "not an ML-DSA-44 private key")
    return private_key


def _write(private_key: EllipticCurvePrivateKey | Ed25519PrivateKey | MLDSA44PrivateKey) -> bytes:
    return private_key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())


def _of_seed(name: str, identifier: bytes) -> KeyKind[bytes]:
    def write(seed: bytes) -> bytes:
        assert len(seed) == SEED_BYTES, "a seed of another length"
        algorithm = der.encode(_SEQUENCE, identifier)
        return der.encode(_SEQUENCE, _VERSION + algorithm + der.encode(_OCTETS, seed))

    def read(pkcs8: bytes) -> bytes:
        seed = pkcs8[-SEED_BYTES:]
        if len(seed) != SEED_BYTES or write(seed) != pkcs8:
            raise Rejected("bad_key", f"not a key of the kind {name}")
        return seed

    return KeyKind(name, read, write)


P256: Final = KeyKind("P-256", _p256, _write)
ED25519: Final = KeyKind("Ed25519", _ed25519, _write)
MLDSA44: Final = KeyKind("ML-DSA-44", _mldsa44, _write)
X_WING: Final = _of_seed("X-Wing", _X_WING)
INDEX: Final = _of_seed("HMAC-SHA256", _HMAC_SHA256)

_KINDS: Final[Sequence[KeyKind[Any]]] = (P256, ED25519, MLDSA44, X_WING, INDEX)


def check_key(pkcs8: bytes) -> None:
    """Check that these bytes are a key of one of the kinds; ``Rejected("bad_key")`` otherwise."""
    for kind in _KINDS:
        with suppress(Rejected):
            kind.read(pkcs8)
            return
    raise Rejected("bad_key", "not a key of any kind")
