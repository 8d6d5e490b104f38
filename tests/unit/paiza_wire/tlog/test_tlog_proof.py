"""Proofs as text: the specification's form, every change of it, and arbitrary input."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paiza_wire.errors import Rejected
from paiza_wire.tlog.merkle import MAX_TREE_SIZE
from paiza_wire.tlog.tlog_proof import TlogProof, format_hashes, format_proof, parse_hashes, parse_proof

NOTE = b"log.example\n2\nAAAA\n\n\xe2\x80\x94 log.example AAAAAAAA\n"
# The form that C2SP tlog-proof shows, "Format", with the hashes of its example.
PROOF = (
    b"""c2sp.org/tlog-proof@v1
extra AQID
index 73894
gSKyXoYZUgZ6jduWYrkDOARinOMGJveXjgMkBTcdPlQ=
B95lDa8R83lS8n0eG+o0buTxRKQTYFi//1U8anccXmA=

"""
    + NOTE
)
HASHES = st.lists(st.binary(min_size=32, max_size=32), max_size=63).map(tuple)


def test_the_form_of_the_specification() -> None:
    """The lines of the specification's example are read as what they say, and written the same."""
    proof = parse_proof(PROOF)
    assert (proof.index, proof.extra, proof.note) == (73894, b"\1\2\3", NOTE)
    assert proof.hashes[0].hex()[:16] == "8122b25e86195206"
    assert format_proof(proof) == PROOF


@given(st.integers(0, MAX_TREE_SIZE), HASHES, st.binary(max_size=32))
def test_what_is_written_is_read(index: int, hashes: tuple[bytes, ...], extra: bytes) -> None:
    """Every proof is read as what it was, and there is no other text of it."""
    proof = TlogProof(index, hashes, NOTE, extra)
    assert parse_proof(format_proof(proof)) == proof
    assert parse_hashes(format_hashes(hashes)) == hashes


def again(text: bytes, read: Callable[[bytes], Any], write: Callable[[Any], bytes]) -> bytes:
    """Read a text and write what was read; where it is refused as no proof, give it back."""
    try:
        return write(read(text))
    except Rejected as refused:
        if refused.reason != "bad_proof":
            raise
        return text


@given(st.integers(0, len(PROOF) - 1), st.integers(1, 255))
def test_a_changed_byte_is_another_proof_or_none(place: int, change: int) -> None:
    """Any text that parses is written back unchanged: no proof has two forms."""
    changed = PROOF[:place] + bytes([PROOF[place] ^ change]) + PROOF[place + 1 :]
    assert again(changed, parse_proof, format_proof) == changed


@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_refused(data: bytes) -> None:
    """Text that is no proof raises only the refusal."""
    for text in (data, PROOF[:30] + data, PROOF[:60] + data + b"\n\n" + NOTE):
        assert again(text, parse_proof, format_proof) == text
    assert again(data, parse_hashes, format_hashes) == data


@pytest.mark.parametrize(
    "text",
    [
        PROOF.replace(b"@v1", b"@v2"),
        PROOF.replace(b"index 73894", b"index 073894"),
        PROOF.replace(b"index 73894", b"index -1"),
        PROOF.replace(b"index 73894", b"index 9223372036854775808"),
        PROOF.replace(b"index 73894", b"Index 73894"),
        PROOF.replace(b"extra AQID", b"extra "),
        PROOF.replace(b"extra AQID", b"extra AQIE="),
        PROOF.replace(b"extra AQID", b"extra " + b"A" * 44),
        PROOF.replace(b"extra AQID\nindex 73894", b"index 73894\nextra AQID"),
        PROOF.replace(b"lQ=\n", b"lQ=\r\n"),
        PROOF.replace(b"lQ=\n", b"lQ=\nAAAA\n"),
        PROOF.replace(b"\n\n" + NOTE, b"\n" + NOTE),
        PROOF.replace(NOTE, b"")[:-1],
        PROOF.replace(b"lQ=\n", b"lQ=\n" * 70),
        b"",
    ],
)
def test_what_is_written_in_another_way_is_refused(text: bytes) -> None:
    """Another version, number, order, line end, length or number of lines is no proof."""
    with pytest.raises(Rejected, match="bad_proof"):
        parse_proof(text)
