"""Periodic tasks: rounds come when they are due or woken, and failures pause longer and longer."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

import pytest
import structlog
from google.protobuf.message import DecodeError

from paiza_node.core.executors import periodic
from paiza_node.core.executors.periodic import PeriodicTask, backoff
from paiza_wire.errors import Rejected, Unavailable

SECONDS = 30.0  # for what takes none; a limit, not a measure
NEVER = 3600.0


class Rounds:
    """A round that counts itself, and answers or fails as a test says."""

    def __init__(self, *answers: float | Exception | None) -> None:
        self.answers = list(answers)
        self.count = 0
        self.came = asyncio.Event()

    async def __call__(self) -> float | None:
        """Count the round."""
        self.count += 1
        self.came.set()
        answer = self.answers.pop(0) if self.answers else None
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def reach(self, count: int) -> None:
        """Wait until there were so many rounds."""
        async with asyncio.timeout(SECONDS):
            while self.count < count:
                self.came.clear()
                await self.came.wait()


@asynccontextmanager
async def running(rounds: Callable[[], object], period: float = NEVER) -> AsyncIterator[PeriodicTask]:
    """Run a task for the length of a block."""
    task = PeriodicTask(rounds, period=period, failed="test_failed")  # type: ignore[arg-type]
    run = asyncio.create_task(task.run())
    yield task
    run.cancel()
    with suppress(asyncio.CancelledError):
        await run


async def test_a_round_follows_after_the_period_or_when_the_last_one_said() -> None:
    """The delay that a round returns counts once; otherwise the period does."""
    rounds = Rounds(0.0, 0.0, 0.0)
    async with running(rounds):
        await rounds.reach(4)
        await asyncio.sleep(0.05)
        assert rounds.count == 4
    often = Rounds()
    async with running(often, period=0.001):
        await often.reach(3)


async def test_who_wakes_a_task_during_a_round_has_the_next_begin() -> None:
    """Work that arrives during a round is done by the next one."""
    rounds = Rounds()
    async with running(rounds) as task:
        await rounds.reach(1)
        task.wake()
        await rounds.reach(2)
    waking = Rounds()

    async def wakes() -> None:
        await waking()
        if waking.count == 1:
            awake.wake()

    async with running(wakes) as awake:
        await waking.reach(2)


async def test_an_unavailable_round_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """The database was away: the task goes on, with pauses that grow and are begun anew after a success."""
    pauses: list[int] = []

    def noting(failures: int, _first: float, _longest: float) -> float:
        pauses.append(failures)
        return 0.0

    monkeypatch.setattr(periodic, "backoff", noting)
    away = Unavailable("database_unavailable", "away")
    rounds = Rounds(away, away, 0.0, away)
    async with running(rounds):
        await rounds.reach(5)
    assert pauses == [1, 2, 1]


async def test_a_defect_ends_the_task() -> None:
    """Any other error is not ours to wait out."""
    with pytest.raises(Rejected):
        await PeriodicTask(Rounds(Rejected("unknown_id", "no")), period=NEVER, failed="test_failed").run()


def test_pauses_double_up_to_the_longest_and_are_scattered() -> None:
    """Between half of the pause and all of it; no number of failures is too large."""
    for failures, most in ((0, 2.0), (1, 2.0), (2, 4.0), (5, 32.0), (6, 60.0), (10**9, 60.0)):
        found = [backoff(failures, 2.0, 60.0) for _ in range(50)]
        assert most / 2 <= min(found) <= max(found) <= most
        assert len(set(found)) > 1


async def test_a_row_that_cannot_be_read_does_not_end_the_task() -> None:
    """Damage in the database is told as that, and the round is tried again."""
    rounds = Rounds(DecodeError("no entry"), UnicodeDecodeError("utf-8", b"\xff", 0, 1, "no text"))
    with structlog.testing.capture_logs() as logs:
        async with running(rounds, period=0.001):
            await rounds.reach(3)
    assert [each["reason"] for each in logs[:2]] == ["log_damaged"] * 2
