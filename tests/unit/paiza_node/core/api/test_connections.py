"""Which connections are given up: unknown ones of one address or when places are few, and a caller's many."""

import os
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial

import pytest
from structlog.testing import capture_logs

from paiza_node.core.api import connections
from paiza_node.core.api.connections import Connections, Listener, parse_peer

PER_ADDRESS = 3
PLACES = 12
SECONDS = 30.0


class Situation:
    """A listener of this process, those who connect to it, and the time."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self._listening = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=64))
        self.port = self._listening.getsockname()[1]
        self.now = 100.0
        self.connections = Connections([Listener(self.port, PLACES, PER_ADDRESS)], lambda: self.now)

    def connect(self, host: int = 1) -> socket.socket:
        """Connect from 127.0.0.<host>; the node accepts and has looked at it."""
        made = self._stack.enter_context(
            socket.create_connection(("127.0.0.1", self.port), SECONDS, source_address=(f"127.0.0.{host}", 0))
        )
        accepted, _ = self._listening.accept()
        self._stack.enter_context(accepted)
        made.settimeout(0)
        self.now += 0.01
        self.connections.arrived()
        self.now += 1
        return made

    def known(self, made: socket.socket, caller: str) -> None:
        """Let a call be admitted on a connection."""
        address, port = made.getsockname()
        self.connections.known(f"ipv4:{address}:{port}", caller)


def written(made: socket.socket) -> str:
    """Return the other side's name of a connection as gRPC writes it."""
    address, port = made.getsockname()
    return f"ipv4:{address}:{port}"


@pytest.fixture
def situation() -> Iterator[Situation]:
    """Listen on a port of this machine."""
    with ExitStack() as stack:
        yield Situation(stack)


def ended(made: socket.socket) -> bool:
    """Return whether the other side gave a connection up."""
    try:
        return made.recv(1) == b""
    except BlockingIOError:
        return False


def which_ended(made: Sequence[socket.socket], count: int) -> list[bool]:
    """Return of each connection whether the other side gave it up, once word of so many has arrived."""
    found = [ended(each) for each in made]
    deadline = time.monotonic() + SECONDS
    while found.count(True) < count and time.monotonic() < deadline:
        time.sleep(0.01)
        found = [was or ended(each) for was, each in zip(found, made, strict=True)]
    return found


def test_unknown_connections_of_one_address_are_bounded(situation: Situation) -> None:
    """The oldest ones beyond the limit end; those of another address, and known ones, stay."""
    known, other = situation.connect(), situation.connect(2)
    situation.known(known, "officer")
    silent = [situation.connect() for _ in range(PER_ADDRESS + 1)]
    situation.connections.look()
    assert which_ended([known, other, *silent], 1) == [False, False, True, *[False] * PER_ADDRESS]


def test_the_connection_of_an_unread_response_is_given_up(situation: Situation) -> None:
    """That one alone, though its caller has others."""
    mine, other = situation.connect(), situation.connect()
    for each in (mine, other):
        situation.known(each, "officer")
    situation.connections.look()
    address, port = mine.getsockname()
    situation.connections.give_up_unread(f"ipv4:{address}:{port}")
    situation.connections.give_up_unread("ipv4:127.0.0.9:1")
    assert which_ended([mine, other], 1) == [True, False]


def test_too_many_headers_end_the_unknown_connections_of_their_address(situation: Situation) -> None:
    """The log names who showed which certificate; known connections of the address, and other addresses, go on."""
    guilty, unknown, known, other = (situation.connect(host) for host in (2, 2, 2, 3))
    for each in (guilty, known):
        situation.known(each, "officer")
    with capture_logs() as lines:
        situation.connections.give_up_headers(written(guilty), ["other officer"])
    assert [line["event"] for line in lines] == ["too_many_headers", "connections_given_up"]
    assert (lines[0]["address"], lines[0]["callers"]) == ("127.0.0.2", ["other officer"])
    assert (lines[1]["why"], lines[1]["count"]) == ("headers", 2)
    assert which_ended([guilty, unknown, known, other], 2) == [True, True, False, False]
    dropped = [situation.connections.barred(partial(written, each)) for each in (guilty, unknown, known, other)]
    assert dropped == [True, True, False, False]


def test_an_address_is_barred_for_a_while(situation: Situation) -> None:
    """Its new connections end at the next look, which is due as they arrive; then it has connections again."""
    situation.connections.give_up_headers(written(situation.connect(2)), [])
    barred = situation.connect(2)
    situation.connections.look()
    assert which_ended([barred], 1) == [True]
    situation.now += connections.BARRED_SECONDS + 1
    later = situation.connect(2)
    situation.connections.look()
    assert which_ended([later], 0) == [False]
    assert not situation.connections.barred(partial(written, later))


