"""Actions on running nodes: sending a message, and reading their databases."""

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

from paiza.officer.v1 import officer_pb2, officer_pb2_grpc
from paiza_node.core.storage import ReadConnection
from paiza_node.ops.config import load
from paiza_node.ops.offline import read_only
from tests.federation import NodeProcess
from tests.officer import Officer

SECONDS = 60.0
POLL_SECONDS = 0.1  # what another process stores is seen from outside only by looking

T = TypeVar("T")


def send(officer: Officer, recipients: list[str]) -> bytes:
    """Submit a message; gives its digest."""

    async def submit() -> bytes:
        async with officer.channel() as channel:
            stub = officer_pb2_grpc.OfficerServiceStub(channel)
            item = officer_pb2.SubmitItem(message=officer.compose(recipients))
            answer = await stub.Submit(officer_pb2.SubmitRequest(items=[item]), timeout=SECONDS)
        return bytes(answer.results[0].released.message_digest)

    return asyncio.run(submit())


def eventually(ask: Callable[[], T | None], seconds: float = SECONDS) -> T:
    """Return the first thing that looking finds."""
    deadline = time.monotonic() + seconds
    while True:
        found = ask()
        if found:
            return found
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s"
        time.sleep(POLL_SECONDS)


def look(node: NodeProcess, ask: Callable[[ReadConnection], T]) -> T:
    """Ask a node's database, which is only read."""
    with read_only(load(node.config)) as store, store.reads() as reads:
        return ask(reads)
