"""Permitted types of files, recognised by their content, never by their name alone.

A name that does not match the content is refused, since it deceives the reader; programs, and documents
that carry programs, are refused whatever they are called.
"""

import os
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from paiza_client.language import _
from paiza_officer.errors import FieldProblem, Refused

HEAD_BYTES: Final = 4096  # enough for every beginning below; TIFF and DICOM need 132
MAX_ZIP_DIRECTORY: Final = 8 * 1024 * 1024  # bytes of the list of its files: 800 each
_END_BYTES: Final = 22  # of the last record of a ZIP, without its comment
ZIP_TAIL_BYTES: Final = 64 * 1024 + _END_BYTES + 76  # that record, the longest comment, and the records of 64 bits
MAX_ZIP_MEMBERS: Final = 10_000  # of an office document or archive that is looked into
TEXT_BYTES: Final = 64 * 1024  # of a text that are looked at


@dataclass(frozen=True, slots=True)
class FileType:
    """A kind of file: its media type, and the endings its name may have."""

    media_type: str
    endings: tuple[str, ...]


_OFFICE: Final = "application/vnd.openxmlformats-officedocument."
JPEG: Final = FileType("image/jpeg", ("jpg", "jpeg", "jpe"))
PNG: Final = FileType("image/png", ("png",))
TIFF: Final = FileType("image/tiff", ("tif", "tiff"))
WEBP: Final = FileType("image/webp", ("webp",))
ZIP: Final = FileType("application/zip", ("zip",))
TEXT: Final = FileType(
    "text/plain", ("txt", "csv", "tsv", "json", "xml", "yaml", "yml", "toml", "log", "md", "geojson")
)

_BEGINNINGS: Final = (
    (0, b"\xff\xd8\xff", JPEG),
    (0, b"\x89PNG\r\n\x1a\n", PNG),
    (0, b"II*\x00", TIFF),
    (0, b"MM\x00*", TIFF),
    (0, b"II+\x00", TIFF),
    (0, b"MM\x00+", TIFF),
    (0, b"%PDF-", FileType("application/pdf", ("pdf",))),
    (128, b"DICM", FileType("application/dicom", ("dcm", "dicom", "dic"))),
    (0, b"GIF87a", FileType("image/gif", ("gif",))),
    (0, b"GIF89a", FileType("image/gif", ("gif",))),
    (0, b"BM", FileType("image/bmp", ("bmp",))),
    (0, b"OggS", FileType("application/ogg", ("ogg", "oga", "ogv", "opus"))),
    (0, b"fLaC", FileType("audio/flac", ("flac",))),
    (0, b"ID3", FileType("audio/mpeg", ("mp3",))),
    (0, b"\xff\xfb", FileType("audio/mpeg", ("mp3",))),
    (0, b"\x1aE\xdf\xa3", FileType("video/x-matroska", ("mkv", "webm"))),
)
_RIFF: Final = {
    b"WEBP": WEBP,
    b"WAVE": FileType("audio/wav", ("wav",)),
    b"AVI ": FileType("video/x-msvideo", ("avi",)),
}
_BRANDS: Final = {
    b"heic": FileType("image/heic", ("heic", "heif")),
    b"heix": FileType("image/heic", ("heic", "heif")),
    b"mif1": FileType("image/heif", ("heif", "heic")),
    b"avif": FileType("image/avif", ("avif",)),
    b"qt  ": FileType("video/quicktime", ("mov", "qt")),
    b"M4A ": FileType("audio/mp4", ("m4a",)),
}
_MP4: Final = FileType("video/mp4", ("mp4", "m4v", "mov", "3gp"))
_IN_ZIP: Final = (
    ("word/", FileType(_OFFICE + "wordprocessingml.document", ("docx",))),
    ("xl/", FileType(_OFFICE + "spreadsheetml.sheet", ("xlsx",))),
    ("ppt/", FileType(_OFFICE + "presentationml.presentation", ("pptx",))),
)
_OPEN_DOCUMENT: Final = {
    "application/vnd.oasis.opendocument.text": ("odt",),
    "application/vnd.oasis.opendocument.spreadsheet": ("ods",),
    "application/vnd.oasis.opendocument.presentation": ("odp",),
}
_PROGRAMS: Final = (
    b"\x7fELF",
    b"MZ",
    b"#!",
    b"\xca\xfe\xba\xbe",
    b"\xfe\xed\xfa",
    b"\xce\xfa\xed\xfe",
    b"\xcf\xfa\xed\xfe",
    b"L\x00\x00\x00\x01\x14\x02\x00",
    b"dex\n",
    b"\x00asm",
)
_PROGRAM_ENDINGS: Final = frozenset(
    (
        *("exe", "com", "scr", "pif", "bat", "cmd", "msi", "msp", "dll", "sys", "ps1", "psm1", "vbs", "vbe", "js"),
        *("jse", "wsf", "wsh", "hta", "lnk", "jar", "apk", "app", "dmg", "sh", "bash", "py", "pl", "rb", "php", "html"),
        *("htm", "svg", "reg", "cpl", "scf", "url", "docm", "xlsm", "pptm", "dotm", "xltm"),
    )
)


