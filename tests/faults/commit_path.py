"""The commit path on a disk that fails: store, ledger, checkpoint, attachments and archive of sets in one process.

    LD_PRELOAD=failing_disk.so python -m tests.faults.commit_path federation folder --every 50 --first 7

For every trial a process is forked from this one, which has everything imported and nothing open: it does
the work on a copy of the node's data while one call fails, and says over a pipe what was acknowledged. Then it is gone
(in order, or at once behind the first answer that follows the failure), the power is lost or not, and a second process
starts on what is left, does the same work again and has to find everything that the first one acknowledged.
"""

import argparse
import ctypes
import json
import os
import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from fnmatch import fnmatch
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import structlog
from sqlalchemy import select
from typing_extensions import override

from paiza.core.v1 import log_pb2
from paiza_node.core.errors import NodeStopped
from paiza_node.core.log import store as log_store
from paiza_node.core.log.checkpoint_file import CheckpointSlots
from paiza_node.core.log.ledger import Ledger
from paiza_node.core.log.signer import LogSigner
from paiza_node.core.log.transaction import LogTransaction
from paiza_node.core.storage import open_store
from paiza_node.core.storage import settings as settings_store
from paiza_node.features.attachments.files import AttachmentFiles
from paiza_node.ops import config, keys
from paiza_node.ops.cli.verify import verify
from paiza_register.archive import Archive
from paiza_wire import log_entries
from paiza_wire.errors import Unavailable
from tests.faults import disk
from tests.registers import read_register
from tests.system.ledgers import roots_at

ITEMS: Final = 4
ATTEMPTS: Final = 5  # of one piece of work: one failure must never cost more than a few
TEXT: Final = "x" * 3000  # of an entry: some pages of the database
CIPHERTEXT: Final = bytes(range(256)) * 160
SETS: Final = 2
STOPPED: Final = 3  # exit code: the process found that it must not go on
OTHERWISE: Final = 4  # exit code: it failed in a way that it must not


@dataclass(frozen=True)
class Trial:
    """One failure, and how the process and its machine end."""

    fault: disk.Fault
    abrupt: bool
    power: bool
    empty: bool = False
    answers: int = 0  # gone behind this many answers, whether or not a call failed; 0 where that is not asked

    @override
    def __str__(self) -> str:
        """Describe the trial in one line."""
        end = "gone at once" if self.abrupt else "ended in order"
        return f"{self.fault}; {end}; {'power lost' if self.power else 'power kept'}{'; new' if self.empty else ''}"


class Bench:
    """The state that all trials share: the node's settings and keys, and its data before each trial."""

    def __init__(self, federation: Path, folder: Path) -> None:
        self.config = config.load(federation / "nodes" / "kaz" / "node.toml")
        register = read_register(federation)
        self.version = register.version
        self.log_keys = keys.load_keys(self.config, register.member("kaz")).log
        self.data = self.config.data
        self.before = folder / "before"
        self.image = folder / "image"
        self.journal = folder / "journal"
        self.library = ctypes.CDLL(None)
        self.careless = False

    def begin(self, fault: disk.Fault | None) -> None:
        """Watch the data folder with the failing disk from now on."""
        self.library.disk_begin(
            os.fsencode(self.data),
            os.fsencode(self.image),
            os.fsencode(self.journal),
            str(fault).encode() if fault else None,
            None,
        )

    def failed(self) -> bool:
        """Return whether a call has failed."""
        self.library.disk_failed.restype = ctypes.c_long
        return bool(self.library.disk_failed())


Tell = Callable[[dict[str, Any]], None]


def work(bench: Bench, tell: Tell) -> None:
    """Do everything once: what was done before is found, and answered as it was then."""
    with ExitStack() as closing:
        store = open_store(bench.config.database)
        closing.callback(store.close)
        if bench.careless:
            driver = store._connected().connection.driver_connection
            assert driver is not None
            driver.execute("PRAGMA synchronous = OFF")
        slots = CheckpointSlots(bench.data / "checkpoint")
        closing.callback(slots.close)
        ledger = Ledger(store, LogSigner(bench.log_keys), slots, lambda: bench.version)
        closing.callback(ledger.close)
        archive = Archive(bench.data / "sets")
        files = AttachmentFiles(bench.data / "attachments")
        for at in range(ITEMS):
            _try(tell, f"item {at}", lambda at=at: _item(ledger, f"item {at}".encode()))  # type: ignore[misc]
            if at < SETS:
                _try(tell, f"set {at}", lambda at=at: _archive(archive, at))  # type: ignore[misc]
        _try(tell, "attachment", lambda: _attach(files))
        _try(tell, "attached", lambda: _item(ledger, b"attached"))
    tell({"ended": True})


def _try(tell: Tell, name: str, do: Callable[[], Any]) -> None:
    for attempt in range(ATTEMPTS):
        try:
            answer = do()
        except (Unavailable, OSError) as error:
            tell({"refused": name, "why": getattr(error, "reason", str(error)), "last": attempt == ATTEMPTS - 1})
        else:
            tell({"done": name, "answer": answer})
            return


