"""Whole nodes, one of them on a disk that fails: under load one call fails, the node is gone, and starts again.

Both nodes keep all that they have from trial to trial, as in `tests.system.campaign`: what one of them signed or
acknowledged before a loss of power, its peer still holds against it in the next trial.
"""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from typing_extensions import override

from paiza_cli.exit_codes import ExitCode
from tests.faults import disk
from tests.federation import Federation, NodeFailedError
from tests.system import load
from tests.system.campaign import Campaign, check_by_program

WORK: Final = 60  # messages that the failing node releases while its calls are counted, or before it is stopped
AFTER_SECONDS: Final = 0.5  # of load behind the failure, where the node is not gone at once
POLL_SECONDS: Final = 0.02
OPERATOR_TOLD: Final = (ExitCode.REFUSED, ExitCode.UNAVAILABLE)  # what is wrong is said; a defect of its own is another
COMMIT_PATH: Final = ("paiza.db", "checkpoint")  # drawn first: what every message goes through
FAMILIES: Final = ("register/blobs*", "register/sets*", "register*", "attachments*")


Call = tuple[str, str]
"""Kind of a call, and pattern of the names of the files it is made on."""


@dataclass(frozen=True)
class Trial:
    """A fault, and the way the node ends after it. ``stopping``: the fault occurs only while the node stops."""

    fault: disk.Fault
    abrupt: bool
    power: bool
    stopping: bool

    @override
    def __str__(self) -> str:
        """Return it as one line."""
        return f"{self.fault}; abrupt {self.abrupt}; power lost {self.power}; stopping {self.stopping}"


@dataclass(frozen=True)
class Calls:
    """The number of each call since the start, at four moments.

    When the node served, when half the work was done, when all of it was, and when the node was gone.
    """

    served: Counter[Call]
    halfway: Counter[Call]
    worked: Counter[Call]
    stopped: Counter[Call]

    def certain(self, call: Call) -> int:
        """Return up to which number a call is made whenever the node starts, works for as long as it takes and stops.

        Of what only the stop makes it is half: how often depends on what the work left to be done. What was made once
        during the work, and not again, is left to chance: it counts only up to the start.
        """
        served, stopping = self.served[call], self.stopped[call] - self.worked[call]
        if served == self.worked[call]:
            return served + (stopping + 1) // 2
        return self.stopped[call] if served < self.halfway[call] < self.worked[call] else served

    def only_stopping(self, call: Call, number: int) -> bool:
        """Return whether a call of that number is made by no work, but by the stop."""
        return self.served[call] == self.worked[call] < number


