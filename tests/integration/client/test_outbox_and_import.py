"""Nothing is lost or sent twice: messages while the node is away, and a table imported again."""

import asyncio
import csv
import io
import uuid
from collections.abc import Sequence
from pathlib import Path

import pytest

from paiza_client.compose.composer import Sealed
from paiza_client.data.imports import ImportInterrupted, ImportResult, import_seizures, load_map
from paiza_client.data.imports.rows import RowReader, row_digest
from paiza_client.sdk import Session, connect
from paiza_client.verify.model import Outcome, SentRow
from paiza_officer import profiles
from tests.federation import Federation
from tests.integration.client.conftest import DRAFT, Paiza


def sent(paiza: Paiza) -> list[str]:
    """Return the ids of all messages kaz has sent."""
    listed = paiza("kaz-liaison", "inbox", "--sent", "--limit", "1000", "--json").json["messages"]
    return [each["id"] for each in listed]


def test_a_message_waits_for_the_node_and_goes_by_itself(paiza: Paiza, federation: Federation, draft: Path) -> None:
    """Written while the node is down, a message is sealed in the outbox; the next command sends it, once."""
    before = sent(paiza)
    federation.node("kaz").stop()
    try:
        down = paiza("kaz-liaison", "send", "free", draft)
        assert down.code == 4
        assert "outbox" in down.err
        (waiting,) = paiza("kaz-liaison", "outbox", "list", "--json").json
        stored = b"".join(path.read_bytes() for path in (federation.home / "kaz-liaison/outbox").iterdir())
        assert b"Nothing of this is real" not in stored
    finally:
        federation.start("kaz")
    assert [each for each in sent(paiza) if each not in before] == [waiting["id"]]
    assert paiza("kaz-liaison", "outbox", "list", "--json").json == []


def test_a_lost_answer_sends_nothing_twice(paiza: Paiza, draft: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut off after the node released a message and before it was settled, it is not released again."""
    before = sent(paiza)

    class PowerCutError(Exception):
        pass

    def cut(*_arguments: object) -> None:
        raise PowerCutError

    with monkeypatch.context() as patched:
        patched.setattr("paiza_client.local.outbox.Outbox.settle", cut)
        assert paiza("kaz-liaison", "send", "free", draft).code == 1
    (waiting,) = paiza("kaz-liaison", "outbox", "list", "--json").json
    (outcome,) = paiza("kaz-liaison", "outbox", "flush", "--json").json
    assert outcome["state"] == "released"
    assert [each for each in sent(paiza) if each not in before] == [waiting["id"]]


@pytest.mark.realdata
def test_an_import_run_twice_sends_nothing_twice(
    paiza: Paiza, shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Real rows go out once; a second run recognises every one; a new row alone is sent."""
    source = shared / "data" / "unodc-ids-caricc-states.csv"
    monkeypatch.chdir(tmp_path)
    with source.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.reader(file))
    reporter = rows[0].index(load_map("ids").columns["member"])
    ours = [row for row in rows[1:] if row[reporter] == "Tajikistan"][:40]
    table = tmp_path / "table.csv"

    def write(count: int) -> None:
        with table.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([rows[0], *ours[:count]])

    write(30)
    first = paiza("tjk-liaison", "import", "seizures", table, "--map", "ids", "--json").json
    assert first["sent"] == first["accepted"] + first["repaired"] > 0
    second = paiza("tjk-liaison", "import", "seizures", table, "--map", "ids", "--json").json
    assert (second["sent"], second["accepted"], second["repaired"]) == (0, 0, 0)
    write(40)
    third = paiza("tjk-liaison", "import", "seizures", table, "--map", "ids", "--json").json
    assert third["sent"] == third["accepted"] + third["repaired"]
    assert first["sent"] + third["sent"] + third["repeated_in_file"] + third["rejected"] == 40


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """The table of the examples with invented places, so that none of its rows was ever sent."""
    text = (Path(__file__).parents[3] / "examples/seizures.csv").read_text(encoding="utf-8")
    head, *rows = csv.reader(text.splitlines())
    place = head.index("PLACE")
    path = tmp_path / "new.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(head)
        writer.writerows([*row[:place], f"{row[place]} {uuid.uuid4().hex}", *row[place + 1 :]] for row in rows)
    return path


