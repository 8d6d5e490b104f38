"""Attachments: sealed and opened piece by piece, and nothing believed before the end."""

import re
from collections.abc import Iterable
from hashlib import sha256
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paiza.content.v1.attachment_info_pb2 import AttachmentInfo
from paiza.core.v1 import message_pb2
from paiza_wire import message
from paiza_wire.errors import Rejected
from paiza_wire.message import SealedFile, attachment
from paiza_wire.message import header as header_module
from paiza_wire.message.attachment import Opener, Sealer

MESSAGE_ID = bytes.fromhex("018cc251f4007000800000000000002a")
FILE = bytes(range(256)) * 300  # five chunks of the cipher


def info(size: int = len(FILE), **changes: str) -> AttachmentInfo:
    """Describe an invented photograph."""
    return AttachmentInfo(**{"name": "photo.jpg", "media_type": "image/jpeg", **changes}, size=size)


def sealed(pieces: Iterable[bytes], about: AttachmentInfo | None = None, number: int = 1) -> tuple[bytes, SealedFile]:
    """Seal a file given in pieces; gives the whole ciphertext."""
    sealer = Sealer("aaa", MESSAGE_ID, number, about or info())
    written = b"".join(sealer.update(piece) for piece in pieces)
    last, said = sealer.finish()
    return written + last, said


def header_of(said: SealedFile, **changes: object) -> message_pb2.Header:
    """Write as much of a header as names the attachment."""
    header = message_pb2.Header(**{"author": "aaa", "message_id": MESSAGE_ID, **changes})  # type: ignore[arg-type]
    header.parts.add(kind=message_pb2.PART_KIND_MAIN)
    header.parts.add(
        kind=message_pb2.PART_KIND_ATTACHMENT,
        ciphertext_sha256=said.ciphertext_sha256,
        ciphertext_size=said.ciphertext_size,
    )
    return header


def opened(header: message_pb2.Header, key: bytes, pieces: Iterable[bytes]) -> tuple[bytes, AttachmentInfo]:
    """Open a ciphertext given in pieces."""
    opener = Opener(header, 1, key)
    written = b"".join(opener.update(piece) for piece in pieces)
    last, about = opener.finish()
    return written + last, about


def cut(data: bytes, at: Iterable[int]) -> list[bytes]:
    """Cut bytes at these places."""
    places = [0, *sorted({place % (len(data) + 1) for place in at}), len(data)]
    return [data[first:last] for first, last in pairwise(places)]


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=70_000), st.lists(st.integers(0, 2**20), max_size=6), st.lists(st.integers(0, 2**20)))
def test_whatever_is_sealed_in_whatever_pieces_opens_in_whatever_pieces(
    file: bytes, seal_at: list[int], open_at: list[int]
) -> None:
    """The size of the pieces of a file and its ciphertext changes nothing."""
    ciphertext, said = sealed(cut(file, seal_at), info(len(file)))
    assert said.ciphertext_sha256 == sha256(ciphertext).digest()
    assert said.ciphertext_size == len(ciphertext)
    assert opened(header_of(said), said.part_key, cut(ciphertext, open_at)) == (file, info(len(file)))


@settings(max_examples=60, deadline=None)
@given(st.integers(min_value=0), st.integers(1, 255))
def test_one_changed_byte_anywhere_is_noticed(place: int, change: int) -> None:
    """A ciphertext that differs from the signed one in any byte is refused, though the header is made to fit it."""
    ciphertext, said = sealed([FILE])
    altered = bytearray(ciphertext)
    altered[place % len(altered)] ^= change
    with pytest.raises(Rejected, match=r"part_digest_mismatch|part_altered|malformed|too_large|unknown_field"):
        opened(header_of(said), said.part_key, [bytes(altered)])
    fitting = SealedFile(said.part_key, sha256(altered).digest(), len(altered))
    with pytest.raises(Rejected, match=r"part_altered|malformed|too_large|unknown_field"):
        opened(header_of(fitting), said.part_key, [bytes(altered)])


@settings(max_examples=40, deadline=None)
@given(st.integers(min_value=0))
def test_a_ciphertext_cut_short_anywhere_is_noticed(place: int) -> None:
    """A truncated attachment is refused, even with a header that fits it."""
    ciphertext, said = sealed([FILE])
    short = ciphertext[: place % len(ciphertext)]
    with pytest.raises(Rejected, match=r"part_digest_mismatch"):
        opened(header_of(said), said.part_key, [short])
    with pytest.raises(Rejected, match="part_altered"):
        opened(header_of(SealedFile(said.part_key, sha256(short).digest(), len(short))), said.part_key, [short])


def test_what_is_too_much_is_refused_at_once() -> None:
    """The first byte beyond the size in the header ends it, however much would follow."""
    ciphertext, said = sealed([FILE])
    opener = Opener(header_of(said), 1, said.part_key)
    opener.update(ciphertext)
    with pytest.raises(Rejected, match=r"part_digest_mismatch"):
        opener.update(b"x")


@pytest.mark.parametrize("changes", [{"author": "bbb"}, {"message_id": bytes(16)}])
def test_an_attachment_belongs_to_its_message(changes: dict[str, object]) -> None:
    """A ciphertext does not open under another author or message."""
    ciphertext, said = sealed([FILE])
    with pytest.raises(Rejected, match="part_altered"):
        opened(header_of(said, **changes), said.part_key, [ciphertext])


def test_another_key_does_not_open() -> None:
    """The cipher commits to its key; one of a wrong length is told apart."""
    ciphertext, said = sealed([FILE])
    with pytest.raises(Rejected, match="part_altered"):
        opened(header_of(said), bytes(32), [ciphertext])
    with pytest.raises(Rejected, match="cannot_open"):
        opened(header_of(said), b"short", [ciphertext])


