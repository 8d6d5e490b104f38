"""A stream that goes on for hours: what was admitted at its beginning is asked again before each answer."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from ssl import PEM_cert_to_DER_cert
from types import SimpleNamespace
from typing import Any

import pytest
from typing_extensions import override

from paiza.officer.v1 import attachment_pb2, officer_pb2
from paiza_node.core.access.model import Officer, OfficerState
from paiza_node.core.api import authentication, server
from paiza_node.core.api.authentication import Authenticator
from paiza_node.core.api.call_memory import CallMemory
from paiza_node.core.api.connections import Connections
from paiza_node.core.caller import CALLER, NODE, CallerKey
from paiza_node.core.policy import Policy
from paiza_trust import dev
from paiza_wire.identity import CertificateVerifier
from tests.registers import read_register
from tests.unit.paiza_node.fixed_officers import FixedOfficers, certificate
from tests.unit.paiza_node.tls_properties import tls_properties

WATCH = officer_pb2.DESCRIPTOR.services_by_name["OfficerService"].methods_by_name["Watch"]
SESSION = officer_pb2.DESCRIPTOR.services_by_name["OfficerService"].methods_by_name["GetSession"]
SUBMIT = officer_pb2.DESCRIPTOR.services_by_name["OfficerService"].methods_by_name["Submit"]
UPLOAD = attachment_pb2.DESCRIPTOR.services_by_name["AttachmentService"].methods_by_name["Upload"]


class EndedError(Exception):
    """Leave an aborted call as gRPC does."""


class Situation:
    """An officer, their record at the node, and the time."""

    def __init__(self, folder: Path) -> None:
        register = read_register(folder)
        pem = (folder / "home/kaz-liaison/authentication.crt").read_text()
        officer_id = f"spiffe://kaz.{register.federation}/officer/liaison"
        fingerprint = sha256(PEM_cert_to_DER_cert(pem)).digest()
        self.now = datetime.now(UTC)
        officer = Officer(officer_id, frozenset({"liaison"}), "exercise")
        self.officers = FixedOfficers([officer], [certificate(officer, "authentication", fingerprint)])
        self.officer_id = officer_id
        self.reason = ""
        self.register, self.fingerprint = register, fingerprint
        self.register_cache = SimpleNamespace(current=register, policy=Policy(register.agreements))
        cache: Any = self.register_cache
        self.authenticator = Authenticator("kaz", cache, self.officers, lambda: self.now)
        self._pem = pem

    def auth_context(self) -> dict[str, list[bytes]]:
        """Return what TLS found out about the caller."""
        return tls_properties(self._pem.encode())

    def peer(self) -> str:
        """Return where the caller calls from."""
        return "ipv4:192.0.2.1:4711"

    def add_done_callback(self, callback: Callable[[Any], object]) -> None:
        """Call a function at the end of the call, which no test waits for."""

    def set_trailing_metadata(self, metadata: Any) -> None:
        """Keep the reason."""
        self.reason = dict(metadata)["paiza-reason"]

    async def abort(self, *_status: Any) -> None:
        """End the call."""
        raise EndedError


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a federation's keys and register."""
    path = tmp_path_factory.mktemp("stream") / "federation"
    dev.create(path, ["kaz", "tjk"], base_port=20_000)
    return path


def suspend(now: Situation) -> None:
    """Suspend the officer."""
    now.officers.replace(replace(now.officers.officers()[now.officer_id], state=OfficerState.SUSPENDED))


def expire(now: Situation) -> None:
    """Expire the caller's certificate."""
    now.now += timedelta(days=4000)


@pytest.mark.parametrize(
    ("change", "reason"),
    [(suspend, "officer_suspended"), (expire, "certificate_expired")],
    ids=["suspended", "expired"],
)
async def test_stream_ends_when_its_caller_would_not_be_admitted(
    folder: Path, change: Callable[[Situation], None], reason: str
) -> None:
    """An officer who watches gets nothing more once they are suspended or their certificate has expired."""
    situation = Situation(folder)

    async def watch(*_arguments: Any) -> AsyncIterator[officer_pb2.WatchResponse]:
        yield officer_pb2.WatchResponse()
        asyncio.get_running_loop().call_soon(change, situation)
        await asyncio.sleep(0.01)
        yield officer_pb2.WatchResponse()

    async def requests() -> AsyncIterator[bytes]:
        yield b""

    handler: Any = server._guarded(situation.authenticator, Connections([]), CallMemory(), WATCH, watch)
    answers = handler.stream_stream(requests(), situation)
    await anext(answers)
    with pytest.raises(EndedError):
        await anext(answers)
    assert situation.reason == reason


