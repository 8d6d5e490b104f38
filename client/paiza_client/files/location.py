"""Removal of the location from a picture: only the location, in place, so that no other byte moves.

JPEG, TIFF and WebP keep their size: what names a place is blanked where it stands. PNG loses the pieces that hold it.
The picture itself stays as it is, bit for bit. Of what is not understood nothing is claimed: then it is
Refused("location_unremovable").

Received pictures are looked through as well, so the work on a file is bounded: an entry of a few bytes can name a
stretch of the whole file, and thousands of entries can name the same one.
"""

import mmap
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from paiza_client.files.file_types import JPEG, PNG, TIFF, WEBP, FileType
from paiza_client.language import N_
from paiza_officer.errors import Refused

MAX_SEARCHED_BYTES: Final = 256 * 1024 * 1024  # of a JPEG, PNG or WebP, which are looked through whole
MAX_ENTRIES: Final = 4096  # of one directory of a TIFF
MAX_DIRECTORIES: Final = 64  # pages and sub-directories of a TIFF that are followed
MAX_XMP_BYTES: Final = 8 * 1024 * 1024
MAX_STEPS: Final = 200_000  # segments, chunks and entries of a file that are looked at
MAX_BLANKED_BYTES: Final = 64 * 1024 * 1024  # of a file

GPS: Final = N_("GPS position (EXIF)")
XMP: Final = N_("XMP block (it may name places)")
IPTC: Final = N_("IPTC block (it may name places)")
GEO: Final = N_("map position (GeoTIFF)")

_GPS_DIRECTORY: Final = 0x8825
_EXIF_DIRECTORY: Final = 0x8769
_SUB_DIRECTORIES: Final = 0x014A
_BLANKED: Final = {
    0x02BC: XMP,
    0x83BB: IPTC,
    0x8649: IPTC,
    0x830E: GEO,
    0x8482: GEO,
    0x85D8: GEO,
    0x87AF: GEO,
    0x87B0: GEO,
    0x87B1: GEO,
}
_SIZES: Final = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
_EXIF: Final = b"Exif\x00\x00"
_XMP_HEADERS: Final = (b"http://ns.adobe.com/xap/1.0/\x00", b"http://ns.adobe.com/xmp/extension/\x00")
_PNG_TEXTS: Final = (b"XML:com.adobe.xmp", b"Raw profile type exif", b"Raw profile type APP1", b"Raw profile type xmp",
                     b"Raw profile type iptc", b"Raw profile type 8bim")  # fmt: skip
_MARKER: Final = 0xFF
_LENGTH_BYTES: Final = 2  # of a JPEG segment; they count themselves
_TIFF_VERSION: Final = 42
_INLINE_BYTES: Final = 4  # a value of at most so many stands in its entry
_ALONE: Final = frozenset({0x01, *range(0xD0, 0xD8)})  # markers of a JPEG without a length


@dataclass(slots=True)
class Removal:
    """The changes of a file: overwritten bytes and omitted ranges; ``found`` names the kinds of location data."""

    patches: list[tuple[int, bytes]] = field(default_factory=list)
    left_out: list[tuple[int, int]] = field(default_factory=list)
    found: list[str] = field(default_factory=list)
    steps: int = 0
    blanked_bytes: int = 0

    def step(self) -> None:
        """Count what is looked at."""
        self.steps += 1
        if self.steps > MAX_STEPS:
            raise _NotUnderstood("too many pieces")

    def blank(self, at: int, size: int, with_byte: bytes, what: str) -> None:
        """Write over a stretch."""
        self.blanked_bytes += size
        if self.blanked_bytes > MAX_BLANKED_BYTES:
            raise _NotUnderstood("too much that names a place")
        self.patches.append((at, with_byte * size))
        self.say(what)

    def leave_out(self, first: int, end: int, what: str) -> None:
        """Leave a stretch out."""
        self.left_out.append((first, end))
        self.say(what)

    def say(self, what: str) -> None:
        """Remember, once, what was found."""
        if what not in self.found:
            self.found.append(what)

    def removed_bytes(self) -> int:
        """Return by how much the file becomes smaller."""
        return sum(end - first for first, end in self.left_out)


class _NotUnderstood(Exception):  # noqa: N818 - turned into a refusal before it leaves this module
    """The file is not built as its kind is."""


