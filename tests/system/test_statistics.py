"""Statistics and an export over many real records, to the gram, against a plain computation over the source rows.

`make trial-statistics` (PAIZA_TRIAL_STATISTICS=1) takes the whole file four times, 33,704 notices with shifted dates,
and prints its figures; otherwise some states twice. The tests of this module run in their order on one federation.
"""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import pytest

from paiza.content.v1.seizure_notice_pb2 import SeizureNotice
from paiza_client.data.exports import beside
from paiza_client.data.imports import maps, plan
from paiza_client.data.imports.rows import EXPORT_COLUMN, RowReader
from paiza_client.sdk import connect, messages
from paiza_client.sdk.session import MAX_TOGETHER
from paiza_officer import profiles
from tests.bench import machine
from tests.federation import Federation
from tests.system import importing
from tests.system.importing import Row

WHOLE: Final = bool(os.environ.get("PAIZA_TRIAL_STATISTICS"))
COPIES: Final = 4 if WHOLE else 2
PART_OF: Final = ("Tajikistan", "Turkmenistan", "Kyrgyzstan")
SHIFT: Final = timedelta(days=371)  # 53 weeks: each copy of a record is on another day
SENDER, READER = "kaz", "tjk"
KILOGRAMS: Final = {"Gram": Decimal("0.001"), "Kilogram": Decimal(1)}  # the units of mass in the file
GRAM: Final = Decimal("0.001")
POLL_SECONDS: Final = 0.01
MOST_CLIENT_BYTES: Final = 200 * machine.MEBIBYTE
OTHER_ENTRIES: Final = 4  # of a run besides those about messages: a session, a connection that is renewed
EXPORT: Final = ("export", "--form", "unodc", "--since", "1d", "--purpose", "statistics", "--reason", "exercise")

pytestmark = [pytest.mark.realdata, pytest.mark.timeout(3600 if WHOLE else 600)]


@dataclass(frozen=True)
class Took:
    """One run of the program: its exit code and output, seconds on the clock and of the processor, and its memory."""

    code: int
    out: str
    err: str
    seconds: float
    client: float
    node: float
    peak_bytes: int


@dataclass
class Desk:
    """The federation, the table that was imported, and its rows that became notices."""

    federation: Federation
    folder: Path
    table: Path
    layout: Path
    rows: list[Row]

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        """Start the program as an officer of the reader."""
        command = [sys.executable, "-m", "paiza_client", "--profile", f"{READER}-liaison", *arguments]
        unset = {"PAIZA_PROFILE", "PAIZA_LANG", "LC_ALL", "LC_MESSAGES", "LANG"}
        environment = {name: value for name, value in os.environ.items() if name not in unset}
        environment |= {"PAIZA_HOME": str(self.federation.home), "LANGUAGE": "en"}
        return subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, name: str, *arguments: str) -> Took:
        """Run the program to its end, looking at what it uses, and print that."""
        node = self.federation.node(READER)
        begun, serving = time.perf_counter(), machine.cpu_seconds(node.pid)
        process = self.start(*arguments)
        client, peak = 0.0, 0
        while process.poll() is None:
            try:
                client = machine.cpu_seconds(process.pid)
                peak = machine.resident_bytes(process.pid)[1]
            except (OSError, KeyError):
                pass  # it has just ended
            time.sleep(POLL_SECONDS)
        out, err = process.communicate()
        took = Took(
            process.returncode,
            out,
            err,
            time.perf_counter() - begun,
            client,
            machine.cpu_seconds(node.pid) - serving,
            peak,
        )
        if WHOLE:
            print(
                f"\n{name}: {took.seconds:.1f} s on the clock; processor time: client {took.client:.1f} s, node "
                f"{took.node:.1f} s; client {took.peak_bytes / machine.MEBIBYTE:.0f} MiB at most"
            )
        return took

    def log_size(self) -> int:
        """Return the size of the reader's log."""
        return int(self.federation.node(READER).status().checkpoint.split(b"\n")[1])

    async def unread(self) -> int:
        """Count what the reader's officer has not opened."""
        async with connect(profiles.load(self.federation.home / f"{READER}-liaison")) as session:
            return len([each async for each in messages.unread(session)])


def shifted(row: Row, days: timedelta) -> Row:
    """Return a record on another day."""
    return {**row, "SEIZURE_DATE": (date.fromisoformat(row["SEIZURE_DATE"]) + days).isoformat()}


