"""Nodes on which nobody hears of a change: all that follows from what was committed still happens, from the rows."""

import asyncio
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Final

import pytest_asyncio

from paiza.core.v1 import delivery_pb2
from paiza.officer.v1 import officer_pb2, task_pb2, task_pb2_grpc
from tests.attaching import bring, seal, settled, signed, submit
from tests.federation import Federation
from tests.integration.workflow.conftest import MEMBERS
from tests.integration.workflow.desk import WAIT_SECONDS, Desk
from tests.officer import Officer
from tests.registers import read_register

DEAF: Final = Path(__file__).with_name("deaf_node.py")
LOOK_SECONDS: Final = 0.2  # between two looks at what announces itself in no other way


@pytest_asyncio.fixture
async def deaf(tmp_path: Path) -> AsyncIterator[Mapping[str, Desk]]:
    """Return a desk at each of three deaf nodes."""
    with Federation.create(tmp_path / "f", MEMBERS) as federation:
        for node in federation.nodes.values():
            node.program = (sys.executable, str(DEAF))
        federation.start()
        register = read_register(federation.folder)
        async with AsyncExitStack() as stack:
            made = {}
            for member in MEMBERS:
                channel = await stack.enter_async_context(
                    Officer(federation.folder, f"{member}-liaison", register).channel()
                )
                made[member] = Desk(federation.folder, member, register, channel, channel)
            yield made


async def test_delivery_watch_attachments_and_escalation_need_no_change(
    deaf: Mapping[str, Desk], tmp_path: Path
) -> None:
    """A request arrives and is watched over, an attachment is fetched and answered for, late work is passed on."""
    kaz, tjk, uzb = (deaf[member] for member in MEMBERS)
    _thread, digest = await kaz.request(MEMBERS)
    async with asyncio.timeout(WAIT_SECONDS):
        for desk in (tjk, uzb):
            await until_listed(desk, digest)
            await until_reminded(desk)
        await until_delivered(kaz, digest)
        await until_escalated(tjk, digest)
    header = kaz.liaison.header(["tjk"])
    sealed = seal(tmp_path, header, 100_000)
    assert (await bring(kaz.channel, sealed)).whole
    result = await submit(kaz.channel, signed(kaz.liaison, header, [sealed.said]))
    async with asyncio.timeout(WAIT_SECONDS):
        for desk in (tjk, kaz):
            (there,) = await settled(desk.channel, result.released.message_digest)
            assert there.state == delivery_pb2.ATTACHMENT_STATE_RECEIVED


async def until_listed(desk: Desk, digest: bytes) -> officer_pb2.MessageInfo:
    """Wait until a node lists a message."""
    request = officer_pb2.ListMessagesRequest(id_prefix=digest.hex()[:32])
    while True:
        found = (await desk.officer.ListMessages(request, timeout=WAIT_SECONDS)).messages
        if found:
            return found[0]
        await asyncio.sleep(LOOK_SECONDS)


async def until_delivered(desk: Desk, digest: bytes) -> None:
    """Wait until a message was delivered to all."""
    while True:
        states = {each.state for each in (await until_listed(desk, digest)).deliveries}
        if states == {delivery_pb2.DELIVERY_STATE_DELIVERED}:
            return
        await asyncio.sleep(LOOK_SECONDS)


async def until_reminded(desk: Desk) -> None:
    """Wait until an officer whose watch begins is told that a decision falls due: its workflow is watched over."""
    while True:
        with suppress(TimeoutError):
            async with asyncio.timeout(5.0):
                await reminder(desk)
                return


async def reminder(desk: Desk) -> None:
    """Read a watch until a reminder of a decision comes."""
    async with desk.watching() as notifier:
        async for told in notifier:
            if "decision" in {notice.code for notice in told.notices}:
                return


async def until_escalated(desk: Desk, digest: bytes) -> None:
    """Wait until work on a message that nobody acknowledges was passed on."""
    stub = task_pb2_grpc.TaskServiceStub(desk.channel)
    while True:
        listed = await stub.ListTasks(task_pb2.ListTasksRequest(), timeout=WAIT_SECONDS)
        if any(each.message.message_digest == digest and each.task.escalations for each in listed.items):
            return
        await asyncio.sleep(LOOK_SECONDS)
