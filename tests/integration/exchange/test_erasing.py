"""Erasure between real nodes: whoever holds a message erases it and says so with a proof, and nothing of it is left."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Final

import pytest
import pytest_asyncio

from paiza.v1 import message_pb2 as pb
from paiza.v1.erasure_pb2 import ErasureRequest
from paiza_wire import message
from tests.federation import Federation
from tests.integration.exchange.desk import Desk, digest_of

pytestmark = pytest.mark.asyncio(loop_scope="module")

REQUEST: Final = ErasureRequest(reason="review", explanation="Exercise").SerializeToString()
LOOKS: Final = 200  # a tenth of a second each


@pytest.fixture(scope="module")
def federation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Federation]:
    """Three real nodes; whoever tests stops and starts them."""
    folder = tmp_path_factory.mktemp("erasing") / "federation"
    with Federation.create(folder, ["kaz", "tjk", "uzb"]) as federation:
        federation.start("kaz", "tjk", "uzb")
        yield federation


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def kaz(federation: Federation) -> AsyncIterator[Desk]:
    """The desk of the author."""
    desk = Desk(federation.folder, "kaz")
    async with desk.channel:
        yield desk


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def tjk(federation: Federation) -> AsyncIterator[Desk]:
    """The desk of a recipient."""
    desk = Desk(federation.folder, "tjk")
    async with desk.channel:
        yield desk


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def uzb(federation: Federation) -> AsyncIterator[Desk]:
    """The desk of a recipient, or of one to whom a message is passed on."""
    desk = Desk(federation.folder, "uzb")
    async with desk.channel:
        yield desk


async def sent(kaz: Desk, to: Sequence[Desk]) -> tuple[bytes, bytes]:
    """Send a message and wait until everyone has it; gives it and its digest."""
    signed = kaz.officer.compose([each.officer.member for each in to])
    assert await kaz.send(signed) == ""
    for desk in to:
        await desk.wait_for(digest_of(signed))
    return signed, digest_of(signed)


def asked(kaz: Desk, signed: bytes, to: Sequence[str]) -> bytes:
    """Write a request to erase a message, signed by both officers."""
    header = pb.Header.FromString(pb.SignedMessage.FromString(signed).header)
    return kaz.write("erasure-request", REQUEST, [header], [digest_of(signed)], to)


async def until_logged(desk: Desk, digest: bytes, *events: str) -> None:
    """Wait until a node's log holds so many of these events about a message."""
    logged: list[str] = []
    for _ in range(LOOKS):
        logged = sorted(event for event in await desk.events(digest) if event in set(events))
        if logged == sorted(events):
            return
        await asyncio.sleep(0.1)
    raise AssertionError(f"the log says {logged}, not {sorted(events)}")


def pieces(signed: bytes) -> list[bytes]:
    """Give pieces of a message's ciphertexts and wraps that would lie in a stolen database."""
    found = pb.SignedMessage.FromString(signed)
    whole = [*(part.ciphertext for part in found.parts), *(wrap.wrapped_key for wrap in found.wraps)]
    return [each[at : at + 24] for each in whole for at in range(0, len(each) - 24, 24)]


def lying_about(federation: Federation, member: str, signed: bytes) -> list[str]:
    """Name the files of a node in which a piece of a message can be found."""
    wanted = pieces(signed)
    return [
        path.name
        for path in federation.node(member).data.rglob("*")
        if path.is_file() and any(piece in data for data in [path.read_bytes()] for piece in wanted)
    ]


async def test_every_holder_erases_and_says_so(federation: Federation, kaz: Desk, tjk: Desk, uzb: Desk) -> None:
    """All three logs say ERASED, the author's also that the others did; no database or log file holds a piece of it."""
    signed, digest = await sent(kaz, [tjk, uzb])
    for member in ("kaz", "tjk", "uzb"):
        assert lying_about(federation, member, signed), "what is looked for must be there before"
    assert await kaz.send(asked(kaz, signed, ["tjk"])) == "holder_missing"
    assert await kaz.send(asked(kaz, signed, ["tjk", "uzb"])) == ""
    await until_logged(tjk, digest, "ERASED")
    await until_logged(uzb, digest, "ERASED")
    await until_logged(kaz, digest, "ERASED", "ERASED", "ERASED")
    for desk in (kaz, tjk, uzb):
        assert await desk.open(digest) == "erased"
        assert lying_about(federation, desk.officer.member, signed) == []
        assert message.message_digest((await desk.info(digest)).header) == digest