def find(path: Path, kind: FileType) -> Removal:
    """Find what tells where a picture was taken; Refused("location_unremovable") where that is not certain."""
    finder = {JPEG.media_type: _jpeg, PNG.media_type: _png, TIFF.media_type: _tiff_file, WEBP.media_type: _webp}.get(
        kind.media_type
    )
    if finder is None:
        raise Refused("location_unremovable", str(path), kind.media_type)
    removal = Removal()
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            if kind.media_type != TIFF.media_type and len(data) > MAX_SEARCHED_BYTES:
                raise Refused("location_unremovable", str(path), f"over {MAX_SEARCHED_BYTES} bytes")
            finder(data, removal)
    except (_NotUnderstood, struct.error, IndexError, ValueError) as error:
        raise Refused("location_unremovable", str(path), str(error) or "not understood") from error
    except OSError as error:
        raise Refused("file_unreadable", str(path), error.strerror or "") from error
    removal.patches.sort(key=lambda patch: patch[0])
    removal.left_out.sort()
    return removal


def apply(pieces: Iterator[bytes], removal: Removal) -> Iterator[bytes]:
    """Yield the bytes of a file, read in pieces from its beginning, with the removal applied."""
    at = 0
    for piece in pieces:
        end = at + len(piece)
        changed = bytearray(piece)
        for place, patch in removal.patches:
            first, last = max(place, at), min(place + len(patch), end)
            if first < last:
                changed[first - at : last - at] = patch[first - place : last - place]
        for begin, stop in reversed(removal.left_out):
            first, last = max(begin, at), min(stop, end)
            if first < last:
                del changed[first - at : last - at]
        at = end
        yield bytes(changed)


def _jpeg(data: mmap.mmap, removal: Removal) -> None:
    """Walk the segments before the picture, then look for further pictures behind or inside it."""
    at = 2
    while True:
        removal.step()
        if data[at] != _MARKER:
            raise _NotUnderstood("a JPEG segment does not begin with a marker")
        marker = data[at + 1]
        if marker == _MARKER:
            at += 1
            continue
        if marker in _ALONE:
            at += 2
            continue
        if marker in (0xDA, 0xD9):
            break
        (length,) = struct.unpack_from(">H", data, at + 2)
        if length < _LENGTH_BYTES or at + 2 + length > len(data):
            raise _NotUnderstood("a JPEG segment is longer than the file")
        if marker in (0xE1, 0xED):
            _segment(data, at + 4, at + 2 + length, removal)
        at += 2 + length
    _further(data, at, removal)


def _segment(data: mmap.mmap, first: int, end: int, removal: Removal) -> None:
    if data[first : first + len(_EXIF)] == _EXIF:
        _tiff(data, first + len(_EXIF), end, removal)
        return
    for header in _XMP_HEADERS:
        if data[first : first + len(header)] == header:
            removal.blank(first + len(header), end - first - len(header), b" ", XMP)
            return
    if data[first : first + 14] == b"Photoshop 3.0\x00":
        removal.blank(first + 14, end - first - 14, b"\x00", IPTC)


def _further(data: mmap.mmap, first: int, removal: Removal) -> None:
    """Look behind the first picture: cameras append previews, which have a place of their own."""
    at = data.find(_EXIF, first)
    while at >= 0:
        removal.step()
        (length,) = struct.unpack_from(">H", data, at - 2)
        if data[at - 4 : at - 2] != b"\xff\xe1":
            raise _NotUnderstood("EXIF outside a segment")
        _tiff(data, at + len(_EXIF), at - 2 + length, removal)
        at = data.find(_EXIF, at + 1)
    for header in _XMP_HEADERS:
        at = data.find(header, first)
        while at >= 0:
            removal.step()
            (length,) = struct.unpack_from(">H", data, at - 2)
            if data[at - 4 : at - 2] != b"\xff\xe1" or at - 2 + length > len(data):
                raise _NotUnderstood("XMP outside a segment")
            removal.blank(at + len(header), length - 2 - len(header), b" ", XMP)
            at = data.find(header, at + 1)


def _tiff_file(data: mmap.mmap, removal: Removal) -> None:
    if data[2:4] not in (b"*\x00", b"\x00*"):
        raise _NotUnderstood("a BigTIFF")
    _tiff(data, 0, len(data), removal)


def _tiff(data: mmap.mmap, base: int, end: int, removal: Removal) -> None:
    """Follow the directories of a TIFF, which EXIF is as well, and blank what names a place."""
    order = {b"II": "<", b"MM": ">"}.get(data[base : base + 2])
    if order is None or struct.unpack_from(f"{order}H", data, base + 2)[0] != _TIFF_VERSION:
        raise _NotUnderstood("EXIF does not begin as it should")
    waiting = [struct.unpack_from(f"{order}I", data, base + 4)[0]]
    seen: set[int] = set()
    while waiting:
        offset = waiting.pop()
        if offset == 0:
            continue
        if offset in seen or len(seen) >= MAX_DIRECTORIES:
            raise _NotUnderstood("directories that lead in a circle, or too many")
        seen.add(offset)
        waiting += _directory(data, base, end, order, offset, removal)
        if len(waiting) > MAX_DIRECTORIES:
            raise _NotUnderstood("too many directories")


