"""Proposals from other members' nodes, honest ones and others."""

import secrets
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs
from typing_extensions import override

from paiza.peer.v1 import proposal_pb2
from paiza_node.core.register.state import state_of
from paiza_node.features.ceremonies import pass_on
from paiza_node.features.ceremonies.model import HeldState
from paiza_node.features.ceremonies.pass_on import PassOn
from paiza_node.features.ceremonies.service import ProposalService
from paiza_register.ceremony.proposal import Proposal
from paiza_wire.errors import Rejected, Unavailable
from tests.unit.paiza_node.features.ceremonies.ceremony_room import OFFICER, CeremonyRoom, sent
from tests.unit.paiza_register.ceremony.world import World


class Session:
    """The session with a member's node, which holds what a room holds."""

    def __init__(self, member: str, room: CeremonyRoom) -> None:
        self.member = member
        self.fetched = 0
        self._service = ProposalService(room.proposals)

    async def list_proposals(self, request: proposal_pb2.ListProposalsRequest) -> proposal_pb2.ListProposalsResponse:
        """Ask the node."""
        return await self._service.list_proposals(None, request)  # type: ignore[arg-type]

    async def get_proposal(self, request: proposal_pb2.GetProposalRequest) -> proposal_pb2.GetProposalResponse:
        """Ask the node."""
        self.fetched += 1
        return await self._service.get_proposal(None, request)  # type: ignore[arg-type]


class Hostile(Session):
    """A node that lists ever other proposals, and serves these bytes for each."""

    def __init__(self, member: str, room: CeremonyRoom, served: Sequence[bytes]) -> None:
        super().__init__(member, room)
        self._served = served

    @override
    async def list_proposals(self, request: proposal_pb2.ListProposalsRequest) -> proposal_pb2.ListProposalsResponse:
        """List as many as a page holds."""
        listed = [
            proposal_pb2.PassedProposal(fingerprint=secrets.token_bytes(32), state_sha256=secrets.token_bytes(32))
            for _ in range(request.page_size)
        ]
        return proposal_pb2.ListProposalsResponse(proposals=listed)

    @override
    async def get_proposal(self, request: proposal_pb2.GetProposalRequest) -> proposal_pb2.GetProposalResponse:
        """Serve the next one, whichever is asked for."""
        del request
        self.fetched += 1
        return proposal_pb2.GetProposalResponse(data=self._served[self.fetched % len(self._served)])


class Silent(Session):
    """A node that does not answer."""

    @override
    async def list_proposals(self, request: proposal_pb2.ListProposalsRequest) -> proposal_pb2.ListProposalsResponse:
        """Fail."""
        self.fetched += 1
        raise Unavailable("peer_unreachable", "the node does not answer")


class Peers:
    """The directory of one other node."""

    def __init__(self, session: Session) -> None:
        self.sessions = {session.member: session}


@pytest.fixture
def other(world: World, tmp_path: Path) -> Iterator[CeremonyRoom]:
    """The node of tjk."""
    (tmp_path / "other").mkdir()
    with CeremonyRoom(world, f"sqlite:///{tmp_path / 'other.db'}", tmp_path / "other") as made:
        yield made


def passing(room: CeremonyRoom, session: Session) -> tuple[PassOn, list[float]]:
    """Return what fetches at a room from a session, and its clock."""
    clock = [0.0]
    peers: Any = Peers(session)
    return PassOn(room.core, room.proposals, peers, lambda: clock[0]), clock


async def announced(room: CeremonyRoom, digest: bytes) -> None:
    """Let a room hear what tjk announces, and follow."""
    await room.follow()
    state = state_of(room.register_cache.last, room.register_cache.last.issued_time, digest)
    room.register_cache.note_state("tjk", state)


async def test_signatures_travel_to_all(room: CeremonyRoom, other: CeremonyRoom) -> None:
    """What is signed at one desk is complete at another; nothing is asked while both hold the same."""
    proposal = room.propose("tjk")
    await other.proposals.submit(sent(proposal), "spiffe://tjk.paiza.example/officer/custodian")
    await other.follow()
    session = Session("tjk", other)
    here, _clock = passing(room, session)
    await here._round()
    assert session.fetched == 0
    await announced(room, other.register_cache.proposals_sha256)
    await here._round()
    await room.follow()
    assert room.register_cache.proposals_sha256 == other.register_cache.proposals_sha256
    await here._round()
    assert session.fetched == 1
    signed = room.signed(Proposal(proposal.act), "kaz")
    await room.proposals.submit(sent(signed), OFFICER)
    there, _clock = passing(other, Session("tjk", room))
    await announced(room, b"")
    await announced(other, room.register_cache.proposals_sha256)
    await there._round()
    (held,) = await other.proposals.all_held()
    assert (held.state, held.signed_by) == (HeldState.COMPLETE, ("kaz", "tjk"))


async def test_refusals_travel_too(room: CeremonyRoom, other: CeremonyRoom) -> None:
    """A node that still waits learns that a proposal was refused; then both announce the same."""
    proposal = room.propose("kaz")
    await room.proposals.submit(sent(proposal), OFFICER)
    await other.proposals.submit(sent(proposal), OFFICER)
    for member in ("tjk", "uzb"):
        proposal = room.refused(proposal, member)
    await other.proposals.submit(sent(proposal), OFFICER)
    await other.follow()
    here, _clock = passing(room, Session("tjk", other))
    await announced(room, other.register_cache.proposals_sha256)
    await here._round()
    states = {each.fingerprint: each.state for each in await room.proposals.all_held()}
    assert states == {proposal.fingerprint: HeldState.DEAD}
    await room.follow()
    assert room.register_cache.proposals_sha256 == other.register_cache.proposals_sha256