def revoke(now: Situation) -> None:
    """Put a register into force that revokes the officer's certificate."""
    member = now.register.member("kaz")
    authority = replace(member.authority, revoked=frozenset([now.fingerprint]))
    verifier = CertificateVerifier({"kaz": authority})
    now.register_cache.current = SimpleNamespace(certificate_verifier=lambda: verifier)
    now.authenticator.cut()


def end_ca(now: Situation) -> None:
    """Put a register into force under which the officer CA ended before."""
    authority = now.register.member("kaz").authority
    ended = tuple(replace(each, ends=now.now - timedelta(seconds=1)) for each in authority.officer_cas)
    verifier = CertificateVerifier({"kaz": replace(authority, officer_cas=ended)})
    now.register_cache.current = SimpleNamespace(certificate_verifier=lambda: verifier)
    now.authenticator.cut()


@pytest.mark.parametrize(
    ("change", "reason"),
    [(revoke, "certificate_revoked"), (end_ca, "certificate_expired"), (expire, "certificate_expired")],
    ids=["revoked", "CA ended", "expired"],
)
async def test_every_kind_of_call_is_cut(
    folder: Path, monkeypatch: pytest.MonkeyPatch, change: Callable[[Situation], None], reason: str
) -> None:
    """An idle stream, half an upload and a call that waits: by another register, and by the time within seconds."""
    monkeypatch.setattr(authentication, "CUT_SECONDS", 0.01)
    calls = []
    for method in (WATCH, UPLOAD, SESSION):
        situation = Situation(folder)
        began = asyncio.Event()

        async def requests(streams: bool = method is UPLOAD) -> AsyncIterator[bytes]:  # noqa: FBT001
            yield b""
            if streams:
                await asyncio.Event().wait()

        async def watch(_caller: Any, _asked: Any, began: asyncio.Event = began) -> AsyncIterator[Any]:
            began.set()
            await asyncio.Event().wait()
            yield officer_pb2.WatchResponse()

        async def wait(_caller: Any, asked: Any, method: Any = method, began: asyncio.Event = began) -> Any:
            if method is not UPLOAD:
                began.set()
                await asyncio.Event().wait()
            async for _request in asked:
                began.set()

        streams = method is WATCH
        verb: Any = watch if streams else wait
        handler: Any = server._guarded(situation.authenticator, Connections([]), CallMemory(), method, verb)
        if streams:
            call = asyncio.ensure_future(anext(handler.stream_stream(requests(), situation)))
        else:
            call = asyncio.ensure_future(handler.stream_unary(requests(), situation))
        await began.wait()
        calls.append((situation, call, asyncio.create_task(situation.authenticator.task.run())))
    for situation, call, periodic in calls:
        assert not call.done()
        change(situation)
        async with asyncio.timeout(60):
            with pytest.raises(EndedError):
                await call
        periodic.cancel()
        assert situation.reason == reason


async def test_a_submission_under_way_is_answered(folder: Path) -> None:
    """Whether its messages were released before the revocation: the officer would not know it otherwise."""
    situation = Situation(folder)

    async def requests() -> AsyncIterator[bytes]:
        yield b""

    async def submit(_caller: Any, _request: Any) -> officer_pb2.SubmitResponse:
        revoke(situation)
        await asyncio.sleep(0)
        return officer_pb2.SubmitResponse()

    handler: Any = server._guarded(situation.authenticator, Connections([]), CallMemory(), SUBMIT, submit)
    assert await handler.stream_unary(requests(), situation) == b""
    with pytest.raises(EndedError):
        await handler.stream_unary(requests(), situation)


