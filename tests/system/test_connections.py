"""Sockets without a certificate, and an officer's many connections: others come in all the same."""

import asyncio
import errno
import json
import resource
import socket
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, contextmanager, suppress
from typing import Final

import grpc
import pytest

from paiza.officer.v1 import officer_pb2, officer_pb2_grpc
from paiza_node.core.api.connections import PER_CALLER
from paiza_register import Register
from tests import http2
from tests.federation import Federation
from tests.registers import read_register
from tests.system.minting import Identity, Mint

ATTEMPTS: Final = 8
COMES_IN_SECONDS: Final = 120.0  # a limit, not a measure: every third connection is refused while all places are taken
ATTACKER, INTRUDER = "127.0.0.9", "127.0.0.8"
HALF_HELLO: Final = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"


@pytest.fixture(scope="module")
def federation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Federation]:
    """Run a node that may have 1,024 descriptors, as a shell gives them."""
    with Federation.create(tmp_path_factory.mktemp("connections") / "federation", ["kaz", "tjk"]) as made:
        node = made.node("kaz")
        node.program = ("sh", "-c", 'ulimit -n 1024; exec "$0" "$@"', sys.executable, "-m", "paiza_node")
        node.start()
        yield made


@pytest.fixture(scope="module")
def register(federation: Federation) -> Register:
    """Return the federation's register."""
    return read_register(federation.folder)


async def test_headers_before_the_settings_are_acknowledged(federation: Federation, register: Register) -> None:
    """More of them than announced reach the node: their connection and address are given up, and the log names who."""
    node, mint = federation.node("kaz"), Mint(federation.folder, register)
    officer = mint.officer("kaz-duty")
    session = b"/paiza.officer.v1.OfficerService/GetSession"
    fields = [(b"x", b"y" * 100)] * 130  # one frame, but more than 16 KiB as RFC 9113 §6.5.2 counts them
    calls = b"".join(http2.call(session, more=fields, stream=stream) for stream in (1, 3, 5))
    with officer.http2(node.address, INTRUDER) as guilty, officer.http2(node.address, INTRUDER) as unknown:
        status, _ = await asyncio.to_thread(http2.answer, guilty, calls, COMES_IN_SECONDS)
        assert status in {None, grpc.StatusCode.INVALID_ARGUMENT.value[0]}
        await _until(lambda: not _open(unknown))
    await _comes_in(node.address, officer, register)
    await _until(lambda: "too_many_headers" in node.log.read_text())
    line, *_ = [json.loads(each) for each in node.log.read_text().splitlines() if "too_many_headers" in each]
    assert line["address"] == INTRUDER
    assert ["/officer/duty" in each for each in line["callers"]] == [True]


@pytest.mark.parametrize("count", [1_100, 5_000])
async def test_silent_sockets_shut_nobody_out(federation: Federation, register: Register, count: int) -> None:
    """While one address keeps so many sockets open, the admin socket answers, and officers and peers come in."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 2 * count:
        pytest.skip(f"this process may open {hard} files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 2 * count), hard))
    node, mint = federation.node("kaz"), Mint(federation.folder, register)
    with _silent(node.address, count) as opened:
        took = []
        for _ in range(ATTEMPTS):
            await asyncio.to_thread(node.status)
            took += [
                await _comes_in(node.address, mint.officer("kaz-liaison"), register),
                await asyncio.to_thread(_peer_comes_in, node.address, mint.node("tjk")),
            ]
        assert opened() > count
    print(
        f"{opened()} sockets; others came in within {max(took):.2f} s, half within {sorted(took)[len(took) // 2]:.2f} s"
    )
    lines = [json.loads(line) for line in node.log.read_text().splitlines() if "connections_given_up" in line]
    given_up = [each for each in lines if each["why"] != "headers"]
    assert [ATTACKER] in [each["addresses"] for each in given_up]
    assert "internal_error" not in node.log.read_text()


async def test_connections_of_one_officer_are_bounded(federation: Federation, register: Register) -> None:
    """An officer with hundreds of connections keeps some of them; a colleague and the operator notice nothing."""
    node, mint = federation.node("kaz"), Mint(federation.folder, register)
    officer = mint.officer("kaz-duty")
    request = http2.call(b"/paiza.officer.v1.OfficerService/GetSession")
    async with AsyncExitStack() as stack:
        held: list[socket.socket] = []
        deadline = time.monotonic() + COMES_IN_SECONDS
        while len(held) < 5 * PER_CALLER:
            assert time.monotonic() < deadline
            with suppress(OSError):  # refused: the sockets of the test before may have all places for a moment yet
                connection = stack.enter_context(officer.http2(node.address))
                if http2.answer(connection, request)[0] == 0:
                    held.append(connection)
        await _comes_in(node.address, mint.officer("kaz-liaison"), register)
        await asyncio.to_thread(node.status)
        deadline = time.monotonic() + COMES_IN_SECONDS
        while sum(map(_open, held)) > PER_CALLER:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.2)


@contextmanager
def _silent(address: str, count: int) -> Iterator[Callable[[], int]]:
    """Keep so many sockets open from the attacker's address, every second one with half a ClientHello."""
    host, _, port = address.rpartition(":")
    stop, opened = threading.Event(), [0]
    sockets: deque[socket.socket] = deque()

    def one() -> None:
        made = socket.socket()
        made.settimeout(1)
        with suppress(OSError):
            made.bind((ATTACKER, 0))
            made.connect((host, int(port)))
            opened[0] += 1
            if opened[0] % 2:
                made.sendall(HALF_HELLO)
            made.settimeout(0)
            sockets.append(made)
            return
        made.close()

    def run() -> None:
        while not stop.is_set():
            if len(sockets) < count:
                one()
                continue
            oldest = sockets.popleft()
            if _open(oldest):
                sockets.append(oldest)
                time.sleep(0.0005)
            else:
                oldest.close()

    flood = threading.Thread(target=run)
    flood.start()
    try:
        while opened[0] < count:
            time.sleep(0.05)
        yield lambda: opened[0]
    finally:
        stop.set()
        flood.join()
        for each in sockets:
            each.close()


async def _comes_in(address: str, identity: Identity, register: Register) -> float:
    """Connect and call as an officer until it is answered; return the seconds it took."""
    began = time.monotonic()
    async with identity.channel(address, "kaz", register) as channel:
        session = await officer_pb2_grpc.OfficerServiceStub(channel).GetSession(
            officer_pb2.GetSessionRequest(), timeout=COMES_IN_SECONDS, wait_for_ready=True
        )
    assert session.officer_id
    return time.monotonic() - began


def _peer_comes_in(address: str, identity: Identity) -> float:
    """Connect and call as a peer until any answer comes; return the seconds it took."""
    request = http2.call(b"/paiza.peer.v1.RegisterService/GetRegisterState")
    began = time.monotonic()
    while time.monotonic() < began + COMES_IN_SECONDS:
        with suppress(OSError), identity.http2(address) as connection:
            status, _ = http2.answer(connection, request, seconds=5)
            if status is not None:
                return time.monotonic() - began
    raise AssertionError("the peer was shut out")


async def _until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + COMES_IN_SECONDS
    while not true():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.1)


def _open(connection: socket.socket) -> bool:
    connection.settimeout(0)
    try:
        return bool(connection.recv(65_536))
    except BlockingIOError:
        return True
    except OSError as error:
        return error.errno == errno.ENOENT  # what TLS calls "nothing to read" (SSL_ERROR_WANT_READ)
