"""Attachments as officers meet them: sent with a message, followed, fetched, and what is refused."""

import json
import struct
import time
import zlib
from pathlib import Path
from typing import Any

import pytest

from tests.federation import Federation
from tests.integration.client.conftest import DRAFT, Paiza
from tests.two_verifiers import agreed, second_verifier

ARRIVAL_SECONDS = 60.0
POLL_SECONDS = 0.05


def chunk(kind: bytes, data: bytes) -> bytes:
    """Write one chunk of a PNG."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def picture(*extra: bytes) -> bytes:
    """Make a PNG of one grey point, with further chunks."""
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0))
    return (
        b"\x89PNG\r\n\x1a\n" + head + b"".join(extra) + chunk(b"IDAT", zlib.compress(b"\x00\x7f")) + chunk(b"IEND", b"")
    )


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """A picture that tells nothing but itself."""
    path = tmp_path / "photo.png"
    path.write_bytes(picture())
    return path


def arrived(paiza: Paiza, profile: str, message: str) -> list[dict[str, Any]]:
    """Wait until no attachment of a message is pending at a node."""
    deadline = time.monotonic() + ARRIVAL_SECONDS
    while time.monotonic() < deadline:
        ran = paiza(profile, "attach", "list", message, "--json")
        if ran.code == 0 and all(each["state"] != "pending" for each in ran.json):
            return ran.json  # type: ignore[no-any-return]
        time.sleep(POLL_SECONDS)
    raise AssertionError("the attachments did not arrive")


def test_a_picture_is_sent_followed_fetched_and_proven(
    paiza: Paiza, federation: Federation, draft: Path, photo: Path, tmp_path: Path
) -> None:
    """The recipient's officer saves the sender's file; list, thread, trail and outbox agree."""
    sent = paiza("kaz-liaison", "send", "free", draft, "--attach", photo, "--json").json
    there = arrived(paiza, "tjk-liaison", sent["id"])
    assert [(each["part"], each["member"], each["state"]) for each in there] == [(1, "tjk", "received")]
    listed = paiza("tjk-liaison", "attach", "list", sent["id"]).out
    assert "Sealed size" in listed  # the size of the file is sealed too
    target = tmp_path / "here.png"
    saved = paiza("tjk-liaison", "open", sent["id"], "--attachment", "1", "-o", target, "--json").json
    assert target.read_bytes() == photo.read_bytes()
    assert (saved["saved"]["name"], saved["saved"]["media_type"]) == ("photo.png", "image/png")
    assert saved["verified"]["opened"]["part"] == 1
    assert [each["state"] for each in arrived(paiza, "kaz-liaison", sent["id"])] == ["received"]
    trail = paiza("kaz-liaison", "audit", "trail", sent["id"], "--json").json
    assert ("DELIVERED", 1) in {(each["event"], each["part"]) for each in trail["own"]}
    assert ("tjk", "RECEIVED", 1) in {(each["member"], each["event"], each["part"]) for each in trail["foreign"]}
    assert paiza("kaz-liaison", "outbox", "list", "--json").json == []
    assert "attachments: 1 of 1" in paiza("tjk-liaison", "thread", sent["id"]).out
    again = paiza("tjk-liaison", "open", sent["id"], "--attachment", "1", "-o", target)
    assert (again.code, target.read_bytes()) == (3, photo.read_bytes())
    own = paiza("kaz-liaison", "attach", "get", sent["id"], "1", "-o", tmp_path / "own.png", "--json").json
    assert own["saved"]["size"] == len(photo.read_bytes())
    file = tmp_path / "evidence.zip"
    proven = paiza("kaz-liaison", "audit", "evidence", sent["id"], "-o", file, "--json").json
    assert [(each["event"], each["member"], each["part"]) for each in proven["others"]] == [("RECEIVED", "tjk", 1)]
    root = federation.folder / "root.json"
    assert agreed(second_verifier(), file.read_bytes(), root.read_bytes()) is not None


def test_a_disclosed_picture_is_proven_to_whoever_has_the_file(
    paiza: Paiza, federation: Federation, photo: Path, tmp_path: Path
) -> None:
    """Classified files stay; otherwise the evidence file alone contains the picture, proven to be the sent one."""
    root = federation.folder / "root.json"
    draft, given, folder = tmp_path / "draft.yaml", tmp_path / "given.zip", tmp_path / "parts"
    why = ("--disclose-part", "1", "--reason", "case 1", "--whom", "a court")
    for level in (1, 0):
        draft.write_text(DRAFT.replace("classification: 1", f"classification: {level}"))
        sent = paiza("kaz-liaison", "send", "free", draft, "--attach", photo, "--json").json
        arrived(paiza, "tjk-liaison", sent["id"])
        made = paiza("kaz-liaison", "audit", "evidence", sent["id"], "-o", given, *why, "--json")
        assert given.exists() == (made.code == 0) == (level == 0), made.err
    assert paiza("nobody", "audit", "verify", given, "--root", root, "--extract", folder).code == 0
    assert (folder / "part-1.bin").read_bytes() == photo.read_bytes()
    assert json.loads((folder / "part-1.json").read_text())["name"] == "photo.png"
    found = agreed(second_verifier(), given.read_bytes(), root.read_bytes())
    assert found is not None
    assert found["disclosed"][1].endswith(photo.read_bytes())


def test_a_draft_names_its_attachments(paiza: Paiza, photo: Path, tmp_path: Path) -> None:
    """Paths in a draft begin where the draft is; each may have a note, which only its readers see."""
    folder = tmp_path / "case"
    folder.mkdir()
    (folder / "photo.png").write_bytes(photo.read_bytes())
    (folder / "list.csv").write_text("place,count\nhere,3\n")
    (folder / "draft.yaml").write_text(DRAFT + "attachments:\n  - photo.png\n  - {file: list.csv, note: as counted}\n")
    sent = paiza("kaz-liaison", "send", "free", folder / "draft.yaml", "--json").json
    assert [each["part"] for each in arrived(paiza, "tjk-liaison", sent["id"])] == [1, 2]
    saved = paiza("tjk-liaison", "attach", "get", sent["id"], "2", "-o", tmp_path, "--json").json["saved"]
    assert (saved["note"], Path(saved["path"]).read_text()) == ("as counted", "place,count\nhere,3\n")


def test_the_place_is_taken_out_on_request_and_said(paiza: Paiza, draft: Path, tmp_path: Path) -> None:
    """With --strip-location the picture goes without its place, and the officer is told what was taken out."""
    exif = b"II*\x00\x08\x00\x00\x00" + struct.pack("<H", 1) + struct.pack("<HHII", 0x8825, 4, 1, 26) + b"\x00" * 4
    exif += struct.pack("<H", 1) + struct.pack("<HHI4s", 1, 2, 2, b"N\x00\x00\x00") + b"\x00" * 4
    path = tmp_path / "place.png"
    path.write_bytes(picture(chunk(b"eXIf", exif)))
    assert paiza("kaz-liaison", "attach", "check", path, "--json").json[0]["place"] == ["GPS position (EXIF)"]
    ran = paiza("kaz-liaison", "send", "free", draft, "--attach", path, "--strip-location")
    assert ran.code == 0
    assert "place.png: taken out: GPS position (EXIF)" in ran.err
    sent = paiza("kaz-liaison", "inbox", "--sent", "--limit", "1", "--json").json["messages"][0]
    arrived(paiza, "tjk-liaison", sent["id"])
    target = tmp_path / "without.png"
    assert paiza("tjk-liaison", "attach", "get", sent["id"], "1", "-o", target).code == 0
    assert target.read_bytes() == picture()


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("tool.exe", b"MZ\x90\x00", "program"),
        ("tool.png", b"\x7fELF\x02\x01", "program"),
        ("run.txt", b"#!/bin/sh\nexit\n", "program"),
        ("photo.jpg", picture(), "mismatch"),
        ("noise.bin", bytes(range(256)), "unknown"),
        ("page.html", b"<html></html>", "program"),
    ],
)
def test_what_deceives_or_runs_is_not_sent(
    paiza: Paiza, draft: Path, tmp_path: Path, name: str, content: bytes, code: str
) -> None:
    """Programs, and files whose name says another kind than their content, are refused before anything is sealed."""
    path = tmp_path / name
    path.write_bytes(content)
    ran = paiza("kaz-liaison", "send", "free", draft, "--attach", path, "--json")
    assert ran.code == 3
    assert '"reason": "attachment_type_refused"' in ran.err
    assert f'"code": "{code}"' in ran.err
    assert paiza("kaz-liaison", "outbox", "list", "--json").json == []


def test_written_while_the_node_is_away_it_goes_by_itself(
    paiza: Paiza, federation: Federation, draft: Path, photo: Path
) -> None:
    """A message with an attachment waits sealed in the outbox, and nothing of the file is readable there."""
    federation.node("kaz").stop()
    outbox = federation.home / "kaz-liaison" / "outbox"
    try:
        assert paiza("kaz-liaison", "send", "free", draft, "--attach", photo).code == 4
        assert [path.stat().st_mode & 0o777 for path in outbox.iterdir()] == [0o600] * 2
        assert not any(photo.read_bytes() in path.read_bytes() for path in outbox.iterdir())
        (waiting,) = paiza("kaz-liaison", "outbox", "list", "--json").json
    finally:
        federation.start("kaz")
    assert paiza("kaz-liaison", "outbox", "flush", "--json").json[0]["state"] == "released"
    assert list(outbox.glob("*.sealed")) == []
    assert [each["state"] for each in arrived(paiza, "tjk-liaison", waiting["id"])] == ["received"]
