"""Searching over real nodes: what was sent and received is found by what it speaks of, by those who may see it."""

import asyncio
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest

from paiza.core.v1 import log_pb2
from paiza.officer.v1 import search_pb2, search_pb2_grpc
from paiza_domain.terms.folding import name
from tests.federation import Federation
from tests.integration.client.conftest import Paiza, Ran
from tests.integration.exchange.lawful_desk import log_entries
from tests.officer import Officer

NOTICE = """\
kind: seizure-notice
to: [tjk]
urgency: routine
handling: {{tlp: AMBER, code: H2, classification: 1}}
review: 3 years
content:
  notice_id: {number}
  notice_version: 1
  status: initial
  seized_at: {day}
  reporting_agency: Fictional Agency
  place: {{country: KAZ, town: Душанбинка}}
  substances:
    - as_named: Героин
      drug_group: opioids
      drug_type: heroin
      quantity: 1.5 kg
  route:
    - {{role: transit, country: UZB}}
  transport:
    - {{plate: "{plate}"}}
annex:
  persons:
    - {{surname: Вымышлев, given_names: Образец, role: courier, category: suspect}}
"""

REQUEST = """\
kind: information-request
to: [tjk]
urgency: routine
handling: {{tlp: AMBER, code: H2, classification: 1}}
review: 3 years
content:
  reference: R-1
  subject: A lorry
  purposes: [investigate]
  facts: Invented.
  vehicles:
    - plate: "{plate}"
  questions:
    - {{number: 1, text: Who drove it?}}
  why_addressee: It went through your country.
"""


def _until_found(paiza: Paiza, profile: str, count: int, *arguments: str) -> Ran:
    """Search until the index has caught up, which takes a few seconds; a minute on a machine that is busy."""
    for _ in range(600):
        ran = paiza(profile, "search", "--json", *arguments)
        if len(ran.json["messages"]) >= count:
            return ran
        time.sleep(0.1)
    raise AssertionError(f"not found: {arguments}")


