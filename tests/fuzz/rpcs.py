"""The target of all RPCs: requests of every caller, through the real reading of requests, at a node that runs.

The nodes have played the scenario, so that there is something to find; the seeds are the calls that it made. What calls
leave behind would shut out later ones (a suspended officer, a full outbox), so that the node begins anew from time to
time.
"""

import asyncio
import shutil
import sys
import traceback
from collections.abc import Iterable, Mapping, MutableMapping, Sequence
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path
from random import Random
from typing import Any, Final
from unittest.mock import patch

import structlog
from google.protobuf import message_factory

from paiza_node.core.api import services
from paiza_node.ops.backup import begin
from tests.fuzz.mutating import mutate_bytes, mutate_encoded
from tests.fuzz.target import DefectError, Target
from tests.in_process import OPERATOR, InProcess, Recorded, RefusedCall
from tests.scenario import MEMBERS, METHODS, played

SEEDS_OF_EACH: Final = 6  # calls of one RPC
ANEW_AFTER: Final = 4000  # calls
HEAD_BYTES: Final = 2  # the method, the caller
LENGTH_BYTES: Final = 4


class Nodes:
    """The nodes of a federation in a folder, begun anew from what the scenario left."""

    def __init__(self, folder: Path) -> None:
        """Play the scenario in a folder that is not there yet, unless a process before did."""
        self.folder = folder
        self.loop = asyncio.new_event_loop()
        self.failures: list[str] = []
        self._patches = ExitStack()  # what a request waits for, and never comes while only calls run
        self._patches.enter_context(patch.object(begin, "_LOOK_SECONDS", 1e9))
        self._logs = structlog.get_config()
        structlog.configure(processors=[self._noted])
        self._running: AsyncExitStack | None = None
        self._calls = 0
        self.recorded: Mapping[str, list[Recorded]] = {}
        if not folder.exists():
            self.loop.run_until_complete(self._play())
        self.loop.run_until_complete(self._begin())

    async def _play(self) -> None:
        async with played(self.folder) as scenario:
            self.recorded = {member: list(node.calls) for member, node in scenario.nodes.items()}
        for member in MEMBERS:
            shutil.copytree(self._data(member), self._data(member).with_name("played"), ignore=_NO_SOCKETS)

    async def _begin(self) -> None:
        if self._running is not None:
            await self._running.aclose()
        for member in MEMBERS:
            shutil.rmtree(self._data(member))
            shutil.copytree(self._data(member).with_name("played"), self._data(member))
        self._running = AsyncExitStack()
        self.nodes: Mapping[str, InProcess] = await self._running.enter_async_context(
            InProcess.started(self.folder, MEMBERS)
        )
        self._calls = 0

    def call(self, member: str, caller: bytes, method: str, requests: Sequence[bytes]) -> bool:
        """Call a node; return whether it answered. DefectError if it failed."""
        self._calls += 1
        if self._calls > ANEW_AFTER:
            self.loop.run_until_complete(self._begin())
        self.failures.clear()
        try:
            self.loop.run_until_complete(self._answer(self.nodes[member], caller, method, requests))
        except RefusedCall as error:
            if error.reason in {"", "internal_error"}:
                raise DefectError(f"{method}: {error}") from error
            accepted = False
        else:
            accepted = True
        if ended := [member for member, node in self.nodes.items() if not node.runs]:
            raise DefectError(f"{method} ended the node of {ended}")
        if self.failures:
            raise DefectError(f"{method}: {'; '.join(self.failures)}")
        return accepted

    async def _answer(self, node: InProcess, caller: bytes, method: str, requests: Sequence[bytes]) -> None:
        await node.answer(caller, method, *requests)
        for each in self.nodes.values():
            each.calls.clear()

    def close(self) -> None:
        """Stop the nodes."""
        if self._running is not None:
            self.loop.run_until_complete(self._running.aclose())
        self.loop.close()
        structlog.configure(**self._logs)
        self._patches.close()

    def _data(self, member: str) -> Path:
        return self.folder / "nodes" / member / "data"

    def _noted(self, _logger: Any, _level: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        """Note what the log says of a failure, in a call or in a background task."""
        error = event.get("exc_info")
        if error:  # what is told without an exception was foreseen
            shown = sys.exc_info()[1] if error is True else error
            self.failures.append(f"{event['event']}: {shown!r}{places(shown)}")
        raise structlog.DropEvent


def places(error: object) -> str:
    """Return where an exception comes from."""
    frames = traceback.extract_tb(error.__traceback__)[-4:] if isinstance(error, BaseException) else []
    return "".join(f" < {Path(frame.filename).name}:{frame.lineno}" for frame in reversed(frames))


_NO_SOCKETS: Final = shutil.ignore_patterns("*.sock")


def callers(folder: Path) -> list[tuple[str, bytes]]:
    """Return who may call which node: its officers, other members' nodes, and its operator, by certificate."""
    found = []
    for member in MEMBERS:
        officers = sorted((folder / "home").glob(f"{member}-*/authentication.crt"))
        nodes = [folder / "nodes" / other / "keys/tls.crt" for other in MEMBERS if other != member]
        found += [(member, path.read_bytes()) for path in (*officers, *nodes)]
        found.append((member, OPERATOR))
    return found


SERVED: Final = sorted(METHODS)


def encode(recorded: Mapping[str, Iterable[Recorded]], known: Sequence[tuple[str, bytes]]) -> list[bytes]:
    """Return some calls of each RPC as inputs, the shortest first; an RPC that was not called with nothing."""
    found: dict[str, set[bytes]] = {method: set() for method in SERVED}
    for member, calls in recorded.items():
        for call in calls:
            if call.method in METHODS:
                head = bytes([SERVED.index(call.method), known.index((member, call.caller))])
                found[call.method].add(head + join(call.method, call.requests))
    inputs = []
    for number, method in enumerate(SERVED):
        inputs += sorted(found[method], key=len)[:SEEDS_OF_EACH] or [bytes([number, 0])]
    return inputs


def join(method: str, requests: Sequence[bytes]) -> bytes:
    """Return the requests of a call as one byte string."""
    if not METHODS[method].client_streaming:
        return requests[0]
    return b"".join(len(each).to_bytes(LENGTH_BYTES) + each for each in requests)


def split(method: str, data: bytes) -> list[bytes]:
    """Return the requests of a call."""
    if not METHODS[method].client_streaming:
        return [data]
    found = []
    while data:
        length = int.from_bytes(data[:LENGTH_BYTES])
        found.append(data[LENGTH_BYTES : LENGTH_BYTES + length])
        data = data[LENGTH_BYTES + length :]
    return found


def mutate(random: Random, data: bytes) -> bytes:
    """Change a call: now and then its caller, else its request."""
    if len(data) < HEAD_BYTES:
        return random.randbytes(HEAD_BYTES)
    if not random.randrange(30):
        return data[:1] + random.randbytes(1) + data[HEAD_BYTES:]
    method = METHODS[SERVED[data[0] % len(SERVED)]]
    if method.client_streaming:
        return data[:HEAD_BYTES] + mutate_bytes(random, data[HEAD_BYTES:])
    kind: Any = message_factory.GetMessageClass(method.input_type)
    return data[:HEAD_BYTES] + mutate_encoded(kind)(random, data[HEAD_BYTES:])


def rpc_target(nodes: Nodes) -> Target:
    """Return the target."""
    known = callers(nodes.folder)

    def run(data: bytes) -> bool:
        if len(data) < HEAD_BYTES:
            return False
        method = SERVED[data[0] % len(SERVED)]
        member, caller = known[data[1] % len(known)]
        operator = services.access_of(METHODS[method]).who == "operator"
        if operator != (caller == OPERATOR):  # over the socket of the operator, and over no other
            caller = OPERATOR if operator else known[0][1]
        return nodes.call(member, caller, method, split(method, data[HEAD_BYTES:]))

    return Target("rpcs", run, encode(nodes.recorded, known), mutate, executions=400, seeds_accepted=False)
