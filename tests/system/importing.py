"""Imports as an officer runs them, and an account of the same table made without the client's code.

The account reads the table by Python's own `csv`, cleans and counts by rules of its own, and knows a row by the digest
that the documentation of the import describes. What the nodes hold is read from their disks.
"""

import csv
import hashlib
import json
import os
import subprocess
import sys
import time
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from sqlalchemy import select

from paiza_node.core.messages import store as messages_store
from paiza_node.core.storage import open_store
from paiza_node.ops.config import load
from tests.bench import machine
from tests.federation import Federation, NodeProcess

STATES: Final = {
    "Azerbaijan": "aze",
    "Kazakhstan": "kaz",
    "Kyrgyzstan": "kgz",
    "Russian Federation": "rus",
    "Tajikistan": "tjk",
    "Turkmenistan": "tkm",
    "Uzbekistan": "uzb",
}
UNUSED: Final = {"REGION", "SUBREGION"}  # columns of the file that no notice is made of
POLL_SECONDS: Final = 0.1
SETTLE_SECONDS: Final = 300.0  # until nothing waits any more; a limit, not a measure
IMPORT_SECONDS: Final = 900.0  # of one run of the program; a limit, not a measure

Row = dict[str, str]


@dataclass(frozen=True)
class Ran:
    """One run of the program: what it said, and what it used up to its last tenth of a second."""

    code: int
    out: str
    err: str
    seconds: float
    cpu_seconds: float
    peak_bytes: int

    @property
    def json(self) -> Any:
        """The result of a run with --json."""
        assert self.code == 0, self.err
        return json.loads(self.out)


class Program:
    """One run of `paiza import seizures`, in a process and a folder of its own; ``terminal`` is its standard error."""

    def __init__(
        self,
        federation: Federation,
        folder: Path,
        table: Path,
        profiles: Sequence[str],
        *arguments: str,
        terminal: int | None = None,
    ) -> None:
        folder.mkdir(exist_ok=True)
        self._files = [folder / "stdout", folder / "stderr"]
        self._begun = time.perf_counter()
        acting = [part for profile in profiles for part in ("--as", profile)]
        command = [sys.executable, "-m", "paiza_client", "import", "seizures", str(table), *acting, *arguments]
        unset = {"PAIZA_PROFILE", "PAIZA_LANG", "LC_ALL", "LC_MESSAGES", "LANG"}
        environment = {name: value for name, value in os.environ.items() if name not in unset}
        environment |= {"PAIZA_HOME": str(federation.home), "LANGUAGE": "en"}
        with self._files[0].open("wb") as out, self._files[1].open("wb") as err:
            self.process = subprocess.Popen(
                command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=terminal or err
            )

    def ended(self) -> Ran:
        """Wait until it has ended, looking at what it uses."""
        cpu, peak = 0.0, 0
        while self.process.poll() is None:
            try:
                cpu = machine.cpu_seconds(self.process.pid)
                peak = machine.resident_bytes(self.process.pid)[1]
            except (OSError, KeyError):
                pass  # it has just ended
            assert time.perf_counter() - self._begun < IMPORT_SECONDS, "the import does not end"
            time.sleep(POLL_SECONDS)
        seconds = time.perf_counter() - self._begun
        out, err = (path.read_text(encoding="utf-8") for path in self._files)
        return Ran(self.process.returncode, out, err, seconds, cpu, peak)


@dataclass(frozen=True)
class Account:
    """The expected result of a table, counted independently."""

    outcomes: Counter[str] = field(default_factory=Counter)
    notices: dict[str, dict[bytes, Row]] = field(default_factory=dict)
    """Member → digest of the row → the row, for every row that becomes a notice."""


def read_table(path: Path) -> list[Row]:
    """Read the published file."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def write_table(path: Path, rows: Sequence[Row]) -> Path:
    """Write rows as the published file has them."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def account(rows: Iterable[Row]) -> Account:
    """Count what should become of each row when all of its states' officers import together."""
    found = Account()
    seen: set[bytes] = set()
    for row in rows:
        digest, member = row_digest(row), STATES[cleaned(row["COUNTRY"])]
        if digest in seen:
            found.outcomes["repeated"] += 1
        elif not cleaned(row["DRUG_UNIT"]):
            found.outcomes["rejected"] += 1
        else:
            seen.add(digest)
            found.outcomes["repaired" if _changed(row) else "accepted"] += 1
            found.notices.setdefault(member, {})[digest] = row
    return found


def cleaned(text: str) -> str:
    """Compose characters and leave one blank between words."""
    return " ".join(unicodedata.normalize("NFC", text).split())


def row_digest(row: Mapping[str, str]) -> bytes:
    """Compute a row's digest as the documentation of the import says; the identity is every column of the file."""
    digest = hashlib.sha256(b"paiza import row v1\n")
    for column, cell in row.items():
        for text in (column, cleaned(cell)):
            digest.update(len(text.encode()).to_bytes(4, "big") + text.encode())
    return digest.digest()


def _changed(row: Row) -> bool:
    used = {column: cell for column, cell in row.items() if column not in UNUSED}
    places = (used["ADMINISTRATIVE_DIVISION"], used["PLACE"])
    millionths = Decimal(cleaned(used["AMOUNT"])) * 1_000_000
    return (
        any(cleaned(cell) != cell for cell in used.values())
        or any(cleaned(place).startswith(",") for place in places)
        or millionths != millionths.to_integral_value()
    )


@dataclass(frozen=True)
class Notice:
    """One message as a node holds it on disk."""

    digest: bytes
    author: str
    received: bool
    source_row: bytes | None
    signed: bytes


def held(node: NodeProcess) -> list[Notice]:
    """Read every seizure notice a node has on disk, sent and received."""
    store = open_store(load(node.config).database, read_only=True)
    m = messages_store.message_table.c
    wanted = select(m.seq, m.digest, m.author, m.received, m.source_row)
    try:
        with store.reads() as reads:
            found = reads.execute(wanted.where(m.kind == "seizure-notice").order_by(m.seq)).all()
            bodies = messages_store.bodies(reads, [row.seq for row in found])
    finally:
        store.close()
    return [
        Notice(row.digest, row.author, row.received, row.source_row, bodies[row.seq])
        for row in found
        if row.seq in bodies
    ]


def settle(federation: Federation) -> float:
    """Wait until no node has a delivery waiting; gives the seconds it took."""
    begun = time.perf_counter()
    while any(node.status().waiting for node in federation.nodes.values() if node.running):
        assert time.perf_counter() - begun < SETTLE_SECONDS, "deliveries still wait"
        time.sleep(POLL_SECONDS)
    return time.perf_counter() - begun


def verified(nodes: Iterable[NodeProcess]) -> None:
    """Run `paiza-node verify`."""
    for node in nodes:
        command = [sys.executable, "-m", "paiza_node", "verify", "--config", str(node.config)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{node.member}: verify failed:\n{done.stdout}{done.stderr}"
