"""Revocation among three running nodes: all that is under way ends in seconds, everywhere, with the exact reason."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import grpc
import pytest

from paiza.core.v1 import message_pb2
from paiza.officer.v1 import attachment_pb2, attachment_pb2_grpc, officer_pb2, officer_pb2_grpc
from paiza_client.sdk import connect
from paiza_client.sdk import session as session_module
from paiza_node.ops.admin.client import AdminClient
from paiza_officer import profiles
from paiza_officer.errors import NotProven, Unreachable
from paiza_register.ceremony.times import time_text
from paiza_wire.message import message_digest
from tests.attaching import submit
from tests.federation import Federation
from tests.officer import Officer
from tests.registers import read_register
from tests.system import ledgers
from tests.system.minting import Mint

MEMBERS: Final = ("kaz", "tjk", "uzb")
MOST_SECONDS: Final = 30.0  # a minute is promised, one or two seconds are usual, and machines of tests are shared
CALL_SECONDS: Final = 60.0
HALF: Final = random.Random(1).randbytes(200_000)
DIGEST: Final = bytes(range(32))  # of a file that never comes whole
REVOKED: Final = {"officer_suspended", "certificate_revoked"}
CA_LIFE: Final = timedelta(seconds=40)  # a start of two nodes takes some, and more where others work too
BEFORE_SECONDS: Final = 5.0  # that end, at which calls are looked at: a machine may stand still for a moment
WATCH_HEALTH: Final = "/grpc.health.v1.Health/Watch"


@pytest.fixture
def federation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Federation]:
    """Run three nodes."""
    with Federation.create(tmp_path_factory.mktemp("revocation") / "federation", [*MEMBERS]) as made:
        made.start()
        yield made


async def test_a_revoked_officer_is_out_everywhere(federation: Federation) -> None:
    """A watch, half an upload and a kept connection end at the own node, no file is left, and the peers know it too.

    What the officer submits meanwhile is released or refused: the answers, the own node and the peer agree on each.
    """
    officer, node = Officer(federation.folder, "kaz-liaison"), federation.node("kaz")
    parts = node.data / "attachments"
    async with officer.channel() as channel, AsyncExitStack() as ending:
        uploads = attachment_pb2_grpc.AttachmentServiceStub(channel)
        start = attachment_pb2.StartUploadRequest(ciphertext_sha256=DIGEST, ciphertext_size=2 * len(HALF))
        await uploads.StartUpload(start, timeout=CALL_SECONDS)
        watch = asyncio.create_task(reason_of(watched(channel)))
        upload = asyncio.create_task(reason_of(uploads.Upload(half())))
        outcomes: dict[bytes, set[str]] = {}
        submitters = [asyncio.create_task(submit_until_refused(officer, channel, outcomes)) for _ in range(3)]
        for task in (watch, upload, *submitters):
            ending.callback(task.cancel)
        await until(lambda: [each.stat().st_size for each in parts.glob("*.part")] == [len(HALF)])
        await until(lambda: len(outcomes) > len(submitters))
        assert not watch.done()
        assert not upload.done()
        before, began = versions(federation), time.monotonic()
        with AdminClient(node.admin_socket) as operator:
            await asyncio.to_thread(operator.suspend_officer, "liaison", "exercise", stolen=True)
        async with asyncio.timeout(MOST_SECONDS):
            assert {await watch, await upload} == {"officer_suspended"}
            await asyncio.gather(*submitters)
        await until(lambda: not [*parts.iterdir()])
        own = time.monotonic() - began
        await until(lambda: len(versions(federation) | before) == 2)
        everywhere = time.monotonic() - began
        assert await reason_of(session(channel)) == "certificate_revoked"
    print(f"ended at the own node after {own:.1f} s, known everywhere after {everywhere:.1f} s")
    assert all(each == {"released"} or each <= REVOKED for each in outcomes.values()), "an outcome is ambiguous"
    released = {digest for digest, each in outcomes.items() if each == {"released"}}
    await until(lambda: released <= ledgers.read(node).delivered_to("tjk"))
    assert {*ledgers.read(node).events(ledgers.RELEASED, "tjk")} == released
    assert {*ledgers.read(federation.node("tjk")).events(ledgers.RECEIVED, "kaz")} == released


async def test_a_stolen_node_key_is_out_everywhere(federation: Federation, monkeypatch: pytest.MonkeyPatch) -> None:
    """The thief's open calls to the other nodes are cut, and nothing is delivered to the node that shows it.

    A client that watches believes it no more either.
    """
    monkeypatch.setattr(session_module, "CHECK_SECONDS", 0.2)
    mint = Mint(federation.folder, read_register(federation.folder))
    thief, others = mint.node("kaz"), ("tjk", "uzb")
    async with AsyncExitStack() as stack:
        profile = profiles.load(federation.folder / "home/kaz-liaison")
        client = await stack.enter_async_context(connect(profile))
        news = asyncio.ensure_future(anext(client.watch()))
        stack.callback(news.cancel)
        idle = {}
        for member in others:
            channel = thief.channel(federation.node(member).address, member, mint.register)
            await stack.enter_async_context(channel)
            idle[member] = asyncio.create_task(reason_of(listened(channel)))
            stack.callback(idle[member].cancel)
        await asyncio.sleep(1.0)
        assert not any(task.done() for task in (news, *idle.values()))
        began = time.monotonic()
        with AdminClient(federation.node("kaz").admin_socket) as operator:
            await asyncio.to_thread(operator.revoke_certificate, thief.certificate)
        async with asyncio.timeout(MOST_SECONDS):
            assert {await task for task in idle.values()} == {"certificate_revoked"}
        with pytest.raises(Unreachable, match="node_revoked"):
            await news
    with pytest.raises(NotProven, match="node_revoked"):
        await stack.enter_async_context(connect(profile))
    print(f"cut at all others after {time.monotonic() - began:.1f} s")
    tjk = Officer(federation.folder, "tjk-liaison")
    async with tjk.channel() as channel:
        released = await submit(channel, tjk.compose(["kaz"]))
    assert released.WhichOneof("result") == "released"
    refused = '"peer": "kaz", "reason": "certificate_revoked"'
    await until(lambda: refused in federation.node("tjk").log.read_text())
    assert not ledgers.read(federation.node("tjk")).delivered_to("kaz")


async def test_the_end_of_a_ca_cuts_calls(tmp_path: Path) -> None:
    """An officer's watch and another node's open call end when the announced time of their CA is over, not before."""
    with Federation.create(tmp_path / "federation", [*MEMBERS]) as federation:
        ends = datetime.now(UTC).replace(microsecond=0) + CA_LIFE
        for member, listed in (("kaz", "officer_cas"), ("tjk", "node_cas")):

            def end(document: dict[str, Any], listed: str = listed) -> None:
                document[listed][0]["until"] = time_text(ends)

            federation.join(federation.edit(member, "member", end))
        federation.start("kaz", "uzb")
        register = read_register(federation.folder)
        officer, mint = Officer(federation.folder, "kaz-liaison", register), Mint(federation.folder, register)
        kaz = federation.node("kaz")
        async with officer.channel() as channel, mint.node("tjk").channel(kaz.address, "kaz", register) as peer:
            calls = [asyncio.create_task(reason_of(call)) for call in (watched(channel), listened(peer))]
            await asyncio.sleep(max(0.0, (ends - datetime.now(UTC)).total_seconds() - BEFORE_SECONDS))
            assert not any(call.done() for call in calls)
            async with asyncio.timeout(MOST_SECONDS):
                assert await asyncio.gather(*calls) == ["certificate_expired", "certificate_expired"]
            print(f"cut {(datetime.now(UTC) - ends).total_seconds():.1f} s after the end")
            assert await reason_of(session(channel)) == "certificate_expired"


async def reason_of(call: Awaitable[object]) -> str:
    """Return the reason for which a call ended."""
    try:
        await call
    except grpc.aio.AioRpcError as error:
        return str(dict(error.trailing_metadata() or ()).get("paiza-reason", error.code().name))
    return "ended"


async def session(channel: grpc.aio.Channel) -> None:
    """Call once."""
    await officer_pb2_grpc.OfficerServiceStub(channel).GetSession(officer_pb2.GetSessionRequest(), timeout=CALL_SECONDS)


async def watched(channel: grpc.aio.Channel) -> None:
    """Watch for messages until the node ends it."""
    stub: Any = officer_pb2_grpc.OfficerServiceStub(channel)
    async for _response in stub.Watch(officer_pb2.WatchRequest()):
        pass


async def listened(channel: grpc.aio.Channel) -> None:
    """Watch a node's health until it ends that."""
    method: Any = channel.unary_stream(WATCH_HEALTH)
    async for _response in method(b""):
        pass


