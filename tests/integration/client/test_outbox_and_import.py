"""Nothing is lost or sent twice: messages while the node is away, and a table imported again."""

import asyncio
import csv
from pathlib import Path

import pytest

from paiza_client.data.imports import ImportInterrupted, import_seizures, load_map
from paiza_client.sdk import Session, connect
from paiza_officer import profiles
from tests.federation import Federation
from tests.integration.client.conftest import DRAFT, Paiza


def sent(paiza: Paiza) -> list[str]:
    """Return the ids of all messages kaz has sent."""
    return [each["id"] for each in paiza("kaz-liaison", "inbox", "--sent", "--limit", "1000", "--json").json]


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

    async def work() -> tuple[str, str]:
        home = federation.home
        async with (
            connect(profiles.load(home / "kaz-liaison")) as sender,
            connect(profiles.load(home / "tjk-liaison")) as reader,
        ):
            ready = asyncio.Event()
            news = asyncio.create_task(first_news(reader, ready))
            await ready.wait()
            message_id = ""
            # The stream has begun when its first news comes; what is sent before that is not news to it.
            while not news.done():
                message_id = await _send(sender)
                await asyncio.wait([news], timeout=0.5)
            return message_id, await news

    sent_id, heard = asyncio.run(asyncio.wait_for(work(), 60))
    assert heard[:8] == sent_id[:8]


async def _send(session: Session) -> str:
    from paiza_client.sdk.drafts import Overrides, prepare, writing_time  # noqa: PLC0415 - the draft's own reader
    from paiza_domain.drafts import drafts  # noqa: PLC0415

    now = writing_time()
    prepared = prepare(drafts.read(DRAFT, "en", now=now), "draft", Overrides(), now)
    composer = await session.composer()
    sealed = composer.seal(composer.validate(prepared.kind, prepared.content, None, prepared.envelope, now))
    (outcome,) = await session.submit([sealed])
    assert outcome.state == "released"
    return sealed.id
