"""Worker processes that verify messages beside this process, which Python lets use one core at a time.

A worker is given bytes and answers which messages verify (`check_worker`). Every other message, which it refused, or on
which it died, failed or is late, is verified here as if there were no workers. So a worker's end costs time and nothing
else, and every refusal is this process's own.

A worker is believed if it says that a message verifies. This process reads the same bytes with the same libraries, so
whatever takes over a worker could take over the node as well; checking some of its answers again would find neither a
single false one nor what such a worker can do as the node's user. `paiza-node verify` checks every stored signature.

What needs a key of the node stays here: the parts of a message are opened by this process.

There are workers only with cores to spare (`spare_cores`): on two cores they would take turns with this process.
"""

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

import structlog

from paiza_node.core.executors.check_worker import READY, VERIFIED, Timed, authorities_request, messages_request
from paiza_node.core.executors.fair_threads import Slices
from paiza_node.core.executors.periodic import backoff
from paiza_wire.identity import CertificateVerifier

OWN_CORES: Final = 2  # for the threads of this process, which run Python one at a time, and for what they call
MOST_WORKERS: Final = 4  # each about 35 MB; more would verify faster than one ledger commits
SHARE: Final = 32  # messages for one worker at a time: some milliseconds, after which another caller has its turn
LEAST_SHARE: Final = 8  # messages; for fewer the way to a worker and back costs more than verifying
START_SECONDS: Final = 60.0  # for a worker to start
ANSWER_SECONDS: Final = 5.0  # for an answer, which takes milliseconds; then the worker is replaced
LOOK_SECONDS: Final = 5.0  # between two looks for workers that have ended
FIRST_PAUSE_SECONDS: Final = 1.0  # after a worker that did not start
LONGEST_PAUSE_SECONDS: Final = 60.0
END_SECONDS: Final = 5.0  # for workers to end with the node

CPU_QUOTA: Final = Path("/sys/fs/cgroup/cpu.max")  # of the control group: two numbers of microseconds

PASSED: Final = ("PATH", "LANG", "LD_LIBRARY_PATH", "PYTHONHOME", "PYTHONPATH")
"""The environment of a worker: that of the node may hold passwords."""

log = structlog.get_logger("paiza.executors")


def spare_cores() -> int:
    """Return how many worker processes the cores of this process are enough for."""
    return min(MOST_WORKERS, max(0, min(len(os.sched_getaffinity(0)), _quota()) - OWN_CORES))


def _quota() -> int:
    """Return how many cores' time the container may use, rounded down; a large number if that is not limited."""
    with suppress(OSError, ValueError):
        quota, _, period = CPU_QUOTA.read_text().partition(" ")
        return int(quota) // int(period)  # "max" if it is not limited
    return sys.maxsize


class _Worker:
    """One worker process. Used by one thread at a time."""

    def __init__(self) -> None:
        """Start the process: a fresh interpreter, since a copy of one that has threads may hang."""
        self._connection, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "paiza_node.core.executors.check_worker"],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env={name: os.environ[name] for name in PASSED if name in os.environ},
            )
        self._verifier: CertificateVerifier | None = None

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def runs(self) -> bool:
        """Whether the process has not ended."""
        return self._process.poll() is None

    def wait_until_ready(self) -> None:
        """Return once the worker has started."""
        self._connection.settimeout(START_SECONDS)
        self._receive(len(READY))
        self._connection.settimeout(ANSWER_SECONDS)

    def send(self, messages: Sequence[Timed], verifier: CertificateVerifier) -> None:
        """Send messages; `answer` must follow."""
        if self._verifier is not verifier:
            self._connection.sendall(authorities_request(verifier.authorities))
            self._verifier = verifier
        self._connection.sendall(messages_request(messages))

    def answer(self, count: int) -> list[bool]:
        """Return which of the messages sent verify."""
        return [each == VERIFIED for each in self._receive(count)]

    def end(self) -> None:
        """Cut the connection, upon which the process ends; whoever waits for an answer gets none."""
        with suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)

    def wait(self) -> None:
        """Wait for the end of the process, and kill it if it takes too long."""
        try:
            self._process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._connection.close()

    def kill(self) -> None:
        """Kill the process."""
        self._process.kill()
        self.wait()

    def _receive(self, count: int) -> bytes:
        received = b""
        while len(received) < count:
            if not (part := self._connection.recv(count - len(received))):
                raise ConnectionError("the worker has ended")
            received += part
        return received


