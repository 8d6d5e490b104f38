"""Pairs as keys and signers of the register's metadata; the key is registered with securesystemslib.

A key's JSON, "Pairs" in proto/README.md, has one form: nothing stands in it but ``keytype``, ``scheme`` and
``keyval.public``, and its key id is the one that the TUF specification computes. So a key id names the bytes of one
key, and one key has no second id under which it could count twice.

Importing this module registers the key.
"""

import re
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from securesystemslib.exceptions import UnverifiedSignatureError
from securesystemslib.formats import encode_canonical
from securesystemslib.signer import (
    KEY_FOR_TYPE_AND_SCHEME,
    Key,
    SecretsHandler,
    Signature,
    Signer,
)
from typing_extensions import override

from paiza_wire.errors import Rejected
from paiza_wire.identity.pair import PUBLIC_KEY_BYTES, SIGNATURE_BYTES, PairPrivateKey, PairPublicKey

KEY_TYPE: Final = "paiza-pair"
SCHEME: Final = "p256-mldsa44/1"

_PUBLIC: Final = re.compile(f"[0-9a-f]{{{2 * PUBLIC_KEY_BYTES}}}")
_SIGNATURE: Final = re.compile(f"[0-9a-f]{{{2 * SIGNATURE_BYTES}}}")


class PairKey(Key):
    """A pair's public key in metadata."""

    def __init__(self, keyid: str, pair: PairPublicKey) -> None:
        super().__init__(keyid, KEY_TYPE, SCHEME, {"public": pair.encoded.hex()})
        self.pair = pair

    @classmethod
    def from_pair(cls, pair: PairPublicKey) -> "PairKey":
        """Name a pair by its key id."""
        return cls(key_id({"keytype": KEY_TYPE, "scheme": SCHEME, "keyval": {"public": pair.encoded.hex()}}), pair)

    @classmethod
    @override
    def from_dict(cls, keyid: str, key_dict: dict[str, Any]) -> "PairKey":
        """Read a key; ``ValueError`` if it is not in its one form, or under another key id."""
        public = key_dict["keyval"]["public"]
        if not isinstance(public, str) or not _PUBLIC.fullmatch(public):
            raise ValueError("a pair's public key is not written in its one way")
        try:
            key = cls.from_pair(PairPublicKey.from_bytes(bytes.fromhex(public)))
        except Rejected as error:
            raise ValueError(error.detail) from error
        if key.to_dict() != key_dict:
            raise ValueError("a pair's key holds more than a pair")
        if key.keyid != keyid:
            raise ValueError("a pair's key stands under another key id than its own")
        return key

    @override
    def to_dict(self) -> dict[str, Any]:
        """Return the key as it is written in metadata."""
        return self._to_dict()

    @override
    def verify_signature(self, signature: Signature, data: bytes) -> None:
        """Check both halves; ``UnverifiedSignatureError`` unless both hold."""
        if not _SIGNATURE.fullmatch(signature.signature):
            raise UnverifiedSignatureError("a pair's signature is not written in its one way")
        try:
            self.pair.verify(bytes.fromhex(signature.signature), data)
        except Rejected as error:
            raise UnverifiedSignatureError(error.detail) from error


class PairSigner(Signer):
    """Signs metadata with a pair."""

    def __init__(self, private_key: PairPrivateKey) -> None:
        self._private_key = private_key
        self._public_key = PairKey.from_pair(private_key.public_key)

    @classmethod
    @override
    def from_priv_key_uri(
        cls, priv_key_uri: str, public_key: Key, secrets_handler: SecretsHandler | None = None
    ) -> "PairSigner":
        """Refuse: a pair is opened by its key folder alone. The base class asks for the method."""
        raise ValueError("a pair has no URI")

    @property
    @override
    def public_key(self) -> PairKey:
        """Return the key that verifies what is signed here."""
        return self._public_key

    @override
    def sign(self, payload: bytes) -> Signature:
        """Sign with both halves."""
        return Signature(self._public_key.keyid, self._private_key.sign(payload).hex())

    def private_bytes(self) -> tuple[bytes, bytes]:
        """Return what the two key files hold."""
        return self._private_key.to_pem()


def key_files(name: Path) -> tuple[Path, Path]:
    """Return where the halves of a pair of this name lie: P-256, ML-DSA-44."""
    return name.with_name(f"{name.name}-p256.pem"), name.with_name(f"{name.name}-mldsa44.pem")


def key_id(key: dict[str, Any]) -> str:
    """Return the key id of a key in metadata (TUF specification §4.2): SHA-256 of its canonical JSON."""
    canonical = encode_canonical(key)
    assert canonical is not None, "without an output function the text is returned"
    return sha256(canonical.encode()).hexdigest()


KEY_FOR_TYPE_AND_SCHEME[KEY_TYPE, SCHEME] = PairKey
