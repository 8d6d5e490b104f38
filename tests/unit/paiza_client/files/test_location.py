"""The place a picture was taken, taken out of it: found wherever it stands, and nothing else changed."""

import struct
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from paiza_client.files import location
from paiza_client.files.file_types import JPEG, PNG, TIFF, WEBP, FileType
from paiza_client.files.location import GEO, GPS, IPTC, XMP
from paiza_officer.errors import Refused

LATITUDE: Final = struct.pack("<6I", 41, 1, 18, 1, 2477, 100)  # degrees, minutes, seconds of nowhere
SCAN: Final = b"\xff\xda\x00\x08\x01\x01\x00\x00\x3f\x00" + bytes(range(250)) * 4 + b"\xff\x00\x12\xff\xd9"
XMP_HEADER: Final = b"http://ns.adobe.com/xap/1.0/\x00"


def entry(tag: int, kind: int, count: int, value: bytes) -> bytes:
    """Write one entry of a TIFF directory, its value in place."""
    return struct.pack("<HHI", tag, kind, count) + value.ljust(4, b"\x00")


def exif(*, place: bool = True, order: str = "<") -> bytes:
    """Write an EXIF block: orientation, a pointer to a GPS directory, and the time in a directory of its own."""
    assert order == "<"
    first = [entry(0x0112, 3, 1, b"\x06\x00"), entry(0x8769, 4, 1, struct.pack("<I", 100))]
    if place:
        first.append(entry(0x8825, 4, 1, struct.pack("<I", 200)))
    block = bytearray(300)
    block[:8] = b"II*\x00\x08\x00\x00\x00"
    directory = struct.pack("<H", len(first)) + b"".join(first) + bytes(4)
    block[8 : 8 + len(directory)] = directory
    inner = struct.pack("<H", 1) + entry(0x9003, 2, 20, struct.pack("<I", 150)) + bytes(4)
    block[100 : 100 + len(inner)] = inner
    block[150:170] = b"2026:11:23 12:00:00\x00"
    if place:
        gps = struct.pack("<H", 2) + entry(1, 2, 2, b"N\x00") + entry(2, 5, 3, struct.pack("<I", 250)) + bytes(4)
        block[200 : 200 + len(gps)] = gps
        block[250:274] = LATITUDE
    return bytes(block)


def segment(marker: int, data: bytes) -> bytes:
    """Write one segment of a JPEG."""
    return b"\xff" + bytes([marker]) + struct.pack(">H", len(data) + 2) + data


def jpeg(*segments: bytes, behind: bytes = b"") -> bytes:
    """Write a JPEG with these segments before its picture."""
    return b"\xff\xd8" + b"".join(segments) + SCAN + behind


def png(*chunks: tuple[bytes, bytes]) -> bytes:
    """Write a PNG with these chunks before its picture."""
    every = [(b"IHDR", bytes(13)), *chunks, (b"IDAT", b"picture"), (b"IEND", b"")]
    body = b"".join(struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in every)
    return b"\x89PNG\r\n\x1a\n" + body


