"""Erasing a message with an attachment: its file goes at both ends, also while it is being fetched."""

import json
import subprocess
import sys

import pytest

from paiza.content.v1.erasure_pb2 import ErasureRequest
from paiza.core.v1 import delivery_pb2
from paiza.core.v1 import message_pb2 as pb
from tests.attaching import settled, submit, workflow_states
from tests.integration.attachments.conftest import Line
from tests.integration.exchange.desk import Desk
from tests.integration.exchange.lawful_desk import LawfulDesk

MIB = 1024 * 1024
ERASED = delivery_pb2.ATTACHMENT_STATE_ERASED
REQUEST = ErasureRequest(reason="unlawful", explanation="Exercise").SerializeToString()


async def ask(line: Line, digest: bytes) -> None:
    """Erase a message of kaz, as two officers."""
    desk = Desk(line.federation.folder, "kaz")
    async with desk.channel:
        header = pb.Header.FromString((await desk.info(digest)).header)
        request = desk.write("erasure-request", REQUEST, [header], [digest], ["tjk"])
    result = await submit(line.sending, request)
    assert result.WhichOneof("result") == "released", result


def left(line: Line, member: str) -> list[str]:
    """Name the files of attachments a node has, whole or not."""
    return [path.name for path in (line.federation.node(member).data / "attachments").iterdir()]


def verified(line: Line, member: str) -> object:
    """Run `paiza-node verify`; gives what it finds, or True."""
    config = str(line.federation.node(member).config)
    command = [sys.executable, "-m", "paiza_node", "verify", "--json", "--config", config]
    answer = json.loads(subprocess.run(command, capture_output=True, check=False, text=True).stdout)
    return answer["passed"] or answer


@pytest.mark.parametrize("when", ["received", "under way"])
async def test_the_file_goes_at_both_ends(line: Line, when: str) -> None:
    """No file or part of one remains, both nodes report it erased, and verify finds nothing."""
    if when == "under way":
        # The first bytes are on their way when the line falls silent, and come in the end.
        digest, _sealed = await line.send(24 * MIB)

        async def begun() -> bool:
            return bool(left(line, "tjk"))

        await line.until(begun)
        line.proxy.stall()
    else:
        digest, _sealed = await line.send(MIB)
        await settled(line.receiving, digest)
        assert left(line, "tjk")
    line.proxy.mend()
    await ask(line, digest)

    async def gone() -> bool:
        return not left(line, "kaz") and not left(line, "tjk")

    await line.until(gone)

    async def told() -> bool:
        found = await workflow_states(line.receiving, digest)
        return [each.state for each in found] == [ERASED]

    await line.until(told)
    await line.until(gone)
    for member in ("kaz", "tjk"):
        assert verified(line, member) is True


async def test_the_sender_learns_that_an_attachment_is_not_wanted_any_more(line: Line) -> None:
    """The receiver erases its own copy before the attachment came: the sender's row ends with that reason."""
    digest, sealed = await line.send(24 * MIB)

    async def begun() -> bool:
        return bool(left(line, "tjk"))

    await line.until(begun)
    line.proxy.stall()
    assert await LawfulDesk(line.receiving).erase_own_copy(digest) == ""

    async def gone() -> bool:
        return not left(line, "tjk")

    await line.until(gone)
    line.proxy.mend()
    (found,) = await settled(line.sending, digest)
    assert (found.state, found.reason) == (delivery_pb2.ATTACHMENT_STATE_REFUSED, "erased")
    assert line.held("kaz", sealed)
    for member in ("kaz", "tjk"):
        assert verified(line, member) is True
