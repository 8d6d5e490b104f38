"""A node's log is JSON, whoever wrote a line of it; refused handshakes have addresses and are counted."""

import json
import os
import re
import signal
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, Final

import pytest

from paiza_node.app.stray_lines import INTERVAL_SECONDS
from paiza_wire.identity import SpiffeId
from tests import http2
from tests.federation import Federation, NodeProcess, free_ports
from tests.registers import read_register
from tests.system.minting import Identity, Mint

REFUSED: Final = 300
SECONDS: Final = 60.0  # a limit, not a measure
STRANGER: Final = "127.0.0.77"


@pytest.fixture(scope="module")
def federation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Federation]:
    """Run one node with metrics."""
    with Federation.create(tmp_path_factory.mktemp("stderr") / "federation", ["kaz", "tjk"]) as made:
        node = made.node("kaz")
        node.configure(metrics_listen=f"127.0.0.1:{free_ports(1)}")
        node.start()
        yield made


@pytest.fixture(scope="module")
def mint(federation: Federation) -> Mint:
    """Return the CAs of the federation."""
    return Mint(federation.folder, read_register(federation.folder))


def test_refused_handshake_is_logged_with_its_address(federation: Federation, mint: Mint) -> None:
    """The first line has cause and address; hundreds more make one line a second, and the metric counts each."""
    node = federation.node("kaz")
    stranger = mint.stranger(SpiffeId("kaz", mint.register.federation, "officer", "liaison"))
    first = _first_of(node, stranger)
    assert first["cause"] == "CERTIFICATE_VERIFY_FAILED"
    assert first["count"] >= 1
    before, lines, began = _refused(node) - 1, len(_handshakes(node)), time.monotonic()
    for _ in range(REFUSED):
        _shake_hands(node, stranger)
    deadline = time.monotonic() + SECONDS
    while _refused(node) < before + REFUSED + 1:
        assert time.monotonic() < deadline
        time.sleep(0.2)
    assert _refused(node) == before + REFUSED + 1
    assert len(_handshakes(node)) - lines <= (time.monotonic() - began) / INTERVAL_SECONDS + 1


def test_line_of_the_library_is_json(federation: Federation, mint: Mint) -> None:
    """What gRPC says of a malformed header is an event with the place in its code."""
    node = federation.node("kaz")
    with mint.officer("kaz-liaison").http2(node.address) as connection:
        path = b"/paiza.officer.v1.OfficerService/GetSession"
        assert http2.answer(connection, http2.call(path, more=[(b"grpc-timeout", b"zz")]))[0]
    assert "grpc-timeout" in _wait_for(node, "library_message", lambda _event: True)["text"]


def test_fatal_error_is_json(federation: Federation) -> None:
    """A node that a fault ends leaves the places in its code as one event; one that stops logs JSON to its end."""
    node = federation.node("kaz")
    os.kill(node.pid, signal.SIGSEGV)
    fatal = _wait_for(node, "standard_error", lambda _event: True)
    assert fatal["text"].startswith("Fatal Python error: Segmentation fault")
    deadline = time.monotonic() + SECONDS
    while node.running:  # the lines come before the end of the process
        assert time.monotonic() < deadline
        time.sleep(0.1)
    node.start()
    assert node.stop() == 0
    assert [event["event"] for event in _events(node)][-1] == "stopped"


def _shake_hands(node: NodeProcess, identity: Identity) -> None:
    with suppress(OSError), identity.http2(node.address, source=STRANGER) as connection:
        connection.recv(1)


def _first_of(node: NodeProcess, stranger: Identity) -> dict[str, Any]:
    """Return the first line with the stranger's address: a line names the unknown connections of its moment."""
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        _shake_hands(node, stranger)
        time.sleep(1.5)
        for event in _handshakes(node):
            if STRANGER in event["addresses"]:
                return event
    raise AssertionError(f"no handshake_refused: {node.log_tail()}")


def _wait_for(node: NodeProcess, name: str, fits: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        for event in _events(node):
            if event["event"] == name and fits(event):
                return event
        time.sleep(0.1)
    raise AssertionError(f"no {name}: {node.log_tail()}")


def _handshakes(node: NodeProcess) -> list[dict[str, Any]]:
    return [event for event in _events(node) if event["event"] == "handshake_refused"]


def _events(node: NodeProcess) -> list[dict[str, Any]]:
    """Return the events of the log, each line of which is JSON."""
    return [json.loads(line) for line in node.log.read_text().splitlines(keepends=True) if line.endswith("\n")]


def _refused(node: NodeProcess) -> float:
    with urllib.request.urlopen(f"http://{node.settings['metrics_listen']}/metrics", timeout=10) as response:
        text = response.read().decode()
    found = re.search(r'paiza_handshakes_refused_total\{cause="CERTIFICATE_VERIFY_FAILED"\} (\S+)', text)
    return 0.0 if found is None else float(found[1])
