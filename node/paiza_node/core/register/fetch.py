"""What another member's node serves of the register, fetched by plain threads."""

import asyncio
from collections import deque
from collections.abc import Callable
from time import monotonic
from typing import Final, Protocol

import structlog

from paiza.core.v1 import register_pb2
from paiza_register import Fetch, FetchMissing
from paiza_register.tuf_workflow import MAX_METADATA_BYTES, root_path
from paiza_wire.errors import Unavailable

HOUR_SECONDS: Final = 3600.0
FETCH_SECONDS: Final = 15.0  # for a fetch, beside the time for its bytes
LEAST_SPEED: Final = 20_000  # bytes a second; a member that sends less is left alone
SETS_AN_HOUR: Final = 60  # new register versions from others; a federation makes a few in a day
PAUSE_SECONDS: Final = 60.0  # before the next one, once so many came

log = structlog.get_logger("paiza.register")


class Allowance:
    """How many sets of the register may be taken from others: `SETS_AN_HOUR`, and beyond them one a minute.

    A hostile publisher makes sets as fast as it can sign, each with new content of its own. All of them verify, and
    refusing some would part the nodes. So nodes take the newest one less often: those between never reach a disk.
    """

    def __init__(self) -> None:
        self._spent: deque[float] = deque(maxlen=SETS_AN_HOUR)

    def is_left(self, now: float) -> bool:
        """Return whether a set may be taken now, by a monotonic clock."""
        spent = self._spent
        if len(spent) < SETS_AN_HOUR:
            return True
        return now - spent[0] >= HOUR_SECONDS or now - spent[-1] >= PAUSE_SECONDS

    def spend(self, now: float) -> None:
        """Note that a set was taken."""
        self._spent.append(now)
        if len(self._spent) == SETS_AN_HOUR and now - self._spent[0] < HOUR_SECONDS:
            log.warning("register_changes_too_often", sets=SETS_AN_HOUR, pause_seconds=PAUSE_SECONDS)

    def reset(self) -> None:
        """Forget what was spent: the newest set may be taken at once."""
        self._spent.clear()


class RegisterSource(Protocol):
    """One member's node, which serves files of the register."""

    async def get(self, path: str, version: bytes) -> bytes:
        """Return a file of the set in force there, or of an archived version; `FetchMissing` if there is none."""

    async def proofs(self) -> list[tuple[bytes, bytes]]:
        """Return the proofs held there: two sets of one version by one publisher, or two roots of one version."""

    async def greet(self, state: register_pb2.RegisterState) -> register_pb2.RegisterState:
        """Announce to the node what this one holds of the register; return what it holds."""


def fetcher(source: RegisterSource, loop: asyncio.AbstractEventLoop, version: bytes = b"") -> Fetch:
    """Return a function, for plain threads, that fetches the files of one set over a loop while they come fast enough.

    Without a version it is the set in force there.
    """
    deadline = monotonic() + FETCH_SECONDS

    def fetch(path: str, _most: int) -> bytes:
        nonlocal deadline
        future = asyncio.run_coroutine_threadsafe(source.get(path, version), loop)
        try:
            data = future.result(max(0.0, deadline - monotonic()))
        except TimeoutError as error:
            future.cancel()
            raise Unavailable("register_unavailable", "the peer sends the register too slowly") from error
        deadline += len(data) / LEAST_SPEED
        return data

    return fetch


def first_other_root(fetch: Fetch, own: Callable[[str], bytes], newest: int) -> bytes | None:
    """Return the first root of another member that differs from ours; None if there is none up to the newest.

    ``own`` returns our file of a path; `FetchMissing` if there is none.
    """
    least, most = 1, newest + 1
    while least < most:  # all roots before `least` are the same, and that of `most` is not or is none
        middle = (least + most) // 2
        try:
            same = fetch(root_path(middle), MAX_METADATA_BYTES) == own(root_path(middle))
        except FetchMissing:
            same = False
        least, most = (middle + 1, most) if same else (least, middle)
    if least > newest:
        return None
    try:
        return fetch(root_path(least), MAX_METADATA_BYTES)
    except FetchMissing:
        return None
