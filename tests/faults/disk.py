"""A disk that fails one call, and what would be left after a loss of power: `failing_disk.c`, from Python."""

import errno
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from typing_extensions import override

SOURCE: Final = Path(__file__).with_name("failing_disk.c")
COMPILERS: Final = ("cc", "gcc", "clang")
PASSING: Final = ("-shm", ".lock", ".sock")  # ends of names that mean nothing after a loss of power
WRITES: Final = frozenset({"write", "pwrite"})


class DiskMissingError(Exception):
    """There is no compiler, so that no disk can fail here."""


@dataclass(frozen=True)
class Fault:
    """Which calls fail: the ``first`` to the ``last`` of a kind on files whose name fits a pattern, and in which way.

    ``none``: the call is not made. ``all``: it is. ``half``: half of a write is. The program is told ``error``.
    """

    kind: str
    pattern: str
    first: int
    last: int
    way: str
    error: int = errno.EIO

    @override
    def __str__(self) -> str:
        """Return it as the disk reads it."""
        return f"{self.kind} {self.pattern} {self.first} {self.last} {self.way} {self.error}"


def build(folder: Path) -> Path:
    """Compile the disk into a folder; DiskMissingError where nothing compiles it, or this Python does not ask it."""
    compiler = next(filter(None, map(shutil.which, COMPILERS)), None)
    if compiler is None:
        raise DiskMissingError(f"none of {', '.join(COMPILERS)} is installed")
    library = folder / "failing_disk.so"
    options = ["-std=gnu11", "-Wall", "-Wextra", "-O1", "-fPIC", "-shared", "-pthread"]
    command = [compiler, *options, "-o", str(library), str(SOURCE), "-ldl"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise DiskMissingError(f"{compiler} does not compile it: {done.stderr.strip()[:500]}")
    root, journal = folder / "tried", folder / "journal"
    root.mkdir()
    tried = [sys.executable, "-c", "import sys; open(sys.argv[1], 'w').write('x')", str(root / "file")]
    asked = environment(library, root.resolve(), journal=journal)
    done = subprocess.run(tried, capture_output=True, text=True, check=False, env=asked)
    if calls(journal) != [("create", "file"), ("write", "file")]:
        raise DiskMissingError(f"this Python goes past it (another C library than glibc?): {done.stderr.strip()[:500]}")
    return library


def environment(
    library: Path,
    root: Path,
    *,
    image: Path | None = None,
    journal: Path | None = None,
    fault: Fault | None = None,
    only_while: Path | None = None,
) -> Mapping[str, str]:
    """Return the environment of a program on such a disk; ``only_while``: calls fail only while this file is there."""
    asked = {
        "PAIZA_DISK_ROOT": root,
        "PAIZA_DISK_IMAGE": image,
        "PAIZA_DISK_JOURNAL": journal,
        "PAIZA_DISK_FAULT": fault,
        "PAIZA_DISK_WHILE": only_while,
    }
    return {**os.environ, "LD_PRELOAD": str(library), **{name: str(value) for name, value in asked.items() if value}}


def copy(folder: Path, to: Path) -> None:
    """Make a folder hold what another one holds, and nothing else."""
    shutil.rmtree(to, ignore_errors=True)
    shutil.copytree(
        folder, to, symlinks=True, ignore=lambda _, names: [name for name in names if name.endswith(PASSING)]
    )


def calls(journal: Path) -> list[tuple[str, str]]:
    """Return every call of a journal: its kind, and the name of the file below the root."""
    lines = journal.read_text().splitlines() if journal.exists() else []
    found = [line.removeprefix("FAULT ").partition(" ") for line in lines]
    return [(kind, name) for kind, _, name in found]


def failed(journal: Path) -> list[str]:
    """Return the calls of a journal that failed, as "kind name"."""
    lines = journal.read_text().splitlines() if journal.exists() else []
    return [line.removeprefix("FAULT ") for line in lines if line.startswith("FAULT ")]
