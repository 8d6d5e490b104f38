"""Rows "pipeline" and "memory": two node processes, mTLS, from the first Submit until both have nothing left to do.

Each pass begins with empty stores under the same keys, so that all passes carry the same prepared messages.
"""

import asyncio
import os
import statistics
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from tests.bench import against_as2, bare_grpc, floor, machine, traffic
from tests.bench.figures import Aim, Figure, Missing, at_least, at_most
from tests.bench.run import RECEIVER, SENDER, Run
from tests.bench.traffic import ForwardedMessage
from tests.federation import NodeProcess
from tests.officer import Officer
from tests.postgresql import PostgreSQL, PostgreSQLMissingError

SQLITE: Final = "pipeline, SQLite"
POSTGRESQL: Final = "pipeline, PostgreSQL"
LEAST_RATE: Final = 2_600.0  # messages/s
LEAST_OF_FLOOR: Final = 0.27
LEAST_OF_ECHO: Final = 0.42
LEAST_OF_AS2: Final = 32.0
LEAST_OF_SQLITE: Final = 0.7  # PostgreSQL
MOST_IDLE_MIB: Final = 105.0
MOST_LOADED_MIB: Final = 250.0
MOST_DISK_BYTES: Final = 6_000.0  # a message
MICROSECONDS: Final = 1e6
PROCESSES: Final[Mapping[str, str]] = {SENDER: "sender", RECEIVER: "receiver", "database": "database server"}
MOST_POSTGRESQL_PASSES: Final = 2  # so that a whole run stays short


def measure_sqlite(run: Run) -> Iterator[Figure | Missing]:
    """Run the passes on SQLite, the embedded default; the memory rows come from the same passes."""
    found = _passes(run, {SENDER: None, RECEIVER: None}, run.sizes.repeats)
    yield _figure(run, SQLITE, found.passes, "SQLite, WAL, synchronous=FULL", aims=True)
    yield from _processor(run, SQLITE, found.passes)
    yield Figure(
        "memory, idle node",
        tuple(found.idle),
        "MiB",
        beside=f"{statistics.median(found.files):.0f} MiB of it are pages of libraries' files; "
        f"processes that it started take {statistics.median(found.helpers):.0f} MiB more",
        aims=(at_most(max(found.idle), MOST_IDLE_MIB, f"≤ {MOST_IDLE_MIB:.0f}"),),
    )
    yield Figure(
        "memory, node under pipeline load (peak)",
        tuple(found.loaded),
        "MiB",
        aims=(at_most(max(found.loaded), MOST_LOADED_MIB, f"≤ {MOST_LOADED_MIB:.0f}"),),
    )
    message = len(run.corpus.message())
    for member, words in ((SENDER, "sender"), (RECEIVER, "receiver")):
        yield Figure(
            f"disk, {words}",
            tuple(found.disk[member]),
            "bytes/message",
            beside=f"the message itself has {message:,} bytes",
            aims=(at_most(statistics.median(found.disk[member]), MOST_DISK_BYTES, f"≤ {MOST_DISK_BYTES:,.0f}"),),
        )


def measure_postgresql(run: Run) -> Iterator[Figure | Missing]:
    """Run the passes with both nodes on one PostgreSQL server, a database each."""
    try:
        with PostgreSQL.start(run.folder.parent) as server:
            repeats = min(run.sizes.repeats, MOST_POSTGRESQL_PASSES)
            passes = _passes(run, {SENDER: server, RECEIVER: server}, repeats).passes
            version = server.version
    except PostgreSQLMissingError as error:
        yield Missing(POSTGRESQL, str(error))
        return
    finally:
        for node in run.federation.nodes.values():
            node.configure(database=None)
    yield _figure(run, POSTGRESQL, passes, f"PostgreSQL {version.split()[0]} on the same machine", aims=False)
    yield from _processor(run, POSTGRESQL, passes)


@dataclass
class _Passes:
    """The passes; in MiB the resident memory of idle nodes, of processes that they started, and of nodes at their peak.

    ``files`` is what of idle nodes' memory are pages of files, which all processes share and the system can drop.
    ``disk`` are the bytes that a message takes in the files of each member's node.
    """

    passes: list[ForwardedMessage] = field(default_factory=list)
    idle: list[float] = field(default_factory=list)
    files: list[float] = field(default_factory=list)
    helpers: list[float] = field(default_factory=list)
    loaded: list[float] = field(default_factory=list)
    disk: dict[str, list[float]] = field(default_factory=lambda: {SENDER: [], RECEIVER: []})


def _passes(run: Run, servers: Mapping[str, PostgreSQL | None], repeats: int) -> _Passes:
    """Run some passes, each with empty stores."""
    found = _Passes()
    for _ in range(repeats):
        run.federation.stop()
        run.federation.forget()
        for member, server in servers.items():
            run.federation.node(member).configure(database=server and server.create_database(f"bench-{member}"))
        run.federation.start()
        nodes = [run.federation.node(SENDER), run.federation.node(RECEIVER)]
        found.idle += [machine.resident_bytes(node.pid)[0] / machine.MEBIBYTE for node in nodes]
        found.files += [machine.file_bytes(node.pid) / machine.MEBIBYTE for node in nodes]
        found.helpers += [
            sum(machine.resident_bytes(each)[0] for each in machine.descendants(node.pid)) / machine.MEBIBYTE
            for node in nodes
        ]
        empty = {node.member: _stored_bytes(node) for node in nodes}
        found.passes.append(asyncio.run(_pass(run, servers[SENDER])))
        found.loaded += [machine.resident_bytes(node.pid)[1] / machine.MEBIBYTE for node in nodes]
        run.federation.stop()
        for node in nodes:
            found.disk[node.member].append((_stored_bytes(node) - empty[node.member]) / found.passes[-1].messages)
        run.say(f"{found.passes[-1].rate:,.0f} messages/s")
    return found


