"""Wrapped keys: the published vectors of RFC 9180 and X-Wing, and every way a wrap can be wrong."""

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import cryptography_vectors
import pytest
from cryptography.hazmat.bindings._rust import openssl
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite
from hypothesis import given
from hypothesis import strategies as st

from paiza_wire.errors import Rejected
from paiza_wire.message import key_wrapping

VECTORS = Path(cryptography_vectors.__file__).parent / "HPKE"
XWING = 0x647A
PRIVATE = key_wrapping.private_key_from_seed(key_wrapping.generate_seed())
OTHER = key_wrapping.private_key_from_seed(key_wrapping.generate_seed())
KEY = bytes(range(32))
INFO = b"wrap of part 1"
WRAP = key_wrapping.wrap(KEY, PRIVATE.public_key, INFO)


def load(name: str, **wanted: int) -> list[dict[str, Any]]:
    """Load the vectors of a file whose fields have these values."""
    vectors: list[dict[str, Any]] = json.loads((VECTORS / name).read_text())
    return [vector for vector in vectors if all(vector[field] == value for field, value in wanted.items())]


def field(vector: dict[str, Any], name: str) -> bytes:
    """Decode a hexadecimal field."""
    return bytes.fromhex(vector[name])


def first_decryption(suite: Suite, vector: dict[str, Any], private_key: Any) -> bytes:
    """Decrypt a vector's first message, which has associated data: the library's single-shot interface has none."""
    encryption = vector["encryptions"][0]
    return openssl.hpke._decrypt_with_aad(
        suite,
        field(vector, "enc") + field(encryption, "ct"),
        private_key,
        field(vector, "info"),
        field(encryption, "aad"),
    )


def test_seeds_expand_as_published() -> None:
    """Every published X-Wing seed gives the published public key."""
    vectors = load("hpke-pq-test-vectors.json", kem_id=XWING)
    assert len(vectors) == 2
    for vector in vectors:
        private = key_wrapping.private_key_from_seed(field(vector, "skRm"))
        assert private.public_key.public_key_bytes == field(vector, "pkRm")
        assert private.public_key.key_id == sha256(field(vector, "pkRm")).digest()


def test_published_wraps_to_an_expanded_seed_open() -> None:
    """A published X-Wing ciphertext opens with the key expanded here; the published cipher is ChaCha20-Poly1305."""
    vectors = load("hpke-pq-test-vectors.json", kem_id=XWING, kdf_id=1, aead_id=3)
    assert len(vectors) == 1
    suite = Suite(KEM.MLKEM768_X25519, KDF.HKDF_SHA256, AEAD.CHACHA20_POLY1305)
    private = key_wrapping.private_key_from_seed(field(vectors[0], "skRm"))
    opened = first_decryption(suite, vectors[0], private.handle)
    assert opened == field(vectors[0]["encryptions"][0], "pt")


def test_base_mode_with_our_kdf_and_cipher_agrees() -> None:
    """The published RFC 9180 base mode vector with HKDF-SHA256 and AES-256-GCM opens."""
    vectors = load("test-vectors.json", mode=0, kem_id=32, kdf_id=1, aead_id=2)
    assert len(vectors) == 1
    suite = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
    private = X25519PrivateKey.from_private_bytes(field(vectors[0], "skRm"))
    assert first_decryption(suite, vectors[0], private) == field(vectors[0]["encryptions"][0], "pt")


def test_what_is_wrapped_unwraps() -> None:
    """The recipient recovers the key, two wraps of one key differ, and the overhead is as stated."""
    assert key_wrapping.unwrap(WRAP, PRIVATE, INFO) == KEY
    assert key_wrapping.wrap(KEY, PRIVATE.public_key, INFO) != WRAP
    assert len(WRAP) == len(KEY) + key_wrapping.OVERHEAD_BYTES


def test_the_suite_is_the_one_of_the_protocol() -> None:
    """A wrap opens with X-Wing, HKDF-SHA256 and AES-256-GCM named independently of the module."""
    suite = Suite(KEM.MLKEM768_X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
    assert suite.decrypt(WRAP, PRIVATE.handle, INFO) == KEY


def test_a_wrap_opens_only_for_its_key_and_info() -> None:
    """Another recipient or another binding cannot open."""
    for private, info in ((OTHER, INFO), (PRIVATE, INFO + b"2"), (PRIVATE, b"")):
        with pytest.raises(Rejected, match="cannot_open"):
            key_wrapping.unwrap(WRAP, private, info)


def test_every_changed_byte_of_a_wrap_is_refused() -> None:
    """A changed byte anywhere, a missing or an added one does not open."""
    for place in range(len(WRAP)):
        changed = WRAP[:place] + bytes([WRAP[place] ^ 0x80]) + WRAP[place + 1 :]
        with pytest.raises(Rejected, match="cannot_open"):
            key_wrapping.unwrap(changed, PRIVATE, INFO)
    for wrong in (WRAP[:-1], WRAP + b"\x00", WRAP[: key_wrapping.OVERHEAD_BYTES], b"", WRAP + bytes(2000)):
        with pytest.raises(Rejected, match="cannot_open"):
            key_wrapping.unwrap(wrong, PRIVATE, INFO)


@given(st.binary(max_size=200), st.sampled_from([0, 1088, 1120, 1136]))
def test_arbitrary_bytes_are_no_wrap(data: bytes, zeros: int) -> None:
    """Unwrapping raises only the refusal, low-order points included."""
    with pytest.raises(Rejected, match="cannot_open"):
        key_wrapping.unwrap(bytes(zeros) + data, PRIVATE, INFO)


def test_a_published_key_is_given_back() -> None:
    """A public key read from its bytes equals the one it came from, and can be wrapped for."""
    read = key_wrapping.public_key_from_bytes(PRIVATE.public_key.public_key_bytes)
    assert read == PRIVATE.public_key
    assert key_wrapping.unwrap(key_wrapping.wrap(KEY, read, INFO), PRIVATE, INFO) == KEY


def test_what_is_no_key_is_refused() -> None:
    """Wrong lengths, ML-KEM coefficients out of range and low-order X25519 points are no keys."""
    good = PRIVATE.public_key.public_key_bytes
    for wrong in (b"", good[:-1], good + b"\x00", b"\xff" * len(good)):
        with pytest.raises(Rejected, match="bad_key"):
            key_wrapping.public_key_from_bytes(wrong)
    with pytest.raises(Rejected, match="bad_key"):
        key_wrapping.wrap(KEY, key_wrapping.public_key_from_bytes(good[:-32] + bytes(32)), INFO)
    for seed in (b"", bytes(31), bytes(33)):
        with pytest.raises(Rejected, match="bad_key"):
            key_wrapping.private_key_from_seed(seed)


def test_keys_do_not_show_their_secrets() -> None:
    """The text form of a decryption key holds neither seed nor handle."""
    assert "handle" not in repr(PRIVATE)
    assert "seed" not in repr(PRIVATE)
