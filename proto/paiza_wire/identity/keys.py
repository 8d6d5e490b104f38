"""Signature keys: Ed25519 (RFC 8032) for logs, ECDSA over P-256 with SHA-256 (FIPS 186-5) for officers and TLS.

ML-DSA-44 (FIPS 204) for witnesses has functions of its own, so that it is never taken for one of the others. The
wrappers are thin: a foreign key, signature or passphrase raises nothing but `Rejected`. The type of a key distinguishes
the two kinds; every other kind is refused. An ECDSA signature is not unique: anybody can derive another valid signature
of the same bytes, so a signature must never serve as an identifier.
"""

from hashlib import sha256
from typing import Final, TypeAlias, TypeGuard

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey, MLDSA44PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_public_key,
    load_pem_public_key,
)

from paiza_wire.errors import Rejected
from paiza_wire.identity import private_keys, sealing
from paiza_wire.identity.sealing import MAX_KEY_FILE_BYTES, Sealer

PrivateKey: TypeAlias = Ed25519PrivateKey | EllipticCurvePrivateKey
"""A parsed private key; callers keep it, parsing costs more than signing."""

PublicKey: TypeAlias = Ed25519PublicKey | EllipticCurvePublicKey
"""A parsed public key; callers keep it, parsing costs a good part of a verification."""

MAX_SIGNATURE_BYTES: Final = 72
"""The longest DER encoding of a P-256 signature; Ed25519 signatures have 64 bytes."""

MLDSA44_SEED_BYTES: Final = 32
"""FIPS 204 §3.6.3: what a private key is made of."""

MLDSA44_SIGNATURE_BYTES: Final = 2420
"""FIPS 204 table 2."""

_ECDSA_SHA256: Final = ECDSA(hashes.SHA256())

_FIELD_25519: Final = 2**255 - 19
_ORDER_8: Final = 0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826
_SMALL_ORDER_Y: Final = frozenset({0, 1, _FIELD_25519 - 1, _ORDER_8, _FIELD_25519 - _ORDER_8})
"""Second coordinates of the eight points whose order divides 8: 0 and the last two are those of two points each."""


def generate_ed25519() -> Ed25519PrivateKey:
    """Generate a key for a log."""
    return Ed25519PrivateKey.generate()


def generate_p256() -> EllipticCurvePrivateKey:
    """Generate a key for an officer, a node or an authority."""
    return generate_private_key(SECP256R1())


def sign(private_key: PrivateKey, data: bytes) -> bytes:
    """Sign these bytes: 64 bytes for Ed25519, up to 72 bytes of DER for P-256 with SHA-256."""
    if isinstance(private_key, Ed25519PrivateKey):
        return private_key.sign(data)
    return private_key.sign(data, _ECDSA_SHA256)


def verify(public_key: PublicKey, signature: bytes, data: bytes) -> None:
    """Check that the key's holder signed exactly these bytes; ``Rejected("bad_signature")`` otherwise."""
    if len(signature) > MAX_SIGNATURE_BYTES:
        raise Rejected("bad_signature", "the signature is too long")
    try:
        if isinstance(public_key, Ed25519PublicKey):
            public_key.verify(signature, data)
        else:
            public_key.verify(signature, data, _ECDSA_SHA256)
    except (InvalidSignature, ValueError):
        raise Rejected("bad_signature", "the signature does not match") from None


def ed25519_public_key(raw: bytes) -> Ed25519PublicKey:
    """Read the 32 bytes of RFC 8032 §5.1.5; ``Rejected("bad_key")`` if they are not a key of large order in them."""
    try:
        public_key = Ed25519PublicKey.from_public_bytes(raw)
    except (ValueError, UnsupportedAlgorithm):
        raise Rejected("bad_key", "not an Ed25519 public key") from None
    _check_point(raw)
    return public_key


def generate_mldsa44() -> MLDSA44PrivateKey:
    """Generate a key for a witness."""
    return MLDSA44PrivateKey.generate()


def mldsa44_private_key(seed: bytes) -> MLDSA44PrivateKey:
    """Expand a seed (FIPS 204 algorithm 6); ``Rejected("bad_key")`` if it is not 32 bytes long."""
    try:
        return MLDSA44PrivateKey.from_seed_bytes(seed)
    except (ValueError, UnsupportedAlgorithm):
        raise Rejected("bad_key", "not the seed of an ML-DSA-44 key") from None


def mldsa44_public_key(raw: bytes) -> MLDSA44PublicKey:
    """Read the 1,312 bytes of FIPS 204 algorithm 23; ``Rejected("bad_key")`` if they are not a key."""
    try:
        return MLDSA44PublicKey.from_public_bytes(raw)
    except (ValueError, UnsupportedAlgorithm):
        raise Rejected("bad_key", "not an ML-DSA-44 public key") from None


