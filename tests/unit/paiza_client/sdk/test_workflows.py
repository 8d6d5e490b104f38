"""The board, where the own node lies."""

from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any

import pytest

from paiza.officer.v1 import workflow_pb2
from paiza_client.sdk import workflows
from paiza_officer.errors import NotProven


async def test_pages_without_end_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A node that names one more page after every page fills no memory: it is told to be what it is."""
    monkeypatch.setattr(workflows, "MAX_PAGES", 3)
    asked = []

    async def call(ask: Callable[[], Awaitable[Any]]) -> Any:
        asked.append(ask)
        return workflow_pb2.ListWorkflowsResponse(next_page_token="more")

    connection: Any = SimpleNamespace(unary_unary=lambda *_, **__: None)
    with pytest.raises(NotProven, match="unexpected_answer"):
        await workflows.Workflows(connection, call).board()
    assert len(asked) == 3
