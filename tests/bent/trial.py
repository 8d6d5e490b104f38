"""One trial: a node starts over a database with one bent row, is asked what it was asked before, and is verified."""

import asyncio
import sqlite3
import sys
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch

import grpc
import structlog

from paiza.core.v1 import register_pb2
from paiza.peer.v1 import exchange_pb2
from paiza_node.core.storage import database, engine, scanning
from paiza_node.ops.cli.verify import verify
from paiza_node.ops.config import load
from tests.bent.rows import Bend
from tests.fuzz.rpcs import places
from tests.in_process import ENDS, HangingCallError, InProcess, Recorded, RefusedCall
from tests.scenario import METHODS, Scenario, digest_of, free, played

MEMBER: Final = "kaz"
PEERS: Final = ("tjk", "uzb")
BEGIN_BACKUP: Final = "/paiza.admin.v1.AdminService/BeginBackup"  # waits for a witness, and there is none
HANDSHAKE: Final = "/paiza.peer.v1.ExchangeService/Handshake"
SHOWN: Final = 400  # characters of a failure
SETTLE_SECONDS: Final = 6.0  # one to two are usual; after the scenario: proofs are upgraded, the log is indexed


class Peer:
    """Another member's node that answers the comparison of logs as before, and nothing else."""

    serving = True

    def __init__(self, handshake: bytes) -> None:
        self._handshake = handshake

    async def call(self, _caller: bytes, method: str, *_requests: bytes) -> bytes:
        """Answer a handshake."""
        if method == HANDSHAKE:
            return self._handshake
        raise RefusedCall(grpc.StatusCode.UNAVAILABLE, "peer_unreachable", "it answers handshakes only")


@dataclass
class Told:
    """What a trial showed."""

    bend: Bend | None
    refused_start: str = ""
    found: list[str] = field(default_factory=list)
    """What verification found."""
    internal: list[str] = field(default_factory=list)
    """Calls that ended as internal errors, hanging calls, unexpected ends."""
    answers: dict[str, int] = field(default_factory=dict)


