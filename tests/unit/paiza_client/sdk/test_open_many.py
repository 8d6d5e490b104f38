"""The selection for an export or a count: never cut, and without messages no longer in force."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from paiza.core.v1 import message_pb2
from paiza_client.sdk import open_many
from paiza_client.sdk.model import MessageSummary, Page
from paiza_officer.errors import Misused, Refused, Unreachable

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def listed(number: int, *, hours: int = 0, recalled: bool = False, kind: str = "free-message") -> MessageSummary:
    """Return a message stored so many hours ago."""
    return MessageSummary(
        digest=number.to_bytes(32),
        header=message_pb2.Header(message_id=number.to_bytes(16), kind=kind),
        thread_name="",
        stored_time=NOW - timedelta(hours=hours),
        received=True,
        opened_by_caller=False,
        opened=False,
        deliveries=(),
        sequence=number,
        recalled_by=(bytes(32),) if recalled else (),
    )


class Node:
    """Stands for a session: lists what is there, three at a time, and opens nothing."""

    def __init__(self, *messages: MessageSummary) -> None:
        self.messages = messages

    async def list_messages(self, *, id_prefix: str = "", page_token: str = "", **_filters: object) -> Page:
        """Return a page."""
        fitting = [each for each in self.messages if each.id.startswith(id_prefix)]
        start = int(page_token or 0)
        more = str(start + 3) if len(fitting) > start + 3 else ""
        return Page(tuple(fitting[start : start + 3]), more)

    async def open_together(self, digests: list[bytes], _reason: str) -> dict[bytes, Unreachable]:
        """Open none."""
        return {each: Unreachable("database_unavailable") for each in digests}


async def test_every_page_is_chosen_and_what_no_longer_holds_is_named() -> None:
    """Messages of all pages until a moment; the recalled one stands apart."""
    session: Any = Node(*(listed(number, hours=number, recalled=number == 5) for number in range(8)))
    found = await open_many.choose(session, until=NOW - timedelta(hours=2))
    assert [each.sequence for each in found.messages] == [2, 3, 4, 6, 7]
    assert [each.sequence for each in found.superseded] == [5]


async def test_more_than_the_limit_is_refused_and_not_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many as the limit are chosen; one more is too many, also on a later page."""
    monkeypatch.setattr(open_many, "MAX_CHOSEN", 7)
    session: Any = Node(*(listed(number) for number in range(7)))
    assert len((await open_many.choose(session)).messages) == 7
    session = Node(*(listed(number) for number in range(8)))
    with pytest.raises(Refused, match="too_large"):
        await open_many.choose(session)


async def test_what_is_named_is_chosen_once_though_it_was_recalled() -> None:
    """The order is that of the names; a message of another kind is refused."""
    session: Any = Node(*(listed(number, recalled=True) for number in range(1, 4)))
    names = [number.to_bytes(16).hex() for number in (3, 1, 3)]
    found = await open_many.choose(session, names)
    assert [each.sequence for each in found.messages] == [3, 1]
    assert found.superseded == ()
    with pytest.raises(Misused):
        await open_many.choose(session, names, kind="seizure-notice")


async def test_the_first_message_that_is_not_opened_ends_it() -> None:
    """The node's reason is raised, and no progress was told."""
    session: Any = Node()
    told: list[tuple[int, int]] = []
    with pytest.raises(Unreachable, match="database_unavailable"):
        await open_many.open_many(session, [listed(1)], "exercise", on_progress=lambda *counts: told.append(counts))
    assert told == []
