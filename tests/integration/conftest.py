"""Nodes of integration tests are copies, in turn, of two processes that have imported the program (`copier.py`).

A start takes a second of processor time, most of it for imports, and these tests start some hundred nodes. What whole
programs do from their first instruction on is the subject of `tests/system`.
"""

import itertools
import json
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Final

import pytest

from tests import federation
from tests.federation import ANEW, Process, launched

ROOT: Final = Path(__file__).parents[2]
COPIERS: Final = 2  # copies of one have the same order of sets; what two nodes must agree on may not depend on that


class Copy:
    """A node that was copied: what `subprocess.Popen` is for one that was started."""

    def __init__(self, told: socket.socket) -> None:
        """Keep the end of the pair on which the process id and the exit code are told."""
        self._told = told.makefile("rb", buffering=0)
        self._code: int | None = None
        told.close()
        self.pid = self._number()

    def poll(self) -> int | None:
        """Return the exit code, or None while it runs."""
        if self._code is None and select.select([self._told], [], [], 0)[0]:
            self._code = self._number()
            self._told.close()
        return self._code

    def wait(self, timeout: float | None = None) -> int:
        """Return the exit code once it has ended; ``subprocess.TimeoutExpired`` when that takes longer."""
        if self._code is None and not select.select([self._told], [], [], timeout)[0]:
            raise subprocess.TimeoutExpired(["paiza-node", "run"], timeout or 0)
        code = self.poll()
        assert code is not None
        return code

    def send_signal(self, number: int) -> None:
        """Send it a signal, unless it has ended."""
        if self.poll() is None:
            with suppress(ProcessLookupError):  # its keeper has noticed the end, and is about to tell it
                os.kill(self.pid, number)

    def kill(self) -> None:
        """End it as a power cut would."""
        self.send_signal(signal.SIGKILL)

    def _number(self) -> int:
        line = self._told.readline()
        assert line, "the process that is copied, or the keeper of a copy, has ended"
        return int(line)


class Copier:
    """A process that is copied; it starts with the first copy."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._requests, self._theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)

    def copy(self, arguments: Sequence[str], log: BinaryIO) -> Copy:
        """Copy it: a node with these arguments and the environment of this moment."""
        if self._process is None:
            program = [sys.executable, "-m", "tests.integration.copier", "run"]
            self._process = subprocess.Popen(program, stdin=self._theirs.fileno(), cwd=ROOT)
        told, theirs = socket.socketpair()
        request = {"arguments": arguments, "folder": str(Path.cwd()), "environment": dict(os.environ)}
        with theirs:
            socket.send_fds(self._requests, [json.dumps(request).encode()], [log.fileno(), theirs.fileno()])
        return Copy(told)

    def end(self) -> None:
        """End it; what was copied runs on."""
        self._requests.close()
        self._theirs.close()
        if self._process is not None:
            self._process.wait()


@pytest.fixture(scope="session", autouse=True)
def _nodes_are_copies() -> Iterator[None]:
    copiers = [Copier() for _ in range(COPIERS)]
    turns = itertools.cycle(copiers)

    def launch(command: Sequence[str], log: BinaryIO, environment: Mapping[str, str] | None) -> Process:
        """Copy a process, unless the node has a program or an environment of its own."""
        if tuple(command[: len(ANEW)]) != ANEW or environment is not None:
            return launched(command, log, environment)
        return next(turns).copy(command[len(ANEW) :], log)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(federation, "launched", launch)
        yield
    for copier in copiers:
        copier.end()
