"""Erasure between real nodes: every holder erases a message and proves it, and nothing of it remains."""

import asyncio
import json
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, closing, suppress
from datetime import UTC, datetime, timedelta
from typing import Final

import grpc
import pytest
import pytest_asyncio

from paiza.content.v1.erasure_pb2 import ErasureRequest
from paiza.content.v1.free_message_pb2 import FreeMessage
from paiza.core.v1 import message_pb2 as pb
from paiza.officer.v1 import retention_pb2
from paiza_client.evidence import evidence
from paiza_client.sdk import connect
from paiza_officer import profiles
from paiza_wire import message
from tests.federation import Federation
from tests.integration.exchange.desk import Desk, digest_of
from tests.integration.exchange.lawful_desk import LawfulDesk
from tests.officer import Officer
from tests.registers import read_register
from tests.two_verifiers import agreed, second_verifier

pytestmark = pytest.mark.asyncio(loop_scope="module")

REQUEST: Final = ErasureRequest(reason="review", explanation="Exercise").SerializeToString()
CONTENT: Final = FreeMessage(subject="Exercise", text="Nothing of this is real.").SerializeToString()
LOOKS: Final = 600  # a tenth of a second each


@pytest.fixture(scope="module")
def federation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Federation]:
    """Three real nodes; the tests stop and start them."""
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
    """Return pieces of a message's ciphertexts and wraps that would lie in a stolen database."""
    found = pb.SignedMessage.FromString(signed)
    whole = [*(part.ciphertext for part in found.parts), *(wrap.wrapped_key for wrap in found.wraps)]
    return [each[at : at + 24] for each in whole for at in range(0, len(each) - 24, 24)]


def lying_about(federation: Federation, member: str, signed: bytes) -> list[str]:
    """Name the files of a node in which a piece of a message can be found."""
    wanted, found = pieces(signed), []
    for path in federation.node(member).data.rglob("*"):
        if path.is_file():
            with suppress(FileNotFoundError):  # the node runs: what it writes beside a file has another name by now
                data = path.read_bytes()
                found += [path.name] * any(piece in data for piece in wanted)
    return found


async def test_every_holder_erases_and_says_so(federation: Federation, kaz: Desk, tjk: Desk, uzb: Desk) -> None:
    """All three logs say ERASED, the author's also that the others did; no database or log file holds a piece of it."""
    signed, digest = await sent(kaz, [tjk, uzb])
    for member in ("kaz", "tjk", "uzb"):
        assert lying_about(federation, member, signed), "what is looked for must be there before"
    assert await kaz.send(asked(kaz, signed, ["tjk"])) == "holder_missing"
    assert await kaz.send(asked(kaz, signed, ["tjk", "uzb"])) == ""
    await until_logged(tjk, digest, "ERASED")
    await until_logged(uzb, digest, "ERASED")
    await until_logged(kaz, digest, "ERASED", *["ERASURE_ANSWERED"] * 2)
    for desk in (kaz, tjk, uzb):
        assert await desk.open(digest) == "erased"
        assert lying_about(federation, desk.officer.member, signed) == []
        assert message.message_digest((await desk.info(digest)).header) == digest
    # What became of it is proven all the same, the erasures among it.
    async with connect(profiles.load(federation.home / "kaz-liaison")) as session:
        data = await session.evidence(digest)
    found = evidence.verify_file(data, (federation.folder / "root.json").read_bytes())
    assert {claim.proof.member for claim in found.answers} == {"tjk", "uzb"}
    assert {(claim.proof.member, claim.proof.event) for claim in found.others} == {
        (member, "ERASED") for member in ("kaz", "tjk", "uzb")
    }
    assert not found.message.signed.parts
    assert agreed(second_verifier(), data, (federation.folder / "root.json").read_bytes()) is not None


@asynccontextmanager
async def lawful(federation: Federation, name: str) -> AsyncIterator[LawfulDesk]:
    """Return an officer's desk for questions of lawfulness."""
    async with Officer(federation.folder, name, read_register(federation.folder)).channel() as channel:
        yield LawfulDesk(channel)


def verified(federation: Federation, member: str) -> dict[str, bool]:
    """Run `paiza-node verify`; gives whether each part holds."""
    command = [sys.executable, "-m", "paiza_node", "verify", "--json", "--config", str(federation.node(member).config)]
    answer = json.loads(subprocess.run(command, capture_output=True, check=False, text=True).stdout)
    return {part["part"]: part["findings"] or part["passed"] for part in answer["parts"]}


async def until_cosigned(federation: Federation, member: str, owner: str, count: int) -> None:
    """Wait until a node has proofs of so many entries of another member's log to notes that a quorum cosigned."""
    question = "SELECT count(*) FROM cosigned_proof WHERE origin LIKE ?"
    async with asyncio.timeout(60):
        while True:
            with closing(sqlite3.connect(federation.node(member).data / "paiza.db")) as database:
                if database.execute(question, (f"{owner}.%",)).fetchone()[0] >= count:
                    return
            await asyncio.sleep(0.1)


