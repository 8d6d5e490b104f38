"""The part cipher: the published vectors, its binding to key and context, and the encoding of the context."""

import base64
import json
import zlib
from hashlib import sha256
from pathlib import Path
from typing import Any

import cryptography_vectors
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from hypothesis import given
from hypothesis import strategies as st

from paiza_wire.errors import Rejected
from paiza_wire.message import part_cipher

VECTORS = Path(cryptography_vectors.__file__).parent / "chunked-encryption" / "vectors.json"
AUTHOR = "spiffe://kaz.example/officer/invented"
MESSAGE_ID = bytes(range(16))
CHUNK = 16 * 1024
KEY = part_cipher.generate_part_key()
CONTEXT = part_cipher.part_context(AUTHOR, MESSAGE_ID, 1)


def reference(hash_: hashes.HashAlgorithm, key: bytes, context: bytes, salt: bytes) -> tuple[AESGCM, int, bytes]:
    """Derive AEAD, base nonce and commitment as C2SP chunked-encryption, "Key derivation", writes it."""
    info = b"c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM\x00" + salt + context
    derived = HKDFExpand(hash_, 32 + 12 + 32, info).derive(key)
    return AESGCM(derived[:32]), int.from_bytes(derived[32:44], "big"), derived[44:]


def reference_encrypt(hash_: hashes.HashAlgorithm, key: bytes, context: bytes, salt: bytes, plaintext: bytes) -> bytes:
    """Encrypt as C2SP chunked-encryption, "Message chunking" and "AEAD usage", writes it."""
    aead, base, commitment = reference(hash_, key, context, salt)
    chunks = [plaintext[at : at + CHUNK] for at in range(0, len(plaintext) + 1, CHUNK)]
    sealed = [aead.encrypt((base ^ number).to_bytes(12, "big"), chunk, None) for number, chunk in enumerate(chunks)]
    return salt + commitment + b"".join(sealed)


def reference_decrypt(hash_: hashes.HashAlgorithm, key: bytes, context: bytes, ciphertext: bytes) -> bytes:
    """Decrypt what is known to be good."""
    aead, base, commitment = reference(hash_, key, context, ciphertext[:24])
    assert ciphertext[24:56] == commitment
    chunks = [ciphertext[at : at + CHUNK + 16] for at in range(56, len(ciphertext), CHUNK + 16)]
    return b"".join(
        aead.decrypt((base ^ number).to_bytes(12, "big"), chunk, None) for number, chunk in enumerate(chunks)
    )


def vectors() -> list[Any]:
    """Load the good published vectors for AES-256-GCM, as pytest parameters named as published."""
    published = json.loads(VECTORS.read_text())["vectors"]
    return [
        pytest.param(one, id=one["name"])
        for one in published
        if one["aead"] == "AEAD_AES_256_GCM" and one["expect"] == "success"
    ]


def test_all_good_vectors_are_read() -> None:
    """Every good published ciphertext takes part."""
    assert len(vectors()) == 9


@pytest.mark.parametrize("vector", vectors())
def test_vectors_agree(vector: dict[str, Any]) -> None:
    """The reference reads every published vector, and what it makes of it with our hash is read here.

    The vectors were made with SHA-256; Cobblestone-256 is the same scheme with SHA-512.
    """
    ciphertext = base64.b64decode(vector["ciphertext"])
    if vector.get("compressed"):
        ciphertext = zlib.decompress(ciphertext)
    key, context, salt = bytes.fromhex(vector["key"]), vector["context"].encode(), ciphertext[:24]
    plaintext = reference_decrypt(hashes.SHA256(), key, context, ciphertext)
    assert sha256(plaintext).hexdigest() == vector["payload_sha256"]
    assert reference_encrypt(hashes.SHA256(), key, context, salt, plaintext) == ciphertext
    ours = reference_encrypt(hashes.SHA512(), key, context, salt, plaintext)
    assert part_cipher.decrypt_part(key, context, ours) == plaintext
    theirs = part_cipher.encrypt_part(key, context, plaintext)
    assert reference_decrypt(hashes.SHA512(), key, context, theirs) == plaintext
    with pytest.raises(Rejected, match="part_altered"):
        part_cipher.decrypt_part(key, context, ciphertext)


def test_rearranged_chunks_are_refused() -> None:
    """Genuine chunks swapped, repeated, left out or put after the end give nothing, as the bad vectors do."""
    ciphertext = part_cipher.encrypt_part(KEY, CONTEXT, bytes(range(256)) * 130)
    head, first, second, last = (
        ciphertext[:56],
        ciphertext[56 : 56 + CHUNK + 16],
        ciphertext[56 + CHUNK + 16 : 56 + 2 * (CHUNK + 16)],
        ciphertext[56 + 2 * (CHUNK + 16) :],
    )
    assert len(part_cipher.decrypt_part(KEY, CONTEXT, head + first + second + last)) == 256 * 130
    for wrong in (
        [second, first, last],
        [first, first, last],
        [first, last],
        [first, second, last, last],
        [first, second, last, first],
        [last],
        [],
    ):
        with pytest.raises(Rejected, match="part_altered"):
            part_cipher.decrypt_part(KEY, CONTEXT, head + b"".join(wrong))


def test_a_key_of_another_length_is_refused() -> None:
    """A key that cannot be a part key is told apart from an altered part."""
    ciphertext = part_cipher.encrypt_part(KEY, CONTEXT, b"content")
    for key in (b"", KEY[:-1], KEY[:16], KEY + b"x"):
        with pytest.raises(Rejected, match="cannot_open"):
            part_cipher.decrypt_part(key, CONTEXT, ciphertext)


@pytest.mark.parametrize("size", [0, 1, 1024, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK])
def test_what_is_encrypted_decrypts(size: int) -> None:
    """Content of any length, chunk boundaries included, is recovered, and the overhead is as documented."""
    plaintext = bytes(index % 251 for index in range(size))
    ciphertext = part_cipher.encrypt_part(KEY, CONTEXT, plaintext)
    assert part_cipher.decrypt_part(KEY, CONTEXT, ciphertext) == plaintext
    assert len(ciphertext) == size + 72 + 16 * (size // CHUNK)


def test_a_ciphertext_is_bound_to_key_and_context() -> None:
    """Another key, author, message or part number does not decrypt."""
    ciphertext = part_cipher.encrypt_part(KEY, CONTEXT, b"content")
    for key, context in (
        (part_cipher.generate_part_key(), CONTEXT),
        (KEY, part_cipher.part_context(AUTHOR + "x", MESSAGE_ID, 1)),
        (KEY, part_cipher.part_context(AUTHOR, MESSAGE_ID[::-1], 1)),
        (KEY, part_cipher.part_context(AUTHOR, MESSAGE_ID, 2)),
        (KEY, b""),
    ):
        with pytest.raises(Rejected, match="part_altered"):
            part_cipher.decrypt_part(key, context, ciphertext)


def test_every_changed_byte_of_a_ciphertext_is_refused() -> None:
    """A changed byte anywhere, a missing or an added one gives nothing at all."""
    ciphertext = part_cipher.encrypt_part(KEY, CONTEXT, b"content of the part")
    for place in range(len(ciphertext)):
        changed = ciphertext[:place] + bytes([ciphertext[place] ^ 1]) + ciphertext[place + 1 :]
        with pytest.raises(Rejected, match="part_altered"):
            part_cipher.decrypt_part(KEY, CONTEXT, changed)
        with pytest.raises(Rejected, match="part_altered"):
            part_cipher.decrypt_part(KEY, CONTEXT, ciphertext[:place])
    with pytest.raises(Rejected, match="part_altered"):
        part_cipher.decrypt_part(KEY, CONTEXT, ciphertext + b"\x00")


def test_a_part_cut_at_a_chunk_gives_nothing() -> None:
    """Whole chunks without the end of the part are refused, though each of them is genuine."""
    ciphertext = part_cipher.encrypt_part(KEY, CONTEXT, bytes(2 * CHUNK + 5))
    with pytest.raises(Rejected, match="part_altered"):
        part_cipher.decrypt_part(KEY, CONTEXT, ciphertext[: 56 + 2 * (CHUNK + 16)])


@given(st.binary(max_size=40), st.binary(max_size=60), st.binary(max_size=200))
def test_arbitrary_bytes_are_no_part(key: bytes, context: bytes, ciphertext: bytes) -> None:
    """Decryption raises only the refusal."""
    with pytest.raises(Rejected, match=r"part_altered|cannot_open"):
        part_cipher.decrypt_part(key, context, ciphertext)


def test_the_context_has_the_documented_layout() -> None:
    """Author, message id and part number follow each other, each after its 16-bit length."""
    assert part_cipher.part_context("kaz", MESSAGE_ID, 258) == (
        b"\x00\x03kaz" + b"\x00\x10" + MESSAGE_ID + b"\x00\x04\x00\x00\x01\x02"
    )


triples = st.tuples(
    st.text(min_size=1, max_size=20),
    st.binary(min_size=16, max_size=16),
    st.integers(0, part_cipher.MAX_PART_NUMBER),
)


@given(triples, triples)
def test_two_triples_never_share_a_context(one: tuple[str, bytes, int], other: tuple[str, bytes, int]) -> None:
    """Contexts are equal exactly where author, message and part are."""
    assert (part_cipher.part_context(*one) == part_cipher.part_context(*other)) == (one == other)


@pytest.mark.parametrize(
    ("author", "message_id", "part_number"),
    [
        ("", MESSAGE_ID, 1),
        ("x" * 256, MESSAGE_ID, 1),
        (AUTHOR, MESSAGE_ID[:-1], 1),
        (AUTHOR, MESSAGE_ID + b"x", 1),
        (AUTHOR, MESSAGE_ID, -1),
        (AUTHOR, MESSAGE_ID, 2**32),
    ],
)
def test_what_cannot_be_bound_is_refused(author: str, message_id: bytes, part_number: int) -> None:
    """A name, id or number outside its limits is refused as malformed."""
    with pytest.raises(Rejected, match="malformed"):
        part_cipher.part_context(author, message_id, part_number)
