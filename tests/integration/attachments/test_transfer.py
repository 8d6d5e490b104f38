"""An attachment on its way from officer to officer: whole, proven, and on again after every break."""

import pytest

from paiza.core.v1 import delivery_pb2
from tests.attaching import settled
from tests.integration.attachments.conftest import Line

MIB = 1024 * 1024
RECEIVED = delivery_pb2.ATTACHMENT_STATE_RECEIVED


@pytest.mark.parametrize("size", [0, 1, 5 * MIB])
async def test_an_attachment_arrives_whole_and_both_sides_say_so(line: Line, size: int) -> None:
    """The receiver's node holds every byte, its log RECEIVED, the sender's DELIVERED for the part."""
    digest, sealed = await line.send(size)
    assert [(each.member, each.state) for each in await settled(line.receiving, digest)] == [("tjk", RECEIVED)]
    assert [(each.member, each.state) for each in await settled(line.sending, digest)] == [("tjk", RECEIVED)]
    assert line.held("tjk", sealed)
