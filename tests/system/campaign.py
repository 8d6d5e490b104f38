"""Rounds of load, kill and restart between two nodes, with the books checked after each.

A round: officers of both members submit; after 50 to 1500 ms something is killed (one node, both, or the database's
own processes); what both nodes hold on disk is read and checked as it lies there; then everything is started again.
What is drawn is drawn from one seed, which is printed; when a kill falls is up to the machine too.
"""

import asyncio
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import psycopg
from typing_extensions import override

from tests.federation import Federation, NodeProcess
from tests.officer import Officer
from tests.postgresql import PostgreSQL
from tests.registers import read_register
from tests.system import ledgers, load
from tests.system.ledgers import Holding

KILLS: Final = ("sender", "receiver", "both")
STOPS: Final = ("sender stopped", "receiver stopped")
STOP_SECONDS: Final = 25.0  # a graceful stop gives calls under way 10 s; the machines of tests are shared
LEAST_MILLISECONDS, MOST_MILLISECONDS = 50, 1500  # of load before a kill
SETTLE_SECONDS: Final = 300.0  # until nothing waits any more, after the last restart; a limit, not a measure
POLL_SECONDS: Final = 0.1
PROFILES: Final = ("liaison", "duty")


@dataclass
class Figures:
    """The figures of a campaign."""

    rounds: int = 0
    kills: Counter[str] = field(default_factory=Counter)
    restarts: int = 0
    messages: int = 0
    repeated: int = 0
    seconds: float = 0.0

    @override
    def __str__(self) -> str:
        """Return it as one line."""
        kills = ", ".join(f"{what} {count}" for what, count in sorted(self.kills.items()))
        return (
            f"{self.rounds} rounds, {self.messages} messages delivered once, {self.repeated} answered again after "
            f"their first answer was lost, {self.restarts} restarts (killed: {kills}), {self.seconds:.0f} s"
        )


@dataclass(frozen=True)
class Books:
    """The data of both nodes, and the answers to their officers before."""

    receipts: list[dict[bytes, list[tuple[int, bytes]]]]
    one: Holding
    other: Holding
    one_again: Holding


