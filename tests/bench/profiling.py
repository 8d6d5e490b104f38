"""`make bench-profile`: where the time of the pipeline goes, as py-spy sees it in both nodes; text, no figures.

py-spy looks at a process from outside, some hundred times a second. It needs leave to do so: root, or
kernel.yama.ptrace_scope = 0.
"""

import argparse
import asyncio
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.bench import traffic
from tests.bench.__main__ import RESULTS
from tests.bench.run import RECEIVER, SENDER, Run, Sizes
from tests.federation import NodeProcess
from tests.officer import Officer
from tests.postgresql import PostgreSQL

RATE: Final = 100  # samples a second; the watching itself costs processor time
MESSAGES: Final = 6_000
TOP: Final = 30  # functions listed
STOP_SECONDS: Final = 60
PERCENT: Final = 100


def main() -> int:
    """Profile one pass of the pipeline and print the functions by share, for each node."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.profiling", description=__doc__)
    parser.add_argument("--messages", type=int, default=MESSAGES)
    parser.add_argument("--postgresql", action="store_true", help="on PostgreSQL instead of SQLite")
    parser.add_argument("--native", action="store_true", help="see into C and Rust too")
    parser.add_argument("--waiting", action="store_true", help="count threads that wait for the interpreter lock too")
    options = parser.parse_args()
    # Only who holds the interpreter lock: a thread that waits for it looks busy too. What runs without the lock (the
    # database's own work, fsync, TLS) is not seen then; the processor time printed beside the shares holds all of it.
    # Native stacks need the process held still.
    spying = ["--threads", "--function", *([] if options.waiting else ["--gil"])]
    spying.append("--native" if options.native else "--nonblocking")
    RESULTS.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="work-", dir=RESULTS) as folder:
        sizes = Sizes(messages=options.messages)
        run = Run(Path(folder), RESULTS, sizes, lambda text: print(text, file=sys.stderr))
        try:
            if options.postgresql:
                with PostgreSQL.start(RESULTS) as server:
                    for member, node in run.federation.nodes.items():
                        node.configure(database=server.create_database(f"bench-{member}"))
                    return _profile(run, spying)
            return _profile(run, spying)
        finally:
            run.close()


def _profile(run: Run, spying: list[str]) -> int:
    requests = list(run.corpus.requests(run.sizes.messages))
    federation = run.federation
    federation.start()
    officer = Officer(federation.folder, f"{SENDER}-liaison")
    sender, receiver = federation.node(SENDER), federation.node(RECEIVER)
    stacks = {node.member: run.folder / f"{node.member}.stacks" for node in (sender, receiver)}
    with _spied(sender, stacks[SENDER], spying), _spied(receiver, stacks[RECEIVER], spying):
        passed = asyncio.run(traffic.pass_through(officer, sender, receiver, requests))
    asyncio.run(traffic.check_delivered(officer, passed.messages))
    print(
        f"{passed.messages:,} messages, {passed.rate:,.0f}/s while watched; submitted in {passed.submit_seconds:.1f} s"
    )
    for node in (sender, receiver):
        cpu = passed.cpu_seconds[node.member]
        print(f"\n== {node.member}: {cpu:.1f} s of processor time, {cpu / passed.messages * 1e6:.0f} µs per message")
        print(*_top(stacks[node.member].read_text().splitlines()), sep="\n")
    federation.stop()
    return 0


@contextmanager
def _spied(node: NodeProcess, file: Path, spying: list[str]) -> Iterator[None]:
    command = [
        "py-spy",
        "record",
        "--pid",
        str(node.pid),
        "--rate",
        str(RATE),
        "--format",
        "raw",
        "--output",
        str(file),
    ]
    spy = subprocess.Popen(
        [str(Path(sys.executable).parent / command[0]), *command[1:], "--duration", "unlimited", *spying],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield
    finally:
        spy.send_signal(signal.SIGINT)
        spy.wait(STOP_SECONDS)
    if not file.exists():
        raise SystemExit("py-spy saw nothing: it needs root, or kernel.yama.ptrace_scope = 0")


def _top(stacks: list[str]) -> Iterator[str]:
    """Yield the shares of the threads, and of the functions: by themselves, and with all they call."""
    threads: Counter[str] = Counter()
    own: Counter[str] = Counter()
    whole: Counter[str] = Counter()
    for line in stacks:
        text, _, count = line.rpartition(" ")
        frames = text.split(";")
        samples = int(count)
        threads[frames[0]] += samples
        own[frames[-1]] += samples
        for frame in set(frames[1:]):
            whole[frame] += samples
    total = sum(threads.values()) or 1
    yield f"{total} samples at {RATE}/s"
    for title, counter in (("thread", threads), ("by itself", own), ("with what it calls", whole)):
        yield f"-- {title}"
        yield from (f"{PERCENT * count / total:6.1f}%  {name}" for name, count in counter.most_common(TOP))


if __name__ == "__main__":
    sys.exit(main())
