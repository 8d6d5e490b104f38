"""Bodies of messages as they are stored: without the bytes that other rows hold.

A body is a serialized SignedMessage. It repeats the header, which the row of the message has, and begins each signature
with the signer and the certificate, which are the same in all messages of an officer. Both are cut out: they are a
fifth of a short message. What travels is put together again, byte by byte.

``cuts`` are pairs of 4-byte numbers, big-endian: the bytes of the rest since the last cut, and the number of the front
of a signature, 0 for the header.
"""

import struct
from collections.abc import Mapping
from hashlib import sha256
from typing import Final

from google.protobuf.message import DecodeError

from paiza.core.v1 import message_pb2
from paiza_wire.errors import Unavailable

_CUT = struct.Struct(">II")
_HEADER = 0  # the number that stands for the header; fronts are numbered from 1
CHECKSUM_BYTES: Final = 8  # of a message: damage passes once in 2^64


def fronts(signed: bytes) -> list[bytes]:
    """Return the fronts of the signatures of a serialized SignedMessage: the fields signer and certificate of each."""
    try:
        signatures = message_pb2.SignedMessage.FromString(signed).signatures
    except DecodeError:
        return []
    return [
        message_pb2.Signature(signer_id=each.signer_id, certificate=each.certificate).SerializeToString()
        for each in signatures
    ]


def pack(signed: bytes, header: bytes, numbers: Mapping[bytes, int]) -> tuple[bytes, bytes, bytes]:
    """Return (cuts, rest, checksum) of a serialized SignedMessage; ``numbers`` are those of its fronts.

    What stands at another place than where fields are usually serialized is not cut out.
    """
    cuts, rest, at = b"", [], 0
    for piece, number in ((header, _HEADER), *numbers.items()):
        found = signed.find(piece, at)
        if found >= 0 and piece:
            cuts += _CUT.pack(found - at, number)
            rest.append(signed[at:found])
            at = found + len(piece)
    left = b"".join((*rest, signed[at:]))
    return cuts, left, checksum(cuts, left)


def checksum(cuts: bytes, rest: bytes) -> bytes:
    """Return the checksum of a stored body: the beginning of its SHA-256.

    It finds damage, not malice: who can change a row can change its checksum. What is signed is proven by signatures.
    """
    return sha256(cuts + rest).digest()[:CHECKSUM_BYTES]


def numbers_of(cuts: bytes) -> list[int]:
    """Return the numbers of the fronts that were cut out of a body; Unavailable("log_damaged") if the cuts are none."""
    return [number for _, number in _pairs(cuts) if number != _HEADER]


def unpack(cuts: bytes, rest: bytes, header: bytes, known: Mapping[int, bytes]) -> bytes:
    """Return the serialized SignedMessage, or its beginning if only the beginning of ``rest`` is given.

    Unavailable("log_damaged") if a front is not among the ``known``, or the cuts are none.
    """
    pieces, at = [], 0
    for gap, number in _pairs(cuts):
        if at + gap > len(rest):
            break
        piece = header if number == _HEADER else known.get(number)
        if piece is None:
            raise Unavailable("log_damaged", f"the front {number} of a signature is missing in the database")
        pieces += [rest[at : at + gap], piece]
        at += gap
    return b"".join((*pieces, rest[at:]))


def _pairs(cuts: bytes) -> list[tuple[int, int]]:
    try:
        return list(_CUT.iter_unpack(cuts))
    except struct.error as error:
        raise Unavailable("log_damaged", "the cuts of a stored body are damaged") from error