def test_a_dry_run_of_an_import_refuses_what_its_node_refuses(
    paiza: Paiza, table: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first notice is tried at the node: an officer who may send none learns it before."""
    monkeypatch.chdir(table.parent)
    command = ("import", "seizures", table, "--map", "ids", "--json")
    for option in ((), ("--dry-run",)):
        refused = paiza("tjk-auditor", *command, *option)
        assert (refused.code, "role_missing" in refused.err) == (3, True), refused.err

    async def refuses(_session: Session, message: Sealed) -> Outcome:
        return Outcome("refused", message.digest, reason="policy_denied")

    with monkeypatch.context() as patched:
        patched.setattr(Session, "try_message", refuses)
        tried = paiza("tjk-liaison", *command, "--dry-run")
    assert (tried.code, "policy_denied" in tried.err + tried.out) == (3, True)


async def _import(session: Session, table: Path) -> ImportResult:
    return await import_seizures([session], table, load_map("ids"), rejects=table.with_name(uuid.uuid4().hex))


def test_rows_that_were_sent_meanwhile_are_checked_and_counted(
    federation: Federation, table: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another import sends the same rows at the same moment: each row goes out once, and no copy stays behind."""

    async def work() -> tuple[ImportResult, ImportResult, int]:
        async with connect(profiles.load(federation.home / "kaz-liaison")) as session:
            first = await _import(session, table)
            find = session.find_source_rows
            calls = iter(range(10))

            async def late(rows: Sequence[bytes]) -> dict[bytes, SentRow]:
                return await find(rows) if next(calls) else {}

            with monkeypatch.context() as patched:
                patched.setattr(session, "find_source_rows", late)
                second = await _import(session, table)
            return first, second, len(session.outbox.listing())

    first, second, waiting = asyncio.run(asyncio.wait_for(work(), 60))
    assert first.sent > 0
    assert (second.sent, second.repeated_at_node, second.refused) == (0, first.sent, ())
    assert dict(second.sent_before_by) == {"spiffe://kaz.paiza.example/officer/liaison": first.sent}
    assert waiting == 0


def test_a_row_claimed_by_a_message_of_another_kind_is_not_taken_for_sent(federation: Federation, table: Path) -> None:
    """A message that only claims the row stops the notice openly: it is refused, and names that message."""
    row = next(RowReader(io.BytesIO(table.read_bytes()), load_map("ids")).__iter__())

    async def work() -> tuple[bytes, ImportResult, ImportResult]:
        async with connect(profiles.load(federation.home / "kaz-liaison")) as session:
            claim = await _seal(session, source_row=row_digest(row.values, load_map("ids")))
            (outcome,) = await session.submit([claim])
            assert outcome.state == "released"
            first, second = await _import(session, table), await _import(session, table)
            for message_id, _ in (*first.refused, *second.refused):
                session.outbox.drop(bytes.fromhex(message_id))
            return claim.digest, first, second

    claimed, first, second = asyncio.run(asyncio.wait_for(work(), 60))
    for result in (first, second):
        ((_, outcome),) = result.refused
        assert (outcome.reason, outcome.earlier) == ("source_row_known", claimed)
    assert (first.sent > 0, second.sent) == (True, 0)


def test_an_import_that_meets_no_node_tells_how_far_it_came(federation: Federation, tmp_path: Path) -> None:
    """The node goes away under an open session: what was done until then is in the error, and it can be repeated."""
    table = tmp_path / "table.csv"
    table.write_bytes((Path(__file__).parents[3] / "examples/seizures.csv").read_bytes())

    async def work() -> ImportInterrupted:
        async with connect(profiles.load(federation.home / "kaz-liaison")) as session:
            await session.whoami()
            await asyncio.to_thread(federation.node("kaz").stop)
            with pytest.raises(ImportInterrupted) as raised:
                await import_seizures([session], table, load_map("ids"), rejects=tmp_path / "rejects.csv")
            return raised.value

    try:
        error = asyncio.run(asyncio.wait_for(work(), 100))
    finally:
        federation.start("kaz")
    assert error.saved
    assert (error.result.report.rows, error.result.sent, error.result.rejects) == (0, 0, None)


def test_the_sdk_watches_what_arrives(federation: Federation) -> None:
    """A watcher at the recipient hears of a message that another officer sends meanwhile."""

    async def first_news(session: Session, ready: asyncio.Event) -> str:
        stream = session.watch()
        waiting = asyncio.ensure_future(anext(stream))
        ready.set()
        return (await waiting).id

    async def work() -> tuple[list[str], str]:
        home = federation.home
        async with (
            connect(profiles.load(home / "kaz-liaison")) as sender,
            connect(profiles.load(home / "tjk-liaison")) as reader,
        ):
            ready = asyncio.Event()
            news = asyncio.create_task(first_news(reader, ready))
            await ready.wait()
            sent: list[str] = []
            # The stream has begun when its first news comes; what is sent before that is not news to it.
            while not news.done():
                sent.append(await _send(sender))
                await asyncio.wait([news], timeout=0.5)
            return sent, await news

    sent, heard = asyncio.run(asyncio.wait_for(work(), 60))
    assert heard in sent


async def _send(session: Session) -> str:
    sealed = await _seal(session)
    (outcome,) = await session.submit([sealed])
    assert outcome.state == "released"
    return sealed.id


async def _seal(session: Session, *, source_row: bytes = b"") -> Sealed:
    from paiza_client.sdk.drafts import Overrides, prepare, writing_time  # noqa: PLC0415 - the draft's own reader
    from paiza_domain.drafts import drafts  # noqa: PLC0415

    now = writing_time()
    prepared = prepare(drafts.read(DRAFT, "en", now=now), "draft", Overrides(), now)
    composer = await session.composer()
    message = composer.validate(prepared.kind, prepared.content, None, prepared.envelope, now)
    return composer.seal(message, source_row=source_row)


def test_the_outbox_names_the_message_that_was_sent_for_a_row(paiza: Paiza, federation: Federation) -> None:
    """A message that waited while another went out for its row is refused, and the officer is told which one went."""

    async def work() -> tuple[Sealed, Sealed]:
        async with connect(profiles.load(federation.home / "kaz-liaison")) as session:
            row = uuid.uuid4().bytes * 2
            first, second = await _seal(session, source_row=row), await _seal(session, source_row=row)
            await session.submit([first])
            session.outbox.put([second.item()])
            return first, second

    first, second = asyncio.run(asyncio.wait_for(work(), 60))
    flushed = paiza("kaz-liaison", "outbox", "flush")
    assert f"message {first.digest.hex()[:16]}" in flushed.out
    (waiting,) = paiza("kaz-liaison", "outbox", "list", "--json").json
    assert (waiting["id"], waiting["refused"]) == (second.id, "source_row_known")
    assert paiza("kaz-liaison", "outbox", "drop", second.id, "--yes").code == 0
