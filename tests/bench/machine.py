"""The environment of the measurement: machine, versions, time of an fsync, and the usage of one process."""

import contextlib
import os
import platform
import resource
import sqlite3
import statistics
import sys
import time
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

FSYNC_BYTES: Final = 4096  # one page appended, as a small commit does
FSYNC_COUNT: Final = 200
PACKAGES: Final = ("paiza", "cryptography", "grpcio", "protobuf", "sqlalchemy", "psycopg", "cedarpy")
KIB: Final = 1024
MEBIBYTE: Final = 1024 * 1024


def describe() -> Mapping[str, str]:
    """Return machine and versions, name -> text."""
    found = {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, {_processor()}, {_memory()}",
        "system": platform.platform(),
        "load": ", ".join(f"{load:.2f}" for load in os.getloadavg()) + " (1, 5, 15 minutes, before the run)",
        "python": sys.version.split()[0],
        "sqlite": sqlite3.sqlite_version,
    }
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found


def fsync_seconds(folder: Path) -> tuple[float, float]:
    """Append and fsync some pages in this folder; gives the median and the longest time."""
    path = folder / "fsync"
    times = []
    with path.open("wb", buffering=0) as file:
        for _ in range(FSYNC_COUNT):
            file.write(os.urandom(FSYNC_BYTES))
            begun = time.perf_counter()
            os.fsync(file.fileno())
            times.append(time.perf_counter() - begun)
    path.unlink()
    return statistics.median(times), max(times)


def cpu_seconds(pid: int) -> float:
    """Return the processor time of a process and its children so far, user and system, those that ended included."""
    seconds = 0.0
    for each in (pid, *descendants(pid)):
        try:
            fields = Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):  # ended meanwhile; its parent counts it
            if each == pid:
                raise
            continue
        seconds += sum(int(field) for field in fields[11:15]) / os.sysconf("SC_CLK_TCK")
    return seconds


def descendants(pid: int) -> list[int]:
    """Return the processes that a process started and that run, and those that they started."""
    found: list[int] = []
    for each in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            children = [int(child) for child in each.read_text().split()]
            found += [one for child in children for one in (child, *descendants(child))]
    return found


def children_seconds() -> float:
    """Return the processor time that processes used which this one started and which have ended."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return children.ru_utime + children.ru_stime


def busy_seconds() -> float:
    """Return the processor time that all processes of the machine together have used since it started."""
    user, nice, system, _idle, _iowait, interrupts, soft_interrupts, steal = (
        int(each) for each in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]
    )
    return (user + nice + system + interrupts + soft_interrupts + steal) / os.sysconf("SC_CLK_TCK")


class Others:
    """The load of other processes from now on, which separates a disturbed figure from a slow program.

    Counted as ours: this process, and its children once they have ended.
    """

    def __init__(self) -> None:
        self._begun = time.perf_counter()
        self._busy = busy_seconds()
        self._ours = _own_seconds()

    def cores(self) -> float:
        """Return the cores that others kept busy since."""
        foreign = busy_seconds() - self._busy - (_own_seconds() - self._ours)
        return max(0.0, foreign / (time.perf_counter() - self._begun))


def _own_seconds() -> float:
    usages = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def resident_bytes(pid: int) -> tuple[int, int]:
    """Return the resident memory of a process now, and the most it ever had."""
    return _status_bytes(pid, "VmRSS"), _status_bytes(pid, "VmHWM")


def file_bytes(pid: int) -> int:
    """Return what of the resident memory of a process are pages of files: programs and libraries."""
    return _status_bytes(pid, "RssFile")


def _status_bytes(pid: int, name: str) -> int:
    status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":" in line)
    return int(status[name].split()[0]) * KIB


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "unknown processor")


def _memory() -> str:
    return f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / MEBIBYTE / KIB:.0f} GiB memory"
