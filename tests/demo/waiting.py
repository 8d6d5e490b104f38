"""Queries for delivery states that the demo makes beside the shown commands, through the SDK as an officer."""

import asyncio
from collections.abc import Collection, Coroutine
from pathlib import Path
from typing import Any, Final, TypeVar

from paiza_client.sdk import connect
from paiza_client.sdk.model import MessageSummary
from paiza_client.verify.model import LogState
from paiza_officer import profiles
from tests.demo.desk import DemoFailedError

DELIVERY_SECONDS: Final = 120.0
"""Milliseconds are usual; after a peer's absence the next attempt may be half a minute away."""

POLL_SECONDS: Final = 0.05
PAGE: Final = 500  # the most a node gives at once; a demo has fewer

_T = TypeVar("_T")


def until_settled(home: Path, profile: str, message_id: str, members: Collection[str] = ()) -> MessageSummary:
    """Wait until a message that was sent is delivered, to all its recipients or to these members."""

    async def work() -> MessageSummary:
        async with connect(profiles.load(home / profile)) as session:
            while True:
                (found,) = (await session.list_messages(box="sent", id_prefix=message_id)).messages
                awaited = [each for each in found.deliveries if not members or each.recipient in members]
                if all(each.state == "delivered" for each in awaited):
                    return found
                lost = [each for each in awaited if each.state not in {"delivered", "waiting"}]
                if lost:
                    raise DemoFailedError(f"{found.id} is {lost[0].state} at {lost[0].recipient}: {lost[0].reason}")
                await asyncio.sleep(POLL_SECONDS)

    return _within(work(), f"{message_id} was not delivered")


def sent_by(home: Path, profile: str) -> tuple[MessageSummary, ...]:
    """Return what a profile's member sent, oldest first."""

    async def work() -> tuple[MessageSummary, ...]:
        async with connect(profiles.load(home / profile)) as session:
            page = await session.list_messages(box="sent", page_size=PAGE)
            return page.messages[::-1]

    return _within(work(), f"{profile} could not list what it sent")


def newest(home: Path, profile: str) -> int:
    """Return the sequence number of the newest message at a profile's node, 0 where there is none."""

    async def work() -> int:
        async with connect(profiles.load(home / profile)) as session:
            page = await session.list_messages(box="both", page_size=PAGE)
            return max((each.sequence for each in page.messages), default=0)

    return _within(work(), f"{profile} could not list its messages")


def evidence_of(home: Path, profile: str, digests: Collection[bytes]) -> list[bytes]:
    """Fetch the evidence file of each message, in order."""

    async def work() -> list[bytes]:
        async with connect(profiles.load(home / profile)) as session:
            return [await session.evidence(digest) for digest in digests]

    return _within(work(), f"{profile} could not fetch evidence")


def known_logs(home: Path, profile: str) -> list[LogState]:
    """Return the checkpoints that a profile's node accepted of every log."""

    async def work() -> list[LogState]:
        async with connect(profiles.load(home / profile)) as session:
            return await session.log_status()

    return _within(work(), f"{profile} could not read how the logs stand")


def _within(work: Coroutine[Any, Any, _T], complaint: str) -> _T:
    try:
        return asyncio.run(asyncio.wait_for(work, DELIVERY_SECONDS))
    except TimeoutError:
        raise DemoFailedError(f"{complaint} within {DELIVERY_SECONDS:.0f} s") from None
