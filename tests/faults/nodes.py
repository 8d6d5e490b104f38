"""Whole nodes, one of them on a disk that fails: under load one call fails, the node is gone, and starts again.

Both nodes keep all that they have from trial to trial, as in `tests.system.campaign`: what one of them signed or
acknowledged before a loss of power, its peer still holds against it in the next trial.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from paiza_node.ops.cli.frame import ExitCode
from tests.faults import disk
from tests.federation import Federation, NodeFailedError
from tests.system import load
from tests.system.campaign import Campaign, check_by_program

LOAD_SECONDS: Final = 4.0  # for the call that fails to be reached
AFTER_SECONDS: Final = 0.5  # of load behind the failure, where the node is not gone at once
POLL_SECONDS: Final = 0.02
OPERATOR_TOLD: Final = (ExitCode.REFUSED, ExitCode.UNAVAILABLE)  # what is wrong is said; a defect of its own is another
COMMIT_PATH: Final = ("paiza.db", "checkpoint")  # drawn first: what every message goes through
FAMILIES: Final = ("register/archive*", "register/updater*", "register*", "attachments*")


class FailingNode(Campaign):
    """Two nodes under load, the first on a disk that fails."""

    def __init__(self, federation: Federation, seed: int, library: Path, folder: Path) -> None:
        super().__init__(federation, seed)
        self._library = library
        self._image = folder / "image"
        self._journal = folder / "journal"
        self.told: Counter[str] = Counter()

    async def calls(self) -> Counter[tuple[str, str]]:
        """Run once without a failure; gives how often the node makes each call, by kind and pattern of name."""
        await asyncio.to_thread(self.federation.start)
        assert await asyncio.to_thread(self.one.stop) == 0
        await self._loaded(None, abrupt=False)
        await self._mended()
        return Counter((kind, _pattern(name)) for kind, name in disk.calls(self._journal))

    async def trial(self, fault: disk.Fault, *, abrupt: bool, power: bool) -> bool:
        """Do one trial and balance the books; says whether the call was reached."""
        await self._loaded(fault, abrupt=abrupt)
        reached = bool(disk.failed(self._journal))
        if power:
            await asyncio.to_thread(disk.copy, self._image, self.one.data)
        await self._mended()
        self.figures.rounds += 1
        return reached

    async def _loaded(self, fault: disk.Fault | None, *, abrupt: bool) -> None:
        """Run the failing node under load until the call has failed, then have it gone."""
        self._journal.unlink(missing_ok=True)
        await asyncio.to_thread(disk.copy, self.one.data, self._image)
        environment = disk.environment(
            self._library, self.one.data, image=self._image, journal=self._journal, fault=fault
        )
        try:
            await asyncio.to_thread(self.one.start, environment=environment)
        except NodeFailedError:
            assert self.one.process is not None
            code = self.one.process.poll()
            assert code in OPERATOR_TOLD, f"{fault}: the node ended with {code} while starting:\n{self.one.log_tail()}"
            self.told["did not start"] += 1
            return
        stop, hurry = asyncio.Event(), asyncio.Event()
        hurry.set()
        working = asyncio.create_task(load.run_all(self.submitters, stop, hurry))
        deadline = asyncio.get_running_loop().time() + LOAD_SECONDS
        while asyncio.get_running_loop().time() < deadline and self.one.running:
            await asyncio.sleep(POLL_SECONDS)
            if fault is not None and disk.failed(self._journal):
                await asyncio.sleep(0 if abrupt else AFTER_SECONDS)
                break
        if abrupt:
            self.one.kill()
        else:
            code = await asyncio.to_thread(self.one.stop)
            assert code in {0, *OPERATOR_TOLD}, f"{fault}: the node ended with {code}:\n{self.one.log_tail()}"
            self.told["ended by itself" if code else "went on"] += 1
        stop.set()
        await working

    async def _mended(self) -> None:
        """Start the node on a disk that works, let everything arrive, balance the books and verify what is on disk."""
        await asyncio.to_thread(self.one.start)
        for submitter in self.submitters:
            await asyncio.wait_for(submitter.finish(), load.SUBMIT_SECONDS * 6)
        await self._until_settled()
        await asyncio.to_thread(self._check_final)
        assert await asyncio.to_thread(self.one.stop) == 0, self.one.log_tail()
        await asyncio.to_thread(check_by_program, self.one)


def chosen(calls: Counter[tuple[str, str]], count: int, seed: int) -> Sequence[tuple[disk.Fault, bool, bool]]:
    """Draw so many failures, every kind of call on every kind of file in turn; each with how the node is gone."""
    drawn = random.Random(seed)
    kinds = sorted(calls, key=lambda call: (not call[1].startswith(COMMIT_PATH), drawn.random()))
    found = []
    for at in range(count):
        kind, pattern = kinds[at % len(kinds)]
        number = drawn.randint(1, calls[kind, pattern])
        way = drawn.choice(["none", "half", "all"] if kind in disk.WRITES else ["none", "all"])
        abrupt, power = drawn.choice([(True, True), (False, False), (False, True), (True, False)])
        found.append((disk.Fault(kind, pattern, number, number, way), abrupt, power))
    return found


def _pattern(name: str) -> str:
    return next((family for family in FAMILIES if name.startswith(family[:-1])), name)
