"""Every write, rename and fsync of the commit path fails once, in each way it can; nothing acknowledged is lost.

`make faults` makes every trial, or one in PAIZA_FAULTS_EVERY, from PAIZA_FAULTS_FIRST on (else drawn); `make system` a
few, the same ones in every run. The disk that fails is compiled (`tests/faults/failing_disk.c`): without a compiler
nothing here runs, and says so.
"""

import asyncio
import errno
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import grpc
import pytest

from paiza.core.v1 import delivery_pb2
from paiza.officer.v1 import officer_pb2, officer_pb2_grpc
from tests import attaching
from tests.faults import disk, nodes
from tests.federation import Federation
from tests.officer import Officer
from tests.system.campaign import check_by_program

EVERY: Final = int(os.environ.get("PAIZA_FAULTS_EVERY", "160"))
DRAWN: Final = random.randrange(EVERY) if "PAIZA_FAULTS_EVERY" in os.environ else 7
FIRST: Final = int(os.environ.get("PAIZA_FAULTS_FIRST", str(DRAWN)))
SUBMIT_SECONDS: Final = 60.0
BROKEN_SECONDS: Final = 8.0  # that a disk is away: every duty of a node that has a rhythm comes to feel it
ATTACHED_BYTES: Final = 96 * 1024 * 1024  # fetched at 64 MiB a second at most
NODE_TRIALS: Final = int(os.environ.get("PAIZA_FAULTS_NODES", "1"))
NODE_TRIAL_SECONDS: Final = 60.0  # a limit, not a measure: eight are usual
SHARES: Final = 8  # of all trials, so that workers can divide them
TRIAL_SECONDS: Final = 5.0  # a limit, not a measure: a third of a second is usual
TRIALS: Final = 10_000  # more than there are, for the limit on time
MEMORY_BYTES: Final = 1024 * 1024 * 1024  # three times what a test takes: containers often have 64 MiB
# What changes a file or what is on disk of it, as strace names it, and as the disk counts it.
CALLS: Final = {
    "write": "write",
    "pwrite64": "pwrite",
    "fsync": "fsync",
    "fdatasync": "fdatasync",
    "ftruncate": "ftruncate",
    "rename": "rename",
    "renameat": "rename",
    "renameat2": "rename",
    "unlink": "unlink",
    "unlinkat": "unlink",
    "mkdir": "mkdir",
    "mkdirat": "mkdir",
}
# What would change one too, and must not be used before the disk knows it.
UNKNOWN: Final = "writev,pwritev,pwritev2,truncate,fallocate,copy_file_range,sendfile,splice,link,linkat,symlink,msync"
NAMED: Final = re.compile(
    r'^(?:\d+ +)?(?P<call>\w+)\((?:\d+<(?P<file>[^>]*)>|(?:AT_FDCWD(?:<[^>]*>)?, )?"(?P<path>[^"]*)")'
)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Compile the disk; skipped where nothing compiles it."""
    try:
        return disk.build(tmp_path_factory.mktemp("disk"))
    except disk.DiskMissingError as missing:
        pytest.skip(f"no disk can fail here: {missing}")


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory where there is room: what is on disk after a loss of power the failing disk knows itself."""
    memory = Path("/dev/shm")  # noqa: S108 - nothing secret, and a folder of its own in it
    if not os.access(memory, os.W_OK) or shutil.disk_usage(memory).free < MEMORY_BYTES:
        yield tmp_path
        return
    made = Path(tempfile.mkdtemp(prefix="paiza-faults-", dir=memory))
    yield made
    shutil.rmtree(made)