class CheckWorkers:
    """The workers of this process. Thread-safe."""

    def __init__(self, count: int = 0) -> None:
        """Start so many, each used once it is ready; none by default."""
        self._count = count
        self._guard = threading.Lock()
        self._all: list[_Worker] = []
        self._idle: list[_Worker] = []
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="check-workers", daemon=True)
        if count:
            self._thread.start()

    @property
    def pids(self) -> list[int]:
        """Return the process ids of the workers, also of those that start."""
        with self._guard:
            return [worker.pid for worker in self._all]

    @property
    def idle(self) -> int:
        """Return how many workers wait for messages."""
        return len(self._idle)

    def verify(self, messages: Sequence[Timed], verifier: CertificateVerifier) -> Slices[list[bool]]:
        """Return for each message whether a worker verified it, with pauses; all others are to be verified here."""
        found: list[bool] = []
        while self._idle and len(messages) - len(found) >= LEAST_SHARE:
            found += self._verify_some(messages[len(found) :], verifier)
            yield
        return found + [False] * (len(messages) - len(found))

    def close(self) -> None:
        """End the workers; what they have begun is verified here."""
        with self._guard:
            self._closed.set()
            for worker in self._all:
                worker.end()
        if self._count:
            self._thread.join()
        for worker in self._all:
            worker.wait()

    def _verify_some(self, messages: Sequence[Timed], verifier: CertificateVerifier) -> list[bool]:
        """Share the first messages among the idle workers."""
        with self._guard:
            workers = self._idle[: len(messages) // LEAST_SHARE]
            del self._idle[: len(workers)]
        size = min(SHARE, -(-len(messages) // max(1, len(workers))))
        shares = [messages[begin : begin + size] for begin in range(0, size * len(workers), size)]
        sent: list[tuple[_Worker | None, Sequence[Timed]]] = []
        for worker, share in zip(workers, shares, strict=True):
            try:
                worker.send(share, verifier)
                sent.append((worker, share))
            except OSError:
                self._drop(worker)
                sent.append((None, share))
        found: list[bool] = []
        for asked, share in sent:
            found += [False] * len(share) if asked is None else self._answer(asked, len(share))
        return found

    def _answer(self, worker: _Worker, count: int) -> list[bool]:
        try:
            found = worker.answer(count)
        except OSError:
            self._drop(worker)
            return [False] * count
        with self._guard:
            self._idle.append(worker)
        return found

    def _drop(self, worker: _Worker) -> None:
        """Forget a worker that ended, failed or is late. Another is started at the next look."""
        with self._guard:
            self._all.remove(worker)
        worker.kill()
        if not self._closed.is_set():
            log.warning("check_worker_ended", pid=worker.pid)

    def _keep(self) -> None:
        """Start the workers, and others for those that end: not at once, since a message may have ended them."""
        failures = 0
        while not self._closed.is_set():
            try:
                self._fill()
                failures = 0
            except OSError as error:
                failures += 1
                if not self._closed.is_set():
                    log.warning("check_worker_not_started", detail=str(error))
            self._closed.wait(
                backoff(failures, FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS) if failures else LOOK_SECONDS
            )

    def _fill(self) -> None:
        with self._guard:
            ended = [worker for worker in self._idle if not worker.runs]
            self._idle = [worker for worker in self._idle if worker not in ended]
            missing = self._count - len(self._all) + len(ended)
        for worker in ended:
            self._drop(worker)
        failure: OSError | None = None
        for worker in self._start(missing):
            try:
                worker.wait_until_ready()
            except OSError as error:
                self._drop(worker)
                failure = error
                continue
            with self._guard:
                self._idle.append(worker)
        if failure is not None:
            raise failure

    def _start(self, count: int) -> list[_Worker]:
        with self._guard:
            started = [] if self._closed.is_set() else [_Worker() for _ in range(count)]
            self._all += started
        return started
