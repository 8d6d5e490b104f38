"""Request states of a thread cover requests settled by one answer, and no steps of a workflow."""

import asyncio
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from paiza.core.v1 import message_pb2
from paiza_client.errors import NotProven, Refused, Unreachable
from paiza_client.sdk import threads
from paiza_domain import kinds
from paiza_domain.threads.thread import ThreadMessage
from paiza_wire.errors import PaizaError

ASKED = datetime(2026, 5, 4, 12, tzinfo=UTC)


@pytest.mark.parametrize("name", sorted(kinds.all_kinds()))
def test_only_requests_outside_a_workflow_stand_by_themselves(name: str) -> None:
    """A workflow step has no request state of its own, and is not opened for one."""
    kind = kinds.all_kinds()[name]
    header = message_pb2.Header(kind=name, kind_version=1, author="kaz")
    header.recipients.add(member="tjk")
    session: Any = SimpleNamespace(profile=SimpleNamespace(member="tjk"))
    found = asyncio.run(
        threads.request_statuses(session, [ThreadMessage(b"\1" * 32, header, ASKED, None, recalled=False)])
    )
    assert [each.without_answer for each in found] == ([("tjk",)] if kind.answered_by and not kind.workflow else [])
    assert not (kind.workflow and threads.is_of_requests(header))


@pytest.mark.parametrize(
    ("error", "stays_closed"),
    [
        (Refused("policy_denied"), True),
        (NotProven("bad_proof"), False),
        (Unreachable("node_unreachable"), False),
    ],
    ids=["not for this officer", "a proof fails", "the node goes away"],
)
def test_only_what_may_not_be_opened_is_left_out_of_a_thread(error: PaizaError, *, stays_closed: bool) -> None:
    """What is counted later must not lack a message for any other reason."""

    async def open_part(*_arguments: object) -> None:
        raise error

    listed: Any = SimpleNamespace(
        digest=b"\1" * 32, header=message_pb2.Header(kind="free-message"), stored_time=ASKED, recalled_by=()
    )
    session: Any = SimpleNamespace(open_part=open_part)
    reading = threads.open_messages(session, [listed], lambda _header: True)
    if stays_closed:
        assert [each.content for each in asyncio.run(reading)] == [None]
    else:
        with pytest.raises(type(error)):
            asyncio.run(reading)
