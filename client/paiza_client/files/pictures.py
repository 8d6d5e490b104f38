"""Which files may be shown as pictures: of a kind that runs nothing, and no larger than a screen can hold.

A file of a few kilobytes can name a picture of a thousand million pixels, which takes a browser's memory. Only the head
of a file is read here; nothing is decoded.
"""

from pathlib import Path
from typing import BinaryIO, Final

SHOWN: Final = frozenset({"image/jpeg", "image/png", "image/webp", "image/gif"})
"""Media types that may be shown. No type in it can run anything or load anything."""
MAX_PIXELS: Final = 120_000_000  # the largest cameras have a hundred million
MAX_PIXELS_TOGETHER: Final = 2 * MAX_PIXELS  # of all pictures on a page: a browser takes four bytes for each
HEAD_BYTES: Final = 32  # hold the size of all kinds but JPEG and GIF; no picture is smaller
MAX_SEGMENTS: Final = 500  # of a JPEG before its size, or of a GIF before its first frame
MAX_BLOCKS: Final = 10_000  # of all those segments of a GIF, 255 bytes each

_SOI: Final = b"\xff\xd8"  # a JPEG begins
_LEAD: Final = b"\xff"  # stands before each of its markers
_FRAMES: Final = frozenset(bytes([each]) for each in range(0xC0, 0xD0) if each not in {0xC4, 0xC8, 0xCC})  # a size
_ALONE: Final = frozenset(bytes([each]) for each in (0x01, *range(0xD0, 0xD8)))  # markers without a length
_NO_SEGMENT: Final = frozenset({b"", b"\x00", b"\xd8", b"\xd9", b"\xda"})
"""No marker, none to a decoder, which goes on behind it, the beginning, the end, or the picture itself."""
_VP8: Final = b"\x9d\x01\x2a"
_VP8L: Final = b"\x2f"
_FOURTEEN_BITS: Final = 0x3FFF
_GIF_HEAD: Final = 13  # bytes before the colours
_GIF_FRAME: Final = 8  # bytes that tell where a frame is, and its size
_GIF_COLOURS: Final = 0x80  # there are colours, whose number the lowest three bits tell


def may_be_shown(path: Path, media_type: str) -> bool:
    """Return whether a file may be shown as a picture; False where its size cannot be told."""
    return pixels(path, media_type) > 0


def pixels(path: Path, media_type: str) -> int:
    """Return how many pixels a picture has that may be shown; 0 for what may not."""
    found = dimensions(path) if media_type in SHOWN else None
    count = 0 if found is None else found[0] * found[1]
    return count if count <= MAX_PIXELS else 0


class Room:
    """What is left for the pictures of one page: the first are shown, those for which there is no room stand alone."""

    def __init__(self) -> None:
        self._left = MAX_PIXELS_TOGETHER

    def takes(self, count: int) -> bool:
        """Return whether a picture of so many pixels is shown beside those before; 0 is none."""
        if not 0 < count <= self._left:
            return False
        self._left -= count
        return True


def dimensions(path: Path) -> tuple[int, int] | None:
    """Return width and height of a picture in pixels, as its head names them; None where it names none."""
    try:
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
            if len(head) < HEAD_BYTES:
                return None
            if head.startswith(_SOI):
                file.seek(len(_SOI))
                return _jpeg(file)
            if head.startswith((b"GIF87a", b"GIF89a")):
                return _gif(file, head)
            return _by_head(head)
    except OSError:
        return None


def _by_head(head: bytes) -> tuple[int, int] | None:
    """Return the size that a PNG or WebP names at its beginning."""
    if head.startswith(b"\x89PNG\r\n\x1a\n") and head[12:16] == b"IHDR":
        return int.from_bytes(head[16:20], "big"), int.from_bytes(head[20:24], "big")
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return _webp(head)
    return None


def _webp(head: bytes) -> tuple[int, int] | None:
    """Return the size that one of the three kinds of WebP names."""
    match head[12:16]:
        case b"VP8X":
            return int.from_bytes(head[24:27], "little") + 1, int.from_bytes(head[27:30], "little") + 1
        case b"VP8 " if head[23:26] == _VP8:
            width, height = int.from_bytes(head[26:28], "little"), int.from_bytes(head[28:30], "little")
            return width & _FOURTEEN_BITS, height & _FOURTEEN_BITS
        case b"VP8L" if head[20:21] == _VP8L:
            bits = int.from_bytes(head[21:25], "little")
            return (bits & _FOURTEEN_BITS) + 1, (bits >> 14 & _FOURTEEN_BITS) + 1
        case _:
            return None


def _gif(file: BinaryIO, head: bytes) -> tuple[int, int] | None:
    """Return the size of a GIF: that which it names, made larger where its first frame is, as browsers do."""
    width, height, flags = int.from_bytes(head[6:8], "little"), int.from_bytes(head[8:10], "little"), head[10]
    file.seek(_GIF_HEAD + (3 << (flags & 7) + 1 if flags & _GIF_COLOURS else 0))
    blocks = 0
    for _segment in range(MAX_SEGMENTS):
        match file.read(1):
            case b"!":  # an extension: its kind, then blocks, each with its length before it, until an empty one
                file.seek(1, 1)
                while (length := file.read(1)) not in {b"", b"\x00"}:
                    file.seek(length[0], 1)
                    blocks += 1
                    if blocks > MAX_BLOCKS:
                        return None
            case b",":  # a frame: left, top, width, height
                frame = file.read(_GIF_FRAME)
                if len(frame) < _GIF_FRAME:
                    return None
                left, top, wide, high = (int.from_bytes(frame[at : at + 2], "little") for at in (0, 2, 4, 6))
                return max(width, left + wide), max(height, top + high)
            case _:
                return None
    return None


def _jpeg(file: BinaryIO) -> tuple[int, int] | None:
    """Return the size in the first frame of a JPEG, whose first marker was read."""
    for _segment in range(MAX_SEGMENTS):
        lead, marker = file.read(1), file.read(1)
        while marker == _LEAD:  # any number of them may stand before a marker
            marker = file.read(1)
        if lead != _LEAD or marker in _NO_SEGMENT:
            return None
        if marker in _ALONE:
            continue
        length = int.from_bytes(file.read(2), "big")
        if marker in _FRAMES:
            frame = file.read(5)  # bits of a sample, height, width
            return int.from_bytes(frame[3:5], "big"), int.from_bytes(frame[1:3], "big")
        file.seek(max(0, length - 2), 1)  # the length counts itself
    return None
