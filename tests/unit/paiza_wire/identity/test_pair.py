"""Pairs of P-256 and ML-DSA-44: a fixed vector, and every way in which half of one could pass for all of it."""

from collections.abc import Callable
from hashlib import sha256

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from paiza_wire.errors import Rejected
from paiza_wire.identity import keys, pair
from paiza_wire.identity.pair import PairPrivateKey, PairPublicKey
from paiza_wire.identity.private_keys import MLDSA44, P256
from paiza_wire.identity.sealing import Sealer
from tests.two_verifiers import second_verifier

DATA = b"root 7 of paiza.example"
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
SCALAR, SEED = int.from_bytes(sha256(b"P-256").digest(), "big"), sha256(b"ML-DSA-44").digest()

PairSigned = Callable[[bytes, bytes, bytes], bool]
SECOND: PairSigned = second_verifier().pair_signed


def fixed() -> PairPrivateKey:
    """Return the pair of the vector: always the same one."""
    return PairPrivateKey.from_halves(ec.derive_private_key(SCALAR, ec.SECP256R1()), keys.mldsa44_private_key(SEED))


ONE, OTHER = fixed(), PairPrivateKey.generate()
SIGNATURE = ONE.sign(DATA)
CLASSICAL, LATTICE = SIGNATURE[:64], SIGNATURE[64:]


def holds(public: bytes, signature: bytes, data: bytes = DATA) -> bool:
    """Return whether a signature holds; both verifiers must say the same."""
    try:
        PairPublicKey.from_bytes(public).verify(signature, data)
        ours = True
    except Rejected:
        ours = False
    try:
        theirs = SECOND(public, signature, data)
    except Exception:  # noqa: BLE001 - whatever it raises, it has refused
        theirs = False
    assert ours == theirs
    return ours


def test_the_vector_is_what_it_was() -> None:
    """The bytes of a fixed key, and of what it signs in the one half that can be made deterministic, never change."""
    public = ONE.public_key.encoded
    assert (len(public), len(SIGNATURE)) == (1377, 2484)
    assert sha256(public).hexdigest() == "64058040320ec2d2bc0390df20335423fa91eb9c31caa84c5f86c755183cb3d7"
    message = b"paiza/v1/pair\n" + sha256(public).digest() + DATA
    signed = ec.derive_private_key(SCALAR, ec.SECP256R1()).sign(message, ec.ECDSA(SHA256(), deterministic_signing=True))
    r, s = decode_dss_signature(signed)
    classical = r.to_bytes(32, "big") + min(s, ORDER - s).to_bytes(32, "big")
    assert classical.hex() == (
        "9438450be92cf2e004918986c13cbaa5f296338c2b4cdfe0ac6eb146318cd158"
        "09f813d81da56bc503aec452d0315607c816d600c9d7b133ce055141b502a372"
    )
    lattice = keys.sign_mldsa44(keys.mldsa44_private_key(SEED), message)
    assert holds(public, classical + lattice)


def test_a_signature_holds_for_its_bytes_alone() -> None:
    """A pair's signature verifies under the pair, for the signed data."""
    for _ in range(8):  # half of all signatures have the larger s before they are put right
        assert holds(ONE.public_key.encoded, ONE.sign(DATA))
    assert not holds(ONE.public_key.encoded, SIGNATURE, DATA + b"x")
    assert not holds(OTHER.public_key.encoded, SIGNATURE)


def half_signed(by: PairPrivateKey, message: bytes) -> bytes:
    """Return both halves over a message as it is, without the label and the pair's name."""
    r, s = decode_dss_signature(keys.sign(by._classical, message))
    scalars = b"".join(each.to_bytes(32, "big") for each in (r, min(s, ORDER - s)))
    return scalars + keys.sign_mldsa44(by._lattice, message)


def larger(classical: bytes) -> bytes:
    """Return the second form of an ECDSA signature, which holds for the same bytes."""
    return classical[:32] + (ORDER - int.from_bytes(classical[32:], "big")).to_bytes(32, "big")


SHARED = PairPrivateKey.from_halves(ONE._classical, OTHER._lattice)  # what nobody should make: a half in two pairs