def mldsa44_public_key_from_pem(pem: str) -> bytes:
    """Return the 1,312 bytes of a public key in PEM as the library writes it; ``Rejected("bad_key")`` otherwise."""
    if len(pem) > MAX_KEY_FILE_BYTES:
        raise Rejected("bad_key", "the public key is too long")
    try:
        public_key = load_pem_public_key(pem.encode())
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise Rejected("bad_key", "not a public key in PEM") from None
    if not isinstance(public_key, MLDSA44PublicKey):
        raise Rejected("bad_key", "the public key is not of ML-DSA-44")
    if public_key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode() != pem:
        raise Rejected("bad_key", "the public key is not in its canonical encoding")
    return public_key.public_bytes_raw()


def sign_mldsa44(private_key: MLDSA44PrivateKey, data: bytes) -> bytes:
    """Sign these bytes, with an empty context; hedged, so that no two signatures are alike."""
    return private_key.sign(data)


def verify_mldsa44(public_key: MLDSA44PublicKey, signature: bytes, data: bytes) -> None:
    """Check that the key's holder signed exactly these bytes; ``Rejected("bad_signature")`` otherwise."""
    try:
        public_key.verify(signature, data)
    except (InvalidSignature, ValueError):
        raise Rejected("bad_signature", "the signature does not match") from None


def public_key_to_spki(public_key: PublicKey) -> bytes:
    """Encode as DER SubjectPublicKeyInfo (RFC 5280 §4.1.2.7)."""
    return public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def public_key_from_spki(spki: bytes) -> PublicKey:
    """Read DER SubjectPublicKeyInfo of an Ed25519 or P-256 key in its one canonical encoding."""
    if len(spki) > MAX_KEY_FILE_BYTES:
        raise Rejected("bad_key", "the public key is too long")
    try:
        public_key = load_der_public_key(spki)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise Rejected("bad_key", "not a public key in DER") from None
    if not isinstance(public_key, Ed25519PublicKey) and not _is_p256(public_key):
        raise Rejected("bad_key", "the public key is neither Ed25519 nor P-256")
    if public_key_to_spki(public_key) != spki:
        raise Rejected("bad_key", "the public key is not in its canonical encoding")
    if isinstance(public_key, Ed25519PublicKey):
        _check_point(public_key.public_bytes_raw())
    return public_key


def fingerprint(public_key: PublicKey) -> bytes:
    """Return the 32 bytes that name a key: SHA-256 of its SubjectPublicKeyInfo."""
    return sha256(public_key_to_spki(public_key)).digest()


def private_key_to_pem(private_key: PrivateKey, passphrase: bytes | None = None) -> bytes:
    """Encode as PKCS #8 PEM (RFC 5958), sealed under a passphrase if one is given."""
    pkcs8 = private_key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    if passphrase is None:
        return sealing.unsealed(pkcs8)
    assert passphrase, "an empty passphrase protects nothing"
    return Sealer(lambda: passphrase).seal(pkcs8)


def private_key_from_pem(pem: bytes, passphrase: bytes | None = None) -> PrivateKey:
    """Read an Ed25519 or P-256 private key in PKCS #8 PEM; a passphrase is ignored where none was set.

    ``Rejected("bad_passphrase")`` asks for the (right) passphrase, ``Rejected("bad_key")`` means that this is no
    key for us. A file changed inside its encryption cannot be told from a wrong passphrase.
    """
    if sealing.is_sealed(pem) and not passphrase:
        raise Rejected("bad_passphrase", "the key is sealed and no passphrase was given")
    pkcs8 = Sealer(lambda: passphrase or b"").open(pem)
    try:
        return private_keys.ED25519.read(pkcs8)
    except Rejected:
        return private_keys.P256.read(pkcs8)


def _check_point(raw: bytes) -> None:
    """Refuse an Ed25519 key of small order, for which signatures hold that nobody made, or in a second encoding.

    RFC 8032 §5.1.3 demands the latter of every reader; OpenSSL reduces the coordinate instead. A first coordinate of 0
    with its sign set would be a second encoding too: the two points that have it are of small order.
    """
    y = int.from_bytes(raw, "little") & (1 << 255) - 1
    if y >= _FIELD_25519:
        raise Rejected("bad_key", "the Ed25519 public key is not in its canonical encoding")
    if y in _SMALL_ORDER_Y:
        raise Rejected("bad_key", "the Ed25519 public key is a point of small order")


def _is_p256(public_key: object) -> TypeGuard[EllipticCurvePublicKey]:
    return isinstance(public_key, EllipticCurvePublicKey) and isinstance(public_key.curve, SECP256R1)