@pytest.mark.parametrize("sends", [False, True], ids=["idle", "while a response is on its way"])
async def test_an_idle_stream_of_a_suspended_officer_is_cut(
    folder: Path,
    sends: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    """At once, and with the reason, though nothing is to be told for hours."""
    situation = Situation(folder)

    async def watch(*_arguments: Any) -> AsyncIterator[officer_pb2.WatchResponse]:
        yield officer_pb2.WatchResponse()
        await asyncio.Event().wait()

    async def requests() -> AsyncIterator[bytes]:
        yield b""

    handler: Any = server._guarded(situation.authenticator, Connections([]), CallMemory(), WATCH, watch)
    answers = handler.stream_stream(requests(), situation)
    await anext(answers)
    if sends:
        suspend(situation)
    else:
        asyncio.get_running_loop().call_soon(suspend, situation)
    async with asyncio.timeout(60):
        with pytest.raises(EndedError):
            await anext(answers)
    assert situation.reason == "officer_suspended"


class _Watched(Connections):
    """Connections that are never looked at: what is given up is noted."""

    def __init__(self) -> None:
        super().__init__([])
        self.given_up: asyncio.Queue[str] = asyncio.Queue()

    @override
    def give_up_unread(self, peer: str) -> None:
        """Note whose connection is given up."""
        self.given_up.put_nowait(peer)


async def _two_responses(*_arguments: Any) -> AsyncIterator[officer_pb2.WatchResponse]:
    yield officer_pb2.WatchResponse()
    yield officer_pb2.WatchResponse()
    await asyncio.Event().wait()


async def _one_request() -> AsyncIterator[bytes]:
    yield b""


async def test_a_response_that_is_not_taken_ends_the_connection(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In time, and one that was taken does not, though nothing follows."""
    situation, connections = Situation(folder), _Watched()
    handler: Any = server._guarded(situation.authenticator, connections, CallMemory(), WATCH, _two_responses)
    answers = handler.stream_stream(_one_request(), situation)
    await anext(answers)
    monkeypatch.setattr(authentication, "UNREAD_SECONDS", 0.01)
    await anext(answers)
    async with asyncio.timeout(60):
        assert await connections.given_up.get() == situation.peer()
    idle = asyncio.ensure_future(anext(answers))
    await asyncio.sleep(0.1)
    assert connections.given_up.empty()
    idle.cancel()


@pytest.mark.parametrize("change", [revoke, suspend])
async def test_a_blocked_stream_of_a_revoked_caller_ends_with_its_connection(
    folder: Path, monkeypatch: pytest.MonkeyPatch, change: Callable[[Situation], None]
) -> None:
    """Soon: its caller, who reads nothing, could hold it for as long as they like."""
    monkeypatch.setattr(authentication, "BLOCKED_SECONDS", 0.01)
    situation, connections = Situation(folder), _Watched()
    handler: Any = server._guarded(situation.authenticator, connections, CallMemory(), WATCH, _two_responses)
    answers = handler.stream_stream(_one_request(), situation)
    await anext(answers)
    change(situation)
    async with asyncio.timeout(60):
        assert await connections.given_up.get() == situation.peer()
    with pytest.raises(EndedError):
        await anext(answers)


async def test_handler_knows_for_whom_the_node_works(folder: Path) -> None:
    """Whatever a call does is done for its caller; after it the node works for itself again."""
    situation = Situation(folder)
    seen: list[object] = []

    async def watch(*_arguments: Any) -> AsyncIterator[officer_pb2.WatchResponse]:
        seen.extend([CALLER.get(), await asyncio.to_thread(CALLER.get), await asyncio.create_task(_caller())])
        yield officer_pb2.WatchResponse()

    async def requests() -> AsyncIterator[bytes]:
        yield b""

    handler: Any = server._guarded(situation.authenticator, Connections([]), CallMemory(), WATCH, watch)
    async for _ in handler.stream_stream(requests(), situation):
        pass
    assert seen == [CallerKey("officer", situation.officer_id)] * 3
    assert CALLER.get() == NODE


async def _caller() -> CallerKey:
    return CALLER.get()