def test_few_places_end_unknown_connections_that_are_not_new(situation: Situation) -> None:
    """With three quarters of the places taken, unknown connections of any address end after some seconds."""
    old = situation.connect(2)
    known = [situation.connect(3 + at) for at in range(PLACES)]
    for at, each in enumerate(known):
        situation.known(each, f"officer {at}")
    situation.now += 10
    new = situation.connect(40)
    situation.connections.look()
    assert which_ended([old, new, *known], 1) == [True, False, *[False] * PLACES]


def test_connections_of_one_caller_are_bounded(situation: Situation, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a caller with too many known connections the newest end."""
    monkeypatch.setattr(connections, "PER_CALLER", 2)
    made = [situation.connect(2 + at) for at in range(4)]
    for each in made:
        situation.known(each, "officer")
    situation.connections.look()
    assert which_ended(made, 2) == [False, False, True, True]


def test_a_port_that_is_used_again_is_unknown(situation: Situation) -> None:
    """A connection that ended is forgotten: another one from the same port is not its caller's."""
    made = situation.connect()
    situation.known(made, "officer")
    made.close()
    situation._stack.pop_all().close()
    situation.connections.look()
    assert situation.connections._callers == {}


def test_addresses_of_unknown_connections_are_named(situation: Situation) -> None:
    """The newest come first; known ones are not named."""
    situation.connect(2)
    situation.known(situation.connect(3), "officer")
    situation.connect(4)
    situation.connections.look()
    assert situation.connections.unknown_addresses() == ["127.0.0.4", "127.0.0.2"]


def test_number_that_is_another_sockets_now_is_left_alone(situation: Situation) -> None:
    """Between the look and the end of a connection its number may have become that of a socket of another family."""
    connection = situation.connect()
    looked_at = connections.look_at_descriptors([situation.port], {})
    (found,) = [each for _, each in looked_at.values() if each is not None]
    mine, other = socket.socketpair(socket.AF_UNIX)
    with mine, other:
        assert not connections.shut_down(replace(found, descriptor=mine.fileno()))
        other.sendall(b"open")
        assert mine.recv(4) == b"open"
    assert not ended(connection)


def test_a_look_looks_into_new_descriptors_only(situation: Situation, monkeypatch: pytest.MonkeyPatch) -> None:
    """One whose number is another connection's now is new."""
    first = situation.connect(2)
    before = connections.look_at_descriptors([situation.port], {})
    looked_into: list[int] = []
    look_into = connections._connection

    def noted(descriptor: int, ports: set[int]) -> connections.Connection | None:
        looked_into.append(descriptor)
        return look_into(descriptor, ports)

    monkeypatch.setattr(connections, "_connection", noted)
    assert connections.look_at_descriptors([situation.port], before) == before
    assert looked_into == []
    second = situation.connect(3)
    (served,) = [number for number, (_, each) in before.items() if each and each.peer[0] == "127.0.0.2"]
    (other,) = [
        number
        for number, (_, each) in connections.look_at_descriptors([situation.port], before).items()
        if each and each.peer[0] == "127.0.0.3"
    ]
    kept = os.dup(served)
    os.dup2(other, served)
    try:
        found = connections.look_at_descriptors([situation.port], before)[served][1]
        assert found is not None
        assert found.peer == second.getsockname()[:2]
    finally:
        os.dup2(kept, served)
        os.close(kept)
    assert not ended(first)


def test_uses_are_those_of_the_last_look(situation: Situation) -> None:
    """Open connections of all listeners, and the descriptors of the process."""
    situation.connect()
    situation.connections.look()
    connections_used, descriptors_used = situation.connections.uses()
    assert (connections_used.name, connections_used.used, connections_used.limit) == ("connections", 1, PLACES)
    assert descriptors_used.name == "descriptors"
    assert 3 < descriptors_used.used < descriptors_used.limit


@pytest.mark.parametrize(
    ("text", "peer"),
    [
        ("ipv4:192.0.2.1:4711", ("192.0.2.1", 4711)),
        ("ipv6:%5B2001:db8::1%5D:4711", ("2001:db8::1", 4711)),
        ("ipv6:[::ffff:192.0.2.1]:4711", ("192.0.2.1", 4711)),
        ("unix:/run/node.sock", None),
        ("", None),
    ],
)
def test_peer_is_read_as_grpc_writes_it(text: str, peer: tuple[str, int] | None) -> None:
    """Address and port come from gRPC's text; a Unix socket has none."""
    assert parse_peer(text) == peer


def test_ipv6_addresses_of_one_network_count_together() -> None:
    """Who has an IPv6 address has a network of them."""
    assert connections._network("2001:db8::1") == connections._network("2001:db8::ffff")
    assert connections._network("2001:db8::1") != connections._network("2001:db8:0:1::1")
    assert connections._network("192.0.2.1") == "192.0.2.1"
