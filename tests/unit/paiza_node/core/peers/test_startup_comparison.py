"""A member is compared with before anything is signed for it: callers pass, wait, or are answered later."""

import asyncio
from typing import Any

import pytest

from paiza.core.v1 import log_pb2
from paiza.peer.v1 import exchange_pb2, recovery_pb2, witness_pb2
from paiza_node.core.api.services import accesses
from paiza_node.core.peers import startup_comparison as module
from paiza_node.core.peers.startup_comparison import UNSIGNED, StartupComparison, claimed_size
from paiza_wire.errors import Unavailable
from tests.peers import directory_of

DELIVER = "/paiza.peer.v1.ExchangeService/Deliver"
OWN_SIZE = 10


def claims(size: int) -> exchange_pb2.DeliverRequest:
    """Return a request whose caller knows so much of our log."""
    return exchange_pb2.DeliverRequest(consistency_claim=log_pb2.ConsistencyClaim(known_size=size))


class Session:
    """The session with a member, as far as it is asked."""

    def __init__(self) -> None:
        self.compared = asyncio.Event()
        self.questions = 0

    def ask(self) -> None:
        """Count the questions."""
        self.questions += 1


@pytest.fixture
def tjk(monkeypatch: pytest.MonkeyPatch) -> Session:
    """The session with tjk, which was not asked yet; nobody waits long for its answer."""
    monkeypatch.setattr(module, "ASK_SECONDS", 0.02)
    return Session()


async def reason(session: Session, request: Any, method: str = DELIVER) -> str:
    """Return the reason for which a call of tjk's node is not let through; empty where it is."""
    comparison = StartupComparison(directory_of({"tjk": session, "uzb": Session()}))
    try:
        await comparison.check_compared("tjk", method, request, OWN_SIZE)
    except Unavailable as error:
        return error.reason
    return ""


async def test_who_knows_nothing_passes(tjk: Session) -> None:
    """A new member saw nothing that could be contradicted; all it learns comes from this run."""
    assert await reason(tjk, claims(0)) == ""
    assert await reason(tjk, claims(4)) == ""
    assert tjk.questions == 0


async def test_who_knows_something_waits_until_it_was_asked(tjk: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    """The caller is asked at once; the call is refused without an answer, and passes with one, as all after it."""
    assert await reason(tjk, claims(4)) == "not_compared"
    assert tjk.questions == 1
    monkeypatch.setattr(module, "ASK_SECONDS", 60.0)
    waiting = asyncio.create_task(reason(tjk, claims(4)))
    await asyncio.sleep(0)
    tjk.compared.set()
    assert await waiting == ""
    assert await reason(tjk, claims(9)) == ""


async def test_who_claims_more_than_there_is_reaches_the_verb(tjk: Session) -> None:
    """Every verb refuses that; but the claim does not count as an answer."""
    assert await reason(tjk, claims(OWN_SIZE + 1)) == ""
    assert not tjk.compared.is_set()
    assert await reason(tjk, claims(OWN_SIZE)) == "not_compared"


async def test_a_question_that_tells_nothing_waits(tjk: Session) -> None:
    """A request from which nothing is known of its caller is answered after the question only."""
    assert await reason(tjk, witness_pb2.ProveEntriesRequest(indices=[3])) == "not_compared"


async def test_what_holds_no_signature_of_ours_is_always_answered(tjk: Session) -> None:
    """Two nodes that start together can ask each other; a lost node is told what is held of it."""
    for method in UNSIGNED:
        assert method in accesses()
        assert await reason(tjk, recovery_pb2.ListHeldCheckpointsRequest(), method) == ""
    assert not tjk.compared.is_set()


async def test_a_member_without_a_session_is_not_answered(tjk: Session) -> None:
    """A caller that the register does not name cannot be asked."""
    comparison = StartupComparison(directory_of({"uzb": tjk}))
    with pytest.raises(Unavailable, match="not_compared"):
        await comparison.check_compared("tjk", DELIVER, claims(4), OWN_SIZE)


@pytest.mark.parametrize(
    ("request_", "size"),
    [
        (claims(7), 7),
        (exchange_pb2.FetchMessagesRequest(known_size=3), 3),
        (recovery_pb2.ListLostEntriesRequest(known_size=2), 2),
        (exchange_pb2.ProveConsistencyRequest(sizes=[4, 9, 1]), 9),
        (exchange_pb2.ProveConsistencyRequest(), 0),
        (witness_pb2.ExchangeCheckpointsRequest(consistency_claim=log_pb2.ConsistencyClaim(known_size=5)), 5),
        (witness_pb2.ProveEntriesRequest(indices=[1]), None),
    ],
)
def test_what_a_request_tells_of_its_caller(request_: Any, size: int | None) -> None:
    """The size of our log that it names, wherever the request holds it."""
    assert claimed_size(request_) == size
