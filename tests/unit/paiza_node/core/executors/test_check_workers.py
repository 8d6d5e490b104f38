"""Worker processes: they verify what this process would, and their end costs nothing but time."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Final

import pytest

from paiza.core.v1 import message_pb2 as pb
from paiza_node.core.executors import check_workers
from paiza_node.core.executors.check_worker import Timed
from paiza_node.core.executors.check_workers import LEAST_SHARE, MOST_WORKERS, OWN_CORES, SHARE, CheckWorkers
from paiza_node.core.executors.fair_threads import Slices
from paiza_wire import message as wire
from paiza_wire.errors import Rejected
from paiza_wire.identity import CertificateVerifier
from tests.unit.paiza_wire.minting import NOW, Federation, mint_member, signed_message
from tests.unit.paiza_wire.mutating import mutated, mutations

WORKERS: Final = 2
SECONDS: Final = 180.0  # for a worker to start on a busy machine


@pytest.fixture(scope="module")
def federation() -> Federation:
    """Three members."""
    return Federation({member: mint_member(member) for member in ("aaa", "bbb", "ccc")})


@pytest.fixture(scope="module")
def verifier(federation: Federation) -> CertificateVerifier:
    """The verifier of their certificates."""
    return federation.verifier()


@pytest.fixture(scope="module")
def sent(federation: Federation) -> bytes:
    """A message that verifies."""
    return signed_message(federation["aaa"], [federation["bbb"], federation["ccc"]])


@pytest.fixture
def workers(monkeypatch: pytest.MonkeyPatch) -> Iterator[CheckWorkers]:
    """Two workers, whatever the machine; those that end are replaced at once."""
    monkeypatch.setattr(check_workers, "LOOK_SECONDS", 0.05)
    monkeypatch.setattr(check_workers, "FIRST_PAUSE_SECONDS", 0.05)
    made = CheckWorkers(WORKERS)
    yield made
    made.close()
    assert not any(map(runs, made.pids))


def until(condition: Callable[[], bool]) -> None:
    """Wait for what takes a moment."""
    end = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def runs(pid: int) -> bool:
    """Return whether a process has not ended."""
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False


def done(slices: Slices[list[bool]]) -> list[bool]:
    """Do work to its end."""
    while True:
        try:
            next(slices)
        except StopIteration as end:
            found: list[bool] = end.value
            return found


def checked(
    workers: CheckWorkers, messages: Sequence[Timed], verifier: CertificateVerifier
) -> tuple[list[str], list[bool]]:
    """Check messages as the node does; return the verdicts ("" for none against it), and which of them workers spared.

    What a worker verified is read, and all else is verified here.
    """
    elsewhere = done(workers.verify(messages, verifier))
    assert len(elsewhere) == len(messages)
    verdicts = []
    for (message, at), there in zip(messages, elsewhere, strict=True):
        try:
            (wire.read_verified if there else wire.verify)(message, verifier, at=at)
            verdicts.append("")
        except Rejected as refused:
            verdicts.append(refused.reason)
    return verdicts, elsewhere


def alone(messages: Sequence[Timed], verifier: CertificateVerifier) -> list[str]:
    """Return the verdicts of this process without workers."""
    return checked(CheckWorkers(), messages, verifier)[0]


def each_kind(sent: bytes) -> list[Timed]:
    """Return a good message, every message with one field of it changed, and others that are refused."""
    signed = pb.SignedMessage.FromString(sent)
    header = pb.Header.FromString(signed.header)
    changed = [mutated(signed, path, how) for path, how in mutations(pb.SignedMessage.DESCRIPTOR)]
    for path, how in mutations(pb.Header.DESCRIPTOR):
        with suppress(AssertionError, ValueError, IndexError):
            bent = mutated(header, path, how).SerializeToString(deterministic=True)
            changed.append(pb.SignedMessage(header=bent, signatures=signed.signatures))
            changed[-1].MergeFrom(pb.SignedMessage(subject=signed.subject, wraps=signed.wraps, parts=signed.parts))
    messages = [each.SerializeToString(deterministic=True) for each in changed]
    messages += [sent, b"", b"\xff", sent[:-1], sent + b"\x00", bytes(wire.MAX_MESSAGE_BYTES + 1)]
    times = [NOW - timedelta(days=4000), NOW + timedelta(days=4000)]
    return [*((each, NOW) for each in messages), *((sent, at) for at in times)]


def test_workers_say_of_every_kind_of_message_what_this_process_says(
    workers: CheckWorkers, sent: bytes, verifier: CertificateVerifier
) -> None:
    """Every field changed, garbage, other times: exactly what verifies here is spared, and read as the same message."""
    until(lambda: workers.idle == WORKERS)
    messages = each_kind(sent)
    verdicts, elsewhere = checked(workers, messages, verifier)
    assert verdicts == alone(messages, verifier)
    assert elsewhere == [not verdict for verdict in verdicts]
    assert len(set(verdicts)) > 10, "few kinds of refusal: the table is not what it was"
    assert wire.read_verified(sent, verifier, at=NOW) == wire.verify(sent, verifier, at=NOW)


def test_revocation_counts_for_the_next_message(
    workers: CheckWorkers, sent: bytes, verifier: CertificateVerifier
) -> None:
    """A worker verifies by the register of each request, and goes back to an older one."""
    until(lambda: workers.idle == WORKERS)
    (signer,) = {signer.fingerprint for signer in wire.verify(sent, verifier, at=NOW).signers[:1]}
    revoking = CertificateVerifier(
        {name: replace(each, revoked=frozenset({signer})) for name, each in verifier.authorities.items()}
    )
    messages = [(sent, NOW)] * (2 * LEAST_SHARE)
    for used, reason in ((verifier, ""), (revoking, "certificate_revoked"), (verifier, "")):
        verdicts, elsewhere = checked(workers, messages, used)
        assert verdicts == [reason] * len(messages)
        assert elsewhere == [not reason] * len(messages)


@pytest.mark.parametrize("count", [0, 1, LEAST_SHARE - 1, LEAST_SHARE, 2 * SHARE, 2 * SHARE + 1, 256])
def test_batches_are_shared_in_order(
    workers: CheckWorkers, sent: bytes, verifier: CertificateVerifier, count: int
) -> None:
    """Whatever the size of a batch, each answer is at its message's place; a small one is verified here."""
    until(lambda: workers.idle == WORKERS)
    bad = set(range(0, count, 5))
    messages = [(sent[:-1] if at in bad else sent, NOW) for at in range(count)]
    verdicts, elsewhere = checked(workers, messages, verifier)
    assert [not verdict for verdict in verdicts] == [at not in bad for at in range(count)]
    assert any(elsewhere) == (count >= LEAST_SHARE)


