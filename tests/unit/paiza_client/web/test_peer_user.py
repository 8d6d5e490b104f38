"""The user at the other end of a connection: asked of the kernel, or read from its tables; in doubt nobody."""

import os
import socket
import struct
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from paiza_client.web import peer_user
from paiza_client.web.peer_user import _asked, _in_tables, _kernel_answers, _NoAnswerError, is_of_this_user

pytestmark = pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="the system tells no user of a connection")


@pytest.fixture
def server() -> Iterator[socket.socket]:
    """A socket that listens."""
    with socket.create_server(("127.0.0.1", 0)) as made:
        yield made


@pytest.fixture(params=["kernel", "tables"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """How the user is found."""
    if request.param == "kernel" and not _kernel_answers():
        pytest.skip("the kernel answers no such questions")
    if request.param == "tables":
        monkeypatch.setattr(peer_user, "_kernel_answers", lambda: False)
    else:
        monkeypatch.setattr(peer_user, "_in_tables", lambda *_of: pytest.fail("the tables were read"))
    return str(request.param)


@pytest.mark.usefixtures("way")
def test_the_user_of_a_connection_is_told(server: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection of this user is recognised; one of another user and one that there is not are refused."""
    port = server.getsockname()[1]
    with socket.create_connection(("127.0.0.1", port)) as peer:
        assert is_of_this_user(peer.getsockname(), port)
        assert not is_of_this_user(("127.0.0.1", 1), port)
        assert not is_of_this_user(("127.0.0.1", port), port)  # what listens is no connection
        # Another user may bind the same port at another address of this machine.
        assert not is_of_this_user(("127.0.0.5", peer.getsockname()[1]), port)
        monkeypatch.setattr(os, "getuid", lambda: 4711)
        assert not is_of_this_user(peer.getsockname(), port)


@pytest.mark.usefixtures("way")
def test_a_closed_connection_is_of_nobody(server: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel shows what no program holds as root's: whoever closes at once must not pass for root."""
    port = server.getsockname()[1]
    monkeypatch.setattr(os, "getuid", lambda: 0)
    for linger in (None, struct.pack("ii", 1, 0)):
        with socket.create_connection(("127.0.0.1", port)) as peer:
            ends = peer.getsockname()
            if linger is not None:
                peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        assert not is_of_this_user(ends, port)


@pytest.mark.usefixtures("way")
def test_a_connection_by_ipv6_is_recognised(server: socket.socket) -> None:
    """A program of this user that writes the address of IPv4 within one of IPv6 is recognised."""
    with socket.socket(socket.AF_INET6) as peer:
        try:
            peer.connect(("::ffff:127.0.0.1", server.getsockname()[1]))
        except OSError:
            pytest.skip("the system has no IPv6")
        accepted, client = server.accept()
        with accepted:
            assert is_of_this_user(client, server.getsockname()[1])


def test_a_kernel_that_stops_answering_lets_nobody_in(server: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once it has answered, silence is a refusal and no reason to look elsewhere."""

    def silent(*_of: object) -> int:
        raise _NoAnswerError

    port = server.getsockname()[1]
    monkeypatch.setattr(peer_user, "_kernel_answers", lambda: True)
    monkeypatch.setattr(peer_user, "_asked", silent)
    with socket.create_connection(("127.0.0.1", port)) as peer:
        assert not is_of_this_user(peer.getsockname(), port)


@pytest.mark.skipif(not _kernel_answers(), reason="the kernel answers no such questions")
def test_kernel_and_tables_say_the_same(server: socket.socket) -> None:
    """Both ways name the same user, and the kernel at once: no request may wait for the list of all connections."""
    port = server.getsockname()[1]
    with socket.create_connection(("127.0.0.1", port)) as peer:
        began = time.thread_time()
        for _ in range(100):
            assert _asked("127.0.0.1", peer.getsockname()[1], port) == os.getuid()
        assert (time.thread_time() - began) / 100 < 0.002
        assert _in_tables("127.0.0.1", peer.getsockname()[1], port)
