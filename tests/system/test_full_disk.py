"""A disk that one officer fills with attachments keeps room for everybody's messages."""

import asyncio
import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import grpc
import pytest

from paiza.core.v1 import message_pb2
from paiza.officer.v1 import attachment_pb2, attachment_pb2_grpc, officer_pb2, officer_pb2_grpc
from paiza_node.core.log.disk_reserve import RESERVE_BYTES, free_bytes
from paiza_node.features.attachments.disk_room import MIN_FREE_BYTES
from tests.federation import Federation
from tests.officer import Officer

MIB: Final = 1024 * 1024
DISK_BYTES: Final = 480 * MIB
FILE_BYTES: Final = 80 * MIB
HALF: Final = (DISK_BYTES - MIN_FREE_BYTES) // 2
FILES: Final = 8
PIECE_BYTES: Final = MIB // 4
CALL_SECONDS: Final = 300.0


@pytest.fixture
def federation(tmp_path: Path) -> Iterator[Federation]:
    """Run a node whose data folder is a small disk."""
    with Federation.create(tmp_path / "federation", ["kaz", "tjk"]) as made:
        data = made.node("kaz").data
        kept = shutil.move(data, tmp_path / "kept")
        data.mkdir(mode=0o700)
        command = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES},mode=0700", "tmpfs", str(data)]
        if os.geteuid() != 0 or subprocess.run(command, check=False, capture_output=True).returncode:
            pytest.skip("only root may mount a small disk")
        try:
            shutil.copytree(kept, data, dirs_exist_ok=True)
            made.start("kaz")
            yield made
        finally:
            made.node("kaz").kill()
            subprocess.run(["umount", str(data)], check=True)


async def test_uploads_leave_the_reserve_to_the_messages(federation: Federation) -> None:
    """Of eight files at once those that fit into half are granted, also after a kill -9; colleagues go on meanwhile."""
    node = federation.node("kaz")
    files = [_content(number) for number in range(FILES)]
    liaison, duty = Officer(federation.folder, "kaz-liaison"), Officer(federation.folder, "kaz-duty")
    async with liaison.channel() as channel:
        answers = await asyncio.gather(*(_start(channel, each) for each in files))
    granted = [each for each, answer in zip(files, answers, strict=True) if answer == ""]
    assert 1 <= len(granted) == HALF // FILE_BYTES
    assert set(answers) == {"", "disk_full"}
    node.kill()
    await asyncio.to_thread(node.start)
    options = ("grpc.use_local_subchannel_pool", 1)
    async with liaison.channel(options) as channel, duty.channel(options) as other:
        assert await _start(channel, _content(FILES)) == "disk_full"
        assert await _start(other, b"x" * (FILE_BYTES // 2)) == ""  # one officer's files shut out nobody
        uploads = asyncio.gather(*(_upload(channel, each) for each in granted))
        while not uploads.done():
            assert await _submitted(other, duty) == "released"
        assert await uploads == [True] * len(granted)
        for each in files:
            assert await _start(channel, each) == ("" if each in granted else "disk_full")
        assert await _submitted(other, duty) == "released"
    found = os.statvfs(node.data)
    assert found.f_bavail * found.f_frsize >= MIN_FREE_BYTES - 8 * MIB  # less what the database took


async def test_last_room_is_for_what_nothing_may_hold_up(federation: Federation) -> None:
    """On a disk that is nearly full ordinary messages wait, whoever sends them; a FLASH message is released."""
    node, duty = federation.node("kaz"), Officer(federation.folder, "kaz-duty")
    async with duty.channel(("grpc.use_local_subchannel_pool", 1)) as channel:
        assert await _submitted(channel, duty) == "released"
        filling = node.data / "filling"
        with filling.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, free_bytes(node.data) - RESERVE_BYTES + MIB)
        assert await _submitted(channel, duty) == "disk_full"
        assert await _submitted(channel, duty, message_pb2.URGENCY_FLASH) == "released"
        filling.unlink()
        assert await _submitted(channel, duty) == "released"
    assert "disk_nearly_full" in node.log.read_text()


async def test_auditor_uploads_nothing(federation: Federation) -> None:
    """Only officers in roles that send may."""
    async with Officer(federation.folder, "kaz-auditor").channel() as channel:
        assert await _start(channel, b"x" * 100) == "policy_denied"


async def _start(channel: grpc.aio.Channel, content: bytes) -> str:
    """Announce a file; return the reason of a refusal, empty if there is room."""
    request = attachment_pb2.StartUploadRequest(
        ciphertext_sha256=sha256(content).digest(), ciphertext_size=len(content)
    )
    try:
        await attachment_pb2_grpc.AttachmentServiceStub(channel).StartUpload(request, timeout=CALL_SECONDS)
    except grpc.aio.AioRpcError as error:
        return str(dict(error.trailing_metadata() or ())["paiza-reason"])
    return ""


async def _upload(channel: grpc.aio.Channel, content: bytes) -> bool:
    """Upload a file; return whether it is there whole."""

    async def requests() -> AsyncIterator[attachment_pb2.UploadRequest]:
        yield attachment_pb2.UploadRequest(ciphertext_sha256=sha256(content).digest())
        for at in range(0, len(content), PIECE_BYTES):
            yield attachment_pb2.UploadRequest(data=content[at : at + PIECE_BYTES])

    stub: Any = attachment_pb2_grpc.AttachmentServiceStub(channel)
    response = await stub.Upload(requests(), timeout=CALL_SECONDS)
    return bool(response.whole)


async def _submitted(
    channel: grpc.aio.Channel,
    officer: Officer,
    urgency: message_pb2.Urgency.ValueType = message_pb2.URGENCY_ROUTINE,
) -> str:
    """Submit a message; return "released", or why it has to wait."""
    reason = "It moves." if urgency == message_pb2.URGENCY_FLASH else ""
    composed = officer.compose(["tjk"], role="duty", urgency=urgency, urgency_reason=reason)
    item = officer_pb2.SubmitItem(message=composed)
    stub = officer_pb2_grpc.OfficerServiceStub(channel)
    response = await stub.Submit(officer_pb2.SubmitRequest(items=[item]), timeout=CALL_SECONDS)
    (result,) = response.results
    return result.retry.reason or str(result.WhichOneof("result"))


def _content(number: int) -> bytes:
    return number.to_bytes(8, "big") + bytes(FILE_BYTES - 8)
