"""A fourth member is admitted through the network: apply, propose, two more signatures, join."""

from collections.abc import Iterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime

import pytest

from paiza.officer.v1 import ceremony_pb2 as pb
from paiza_register.ceremony import Proposal
from paiza_register.ceremony.change import ADMIT, change
from paiza_register.ceremony.publication import member_file, publication
from paiza_trust import dev
from tests.federation import Federation, NodeProcess, free_ports
from tests.registers import base_of, newest
from tests.system.ceremonies.desk import Desk, until

MEMBERS = ("kaz", "tjk", "uzb")


@pytest.fixture
def federation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Federation]:
    """Run the nodes of three members."""
    folder = tmp_path_factory.mktemp("ceremonies") / "federation"
    with Federation.create(folder, MEMBERS) as made:
        made.start()
        yield made


async def test_a_fourth_member_joins_by_signatures_at_desks(federation: Federation) -> None:
    """Of four custodians three must sign, each once and at their own desk; then the new node finds all others."""
    folder, register = federation.folder, federation.register()
    async with AsyncExitStack() as stack:
        desks = [await stack.enter_async_context(Desk(folder, each, register)) for each in MEMBERS]
        # apply
        applied = dev._create_member(
            folder, folder, "kgz", register.federation, {"kgz": free_ports(1)}, datetime.now(UTC)
        ).application
        # propose, which signs
        act = change(ADMIT, base_of(folder), datetime.now(UTC), applications=[applied], threshold=3)
        held = (await desks[0].sign(act)).held
        assert (held.state, held.missing) == (pb.PROPOSAL_STATE_OPEN, 2)
        # the other signatures: each custodian finds the proposal at their own node
        for desk in desks[1:]:
            await desk.sees(held.fingerprint, lambda _: True)
            answer = await desk.stub.GetProposal(pb.GetProposalRequest(fingerprint=held.fingerprint), timeout=30)
            found = Proposal.read(answer.data, lambda _name: base_of(folder))
            held = (await desk.submit(desk.signed(Proposal(found.act)))).held
        for desk in desks:
            await desk.sees(held.fingerprint, lambda held: held.state == pb.PROPOSAL_STATE_PUBLISHED)
    # join
    node = federation.nodes["kgz"] = NodeProcess("kgz", folder / "nodes/kgz")
    federation.join(newest(folder), "kgz")
    node.start()

    async def all_reached() -> bool | None:
        peers = {each: federation.node(each).status().peers for each in (*MEMBERS, "kgz")}
        return all(len(found) == 3 and all(peer.reachable for peer in found) for found in peers.values()) or None

    async def one_version() -> bool | None:
        return len({federation.node(each).status().register_version for each in (*MEMBERS, "kgz")}) == 1 or None

    await until(all_reached)
    await until(one_version)
    assert federation.register().threshold == 3


async def test_a_member_publishes_with_its_own_key_alone(federation: Federation) -> None:
    """No custodian is asked: its trust officer signs at their desk, and all nodes have it."""
    folder = federation.folder
    async with Desk(folder, "uzb", federation.register()) as desk:
        base = base_of(folder)
        now = datetime.now(UTC)
        changed = member_file(base, "uzb", {"names": {"ru": "Новое имя", "en": "New name"}}, now)
        act = publication("uzb", {"members/uzb/member.json": changed}, base, now)
        held = (await desk.submit(desk.signed(Proposal(act), "member"))).held
        held = await desk.sees(held.fingerprint, lambda held: held.state == pb.PROPOSAL_STATE_PUBLISHED)

        async def everywhere() -> bool | None:
            return (
                all(federation.node(each).status().register_version == held.register_version for each in MEMBERS)
                or None
            )

        await until(everywhere)
    assert federation.register().member("uzb").names["en"] == "New name"
