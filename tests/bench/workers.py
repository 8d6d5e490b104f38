"""Row "workers": what verifying a message costs the node's own process, with and without worker processes.

Only processor time is compared: with as many processes as cores the time on the clock says nothing about more cores.
"""

import resource
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Final

from paiza.officer.v1.officer_pb2 import SubmitRequest
from paiza_node.core.executors.check_worker import Timed
from paiza_node.core.executors.check_workers import CheckWorkers
from paiza_node.core.executors.fair_threads import Slices
from paiza_wire import message
from paiza_wire.identity import CertificateVerifier
from tests.bench.figures import Figure
from tests.bench.run import Run
from tests.registers import read_register

WORKERS: Final = 2
REPEATS: Final = 5
MESSAGES: Final = 1024
MICROSECONDS: Final = 1e6
START_SECONDS: Final = 60.0


def measure(run: Run) -> Iterator[Figure]:
    """Verify the same messages in turn with workers and without."""
    verifier = read_register(run.federation.folder).certificate_verifier()
    now = datetime.now(UTC)
    requests = map(SubmitRequest.FromString, run.corpus.requests(MESSAGES))
    messages = [(item.message, now) for request in requests for item in request.items]
    workers, alone = CheckWorkers(WORKERS), CheckWorkers()
    try:
        _wait(workers)
        _verify(workers, messages, verifier)  # the workers are warm, and know the register
        here: list[float] = []
        there: list[float] = []
        for _ in range(REPEATS):
            here.append(_verify(alone, messages, verifier))
            there.append(_verify(workers, messages, verifier))
    finally:
        workers.close()
    yield Figure(
        name="verifying with workers",
        samples=tuple(there),
        unit="µs of the node's own",
        beside=f"{sorted(here)[REPEATS // 2]:.0f} µs without workers; a message of {len(messages[0][0]):,} bytes",
        notes=("no claim about messages/s on more cores: that takes a machine with more cores",),
    )


def _wait(workers: CheckWorkers) -> None:
    end = time.monotonic() + START_SECONDS
    while workers.idle < WORKERS:
        if time.monotonic() > end:
            raise RuntimeError("the worker processes did not start")
        time.sleep(0.01)


def _verify(workers: CheckWorkers, messages: Sequence[Timed], verifier: CertificateVerifier) -> float:
    """Return the processor time of this process for a message, in µs."""
    before = _own_seconds()
    elsewhere = _result(workers.verify(messages, verifier))
    for (data, at), there in zip(messages, elsewhere, strict=True):
        (message.read_verified if there else message.verify)(data, verifier, at=at)
    return (_own_seconds() - before) / len(messages) * MICROSECONDS


def _result(slices: Slices[list[bool]]) -> list[bool]:
    while True:
        try:
            next(slices)
        except StopIteration as end:
            found: list[bool] = end.value
            return found


def _own_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime
