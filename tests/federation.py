"""A development federation of real node processes in one folder, for integration tests and the benchmark.

    with Federation.create(folder, ["kaz", "tjk"]) as federation:
        federation.start()
        federation.node("tjk").kill()

Every node is `paiza-node run` in a process of its own, on free loopback ports, logging to ``nodes/<member>/node.log``.
Leaving the block ends the processes that were started here and no others; the folder belongs to the caller.
"""

import fcntl
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any, BinaryIO, Final, Protocol, Self
from unittest.mock import patch

import grpc

from paiza.admin.v1 import admin_pb2, admin_pb2_grpc
from paiza_node.features.officers.admit import read_file
from paiza_node.ops.admin.client import AdminClient
from paiza_register import Register, roles
from paiza_register.ceremony.change import change
from paiza_register.ceremony.publication import publication
from paiza_register.register_file import RegisterFile
from paiza_trust import dev
from tests.registers import base_of, decided, join_nodes, newest, read_register

START_SECONDS: Final = 120.0  # a start takes one or two; the machines of tests are shared
STOP_SECONDS: Final = 60.0  # a graceful stop drains first
STATUS_SECONDS: Final = 60.0  # an answer over the admin socket
POLL_SECONDS: Final = 0.02  # a process that starts announces itself only by answering
FIRST_PORT, LAST_PORT = 20_000, 32_000  # below what systems hand out for outgoing connections
LOG_LINES: Final = 20  # of a node that failed, shown in the error
ANEW: Final = (sys.executable, "-m", "paiza_node")


class NodeFailedError(Exception):
    """A node did not start, or ended by itself; the text holds the end of its log."""


class Process(Protocol):
    """What is used of `subprocess.Popen`."""

    @property
    def pid(self) -> int:
        """The process id."""

    def poll(self) -> int | None:
        """Return the exit code, or None while it runs."""

    def wait(self, timeout: float | None = None) -> int:
        """Return the exit code once it has ended; ``subprocess.TimeoutExpired`` when that takes longer."""

    def send_signal(self, sig: int, /) -> None:
        """Send it a signal, unless it has ended."""

    def kill(self) -> None:
        """Send it SIGKILL."""


def launched(command: Sequence[str], log: BinaryIO, environment: Mapping[str, str] | None) -> Process:
    """Start a program that prints to this file."""
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, env=environment)