def commit_path(library: Path, folder: Path, *options: object) -> Any:
    """Run trials of the commit path; gives what they found."""
    Federation.create(folder / "federation", ["kaz", "tjk"])
    command = [sys.executable, "-m", "tests.faults.commit_path", folder / "federation", folder, *options]
    environment = {**os.environ, "LD_PRELOAD": str(library)}
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.timeout(600 + TRIAL_SECONDS * TRIALS / EVERY)
@pytest.mark.parametrize("share", range(SHARES if EVERY == 1 else 1))
def test_every_call_of_the_commit_path_fails_once(
    library: Path, folder: Path, share: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """Not made, half made, or made and reported as failed: what was acknowledged is there; the next start goes on."""
    every = EVERY * (SHARES if EVERY == 1 else 1)
    found = commit_path(library, folder, "--every", every, "--first", FIRST + share)
    results = found["results"]
    told = Counter(reason for each in results for reason in set(each["refused"]))
    with capsys.disabled():
        print(f"\n{len(results)} of {found['all']} trials (PAIZA_FAULTS_FIRST={FIRST}); refused with {dict(told)}")
    assert [each for each in results if each["wrong"]] == []
    assert sum(bool(each["reached"]) for each in results) >= len(results) * 0.95
    assert results


@pytest.mark.timeout(600 + NODE_TRIAL_SECONDS * NODE_TRIALS)
async def test_a_node_whose_disk_fails_loses_nothing(
    library: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Under load one call of a whole node fails, then it is gone; started again, it and its peer agree on all."""
    with Federation.create(folder / "federation", ["kaz", "tjk"]) as federation:
        failing = nodes.FailingNode(federation, FIRST, library, folder)
        calls = await failing.calls()
        for trial in nodes.chosen(calls, NODE_TRIALS, FIRST):
            with capsys.disabled():
                print(f"\n{trial}", end="")
            await failing.trial(trial)
    with capsys.disabled():
        print(f"\n{failing.figures.rounds} trials; {dict(failing.told)} (PAIZA_FAULTS_FIRST={FIRST})")


@pytest.mark.parametrize(
    "fault",
    [
        disk.Fault("f*sync", "*", 1, 10**9, "none"),
        disk.Fault("*", "*", 1, 10**9, "none", errno.EROFS),
        disk.Fault("*write", "*", 1, 10**9, "half", errno.ENOSPC),
    ],
    ids=["every fsync fails", "mounted read-only", "full"],
)
async def test_a_node_whose_disk_fails_for_a_while(library: Path, folder: Path, fault: disk.Fault) -> None:
    """Meanwhile nothing is acknowledged, and the node says why; afterwards the same process goes on by itself."""
    broken = folder / "broken"
    with Federation.create(folder / "federation", ["kaz", "tjk"]) as federation:
        node = federation.node("kaz")
        environment = disk.environment(library, node.data, fault=fault, only_while=broken)
        node.start(environment=environment)
        officer = Officer(federation.folder, "kaz-liaison")
        async with officer.channel() as channel:
            stub = officer_pb2_grpc.OfficerServiceStub(channel)
            before = await submit(stub, officer.compose(["tjk"]))
            assert before.WhichOneof("result") == "released"
            broken.touch()
            message = officer.compose(["tjk"])
            for _ in range(3):
                with pytest.raises(grpc.aio.AioRpcError) as refused:
                    await submit(stub, message)
                metadata = dict(refused.value.trailing_metadata() or ())
                assert metadata["paiza-reason"] in {"database_unavailable", "checkpoint_unsaved"}
            assert node.running
            broken.unlink()
            after = await submit(stub, message)
            assert after.WhichOneof("result") == "released"
        assert node.stop() == 0
        check_by_program(node)


@pytest.mark.parametrize(
    "fault",
    [disk.Fault("f*sync", "*", 1, 10**9, "none"), disk.Fault("*", "*", 1, 10**9, "none", errno.EROFS)],
    ids=["every fsync fails", "mounted read-only"],
)
async def test_a_receiver_whose_disk_fails_for_a_while(library: Path, folder: Path, fault: disk.Fault) -> None:
    """A missing disk ends no background task; a message and its attachment arrive when it is back."""
    broken = folder / "broken"
    with Federation.create(folder / "federation", ["kaz", "tjk"]) as federation:
        node = federation.node("tjk")
        federation.start("kaz")
        node.start(environment=disk.environment(library, node.data, fault=fault, only_while=broken))
        sender, receiver = Officer(federation.folder, "kaz-liaison"), Officer(federation.folder, "tjk-liaison")
        async with sender.channel() as sending, receiver.channel() as receiving:
            # The message arrives, and its attachment is being fetched: the disk fails in the middle of that.
            header = sender.header(["tjk"])
            sealed = attaching.seal(folder, header, ATTACHED_BYTES)
            assert (await attaching.bring(sending, sealed)).whole
            sent = await attaching.submit(sending, attaching.signed(sender, header, [sealed.said]))
            digest = sent.released.message_digest
            async with asyncio.timeout(SUBMIT_SECONDS):
                await attaching.arrived(receiving, digest)
            broken.touch()
            waiting = await attaching.submit(sending, sender.compose(["tjk"]))
            await asyncio.sleep(BROKEN_SECONDS)
            assert node.running, node.log_tail()
            broken.unlink()
            async with asyncio.timeout(2 * SUBMIT_SECONDS):
                (standing,) = await attaching.settled(receiving, digest)
                assert standing.state == delivery_pb2.ATTACHMENT_STATE_RECEIVED
                await attaching.arrived(receiving, waiting.released.message_digest)
        federation.stop()
        for each in federation.nodes.values():
            check_by_program(each)


async def submit(stub: "officer_pb2_grpc.OfficerServiceAsyncStub", message: bytes) -> officer_pb2.SubmitResult:
    """Submit one message."""
    request = officer_pb2.SubmitRequest(items=[officer_pb2.SubmitItem(message=message)])
    return (await stub.Submit(request, timeout=SUBMIT_SECONDS)).results[0]


def test_trials_find_a_database_that_is_not_synced(library: Path, folder: Path) -> None:
    """A loss of power is found to lose data if commits are acknowledged before they are synced."""
    results = commit_path(library, folder, "--careless")["results"]
    assert results
    assert all(each["wrong"] for each in results)


def test_no_call_goes_past_the_disk(library: Path, folder: Path) -> None:
    """Every call that changes a file of the node, as the kernel sees it, is one that the disk counts and can fail."""
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed: it is what sees the calls from outside")
    Federation.create(folder / "federation", ["kaz", "tjk"])
    data = folder / "federation" / "nodes" / "kaz" / "data"
    trace, journal = folder / "trace", folder / "journal"
    command = [sys.executable, "-m", "tests.faults.commit_path", folder / "federation", folder, "--work"]
    watched = ["strace", "-f", "-y", "-q", "-s", "0", "-e", f"trace={','.join(CALLS)},{UNKNOWN}", "-o", trace, *command]
    environment = disk.environment(library, data, journal=journal)
    done = subprocess.run(list(map(str, watched)), capture_output=True, text=True, check=False, env=environment)
    if "ptrace" in done.stderr or "PTRACE" in done.stderr:
        pytest.skip(f"strace may not look here: {done.stderr.strip()[:200]}")
    assert done.returncode == 0, done.stderr
    seen: Counter[tuple[str, str]] = Counter()
    for line in trace.read_text().splitlines():
        named = NAMED.match(line)
        path = Path((named["file"] or named["path"]) if named else "")
        if named and path.is_relative_to(data):
            seen[CALLS.get(named["call"], named["call"]), str(path.relative_to(data))] += 1
    counted = Counter(call for call in disk.calls(journal) if call[0] != "create")
    assert {kind for kind, _ in seen} >= {"pwrite", "fsync", "fdatasync", "rename"}
    # strace names a file by what it was, the disk by what it becomes: of renames only how many there are counts.
    assert _but_renames(seen) == _but_renames(counted)
    assert sum(seen.values()) == sum(counted.values())


def _but_renames(calls: Counter[tuple[str, str]]) -> Counter[tuple[str, str]]:
    return Counter({call: count for call, count in calls.items() if call[0] != "rename"})
