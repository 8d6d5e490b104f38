"""The selection for an export or a count, and its opening: never cut, and without messages no longer in force."""

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from typing_extensions import override

from paiza.core.v1 import message_pb2
from paiza_client.sdk import open_many
from paiza_client.sdk.model import MAX_NAMED, LeftOut, MessageSummary, NotOpened, Page
from paiza_client.sdk.open_many import Chosen
from paiza_officer.errors import Misused, NotProven, Unreachable

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

    async def open_together(self, digests: list[bytes], _reason: str, _purpose: str) -> dict[bytes, Unreachable]:
        """Open none."""
        return {each: Unreachable("database_unavailable") for each in digests}


async def chosen(*arguments: Any, **filters: Any) -> list[Chosen]:
    """Return all pages of a choice."""
    return [page async for page in open_many.choose(*arguments, **filters)]


async def test_every_page_is_chosen_and_what_no_longer_holds_is_named() -> None:
    """Messages of all pages; the recalled one stands apart; a choice goes on after any page."""
    session: Any = Node(*(listed(number, recalled=number == 5) for number in range(8)))
    pages = await chosen(session)
    assert [[each.sequence for each in page.messages] for page in pages] == [[0, 1, 2], [3, 4], [6, 7]]
    assert [each.sequence for page in pages for each in page.superseded] == [5]
    rest = await chosen(session, token=pages[0].next_token)
    assert rest == pages[1:]


async def test_what_is_named_is_chosen_once_though_it_was_recalled() -> None:
    """The order is that of the names; a message of another kind is refused."""
    session: Any = Node(*(listed(number, recalled=True) for number in range(1, 4)))
    names = [number.to_bytes(16).hex() for number in (3, 1, 3)]
    (found,) = await chosen(session, names)
    assert [each.sequence for each in found.messages] == [3, 1]
    assert found.superseded == ()
    with pytest.raises(Misused):
        await chosen(session, names, kind="seizure-notice")


async def test_what_is_not_opened_is_counted_with_its_reason() -> None:
    """The node's reason for each; the first are named, all are counted."""
    session: Any = Node()
    found = await open_many.open_many(session, [bytes([number]) for number in range(60)], "exercise", "statistics")
    left_out = LeftOut()
    for each in found:
        assert isinstance(each, NotOpened)
        left_out.add(each)
    assert left_out.counts == {("database_unavailable", ""): 60}
    assert len(left_out) == 60
    assert len(left_out.first) == MAX_NAMED


async def test_a_node_that_is_away_is_called_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A restart ends nothing; an absence longer than the pauses, and a spent budget at once, do."""
    monkeypatch.setattr(open_many, "RETRY_SECONDS", (0.0, 0.0, 0.0))
    calls: list[str] = []

    async def call(reason: str, times: int) -> str:
        calls.append(reason)
        if len(calls) <= times:
            raise Unreachable(reason)
        return "here"

    assert await open_many.patiently(call, "node_unreachable", 3) == "here"
    for reason, times, expected in (("node_unreachable", 9, 4), (open_many.BUDGET, 9, 1)):
        calls.clear()
        with pytest.raises(Unreachable, match=reason):
            await open_many.patiently(call, reason, times)
        assert len(calls) == expected


async def test_an_error_ends_what_was_asked_for_ahead(caplog: pytest.LogCaptureFixture) -> None:
    """The first page's error is raised; that the next one failed as well is told to nobody."""

    class Broken(Node):
        @override
        async def open_together(self, _digests: list[bytes], _reason: str, _purpose: str) -> dict[bytes, Unreachable]:
            raise NotProven("bad_proof")

    async def pages() -> AsyncIterator[list[bytes]]:
        for number in range(3):
            yield [bytes([number])]

    async def all_of(session: Any) -> None:
        async with aclosing(open_many.open_pages(session, pages(), "exercise", "")) as opened:
            assert [page async for page in opened] == []

    with pytest.raises(NotProven):
        await all_of(Broken())
    gc.collect()
    await asyncio.sleep(0)
    assert caplog.text == ""
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_pages_are_opened_in_order_and_one_ahead() -> None:
    """The next page is asked for while the first is worked on, and no further one."""
    session: Any = Node()

    async def pages() -> AsyncIterator[list[bytes]]:
        for number in range(4):
            asked.append(number)
            yield [bytes([number])]

    asked: list[int] = []
    seen: list[bytes] = []
    async with aclosing(open_many.open_pages(session, pages(), "exercise", "")) as opened:
        async for page in opened:
            seen += [each.digest for each in page]
            assert len(asked) == min(len(seen) + 1, 4)
    assert seen == [bytes([number]) for number in range(4)]
