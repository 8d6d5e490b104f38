"""The counts in the menu: read once for many pages, and anew when something arrived, was done, or is old."""

import asyncio
import time
from dataclasses import dataclass
from typing import Final
from weakref import WeakKeyDictionary

from paiza_client.local.outbox import Outbox
from paiza_client.sdk import Session, controlled_delivery, handed_in
from paiza_client.sdk.tasks import TaskItem
from paiza_client.web.console import Console
from paiza_client.web.roles import may_write
from paiza_officer.errors import Refused
from paiza_wire.errors import PaizaError

MOST: Final = 100
"""Unread messages are counted up to this number."""
KEPT_SECONDS: Final = 20.0


@dataclass(frozen=True, slots=True)
class Counts:
    """Counts as texts, empty for none; ``late``: something is overdue. ``away``: the node does not answer."""

    tasks: str = ""
    unread: str = ""
    to_sign: str = ""
    deliveries: str = ""
    late: bool = False
    away: bool = False

    def __getitem__(self, name: str) -> str:
        """Return a count by its name."""
        return str(getattr(self, name))


_kept: "WeakKeyDictionary[Console, tuple[int, float, Counts]]" = WeakKeyDictionary()


async def of(console: Console) -> Counts:
    """Return the counts; none while the console is locked."""
    if console.is_locked:
        return Counts()
    changes, now = console.changes, time.monotonic()
    kept = _kept.get(console)
    if kept is not None and kept[0] == changes and now - kept[1] < KEPT_SECONDS:
        return kept[2]
    try:
        found = await _read(console.session)
    except Refused:
        found = Counts()
    except PaizaError:
        return Counts(away=True)
    _kept[console] = changes, now, found
    return found


def waiting_in_outbox(console: Console) -> int:
    """Return how many messages wait on this machine to be sent."""
    return sum(len(batch.items) for batch in Outbox(console.profile.outbox).batches())


async def _read(session: Session) -> Counts:
    listed = await _tasks(session) if await may_write(session) else []
    tasks = [each.task for each in listed if each.task.state != "done"]
    unread = (await session.list_messages(unread_only=True, page_size=MOST)).messages
    own = str(session.profile.id)
    to_sign = [each for each in await session.approvals.waiting() if own in each.missing]
    deliveries = await controlled_delivery.board(session)
    return Counts(
        tasks=_text(len(tasks) + len(to_sign) + await asyncio.to_thread(_drafts, session)),
        unread=_text(len(unread)),
        to_sign=_text(len(to_sign)),
        deliveries=_text(len(deliveries)),
        late=any(each.overdue for each in tasks),
    )


async def _tasks(session: Session) -> list[TaskItem]:
    try:
        return await session.tasks.list_tasks()
    except Refused as error:
        if error.reason != "policy_denied":  # a role that has no tasks
            raise
        return []


def _drafts(session: Session) -> int:
    """Return how many drafts of another program wait for the officer; none where they cannot be read."""
    try:
        return len(handed_in.unsent(session.profile))
    except Refused:
        return 0


def _text(count: int) -> str:
    return "" if count == 0 else f"{MOST - 1}+" if count >= MOST else str(count)