def replaced(workers: CheckWorkers, pids: Sequence[int]) -> bool:
    """Return whether others have taken the place of these workers."""
    return workers.idle == WORKERS and not {*workers.pids} & {*pids}


def kill(*pids: int) -> None:
    """Kill processes as the kernel does when memory is short."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize("moment", ["before", "while one checks", "while all check", "after", "while starting"])
def test_killed_workers_cost_nothing_but_time(
    workers: CheckWorkers, sent: bytes, verifier: CertificateVerifier, moment: str
) -> None:
    """Whenever workers are killed every message gets its verdict, and others take their place."""
    messages = [((sent, sent[:-1])[at % 3 == 2], NOW) for at in range(4 * SHARE)]
    expected = ["" if at % 3 != 2 else "malformed" for at in range(len(messages))]
    if moment == "while starting":
        until(lambda: len(workers.pids) == WORKERS)
        kill(*workers.pids)
        assert checked(workers, messages, verifier)[0] == expected
    until(lambda: workers.idle == WORKERS)
    pids = workers.pids
    if moment == "after":
        assert checked(workers, messages, verifier)[0] == expected
    if moment in ("before", "after"):
        kill(*pids)
        assert checked(workers, messages, verifier)[0] == expected
    if moment.startswith("while") and moment != "while starting":
        killed = pids[:1] if moment == "while one checks" else pids
        for pid in killed:
            os.kill(pid, signal.SIGSTOP)  # it takes the messages, and does not answer
        timer = threading.Timer(0.3, kill, killed)
        timer.start()
        verdicts, elsewhere = checked(workers, messages, verifier)
        timer.join()
        assert verdicts == expected
        assert not all(elsewhere)
    if moment != "while starting":
        until(lambda: workers.idle == WORKERS and {*workers.pids} != {*pids})
    verdicts, elsewhere = checked(workers, messages, verifier)
    assert verdicts == expected
    assert elsewhere == [not reason for reason in expected]


def test_worker_that_hangs_is_replaced(
    workers: CheckWorkers, sent: bytes, verifier: CertificateVerifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that does not answer holds a batch up for a moment, once."""
    until(lambda: workers.idle == WORKERS)
    monkeypatch.setattr(check_workers, "ANSWER_SECONDS", 0.2)
    first = workers.pids
    kill(*first)
    until(lambda: replaced(workers, first))
    hanging = workers.pids
    for pid in hanging:
        os.kill(pid, signal.SIGSTOP)
    messages = [(sent, NOW)] * 256
    assert checked(workers, messages, verifier)[0] == [""] * 256
    assert not any(map(runs, hanging))