MUTATIONS: dict[str, bytes] = {
    "nothing": b"",
    "the first half alone": CLASSICAL,
    "the second half alone": LATTICE,
    "the first half empty": bytes(64) + LATTICE,
    "the second half empty": CLASSICAL + bytes(2420),
    "the halves in the other order": LATTICE + CLASSICAL,
    "the first half of another pair": OTHER.sign(DATA)[:64] + LATTICE,
    "the second half of another pair": CLASSICAL + OTHER.sign(DATA)[64:],
    "the first half of a pair with the same first half": SHARED.sign(DATA)[:64] + LATTICE,
    "the first half of another signature's bytes": ONE.sign(b"other")[:64] + LATTICE,
    "the second half of another signature's bytes": CLASSICAL + ONE.sign(b"other")[64:],
    "the larger s": larger(CLASSICAL) + LATTICE,
    "r and s exchanged": CLASSICAL[32:] + CLASSICAL[:32] + LATTICE,
    "r of the order": ORDER.to_bytes(32, "big") + CLASSICAL[32:] + LATTICE,
    "one byte less": SIGNATURE[:-1],
    "one byte more": SIGNATURE + b"\0",
    "one byte before": b"\0" + SIGNATURE,
    "one byte between": CLASSICAL + b"\0" + LATTICE,
    "twice": SIGNATURE * 2,
    "without the label": half_signed(ONE, DATA),
    "without the pair's name": half_signed(ONE, pair.LABEL + DATA),
    "the first half in DER": keys.sign(ONE._classical, pair.signed_message(ONE.public_key.encoded, DATA)) + LATTICE,
}


@pytest.mark.parametrize("signature", MUTATIONS.values(), ids=MUTATIONS)
def test_anything_else_is_refused(signature: bytes) -> None:
    """A half dropped, exchanged, of another pair, of another length or in another form is no signature."""
    assert holds(ONE.public_key.encoded, SIGNATURE)
    assert not holds(ONE.public_key.encoded, signature)


@given(st.integers(0, len(SIGNATURE) - 1), st.integers(0, 7))
def test_no_flipped_bit_holds(at: int, bit: int) -> None:
    """Each bit of a signature counts."""
    changed = bytearray(SIGNATURE)
    changed[at] ^= 1 << bit
    assert not holds(ONE.public_key.encoded, bytes(changed))


def compressed(private_key: PairPrivateKey) -> bytes:
    """Return the first half as a compressed point."""
    return private_key._classical.public_key().public_bytes(Encoding.X962, PublicFormat.CompressedPoint)


POINT, LATTICE_KEY = ONE.public_key.halves
WRONG_KEYS: dict[str, bytes] = {
    "nothing": b"",
    "the first half alone": POINT,
    "the second half alone": LATTICE_KEY,
    "the halves in the other order": LATTICE_KEY + POINT,
    "one byte less": (POINT + LATTICE_KEY)[:-1],
    "one byte more": POINT + LATTICE_KEY + b"\0",
    "a compressed point": compressed(ONE) + LATTICE_KEY,
    "a compressed point of full length": compressed(ONE) + bytes(32) + LATTICE_KEY,
    "a hybrid point": bytes([6 | POINT[-1] & 1]) + POINT[1:] + LATTICE_KEY,
    "the point at infinity": bytes(65) + LATTICE_KEY,
    "a point off the curve": POINT[:-1] + bytes([POINT[-1] ^ 1]) + LATTICE_KEY,
    "a coordinate above the field": b"\4" + b"\xff" * 32 + POINT[33:] + LATTICE_KEY,
    "the first half of another pair": OTHER.public_key.halves[0] + LATTICE_KEY,
    "the second half of another pair": POINT + OTHER.public_key.halves[1],
}


@pytest.mark.parametrize("public", WRONG_KEYS.values(), ids=WRONG_KEYS)
def test_a_signature_holds_under_no_other_key(public: bytes) -> None:
    """A key that is no pair, or differs in one half, verifies nothing."""
    assert not holds(public, SIGNATURE)


def test_a_pair_is_stored_as_its_two_halves() -> None:
    """Both halves go to PEM and come back as the same pair; neither is read in the other's place."""
    sealer = Sealer(lambda: b"")
    first, second = (sealer.open(half) for half in ONE.to_pem())
    again = PairPrivateKey.from_halves(P256.read(first), MLDSA44.read(second))
    assert again.public_key == ONE.public_key
    assert holds(ONE.public_key.encoded, again.sign(DATA))
    for kind, half in ((P256, second), (MLDSA44, first)):
        with pytest.raises(Rejected, match="bad_key"):
            kind.read(half)
