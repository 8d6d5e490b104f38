"""Texts in requests: none of them reaches a database that cannot store it."""

import pytest
from google.protobuf.message import Message

from paiza.admin.v1 import admin_pb2
from paiza.officer.v1 import approval_pb2, forwarding_pb2, task_pb2
from paiza_node.core.api.requests import parse
from paiza_wire.errors import Rejected

TEXT = "Nobody\0was asked"


@pytest.mark.parametrize(
    ("request_", "named"),
    [
        (approval_pb2.DeclineRequest(message_digest=bytes(32), reason_text=TEXT), "reason_text"),
        (task_pb2.CompleteTaskRequest(message_digest=bytes(32), note=TEXT), "note"),
        (forwarding_pb2.ForwardRequest(message_digest=bytes(32), recipients=["tjk", TEXT]), "recipients"),
        (admin_pb2.DropDeliveryRequest(delivery_id=1, reason_text=TEXT), "reason_text"),
    ],
)
def test_text_with_nul_is_refused(request_: Message, named: str) -> None:
    """It is malformed on both databases, though only PostgreSQL does not store it."""
    with pytest.raises(Rejected, match=rf"malformed.*{named}"):
        parse(type(request_), request_.SerializeToString())


def test_other_characters_are_taken() -> None:
    """Any other text is the caller's own business, and bytes may hold anything."""
    request = approval_pb2.DeclineRequest(message_digest=bytes(32), reason_text="Нет.\n\t\x1b 1")
    assert parse(type(request), request.SerializeToString()) == request
