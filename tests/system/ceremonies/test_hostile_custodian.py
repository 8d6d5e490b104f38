"""A hostile custodian at their own node: what they send in any number leaves bounded traces."""

import asyncio
import secrets
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import grpc
import pytest

from paiza.officer.v1 import ceremony_pb2 as pb
from paiza_node.features.ceremonies.model import MAX_ALONE, MAX_PROPOSAL_BYTES
from paiza_node.ops.cli.status import log_size
from paiza_register.ceremony import Proposal
from paiza_register.ceremony.change import RESIGN, change
from tests.federation import Federation, NodeProcess
from tests.registers import base_of
from tests.system.ceremonies.desk import Desk

FLOOD = 40
DISTINCT = 60
MIB = 1 << 20


@pytest.fixture(scope="module")
def federation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Federation]:
    """Run the nodes of the custodian's member and of another."""
    folder = tmp_path_factory.mktemp("ceremonies") / "federation"
    with Federation.create(folder, ("kaz", "tjk", "uzb")) as made:
        made.start("kaz", "tjk")
        yield made


async def test_a_flood_of_files_leaves_nothing(federation: Federation) -> None:
    """Huge, malformed, cut and altered ones, many at a time: all are refused; memory, disk and log stay as they are."""
    node = federation.node("kaz")
    async with Desk(federation.folder, "kaz", federation.register()) as desk:
        sent = desk.signed(Proposal(change(RESIGN, base_of(federation.folder), datetime.now(UTC)))).to_bytes(
            with_register=False
        )
        nested = b'{"act":' + b"[" * MIB + b"]" * MIB + b"}"
        kinds = [bytes(MAX_PROPOSAL_BYTES), secrets.token_bytes(MAX_PROPOSAL_BYTES), nested, sent[:-2], b"{}", b""]
        await _refused(desk, sent[:-2])  # what is loaded once is loaded
        before, entries, disk = resident(node), size_of(node), stored(node)
        for number in range(FLOOD):
            await asyncio.gather(*(_refused(desk, kinds[(number + each) % len(kinds)]) for each in range(8)))
        assert resident(node) < before + 200 * MIB
        assert stored(node) < disk + MIB
        assert size_of(node) == entries


async def test_any_number_of_signed_proposals_is_held_as_a_few(federation: Federation) -> None:
    """A custodian signs what they like; a few wait here and at the other nodes, and each is logged once."""
    node, other = federation.node("kaz"), federation.node("tjk")
    node.stop()  # a new process has forgotten the flood above, for which the custodian has to wait
    node.start()
    entries = size_of(node)
    begin = datetime.now(UTC)
    async with (
        Desk(federation.folder, "kaz", federation.register()) as desk,
        Desk(federation.folder, "tjk", federation.register()) as elsewhere,
    ):
        base = base_of(federation.folder)
        acts = [change(RESIGN, base, begin + timedelta(seconds=number)) for number in range(DISTINCT)]
        twice = [desk.signed(Proposal(act)) for act in acts for _ in range(2)]  # with other bytes each time
        answers = [await _reason(desk, each.to_bytes(with_register=False)) for each in twice]
        assert answers == [""] * 2 * MAX_ALONE + ["proposals_full"] * 2 * (DISTINCT - MAX_ALONE)
        listed = await desk.stub.ListProposals(pb.ListProposalsRequest(), timeout=30)
        for each in listed.proposals:
            await elsewhere.sees(each.fingerprint, lambda held: list(held.signed_by) == ["kaz"])
    assert len(listed.proposals) == MAX_ALONE
    assert size_of(node) <= entries + MAX_ALONE
    assert "internal_error" not in node.log.read_text() + other.log.read_text()
    assert "proposals_ignored" not in other.log.read_text()


async def _refused(desk: Desk, data: bytes) -> None:
    assert await _reason(desk, data) in {"malformed", "too_large", "busy"}


async def _reason(desk: Desk, data: bytes) -> str:
    """Return the reason of a refusal; empty if it was stored."""
    try:
        await desk.send(data)
    except grpc.aio.AioRpcError as error:
        return str(dict(error.trailing_metadata() or ()).get("paiza-reason", error.code().name))
    return ""


def resident(node: NodeProcess) -> int:
    """Return the bytes of memory that a node uses."""
    status = Path(f"/proc/{node.pid}/status").read_text()
    (line,) = [line for line in status.splitlines() if line.startswith("VmRSS:")]
    return int(line.split()[1]) * 1024


def stored(node: NodeProcess) -> int:
    """Return the bytes of disk that a node uses."""
    total = 0
    for path in node.data.rglob("*"):
        with suppress(FileNotFoundError):  # the node runs: what it writes beside a file has another name by now
            total += path.stat().st_size if path.is_file() else 0
    return total


def size_of(node: NodeProcess) -> int:
    """Return the size of a node's log."""
    return log_size(node.status().checkpoint)
