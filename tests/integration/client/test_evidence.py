"""Evidence of a real message: every change in the file fails verification, which names the place."""

import asyncio
import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from paiza.core.v1 import log_pb2, message_pb2
from paiza_client.evidence import container, evidence
from paiza_client.sdk import connect
from paiza_officer import profiles
from paiza_officer.errors import NotProven
from paiza_trust import dev
from tests.federation import Federation
from tests.integration.client.conftest import DRAFT, Paiza
from tests.two_verifiers import agreed, second_verifier


@pytest.fixture(scope="module")
def root(federation: Federation) -> bytes:
    """The bootstrap root: all that the reader of evidence trusts."""
    return (federation.folder / "root.json").read_bytes()


@pytest.fixture
def file(paiza: Paiza, federation: Federation, tmp_path: Path) -> bytes:
    """The evidence of a message from kaz that tjk has received."""
    draft = tmp_path / "draft.yaml"
    draft.write_text(DRAFT)
    # The second of two: watching from sequence 1 on is then certain to show it, receipted already or soon.
    _first, sent = (paiza("kaz-liaison", "send", "free-message", draft, "--json").json for _ in range(2))

    async def receipt() -> None:
        async with connect(profiles.load(federation.home / "kaz-liaison")) as session:
            async for news in session.watch(1):
                if news.id == sent["id"] and [each.state for each in news.deliveries] == ["delivered"]:
                    return

    asyncio.run(asyncio.wait_for(receipt(), 60))
    path = tmp_path / "evidence.zip"
    assert paiza("kaz-liaison", "audit", "evidence", sent["id"], "-o", path).code == 0
    return path.read_bytes()


def refused(data: bytes, root: bytes) -> str:
    """Verify; give the reason it was refused for, and "" where it held."""
    try:
        evidence.verify_file(data, root)
    except NotProven as error:
        return error.reason
    return ""


def test_a_node_shows_the_certificates_of_the_signers(file: bytes, root: bytes) -> None:
    """Its log held them before the release, as both verifiers say."""
    found = agreed(second_verifier(), file, root)
    assert found is not None
    assert [each["certified"] for each in found["signed"]] == [True]


def test_any_changed_byte_of_the_file_is_noticed(file: bytes, root: bytes) -> None:
    """At a byte in every 97, all over the file, a flipped bit is refused."""
    assert refused(file, root) == ""
    assert agreed(second_verifier(), file, root) is not None
    for place in range(0, len(file), 97):
        changed = file[:place] + bytes([file[place] ^ 0x10]) + file[place + 1 :]
        assert refused(changed, root) == "bad_evidence", place


def test_what_is_taken_away_is_not_proven(file: bytes, root: bytes) -> None:
    """Verification fails without message, release or register, and names a missing receipt."""
    members = container.unpack(file)
    for gone in ("message.bin", "entries/000", "register/"):
        kept = {name: data for name, data in members.items() if not name.startswith(gone)}
        assert refused(container.pack(kept, {}), root) != ""
    kept = {name: data for name, data in members.items() if not name.startswith("entries/001")}
    assert evidence.verify_file(container.pack(kept, {}), root).unproven_answers == ("tjk",)


def test_proofs_of_one_entry_do_not_serve_another(file: bytes, root: bytes) -> None:
    """The proof of a release does not prove a receipt, and the other way round."""
    members = container.unpack(file)
    first, second = "entries/000.tlog-proof", "entries/001.tlog-proof"
    assert refused(container.pack({**members, first: members[second], second: members[first]}, {}), root) == "bad_proof"


def test_another_federation_does_not_vouch(file: bytes, tmp_path: Path) -> None:
    """Evidence holds under its own federation's root only."""
    dev.create(tmp_path / "other", ["kaz", "tjk", "uzb"])
    assert refused(file, (tmp_path / "other/root.json").read_bytes()) == "register_invalid"


def test_the_message_must_be_the_one_released(file: bytes, root: bytes) -> None:
    """Another header under the same signature does not fit the release."""
    members = container.unpack(file)
    signed = message_pb2.SignedMessage.FromString(members["message.bin"])
    header = message_pb2.Header.FromString(signed.header)
    header.urgency = message_pb2.URGENCY_FLASH
    signed.header = header.SerializeToString(deterministic=True)
    changed = {**members, "message.bin": signed.SerializeToString()}
    assert refused(container.pack(changed, {}), root) == "bad_proof"


def test_a_receipt_of_another_log_is_refused(file: bytes, root: bytes) -> None:
    """A receipt whose entry was rewritten does not stand in the log that signed the checkpoint."""
    members = container.unpack(file)
    entry = log_pb2.LogEntry.FromString(members["entries/001.entry"])
    entry.entry_time.seconds -= 3600
    changed = {**members, "entries/001.entry": entry.SerializeToString()}
    assert refused(container.pack(changed, {}), root) == "bad_proof"


def _compressed(members: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("manifest.json", bytes(10_000_000))
        for name, data in members.items():
            archive.writestr(name, data)
    return stream.getvalue()


def _outside(members: dict[str, bytes]) -> bytes:
    return container.pack({**members, "../outside": b""}, {})


@pytest.mark.parametrize(
    "make",
    [
        _compressed,
        _outside,
        lambda members: container.pack({**members, "extra.bin": b""}, {}),
        lambda members: container.pack(members, {}) + b"\0",
        lambda members: b"\0" + container.pack(members, {}),
        lambda _: b"",
        lambda _: b"PK\x05\x06" + bytes(18),
    ],
    ids=["compressed", "outside", "extra", "behind", "before", "empty", "empty zip"],
)
def test_what_is_no_container_of_ours_is_refused(
    file: bytes, root: bytes, make: Callable[[dict[str, bytes]], bytes]
) -> None:
    """A compressed bomb, a name that leads outside, and anything added are refused before a proof is looked at."""
    assert refused(make(container.unpack(file)), root) == "bad_evidence"