class Base:
    """A filled database of one node, and what is asked of the node."""

    def __init__(self, folder: Path, database: bytes, checkpoint: bytes, calls: list[Recorded]) -> None:
        self.folder = folder
        self.node = folder / "nodes" / MEMBER
        self.database = database
        self.checkpoint = checkpoint
        self.calls = calls
        self.peers: Mapping[str, Peer] = {}

    @classmethod
    async def make(cls, folder: Path) -> "Base":
        """Play the scenario; the last acts come after the copy of the database: they are what trials ask for anew."""
        async with played(folder) as scenario:
            await asyncio.sleep(SETTLE_SECONDS)
            node = scenario.nodes[MEMBER]
            seen = {(call.caller, call.method, call.requests): call for call in node.calls if call.method in METHODS}
            for peer in PEERS:  # both are told all, so that nothing more is to be told
                scenario.nodes[peer].serving = False
            await asyncio.sleep(0.5)
            checkpoint = (node.folder / "data/checkpoint").read_bytes()
            copy = folder / "copy.db"
            source, target = sqlite3.connect(node.folder / "data/paiza.db"), sqlite3.connect(copy)
            source.backup(target)
            source.close()
            target.close()
            state = register_pb2.RegisterState(register_version=scenario.register.version)
            shake = exchange_pb2.HandshakeRequest(protocol_version=1, register_state=state).SerializeToString()
            peers = {each: Peer(await scenario.nodes[each].call(node.certificate, HANDSHAKE, shake)) for each in PEERS}
            node.calls.clear()
            scenario.nodes["tjk"].serving = True
            new = await _anew(scenario)
        first = {call.method: call for call in reversed([*new, *seen.values()]) if call.method != BEGIN_BACKUP}
        asked = [*new, *(call for call in first.values() if call not in new)]
        base = cls(folder, copy.read_bytes(), checkpoint, asked)
        base.peers = peers
        return base

    @property
    def copy(self) -> Path:
        """Return the file of the unbent database."""
        return self.folder / "copy.db"

    def verified(self, bend: Bend | None) -> list[str]:
        """Bend a row and return what verification finds; that the database refuses the bend is a finding too."""
        with _kept_engines():
            return self._verify() if self._restore(bend) else ["refused by the database"]

    async def trial(self, bend: Bend | None) -> Told | None:
        """Bend a row, start the node, ask, stop, bend the row again, verify; None if the database refuses the bend."""
        told = Told(bend)
        with _kept_engines():
            return await self._trial(bend, told)

    async def _trial(self, bend: Bend | None, told: Told) -> Told | None:
        if not self._restore(bend):
            return None
        told.found = self._verify()
        if not self._restore(bend):
            return None
        node = InProcess(self.node, self.peers)  # type: ignore[arg-type]  # all that nodes ask of each other here
        try:
            with _failures(told.internal):
                async with node.run():
                    for call in self.calls:
                        await self._ask(node, call, told)
                    if not node.runs:
                        told.internal.append("the node ended")
        except ENDS as error:
            told.refused_start = str(error)[:300]
        except HangingCallError as error:
            told.internal.append(str(error))
        except Exception as error:  # noqa: BLE001 - that is what is looked for
            told.internal.append(f"{type(error).__name__}: {error}"[:300])
        return told

    async def _ask(self, node: InProcess, call: Recorded, told: Told) -> None:
        try:
            await node.answer(call.caller, call.method, *call.requests)
        except RefusedCall as error:
            key = error.reason or error.code.name
            if error.reason in {"", "internal_error"}:
                told.internal.append(f"{call.method}: {error}")
        else:
            key = "ok"
        told.answers[key] = told.answers.get(key, 0) + 1

    def _restore(self, bend: Bend | None) -> bool:
        data = self.node / "data"
        for leftover in data.glob("paiza.db*"):
            leftover.unlink()
        (data / "paiza.db").write_bytes(self.database)
        (data / "checkpoint").write_bytes(self.checkpoint)
        return bend is None or bend.apply(data / "paiza.db")

    def _verify(self) -> list[str]:
        found = []
        try:
            for part in verify(load(self.node / "node.toml", {}), log_only=False, quiet=True):
                found += [f"{part.name}: {each}" for each in part.findings]
        except ENDS as error:
            found.append(f"refused: {error}")
        except Exception as error:  # noqa: BLE001 - that is what is looked for
            found.append(f"FAILED {type(error).__name__}: {error}"[:300])
        return found


async def _anew(scenario: Scenario) -> list[Recorded]:
    """Make new calls, which the copied database has not seen: an officer submits, a peer delivers."""
    node = scenario.nodes[MEMBER]
    delivered = scenario.write("tjk-liaison", [MEMBER], "free-message", free("New"))
    await scenario.send("tjk-liaison", delivered)
    await scenario.arrived(MEMBER, digest_of(delivered))
    submitted = scenario.write("kaz-liaison", ["tjk"], "free-message", free("New"))
    await scenario.send("kaz-liaison", submitted)
    wanted = {"/paiza.officer.v1.OfficerService/Submit", "/paiza.peer.v1.ExchangeService/Deliver"}
    return [call for call in node.calls if call.method in wanted]


@contextmanager
def _kept_engines() -> Iterator[None]:
    """Keep engines from trial to trial: each compiles its statements anew, which takes half of the time of a trial."""
    with (
        patch.object(scanning, "reader_engine", _reader_engine),
        patch.object(database, "reader_engine", _reader_engine),
        patch.object(database, "writer_engine", _writer_engine),
    ):
        yield


_reader_engine = cache(engine.reader_engine)
_writer_engine = cache(engine.writer_engine)


@contextmanager
def _failures(found: list[str]) -> Iterator[None]:
    """Note internal errors in the log."""

    def noted(_logger: Any, _level: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        error = event.get("exc_info")
        if error:  # what is told without an exception was foreseen
            shown = sys.exc_info()[1] if error is True else error
            found.append(f"{event['event']}: {shown!r}{places(shown)}"[:SHOWN])
        raise structlog.DropEvent

    before = structlog.get_config()
    structlog.configure(processors=[noted])
    try:
        yield
    finally:
        structlog.configure(**before)
