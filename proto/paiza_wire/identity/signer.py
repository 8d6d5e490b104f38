"""A P-256 key of which only the signing is at hand: the private half is on a token, or in another process."""

from collections.abc import Callable
from typing import Any, Final, NoReturn

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurve,
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
    EllipticCurveSignatureAlgorithm,
)
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from typing_extensions import override

from paiza_wire.errors import Rejected

KEY_BITS: Final = 256


class Signer(EllipticCurvePrivateKey):
    """A public key and a function that signs bytes with ECDSA over P-256 and SHA-256 (DER).

    It is a private key to the encryption library, so that it signs wherever a private key does: certificates and
    requests (`certificates`), metadata, and as the first half of a pair (`pair`). Only its bytes cannot be had:
    ``Rejected("bad_key")``.
    """

    def __init__(self, public_key: EllipticCurvePublicKey, sign: Callable[[bytes], bytes]) -> None:
        if not isinstance(public_key.curve, SECP256R1):
            raise Rejected("bad_key", "the key is on another curve than P-256")
        self._public_key = public_key
        self._sign = sign

    @override
    def public_key(self) -> EllipticCurvePublicKey:
        """Return the public key."""
        return self._public_key

    @override
    def sign(self, data: Any, signature_algorithm: EllipticCurveSignatureAlgorithm) -> bytes:
        """Sign these bytes; ECDSA with SHA-256 is the only algorithm there is."""
        algorithm = signature_algorithm.algorithm
        if (
            not isinstance(signature_algorithm, ECDSA)
            or isinstance(algorithm, Prehashed)
            or not isinstance(algorithm, hashes.SHA256)
        ):
            raise UnsupportedAlgorithm("only ECDSA with SHA-256 is signed")
        return self._sign(bytes(data))

    @property
    @override
    def curve(self) -> EllipticCurve:
        """The curve, P-256."""
        return self._public_key.curve

    @property
    @override
    def key_size(self) -> int:
        """The size of the curve in bits."""
        return KEY_BITS

    @override
    def exchange(self, algorithm: object, peer_public_key: object) -> NoReturn:
        """Refuse: the key only signs."""
        raise Rejected("bad_key", "the key only signs")

    @override
    def private_numbers(self) -> NoReturn:
        """Refuse: the private half is elsewhere."""
        raise Rejected("bad_key", "the private half of the key is not here")

    @override
    def private_bytes(self, encoding: object, format: object, encryption_algorithm: object) -> NoReturn:
        """Refuse: the private half is elsewhere."""
        raise Rejected("bad_key", "the private half of the key is not here")

    @override
    def __copy__(self) -> "Signer":
        return self

    @override
    def __deepcopy__(self, memo: dict[Any, Any]) -> "Signer":
        return self
