"""Before anything is signed for a member it was asked what it holds: who passes, who waits, who is answered later."""

import asyncio
from typing import Any

import pytest

from paiza.v1 import exchange_pb2, log_pb2, recovery_pb2, witness_pb2
from paiza_node.edge.gate import ACCESS
from paiza_node.recovery import asked as module
from paiza_node.recovery.asked import UNSIGNED, Asked, claimed_size
from paiza_wire.errors import Unavailable

DELIVER = "/paiza.v1.ExchangeService/Deliver"
OWN_SIZE = 10


def claims(size: int) -> exchange_pb2.DeliverRequest:
    """Give a request whose caller knows so much of our log."""
    return exchange_pb2.DeliverRequest(growth=log_pb2.Growth(known_size=size))


@pytest.fixture
def questions(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Collect who is asked; nobody waits long for the answer."""
    monkeypatch.setattr(module, "ASK_SECONDS", 0.02)
    return []


def connected(questions: list[str]) -> Asked:
    """Give what nobody was asked for yet."""
    asked = Asked()
    asked.connect(questions.append)
    return asked


async def reason(asked: Asked, request: Any, method: str = DELIVER) -> str:
    """Give the reason for which a call of tjk's node is not let through; empty where it is."""
    try:
        await asked.check("tjk", method, request, OWN_SIZE)
    except Unavailable as error:
        return error.reason
    return ""


async def test_who_knows_nothing_passes(questions: list[str]) -> None:
    """Nothing that it saw can be contradicted; what it learns from then on it has from this very run."""
    asked = connected(questions)
    assert await reason(asked, claims(0)) == ""
    assert await reason(asked, claims(4)) == ""
    assert questions == []


async def test_who_knows_something_waits_until_it_was_asked(questions: list[str]) -> None:
    """It is asked at once; without an answer the call is refused, with one it passes, and all after it."""
    asked = connected(questions)
    assert await reason(asked, claims(4)) == "not_compared"
    assert questions == ["tjk"]
    with pytest.raises(Unavailable, match="not_compared"):
        asked.require("tjk")
    waiting = asyncio.create_task(reason(asked, claims(4)))
    await asyncio.sleep(0)
    asked.note("uzb")
    asked.note("tjk")
    assert await waiting == ""
    assert await reason(asked, claims(9)) == ""
    asked.require("tjk")


async def test_who_claims_more_than_there_is_reaches_the_verb(questions: list[str]) -> None:
    """Every verb refuses that; but the claim does not count as an answer."""
    asked = connected(questions)
    assert await reason(asked, claims(OWN_SIZE + 1)) == ""
    assert not asked.has("tjk")
    assert await reason(asked, claims(OWN_SIZE)) == "not_compared"


async def test_a_question_that_tells_nothing_waits(questions: list[str]) -> None:
    """A request from which nothing is known of its caller is answered after the question only."""
    asked = connected(questions)
    assert await reason(asked, witness_pb2.ProveEntriesRequest(indices=[3])) == "not_compared"


async def test_what_holds_no_signature_of_ours_is_always_answered(questions: list[str]) -> None:
    """Two nodes that start together can ask each other; a lost node is told what is held of it."""
    asked = connected(questions)
    for method in UNSIGNED:
        assert method in ACCESS
        assert await reason(asked, recovery_pb2.GetStandingRequest(), method) == ""
    assert not asked.has("tjk")


@pytest.mark.parametrize(
    ("request_", "size"),
    [
        (claims(7), 7),
        (exchange_pb2.FetchMessagesRequest(known_size=3), 3),
        (recovery_pb2.GiveBackRequest(known_size=2), 2),
        (exchange_pb2.ProveGrowthRequest(sizes=[4, 9, 1]), 9),
        (exchange_pb2.ProveGrowthRequest(), 0),
        (witness_pb2.ExchangeCheckpointsRequest(growth=log_pb2.Growth(known_size=5)), 5),
        (witness_pb2.ProveEntriesRequest(indices=[1]), None),
    ],
)
def test_what_a_request_tells_of_its_caller(request_: Any, size: int | None) -> None:
    """The size of our log that it names, wherever the request holds it."""
    assert claimed_size(request_) == size
