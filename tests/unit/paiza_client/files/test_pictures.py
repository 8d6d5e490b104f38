"""Pictures that may be shown: the size by the head of a file, and nothing shown whose size cannot be told."""

import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paiza_client.files import pictures


def png(width: int, height: int) -> bytes:
    """Return the beginning of a PNG."""
    return b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes(8)


def gif(width: int, height: int, frame: tuple[int, int, int, int] = (0, 0, 1, 1)) -> bytes:
    """Return the beginning of a GIF: two colours, a comment, then a frame with left, top, width and height."""
    named = width.to_bytes(2, "little") + height.to_bytes(2, "little")
    comment = b"!\xfe\x02,,\x01,\x00"
    return b"GIF89a" + named + b"\x80\x00\x00" + bytes(6) + comment + b"," + struct.pack("<4H", *frame) + bytes(8)


def jpeg(width: int, height: int) -> bytes:
    """Return the beginning of a JPEG: an EXIF segment, fill bytes, a table, then the frame."""
    exif = b"\xff\xe1" + (2 + 5000).to_bytes(2, "big") + bytes(5000)
    table = b"\xff\xff\xff\xc4\x00\x04\x00\x00"
    frame = b"\xff\xc2\x00\x11\x08" + height.to_bytes(2, "big") + width.to_bytes(2, "big") + b"\x03"
    return b"\xff\xd8" + exif + table + frame


def hidden(one: bytes, other: bytes) -> bytes:
    """Return two JPEGs, the first behind a zero that is no marker: a decoder sees it, and one who skips it does not."""
    return b"\xff\xd8\xff\x00" + len(one).to_bytes(2, "big") + one[2:] + other[2:]


def webp(kind: bytes, rest: bytes) -> bytes:
    """Return the beginning of a WebP."""
    return b"RIFF\x00\x00\x00\x00WEBP" + kind + b"\x00\x00\x00\x00" + rest


HEADS = [
    ("image/png", png(640, 480)),
    ("image/gif", gif(640, 480)),
    ("image/gif", gif(1, 480, (600, 0, 40, 480))),
    ("image/jpeg", jpeg(640, 480)),
    ("image/webp", webp(b"VP8X", bytes(4) + (639).to_bytes(3, "little") + (479).to_bytes(3, "little"))),
    (
        "image/webp",
        webp(b"VP8 ", bytes(3) + b"\x9d\x01\x2a" + (640).to_bytes(2, "little") + (480).to_bytes(2, "little")),
    ),
    ("image/webp", webp(b"VP8L", b"\x2f" + (639 | 479 << 14).to_bytes(4, "little"))),
]


@pytest.mark.parametrize(("media_type", "head"), HEADS)
def test_the_head_of_a_picture_tells_its_size(tmp_path: Path, media_type: str, head: bytes) -> None:
    """Each kind that is shown is understood; cut off, it tells no size, and is not shown."""
    path = tmp_path / "picture"
    path.write_bytes(head + bytes(100))
    assert pictures.dimensions(path) == (640, 480)
    assert pictures.may_be_shown(path, media_type)
    path.write_bytes(head[:9])
    assert not pictures.may_be_shown(path, media_type)


@pytest.mark.parametrize(
    "head",
    [
        png(100_000, 100_000),
        png(0, 10),
        gif(0, 0, (0, 0, 0, 0)),
        gif(1, 1, (0, 0, 60_000, 60_000)),  # browsers make the picture as large as its first frame
        gif(1, 1)[:30],
        b"<svg/>",
        b"",
        b"\xff\xd8\xff\xda\x00\x02",
        hidden(jpeg(60_000, 60_000), jpeg(1, 1)),
    ],
)
def test_what_could_fill_the_memory_is_not_shown(tmp_path: Path, head: bytes) -> None:
    """A few bytes that name a huge picture, or none, are saved and never shown."""
    path = tmp_path / "picture"
    path.write_bytes(head)
    assert not any(pictures.may_be_shown(path, each) for each in pictures.SHOWN)


def test_no_kind_is_shown_that_can_run_something(tmp_path: Path) -> None:
    """An SVG, a PDF and a page are never shown, whatever is in them."""
    path = tmp_path / "picture"
    path.write_bytes(png(640, 480))
    for media_type in ("image/svg+xml", "application/pdf", "text/html", "image/tiff", ""):
        assert not pictures.may_be_shown(path, media_type)
    assert pictures.dimensions(tmp_path / "absent") is None


@given(
    start=st.sampled_from([head for _media_type, head in HEADS]), cut=st.integers(0, 60), rest=st.binary(max_size=200)
)
def test_no_bytes_are_an_error(tmp_path_factory: pytest.TempPathFactory, start: bytes, cut: int, rest: bytes) -> None:
    """Whatever a file begins with, it has a size or none."""
    path = tmp_path_factory.getbasetemp() / "any"
    path.write_bytes(start[:cut] + rest)
    found = pictures.dimensions(path)
    assert found is None or min(found) >= 0


def test_pictures_share_the_room_of_a_page() -> None:
    """The first are shown as far as they fit together; a smaller one may fit where a larger one did not."""
    room = pictures.Room()
    largest = pictures.MAX_PIXELS
    assert [room.takes(each) for each in (largest, 0, largest - 10, largest, 10, 1)] == [
        True, False, True, False, True, False,
    ]  # fmt: skip
