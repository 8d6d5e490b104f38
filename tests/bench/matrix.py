"""Row "matrix": how quickly a node counts what it exchanged with everybody, asked as an auditor asks.

The rows of messages and deliveries are put into the store directly, without log entries, bodies or proofs: a count
reads none of these. Half are sent, half received; some are refused, some wait, some were given up, in all periods.
"""

import asyncio
import itertools
import secrets
import statistics
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

import psycopg

from paiza.core.v1 import delivery_pb2, log_query_pb2, message_pb2
from paiza.officer.v1 import audit_query_pb2, audit_query_pb2_grpc
from paiza_node.core.exchange.model import DeliveryRow
from paiza_node.core.exchange.send import store as deliveries_store
from paiza_node.core.log import store as log_store
from paiza_node.core.messages import store as messages_store
from paiza_node.core.messages.model import MessageRow, MessageState
from paiza_node.core.storage import open_store
from paiza_node.ops import config
from paiza_wire.tlog.log_queries import NONCE_SIZE
from tests.bench.figures import Figure, Missing, at_most
from tests.bench.run import Run
from tests.federation import Federation, NodeProcess
from tests.officer import Officer
from tests.postgresql import PostgreSQL, PostgreSQLMissingError

MEMBERS: Final = ("kaz", "tjk", "uzb", "kgz", "tkm", "centre")
OWN: Final = MEMBERS[0]
BATCH: Final = 20_000  # rows of one transaction
SPAN: Final = timedelta(days=365)  # over which the messages are spread
REPEATS: Final = 7
SECONDS: Final = 60.0
MILLION: Final = 1_000_000
MOST_SECONDS: Final = 1.0


def measure(run: Run) -> Iterator[Figure | Missing]:
    """Fill a store on each database and have its node count, over everything and over the newer half."""
    yield from _measure(run, "SQLite", {})
    try:
        server = PostgreSQL.start()
    except PostgreSQLMissingError as error:
        yield Missing("matrix, PostgreSQL", str(error))
        return
    with server:
        yield from _measure(run, "PostgreSQL", {OWN: server.create_database("matrix")})


def _measure(run: Run, database: str, databases: dict[str, str]) -> Iterator[Figure]:
    folder = run.folder / f"matrix-{database.lower()}"
    with Federation.create(folder, MEMBERS, databases=databases) as federation:
        node = federation.node(OWN)
        node.start()  # makes the store
        node.stop()
        begun = time.perf_counter()
        middle = fill(node, run.sizes.counted)
        run.say(f"{run.sizes.counted:,} messages on {database} in {time.perf_counter() - begun:.0f} s")
        if databases:
            _vacuum(databases[OWN])
        node.start()
        for what, since in (("all", None), ("since the middle", middle)):
            times, counted = asyncio.run(_ask(federation, since))
            notes = () if run.sizes.counted >= MILLION else ("the aim is for a million: --counted 1000000",)
            yield Figure(
                name=f"matrix, {run.sizes.counted:,} messages, {database}, {what}",
                samples=times,
                unit="s",
                beside=f"{counted:,} messages counted with {len(MEMBERS) - 1} members",
                aims=(at_most(statistics.median(times), MOST_SECONDS, f"≤ {MOST_SECONDS:g}"),),
                notes=notes,
            )


def _vacuum(url: str) -> None:
    """Do what autovacuum does by itself in a database that grew over a year, not in a minute."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")


def fill(node: NodeProcess, messages: int) -> datetime:
    """Put rows of so many messages into the store of a stopped node; gives the time of the one in the middle."""
    store = open_store(config.load(node.config).database)
    begin = datetime.now(UTC) - SPAN
    try:
        for first in range(0, messages, BATCH):
            numbers = range(first + 1, min(first + BATCH, messages) + 1)
            rows = [_message(seq, begin + SPAN * (seq / messages)) for seq in numbers]
            with store.transaction() as conn:
                messages_store.add_messages(conn, rows)
                deliveries_store.add_deliveries(conn, [_delivery(row) for row in rows if not row.received])
                head = log_store.head(conn)
                log_store.set_head(conn, replace(head, messages=rows[-1].seq, deliveries=rows[-1].seq))
    finally:
        store.close()
    return begin + SPAN / 2


def _message(seq: int, stored: datetime) -> MessageRow:
    received = seq % 2 == 0
    refused = received and seq % 100 == 0
    number = seq.to_bytes(16, "big")
    return MessageRow(
        seq=seq,
        digest=number + number,
        author=_other(seq) if received else OWN,
        message_id=number,
        thread_id=number,
        thread_name=f"X-1999-{seq:07d}",
        kind="free-message",
        urgency=message_pb2.URGENCY_ROUTINE,
        state=MessageState.REFUSED if refused else MessageState.RECEIVED if received else MessageState.RELEASED,
        header=number,
        stored_time=stored,
    )


_STATES: Final = itertools.cycle(
    [delivery_pb2.DELIVERY_STATE_DELIVERED] * 97
    + [delivery_pb2.DELIVERY_STATE_WAITING, delivery_pb2.DELIVERY_STATE_REFUSED, delivery_pb2.DELIVERY_STATE_EXPIRED]
)


def _delivery(row: MessageRow) -> DeliveryRow:
    return DeliveryRow(
        id=row.seq,
        message_seq=row.seq,
        digest=row.digest,
        recipient=_other(row.seq),
        urgency=row.urgency,
        released_index=row.seq,
        released_time=row.stored_time,
        expires_time=row.stored_time + 10 * SPAN,
        next_attempt_time=row.stored_time + 10 * SPAN,
        state=next(_STATES),
    )


def _other(seq: int) -> str:
    return MEMBERS[1 + seq // 2 % (len(MEMBERS) - 1)]


async def _ask(federation: Federation, since: datetime | None) -> tuple[tuple[float, ...], int]:
    """Ask some times; gives the seconds of each answer, and how many messages were counted."""
    auditor = Officer(federation.folder, f"{OWN}-auditor")
    times, counted = [], 0
    async with auditor.channel() as channel:
        stub = audit_query_pb2_grpc.AuditQueryServiceStub(channel)
        for _ in range(REPEATS + 1):
            query = log_query_pb2.CountQuery(nonce=secrets.token_bytes(NONCE_SIZE))
            if since is not None:
                query.period.since_time.FromDatetime(since)
            request = audit_query_pb2.GetMatrixRequest(query=query.SerializeToString(deterministic=True))
            begun = time.perf_counter()
            answer = await stub.GetMatrix(request, timeout=SECONDS)
            times.append(time.perf_counter() - begun)
            word = log_query_pb2.CountsReply.FromString(answer.pages[0].word)
            counted = sum(each.sent + each.received + each.refused_here for each in word.counts)
    return tuple(times[1:]), counted