@pytest.fixture(scope="module")
def sent(federation: Federation, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """Plates of this module's own, so that other tests' messages do not count."""
    del federation, tmp_path_factory
    return "А 871 ВС 77", "A871BC77"


def test_a_notice_is_found_on_both_sides(paiza: Paiza, tmp_path: Path, sent: tuple[str, str]) -> None:
    """Sender and receiver find it by plate, substance, place, route and period, in either alphabet and language."""
    draft = tmp_path / "one.yaml"
    draft.write_text(NOTICE.format(number="S-1", day="2026-03-04", plate=sent[0]))
    assert paiza("kaz-liaison", "send", "seizure-notice", str(draft)).code == 0
    for profile in ("kaz-liaison", "tjk-liaison"):
        found = _until_found(paiza, profile, 1, "--plate", sent[1]).json["messages"]
        assert [each["event_time"][:10] for each in found] == ["2026-03-04"]
        for criterion in (
            ("--substance", "героин"),
            ("--substance", "диаморфин"),  # a synonym, by the reference data
            ("--substance", "561-27-3"),
            ("--place", "Dushanbinka"),
            ("--country", "Казахстан"),
            ("--route", "transit Узбекистан"),
            ("--since", "2026-03-04"),
        ):
            narrowed = paiza(profile, "search", "--json", "--plate", sent[1], *criterion)
            assert len(narrowed.json["messages"]) == 1, criterion
        for nothing in (("--substance", "cannabis"), ("--until", "2026-03-04"), ("--from", "uzb")):
            assert paiza(profile, "search", "--json", "--plate", sent[1], *nothing).json["messages"] == []


def test_a_second_notice_with_the_same_plate_is_linked(paiza: Paiza, tmp_path: Path, sent: tuple[str, str]) -> None:
    """Messages that share an identifier lead to each other, and say what they share."""
    draft = tmp_path / "two.yaml"
    draft.write_text(NOTICE.format(number="S-2", day="2026-05-06", plate=sent[1].lower()))
    assert paiza("kaz-liaison", "send", "seizure-notice", str(draft)).code == 0
    found = _until_found(paiza, "tjk-liaison", 2, "--plate", sent[0]).json["messages"]
    linked = paiza("tjk-liaison", "links", found[0]["id"], "--json").json
    assert [each["id"] for each in linked] == [found[1]["id"]]
    assert set(linked[0]["fields"]) >= {"plate", "person"}
    listed = {each["id"]: each["linked"] for each in paiza("tjk-liaison", "inbox", "--json").json["messages"]}
    assert (listed[found[0]["id"]], listed[found[1]["id"]]) == (True, False), "the newer one says so, in lists"


def test_a_saved_search_rings_on_the_next_notice(paiza: Paiza, tmp_path: Path, sent: tuple[str, str]) -> None:
    """Saved by name; a new notice about the plate matches, what was here before does not; tasks name it until seen."""
    assert paiza("tjk-liaison", "search", "save", "Grey lorry", "--plate", sent[1]).code == 0
    assert paiza("tjk-liaison", "search", "list", "--json").json[0]["matches"] == []
    draft = tmp_path / "next.yaml"
    draft.write_text(NOTICE.format(number="S-9", day="2026-06-07", plate=sent[1]))
    notice = paiza("kaz-liaison", "send", "seizure-notice", draft, "--json").json["id"]
    deadline = time.monotonic() + 60
    while not (found := paiza("tjk-liaison", "search", "matches", "Grey lorry", "--json").json["matches"]):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    assert [each["id"] for each in found] == [notice]
    assert "Saved search Grey lorry: 1 new message" in paiza("tjk-liaison", "tasks", "list").out
    assert paiza("tjk-liaison", "search", "matches", "Grey lorry", "--seen").code == 0
    assert "Grey lorry" not in paiza("tjk-liaison", "tasks", "list").out
    assert paiza("tjk-liaison", "search", "remove", "Grey lorry").code == 0
    assert paiza("tjk-liaison", "search", "list", "--json").json == []


def test_a_request_about_a_plate_is_linked_to_the_notice_that_holds_it(
    paiza: Paiza, tmp_path: Path, sent: tuple[str, str]
) -> None:
    """The member asked sees at the request which of its messages hold what is asked about."""
    draft = tmp_path / "request.yaml"
    draft.write_text(REQUEST.format(plate=sent[1]))
    assert paiza("kaz-liaison", "send", "information-request", str(draft)).code == 0
    found = _until_found(paiza, "tjk-liaison", 1, "--plate", sent[0], "--kind", "information-request").json["messages"]
    linked = paiza("tjk-liaison", "links", found[0]["id"], "--json").json
    assert {each["kind"] for each in linked} == {"seizure-notice"}
    assert all("plate" in each["fields"] for each in linked)


def test_a_search_for_a_person_needs_a_reason_and_is_logged(paiza: Paiza, sent: tuple[str, str]) -> None:
    """A search without a reason is refused, one with a reason is logged; coordinators find no person in an annex."""
    del sent
    refused = paiza("tjk-liaison", "search", "--name", "Vymyshlev")
    assert refused.code == 3
    assert "search_reason_missing" in refused.err
    found = _until_found(paiza, "tjk-liaison", 3, "--name", "Vymyshlev Obrazets", "--reason", "exercise")
    assert {each["kind"] for each in found.json["messages"]} == {"seizure-notice"}
    assert paiza("tjk-coordinator", "search", "--json", "--name", "Vymyshlev", "--reason", "x").json["messages"] == []


def test_looking_for_requests_of_colleagues_is_no_oracle(
    federation: Federation, paiza: Paiza, tmp_path: Path, sent: tuple[str, str]
) -> None:
    """Officers who may not open annexes learn nothing of them by a repeated query; the query is logged."""
    del sent
    draft = tmp_path / "red.yaml"
    text = NOTICE.format(number="S-3", day="2026-07-08", plate="Z 777 ZZ 77")
    draft.write_text(text.replace("tlp: AMBER, code: H2", "tlp: RED, code: H2"))
    red = paiza("kaz-liaison", "send", "seizure-notice", str(draft), "--json").json["id"]
    _until_found(paiza, "kaz-liaison", 1, "--plate", "Z777ZZ77")

    def found(officer: str, **criterion: str) -> list[search_pb2.SimilarMessage]:
        request = search_pb2.FindSimilarRequest(kind="seizure-notice", criteria=[search_pb2.Criterion(**criterion)])

        async def ask() -> list[search_pb2.SimilarMessage]:
            async with Officer(federation.folder, officer).channel() as channel:
                answer = await search_pb2_grpc.SearchServiceStub(channel).FindSimilar(request)
            return list(answer.messages)

        return asyncio.run(ask())

    def similar(officer: str, **criterion: str) -> list[tuple[str, ...]]:
        return [tuple(each.fields) for each in found(officer, **criterion)]

    person = {"field": "person", "text": "Вымышлев Образец"}
    assert ("person",) in similar("kaz-liaison", **person)
    assert similar("kaz-coordinator", **person) == []

    async def searched() -> list[str]:
        async with Officer(federation.folder, "kaz-auditor").channel() as channel:
            found = await log_entries(channel, events=[log_pb2.LOG_EVENT_SEARCHED])
        return [log_pb2.LogEntry.FromString(each.proven.entry).actor.rpartition("/")[2] for each in found]

    assert asyncio.run(searched())[-2:] == ["liaison", "coordinator"]
    # RED messages they may not open: no content search finds them, and of a request only the thread is named.
    assert paiza("kaz-coordinator", "search", "--json", "--plate", "Z777ZZ77").json["messages"] == []
    plate = {"field": "plate", "text": "Z777ZZ77"}
    assert similar("kaz-coordinator", **plate) == [()]
    assert [each.message_id for each in found("kaz-coordinator", **plate)] == [b""]
    assert [each.message_id.hex() for each in found("kaz-liaison", **plate)] == [red]


def test_a_stolen_database_shows_no_term(federation: Federation, paiza: Paiza, sent: tuple[str, str]) -> None:
    """Neither plate nor name nor substance stands anywhere in the database, plain or folded."""
    found = _until_found(paiza, "tjk-liaison", 2, "--plate", sent[1]).json["messages"]
    database = federation.node("tjk").data / "paiza.db"
    # Whole values, and not a dump: there bytes stand as hexadecimal digits, as which a plate of such letters comes up.
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        tables = [table for (table,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        rows = [row for each in tables for row in connection.execute(f'SELECT * FROM "{each}"')]  # noqa: S608 - its own
    values = {value for row in rows for value in row}
    stored = [value if isinstance(value, bytes) else str(value).encode() for value in values]
    assert bytes.fromhex(found[0]["digest"]) in stored
    for secret in (sent[1], sent[0], "Вымышлев", "Vymyshlev", name("Вымышлев"), "HEROIN", "heroin"):
        assert not any(secret.encode() in value for value in stored), secret


def test_what_cannot_be_searched_is_refused(paiza: Paiza) -> None:
    """An unknown field, an empty search and a text of which nothing is left each say what to do."""
    for arguments, reason in (
        (("--by", "colour=red"), "search_field_unknown"),
        ((), "search_empty"),
        (("--plate", "…"), "search_empty"),
    ):
        refused = paiza("tjk-liaison", "search", *arguments)
        assert refused.code == 3
        assert reason in refused.err


def test_a_search_says_how_it_reads_a_word(paiza: Paiza) -> None:
    """A word spelled by its sound, or a part of several names; nothing is said of a name of the list."""
    for text, said in (("хероин", "“хероин” is read as: Heroin."), ("героин", "")):
        found = paiza("tjk-liaison", "search", "--substance", text)
        assert (found.code, "is read as" in found.err) == (0, bool(said))
        assert said in found.err
    nowhere = paiza("tjk-liaison", "search", "--country", "Korea").err
    assert "Republic of Korea, Democratic People's Republic of Korea" in nowhere
    assert "Near spellings" not in nowhere