@pytest.mark.parametrize("number", [0, 2])
def test_only_attachments_are_opened_so(number: int) -> None:
    """The content of a message, and a part that is not there, are not attachments."""
    _, said = sealed([FILE])
    with pytest.raises(Rejected, match="part_missing"):
        Opener(header_of(said), number, said.part_key)


@pytest.mark.parametrize("pieces", [[FILE, b"x"], [FILE[:-1]], []])
def test_a_file_that_changes_while_it_is_sealed_is_refused(pieces: list[bytes]) -> None:
    """More or fewer bytes than were announced do not become an attachment."""
    with pytest.raises(Rejected, match="attachment_changed"):
        sealed(pieces)


def sealed_anyhow(plaintext: bytes) -> tuple[bytes, SealedFile]:
    """Seal what a hostile sender writes where the description should stand."""
    sealer = Sealer("aaa", MESSAGE_ID, 1, info(len(plaintext)))
    sealer._before = b""
    written = sealer.update(plaintext)
    last, said = sealer.finish()
    return written + last, said


@pytest.mark.parametrize(
    ("plaintext", "reason"),
    [
        (b"", "malformed"),
        (b"\x00\x00", "malformed"),
        (b"\x00\x00\x00\x09\x0a", "malformed"),
        (b"\xff\xff\xff\xff" + FILE, "too_large"),
        (b"\x00\x00\x00\x02\xff\xff", "malformed"),
        (b"\x00\x00\x00\x02\x78\x01", "unknown_field"),
    ],
)
def test_a_sender_who_describes_nothing_is_refused(plaintext: bytes, reason: str) -> None:
    """An attachment that does not begin with one well-formed description is refused for what is wrong."""
    ciphertext, said = sealed_anyhow(plaintext)
    with pytest.raises(Rejected, match=reason):
        opened(header_of(said), said.part_key, [ciphertext])


def test_a_description_that_lies_about_the_size_is_refused() -> None:
    """A file of another size than stated is refused at its end."""
    described = info(5).SerializeToString(deterministic=True)
    ciphertext, said = sealed_anyhow(len(described).to_bytes(4, "big") + described + b"six by")
    with pytest.raises(Rejected, match="malformed"):
        opened(header_of(said), said.part_key, [ciphertext])


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": ""},
        {"name": "../photo.jpg"},
        {"name": "c:\\photo.jpg"},
        {"name": ".profile"},
        {"name": "-rf.pdf"},
        {"name": "photo.jpg."},
        {"name": "photo.jpg:stream.exe"},
        {"name": "Nul.pdf"},
        {"name": "com1"},
        {"name": "photo\u202egpj.exe"},
        {"name": "a" * (attachment.MAX_NAME + 1)},
        {"media_type": "picture"},
        {"media_type": "image/фото"},
        {"media_type": "x/" + "y" * attachment.MAX_MEDIA_TYPE},
        {"note": "\x1b[2J"},
        {"note": "a" * (attachment.MAX_NOTE + 1)},
        {"size": attachment.MAX_FILE_BYTES + 1},
    ],
    ids=lambda wrong: re.sub(r"\W+", "_", str(wrong))[:40],
)
def test_descriptions_that_could_harm_a_reader_are_refused(wrong: dict[str, object]) -> None:
    """A name that leads elsewhere or hides, a type that is none and a note that steers a terminal are refused."""
    bad = info()
    for field, value in wrong.items():
        setattr(bad, field, value)
    with pytest.raises(Rejected):
        Sealer("aaa", MESSAGE_ID, 1, bad)
    with pytest.raises(Rejected):
        attachment.parse_info(bad.SerializeToString(deterministic=True))


@pytest.mark.parametrize("size", [0, message.MIN_CIPHERTEXT_BYTES - 1, message.MAX_CIPHERTEXT_BYTES + 1, 2**64 - 1])
def test_a_header_names_no_attachment_of_an_impossible_size(size: int) -> None:
    """A header whose attachment is smaller or larger than any is refused before anything is fetched."""
    header = header_of(SealedFile(bytes(32), bytes(32), size))
    header.parts[0].ciphertext_sha256 = bytes(32)
    with pytest.raises(Rejected, match="too_large"):
        header_module._check_descriptions(header)


def test_the_greatest_file_fits() -> None:
    """The limits of file and ciphertext go together: the tags of 4 GiB and the longest description fit in between."""
    plaintext = attachment.MAX_FILE_BYTES + attachment.MAX_INFO_BYTES + 4
    assert plaintext + 72 + 16 * (plaintext // (16 * 1024)) <= message.MAX_CIPHERTEXT_BYTES
    assert attachment.MAX_ATTACHMENTS == message.MAX_PARTS - 2


@given(st.binary(max_size=64), st.integers(-3, 3))
def test_a_whole_plaintext_is_taken_apart(content: bytes, off: int) -> None:
    """Description and file come back as they went in; a file of another size than stated is refused."""
    about = AttachmentInfo(name="a.txt", media_type="text/plain", size=max(len(content) + off, 0))
    described = about.SerializeToString(deterministic=True)
    plaintext = len(described).to_bytes(4) + described + content
    if about.size == len(content):
        assert attachment.split_plaintext(plaintext) == (about, content)
    else:
        with pytest.raises(Rejected, match="malformed"):
            attachment.split_plaintext(plaintext)


@given(st.binary(max_size=40))
def test_what_is_no_plaintext_of_an_attachment_is_refused(plaintext: bytes) -> None:
    """Arbitrary bytes raise only Rejected."""
    with pytest.raises(Rejected):
        attachment.split_plaintext(plaintext)