def _archive(archive: Archive, at: int) -> None:
    roots = {each: b"{root %d}" % each for each in range(1, at + 2)}
    archive.store(version(at), set_of(at), roots, [sha256(root).digest() for root in roots.values()])
    archive.make_current(version(at))


def _item(ledger: Ledger, name: bytes) -> tuple[int, int, str]:
    """Append an entry with a long text, unless it is there; gives its index and the checkpoint that covers it."""
    digest = sha256(name).digest()

    def write(tx: LogTransaction) -> int:
        for found in log_store.entries_of(tx.conn, digest):
            return found.index
        settings_store.put_setting(tx.conn, name.decode(), digest)
        entry = log_entries.done(actor="", digest=digest)
        return tx.append(entry, text=TEXT).index

    committed = ledger.commit_now(write)
    return committed.result, committed.checkpoint.size, committed.checkpoint.root.hex()


def _attach(files: AttachmentFiles) -> None:
    """Bring a ciphertext as an officer's upload does, unless it is here whole."""
    ciphertext = sha256(CIPHERTEXT).digest()
    if files.holds(ciphertext, len(CIPHERTEXT)):
        return
    offset = files.offset(ciphertext)
    writer = files.writer(ciphertext, offset, len(CIPHERTEXT))
    try:
        while writer.offset < len(CIPHERTEXT):
            writer.write(CIPHERTEXT[writer.offset :][:16384])
    finally:
        files.release(ciphertext, writer)
    files.check(ciphertext)
    files.complete(ciphertext)


def version(at: int) -> bytes:
    """Name a set of the archive."""
    return sha256(b"set %d" % at).digest()


def set_of(at: int) -> dict[str, bytes]:
    """Return the files of a set."""
    return {"metadata/timestamp.json": b"{%d}" % at, "targets/federation.json": b"[%d]" % at * 100}


def check(bench: Bench, told: list[dict[str, Any]]) -> Iterator[str]:
    """Find what was acknowledged and is not there, what is there twice, and what was signed and does not hold."""
    for part in verify(bench.config, log_only=True, quiet=True):
        yield from (f"verify: {finding}" for finding in part.findings)
    store = open_store(bench.config.database, read_only=True)
    with store._readers.connect() as connection:
        entries = list(
            connection.execute(
                select(log_store.log_entry_table.c.entry).order_by(log_store.log_entry_table.c.index)
            ).scalars()
        )
    store.close()
    digests = [log_pb2.LogEntry.FromString(entry).message_digest for entry in entries]
    done = {each["done"]: each["answer"] for each in told if "done" in each}
    logged = {name: answer for name, answer in done.items() if name.startswith(("item", "attached"))}
    for name, (index, _, _) in logged.items():
        if digests[index : index + 1] != [sha256(name.encode()).digest()]:
            yield f"{name} was acknowledged as entry {index} and is not there"
    if len({digest for digest in digests if digest}) != sum(map(bool, digests)):
        yield "something stands in the log twice"
    checkpoints = {(size, root) for _, size, root in logged.values()}
    roots = roots_at(entries, {size for size, _ in checkpoints})
    yield from (f"a root of size {n} was signed and is not the log's" for n, r in checkpoints if roots[n].hex() != r)
    files = AttachmentFiles(bench.data / "attachments")
    if "attachment" in done and b"".join(files.pieces(sha256(CIPHERTEXT).digest())) != CIPHERTEXT:
        yield "the attachment was acknowledged and is not whole"
    archive = Archive(bench.data / "sets")
    for at in range(SETS):
        found = archive.files(version(at)) or {}
        if f"set {at}" in done and {path: found.get(path) for path in set_of(at)} != set_of(at):
            yield f"set {at} was stored and is not there"
    if f"set {SETS - 1}" in done and archive.current() != version(SETS - 1):
        yield "the last set was stored and is not the current one"


