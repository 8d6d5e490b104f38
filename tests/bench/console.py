"""Row "console": how long the officer's console takes for each page of a store of 100,000 messages.

The store is filled directly but for its newest messages, which were imported, so that lists, search and a message show
what was really sent. A page is asked for over the console's loopback port, as a browser does: the time from the request
to the last byte of its answer is the server's, with the questions to the node in it. Nobody else uses the node.
"""

import http.client
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any, Final

from tests.bench import machine
from tests.bench.figures import Figure, Missing, at_most
from tests.bench.imports import write
from tests.bench.run import RECEIVER, SENDER, Run
from tests.bench.stored import fill
from tests.officer import Officer
from tests.system import importing

REAL: Final = 600  # imported: more than any list shows
ROUNDS: Final = 12
SECONDS: Final = 120.0  # of one page; a limit, not a measure
MILLISECONDS: Final = 1000.0
MOST_MEDIAN, MOST_P95 = 60.0, 150.0  # milliseconds
MOST_START: Final = 1.5  # seconds
MOST_MEMORY: Final = 200.0  # MiB
SEED: Final = 7
PAGES: Final = (
    "/tasks", "/inbox", "/sent", "/all", "/all?kind=seizure-notice", "/message/{id}", "/thread/{thread}", "/deliveries",
    "/search?q={word}", "/statistics", "/directory", "/substances", "/law", "/audit", "/settings", "/write", "/approve",
)  # fmt: skip


class Browser:
    """A connection to the console that is signed in."""

    def __init__(self, link: str) -> None:
        """Follow the launch link."""
        origin, _slash, path = link.removeprefix("http://").partition("/")
        self._connection = http.client.HTTPConnection(origin, timeout=SECONDS)
        self._cookie = ""
        _body, headers = self.get(f"/{path}")
        self._cookie = (headers["set-cookie"] or "").partition(";")[0]

    def get(self, path: str) -> tuple[bytes, http.client.HTTPMessage]:
        """Return a page, which must be there."""
        self._connection.request("GET", path, headers={"Cookie": self._cookie} if self._cookie else {})
        answer = self._connection.getresponse()
        body = answer.read()
        assert answer.status == 200, (path, answer.status, body[:2000])
        return body, answer.headers

    def close(self) -> None:
        """End the connection."""
        self._connection.close()


def measure(run: Run) -> Iterator[Figure | Missing]:
    """Fill the store, start the console, ask for every page in turn."""
    federation = run.federation
    federation.stop()
    federation.forget()
    federation.start(RECEIVER)
    federation.stop()
    officers = {member: Officer(federation.folder, f"{member}-liaison") for member in (SENDER, RECEIVER)}
    node = federation.node(RECEIVER)
    filled = fill(node, officers[RECEIVER], officers[SENDER], run.sizes.shown - REAL, run.say)
    federation.start()
    table = write(run.folder / "shown.csv", REAL, seed=SEED)
    program = importing.Program(federation, run.folder / "showing", table, [f"{SENDER}-liaison"], "--json").ended()
    assert program.json["sent"] == REAL, program.err
    importing.settle(federation)
    newest = _listed(run)
    names = {"id": newest["id"], "thread": newest["thread"], "word": "heroin"}
    begun = time.perf_counter()
    with _console(run) as (process, link), closing(Browser(link)) as browser:
        browser.get("/tasks")
        started = time.perf_counter() - begun
        taken = _ask(browser, [each.format(**names) for each in PAGES])
        resident, most = machine.resident_bytes(process.pid)
    yield from _figures(taken, filled.messages + REAL)
    yield Figure(
        name="console: from the command to the first page",
        samples=(started,),
        unit="s",
        beside="the program's start, its session and /tasks in it",
        aims=(at_most(started, MOST_START, f"≤ {MOST_START}"),),
    )
    yield Figure(
        name="console: memory",
        samples=(most / machine.MEBIBYTE,),
        unit="MiB",
        beside=f"at most; {resident / machine.MEBIBYTE:.0f} at the end",
        aims=(at_most(most / machine.MEBIBYTE, MOST_MEMORY, f"≤ {MOST_MEMORY:.0f}"),),
    )
    federation.stop()


def _ask(browser: Browser, paths: list[str]) -> dict[str, list[float]]:
    """Return the milliseconds of every page; the first answer to each is left out, as a start's."""
    taken: dict[str, list[float]] = {path: [] for path in paths}
    for number in range(ROUNDS + 1):
        for path in paths:
            begun = time.perf_counter()
            browser.get(path)
            if number:
                taken[path].append((time.perf_counter() - begun) * MILLISECONDS)
    return taken


def _figures(taken: dict[str, list[float]], messages: int) -> Iterator[Figure]:
    every = sorted(each for samples in taken.values() for each in samples)
    median, late = statistics.median(every), every[int(len(every) * 0.95)]
    slowest = max(taken, key=lambda path: statistics.median(taken[path]))
    yield Figure(
        name=f"console: a page of {messages:,} messages, median",
        samples=(median,),
        unit="ms",
        beside=f"{len(taken)} pages, {ROUNDS} times each; the slowest: {slowest} "
        f"{statistics.median(taken[slowest]):.0f}",
        aims=(at_most(median, MOST_MEDIAN, f"≤ {MOST_MEDIAN:.0f}"),),
        notes=tuple(
            f"console {path}: {statistics.median(each):.0f} ms, at most {max(each):.0f}" for path, each in taken.items()
        ),
        details={"pages": taken},
    )
    yield Figure(
        name="console: the same, p95",
        samples=(late,),
        unit="ms",
        aims=(at_most(late, MOST_P95, f"≤ {MOST_P95:.0f}"),),
    )


def _listed(run: Run) -> dict[str, str]:
    """Return the newest message of the receiver, as its officer's program lists it."""
    command = [*_program(), "inbox", "--json"]
    done = subprocess.run(command, env=_environment(run), capture_output=True, text=True, timeout=SECONDS, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return dict(found["messages"][0])


@contextmanager
def _console(run: Run) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run `paiza web` as the receiver's officer; yields it with its launch link."""
    command = [*_program(), "web", "--no-open", "--json"]
    with subprocess.Popen(command, env=_environment(run), stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process, json.loads(process.stdout.readline())["link"]
        finally:
            process.terminate()


def _program() -> list[str]:
    return [sys.executable, "-m", "paiza_client", "--profile", f"{RECEIVER}-liaison"]


def _environment(run: Run) -> dict[str, str]:
    return os.environ | {"PAIZA_HOME": str(run.federation.home), "LANGUAGE": "en"}