async def test_a_flood_of_invalid_proposals_is_cut_off(room: CeremonyRoom) -> None:
    """After a few the node is left alone, whatever it announces; nothing of it is stored or logged."""
    proposal = room.propose()
    session = Hostile("tjk", room, [sent(proposal), b"{}", bytes(4096), sent(proposal)[:-1]])
    here, clock = passing(room, session)
    for second in range(0, 590, 10):
        clock[0] = float(second)
        await announced(room, secrets.token_bytes(32))
        await here._round()
    assert session.fetched == pass_on.MAX_REFUSED
    assert await room.proposals.all_held() == []
    assert len(room.entries()) == 0
    clock[0] = pass_on.LEFT_ALONE_SECONDS + 1
    await announced(room, secrets.token_bytes(32))
    await here._round()
    assert session.fetched == 2 * pass_on.MAX_REFUSED


async def test_a_flood_of_valid_proposals_is_bounded(room: CeremonyRoom) -> None:
    """A hostile custodian signs as many as they like: a few are held, each logged once, and fetching has a limit."""
    served = [sent(room.propose("tjk", later=timedelta(seconds=each))) for each in range(20)]
    session = Hostile("tjk", room, served)
    here, clock = passing(room, session)
    for second in range(60):
        clock[0] = float(second)
        await announced(room, secrets.token_bytes(32))
        await here._round()
    assert session.fetched <= pass_on.FETCHED_A_MINUTE
    assert len(await room.proposals.all_held()) == 4
    assert len(room.entries()) == 4


async def test_the_same_content_under_other_names_is_cut_off(room: CeremonyRoom) -> None:
    """A node that lists one proposal under ever other digests is left alone."""
    proposal = room.propose("tjk")
    session = Hostile("tjk", room, [sent(proposal)])
    here, clock = passing(room, session)
    for second in range(0, 590, 10):
        clock[0] = float(second)
        await announced(room, secrets.token_bytes(32))
        await here._round()
    assert session.fetched == pass_on.MAX_REFUSED
    assert len(room.entries()) == 1


async def test_a_node_without_room_asks_again_later(room: CeremonyRoom, other: CeremonyRoom) -> None:
    """What could not be kept is fetched again once there may be room, not in every round."""
    proposals = [room.propose("tjk", later=timedelta(seconds=each)) for each in range(5)]
    for each in proposals[:4]:
        await room.proposals.submit(sent(each), OFFICER)
    await other.proposals.submit(sent(proposals[4]), OFFICER)
    with pytest.raises(Rejected, match="proposals_full"):
        await room.proposals.submit(sent(proposals[4]), OFFICER)
    await other.follow()
    session = Session("tjk", other)
    here, clock = passing(room, session)
    for second in range(0, 100, 10):
        clock[0] = float(second)
        await announced(room, other.register_cache.proposals_sha256)
        await here._round()
    assert session.fetched == 1
    clock[0] += pass_on.LEFT_ALONE_SECONDS
    await here._round()
    assert session.fetched == 2


async def test_a_node_that_does_not_answer_is_not_asked_all_the_time(room: CeremonyRoom) -> None:
    """It announced proposals before it stopped; a pause passes between two calls."""
    session = Silent("tjk", room)
    here, clock = passing(room, session)
    await announced(room, secrets.token_bytes(32))
    for second in range(0, 60, 3):
        clock[0] = float(second)
        await here._round()
    assert session.fetched == 60 / pass_on.PAUSE_SECONDS


@pytest.mark.parametrize(
    ("reason", "level"),
    [
        ("proposal_superseded", "debug"),
        ("proposal_refused", "debug"),
        ("proposals_full", "warning"),
        ("bad_signature", "warning"),
    ],
)
async def test_a_proposal_that_has_ended_is_no_warning(
    room: CeremonyRoom, other: CeremonyRoom, monkeypatch: pytest.MonkeyPatch, reason: str, level: str
) -> None:
    """A new node is offered what ended before it joined; only what concerns an operator is a warning."""
    await other.proposals.submit(sent(room.propose("tjk")), OFFICER)
    await other.follow()

    async def refuse(*_: object) -> None:
        raise Rejected(reason, "it ended")

    monkeypatch.setattr(room.proposals, "submit", refuse)
    here, _clock = passing(room, Session("tjk", other))
    await announced(room, other.register_cache.proposals_sha256)
    with capture_logs() as logs:
        await here._round()
    noted = [each["log_level"] for each in logs if each["event"] == "proposal_not_accepted"]
    assert noted == [level]


async def test_an_error_of_ours_does_not_end_the_node(
    room: CeremonyRoom, other: CeremonyRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proposal that the program fails on is left out."""
    await other.proposals.submit(sent(room.propose("tjk")), OFFICER)
    await other.follow()

    async def fail(*_: object) -> None:
        raise KeyError("act")

    monkeypatch.setattr(room.proposals, "submit", fail)
    session = Session("tjk", other)
    here, clock = passing(room, session)
    for second in range(0, 600, 100):
        clock[0] = float(second)
        await announced(room, other.register_cache.proposals_sha256)
        await here._round()
    assert session.fetched == 1
