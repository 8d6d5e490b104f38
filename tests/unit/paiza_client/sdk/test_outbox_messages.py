"""A session sends messages that waited in the outbox."""

from types import SimpleNamespace
from typing import Any

import pytest

from paiza.core.v1 import message_pb2
from paiza_client.sdk.session import Session
from paiza_wire.errors import Rejected


@pytest.mark.parametrize(
    "damaged",
    [b"\xff\xff\xff", b"", message_pb2.SignedMessage(header=b"\xff\xff\xff").SerializeToString()],
    ids=["no message", "empty", "no header"],
)
def test_a_damaged_message_is_refused_by_itself(damaged: bytes) -> None:
    """The refusal of one message of a batch is raised without delaying the others."""
    session: Any = SimpleNamespace(register=lambda: pytest.fail("what cannot be read is not verified"))
    with pytest.raises(Rejected):
        Session._own(session, damaged)
