"""A member that an operator blocks: nothing is exchanged with it, nothing is lost, and everybody else goes on."""

import asyncio
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from paiza.core.v1 import delivery_pb2, log_pb2, register_pb2
from paiza.officer.v1 import officer_pb2, officer_pb2_grpc
from paiza.peer.v1 import exchange_pb2
from paiza_node.core.log import store as log_store
from paiza_node.core.peers.channels import GrpcChannel
from paiza_node.core.peers.endpoints import Endpoints
from paiza_node.core.peers.rpcs import GET_FILE, HANDSHAKE
from paiza_node.core.peers.tls_identity import TlsIdentity, TlsKeys
from paiza_node.core.storage.scanning import open_scan
from paiza_node.ops.config import load
from paiza_wire.errors import PaizaError
from tests.attaching import bring, seal, settled, signed, submit, workflow_states
from tests.federation import Federation, NodeProcess
from tests.integration.node.conftest import SECONDS, Command, delivered, send
from tests.officer import Officer
from tests.registers import read_register

WAITING, DELIVERED = delivery_pb2.DELIVERY_STATE_WAITING, delivery_pb2.DELIVERY_STATE_DELIVERED
BACK_SECONDS = 90.0  # a peer that may be called again is found within a minute
LONG_TRANSFER = 96 * 1024 * 1024  # bytes; at no more than 64 MiB a second
TRAFFIC, ROUNDS = 60, 3  # messages each way in a round
REASON = "Two of their keys are in a stranger's hands."


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Federation]:
    """Three running nodes."""
    with Federation.create(tmp_path_factory.mktemp("blocks") / "f", ["kaz", "tjk", "uzb"]) as made:
        made.start()
        yield made


@pytest.fixture
def blocked(three: Federation, command: Command) -> Iterator[Federation]:
    """Block tjk at kaz for one test."""
    code, told = command("peers", "block", "tjk", "--reason", REASON, "--config", config(three, "kaz"))
    assert (code, told["member"], told["reason_text"]) == (0, "tjk", REASON)
    yield three
    command("peers", "unblock", "tjk", "--reason", "The test is over.", "--config", config(three, "kaz"))


def config(federation: Federation, member: str) -> str:
    """Return the path of a node's configuration."""
    return str(federation.node(member).config)


def eventually(holds: Callable[[], object]) -> None:
    """Ask other processes until something holds."""
    deadline = time.monotonic() + BACK_SECONDS
    while not holds():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.1)


async def state(officer: Officer, digest: bytes) -> list[tuple[str, int, str]]:
    """Return what an officer sees of the deliveries of their message."""
    async with officer.channel() as channel:
        request = officer_pb2.ListMessagesRequest(box=officer_pb2.BOX_SENT, page_size=100)
        answer = await officer_pb2_grpc.OfficerServiceStub(channel).ListMessages(request, timeout=SECONDS)
    (message,) = (each for each in answer.messages if each.message_digest == digest)
    return [(each.recipient, each.state, each.reason) for each in message.deliveries]


async def call_kaz(federation: Federation) -> tuple[str, bytes]:
    """Call kaz's node as tjk's: return the reason of the refused handshake, and a file of the register."""
    folder, register = federation.node("tjk").folder / "keys", read_register(federation.folder)
    keys = TlsIdentity(TlsKeys((folder / "tls.crt").read_bytes(), (folder / "tls.key").read_bytes()))
    channel = GrpcChannel("kaz", keys, lambda: register, Endpoints())
    try:
        with pytest.raises(PaizaError) as refused:
            await channel.call(HANDSHAKE, exchange_pb2.HandshakeRequest(protocol_version=1))
        file = await channel.call(GET_FILE, register_pb2.GetFileRequest(path="metadata/timestamp.json"))
    finally:
        await channel.close()
    return refused.value.reason, file.data