async def half() -> AsyncIterator[attachment_pb2.UploadRequest]:
    """Bring half of a file, and then nothing."""
    yield attachment_pb2.UploadRequest(ciphertext_sha256=DIGEST, data=HALF)
    await asyncio.Event().wait()


async def submit_until_refused(officer: Officer, channel: grpc.aio.Channel, outcomes: dict[bytes, set[str]]) -> None:
    """Submit message after message; note what the node said of each."""
    stub = officer_pb2_grpc.OfficerServiceStub(channel)
    said = "released"
    while said == "released":
        signed = officer.compose(["tjk"])
        digest = message_digest(message_pb2.SignedMessage.FromString(signed).header)
        request = officer_pb2.SubmitRequest(items=[officer_pb2.SubmitItem(message=signed)])
        try:
            (result,) = (await stub.Submit(request, timeout=CALL_SECONDS)).results
            said = result.rejection.reason or str(result.WhichOneof("result"))
        except grpc.aio.AioRpcError as error:
            said = str(dict(error.trailing_metadata() or ()).get("paiza-reason"))
        outcomes.setdefault(digest, set()).add(said)


def versions(federation: Federation) -> set[bytes]:
    """Return the versions of the register that are in force at the nodes."""
    return {node.status().register_version for node in federation.nodes.values()}


async def until(holds: Callable[[], object]) -> None:
    """Wait until something holds, of which nothing tells."""
    async with asyncio.timeout(MOST_SECONDS):
        while True:
            if await asyncio.to_thread(holds):
                return
            await asyncio.sleep(0.1)
