"""Attachments, and a message that waited for its second officer when the backup was made, come back settled."""

import asyncio
import shutil
from pathlib import Path

import pytest

from paiza.core.v1 import delivery_pb2
from paiza.officer.v1 import approval_pb2, approval_pb2_grpc, officer_pb2
from paiza_wire import message
from tests.attaching import bring, seal, settled, signed, submit
from tests.integration.node.conftest import SECONDS
from tests.integration.node.test_operator_verify_work import SIZE, two_signers
from tests.officer import Officer
from tests.system.recovery.conftest import Drill


@pytest.mark.parametrize("drill", ["sqlite"], indirect=True)
def test_work_done_since_the_backup_comes_back(drill: Drill, tmp_path: Path) -> None:
    """Later approvals are released as approved; files and their states are known again at both ends."""
    folder, file = drill.federation.folder, tmp_path / "kaz.backup"
    first, second = (Officer(folder, f"kaz-{name}") for name in ("liaison", "duty"))
    raw, waiting = two_signers(first, second)

    async def submitted() -> None:
        async with first.channel() as channel:
            assert (await submit(channel, raw)).WhichOneof("result") == "waiting"

    async def film(author: Officer, to: str, name: str) -> bytes:
        async with author.channel() as channel:
            header = author.header([to])
            (tmp_path / name).mkdir()
            sealed = seal(tmp_path / name, header, SIZE)
            await bring(channel, sealed)
            sent = await submit(channel, signed(author, header, [sealed.said]))
            digest: bytes = sent.released.message_digest
            await asyncio.wait_for(settled(channel, digest), SECONDS)
            return digest

    async def approved() -> bytes:
        async with second.channel() as channel:
            digest = message.message_digest(waiting)
            signature = message.countersign(waiting, second.signer)
            request = approval_pb2.ApproveRequest(message_digest=digest, signature=signature)
            answer = await approval_pb2_grpc.ApprovalServiceStub(channel).Approve(request, timeout=SECONDS)
            assert answer.result.WhichOneof("result") == "released"
            return digest

    async def all_settled(digests: list[bytes]) -> None:
        async with Officer(folder, "kaz-duty").channel() as channel:
            for digest in digests:
                await asyncio.wait_for(settled(channel, digest), SECONDS)

    asyncio.run(submitted())
    assert drill.kaz("backup", file)[0] == 0
    films = [
        asyncio.run(film(first, "tjk", "sent")),
        asyncio.run(film(Officer(folder, "tjk-liaison"), "kaz", "received")),
    ]
    decided = asyncio.run(approved())
    drill.exchange("kaz", ["tjk"], 1)  # when this is delivered, so is what was before it
    lost = drill.lose()
    shutil.copytree(lost / "attachments", drill.federation.node("kaz").data / "attachments")
    code, told = drill.kaz("restore", file)
    assert (code, told["reason"]) == (3, "log_continues")
    drill.admit(told["remedy"].split("with the key ")[1].split()[0])
    assert drill.kaz("restore", file)[0] == 0
    drill.federation.start("kaz")
    drill.recovered()
    asyncio.run(all_settled(films))
    sent = drill.listed("kaz", officer_pb2.BOX_SENT)
    assert {films[0], decided} <= set(sent)
    assert [each.state for each in sent[decided].deliveries] == [delivery_pb2.DELIVERY_STATE_DELIVERED]
    drill.verify_all()
