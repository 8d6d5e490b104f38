"""An officer with a valid certificate can do only permitted acts at their own node."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Final

import grpc
import pytest
import pytest_asyncio

from paiza.content.v1.free_message_pb2 import FreeMessage
from paiza.core.v1 import message_pb2 as pb
from paiza.officer.v1 import officer_pb2, officer_pb2_grpc
from paiza_register import Register
from tests.officer import Officer

pytestmark = pytest.mark.asyncio(loop_scope="module")

SECONDS: Final = 60
CONTENT: Final = FreeMessage(subject="Exercise", text="Nothing of this is real.").SerializeToString()


@pytest.fixture(scope="module")
def liaison(folder: Path, register: Register, federation: object) -> Officer:
    """Return the liaison officer of the node under test."""
    assert federation
    return Officer(folder, "kaz-liaison", register)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stub(liaison: Officer) -> "AsyncIterator[officer_pb2_grpc.OfficerServiceAsyncStub]":
    """Dial the node as that officer."""
    async with liaison.channel(("grpc.max_send_message_length", 64 * 1024 * 1024)) as channel:
        yield officer_pb2_grpc.OfficerServiceStub(channel)


async def _submit(
    stub: "officer_pb2_grpc.OfficerServiceAsyncStub", messages: Sequence[bytes]
) -> list[tuple[str, str, bytes]]:
    items = [officer_pb2.SubmitItem(message=signed) for signed in messages]
    response = await stub.Submit(officer_pb2.SubmitRequest(items=items), timeout=SECONDS)
    answers: list[tuple[str, str, bytes]] = []
    for result in response.results:
        which = result.WhichOneof("result") or "nothing"
        reason = "" if which == "released" else str(getattr(result, which).reason)
        answers.append((which, reason, result.released.entries[0].entry if which == "released" else b""))
    return answers


async def test_repeat_and_conflict(stub: "officer_pb2_grpc.OfficerServiceAsyncStub", liaison: Officer) -> None:
    """A message submitted again gets its first release; its id with another content is a conflict."""
    header = liaison.header(["tjk"])
    signed = liaison.seal(header, CONTENT)
    (first,) = await _submit(stub, [signed])
    (again,) = await _submit(stub, [signed])
    assert first == again
    assert first[0] == "released"
    other = liaison.seal(header, FreeMessage(subject="Exercise", text="Other.").SerializeToString())
    assert (await _submit(stub, [other]))[0][:2] == ("rejection", "conflict")


async def test_message_twice_in_one_batch_is_released_once(
    stub: "officer_pb2_grpc.OfficerServiceAsyncStub", liaison: Officer
) -> None:
    """One of two copies in a batch is released; the other gets the same entry when tried again."""
    signed = liaison.compose(["tjk"])
    first, second = await _submit(stub, [signed, signed])
    assert first[0] == "released"
    assert second[:2] == ("retry", "busy") or second == first
    assert (await _submit(stub, [signed]))[0] == first


async def test_race_of_one_message_is_released_once(
    stub: "officer_pb2_grpc.OfficerServiceAsyncStub", liaison: Officer
) -> None:
    """The same message submitted ten times at once is released once."""
    signed = liaison.compose(["tjk"])
    answers = await asyncio.gather(*(_submit(stub, [signed]) for _ in range(10)))
    assert len({answer[0] for answer in answers}) == 1
    assert answers[0][0][0] == "released"


def _drop_wrap(member: str) -> Callable[[pb.SignedMessage], None]:
    def drop(message: pb.SignedMessage) -> None:
        kept = [wrap for wrap in message.wraps if wrap.recipient != member]
        del message.wraps[:]
        message.wraps.extend(kept)

    return drop


@pytest.mark.parametrize(
    ("change", "bend", "reason"),
    [
        (lambda h: setattr(h.required_signers[0], "role", "authoriser"), None, "policy_denied"),
        (lambda h: setattr(h, "kind", "no-such-kind"), None, "unknown_kind"),
        (lambda h: setattr(h.handling, "classification", 3), None, "policy_denied"),
        (None, _drop_wrap("tjk"), None),
        (None, _drop_wrap("kaz"), None),
        (None, lambda m: setattr(m.signatures[0], "signature", b"0"), "bad_signature"),
    ],
    ids=["role-not-held", "kind", "above-ceiling", "recipient-cannot-open", "own-node-cannot-open", "signature"],
)
async def test_message_against_the_rules_is_not_released(
    stub: "officer_pb2_grpc.OfficerServiceAsyncStub",
    liaison: Officer,
    change: Callable[[pb.Header], object] | None,
    bend: Callable[[pb.SignedMessage], object] | None,
    reason: str | None,
) -> None:
    """A breach of a rule is refused finally, with the reason."""
    header = liaison.header(["tjk"])
    if change is not None:
        change(header)
    message = pb.SignedMessage.FromString(liaison.seal(header, CONTENT))
    if bend is not None:
        bend(message)
    (answer,) = await _submit(stub, [message.SerializeToString(deterministic=True)])
    assert answer[0] == "rejection"
    assert reason is None or answer[1] == reason


async def test_only_a_signer_submits(
    stub: "officer_pb2_grpc.OfficerServiceAsyncStub", folder: Path, register: Register
) -> None:
    """Neither a colleague's message nor another member's is released for an officer who did not sign it."""
    duty = Officer(folder, "kaz-duty", register).compose(["tjk"], role="duty")
    foreign = Officer(folder, "tjk-liaison", register).compose(["kaz"])
    answers = await _submit(stub, [duty, foreign, b"garbage", b""])
    assert [answer[:2] for answer in answers[:3]] == [
        ("rejection", "wrong_signers"),
        ("rejection", "wrong_member"),
        ("rejection", "malformed"),
    ]
    assert answers[3][0] == "rejection"


async def test_oversized_batches(stub: "officer_pb2_grpc.OfficerServiceAsyncStub", liaison: Officer) -> None:
    """257 items are refused whole, an item of 3 MB for itself, and 9 MB are not even read."""
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await _submit(stub, [liaison.compose(["tjk"])] * 257)
    assert ("paiza-reason", "too_large") in list(refused.value.trailing_metadata() or ())
    assert (await _submit(stub, [bytes(3 * 1024 * 1024)]))[0][:2] == ("rejection", "too_large")
    with pytest.raises(grpc.aio.AioRpcError) as unread:
        await _submit(stub, [bytes(9 * 1024 * 1024)])
    assert unread.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
