"""What a page is told of what arrives: enough to ask for it, and no more than it needs."""

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest

from paiza_client.web import events
from paiza_client.web.events import Event, Watcher

ARRIVED: Event = {"what": "arrived", "urgency": "routine"}
CHANGED: Event = {"what": "changed"}
RANG: Event = {"what": "rang"}


async def test_a_page_is_told_the_same_once_however_much_arrives(monkeypatch: pytest.MonkeyPatch) -> None:
    """Counts are read for each event: hundreds of messages that arrive together are one event."""
    monkeypatch.setattr(events, "PACE_SECONDS", 0.0)
    watcher = Watcher(cast("Any", SimpleNamespace()))
    page = cast("Any", watcher.listen())
    first = asyncio.ensure_future(anext(page))
    await asyncio.sleep(0)
    for _ in range(300):
        watcher._tell(ARRIVED)
        watcher._tell(CHANGED)
    watcher._tell(RANG)
    async with asyncio.timeout(60):
        assert [await first, await anext(page), await anext(page)] == [ARRIVED, CHANGED, RANG]
        later = asyncio.ensure_future(anext(page))
        await asyncio.sleep(0.01)
        watcher._tell(CHANGED)
        assert await later == CHANGED
    await page.aclose()
