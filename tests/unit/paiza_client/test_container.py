"""The evidence file as bytes: what is no file in its one form is refused before it costs anything."""

import struct
import tracemalloc
import zlib

import pytest

from paiza_client import container
from paiza_client.errors import NotProven

MEMBERS = 64
SIZE = 1_000_000


def nested() -> bytes:
    """Make a ZIP in which every member holds all members behind it: small as a file, large when it is read."""
    body, listed = bytes(SIZE), []
    for name in (b"m%04d" % number for number in reversed(range(MEMBERS))):
        crc, size = zlib.crc32(body), len(body)
        listed.append((name, crc, size))
        body = struct.pack("<4s5H3I2H", b"PK\3\4", 20, 0, 0, 0, 33, crc, size, size, len(name), 0) + name + body
    directory, at = b"", 0
    for name, crc, size in reversed(listed):
        directory += struct.pack(
            "<4s6H3I5H2I", b"PK\1\2", 20, 20, 0, 0, 0, 33, crc, size, size, len(name), 0, 0, 0, 0, 0, at
        )
        directory += name
        at += 30 + len(name)
    end = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, MEMBERS, MEMBERS, len(directory), len(body), 0)
    return body + directory + end


def test_members_that_overlap_are_not_read() -> None:
    """A file whose members share their bytes is refused without memory for each of them."""
    data = nested()
    tracemalloc.start()
    try:
        with pytest.raises(NotProven, match="bad_evidence"):
            container.unpack(data)
        assert tracemalloc.get_traced_memory()[1] < 4 * SIZE
    finally:
        tracemalloc.stop()
