"""The real seizure records of seven states, through the real program, between the real nodes of a whole federation.

`make import-all` (PAIZA_IMPORT_ALL=1) imports the whole file and prints its figures; otherwise a slice of it is cut in
the test. The tests of this module run in their order on one federation: each finds what the ones before have sent.
"""

import asyncio
import contextlib
import json
import os
import pty
import re
import signal
import stat
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC
from itertools import islice
from pathlib import Path
from typing import Final

import pytest

from paiza.content.v1.common_pb2 import Quantity
from paiza.content.v1.seizure_notice_pb2 import SeizureNotice
from paiza.core.v1 import message_pb2
from paiza_client.sdk import connect
from paiza_officer import profiles
from paiza_wire.message import verify
from tests.bench import machine
from tests.federation import Federation
from tests.registers import read_register
from tests.system import importing
from tests.system.importing import STATES, Account, Notice, Program, Ran, Row
from tests.system.searches import QUERIES

WHOLE: Final = bool(os.environ.get("PAIZA_IMPORT_ALL"))
MEMBERS: Final = (*STATES.values(), "centre")
OFFICERS: Final = [f"{member}-liaison" for member in STATES.values()]
WHOLE_STATES: Final = ("Tajikistan", "Turkmenistan", "Kyrgyzstan")  # all their rows are in the slice
FIRST_ROWS: Final = 20  # of each other state
REPEATED_ROWS: Final = 10  # of the slice, once more at its end
ALTERED_ROWS: Final = 600  # of the import that is killed: more batches than are on their way at once
MOST_CLIENT_BYTES: Final = 200 * 1024 * 1024

pytestmark = [pytest.mark.realdata, pytest.mark.timeout(1800 if WHOLE else 600)]


@dataclass
class Desk:
    """The federation, the table cut for it with its account, and the first import of that table."""

    federation: Federation
    folder: Path
    table: Path
    account: Account
    tried: Ran
    first: Ran

    def run(self, name: str, table: Path, *arguments: str, officers: list[str] | None = None) -> Ran:
        """Run the program to its end in a folder of its own."""
        return Program(self.federation, self.folder / name, table, officers or OFFICERS, *arguments).ended()

    def sent(self) -> dict[str, list[Notice]]:
        """Read from each state's disk what it has sent."""
        return {
            member: [each for each in importing.held(self.federation.node(member)) if not each.received]
            for member in STATES.values()
        }

    def log_sizes(self) -> dict[str, int]:
        """Return the size of every node's log."""
        return {member: int(node.status().checkpoint.split(b"\n")[1]) for member, node in self.federation.nodes.items()}


def cut(rows: list[Row]) -> list[Row]:
    """Cut the slice: some states whole, the beginning of the others, some rows again."""
    kept = [row for row in rows if row["COUNTRY"] in WHOLE_STATES]
    for state in STATES.keys() - set(WHOLE_STATES):
        kept += islice((row for row in rows if row["COUNTRY"] == state), FIRST_ROWS)
    return [*kept, *kept[-REPEATED_ROWS:]]


@pytest.fixture(scope="module")
def records(shared: Path) -> list[Row]:
    """Every row of the published file."""
    return importing.read_table(shared / "data" / "unodc-ids-caricc-states.csv")