def _stored_bytes(node: NodeProcess) -> int:
    """Return the bytes of all files in a node's data folder; those of a PostgreSQL database are elsewhere."""
    return sum(path.stat().st_size for path in node.data.rglob("*") if path.is_file())


async def _pass(run: Run, server: PostgreSQL | None) -> ForwardedMessage:
    officer = Officer(run.federation.folder, f"{SENDER}-liaison")
    sender, receiver = run.federation.node(SENDER), run.federation.node(RECEIVER)
    requests = list(run.corpus.requests(run.sizes.messages))
    passed = await traffic.pass_through(officer, sender, receiver, requests, server.process.pid if server else None)
    await traffic.check_delivered(officer, passed.messages)
    return passed


def _figure(run: Run, name: str, passes: list[ForwardedMessage], beside: str, *, aims: bool) -> Figure:
    rates = tuple(each.rate for each in passes)
    median = statistics.median(rates)
    reached = [at_least(median, LEAST_RATE, f"≥ {LEAST_RATE:,.0f}")] if aims else []
    compared = [
        "receipts alone " + _rate(passes, "delivered_seconds"),
        "with both indexes " + _rate(passes, "indexed_seconds"),
    ]
    for other, least, words in (
        (SQLITE, LEAST_OF_SQLITE, "of SQLite"),
        (floor.NAME, LEAST_OF_FLOOR, "of the floor"),
        (bare_grpc.NAME, LEAST_OF_ECHO, "of bare gRPC"),
        (against_as2.NAME, LEAST_OF_AS2, "× AS2"),
    ):
        found = run.found(other)
        if found is None:
            continue
        ratio = median / found.median
        compared.append(f"{ratio:.2f} {words}")
        if aims or other == SQLITE:
            reached.append(Aim(f"≥ {least:g} {words}", ratio >= least))
    return Figure(
        name=name,
        samples=rates,
        unit="messages/s",
        beside="; ".join([beside, *compared]),
        processor_us=statistics.median(_total(one) for one in passes) * MICROSECONDS,
        aims=tuple(reached),
        notes=(_cpu_note(passes),),
        details={"passes": [vars(each) for each in passes]},
    )


def _total(passed: ForwardedMessage) -> float:
    """Return the processor seconds a message of the nodes and their database server."""
    return sum(passed.cpu_seconds.get(process, 0.0) for process in PROCESSES) / passed.messages


def _rate(passes: list[ForwardedMessage], until: str) -> str:
    """Return the rate until an earlier moment, at which work was left."""
    return f"{statistics.median(one.messages / getattr(one, until) for one in passes):,.0f}/s"


def _processor(run: Run, name: str, passes: list[ForwardedMessage]) -> Iterator[Figure]:
    """Return the processor time of each process a message, and of all of them beside what bounds it."""
    used = {
        words: tuple(one.cpu_seconds[process] / one.messages * MICROSECONDS for one in passes)
        for process, words in PROCESSES.items()
        if process in passes[0].cpu_seconds
    }
    for words, samples in used.items():
        yield Figure(f"{name}: {words}", samples, "µs/message", beside="of processor time")
    total = tuple(sum(each) for each in zip(*used.values(), strict=True))
    compared = ["of processor time"]
    for other in (SQLITE, floor.NAME, bare_grpc.NAME, against_as2.NAME):
        found = run.found(other)
        if found and found.processor_us and other != name:
            compared.append(f"{found.processor_us:,.0f} ({found.processor_us / statistics.median(total):.2f}) {other}")
    yield Figure(f"{name}: all processes", total, "µs/message", beside="; ".join(compared))


def _cpu_note(passes: list[ForwardedMessage]) -> str:
    """Return where the processor time went, per message; the driver is ours and not a node's."""
    each = {
        name: statistics.median(one.cpu_seconds[name] / one.messages * 1e6 for one in passes)
        for name in passes[0].cpu_seconds
    }
    wall = statistics.median(one.seconds / one.messages * 1e6 for one in passes)
    submit = statistics.median(one.messages / one.submit_seconds for one in passes)
    used = ", ".join(f"{name} {microseconds:.0f}" for name, microseconds in each.items())
    foreign = statistics.median(one.foreign_cores for one in passes)
    cores = os.cpu_count() or 1
    return (
        f"µs of processor time per message: {used}; {wall:.0f} µs on the clock; all submitted at {submit:,.0f}/s; "
        f"others used {foreign:.1f} of {cores} cores meanwhile; "
        f"two cores kept wholly busy would carry {2e6 / sum(each.values()):,.0f}/s"
    )