def forked(run: Callable[[Tell], None]) -> tuple[int, list[dict[str, Any]]]:
    """Run something in a process of its own; gives its exit code and what it told."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        code = OTHERWISE
        try:
            run(lambda said: _write_line(writing, said))
            code = 0
        except BaseException as error:  # noqa: BLE001 - whatever it is, the process that waits is told
            # What the program tells its operator in one line (cli/frame.py); nothing else may end it.
            code = STOPPED if isinstance(error, (Unavailable, NodeStopped, OSError)) else OTHERWISE
            _write_line(writing, {"error": repr(error), "trace": traceback.format_exc()})
        finally:
            os._exit(code)
    os.close(writing)
    with os.fdopen(reading) as stream:
        told = [json.loads(line) for line in stream]
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), told


def _write_line(file: int, said: dict[str, Any]) -> None:
    os.write(file, json.dumps(said).encode() + b"\n")


def attempt(bench: Bench, trial: Trial) -> dict[str, Any]:
    """Do one trial; gives what was wrong, and what happened on the way."""
    disk.copy(bench.before / ("empty" if trial.empty else "stored"), bench.data)
    disk.copy(bench.data, bench.image)
    answered = 0

    def fail(tell: Tell) -> None:
        bench.begin(trial.fault)

        def told(said: dict[str, Any]) -> None:
            nonlocal answered
            tell(said)
            answered += 1
            if trial.abrupt and (bench.failed() or answered == trial.answers):
                os._exit(0)

        work(bench, told)

    bench.journal.unlink(missing_ok=True)
    code, first = forked(fail)
    reached = disk.failed(bench.journal)
    if trial.power:
        disk.copy(bench.image, bench.data)
    wrong = [] if code in {0, STOPPED} else [f"the process ended with {code}: {first[-1:]}"]
    wrong += [f"{each['refused']} was refused for good: {each['why']}" for each in first if each.get("last")]
    next_code, again = forked(lambda tell: work(bench, tell))
    if next_code or any("refused" in each for each in again):
        wrong.append(f"the next start ended with {next_code}: {again[-1:]}")
    else:

        def look(tell: Tell) -> None:
            for each in check(bench, first + again):
                tell({"wrong": each})

        _, found = forked(look)
        wrong += [each.get("wrong") or str(each) for each in found]
    refused = [each["why"] for each in first if "refused" in each]
    return {"trial": str(trial), "reached": len(reached), "refused": refused, "wrong": wrong, "code": code}


@contextmanager
def quietly(folder: Path) -> Iterator[None]:
    """Write the node's log lines to a file."""
    with (folder / "log").open("a") as stream:
        structlog.configure(logger_factory=structlog.WriteLoggerFactory(stream))
        yield


def prepare(bench: Bench) -> dict[str, list[tuple[str, str]]]:
    """Make what every trial begins with, and give the calls that the work makes on it, in order."""
    made: dict[str, list[tuple[str, str]]] = {}
    for name in ("empty", "stored"):
        disk.copy(bench.data, bench.before / name)
        disk.copy(bench.data, bench.image)
        bench.journal.unlink(missing_ok=True)

        def run(tell: Tell) -> None:
            bench.begin(None)
            work(bench, tell)

        code, told = forked(run)
        if code:
            raise SystemExit(f"the work itself ended with {code}: {told[-1:]}")
        made[name] = disk.calls(bench.journal)
        if name == "empty":
            # The next ones do it all again on a store that was there before.
            disk.copy(bench.before / "empty", bench.data)
            forked(lambda tell: _begun(bench, tell))
    return made


def _begun(bench: Bench, tell: Tell) -> None:
    store = open_store(bench.config.database)
    slots = CheckpointSlots(bench.data / "checkpoint")
    ledger = Ledger(store, LogSigner(bench.log_keys), slots, lambda: bench.version)
    tell({"done": "before", "answer": _item(ledger, b"before")})
    ledger.close()
    slots.close()
    store.close()


def main() -> None:
    """Run every n-th of all trials, and print the results as JSON.

    ``--careless``: the database is not synced at a commit, and nothing fails; the power is lost behind each answer in
    turn. A check that finds nothing wrong then is blind. ``--work``: only the work, once, on data that are there.
    """
    parser = argparse.ArgumentParser(prog="python -m tests.faults.commit_path")
    parser.add_argument("federation", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--files", default="*", help="only failures on files of this pattern")
    parser.add_argument("--careless", action="store_true")
    parser.add_argument("--work", action="store_true")
    options = parser.parse_args()
    bench = Bench(options.federation, options.folder)
    with quietly(options.folder):
        if options.work:
            work(bench, lambda _: None)
            return
        made = prepare(bench)
        trials = careless_plan() if options.careless else list(plan(made))
        trials = [trial for trial in trials if options.careless or fnmatch(trial.fault.pattern, options.files)]
        chosen = trials[options.first % options.every :: options.every]
        bench.careless = options.careless
        results = [attempt(bench, trial) for trial in chosen]
    print(json.dumps({"all": len(trials), "results": results}))


def careless_plan() -> list[Trial]:
    """Fail only the removal of a missing file, and lose the power after each answer in turn."""
    fault = disk.Fault("unlink", "never", 1, 1, "none")
    return [Trial(fault, abrupt=True, power=True, answers=answers) for answers in range(1, ITEMS)]


def plan(made: dict[str, list[tuple[str, str]]]) -> Iterator[Trial]:
    """Yield a trial for every call: in each way that it can fail, and with each end."""
    for name, calls in made.items():
        counted: dict[tuple[str, str], int] = {}
        for kind, file in calls:
            pattern = "sets*" if file.startswith("sets") else file
            counted[kind, pattern] = counted.get((kind, pattern), 0) + 1
        for (kind, pattern), count in counted.items():
            for number in range(1, count + 1):
                for way in ("none", "half", "all") if kind in disk.WRITES else ("none", "all"):
                    fault = disk.Fault(kind, pattern, number, number, way)
                    for abrupt, power in ((True, True), (False, False), (False, True)):
                        yield Trial(fault, abrupt, power, empty=name == "empty")


if __name__ == "__main__":
    main()