class NodeProcess:
    """One member's node: started, stopped and killed as an operator or a power cut would."""

    def __init__(self, member: str, folder: Path) -> None:
        self.member = member
        self.folder = folder
        self.process: Process | None = None
        self.program: Sequence[str] = ANEW  # a test may put another in front

    @property
    def config(self) -> Path:
        """Return the path of node.toml."""
        return self.folder / "node.toml"

    @property
    def log(self) -> Path:
        """Return the printed output of all runs, in order."""
        return self.folder / "node.log"

    @property
    def settings(self) -> Mapping[str, object]:
        """Return the settings in node.toml."""
        return tomllib.loads(self.config.read_text())

    @property
    def address(self) -> str:
        """Return the address for officers and peers, "host:port"."""
        return str(self.settings["listen"])

    @property
    def data(self) -> Path:
        """Return the data folder."""
        return self.folder / "data"

    @property
    def admin_socket(self) -> Path:
        """Return the path of the admin socket."""
        return self.folder / str(self.settings["admin_socket"])

    @property
    def pid(self) -> int:
        """The process id; only while it runs."""
        assert self.process is not None, f"{self.member} was not started"
        return self.process.pid

    @property
    def running(self) -> bool:
        """Whether the process is there."""
        return self.process is not None and self.process.poll() is None

    def configure(self, **settings: object) -> None:
        """Set settings of node.toml (strings, numbers, lists, tables of them); None removes one. For the next start."""
        text = self.config.read_text()
        for name, value in settings.items():
            text = re.sub(rf"^{re.escape(name)} *=.*\n", "", text, flags=re.MULTILINE)
            if value is not None:
                # JSON's strings, numbers and lists are TOML's; settings of tables never follow in this file.
                text = f"{name} = {_toml(value)}\n{text}"
        self.config.write_text(text)

    def start(self, *, wait: bool = True, environment: Mapping[str, str] | None = None) -> None:
        """Run the node and, unless told otherwise, return when it serves."""
        assert not self.running, f"{self.member} runs already"
        command = [*self.program, "run", "--config", str(self.config)]
        with self.log.open("ab") as log:
            self.process = launched(command, log, environment)
        if wait:
            self.wait_until_serving()

    def wait_until_serving(self, seconds: float = START_SECONDS) -> None:
        """Return when the node answers on its admin socket and its port; NodeFailedError when it ends or is late."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if not self.running:
                raise NodeFailedError(f"{self.member} ended with {self._code()} while starting:\n{self.log_tail()}")
            if self._answers():
                self.admit_listed()
                return
            time.sleep(POLL_SECONDS)
        raise NodeFailedError(f"{self.member} does not serve after {seconds:.0f} s:\n{self.log_tail()}")

    def status(self) -> admin_pb2.GetStatusResponse:
        """Ask the node over its admin socket how it stands."""
        with grpc.insecure_channel(f"unix:{self.admin_socket}") as channel:
            stub = admin_pb2_grpc.AdminServiceStub(channel)
            return stub.GetStatus(admin_pb2.GetStatusRequest(), timeout=STATUS_SECONDS)

    def admit_listed(self) -> None:
        """Admit the officers in officers.json, as the operator does after the first start; later it changes nothing."""
        listed = self.folder / "officers.json"
        if listed.exists() and not self.status().officers.active:
            with AdminClient(self.admin_socket) as client:
                client.admit_officers(read_file(listed.read_bytes()))

    def stop(self) -> int:
        """Ask the node to stop and wait until it has; gives its exit code, 0 where it was not running."""
        if self.process is None:
            return 0
        if self.running:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            raise NodeFailedError(f"{self.member} does not stop:\n{self.log_tail()}") from None

    def kill(self) -> None:
        """End the node as a power cut would (SIGKILL)."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def log_tail(self) -> str:
        """Return the last lines it printed."""
        lines = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        return "\n".join(lines[-LOG_LINES:])

    def _answers(self) -> bool:
        if not self.admin_socket.exists():
            return False
        try:
            if self.status().standby:
                return False
            host, _, port = self.address.rpartition(":")
            socket.create_connection((host, int(port)), STATUS_SECONDS).close()
        except (grpc.RpcError, OSError):
            return False
        return True

    def _code(self) -> int | None:
        return None if self.process is None else self.process.poll()


def _toml(value: object) -> str:
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{name} = {_toml(each)}' for name, each in value.items())} }}"
    return json.dumps(value, ensure_ascii=False)