def recognise(path: Path, name: str = "") -> FileType:
    """Return what a file is; Refused("attachment_type_refused") says why it is not exchanged, and what to do.

    ``name`` is what it is called, where that is not the name of ``path``.
    """
    called = name or path.name
    ending = called.rpartition(".")[2].lower() if "." in called else ""
    try:
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
        if head.startswith(_PROGRAMS) or ending in _PROGRAM_ENDINGS:
            raise _refused(path, _("It is a program, or runs as one."), "program")
        found = _by_content(path, head)
    except OSError as error:
        raise Refused("file_unreadable", str(path), error.strerror or "") from error
    if found is None:
        raise _refused(path, _("Its content is of no kind that is exchanged."), "unknown")
    if ending not in found.endings:
        what = _("Its content is {found}; its name should end in .{ending}").format(
            found=found.media_type, ending=found.endings[0]
        )
        raise _refused(path, what, "mismatch")
    return found


def _by_content(path: Path, head: bytes) -> FileType | None:
    for at, beginning, found in _BEGINNINGS:
        if head[at : at + len(beginning)] == beginning:
            return found
    if head[:4] == b"RIFF":
        return _RIFF.get(head[8:12])
    if head[4:8] == b"ftyp":
        return _BRANDS.get(head[8:12], _MP4)
    if head[:4] == b"PK\x03\x04":
        return _in_zip(path)
    return TEXT if _is_text(path) else None


def _in_zip(path: Path) -> FileType | None:
    """Look into a ZIP: an office document by its parts; refused where it holds a program or cannot be looked into."""
    try:
        with path.open("rb") as file:
            fits = _directory_fits(file)
        if not fits:
            raise _refused(path, _("It holds too many files to be looked into."), "members")
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            if len(names) > MAX_ZIP_MEMBERS:
                raise _refused(path, _("It holds too many files to be looked into."), "members")
            kind = archive.read("mimetype").decode("ascii", "replace") if _is_short(archive, "mimetype") else ""
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, RuntimeError) as error:
        raise _refused(path, _("It cannot be looked into."), "damaged") from error
    lower = [each.lower() for each in names]
    if any(each.rpartition(".")[2] in _PROGRAM_ENDINGS or each.endswith("vbaproject.bin") for each in lower):
        raise _refused(path, _("It holds a program or macros."), "program")
    if any(each.rpartition(".")[2] in {"zip", "7z", "rar", "gz", "tar"} for each in lower):
        raise _refused(path, _("It holds another archive, which is not looked into."), "nested")
    if kind in _OPEN_DOCUMENT:
        return FileType(kind, _OPEN_DOCUMENT[kind])
    if "[content_types].xml" in lower:
        return next((found for folder, found in _IN_ZIP if any(each.startswith(folder) for each in lower)), None)
    return ZIP


def _directory_fits(file: BinaryIO) -> bool:
    """Return whether the directory of a ZIP is small enough to be read: `zipfile` takes all of it into memory at once.

    Its size stands in the last record of the file, which a comment of 64 KiB may follow, or in one of 64 bits before.
    """
    file.seek(0, os.SEEK_END)
    size = file.tell()
    begin = max(0, size - ZIP_TAIL_BYTES)
    file.seek(begin)
    tail = file.read()
    at = len(tail) - _END_BYTES
    if at < 0 or not (tail.startswith(b"PK\x05\x06", at) and tail.endswith(b"\x00\x00")):
        at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) < at + _END_BYTES:
        return True  # there is none: `zipfile` reads nothing, and says so
    directory = int.from_bytes(tail[at + 12 : at + 16], "little")
    if tail[max(0, at - 20) :].startswith(b"PK\x06\x07"):  # where the record of 64 bits is, which counts instead
        record = tail[max(0, at - 76) : at - 20]
        if not record.startswith(b"PK\x06\x06"):
            return False
        directory = int.from_bytes(record[40:48], "little")
    return directory <= MAX_ZIP_DIRECTORY


def _is_short(archive: zipfile.ZipFile, name: str) -> bool:
    return name in archive.namelist() and archive.getinfo(name).file_size <= HEAD_BYTES


def _is_text(path: Path) -> bool:
    with path.open("rb") as file:
        sample = file.read(TEXT_BYTES)
    if not sample or b"\x00" in sample:
        return False
    try:
        text = sample.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.start < len(sample) - 4:  # not just a letter that was cut off at the end of the sample
            return False
        text = sample[: error.start].decode("utf-8")
    return all(letter.isprintable() or letter in "\t\r\n\ufeff" for letter in text)


def _refused(path: Path, what: str, code: str) -> Refused:
    return Refused("attachment_type_refused", str(path), code, [FieldProblem(str(path), what, code)])


def known_endings() -> Iterator[str]:
    """Name the endings of what is exchanged, for help."""
    kinds = [each for _at, _beginning, each in _BEGINNINGS] + [*_RIFF.values(), *_BRANDS.values(), _MP4, TEXT, ZIP]
    kinds += [each for _folder, each in _IN_ZIP]
    yield from sorted({kind.endings[0] for kind in kinds} | {each[0] for each in _OPEN_DOCUMENT.values()})