def test_nothing_is_exchanged_with_a_blocked_member_and_nothing_is_lost(blocked: Federation, command: Command) -> None:
    """Messages wait on both sides, with the reason, through a crash; third members and the register go on."""
    kaz, tjk = Officer(blocked.folder, "kaz-liaison"), Officer(blocked.folder, "tjk-liaison")
    (to_tjk,) = asyncio.run(send(kaz, ["tjk"], 1))
    (to_kaz,) = asyncio.run(send(tjk, ["kaz"], 1))
    asyncio.run(delivered(kaz, asyncio.run(send(kaz, ["uzb"], 1))))
    asyncio.run(delivered(tjk, asyncio.run(send(tjk, ["uzb"], 1))))
    assert asyncio.run(state(kaz, to_tjk)) == [("tjk", WAITING, "member_blocked")]
    _code, told = command("queue", "show", "--config", config(blocked, "kaz"))
    (delivery,) = told["deliveries"]
    assert (delivery["reason"], delivery["attempts"]) == ("member_blocked", 0)
    code, told = command("queue", "retry", str(delivery["number"]), "--config", config(blocked, "kaz"))
    assert (code, told["reason"]) == (3, "member_blocked")
    reason, file = asyncio.run(call_kaz(blocked))
    assert reason == "member_blocked"
    assert file

    def refused_there() -> bool:
        (peer,) = (each for each in blocked.node("tjk").status().peers if each.member == "kaz")
        return peer.last_error.startswith("member_blocked:")

    eventually(refused_there)
    node = blocked.node("kaz")
    node.kill()
    _code, told = command("peers", "--config", config(blocked, "kaz"))
    (peer,) = (each for each in told["peers"] if each["member"] == "tjk")
    assert (told["runs"], peer["block"]["reason_text"]) == (False, REASON)
    node.start()
    _code, told = command("status", "--config", config(blocked, "kaz"))
    (peer,) = (each for each in told["peers"] if each["member"] == "tjk")
    assert (peer["last_error"], peer["waiting"]) == ("member_blocked", 1)
    assert peer["block"]["actor"].startswith("os-user:")
    assert asyncio.run(state(tjk, to_kaz))[0][:2] == ("kaz", WAITING)
    assert command("peers", "unblock", "tjk", "--reason", "New keys.", "--config", config(blocked, "kaz"))[0] == 0
    asyncio.run(delivered(kaz, [to_tjk]))
    eventually(lambda: asyncio.run(state(tjk, to_kaz))[0][1] == DELIVERED)
    for member in ("kaz", "tjk"):
        code, told = command("verify", "--config", config(blocked, member))
        assert code == 0, told
    logged = [entry for entry in entries(blocked.node("kaz").config) if entry.counterpart == "tjk"]
    events = [entry.event for entry in logged]
    begun, ended = events.index(log_pb2.LOG_EVENT_PEER_BLOCKED), events.index(log_pb2.LOG_EVENT_PEER_UNBLOCKED)
    assert set(events[begun + 1 : ended]) == {log_pb2.LOG_EVENT_RELEASED}
    assert logged[begun].actor == peer["block"]["actor"]
    assert logged[begun].text_sha256


@pytest.mark.parametrize(
    ("lang", "here", "there"),
    [
        ("en", "tjk has been blocked since ", "Its operator has blocked this member: nothing is exchanged"),
        ("ru", "Участник tjk заблокирован с ", "Администратор того узла заблокировал этого участника: обмена нет"),
    ],
)
def test_the_doctors_of_both_sides_name_the_block(
    blocked: Federation, command: Command, lang: str, here: str, there: str
) -> None:
    """On the side that blocks with the reason; on the other that it is no failure of the line."""

    def lines(member: str, check: str) -> list[tuple[str, str]]:
        _code, told = command("doctor", "--lang", lang, "--config", config(blocked, member))
        return [(each["level"], each["what"]) for each in told["checks"] if each["check"] == check]

    ((level, what),) = lines("kaz", "blocks")
    assert level == "warn"
    assert what.startswith(here)
    assert what.endswith(REASON)
    assert lines("kaz", "tjk") == []  # a blocked member is not called
    ((level, what),) = lines("tjk", "kaz")
    assert level == "warn"
    assert what.startswith(there)
    assert lines("uzb", "blocks")[0][0] == "ok"


def entries(path: Path) -> list[log_pb2.LogEntry]:
    """Read the log of a node."""
    with open_scan(load(path).database) as scan:
        size = log_store.head(scan).size
        rows = [row for page in log_store.entry_rows(scan, 0, size) for row in page]
    return [log_pb2.LogEntry.FromString(row[1]) for row in rows]


