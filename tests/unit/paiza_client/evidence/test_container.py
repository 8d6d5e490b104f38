"""The evidence file as bytes: what is no file in its one form is refused before it costs anything."""

import runpy
import struct
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from paiza_client.evidence import container
from paiza_officer.errors import NotProven

SECOND = Path(__file__).parents[4] / "deploy/verifier/verify_evidence.py"
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


def listing(members: int) -> bytes:
    """Make a ZIP that is nothing but the list of members that are not there."""
    one = struct.pack("<4s6H3I5H2I", b"PK\1\2", 20, 20, 0, 0, 0, 33, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0) + b"a"
    end = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, members & 0xFFFF, members & 0xFFFF, members * len(one), 0, 0)
    return one * members + end


def beyond(members: int) -> bytes:
    """Make the same with the size of the list in a ZIP64 record, and none in the one at the end."""
    data = listing(members)
    directory, end = data[:-22], data[-22:]
    record = struct.pack("<4sQ2H2I4Q", b"PK\6\6", 44, 45, 45, 0, 0, members, members, len(directory), 0) + struct.pack(
        "<4sIQI", b"PK\6\7", 0, len(directory), 1
    )
    return directory + record + end[:12] + bytes(10)


@pytest.mark.parametrize("made", [listing, beyond])
@pytest.mark.parametrize("which", ["ours", "second"])
def test_a_list_of_too_many_members_is_not_read(made: Callable[[int], bytes], which: str) -> None:
    """A hundred thousand members of 47 bytes each would become objects of half a kilobyte before they are counted."""
    data = made(100_000)
    unpack = container.unpack if which == "ours" else runpy.run_path(str(SECOND))["unpacked"]
    tracemalloc.start()
    try:
        with pytest.raises((NotProven, ValueError)):
            unpack(data)
        assert tracemalloc.get_traced_memory()[1] < len(data)
    finally:
        tracemalloc.stop()