@pytest.fixture(scope="module")
def desk(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """Two members; one imported all records, the other has received them."""
    folder = tmp_path_factory.mktemp("statistics")
    records = importing.read_table(shared / "data" / "unodc-ids-caricc-states.csv")
    taken = [row for row in records if WHOLE or row["COUNTRY"] in PART_OF]
    rows = [shifted(row, copy * SHIFT) for copy in range(COPIES) for row in taken]
    table, layout = importing.write_table(folder / "rows.csv", rows), folder / "ids-of-one.toml"
    shipped = Path(maps.__file__).with_name("ids.toml").read_text(encoding="utf-8")
    for member in importing.STATES.values():
        shipped = shipped.replace(f'member = "{member}"', f'member = "{SENDER}"')
    layout.write_text(shipped, encoding="utf-8")
    with Federation.create(folder / "f", (SENDER, READER)) as federation:
        federation.start()
        ran = importing.Program(
            federation,
            folder / "first",
            table,
            [f"{SENDER}-liaison"],
            *("--json", "--map", str(layout), "--equal-rows", "each"),
        ).ended()
        notices = [row for row in rows if row["DRUG_UNIT"]]
        assert ran.json["sent"] == len(notices)
        importing.settle(federation)
        if WHOLE:
            print(f"\n{len(notices)} notices imported in {ran.seconds:.1f} s")
        yield Desk(federation, folder, table, layout, notices)
        federation.stop()


def plain(rows: list[Row]) -> dict[tuple[str, str], tuple[int, Decimal]]:
    """Count records and their kilograms by country and year, with the totals, from the words of the table alone."""
    found: defaultdict[tuple[str, str], tuple[int, Decimal]] = defaultdict(lambda: (0, Decimal(0)))
    for row in rows:
        mass = Decimal(row["AMOUNT"]) * KILOGRAMS.get(row["DRUG_UNIT"], 0)
        for country in (row["COUNTRY"], "Total"):
            for year in (row["SEIZURE_DATE"][:4], "Total"):
                count, kilograms = found[country, year]
                found[country, year] = count + 1, kilograms + mass
    return found


@pytest.mark.parametrize("measure", ["count", "kg"])
def test_statistics_are_right_to_the_gram(desk: Desk, measure: str) -> None:
    """Every figure is that of the rows; what is hidden is small or protects a small one; nothing is read or flooded."""
    before = desk.log_size(), asyncio.run(desk.unread())
    took = desk.run(
        f"statistics, {measure}", "statistics", "--by", "place", "--across", "year", "--measure", measure, "--json"
    )
    assert took.code == 0, took.err
    told = json.loads(took.out)
    assert (told["notices"], told["complete"], told["left_out"]) == (len(desk.rows), True, [])
    wanted = plain(desk.rows)
    compared = 0
    for line in told["rows"]:
        country = line.pop("Country of the seizure")
        for year, figure in line.items():
            count, kilograms = wanted.get((country, year), (0, Decimal(0)))
            if figure is None:
                assert count
                continue
            compared += 1
            if measure == "count":
                assert int(figure) == count, (country, year)
            else:
                assert abs(Decimal(str(figure)) - kilograms) < GRAM, (country, year)
    assert compared > len(told["rows"])
    pages = -(-len(desk.rows) // MAX_TOGETHER)
    assert desk.log_size() - before[0] <= pages + OTHER_ENTRIES
    assert asyncio.run(desk.unread()) == before[1]
    assert took.peak_bytes < MOST_CLIENT_BYTES


def test_an_export_is_the_table_again(desk: Desk) -> None:
    """Row for row; imported again it is the same records, and nothing is sent; the log has two entries for a page."""
    before = desk.log_size(), asyncio.run(desk.unread())
    file = desk.folder / "exported.csv"
    took = desk.run("export", *EXPORT, "-o", str(file))
    assert took.code == 0, took.err
    pages = -(-len(desk.rows) // MAX_TOGETHER)
    assert desk.log_size() - before[0] <= 2 * pages + OTHER_ENTRIES
    assert asyncio.run(desk.unread()) == before[1]
    assert took.peak_bytes < MOST_CLIENT_BYTES
    exported = [
        tuple(cell for column, cell in row.items() if column != EXPORT_COLUMN) for row in importing.read_table(file)
    ]
    assert len(exported) == len(desk.rows)
    assert imported(file, desk.layout) == imported(desk.table, desk.layout)
    again = importing.Program(
        desk.federation,
        desk.folder / "again",
        file,
        [f"{SENDER}-liaison"],
        *("--json", "--map", str(desk.layout), "--equal-rows", "each"),
    ).ended()
    assert (again.json["sent"], again.json["repeated"]) == (0, len(desk.rows))


def imported(table: Path, layout: Path) -> Counter[bytes]:
    """Return the notices that an import makes of a table, without sending anything."""
    chosen, now = maps.load_map(str(layout)), datetime.now(UTC)
    with table.open("rb") as file:
        planned = plan.plan_import(
            RowReader(file, chosen), chosen, [SENDER], [SENDER, READER], lambda _: set(), now=now, equal_rows="each"
        )
        return Counter(_told(each.notice) for each in planned if each.notice is not None)


def _told(notice: SeizureNotice) -> bytes:
    """Return a notice as bytes, but for the number that tells equal rows apart."""
    same = SeizureNotice()
    same.CopyFrom(notice)
    same.ClearField("notice_id")
    return same.SerializeToString(deterministic=True)


def test_a_killed_export_goes_on(desk: Desk) -> None:
    """The rest is opened, and the file is that of an export without an interruption."""
    file = desk.folder / "killed.csv"
    process = desk.start(*EXPORT, "-o", str(file))
    while process.poll() is None:
        process.send_signal(signal.SIGSTOP)  # on a busy machine it could come to its end while its file is looked at
        if _has_opened(file):
            break
        process.send_signal(signal.SIGCONT)
        time.sleep(POLL_SECONDS)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert not file.exists()
    before = desk.log_size()
    left = len(desk.rows) - sum(each["opened"] for each in _lines(file) if "opened" in each)
    took = desk.run(f"export, the last {left} notices after a kill", "export", "--continue", "-o", str(file))
    assert took.code == 0, took.err
    assert desk.log_size() - before <= -(-left // MAX_TOGETHER) + OTHER_ENTRIES
    assert file.read_bytes() == (desk.folder / "exported.csv").read_bytes()


def _has_opened(file: Path) -> bool:
    return any("opened" in each for each in _lines(file))


def _lines(file: Path) -> list[dict[str, Any]]:
    """Return the whole lines of an unfinished export."""
    if not beside(file).exists():
        return []
    written = beside(file).read_bytes()  # at once: read on while it grows, the end of a line would count as one
    return [json.loads(line) for line in written.splitlines(keepends=True) if line.endswith(b"\n")]
