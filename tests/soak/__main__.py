"""`make soak`: ten members exchange messages at half the rate they sustain: nothing may grow, be lost or come twice.

    python -m tests.soak --minutes 30

Ten nodes, each a process of its own, with SQLite and mTLS over loopback, on one machine. One officer at each node sends
messages of 1 KiB to the other members in turn, and watches for the receipts. First all of them send at full rate, which
counts until every node has indexed and witnessed what came of it; then for so many minutes at half of that rate. At the
end the nodes finish what is left, every node is stopped, both sides' logs and rows are counted, and `paiza-node verify`
runs at each node.

The exit code is 0 if nothing was lost, doubled or invented, every receipt was shown to the watching officer, the work
left at the end took at most half a minute, every node verifies, and all growth is within the bounds. A soak of under
ten minutes shows growth without judging it: page caches and write-ahead logs still fill.
"""

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from tests.bench import machine
from tests.bench.settled import settled
from tests.bench.traffic import drained
from tests.federation import Federation, NodeProcess
from tests.officer import Officer
from tests.registers import read_register
from tests.soak.accounts import Balance, balance, read
from tests.soak.samples import Sample, Window, foreign_cores, halves, sample, slope
from tests.soak.traffic import BATCH, PAUSE_SECONDS, Sender

MEMBERS: Final = ("arm", "aze", "centre", "geo", "kaz", "kgz", "rus", "tjk", "tkm", "uzb")
RESULTS: Final = Path(__file__).resolve().parents[2] / "bench-results"  # git-ignored
MINUTES: Final = 30.0
WARM_SECONDS: Final = 5.0  # at full rate, before it is measured
FULL_RATE_SECONDS: Final = 20.0
SHARE: Final = 0.5  # of the full rate
LIMITS: Final = {  # of a day: each officer sends more in half an hour than one does in years
    "officer_messages_per_day": 10_000_000,
    "officer_message_bytes_per_day": 1_000_000_000_000,
    "officer_log_entries_per_day": 100_000_000,
    "peer_messages_per_day": 10_000_000,
    "peer_message_bytes_per_day": 1_000_000_000_000,
    "peer_log_entries_per_day": 100_000_000,
}
WINDOWS: Final = 40  # of the whole soak
LEAST_WINDOW_SECONDS: Final = 5.0
SETTLE_SECONDS: Final = 120.0  # for the last receipts
SHOWN_LOOKS: Final = 50  # at whether the watches have shown them
SKIPPED: Final = 0.25  # of the windows at the beginning: caches fill
JUDGED_MINUTES: Final = 10.0  # a shorter soak ends before they are full (40 MiB of pages a node, 16 MiB of WAL)
MILLISECONDS: Final = 1000.0
MICROSECONDS: Final = 1e6
KIB: Final = 1024

# Bounds. A quantity's growth is its median slope over the windows after the skipped ones, times their duration.
MOST_WAIT_GROWTH: Final = 0.5  # of the median wait: machines are shared
MOST_MEMORY_GROWTH_MIB: Final = 12.0  # of any node
MOST_MEMORY_MIB: Final = 250.0
MOST_DESCRIPTOR_GROWTH: Final = 8.0
MOST_DISK_GROWTH: Final = 1.3  # disk per message in the second half, by that in the first
MOST_PROCESSOR_GROWTH: Final = 1.2  # processor time per message in the second half, by that in the first
MOST_LEFT_SECONDS: Final = 30.0  # of work after the last receipt: a quorum and the proofs of some seconds


@dataclass(frozen=True)
class Line:
    """One line of the table: what was measured, and whether it is within its bound."""

    name: str
    value: str
    bound: str
    holds: bool


def main() -> int:
    """Soak, print the table, write JSON; 0 if every bound holds."""
    options = _options()
    RESULTS.mkdir(exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix="soak-", dir=RESULTS) as folder,
        Federation.create(Path(folder) / "f", MEMBERS[: options.members]) as federation,
    ):
        for node in federation.nodes.values():
            node.configure(limits=LIMITS)
        for member in federation.nodes:  # ten at the same time would take longer than one may
            federation.start(member)
        soak = Soak(federation)
        asyncio.run(soak.run(options.minutes * 60))
        federation.stop()
        _say("counting both sides' logs and rows ...")
        found = balance(soak.senders, {member: read(node) for member, node in federation.nodes.items()})
        _say("verifying ...")
        lines = [*_counted(found), *_finished(soak), *_verified(federation.nodes.values()), *_levels(soak)]
        lines += _grown(soak, judged=options.minutes >= JUDGED_MINUTES)
    _print(lines, soak, found)
    _write(lines, soak, found, options.minutes)
    return 0 if all(line.holds for line in lines) else 1


