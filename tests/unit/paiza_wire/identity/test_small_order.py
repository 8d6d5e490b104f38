"""Ed25519 keys for which anybody can sign, or that have two encodings: refused wherever a public key is read."""

from base64 import b64encode
from collections.abc import Callable
from hashlib import sha256

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from paiza_wire.errors import Rejected
from paiza_wire.identity import keys
from paiza_wire.tlog.notes import ED25519, VerifierKey
from tests.two_verifiers import second_verifier

NAME = "kaz.paiza.example/log/1"
SPKI = bytes.fromhex("302a300506032b6570032100")  # RFC 8410 §4, what stands before the 32 bytes
FIELD = 2**255 - 19
SECOND_VKEY: Callable[[dict[str, str], int, str], object] = second_verifier().vkey

SMALL_ORDER = [
    "0100000000000000000000000000000000000000000000000000000000000000",  # order 1
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",  # order 2
    "0000000000000000000000000000000000000000000000000000000000000000",  # order 4
    "0000000000000000000000000000000000000000000000000000000000000080",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",  # order 8
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
]
# A first coordinate of 0 with its sign set, and every second coordinate that is not below the field's order.
NOT_CANONICAL = [
    "0100000000000000000000000000000000000000000000000000000000000080",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    *((y | sign << 255).to_bytes(32, "little").hex() for y in range(FIELD, 2**255) for sign in (0, 1)),
]


def read_everywhere(raw: bytes) -> list[str]:
    """Return the names of the readers that take these bytes for a key."""
    identity = sha256(NAME.encode() + b"\n" + bytes([ED25519]) + raw).digest()[:4]
    vkey = f"{NAME}+{identity.hex()}+{b64encode(bytes([ED25519]) + raw).decode()}"
    readers: dict[str, Callable[[], object]] = {
        "raw": lambda: keys.ed25519_public_key(raw),
        "SubjectPublicKeyInfo": lambda: keys.public_key_from_spki(SPKI + raw),
        "a log's name": lambda: VerifierKey.from_ed25519(NAME, raw),
        "vkey": lambda: VerifierKey.from_vkey(vkey),
        "second verifier": lambda: SECOND_VKEY({"vkey": vkey}, ED25519, "kaz."),
    }
    taken = []
    for name, read in readers.items():
        try:
            read()
        except (Rejected, ValueError):
            continue
        taken.append(name)
    return taken


@pytest.mark.parametrize("encoded", SMALL_ORDER + NOT_CANONICAL)
def test_a_key_for_which_anybody_can_sign_is_refused(encoded: str) -> None:
    """The eight points of small order, and what is not in the one encoding, are no keys anywhere."""
    assert len(bytes.fromhex(encoded)) == 32
    assert read_everywhere(bytes.fromhex(encoded)) == []


def test_a_key_of_large_order_is_read_everywhere() -> None:
    """An honest key is read by each of those readers."""
    assert len(read_everywhere(keys.generate_ed25519().public_key().public_bytes_raw())) == 5


def test_the_library_takes_a_point_of_small_order() -> None:
    """With the point of order 1 as its key, a signature that nobody made holds for one text and for any other."""
    key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(SMALL_ORDER[0]))
    anybody = bytes.fromhex(SMALL_ORDER[0]) + bytes(32)
    key.verify(anybody, b"one")
    key.verify(anybody, b"other")
    with pytest.raises(InvalidSignature):
        key.verify(bytes(64), b"one")