class Campaign:
    """Two nodes under load that are killed over and over."""

    def __init__(
        self, federation: Federation, seed: int, server: PostgreSQL | None = None, ways: Sequence[str] = KILLS
    ) -> None:
        self.federation = federation
        self.ways = [*ways, *(["database"] if server is not None else [])]
        self.random = random.Random(seed)
        self.server = server
        self.register = read_register(federation.folder)
        self.one, self.other = federation.nodes.values()
        self.figures = Figures()
        self.submitters = [
            load.Submitter(
                Officer(federation.folder, f"{node.member}-{name}", self.register),
                [peer.member],
                random.Random(self.random.random()),
            )
            for node, peer in ((self.one, self.other), (self.other, self.one))
            for name in PROFILES
        ]
        self._before: dict[str, Holding] = {}

    async def run(self, rounds: int) -> Figures:
        """Run so many rounds, then let everything arrive and balance the books."""
        began = time.monotonic()
        await asyncio.to_thread(self.federation.start)
        for _ in range(rounds):
            await self._round()
        await self.finish()
        self.figures.seconds = time.monotonic() - began
        return self.figures

    async def finish(self) -> Figures:
        """Wait for all deliveries, stop both nodes and compare their records."""
        for submitter in self.submitters:
            await asyncio.wait_for(submitter.finish(), SETTLE_SECONDS)
        await self._until_settled()
        self._check_final()
        for node in (self.one, self.other):
            assert node.stop() == 0, f"{node.member} did not stop in order:\n{node.log_tail()}"
        self._check_final()
        for node in (self.one, self.other):
            check_by_program(node)
        self.figures.messages = sum(len(submitter.receipts) for submitter in self.submitters)
        self.figures.repeated = sum(submitter.repeated for submitter in self.submitters)
        return self.figures

    async def _round(self) -> None:
        stop, hurry = asyncio.Event(), asyncio.Event()
        hurry.set()
        working = asyncio.create_task(load.run_all(self.submitters, stop, hurry))
        try:
            await asyncio.sleep(self.random.randint(LEAST_MILLISECONDS, MOST_MILLISECONDS) / 1000)
            killed = await asyncio.to_thread(self._kill)
            hurry.clear()
            books = await asyncio.to_thread(self._read)
            # The books lie as the kill left them; they are checked while the nodes start again.
            checking = asyncio.create_task(asyncio.to_thread(self._check, books))
            await asyncio.to_thread(self._restart, killed)
            await checking
        finally:
            stop.set()
        await working
        self.figures.rounds += 1

    def _kill(self) -> list[NodeProcess]:
        """Kill something; gives the nodes that must be started again."""
        what = self.random.choice(self.ways)
        self.figures.kills[what] += 1
        if what in STOPS:
            stopped = self.one if what == "sender stopped" else self.other
            began = time.monotonic()
            assert stopped.stop() == 0, f"{stopped.member} did not stop in order:\n{stopped.log_tail()}"
            assert time.monotonic() - began < STOP_SECONDS, f"{stopped.member} took too long to stop"
            return [stopped]
        nodes = {"sender": [self.one], "receiver": [self.other], "both": [self.one, self.other]}.get(what, [])
        for node in nodes:  # all at once: the second must not see the first one gone
            assert node.running, f"{node.member} ended by itself:\n{node.log_tail()}"
            os.kill(node.pid, signal.SIGKILL)
        for node in nodes:
            node.kill()
        if what == "database":
            assert self.server is not None
            kill_backends(self.server)
        return nodes

    def _restart(self, nodes: Sequence[NodeProcess]) -> None:
        self.figures.restarts += len(nodes)
        if nodes:
            self.federation.start(*(node.member for node in nodes))
        for node in (self.one, self.other):
            assert node.running, f"{node.member} ended by itself:\n{node.log_tail()}"

    def _read(self) -> Books:
        """Read the disks at any moment; one node twice, so that each is read after its sender."""
        receipts = [dict(submitter.receipts) for submitter in self.submitters]
        return Books(receipts, ledgers.read(self.one), ledgers.read(self.other), ledgers.read(self.one))

    def _check(self, books: Books) -> None:
        """Check what was read: nothing answered is missing, nothing stands twice, both agree."""
        for holding in (books.one, books.other, books.one_again):
            ledgers.check_own(holding, self.register)
            self._check_grew(holding)
        ledgers.check_exchange(books.one, books.other, self.register)
        ledgers.check_exchange(books.other, books.one_again, self.register)
        latest = {self.one.member: books.one_again, self.other.member: books.other}
        for submitter, answered in zip(self.submitters, books.receipts, strict=True):
            _check_receipts(answered, latest[submitter.officer.member])

    def _check_grew(self, holding: Holding) -> None:
        before = self._before.get(holding.member)
        if before is not None:
            kept = list(holding.entries[: len(before.entries)])
            assert kept == list(before.entries), f"{holding.member}: the log was rewritten"
            assert before.messages.items() <= holding.messages.items(), f"{holding.member} lost a message"
        self._before[holding.member] = holding

    async def _until_settled(self) -> None:
        deadline = time.monotonic() + SETTLE_SECONDS
        while time.monotonic() < deadline:
            waiting = [await asyncio.to_thread(node.status) for node in (self.one, self.other)]
            if not any(status.waiting for status in waiting):
                return
            await asyncio.sleep(POLL_SECONDS)
        raise AssertionError(f"deliveries still wait after {SETTLE_SECONDS:.0f} s:\n{self.one.log_tail()}")

    def _check_final(self) -> None:
        """Check that drafts, releases, deliveries and inboxes are the same messages, each once."""
        self._check(self._read())
        for node, peer in ((self.one, self.other), (self.other, self.one)):
            sent, received = self._before[node.member], self._before[peer.member]
            written = set[bytes]().union(*(s.written for s in self.submitters if s.officer.member == node.member))
            assert sent.waiting() == 0
            assert sent.delivered_to(peer.member) == written, f"{node.member}: drafts and deliveries disagree"
            assert set(sent.events(ledgers.RELEASED, peer.member)) == written
            assert set(sent.events(ledgers.DELIVERED, peer.member)) == written
            assert set(received.events(ledgers.RECEIVED, node.member)) == written


def _check_receipts(answered: dict[bytes, list[tuple[int, bytes]]], node: Holding) -> None:
    for digest, entries in answered.items():
        assert digest in node.messages, f"{node.member} lost {digest.hex()}, which it said it released"
        for index, entry in entries:
            assert node.entries[index] == entry, f"{node.member}: the receipt of {digest.hex()} is not in the log"


def kill_backends(server: PostgreSQL) -> None:
    """Kill every PostgreSQL process that serves a node, as a memory shortage would; the server then recovers."""
    with psycopg.connect(server._dsn("postgres"), autocommit=True) as connection:
        rows = connection.execute(
            "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
        ).fetchall()
    for (pid,) in rows:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue  # the first one killed takes the others with it
    server._wait()


def check_by_program(node: NodeProcess) -> None:
    """Run `paiza-node verify`."""
    command = [sys.executable, "-m", "paiza_node", "verify", "--config", str(node.config)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{node.member}: verify failed:\n{done.stdout}{done.stderr}"