async def test_one_is_away_and_one_holds(federation: Federation, kaz: Desk, tjk: Desk, uzb: Desk) -> None:
    """An absent member answers when it is back; a member with a hold denies, and erases once it is lifted.

    The author's list names both, and `paiza-node verify` finds nothing at any of the three.
    """
    signed, digest = await sent(kaz, [tjk, uzb])
    async with lawful(federation, "tjk-duty") as at_tjk, lawful(federation, "kaz-liaison") as at_kaz:
        assert await at_tjk.place_hold(digest, "") == "reason_missing"
        assert await at_tjk.place_hold(digest, "case 17") == ""
        federation.node("uzb").stop()
        assert await kaz.send(asked(kaz, signed, ["tjk", "uzb"])) == ""
        await until_logged(kaz, digest, "ERASED", "ERASURE_ANSWERED")
        assert await at_kaz.erasures(digest) == {"kaz": "ERASED", "tjk": "HELD", "uzb": "ASKED"}
        assert await tjk.open(digest) == ""
        assert lying_about(federation, "tjk", signed), "what is under hold stays"
        federation.node("uzb").start()
        await until_logged(uzb, digest, "ERASED")
        # Both entries of tjk are proven to witnessed notes before its next answer takes the place of the denial.
        await until_cosigned(federation, "kaz", "tjk", 2)
        assert await at_tjk.erase_own_copy(digest) == "legal_hold"
        assert await at_tjk.release_hold(digest, "case closed") == ""
        await until_logged(tjk, digest, "ERASURE_DENIED", "ERASED")
        await until_logged(kaz, digest, "ERASED", *["ERASURE_ANSWERED"] * 3)
        assert await at_kaz.erasures(digest) == {"kaz": "ERASED", "tjk": "ERASED", "uzb": "ERASED"}
    for member in ("kaz", "tjk", "uzb"):
        assert lying_about(federation, member, signed) == []
        assert set(verified(federation, member).values()) == {True}


async def test_what_was_passed_on_is_erased_there_too(federation: Federation, kaz: Desk, tjk: Desk, uzb: Desk) -> None:
    """A request reaches whom a holder passed the message on to, also where the author heard of that only later."""
    header = kaz.officer.header(["tjk"])
    header.handling.tlp = "CLEAR"
    signed = kaz.officer.seal(header, CONTENT)
    assert await kaz.send(signed) == ""
    digest = digest_of(signed)
    await tjk.wait_for(digest)
    federation.node("kaz").stop()
    assert await tjk.forward(digest, "uzb") == ""
    await uzb.wait_for(digest)
    federation.node("kaz").start()
    # The author's officers address those it knows of: it may not have heard of uzb yet.
    reason = await kaz.send(asked(kaz, signed, ["tjk"]))
    if reason == "holder_missing":
        assert await kaz.send(asked(kaz, signed, ["tjk", "uzb"])) == ""
    else:
        assert reason == ""
    await until_logged(uzb, digest, "ERASED")
    await until_logged(kaz, digest, "ERASED", *["ERASURE_ANSWERED"] * 2)
    assert lying_about(federation, "uzb", signed) == []
    with pytest.raises(grpc.aio.AioRpcError, match="erased"):
        await tjk.forward(digest, "uzb")
    assert set(verified(federation, "uzb").values()) == {True}


async def test_another_member_has_nothing_erased(kaz: Desk, tjk: Desk) -> None:
    """Only the author may ask; one officer alone is not enough; nor is a request itself erased."""
    signed, digest = await sent(kaz, [tjk])
    assert await tjk.send(asked(tjk, signed, ["kaz"])) == "not_author"
    request = asked(kaz, signed, ["tjk"])
    assert await kaz.send(request) == ""
    assert await kaz.send(asked(kaz, request, ["tjk"])) == "invalid_header"
    await until_logged(tjk, digest, "ERASED")


async def test_the_log_says_who_looked_and_that_it_was_read(federation: Federation, kaz: Desk, tjk: Desk) -> None:
    """An auditor finds openings with their reasons, by officer and message; the reading is logged as well."""
    _signed, digest = await sent(kaz, [tjk])
    assert await tjk.open(digest, "for case 99") == ""
    async with lawful(federation, "tjk-auditor") as auditor, lawful(federation, "tjk-liaison") as liaison:
        opened = await auditor.read(events=["LOG_EVENT_OPENED"], message_digests=[digest])
        assert opened == [("OPENED", "liaison", "for case 99")]
        assert await auditor.read(events=["LOG_EVENT_OPENED"], message_digests=[digest], actor="duty") == []
        read = await auditor.read(events=["LOG_EVENT_CONSULTED"], message_digests=[digest])
        assert [(event, by) for event, by, _ in read] == [("CONSULTED", "auditor")] * 2
        assert "entries: OPENED" in read[0][2]
        with pytest.raises(grpc.aio.AioRpcError, match="read_log"):
            await liaison.read()
        denied = await auditor.read(events=["LOG_EVENT_DENIED"], actor="liaison")
        assert denied[-1] == ("DENIED", "liaison", "ListLogEntries: no rule permits read_log")


async def test_a_review_erases_the_own_copy_alone(federation: Federation, kaz: Desk, tjk: Desk) -> None:
    """A kept message gets another date; an erased one goes here, and stays at its author."""
    signed, digest = await sent(kaz, [tjk])
    async with lawful(federation, "tjk-liaison") as at_tjk:
        later = datetime.now(UTC) + timedelta(days=100)
        assert await at_tjk.keep(digest, datetime.now(UTC) - timedelta(days=1)) == "malformed"
        assert await at_tjk.keep(digest, None) == "malformed", "without a date nothing is decided, and nothing erased"
        assert await tjk.open(digest) == ""
        assert await at_tjk.keep(digest, later) == ""
        request = retention_pb2.ListReviewsRequest(days_ahead=101)
        listed = await at_tjk.stub.ListReviews(request, timeout=60)
        assert [
            each.review_time.ToDatetime(tzinfo=UTC) for each in listed.reviews if each.message_digest == digest
        ] == [later]
        assert await at_tjk.erase_own_copy(digest) == ""
        await until_logged(tjk, digest, "REVIEW_KEPT", "REVIEW_ERASED", "ERASED")
        assert await at_tjk.erase_own_copy(digest) == "erased"
    assert lying_about(federation, "tjk", signed) == []
    assert await kaz.open(digest) == ""
    assert set(verified(federation, "tjk").values()) == {True}