@pytest.fixture(scope="module")
def desk(records: list[Row], shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """Seven states and the Centre; the table was tried first and then imported, once."""
    folder = tmp_path_factory.mktemp("import")
    rows = records if WHOLE else cut(records)
    table = (
        shared / "data" / "unodc-ids-caricc-states.csv" if WHOLE else importing.write_table(folder / "rows.csv", rows)
    )
    with Federation.create(folder / "f", MEMBERS) as federation:
        federation.start()
        tried = Program(federation, folder / "tried", table, OFFICERS, "--json", "--dry-run").ended()
        assert not any(node.status().messages for node in federation.nodes.values()), "a dry run sent something"
        first = Program(federation, folder / "first", table, OFFICERS, "--json").ended()
        drained = importing.settle(federation)
        if WHOLE:
            _print(federation, tried, first, drained)
        yield Desk(federation, folder, table, importing.account(rows), tried, first)
        federation.stop()


def _print(federation: Federation, tried: Ran, first: Ran, drained: float) -> None:
    result = first.json
    mebibytes = first.peak_bytes / 2**20
    print(
        f"\n{result['rows']} rows, {result['sent']} notices sent in {first.seconds:.1f} s "
        f"({result['sent'] / first.seconds:.0f}/s), the last delivered {drained:.1f} s later; dry run "
        f"{tried.seconds:.1f} s\nclient: {first.cpu_seconds:.1f} s of processor time, {mebibytes:.0f} MiB at most"
    )
    for member, node in federation.nodes.items():
        cpu, peak = machine.cpu_seconds(node.pid), machine.resident_bytes(node.pid)[1] / 2**20
        print(f"{member}: {cpu:.1f} s of processor time, {peak:.0f} MiB at most, {node.status().messages} messages")
    print(json.dumps({key: value for key, value in result.items() if key != "unmapped"}, indent=1))


def test_the_counts_agree_with_an_independent_count(desk: Desk) -> None:
    """Dry run and import count every row once, as an account made without the client's code does."""
    for ran in (desk.tried, desk.first):
        told = ran.json
        assert {name: told[name] for name in ("accepted", "repaired", "repeated", "rejected")} == {
            name: desk.account.outcomes[name] for name in ("accepted", "repaired", "repeated", "rejected")
        }
        assert told["rows"] == desk.account.outcomes.total()
        assert (told["other_member"], told["outside"], told["waiting"], told["refused"]) == (0, 0, 0, [])
        assert ran.err == "", "no progress bar where no terminal is"
    assert desk.account.outcomes["rejected"] == 1
    assert desk.account.outcomes["repeated"] >= REPEATED_ROWS
    assert desk.tried.json["sent"] == 0
    assert desk.tried.json["rejects_file"] == ""
    assert desk.first.json["sent"] == sum(len(notices) for notices in desk.account.notices.values())
    assert desk.first.peak_bytes < MOST_CLIENT_BYTES


def test_every_notice_stands_once_in_every_other_inbox(desk: Desk) -> None:
    """Each state's reports are at each other member exactly once, signed by that state's officer."""
    register = read_register(desk.federation.folder)
    certificates = register.certificate_verifier()
    sent = {member: {each.digest: each for each in notices} for member, notices in desk.sent().items()}
    for member, notices in sent.items():
        assert {each.source_row for each in notices.values()} == set(desk.account.notices[member])
        assert len(notices) == len(desk.account.notices[member])
    for member in MEMBERS:
        held = importing.held(desk.federation.node(member))
        arrived = Counter((each.author, each.digest) for each in held if each.received)
        assert arrived == Counter(
            (author, digest) for author, notices in sent.items() if author != member for digest in notices
        )
        for each in held:
            header = message_pb2.Header.FromString(message_pb2.SignedMessage.FromString(each.signed).header)
            checked = verify(each.signed, certificates, at=header.author_time.ToDatetime(tzinfo=UTC))
            (signer,) = checked.signers
            assert str(signer.id) == f"spiffe://{each.author}.{register.federation}/officer/liaison"
            assert (checked.digest, checked.header.author) == (each.digest, each.author)
            assert {to.member for to in checked.header.recipients} == {*MEMBERS} - {each.author}


async def test_a_reader_finds_the_words_of_the_row(desk: Desk) -> None:
    """The Centre opens a notice of every state: state, day, drug and amount are those of the published row."""
    sent = desk.sent()
    async with connect(profiles.load(desk.federation.home / "centre-liaison")) as session:
        for member, notices in sent.items():
            row = desk.account.notices[member][notices[-1].source_row or b""]
            opened = await session.open_part(notices[-1].digest, reason="Exercise")
            notice = SeizureNotice.FromString(opened.plaintext)
            (substance,) = notice.substances
            assert notice.place.country == member.upper()
            assert f"{notice.seized_at.time.ToDatetime():%Y-%m-%d}" == row["SEIZURE_DATE"]
            assert substance.as_named == importing.cleaned(row["DRUG_NAME"])
            assert substance.quantity.original == importing.cleaned(f"{row['AMOUNT']} {row['DRUG_UNIT']}")


async def test_twenty_searches_find_exactly_the_rows(desk: Desk) -> None:
    """At the Centre each search finds the notices of the rows that a look at the raw table finds, and no others."""
    digests = {each.source_row: each.digest for notices in desk.sent().values() for each in notices}
    rows = {digest: row for notices in desk.account.notices.values() for digest, row in notices.items()}
    told = []
    async with connect(profiles.load(desk.federation.home / "centre-liaison")) as session:
        while (await session.search.search([("country", "KAZ")])).behind:  # noqa: ASYNC110 - the node tells no more
            await asyncio.sleep(importing.POLL_SECONDS)
        for query in QUERIES:
            found, token = set(), "first"
            while token:
                page = await session.search.search(
                    query.criteria, **query.filters, page_size=500, page_token="" if token == "first" else token
                )
                found |= {each.message.digest for each in page.messages}
                token = page.next_page_token
            since = query.filters.get("since")
            expected = {
                digests[digest]
                for digest, row in rows.items()
                if query.expected(row) and (since is None or row["SEIZURE_DATE"] >= f"{since:%Y-%m-%d}")
            }
            told.append((query.criteria, len(found), len(found - expected), len(expected - found)))
            if WHOLE:
                print(*told[-1])
    assert [each for each in told if each[2] or each[3]] == []
    assert sum(each[1] > 0 for each in told) >= len(QUERIES) // 2


def test_a_second_run_sends_nothing(desk: Desk) -> None:
    """Every row that was sent is known as a repeat, and no log grows by an entry."""
    before = desk.log_sizes()
    told = desk.run("again", desk.table, "--json").json
    assert (told["sent"], told["accepted"], told["repaired"]) == (0, 0, 0)
    assert told["repeated"] == told["rows"] - 1
    assert told["rejected"] == 1
    assert desk.log_sizes() == before


def test_a_mended_row_is_accepted(desk: Desk) -> None:
    """The rejected row stands in the rejects file; with its unit written in, that file is imported, once."""
    (rejected,) = desk.first.json["rejected_rows"]
    assert (rejected["column"], rejected["reason"]) == ("DRUG_UNIT", "unit_missing")
    rejects = desk.folder / "first" / desk.first.json["rejects_file"]
    assert stat.S_IMODE(rejects.stat().st_mode) == 0o600, "it holds what the table holds"
    (row,) = importing.read_table(rejects)
    assert row["paiza_row"] == str(rejected["row"])
    assert "unit is missing" in row["paiza_reason"]
    importing.write_table(rejects, [{**row, "DRUG_UNIT": "Gram"}])
    for sent in (1, 0):
        told = desk.run(f"mended {sent}", rejects, "--json", officers=["tjk-liaison"]).json
        assert (told["rows"], told["sent"], told["rejected"]) == (1, sent, 0)
        assert told["repeated"] == 1 - sent
    importing.settle(desk.federation)


def test_a_killed_import_goes_on_where_it_was(desk: Desk, records: list[Row]) -> None:
    """The client is killed in the middle and run again: only the rest is sent, and nothing is delivered twice."""
    # Real rows, made new by an invented place.
    russian = islice((row for row in records if row["COUNTRY"] == "Russian Federation"), ALTERED_ROWS)
    rows = [{**row, "PLACE": f"Exercise {number}"} for number, row in enumerate(russian)]
    table = importing.write_table(desk.folder / "altered.csv", rows)
    rus = desk.federation.node("rus")
    before = {each.digest for each in importing.held(rus)}
    stored = rus.status().messages

    program = Program(desk.federation, desk.folder / "killed", table, ["rus-liaison"], "--json")
    while True:
        program.process.send_signal(signal.SIGSTOP)  # it could come to its end while a busy node is asked
        assert program.process.poll() is None, "the import ended before anything was released"
        if rus.status().messages > stored:
            break
        program.process.send_signal(signal.SIGCONT)
        time.sleep(importing.POLL_SECONDS / 2)
    program.process.kill()
    program.process.wait()
    done = {each.digest for each in importing.held(rus)} - before
    assert 0 < len(done) < ALTERED_ROWS

    told = desk.run("rest", table, "--json", officers=["rus-liaison"]).json
    sent = [each for each in importing.held(rus) if each.digest not in before and not each.received]
    assert told["sent"] <= ALTERED_ROWS - len(done)
    assert told["sent"] + told["repeated"] == len(sent) == ALTERED_ROWS
    assert {each.source_row for each in sent} == {importing.row_digest(row) for row in rows}
    assert done < {each.digest for each in sent}
    importing.settle(desk.federation)
    for member in MEMBERS[:-1] if WHOLE else ("kaz", "centre"):
        if member != "rus":
            inbox = Counter(each.digest for each in importing.held(desk.federation.node(member)))
            assert all(inbox[each.digest] == 1 for each in sent)
    assert not list((desk.federation.home / "rus-liaison" / "outbox").glob("*.batch"))


def test_the_worked_example_of_the_documentation(desk: Desk, root: Path) -> None:
    """Windows-1251, semicolons, decimal comma, day first, pounds: the Russian report is as documented."""
    text = (root / "client/paiza_client/data/imports/README.md").read_text(encoding="utf-8")
    (table,) = re.findall(r"```csv\n(.*?)```", text, re.DOTALL)
    (layout,) = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    (desk.folder / "example.csv").write_text(table, encoding="cp1251")
    (desk.folder / "example.toml").write_text(layout, encoding="utf-8")
    arguments = ["--map", str(desk.folder / "example.toml")]

    ran = desk.run(
        "example", desk.folder / "example.csv", *arguments, "--lang", "ru", "--dry-run", officers=["kaz-liaison"]
    )
    assert ran.code == 0, ran.err
    lines = [" ".join(line.split()) for line in ran.out.splitlines()]
    for line in (
        "5 строк в файле",
        "2 принято",
        "1 исправлено",
        "1 повторы",
        "1 отклонено",
        "1 в автомобиле: конструкция, тайник или салон, не указано",
        "1 Порошок белый: этого значения нет в схеме импорта",
    ):
        assert line in lines, ran.out
    words = ran.out.replace("--equal-rows once", "").replace("--equal-rows each; each", "")
    assert not re.search("[A-Za-z]{2}", words), ran.out

    told = desk.run("example", desk.folder / "example.csv", *arguments, "--json", officers=["kaz-liaison"]).json
    assert told["sent"] == 3
    pounds = asyncio.run(_pounds(desk))
    assert (pounds.millionths, pounds.unit, pounds.original) == (1_133_980_925, "g", "2,5 фунт")


async def _pounds(desk: Desk) -> Quantity:
    importing.settle(desk.federation)
    async with connect(profiles.load(desk.federation.home / "tjk-liaison")) as session:
        page = await session.list_messages(author="kaz", page_size=3)
        opened = [await session.open_part(each.digest, reason="Exercise") for each in page.messages]
    notices = [SeizureNotice.FromString(each.plaintext) for each in opened]
    (quantity,) = [
        each.substances[0].quantity for each in notices if each.substances[0].quantity.original.endswith("фунт")
    ]
    return quantity


def test_the_progress_bar_is_for_terminals(desk: Desk) -> None:
    """A progress bar is drawn if standard error is a terminal; the result goes to standard output alone."""
    ours, theirs = pty.openpty()
    try:
        program = Program(
            desk.federation, desk.folder / "bar", desk.table, ["kgz-liaison"], "--dry-run", terminal=theirs
        )
        os.close(theirs)
        drawn = b""
        with contextlib.suppress(OSError):  # how a pseudo-terminal says that nobody writes any more
            while data := os.read(ours, 4096):
                drawn += data
    finally:
        os.close(ours)
    ran = program.ended()
    total = desk.account.outcomes.total() + 1  # the header is a line of the file
    assert (ran.code, f"{total}/{total}" in drawn.decode(), "Rows" in drawn.decode()) == (0, True, True)
    assert ran.out.startswith(f"{desk.account.outcomes.total():>9}  rows in the file")


def test_rows_of_states_outside_the_federation_are_counted_apart(
    records: list[Row], shared: Path, tmp_path: Path
) -> None:
    """In a federation without rus its rows are outside, by name and number, and those of other members not ours."""
    counted = Counter(STATES[row["COUNTRY"]] for row in records)
    members = [member for member in MEMBERS if member != "rus"]
    with Federation.create(tmp_path / "f", members) as federation:
        federation.start("kgz")
        table = shared / "data" / "unodc-ids-caricc-states.csv"
        told = Program(federation, tmp_path / "run", table, ["kgz-liaison"], "--json").ended().json
    assert (told["rows"], told["sent"]) == (len(records), counted["kgz"])
    assert (told["outside"], told["outside_states"]) == (counted["rus"], {"rus": counted["rus"]})
    others = {member: count for member, count in counted.items() if member not in {"rus", "kgz"}}
    assert (told["other_member"], told["other_members"]) == (sum(others.values()), others)


def test_every_log_verifies_afterwards(desk: Desk) -> None:
    """`paiza-node verify` finds every log, message and proof of the nodes in order."""
    importing.settle(desk.federation)
    chosen = MEMBERS if WHOLE else ("rus", "centre")
    importing.verified(desk.federation.node(member) for member in chosen)
