"""The bytes of requests and answers are shared out between callers, and always given back."""

import asyncio
from collections.abc import Awaitable, Callable
from contextvars import copy_context
from typing import TypeVar

import pytest

from paiza_node.core.api import call_memory
from paiza_node.core.api.call_memory import ALL_BYTES, ARRIVING, CALLER_BYTES, UNSENT_CALLER_BYTES, CallMemory, Taken
from paiza_node.core.api.services import SMALL_REQUEST_BYTES
from paiza_node.core.caller import CALLER, CallerKey
from paiza_wire.errors import Unavailable

ONE, TWO, THREE = (CallerKey("officer", name) for name in ("one", "two", "three"))
T = TypeVar("T")


def of(caller: CallerKey, work: Callable[[], Awaitable[T]]) -> "asyncio.Task[T]":
    """Start work for a caller."""
    context = copy_context()
    context.run(CALLER.set, caller)

    async def done() -> T:
        return await work()

    return asyncio.get_running_loop().create_task(done(), context=context)


async def turns() -> None:
    """Let what can go on go on."""
    for _ in range(5):
        await asyncio.sleep(0)


@pytest.fixture
def memory() -> CallMemory:
    """Return memory of which nothing is taken."""
    return CallMemory()


async def test_one_caller_waits_for_itself_and_the_others_for_all(memory: CallMemory) -> None:
    """Who waits is granted in turn, and who has its share holds up nobody."""

    def take(caller: CallerKey, size: int = CALLER_BYTES) -> "asyncio.Task[Taken]":
        return of(caller, lambda: memory.take(size))

    first, again = take(ONE), take(ONE)
    second, third = take(TWO), take(THREE)
    await turns()
    assert [each.done() for each in (first, again, second, third)] == [True, False, True, False]
    memory.give_back(await second)
    await turns()
    assert (again.done(), third.done()) == (False, True)
    memory.give_back(await first)
    assert await again == (ONE, CALLER_BYTES)
    assert sum(memory._handled.values()) == ALL_BYTES


async def test_small_requests_are_not_counted(memory: CallMemory) -> None:
    """However many there are."""
    for _ in range(1000):
        memory.give_back(await memory.take(SMALL_REQUEST_BYTES))
    assert not memory._handled


@pytest.mark.parametrize("granted", [False, True])
async def test_who_hangs_up_while_waiting_takes_nothing(memory: CallMemory, granted: bool) -> None:  # noqa: FBT001
    """Also if the turn came at the same moment."""
    taken = await memory.take(CALLER_BYTES)
    waiting = asyncio.ensure_future(memory.take(CALLER_BYTES))
    await turns()
    if granted:
        memory.give_back(taken)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    if not granted:
        memory.give_back(taken)
    assert not memory._handled
    assert not memory._waiting


async def test_who_waits_too_long_is_told_to_come_again(memory: CallMemory, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bytes of those who work are still theirs."""
    monkeypatch.setattr(call_memory, "WAIT_SECONDS", 0.01)
    taken = await memory.take(CALLER_BYTES)
    with pytest.raises(Unavailable, match="busy"):
        await memory.take(CALLER_BYTES)
    memory.give_back(taken)
    assert not memory._handled


async def test_requests_of_one_caller_arrive_one_after_another(memory: CallMemory) -> None:
    """Each kind by itself, and each caller by itself."""
    async with memory.arriving("small"):
        assert ARRIVING["small"] == 1
        late = asyncio.ensure_future(_arrive(memory))
        other = of(TWO, lambda: _arrive(memory))
        await turns()
        assert (late.done(), other.done()) == (False, True)
        async with memory.arriving("large"), memory.arriving("large"), memory.arriving("piece"):
            pass
    await late


async def test_answers_that_are_not_read_are_bounded(memory: CallMemory) -> None:
    """A caller who reads none gets no more; what was sent, or hung up, counts no more."""
    read = asyncio.Event()

    async def send(size: int, until: asyncio.Event) -> None:
        memory.send(size)
        await until.wait()

    never = asyncio.Event()
    calls = [asyncio.ensure_future(send(UNSENT_CALLER_BYTES // 2, until)) for until in (read, never)]
    await turns()
    memory.send(SMALL_REQUEST_BYTES)
    with pytest.raises(Unavailable, match="busy"):
        memory.send(SMALL_REQUEST_BYTES + 1)
    read.set()
    await calls[0]
    await turns()
    memory.send(SMALL_REQUEST_BYTES + 1)
    calls[1].cancel()
    with pytest.raises(asyncio.CancelledError):
        await calls[1]


async def _arrive(memory: CallMemory) -> None:
    async with memory.arriving("small"):
        pass
