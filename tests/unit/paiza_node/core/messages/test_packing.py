"""Stored bodies: what other rows hold is cut out, and every byte comes back."""

import pytest

from paiza.core.v1 import message_pb2
from paiza_node.core.messages import packing
from paiza_wire.errors import Unavailable

HEADER = b"\x08\x01" * 40
SIGNATURES = [
    message_pb2.Signature(signer_id=f"spiffe://kaz/officer/{name}", certificate=name.encode() * 60, signature=b"s" * 70)
    for name in ("liaison", "authoriser")
]
MESSAGE = message_pb2.SignedMessage(
    header=HEADER,
    signatures=SIGNATURES,
    subject=b"x" * 72,
    parts=[message_pb2.SealedPart(part_number=0, ciphertext=bytes(range(256)) * 4)],
)


def numbered(signed: bytes) -> dict[bytes, int]:
    """The fronts of a message with numbers, from 1."""
    return {front: number for number, front in enumerate(packing.fronts(signed), 1)}


def test_every_byte_comes_back() -> None:
    """Header and certificates of all signers are cut out of the stored body, and put back."""
    signed = MESSAGE.SerializeToString(deterministic=True)
    numbers = numbered(signed)
    cuts, rest, _ = packing.pack(signed, HEADER, numbers)
    assert len(rest) == len(signed) - len(HEADER) - sum(map(len, numbers))
    assert packing.numbers_of(cuts) == [1, 2]
    known = {number: front for front, number in numbers.items()}
    assert packing.unpack(cuts, rest, HEADER, known) == signed


@pytest.mark.parametrize("shown", [0, 3, 20, 90, 200])
def test_the_beginning_of_a_body_gives_the_beginning_of_the_message(shown: int) -> None:
    """A list reads the first bytes of a body only."""
    signed = MESSAGE.SerializeToString(deterministic=True)
    numbers = numbered(signed)
    cuts, rest, _ = packing.pack(signed, HEADER, numbers)
    part = packing.unpack(cuts, rest[:shown], HEADER, {number: front for front, number in numbers.items()})
    assert signed.startswith(part)
    assert len(part) >= shown


@pytest.mark.parametrize(
    "signed",
    [
        b"".join(message_pb2.SignedMessage(signatures=[each]).SerializeToString() for each in SIGNATURES)
        + message_pb2.SignedMessage(header=HEADER).SerializeToString(),
        message_pb2.SignedMessage(header=HEADER).SerializeToString() * 2,
        b"\xff no message",
        b"",
    ],
    ids=["header last", "header twice", "no message", "empty"],
)
def test_any_bytes_come_back(signed: bytes) -> None:
    """A body serialized in another way, or none, is stored whole where it cannot be cut."""
    numbers = numbered(signed)
    cuts, rest, _ = packing.pack(signed, HEADER, numbers)
    assert packing.unpack(cuts, rest, HEADER, {number: front for front, number in numbers.items()}) == signed


def test_a_missing_front_is_damage() -> None:
    """A body whose certificate is gone is not returned without it."""
    signed = MESSAGE.SerializeToString(deterministic=True)
    cuts, rest, _ = packing.pack(signed, HEADER, numbered(signed))
    with pytest.raises(Unavailable, match="log_damaged"):
        packing.unpack(cuts, rest, HEADER, {1: packing.fronts(signed)[0]})
    with pytest.raises(Unavailable, match="log_damaged"):
        packing.unpack(cuts[:-1], rest, HEADER, {})
