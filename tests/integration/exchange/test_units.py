"""To which unit a node gives what a peer delivers, and the work on it."""

from pathlib import Path
from typing import Final

import pytest

from paiza.content.v1.free_message_pb2 import FreeMessage
from paiza.core.v1 import message_pb2 as pb
from paiza.officer.v1 import task_pb2, task_pb2_grpc
from tests.federation import Federation
from tests.integration.exchange.desk import digest_of
from tests.integration.exchange.hostile import HostilePeer
from tests.officer import Officer
from tests.registers import read_register

CONTENT: Final = FreeMessage(subject="Exercise", text="Nothing of this is real.").SerializeToString()


@pytest.mark.asyncio
async def test_a_reply_in_its_parents_batch_goes_to_the_parents_unit(tmp_path: Path) -> None:
    """An officer of the unit that a message is addressed to sees it and its reply, and finds both among its work."""
    folder = tmp_path / "federation"
    with Federation.create(folder, ["kaz", "tjk"]) as federation:
        federation.node("kaz").configure(duty_unit="duty")
        federation.start("kaz")
        register = read_register(folder)
        author = Officer(folder, "tjk-liaison", register)
        header = author.header(["kaz"])
        header.recipients[0].attention = "operations"
        parent = author.seal(header, CONTENT)
        following = author.header(["kaz"])
        following.thread_id = header.thread_id
        following.parent_digests.append(digest_of(parent))
        batch = [parent, author.seal(following, CONTENT)]
        peer = HostilePeer(folder, "tjk", federation.node("kaz"), register)
        async with peer.channel, Officer(folder, "kaz-authoriser", register).channel() as channel:
            answer = await peer.deliver(*peer.dispatch_all(batch))
            assert [answer.reason(at) for at in range(2)] == [("received", "")] * 2
            stub: task_pb2_grpc.TaskServiceAsyncStub = task_pb2_grpc.TaskServiceStub(channel)
            listed = await stub.ListTasks(task_pb2.ListTasksRequest(), timeout=60)
    work = {pb.Header.FromString(item.message.header).message_id: item.task.unit for item in listed.items}
    assert work == {header.message_id: "operations", following.message_id: "operations"}