class Federation:
    """The members' nodes and the folder they were made in (laid out by `paiza-trust dev`)."""

    def __init__(self, folder: Path, members: Sequence[str]) -> None:
        self.folder = folder
        self.nodes = {member: NodeProcess(member, folder / "nodes" / member) for member in members}

    @classmethod
    def create(cls, folder: Path, members: Sequence[str], *, databases: Mapping[str, str] | None = None) -> Self:
        """Make a federation in a folder that is not there yet; ``databases`` gives members another database URL."""
        with patch.object(os, "fsync", lambda _handle: None):  # of 200 files; no test cuts the power meanwhile
            dev.create(folder, members, base_port=free_ports(len(members)))
        federation = cls(folder, members)
        for member, url in (databases or {}).items():
            federation.node(member).configure(database=url)
        return federation

    @property
    def home(self) -> Path:
        """The officers' profiles: what PAIZA_HOME is set to."""
        return self.folder / "home"

    def node(self, member: str) -> NodeProcess:
        """One member's node."""
        return self.nodes[member]

    def start(self, *members: str) -> None:
        """Start these nodes, or all, at the same time; returns when all of them serve."""
        chosen = [self.nodes[member] for member in members or self.nodes]
        for node in chosen:
            node.start(wait=False)
        for node in chosen:
            node.wait_until_serving()

    def stop(self) -> None:
        """Stop every node that runs, at the same time, and wait for all."""
        for node in self.nodes.values():
            if node.running:
                assert node.process is not None
                node.process.send_signal(signal.SIGTERM)
        for node in self.nodes.values():
            node.stop()

    def register(self) -> Register:
        """Return the newest register that its nodes hold."""
        return read_register(self.folder)

    def change(self, what: str, **of: Any) -> RegisterFile:
        """Let the custodians decide a change (`paiza_register.ceremony.change`); no node has the result yet."""
        return decided(self.folder, change(what, base_of(self.folder), datetime.now(UTC), **of))

    def publish(self, role: str, files: Mapping[str, bytes] = MappingProxyType({})) -> RegisterFile:
        """Publish files of a role with its own key; without any the role is signed anew. No node has the result yet."""
        return decided(self.folder, publication(role, files, base_of(self.folder), datetime.now(UTC)))

    def edit(self, member: str, name: str, edit: Callable[[dict[str, Any]], object]) -> RegisterFile:
        """Edit a file of a member, such as "member" or "revoked", and publish it; no node has the result yet."""
        path = f"members/{member}/{name}.json"
        role = roles.role_of(path) or member
        data = base_of(self.folder).target(role, path)
        assert data is not None, path
        document = json.loads(data)
        edit(document)
        return self.publish(role, {path: json.dumps(document).encode()})

    def join(self, register: RegisterFile, *members: str) -> None:
        """Put a register into these nodes, or all, none of which runs."""
        chosen = members or tuple(self.nodes)
        assert not any(self.nodes[member].running for member in chosen), f"one of {chosen} still runs"
        join_nodes(self.folder, register, chosen)

    def forget(self) -> None:
        """Remove what the stopped nodes stored, so that they begin anew under the same keys and register."""
        register = newest(self.folder)
        for node in self.nodes.values():
            assert not node.running, f"{node.member} still runs"
            shutil.rmtree(node.data, ignore_errors=True)
        self.join(register)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for node in self.nodes.values():
            node.kill()
            # Where the folder's path is too long for a socket, its socket stands in a folder of its own.
            if not node.admin_socket.is_relative_to(self.folder):
                shutil.rmtree(node.admin_socket.parent, ignore_errors=True)


_given: Final[set[int]] = set()  # to callers in this process, whom the locks do not keep apart


def free_ports(count: int) -> int:
    """Find neighbouring loopback ports that nobody listens on; gives the first.

    They belong to this process until it ends: what one run of the tests found is not yet listened on, or not at the
    moment, when another looks.
    """
    for _ in range(200):
        first = random.randint(FIRST_PORT, LAST_PORT - count)
        found = range(first, first + count)
        if not _given.isdisjoint(found):
            continue
        sockets = [socket.socket() for _ in range(count)]
        try:
            # A byte of the file for each port; locks end with the process, however it ends.
            fcntl.lockf(_reserved(), fcntl.LOCK_EX | fcntl.LOCK_NB, count, first)
            for port, each in zip(found, sockets, strict=True):
                each.bind(("127.0.0.1", port))
        except OSError:
            continue
        else:
            _given.update(found)
            return first
        finally:
            for each in sockets:
                each.close()
    raise NodeFailedError(f"no {count} neighbouring free ports between {FIRST_PORT} and {LAST_PORT}")


@cache
def _reserved() -> int:
    """Open the file of reservations, once: to close it would give all of them back.

    All runs on a machine share it, wherever each keeps its other files.
    """
    path = Path("/tmp") / f"paiza-test-ports-{os.getuid()}"  # noqa: S108 - locks only; its name holds the user
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
