"""Proposals at the nodes of three members: signed at several desks, passed on, killed in between."""

import asyncio
import random
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from functools import partial

import grpc
import pytest
import pytest_asyncio

from paiza.officer.v1 import ceremony_pb2 as pb
from paiza_node.__main__ import run as run_node
from paiza_register.ceremony import Proposal
from paiza_register.ceremony.change import POLICY, RESIGN, Policy, change
from tests.federation import Federation
from tests.integration.ceremonies.desk import Desk, until
from tests.registers import base_of

MEMBERS = ("kaz", "tjk", "uzb")


@pytest.fixture(scope="module")
def federation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Federation]:
    """Run the nodes of three members."""
    folder = tmp_path_factory.mktemp("ceremonies") / "federation"
    with Federation.create(folder, MEMBERS) as made:
        made.start()
        yield made


@pytest_asyncio.fixture
async def desks(federation: Federation) -> AsyncIterator[dict[str, Desk]]:
    """Return the custodians at their nodes."""
    register = federation.register()
    async with AsyncExitStack() as stack:
        yield {each: await stack.enter_async_context(Desk(federation.folder, each, register)) for each in MEMBERS}


async def test_a_signature_is_at_all_desks_within_a_minute(federation: Federation, desks: dict[str, Desk]) -> None:
    """Signed at one desk, refused at another, signed at the third: each sees what the others did."""
    act = change(RESIGN, base_of(federation.folder), datetime.now(UTC))
    answer = await desks["kaz"].sign(act)
    assert (answer.outcome, answer.held.state, list(answer.held.signed_by), answer.held.missing) == (
        pb.SUBMIT_OUTCOME_STORED, pb.PROPOSAL_STATE_OPEN, ["kaz"], 1,
    )  # fmt: skip
    for member in ("tjk", "uzb"):
        await desks[member].sees(answer.held.fingerprint, lambda held: list(held.signed_by) == ["kaz"])
    await desks["uzb"].submit(desks["uzb"].refused(desks["kaz"].signed(Proposal(act))))
    for member in ("kaz", "tjk"):
        await desks[member].sees(answer.held.fingerprint, lambda held: list(held.refused_by) == ["uzb"])
    done = await desks["tjk"].sign(act)
    assert done.outcome == pb.SUBMIT_OUTCOME_MERGED
    for member in MEMBERS:
        await desks[member].sees(answer.held.fingerprint, lambda held: list(held.signed_by) == ["kaz", "tjk"])


async def test_a_file_of_the_desk_is_refused_with_its_reason(federation: Federation, desks: dict[str, Desk]) -> None:
    """Unsigned, malformed, too large, of another register; and to another officer the desk is closed."""
    act = change(RESIGN, base_of(federation.folder), datetime.now(UTC))
    proposal = desks["kaz"].signed(Proposal(act))
    sent = proposal.to_bytes(with_register=False)
    refusals = {
        "proposal_unsigned": Proposal(act).to_bytes(with_register=False),
        "malformed": sent[:-1],
        "too_large": bytes((6 << 20) + 1),
        "bad_signature": sent.replace(b'"time_source":"clock', b'"time_source":"watch'),
    }
    for reason, data in refusals.items():
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await desks["kaz"].send(data)
        assert ("paiza-reason", reason) in list(refused.value.trailing_metadata() or ())
    assert await desks["kaz"].held(proposal.fingerprint) is None
    assert "internal_error" not in federation.node("kaz").log.read_text()


async def test_a_killed_node_loses_no_acknowledged_signature(federation: Federation, desks: dict[str, Desk]) -> None:
    """Killed at any moment: what was answered is held and logged; the rest arrives when it is sent again."""
    node = federation.node("kaz")
    for hours in range(25, 30):
        act = change(POLICY, base_of(federation.folder), datetime.now(UTC), policy=Policy(hours, 48, {}, {}))
        proposal = desks["kaz"].signed(Proposal(act))
        waiting = asyncio.create_task(desks["kaz"].submit(proposal))
        await asyncio.sleep(random.uniform(0, 0.3))
        node.kill()
        try:
            answered = (await waiting).held.fingerprint
        except grpc.aio.AioRpcError:
            answered = b""
        node.start()
        if answered:
            held = await desks["kaz"].sees(proposal.fingerprint, lambda _: True)
            assert list(held.signed_by) == ["kaz"]
        else:
            await until(partial(_again, desks["kaz"], proposal))
        await desks["uzb"].sees(proposal.fingerprint, lambda _: True)
        refused = desks["uzb"].refused(desks["tjk"].refused(proposal))
        await desks["uzb"].submit(refused)
        await desks["kaz"].sees(proposal.fingerprint, lambda held: held.state == pb.PROPOSAL_STATE_DEAD)
    for member in MEMBERS:
        assert run_node(["verify", "--config", str(federation.node(member).config)]) == 0


async def _again(desk: Desk, proposal: Proposal) -> bool | None:
    return bool(await desk.submit(proposal))