@contextmanager
def frozen(node: NodeProcess) -> Iterator[None]:
    """Have a node's process stand still."""
    os.kill(node.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(node.pid, signal.SIGCONT)


def at_rest(file: Path) -> int:
    """Return the size of a file that has not grown for three seconds: what was on its way to it has arrived."""
    grown, size = time.monotonic(), -1
    while time.monotonic() < grown + 3.0:
        if (found := file.stat().st_size) != size:
            grown, size = time.monotonic(), found
        time.sleep(0.05)
    return size


async def test_a_transfer_under_way_is_cut_and_continues_after_the_block(
    three: Federation, tmp_path: Path, command: Command
) -> None:
    """A blocked member gets no further piece of a file that is being sent; it gets the rest after the block."""
    kaz, tjk = Officer(three.folder, "kaz-liaison"), Officer(three.folder, "tjk-liaison")
    async with kaz.channel() as sending, tjk.channel() as receiving:
        header = kaz.header(["tjk"])
        sealed = seal(tmp_path, header, LONG_TRANSFER)
        assert (await bring(sending, sealed)).whole
        result = await submit(sending, signed(kaz, header, [sealed.said]))
        there = three.node("tjk").data / "attachments" / f"{sealed.said.ciphertext_sha256.hex()}.kaz.part"
        async with asyncio.timeout(SECONDS):
            while not there.exists() or not there.stat().st_size:  # noqa: ASYNC110 - another process writes it
                await asyncio.sleep(0.01)
        with frozen(three.node("tjk")):  # it would have the whole file before a slow command is done
            code, _told = command("peers", "block", "tjk", "--reason", REASON, "--config", config(three, "kaz"))
        assert code == 0
        size = await asyncio.to_thread(at_rest, there)
        assert 0 < size < sealed.said.ciphertext_size
        _code, told = command("queue", "show", "--config", config(three, "kaz"))
        assert [(each["state"], each["reason"]) for each in told["attachments"]] == [("pending", "member_blocked")]
        (attachment,) = await workflow_states(sending, result.released.message_digest)
        assert attachment.reason == "member_blocked"
        assert command("peers", "unblock", "tjk", "--reason", "Done.", "--config", config(three, "kaz"))[0] == 0
        (attachment,) = await settled(receiving, result.released.message_digest)
    assert attachment.state == delivery_pb2.ATTACHMENT_STATE_RECEIVED


def test_under_traffic_nothing_is_received_after_the_block_and_nothing_is_lost(
    three: Federation, command: Command
) -> None:
    """Batches under way in both directions are cut at once, and each message is received once after the block."""
    kaz, tjk = Officer(three.folder, "kaz-liaison"), Officer(three.folder, "tjk-liaison")

    async def both() -> tuple[list[bytes], list[bytes]]:
        there, back = await asyncio.gather(send(kaz, ["tjk"], TRAFFIC), send(tjk, ["kaz"], TRAFFIC))
        return there, back

    for _ in range(ROUNDS):
        there, back = asyncio.run(both())
        assert command("peers", "block", "tjk", "--reason", REASON, "--config", config(three, "kaz"))[0] == 0
        time.sleep(0.5)
        assert command("peers", "unblock", "tjk", "--reason", "Done.", "--config", config(three, "kaz"))[0] == 0
        eventually(partial(deliver_seen, kaz, there))
        eventually(partial(deliver_seen, tjk, back))
    blocked, received = False, 0
    for entry in entries(three.node("kaz").config):
        if entry.event == log_pb2.LOG_EVENT_PEER_BLOCKED:
            blocked = True
        elif entry.event == log_pb2.LOG_EVENT_PEER_UNBLOCKED:
            blocked = False
        elif entry.event == log_pb2.LOG_EVENT_RECEIVED and entry.counterpart == "tjk":
            received += 1
            assert not blocked
    assert received >= ROUNDS * TRAFFIC
    for member in ("kaz", "tjk"):
        code, told = command("verify", "--config", config(three, member))
        assert code == 0, told


def deliver_seen(officer: Officer, digests: list[bytes]) -> bool:
    """Ask once whether all of these messages are delivered."""
    return asyncio.run(settled_of(officer, digests))


async def settled_of(officer: Officer, digests: list[bytes]) -> bool:
    """Return whether all of these messages are delivered."""
    found: dict[bytes, int] = {}
    async with officer.channel() as channel:
        request = officer_pb2.ListMessagesRequest(box=officer_pb2.BOX_SENT, page_size=500)
        answer = await officer_pb2_grpc.OfficerServiceStub(channel).ListMessages(request, timeout=SECONDS)
    for message in answer.messages:
        found[message.message_digest] = message.deliveries[0].state
    return all(found.get(digest) == DELIVERED for digest in digests)


def test_only_other_members_of_the_register_are_blocked_and_a_reason_is_needed(
    three: Federation, command: Command
) -> None:
    """A wrong name is refused with its remedy, and nothing is logged."""
    for arguments, reason in (
        (("block", "kaz", "--reason", REASON), "wrong_member"),
        (("block", "nobody", "--reason", REASON), "unknown_member"),
        (("block", "tjk", "--reason", " "), "reason_missing"),
        (("unblock", "tjk", "--reason", REASON), "unknown_id"),
    ):
        code, told = command("peers", *arguments, "--config", config(three, "kaz"))
        assert (code, told["reason"]) == (3, reason)