class FailingNode(Campaign):
    """Two nodes under load, the first on a disk that fails."""

    def __init__(self, federation: Federation, seed: int, library: Path, folder: Path) -> None:
        super().__init__(federation, seed)
        self._library = library
        self._image = folder / "image"
        self._journal = folder / "journal"
        self.told: Counter[str] = Counter()

    async def calls(self) -> Calls:
        """Run once without a failure, and count the calls the node makes."""
        await asyncio.to_thread(self.federation.start)
        assert await asyncio.to_thread(self.one.stop) == 0
        await self._start(None)
        served = self._made()
        async with self._load():
            await self._released(WORK // 2)
            halfway = self._made()
            await self._released(WORK // 2)
            worked = self._made()
            assert await asyncio.to_thread(self.one.stop) == 0
        found = Calls(served, halfway, worked, self._made())
        await self._mended()
        return found

    async def trial(self, trial: Trial) -> None:
        """Do one trial and balance the books."""
        await self._fail(trial)
        assert disk.failed(self._journal), f"{trial}: not reached"
        if trial.power:
            await asyncio.to_thread(disk.copy, self._image, self.one.data)
        await self._mended()
        self.figures.rounds += 1

    async def _fail(self, trial: Trial) -> None:
        """Run the failing node under load until the call has failed, then have it gone."""
        try:
            await self._start(trial.fault)
        except NodeFailedError:
            assert self.one.process is not None
            code = self.one.process.poll()
            assert code in OPERATOR_TOLD, f"{trial}: the node ended with {code} while starting:\n{self.one.log_tail()}"
            self.told["did not start"] += 1
            return
        async with self._load():
            if trial.stopping:
                await self._released(WORK)
            else:
                await self._until(lambda: bool(disk.failed(self._journal)))
                await asyncio.sleep(0 if trial.abrupt else AFTER_SECONDS)
            if trial.abrupt:
                self.one.kill()
            else:
                code = await asyncio.to_thread(self.one.stop)
                assert code in {0, *OPERATOR_TOLD}, f"{trial}: the node ended with {code}:\n{self.one.log_tail()}"
                self.told["ended by itself" if code else "went on"] += 1

    async def _start(self, fault: disk.Fault | None) -> None:
        """Start the node on the disk, with an empty journal."""
        self._journal.unlink(missing_ok=True)
        await asyncio.to_thread(disk.copy, self.one.data, self._image)
        environment = disk.environment(
            self._library, self.one.data, image=self._image, journal=self._journal, fault=fault
        )
        await asyncio.to_thread(self.one.start, environment=environment)

    @asynccontextmanager
    async def _load(self) -> AsyncIterator[None]:
        """Submit as all officers meanwhile, as fast as they are answered."""
        stop, hurry = asyncio.Event(), asyncio.Event()
        hurry.set()
        working = asyncio.create_task(load.run_all(self.submitters, stop, hurry))
        try:
            yield
        finally:
            stop.set()
            await working

    async def _released(self, count: int) -> None:
        """Wait until the failing node has released so many messages more."""
        own = [each for each in self.submitters if each.officer.member == self.one.member]
        enough = sum(len(each.receipts) for each in own) + count
        await self._until(lambda: sum(len(each.receipts) for each in own) >= enough)

    async def _until(self, done: Callable[[], bool]) -> None:
        """Wait until something has happened, however long it takes (the test has a limit), or the node has ended."""
        while not done() and self.one.running:  # noqa: ASYNC110 - a journal and another process tell nobody
            await asyncio.sleep(POLL_SECONDS)

    def _made(self) -> Counter[Call]:
        return Counter((kind, _pattern(name)) for kind, name in disk.calls(self._journal))

    async def _mended(self) -> None:
        """Start the node on a disk that works, let everything arrive, balance the books and verify what is on disk."""
        await asyncio.to_thread(self.one.start)
        for submitter in self.submitters:
            await asyncio.wait_for(submitter.finish(), load.SUBMIT_SECONDS * 6)
        await self._until_settled()
        await asyncio.to_thread(self._check_final)
        assert await asyncio.to_thread(self.one.stop) == 0, self.one.log_tail()
        await asyncio.to_thread(check_by_program, self.one)


def chosen(calls: Calls, count: int, seed: int) -> Sequence[Trial]:
    """Draw so many failures, every kind of call on every kind of file in turn; each with how the node is gone.

    Each is reached by what the node does, however fast: in its start, in work that goes on until then, or in its stop.
    """
    drawn = random.Random(seed)
    kinds = sorted(
        (call for call in calls.stopped if calls.certain(call)),
        key=lambda call: (not call[1].startswith(COMMIT_PATH), drawn.random()),
    )
    found = []
    for at in range(count):
        kind, pattern = kinds[at % len(kinds)]
        number = drawn.randint(1, calls.certain((kind, pattern)))
        stopping = calls.only_stopping((kind, pattern), number)
        way = drawn.choice(["none", "half", "all"] if kind in disk.WRITES else ["none", "all"])
        abrupt, power = drawn.choice([(True, True), (False, False), (False, True), (True, False)])
        fault = disk.Fault(kind, pattern, number, number, way)
        found.append(Trial(fault, abrupt and not stopping, power, stopping))
    return found


def _pattern(name: str) -> str:
    return next((family for family in FAMILIES if name.startswith(family[:-1])), name)