def _directory(data: mmap.mmap, base: int, end: int, order: str, offset: int, removal: Removal) -> list[int]:
    """Look through one directory; gives those it leads to."""
    at = base + offset
    count = _count(data, at, end, order)
    leads: list[int] = []
    for entry in range(at + 2, at + 2 + 12 * count, 12):
        removal.step()
        tag, kind, number = struct.unpack_from(f"{order}HHI", data, entry)
        place, size = _value(data, base, end, order, entry, kind, number)
        if tag == _GPS_DIRECTORY:
            _blank_directory(data, base, end, order, struct.unpack_from(f"{order}I", data, entry + 8)[0], removal)
            # An empty private entry instead of the pointer: nothing leads to the place any more, and nothing moves.
            removal.patches.append((entry, struct.pack(f"{order}HHI4s", 0xFDE8, 1, 4, b"\x00" * 4)))
        elif tag in _BLANKED:
            removal.blank(place, size, b"\x00", _BLANKED[tag])
        elif tag in (_EXIF_DIRECTORY, _SUB_DIRECTORIES):
            if len(leads) + number > MAX_DIRECTORIES:
                raise _NotUnderstood("too many directories")
            leads += struct.unpack_from(f"{order}{number}I", data, place)
    (following,) = struct.unpack_from(f"{order}I", data, at + 2 + 12 * count)
    return [*leads, following]


def _blank_directory(data: mmap.mmap, base: int, end: int, order: str, offset: int, removal: Removal) -> None:
    """Blank a GPS directory with all its values."""
    at = base + offset
    count = _count(data, at, end, order)
    for entry in range(at + 2, at + 2 + 12 * count, 12):
        removal.step()
        _tag, kind, number = struct.unpack_from(f"{order}HHI", data, entry)
        place, size = _value(data, base, end, order, entry, kind, number)
        removal.blank(place, size, b"\x00", GPS)
    removal.blank(at, 2 + 12 * count, b"\x00", GPS)


def _count(data: mmap.mmap, at: int, end: int, order: str) -> int:
    (count,) = struct.unpack_from(f"{order}H", data, at)
    if count > MAX_ENTRIES or at + 2 + 12 * count > end:
        raise _NotUnderstood("a directory is larger than what it stands in")
    return int(count)


def _value(data: mmap.mmap, base: int, end: int, order: str, entry: int, kind: int, number: int) -> tuple[int, int]:
    """Return where a value stands, and how many bytes it has."""
    size = _SIZES.get(kind, 1) * number
    place = entry + 8 if size <= _INLINE_BYTES else base + struct.unpack_from(f"{order}I", data, entry + 8)[0]
    if size > end or place + size > end:
        raise _NotUnderstood("a value lies outside of what it belongs to")
    return place, size


def _png(data: mmap.mmap, removal: Removal) -> None:
    """Leave out the chunks that may name a place; the others stay as they are."""
    at = 8
    while at < len(data):
        removal.step()
        (length,) = struct.unpack_from(">I", data, at)
        kind, first, end = data[at + 4 : at + 8], at + 8, at + 8 + length
        if end + 4 > len(data):
            raise _NotUnderstood("a PNG chunk is longer than the file")
        if zlib.crc32(data[at + 4 : end]) != struct.unpack_from(">I", data, end)[0]:
            raise _NotUnderstood("a PNG chunk is damaged")
        if kind == b"eXIf":
            removal.leave_out(at, end + 4, GPS)
        elif kind in (b"tEXt", b"zTXt", b"iTXt") and data[first:end].startswith(_PNG_TEXTS):
            removal.leave_out(at, end + 4, XMP)
        elif kind == b"IEND":
            if end + 4 != len(data):
                raise _NotUnderstood("something follows the end of the PNG")
            return
        at = end + 4
    raise _NotUnderstood("the PNG has no end")


def _webp(data: mmap.mmap, removal: Removal) -> None:
    at = 12
    while at + 8 <= len(data):
        removal.step()
        kind, (length,) = data[at : at + 4], struct.unpack_from("<I", data, at + 4)
        first, end = at + 8, at + 8 + length
        if end > len(data):
            raise _NotUnderstood("a WebP chunk is longer than the file")
        if kind == b"EXIF":
            begin = first + len(_EXIF) if data[first : first + len(_EXIF)] == _EXIF else first
            _tiff(data, begin, end, removal)
        elif kind == b"XMP ":
            removal.blank(first, length, b" ", XMP)
        at = end + length % 2
    if at < len(data):
        raise _NotUnderstood("something follows the end of the WebP")
