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
from tests.registers import base_of
from tests.system.ceremonies.desk import Desk, until

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
        await desks[member].sees(answer.held.fingerprint, _is_published)
        await desks[member].sees(answer.held.fingerprint, lambda held: list(held.signed_by) == ["kaz", "tjk"])
    assert federation.register().root_version == 2


async def test_custodians_who_sign_at_one_moment_make_one_register(
    federation: Federation, desks: dict[str, Desk]
) -> None:
    """Each node completes the proposal with other signatures; all end with one register, and the next builds on it."""
    for _ in range(2):
        act = change(RESIGN, base_of(federation.folder), datetime.now(UTC))
        answers = await asyncio.gather(*(desk.sign(act) for desk in desks.values()))
        for desk in desks.values():
            await desk.sees(answers[0].held.fingerprint, _is_published)

        async def is_one() -> bool | None:
            return len({federation.node(each).status().register_version for each in MEMBERS}) == 1 or None

        await until(is_one)
    assert federation.register().root_version == 4


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
    node, drawn = federation.node("kaz"), random.Random(1)
    for hours in range(25, 30):
        act = change(POLICY, base_of(federation.folder), datetime.now(UTC), policy=Policy(hours, 48, {}, {}))
        proposal = desks["kaz"].signed(Proposal(act))
        waiting = asyncio.create_task(desks["kaz"].submit(proposal))
        await asyncio.sleep(drawn.uniform(0, 0.3))
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


def _is_published(held: pb.HeldProposal) -> bool:
    return held.state == pb.PROPOSAL_STATE_PUBLISHED


async def test_a_node_killed_at_the_last_signature_publishes_all_the_same(
    federation: Federation, desks: dict[str, Desk]
) -> None:
    """It is killed while it stores, completes and publishes; afterwards the change is in force at all nodes."""
    node = federation.node("tjk")
    for seconds in (0.05, 0.2, 0.5, 1.0):
        act = change(RESIGN, base_of(federation.folder), datetime.now(UTC))
        answer = await desks["kaz"].sign(act)
        await desks["tjk"].sees(answer.held.fingerprint, lambda _: True)
        proposal = desks["tjk"].signed(Proposal(act))
        waiting = asyncio.create_task(desks["tjk"].submit(proposal))
        await asyncio.sleep(seconds)
        node.kill()
        await asyncio.gather(waiting, return_exceptions=True)
        node.start()
        await until(partial(_again, desks["tjk"], proposal))
        for desk in desks.values():
            await desk.sees(answer.held.fingerprint, _is_published)
    for member in MEMBERS:
        assert run_node(["verify", "--config", str(federation.node(member).config)]) == 0


async def _again(desk: Desk, proposal: Proposal) -> bool | None:
    return bool(await desk.submit(proposal))