def test_several_threads_use_the_workers_at_once(
    workers: CheckWorkers, sent: bytes, verifier: CertificateVerifier
) -> None:
    """Each gets the verdicts of its own messages, while workers are killed."""
    until(lambda: workers.idle == WORKERS)
    results: dict[int, list[str]] = {}

    def check(number: int) -> None:
        messages = [((sent, sent[:-1])[at % (number + 2) == 0], NOW) for at in range(3 * SHARE)]
        results[number] = checked(workers, messages, verifier)[0]

    threads = [threading.Thread(target=check, args=[number]) for number in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(5):
        kill(*workers.pids[:1])
        time.sleep(0.02)
    for thread in threads:
        thread.join()
    for number, verdicts in results.items():
        assert verdicts == ["" if at % (number + 2) else "malformed" for at in range(3 * SHARE)]
    assert sorted(results) == list(range(4))


PARENT: Final = """
import time
from paiza_node.core.executors.check_workers import CheckWorkers
if __name__ == "__main__":
    workers = CheckWorkers(2)
    while not workers.idle == 2:
        time.sleep(0.01)
    print(*workers.pids, flush=True)
    time.sleep(600)
"""


def test_workers_end_with_their_node() -> None:
    """Killed or not, the node leaves no process behind."""
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        pids = [int(each) for each in parent.stdout.readline().split()]
        assert len(pids) == 2
        assert all(map(runs, pids))
        parent.kill()
    until(lambda: not any(map(runs, pids)))


def test_workers_ignore_the_signals_that_stop_a_node(
    workers: CheckWorkers, sent: bytes, verifier: CertificateVerifier
) -> None:
    """While a node stops it still checks what it has begun."""
    until(lambda: workers.idle == WORKERS)
    for pid in workers.pids:
        os.kill(pid, signal.SIGTERM)
        os.kill(pid, signal.SIGINT)
    assert checked(workers, [(sent, NOW)] * 32, verifier)[1] == [True] * 32


def test_workers_get_nothing_of_the_nodes_environment(workers: CheckWorkers, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may hold the password of a database."""
    until(lambda: workers.idle == WORKERS)
    monkeypatch.setenv("PAIZA_DATABASE", "secret")
    first = workers.pids
    kill(*first)
    until(lambda: replaced(workers, first))
    for pid in workers.pids:
        names = {line.partition("=")[0] for line in Path(f"/proc/{pid}/environ").read_text().split("\0") if line}
        assert names <= {*check_workers.PASSED, "LC_CTYPE"}
        descriptors = [str(each.readlink()) for each in Path(f"/proc/{pid}/fd").iterdir()]
        assert sorted(each.partition(":")[0] for each in descriptors) == ["/dev/null", "/dev/null", "socket"]


@pytest.mark.parametrize(
    ("cores", "quota", "count"),
    [
        (1, "", 0),
        (2, "", 0),
        (3, "", 1),
        (4, "max 100000", 2),
        (64, "", MOST_WORKERS),
        (64, "250000 100000", 0),
        (64, "300000 100000", 1),
        (3, "800000 100000", 1),
        (4, "nonsense", 2),
    ],
)
def test_number_of_workers_follows_from_the_cores(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, cores: int, quota: str, count: int
) -> None:
    """Two cores are the node's own, also of those that a container may use; nobody sets anything."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: set(range(cores)))
    monkeypatch.setattr(check_workers, "CPU_QUOTA", tmp_path / "cpu.max")
    if quota:
        (tmp_path / "cpu.max").write_text(f"{quota}\n")
    assert check_workers.spare_cores() == count
    assert OWN_CORES == 2


def test_without_workers_there_is_no_process_and_no_thread() -> None:
    """As on two cores."""
    before = set(threading.enumerate())  # of which some may end meanwhile
    workers = CheckWorkers()
    assert (workers.pids, workers.idle) == ([], 0)
    assert set(threading.enumerate()) <= before
    workers.close()
