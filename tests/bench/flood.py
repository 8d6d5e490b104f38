"""One hostile caller in a process of its own: it floods one node at full rate between two lines on its standard input.

    python -m tests.bench.flood FEDERATION KIND MEMBER CALLER

KIND is "officer" (Submits of new messages), "peer" (Deliver calls of new messages) or "garbage" (Submits that no parser
accepts). It prepares its requests, prints "ready", floods from the first line it reads until the second, and prints
what it was answered as JSON. What was new is repeated when all of it was sent: the caller does not become quieter.
"""

import asyncio
import itertools
import json
import os
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import grpc

from paiza.officer.v1 import officer_pb2
from paiza.peer.v1 import exchange_pb2
from paiza_node.core.register.state import state_of
from paiza_register import Register
from tests.bench.corpus import compose
from tests.bench.traffic import SUBMIT
from tests.federation import NodeProcess
from tests.integration.exchange.hostile import HostilePeer
from tests.officer import Officer
from tests.registers import read_register
from tests.system.minting import Mint

DELIVER: Final = "/paiza.peer.v1.ExchangeService/Deliver"
CONNECTIONS: Final = 8
IN_FLIGHT: Final = 32  # calls at a time, over all connections
CALL_SECONDS: Final = 30.0
CONTENT_BYTES: Final = 1024
OFFICER_BATCHES, OFFICER_BATCH = 16, 128  # Submits, and messages of each
PEER_BATCHES, PEER_BATCH = 16, 64  # Deliver calls, and messages of each
GARBAGE_ITEMS, GARBAGE_BYTES = 256, 8 * 1024  # of a Submit whose items are no messages
EMPTY_ITEMS: Final = 400_000  # of a Submit of nothing but empty items: two bytes each on the way
EMPTY_ITEM: Final = b"\x0a\x00"


def officer(folder: Path, register: Register, member: str, caller: str) -> list[bytes]:
    """Prepare Submits of new messages of the liaison officer of a member to another member."""
    author = Officer(folder, f"{member}-liaison", register)
    items = (officer_pb2.SubmitItem(message=compose(author, [caller], CONTENT_BYTES)) for _ in itertools.count())
    return [
        officer_pb2.SubmitRequest(items=itertools.islice(items, OFFICER_BATCH)).SerializeToString()
        for _ in range(OFFICER_BATCHES)
    ]


def peer(folder: Path, register: Register, member: str, caller: str) -> list[bytes]:
    """Prepare Deliver calls of the node of another member, with new messages for this member."""
    author = Officer(folder, f"{caller}-liaison", register)
    node = HostilePeer(folder, caller, NodeProcess(member, folder / "nodes" / member), register)
    dispatches = node.dispatch_all([compose(author, [member], CONTENT_BYTES) for _ in range(PEER_BATCHES * PEER_BATCH)])
    state = state_of(register, datetime.now(UTC))
    # The first call proves the whole log from its beginning, the others that nothing came since.
    claims = [node.consistency_claim()]
    node.known = len(node.log.entries)
    claims.append(node.consistency_claim())
    return [
        exchange_pb2.DeliverRequest(
            consistency_claim=claims[min(first, 1)],
            register_state=state,
            dispatches=dispatches[first : first + PEER_BATCH],
        ).SerializeToString()
        for first in range(0, len(dispatches), PEER_BATCH)
    ]


def garbage(_folder: Path, _register: Register, _member: str, _caller: str) -> list[bytes]:
    """Prepare Submits of random bytes, and of very many empty items."""
    items = [officer_pb2.SubmitItem(message=os.urandom(GARBAGE_BYTES)) for _ in range(GARBAGE_ITEMS)]
    return [officer_pb2.SubmitRequest(items=items).SerializeToString(), EMPTY_ITEM * EMPTY_ITEMS]


KINDS: Final = {"officer": officer, "peer": peer, "garbage": garbage}
METHODS: Final[Mapping[str, str]] = {"officer": SUBMIT, "peer": DELIVER, "garbage": SUBMIT}


async def flood(channels: Sequence[grpc.aio.Channel], method: str, requests: Iterator[bytes]) -> Counter[str]:
    """Call as fast as the node answers until cancelled from outside; return the answers by their status."""
    said: Counter[str] = Counter()

    async def call_on(channel: grpc.aio.Channel) -> None:
        call: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(method)
        for request in requests:
            try:
                await call(request, timeout=CALL_SECONDS)
                said["answered"] += 1
            except grpc.aio.AioRpcError as error:
                said[str(dict(error.trailing_metadata() or ()).get("paiza-reason", error.code().name))] += 1

    working = [asyncio.create_task(call_on(channels[at % len(channels)])) for at in range(IN_FLIGHT)]
    await asyncio.to_thread(sys.stdin.readline)
    for task in working:
        task.cancel()
    await asyncio.gather(*working, return_exceptions=True)
    return said


async def main(folder: Path, kind: str, member: str, caller: str) -> None:
    """Prepare, wait for the first line, flood until the second."""
    register = read_register(folder)
    requests = KINDS[kind](folder, register, member, caller)
    mint = Mint(folder, register)
    identity = mint.node(caller) if kind == "peer" else mint.officer(f"{member}-liaison")
    address = NodeProcess(member, folder / "nodes" / member).address
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    async with AsyncExitStack() as stack:
        channels = [
            await stack.enter_async_context(identity.channel(address, member, register)) for _ in range(CONNECTIONS)
        ]
        if kind == "peer":
            first: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channels[0].unary_unary(DELIVER)
            answer = exchange_pb2.DeliverResponse.FromString(await first(requests.pop(0), timeout=CALL_SECONDS))
            assert not answer.consistency_mismatch
        print(json.dumps(await flood(channels, METHODS[kind], itertools.cycle(requests))), flush=True)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), *sys.argv[2:]))
