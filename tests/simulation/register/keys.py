"""Keys and signatures of which a name says everything, and verifications that are made once.

Signatures with ML-DSA are hedged: no two are alike, and so no two runs of a seed would be. Here each is a hash of the
public key, a number and what is signed. Anybody could make one; in the simulation only their holders do.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import lru_cache
from hashlib import shake_256
from typing import Any, Final
from unittest import mock

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from securesystemslib.exceptions import UnverifiedSignatureError
from securesystemslib.signer import KEY_TYPE_MLDSA, CryptoSigner, Signature, SSlibKey
from tuf.api.metadata import Root

from paiza_register import roles, tuf_workflow, verified_set
from paiza_register.pair_key import PairKey
from paiza_wire.errors import Rejected
from paiza_wire.identity import keys
from paiza_wire.message import key_wrapping

NUMBER_BYTES: Final = 8
KEPT: Final = 4_000  # results of verifications


class Draws:
    """Numbers that take the place of chance: each is drawn once below a name."""

    def __init__(self) -> None:
        self._name, self._count = "", 0

    @contextmanager
    def below(self, name: str) -> Iterator[None]:
        """Draw below this name; afterwards go on as before."""
        before = self._name, self._count
        self._name, self._count = name, 0
        try:
            yield
        finally:
            self._name, self._count = before

    def draw(self, size: int) -> bytes:
        """Return the next bytes."""
        self._count += 1
        return shake_256(f"{self._name}/{self._count}".encode()).digest(size)


DRAWS: Final = Draws()


def _signature(public_key: bytes, number: bytes, data: bytes) -> bytes:
    size = keys.MLDSA44_SIGNATURE_BYTES - NUMBER_BYTES
    return number + shake_256(public_key + number + data).digest(size)


def _sign_mldsa44(private_key: Any, data: bytes) -> bytes:
    return _signature(private_key.public_key().public_bytes_raw(), DRAWS.draw(NUMBER_BYTES), data)


def _verify_mldsa44(public_key: Any, signature: bytes, data: bytes) -> None:
    if signature != _signature(public_key.public_bytes_raw(), signature[:NUMBER_BYTES], data):
        raise Rejected("bad_signature", "the signature does not match")


def _sign(private_key: Any, data: bytes) -> bytes:
    if isinstance(private_key, ec.EllipticCurvePrivateKey):
        return private_key.sign(data, ec.ECDSA(hashes.SHA256(), deterministic_signing=True))
    return bytes(private_key.sign(data))


def _sign_published(signer: CryptoSigner, payload: bytes) -> Signature:
    public = signer.public_key.keyval["public"].encode()
    return Signature(signer.public_key.keyid, _signature(public, DRAWS.draw(NUMBER_BYTES), payload).hex())


def _verify_published(key: SSlibKey, signature: Signature, data: bytes) -> None:
    made = bytes.fromhex(signature.signature)
    if key.keytype != KEY_TYPE_MLDSA or made != _signature(key.keyval["public"].encode(), made[:NUMBER_BYTES], data):
        raise UnverifiedSignatureError("the signature does not match")


def _p256() -> ec.EllipticCurvePrivateKey:
    return ec.derive_private_key(1 + int.from_bytes(DRAWS.draw(31), "big"), ec.SECP256R1())


def _once(verified: Callable[..., Any]) -> Callable[..., Any]:
    """Verify metadata under the same keys once."""
    found: dict[Any, Any] = {}

    def verify(kind: Any, data: bytes, delegator: Any, role: str) -> Any:
        delegated = delegator.get_delegated_role(role)
        key = kind, data, role, tuple(sorted(delegated.keyids)), delegated.threshold
        if key not in found:
            if len(found) > KEPT:
                found.clear()
            found[key] = verified(kind, data, delegator, role)
        return found[key]

    return verify


def _roots_once(parse: Callable[..., Any]) -> Callable[..., Any]:
    """Parse a root once."""
    found: dict[bytes, Any] = {}

    def once(kind: Any, data: bytes) -> Any:
        if kind is not Root:
            return parse(kind, data)
        if data not in found:
            if len(found) > KEPT:
                found.clear()
            found[data] = parse(kind, data)
        return found[data]

    return once


def _signers_once(signers: Callable[..., Any]) -> Callable[..., Any]:
    """Verify a root under the same root once."""
    found: dict[tuple[int, int], Any] = {}  # what they are the ids of is kept

    def once(delegator: Any, role: str, metadata: Any, payload: bytes | None = None) -> Any:
        if role != Root.type:
            return signers(delegator, role, metadata, payload)
        key = id(delegator), id(metadata)
        if key not in found:
            if len(found) > KEPT:
                found.clear()
            found[key] = signers(delegator, role, metadata, payload), delegator, metadata
        return found[key][0]

    return once


def _pairs_once() -> Any:
    """Read a pair once."""
    found: dict[tuple[str, str], PairKey] = {}
    read = PairKey.from_dict.__func__  # type: ignore[attr-defined]

    def once(cls: type[PairKey], keyid: str, values: dict[str, Any]) -> PairKey:
        name = keyid, json.dumps(values, sort_keys=True, default=str)
        if name not in found:
            found[name] = read(cls, keyid, values)
        return found[name]

    return classmethod(once)


@contextmanager
def stand_ins() -> Iterator[None]:
    """Replace chance and what costs time: signatures with ML-DSA, fsync, and what was verified before."""
    with ExitStack() as stack:

        def replace(where: Any, name: str, by: Any) -> None:
            stack.enter_context(mock.patch.object(where, name, by))

        replace(keys, "sign_mldsa44", _sign_mldsa44)
        replace(keys, "verify_mldsa44", _verify_mldsa44)
        replace(keys, "sign", _sign)
        replace(keys, "generate_p256", _p256)
        replace(keys, "generate_ed25519", lambda: Ed25519PrivateKey.from_private_bytes(DRAWS.draw(32)))
        replace(keys, "generate_mldsa44", lambda: keys.mldsa44_private_key(DRAWS.draw(32)))
        replace(key_wrapping, "generate_seed", lambda: DRAWS.draw(32))
        replace(CryptoSigner, "sign", _sign_published)
        replace(SSlibKey, "verify_signature", _verify_published)
        replace(x509, "random_serial_number", lambda: 1 + int.from_bytes(DRAWS.draw(15), "big"))
        signed = x509.CertificateBuilder.sign
        replace(x509.CertificateBuilder, "sign", lambda *given: signed(*given, ecdsa_deterministic=True))
        replace(tuf_workflow, "verified", _once(tuf_workflow.verified))
        replace(tuf_workflow, "parse", _roots_once(tuf_workflow.parse))
        replace(tuf_workflow, "_signers", _signers_once(tuf_workflow._signers))
        replace(PairKey, "from_dict", _pairs_once())
        for name in ("Federation", "parse_member", "parse_revoked"):
            replace(verified_set, name, lru_cache(KEPT)(getattr(verified_set, name)))
        replace(roles, "publisher_bytes", _by_public(roles.publisher_bytes))
        stack.enter_context(mock.patch("os.fsync", return_value=None))
        yield


def _by_public(read: Callable[[Any], bytes]) -> Callable[[Any], bytes]:
    """Read a publisher's key once."""
    found: dict[tuple[str, str], bytes] = {}

    def once(key: Any) -> bytes:
        if not isinstance(key, SSlibKey):
            return read(key)
        name = key.keyid, key.keyval["public"]
        if name not in found:
            found[name] = read(key)
        return found[name]

    return once


def publisher_key() -> CryptoSigner:
    """Make the key of a publisher."""
    return CryptoSigner(keys.generate_mldsa44())