def webp(*chunks: tuple[bytes, bytes]) -> bytes:
    """Write a WebP with these chunks."""
    body = b"WEBP" + b"".join(k + struct.pack("<I", len(d)) + d + b"\x00" * (len(d) % 2) for k, d in chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def stripped(tmp_path: Path, data: bytes, kind: FileType, piece: int = 7) -> tuple[bytes, list[str]]:
    """Remove the location from a file, read in small pieces; return the rest, and the findings."""
    path = tmp_path / "picture"
    path.write_bytes(data)
    removal = location.find(path, kind)
    pieces = (data[at : at + piece] for at in range(0, len(data), piece))
    left = b"".join(location.apply(pieces, removal))
    assert len(left) == len(data) - removal.removed_bytes()
    return left, removal.found


def test_a_photograph_loses_its_place_and_keeps_the_rest(tmp_path: Path) -> None:
    """In a JPEG the position is gone; orientation, time, size and the picture itself are as they were."""
    data = jpeg(segment(0xE0, b"JFIF\x00"), segment(0xE1, b"Exif\x00\x00" + exif()))
    left, found = stripped(tmp_path, data, JPEG)
    assert found == [GPS]
    assert LATITUDE not in left
    assert (len(left), left[left.index(b"\xff\xda") :]) == (len(data), SCAN)
    assert b"2026:11:23 12:00:00" in left
    assert struct.pack("<HHI", 0x0112, 3, 1) + b"\x06" in left
    assert struct.pack("<H", 0x8825) not in left[: left.index(b"\xff\xda")]
    assert stripped(tmp_path, left, JPEG) == (left, [])


def test_a_preview_behind_the_picture_loses_its_place_too(tmp_path: Path) -> None:
    """Cameras append small pictures with a position of their own."""
    preview = jpeg(segment(0xE1, b"Exif\x00\x00" + exif()))
    left, found = stripped(tmp_path, jpeg(segment(0xE0, b"JFIF\x00"), behind=preview), JPEG)
    assert found == [GPS]
    assert LATITUDE not in left


def test_blocks_that_may_name_places_are_blanked(tmp_path: Path) -> None:
    """XMP and IPTC are blanked whole, in place."""
    data = jpeg(
        segment(0xE1, XMP_HEADER + b"<x exif:GPSLatitude='41,18N'/>"),
        segment(0xED, b"Photoshop 3.0\x008BIM\x04\x04\x00\x00\x00\x00\x00\x08city of nowhere"),
    )
    left, found = stripped(tmp_path, data, JPEG)
    assert found == [XMP, IPTC]
    assert (b"GPSLatitude" in left, b"nowhere" in left, len(left)) == (False, False, len(data))


def test_a_png_loses_the_pieces_that_name_a_place(tmp_path: Path) -> None:
    """The result is the PNG as it would be without them."""
    data = png((b"eXIf", exif()), (b"iTXt", b"XML:com.adobe.xmp\x00\x00\x00\x00\x00<x/>"), (b"tEXt", b"Title\x00a"))
    left, found = stripped(tmp_path, data, PNG)
    assert (left, found) == (png((b"tEXt", b"Title\x00a")), [GPS, XMP])


def test_a_webp_and_a_tiff_lose_their_place(tmp_path: Path) -> None:
    """Both keep their size."""
    data = webp((b"VP8 ", b"picture"), (b"EXIF", exif()), (b"XMP ", b"<x/>"))
    left, found = stripped(tmp_path, data, WEBP)
    assert (found, LATITUDE in left, b"picture" in left) == ([GPS, XMP], False, True)
    map_directory = struct.pack("<H", 1) + entry(0x8482, 12, 6, struct.pack("<I", 26)) + bytes(4)
    data = b"II*\x00\x08\x00\x00\x00" + map_directory + LATITUDE + LATITUDE + b"picture"
    left, found = stripped(tmp_path, data, TIFF)
    assert (found, LATITUDE in left, left[-7:]) == ([GEO], False, b"picture")


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (lambda: jpeg(segment(0xE1, b"Exif\x00\x00" + exif(place=False))), JPEG),
        (lambda: png((b"tEXt", b"a\x00b")), PNG),
        (lambda: webp((b"VP8 ", b"picture")), WEBP),
        (lambda: exif(place=False), TIFF),
    ],
    ids=["jpeg", "png", "webp", "tiff"],
)
def test_a_picture_without_a_place_is_left_alone(tmp_path: Path, make: Callable[[], bytes], kind: FileType) -> None:
    """A file without a location is unchanged."""
    data = make()
    assert stripped(tmp_path, data, kind) == (data, [])


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_damaged_picture_is_refused_or_understood(tmp_path: Path, data: st.DataObject) -> None:
    """Any changed byte and any truncation gives an answer or a refusal, and never another error."""
    make, kind = data.draw(
        st.sampled_from(
            [
                (jpeg(segment(0xE1, b"Exif\x00\x00" + exif())), JPEG),
                (png((b"eXIf", exif())), PNG),
                (webp((b"EXIF", exif())), WEBP),
                (exif(), TIFF),
            ]
        )
    )
    changed = bytearray(make)
    for place in data.draw(st.lists(st.integers(0, len(make) - 1), max_size=3)):
        changed[place] = data.draw(st.integers(0, 255))
    end = data.draw(st.integers(13, len(make)))
    unremovable = ""
    try:
        stripped(tmp_path, bytes(changed[:end]), kind, piece=64)
    except Refused as refused:
        unremovable = refused.reason
    assert unremovable in ("", "location_unremovable")


def _directory(tag: int, kind: int, count: int, entries: int) -> bytes:
    """Write an EXIF block of one directory whose entries all name the same stretch."""
    every = (entry(tag, kind, count, struct.pack("<I", 8)) for _ in range(entries))
    return b"II*\x00\x08\x00\x00\x00" + struct.pack("<H", entries) + b"".join(every) + bytes(4)


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (jpeg(segment(0xE1, b"Exif\x00\x00" + _directory(0x02BC, 1, 49_000, 4090))), JPEG),  # 200 MB to be blanked
        (jpeg(segment(0xE1, b"Exif\x00\x00" + _directory(0x8769, 4, 12_000, 4090))), JPEG),  # 49 million directories
        (webp((b"EXIF", exif(place=False)), *[(b"ICCP", b"")] * location.MAX_STEPS), WEBP),
        (png(*[(b"tEXt", b"")] * location.MAX_STEPS), PNG),
    ],
    ids=["blanks", "leads", "webp", "png"],
)
def test_a_small_picture_that_asks_for_much_work_is_refused(tmp_path: Path, data: bytes, kind: FileType) -> None:
    """Received pictures are looked through: what a few bytes name costs neither memory nor time without bound."""
    path = tmp_path / "picture"
    path.write_bytes(data)
    tracemalloc.start()
    try:
        with pytest.raises(Refused, match="location_unremovable"):
            location.find(path, kind)
        assert tracemalloc.get_traced_memory()[1] < 2 * location.MAX_BLANKED_BYTES
    finally:
        tracemalloc.stop()


def test_kinds_that_are_not_understood_are_refused(tmp_path: Path) -> None:
    """A film may name a place as well: nobody is told that it was taken out."""
    path = tmp_path / "film.mp4"
    path.write_bytes(b"\x00\x00\x00\x18ftypisom")
    with pytest.raises(Refused, match="location_unremovable"):
        location.find(path, FileType("video/mp4", ("mp4",)))
