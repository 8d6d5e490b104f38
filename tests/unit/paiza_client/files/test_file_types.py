"""Which files are exchanged: by content, with a name that fits it."""

import io
import struct
import zipfile
from pathlib import Path

import pytest

from paiza_client.files import file_types
from paiza_officer.errors import Refused


def archive(*names: str, content: bytes = b"") -> bytes:
    """Make a ZIP with these members."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as made:
        for name in names:
            made.writestr(name, content)
    return file.getvalue()


GOOD = {
    "photo.JPG": (b"\xff\xd8\xff\xe0", "image/jpeg"),
    "scan.tif": (b"II*\x00", "image/tiff"),
    "report.pdf": (b"%PDF-1.7\n", "application/pdf"),
    "lorry.dcm": (bytes(128) + b"DICM", "application/dicom"),
    "film.mp4": (b"\x00\x00\x00\x18ftypisom", "video/mp4"),
    "film.mov": (b"\x00\x00\x00\x18ftypqt  ", "video/quicktime"),
    "picture.webp": (b"RIFF\x00\x00\x00\x00WEBP", "image/webp"),
    "call.wav": (b"RIFF\x00\x00\x00\x00WAVE", "audio/wav"),
    "list.csv": ("место,число\nздесь,3\n".encode(), "text/plain"),
    "files.zip": (archive("a.txt"), "application/zip"),
    "list.xlsx": (
        archive("[Content_Types].xml", "xl/workbook.xml"),
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ),
    "text.odt": (
        archive("mimetype", content=b"application/vnd.oasis.opendocument.text"),
        "application/vnd.oasis.opendocument.text",
    ),
}


@pytest.mark.parametrize("name", GOOD)
def test_files_are_known_by_their_content(tmp_path: Path, name: str) -> None:
    """Each permitted type is recognised, in any case of its ending."""
    content, media_type = GOOD[name]
    (tmp_path / name).write_bytes(content)
    assert file_types.recognise(tmp_path / name).media_type == media_type


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("tool", b"\x7fELF", "program"),
        ("tool.pdf", b"MZ", "program"),
        ("run.txt", b"#!/bin/sh", "program"),
        ("page.svg", b"<svg/>", "program"),
        ("macros.xlsx", archive("[Content_Types].xml", "xl/vbaProject.bin"), "program"),
        ("files.zip", archive("setup.exe"), "program"),
        ("files.zip", archive("inner.zip"), "nested"),
        ("files.zip", b"PK\x03\x04 and no more", "damaged"),
        ("photo.png", b"\xff\xd8\xff\xe0", "mismatch"),
        ("photo", b"\xff\xd8\xff\xe0", "mismatch"),
        ("list.xlsx", archive("a.txt"), "mismatch"),
        ("empty.txt", b"", "unknown"),
        ("noise.txt", b"\x00\x01", "unknown"),
        ("latin.txt", "café".encode("latin-1") + bytes(10), "unknown"),
    ],
)
def test_what_deceives_or_runs_is_refused(tmp_path: Path, name: str, content: bytes, code: str) -> None:
    """Each refusal names what is wrong with the file."""
    (tmp_path / name).write_bytes(content)
    with pytest.raises(Refused, match="attachment_type_refused") as refused:
        file_types.recognise(tmp_path / name)
    assert [each.code for each in refused.value.problems] == [code]


@pytest.mark.parametrize("comment", [b"", b"a comment"])
def test_an_archive_whose_list_of_files_is_huge_is_not_read(tmp_path: Path, comment: bytes) -> None:
    """The list is taken into memory whole: its size is looked at before that, and so is that of 64 bits."""
    huge = 4 * 1024**3 - 2
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 1, 1, huge, 0, len(comment)) + comment
    wide = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, 1, 1, huge, 0)
    locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, 0, 1)
    small = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 1, 1, 10, 0, len(comment)) + comment
    for content in (end, wide + locator + small, locator + small):
        path = tmp_path / "files.zip"
        path.write_bytes(b"PK\x03\x04" + bytes(200) + content)
        with pytest.raises(Refused) as refused:
            file_types.recognise(path)
        assert [each.code for each in refused.value.problems] == ["members"]
