"""How requests of a thread stand is told of what one answer settles, and never of the steps of a workflow."""

import asyncio
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from paiza.core.v1 import message_pb2
from paiza_client.sdk import threads
from paiza_domain import kinds
from paiza_domain.threads.thread import ThreadMessage

ASKED = datetime(2026, 5, 4, 12, tzinfo=UTC)


@pytest.mark.parametrize("name", sorted(kinds.all_kinds()))
def test_only_requests_outside_a_workflow_stand_by_themselves(name: str) -> None:
    """Who owes what in a workflow follows from all its steps: nobody is called silent for one, nor is it opened."""
    kind = kinds.all_kinds()[name]
    header = message_pb2.Header(kind=name, kind_version=1, author="kaz")
    header.recipients.add(member="tjk")
    session: Any = SimpleNamespace(profile=SimpleNamespace(member="tjk"))
    found = asyncio.run(
        threads.request_statuses(session, [ThreadMessage(b"\1" * 32, header, ASKED, None, recalled=False)])
    )
    assert [each.without_answer for each in found] == ([("tjk",)] if kind.answered_by and not kind.workflow else [])
    assert not (kind.workflow and threads.is_of_requests(header))
