"""The firewall rule for operators, between two network namespaces: one address is bounded, the others come in."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

NODE, ENROL = 7401, 7402
BURST, PER_SECOND = 100, 20
SERVER: Final = """
import socket, sys, threading
def serve(port):
    listening = socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=1024)
    ready.release()
    held = []
    while True:
        held.append(listening.accept())
ready = threading.Semaphore(0)
for port in (7401, 7402):
    threading.Thread(target=serve, args=(port,), daemon=True).start()
    ready.acquire()
print("ready", flush=True)
sys.stdin.read()
"""
CLIENT: Final = """
import socket, sys, time
server, port, count, pause, *sources = sys.argv[1:]
opened, took, held = dict.fromkeys(sources, 0), [], []
for source in sources:
    began = last = time.monotonic()
    for _ in range(int(count)):
        made = socket.socket(socket.AF_INET6 if ":" in source else socket.AF_INET)
        made.settimeout(0.5)
        made.bind((source, 0))
        try:
            made.connect((server, int(port)))
        except OSError:
            made.close()
        else:
            opened[source] += 1
            last = time.monotonic()
            held.append(made)
        time.sleep(float(pause))
    took.append(last - began)
print(*opened.values(), *took)
"""


@dataclass(frozen=True)
class Network:
    """Two namespaces with a wire between them, and what runs in the one behind the firewall."""

    outside: str
    inside: str

    def opens(self, server: str, port: int, count: int, pause: float, *sources: str) -> list[int]:
        """Return how many connections each address opens, out of so many attempts."""
        return [opened for opened, _ in self.bursts(server, port, count, pause, *sources)]

    def bursts(self, server: str, port: int, count: int, pause: float, *sources: str) -> list[tuple[int, float]]:
        """Return also the seconds from the first attempt of an address to the last connection that it opened."""
        command = ["ip", "netns", "exec", self.outside, sys.executable, "-c", CLIENT]
        arguments = [server, str(port), str(count), str(pause), *sources]
        said = subprocess.run([*command, *arguments], capture_output=True, text=True, check=True, timeout=60).stdout
        told = said.split()
        return [(int(opened), float(took)) for opened, took in zip(told, told[len(sources) :], strict=False)]


@pytest.fixture
def network(root: Path) -> Iterator[Network]:
    """Make the namespaces, load the rule into one, and listen there."""
    if os.geteuid() != 0 or not shutil.which("nft") or not shutil.which("ip"):
        pytest.skip("network namespaces need root, ip and nft")
    made = Network(f"out{os.getpid()}", f"in{os.getpid()}")
    try:
        try:
            for name in (made.outside, made.inside):
                _run("ip", "netns", "add", name)
        except subprocess.CalledProcessError:
            pytest.skip("no network namespaces here, even for root")
        _run(
            "ip",
            "link",
            "add",
            "wire",
            "netns",
            made.outside,
            "type",
            "veth",
            "peer",
            "name",
            "wire",
            "netns",
            made.inside,
        )
        for name, addresses in (
            (made.outside, ["10.77.0.2/24", "10.77.0.3/24", "fd77::2/48", "fd77::3/48", "fd77:0:0:1::2/48"]),
            (made.inside, ["10.77.0.1/24", "fd77::1/48"]),
        ):
            for address in addresses:
                family = ["nodad"] if ":" in address else []
                _run("ip", "-n", name, "address", "add", address, "dev", "wire", *family)
            _run("ip", "-n", name, "link", "set", "wire", "up")
        ran = subprocess.run(
            ["ip", "netns", "exec", made.inside, "nft", "-f", str(root / "deploy/nftables/paiza.nft")],
            capture_output=True,
            text=True,
            check=False,
        )
        if ran.returncode:
            pytest.skip(f"this kernel does not take the rule: {ran.stderr.splitlines()[0]}")
        server = [sys.executable, "-c", SERVER]
        with subprocess.Popen(
            ["ip", "netns", "exec", made.inside, *server], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as program:
            assert program.stdout is not None
            assert program.stdout.readline() == b"ready\n"
            yield made
            program.terminate()
    finally:
        for name in (made.outside, made.inside):
            subprocess.run(["ip", "netns", "delete", name], check=False)


def test_one_address_is_bounded_at_the_node(network: Network) -> None:
    """An address gets 128 connections at once, however many it tries; another one has as many of its own."""
    assert network.opens("10.77.0.1", NODE, 132, 0.051, "10.77.0.2", "10.77.0.3") == [128, 128]


def test_one_address_is_bounded_at_the_listener_for_enrolment(network: Network) -> None:
    """An address gets 4 connections at once there; with IPv6 its whole network does."""
    assert network.opens("10.77.0.1", ENROL, 8, 0.06, "10.77.0.2", "10.77.0.3") == [4, 4]
    assert network.opens("fd77::1", ENROL, 8, 0.06, "fd77::2", "fd77::3", "fd77:0:0:1::2") == [4, 0, 4]


def test_a_burst_of_one_address_is_cut_off(network: Network) -> None:
    """An address that connects as fast as it can loses connections after its burst; another one has its own burst."""
    for opened, seconds in network.bursts("10.77.0.1", NODE, 115, 0.0, "10.77.0.2", "10.77.0.3"):
        assert BURST <= opened <= BURST + PER_SECOND * seconds + 1


def _run(*command: str) -> None:
    subprocess.run(command, check=True)