class Soak:
    """The traffic, and the windows of samples taken meanwhile."""

    def __init__(self, federation: Federation) -> None:
        self.nodes: Mapping[str, NodeProcess] = federation.nodes
        register = read_register(federation.folder)
        members = list(federation.nodes)
        self.senders = {
            member: Sender(
                Officer(federation.folder, f"{member}-liaison", register), [*members[at + 1 :], *members[:at]]
            )
            for at, member in enumerate(members)
        }
        self.full_rate = 0.0
        self.windows: list[Window] = []
        self.begun_with = 0  # messages released before the soak began
        self.left_seconds = 0.0  # from the last receipt until every node had done all that the messages cause

    @property
    def released(self) -> int:
        """How many messages were released so far."""
        return sum(len(sender.receipts) for sender in self.senders.values())

    async def run(self, seconds: float) -> None:
        """Measure the full rate, then soak at half of it for so many seconds."""
        async with self._watching():
            self.full_rate = await self._measure()
            _say(f"full rate: {self.full_rate:.0f} messages/s; half of it for {seconds / 60:g} minutes ...")
            await self._soak(seconds)
            await self._drained()
            ended = time.monotonic()
            await self._settled()
            self.left_seconds = time.monotonic() - ended
            await self._shown()

    async def _measure(self) -> float:
        """Return the messages per second at full rate, until nothing that they cause is left to do."""
        await self._for_seconds(WARM_SECONDS)
        await self._drained()
        await self._settled()
        before, begun = self.released, time.monotonic()
        await self._for_seconds(FULL_RATE_SECONDS)
        sent = time.monotonic()
        await self._drained()
        delivered = time.monotonic()
        await self._settled()
        done, count = time.monotonic(), self.released - before
        _say(
            f"{count:,} messages sent in {sent - begun:.0f} s, delivered {delivered - sent:.0f} s later, "
            f"nothing left to do {done - delivered:.0f} s after that"
        )
        return count / (done - begun)

    async def _for_seconds(self, seconds: float) -> None:
        stop = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            for sender in self.senders.values():
                group.create_task(sender.send_at_full_rate(stop))
            await asyncio.sleep(seconds)
            stop.set()

    async def _soak(self, seconds: float) -> None:
        for sender in self.senders.values():
            sender.take()
            sender.due.clear()  # the first messages were sent before the watch had begun
        self.begun_with = self.released
        stop, begun = asyncio.Event(), time.monotonic()
        every = BATCH * len(self.senders) / (self.full_rate * SHARE)  # between two batches of one officer
        length = max(LEAST_WINDOW_SECONDS, seconds / WINDOWS)
        async with asyncio.TaskGroup() as group:
            for at, sender in enumerate(self.senders.values()):
                group.create_task(sender.send_at_pace(stop, begun + every * at / len(self.senders), every))
            number = 0
            while time.monotonic() < begun + seconds:
                number += 1
                await asyncio.sleep(max(0.0, begun + number * length - time.monotonic()))
                await self._look(begun)
            stop.set()

    async def _look(self, begun: float) -> None:
        taken = [sender.take() for sender in self.senders.values()]
        nodes = await asyncio.to_thread(lambda: {member: sample(node) for member, node in self.nodes.items()})
        self.windows.append(
            Window(
                seconds=time.monotonic() - begun,
                messages=self.released - self.begun_with,
                nodes=nodes,
                released=[each for released, _ in taken for each in released],
                delivered=[each for _, delivered in taken for each in delivered],
                busy_seconds=machine.busy_seconds(),
                driver_seconds=time.process_time(),
            )
        )

    async def _drained(self) -> None:
        """Wait until every receipt is at its sender."""
        async with asyncio.timeout(SETTLE_SECONDS):
            await asyncio.gather(*(drained(node) for node in self.nodes.values()))

    async def _settled(self) -> None:
        """Wait until every node has indexed, reviewed and witnessed all that it holds."""
        await asyncio.gather(*(settled(node) for node in self.nodes.values()))

    async def _shown(self) -> None:
        """Wait a while for the watches to show the last receipts."""
        for _ in range(SHOWN_LOOKS):
            if not any(sender.due for sender in self.senders.values()):
                return
            await asyncio.sleep(PAUSE_SECONDS)

    @asynccontextmanager
    async def _watching(self) -> AsyncIterator[None]:
        watches = [asyncio.create_task(sender.watch()) for sender in self.senders.values()]
        try:
            yield
        finally:
            for watch in watches:
                watch.cancel()
            await asyncio.gather(*watches, return_exceptions=True)


def _counted(found: Balance) -> list[Line]:
    return [
        Line("lost", f"{found.lost:,} of {found.messages:,} messages", "0", found.lost == 0),
        Line("doubled", f"{found.doubled:,}", "0", found.doubled == 0),
        Line("known to one side only", f"{found.invented:,}", "0", found.invented == 0),
    ]


def _finished(soak: Soak) -> list[Line]:
    unseen = sum(len(sender.due) for sender in soak.senders.values())
    again = sum(sender.watches - 1 for sender in soak.senders.values())
    rate = soak.windows[-1].messages / soak.windows[-1].seconds
    return [
        # A watch that began again misses what happened between: the node ended it, or the connection did.
        Line(
            "receipts not shown to the watching officer",
            f"{unseen:,}; watches begun again: {again:,}",
            "0 in one watch",
            unseen == 0 or again > 0,
        ),
        Line("rate kept, of half the full rate", f"{rate / (soak.full_rate * SHARE):.2f}", "", holds=True),
        Line(
            "work left after the last receipt",
            f"{soak.left_seconds:.1f} s",
            f"≤ {MOST_LEFT_SECONDS:.0f} s",
            soak.left_seconds <= MOST_LEFT_SECONDS,
        ),
    ]


def _verified(nodes: Iterable[NodeProcess]) -> list[Line]:
    failed = []
    for node in nodes:
        command = [sys.executable, "-m", "paiza_node", "verify", "--config", str(node.config)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            failed.append(node.member)
            _say(f"{node.member}: {done.stdout}{done.stderr}")
    return [Line("paiza-node verify", "every node" if not failed else f"fails at {', '.join(failed)}", "", not failed)]


def _levels(soak: Soak) -> list[Line]:
    """Show the worst window, and judge the most memory."""
    last = soak.windows[-1].nodes.values()
    longest = max(each.wait(0.99) for each in soak.windows)
    memory = max(one.resident_bytes for each in soak.windows for one in each.nodes.values()) / machine.MEBIBYTE
    descriptors = max(one.descriptors for each in soak.windows for one in each.nodes.values())
    disk = statistics.mean(each.disk_bytes for each in last) / machine.MEBIBYTE
    return [
        Line("wait for a receipt, p99 of the worst window", f"{longest * MILLISECONDS:.0f} ms", "", holds=True),
        Line("memory of a node, most", f"{memory:.0f} MiB", f"≤ {MOST_MEMORY_MIB:.0f} MiB", memory <= MOST_MEMORY_MIB),
        Line("descriptors of a node, most", f"{descriptors}", "", holds=True),
        Line("disk of a node at the end, mean", f"{disk:.0f} MiB", "", holds=True),
    ]


def _grown(soak: Soak, *, judged: bool) -> list[Line]:
    """Judge the growth of each quantity over the windows after the first ones; of nodes, the one that grew most."""
    windows = soak.windows[int(len(soak.windows) * SKIPPED) :]
    lasted = windows[-1].seconds - windows[0].seconds
    median, wait = _waited(windows, 0.5, lasted)
    tail, tail_grown = _waited(windows, 0.99, lasted)
    memory = _most(soak, windows, lambda each: each.resident_bytes / machine.MEBIBYTE, lasted)
    descriptors = _most(soak, windows, lambda each: float(each.descriptors), lasted)
    first, second = halves(
        [(float(each.messages), float(sum(one.disk_bytes for one in each.nodes.values()))) for each in windows]
    )
    used = halves(
        [(float(each.messages), sum(one.cpu_seconds for one in each.nodes.values()) * MICROSECONDS) for each in windows]
    )
    lines = [
        Line(
            "wait for a receipt, p50",
            f"{median * MILLISECONDS:.0f} ms, growth {wait:+.0%}",
            f"≤ {MOST_WAIT_GROWTH:+.0%}",
            wait <= MOST_WAIT_GROWTH,
        ),
        # Not judged: of a hundred messages one waits for whatever else the machine does.
        Line("wait for a receipt, p99", f"{tail * MILLISECONDS:.0f} ms, growth {tail_grown:+.0%}", "", holds=True),
        Line(
            "processor time for a message, all nodes",
            f"{used[0]:,.0f} µs in the first half, {used[1]:,.0f} µs in the second",
            f"≤ {MOST_PROCESSOR_GROWTH:g} ×",
            used[1] <= MOST_PROCESSOR_GROWTH * used[0],
        ),
        Line(
            "memory of a node, growth",
            f"{memory[1]:+.1f} MiB ({memory[0]})",
            f"≤ {MOST_MEMORY_GROWTH_MIB:+.0f} MiB",
            memory[1] <= MOST_MEMORY_GROWTH_MIB,
        ),
        Line(
            "descriptors of a node, growth",
            f"{descriptors[1]:+.1f} ({descriptors[0]})",
            f"≤ {MOST_DESCRIPTOR_GROWTH:+.0f}",
            descriptors[1] <= MOST_DESCRIPTOR_GROWTH,
        ),
        Line(
            "disk for a message, all nodes",
            f"{first / KIB:.1f} KiB in the first half, {second / KIB:.1f} KiB in the second",
            f"≤ {MOST_DISK_GROWTH:g} ×",
            second <= MOST_DISK_GROWTH * first,
        ),
    ]
    return lines if judged else [replace(line, bound="not judged", holds=True) for line in lines]


def _waited(windows: Sequence[Window], share: float, lasted: float) -> tuple[float, float]:
    """Return the median over the windows of a percentile of the waits, and its growth as a share of that median."""
    waits = [(each.seconds, each.wait(share)) for each in windows if each.delivered]
    median = statistics.median(wait for _, wait in waits)
    return median, slope(waits) * lasted / median


def _most(
    soak: Soak, windows: Sequence[Window], quantity: Callable[[Sample], float], lasted: float
) -> tuple[str, float]:
    """Return the node in which a quantity grew most, and by how much."""
    grown = {
        member: slope([(each.seconds, quantity(each.nodes[member])) for each in windows]) * lasted
        for member in soak.nodes
    }
    member = max(grown, key=lambda each: grown[each])
    return member, grown[member]


def _print(lines: Sequence[Line], soak: Soak, found: Balance) -> None:
    rate = soak.windows[-1].messages / soak.windows[-1].seconds
    foreign = foreign_cores(soak.windows[0], soak.windows[-1])
    print(f"{'quantity':46}{'measured':58}{'bound':16}")
    for line in lines:
        print(f"{line.name:46}{line.value:58}{line.bound:16}{'ok' if line.holds else 'BEYOND ITS BOUND'}")
    print(*found.examples, sep="\n")
    print(
        f"{len(soak.nodes)} members; full rate {soak.full_rate:.0f} messages/s, soaked at {rate:.0f}/s for "
        f"{soak.windows[-1].seconds / 60:.1f} minutes; others kept {foreign:.1f} of {os.cpu_count()} cores busy; "
        f"Submits put off: {sum(each.put_off for each in soak.senders.values())}"
    )


def _write(lines: Sequence[Line], soak: Soak, found: Balance, minutes: float) -> None:
    now = datetime.now(UTC)
    document = {
        "time": now.isoformat(timespec="seconds"),
        "facts": dict(machine.describe()),
        "minutes": minutes,
        "full_rate": soak.full_rate,
        "left_seconds": soak.left_seconds,
        "lines": [vars(line) for line in lines],
        "balance": vars(found),
        "windows": [
            {
                "seconds": round(each.seconds, 1),
                "messages": each.messages,
                "busy_seconds": round(each.busy_seconds, 2),
                "driver_seconds": round(each.driver_seconds, 2),
                "wait_ms": {f"p{share:.0%}": round(each.wait(share) * MILLISECONDS, 1) for share in (0.5, 0.99)},
                "nodes": {member: vars(one) for member, one in each.nodes.items()},
            }
            for each in soak.windows
        ],
    }
    path = RESULTS / f"soak-{now:%Y%m%dT%H%M%SZ}.json"
    path.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n")
    print(f"written to {path}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=MINUTES)
    parser.add_argument("--members", type=int, default=len(MEMBERS), choices=range(2, len(MEMBERS) + 1))
    return parser.parse_args()


def _say(text: str) -> None:
    print(f"    {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
