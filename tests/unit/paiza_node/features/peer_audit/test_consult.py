"""The limit on one member's queries in a minute, also those that return nothing."""

import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from paiza.core.v1 import log_pb2
from paiza.core.v1 import log_query_pb2 as pb
from paiza_node.features.peer_audit import consult
from paiza_node.features.peer_audit.consult import Asker
from paiza_node.features.peer_audit.visibility import Visibility
from paiza_node.features.peer_audit.work_limit import WorkLimit
from paiza_wire.errors import Rejected, Unavailable
from paiza_wire.tlog.log_queries import NONCE_SIZE
from tests.log_entries import entry_of
from tests.unit.paiza_node.features.peer_audit.log_room import LogRoom, member_of, officer

ENTRIES = 40


@pytest.fixture
def room(tmp_path: Path) -> Iterator[LogRoom]:
    """The log of kaz, of which nothing concerns uzb."""
    with LogRoom("kaz", tmp_path) as made:
        for number in range(ENTRIES):
            made.log("RELEASED", "tjk", bytes([number]) * 32)
        yield made


OWN = Asker(officer("kaz"), "", Visibility("kaz", own=True))


async def _entries(room: LogRoom, asker: Asker = OWN, **asked: Any) -> pb.EntriesPage:
    query = pb.EntryQuery(nonce=secrets.token_bytes(NONCE_SIZE), **asked)
    return await room.consult.entries(asker, query.SerializeToString(deterministic=True))


async def _ask(room: LogRoom, member: str) -> int:
    asker = await room.consult.as_member(member_of(member), officer(member))
    query = pb.EntryQuery(nonce=secrets.token_bytes(NONCE_SIZE)).SerializeToString(deterministic=True)
    return len((await room.consult.entries(asker, query)).entries)


async def test_reading_through_the_log_for_nothing_is_bounded(room: LogRoom, monkeypatch: pytest.MonkeyPatch) -> None:
    """Queries that return nothing count like those that return all; other members' queries continue."""
    monkeypatch.setattr(consult, "MAX_LOOKED", 3 * ENTRIES)
    for _ in range(3):
        assert await _ask(room, "uzb") < 3  # that it asked before
    with pytest.raises(Unavailable, match="busy"):
        await _ask(room, "uzb")
    assert await _ask(room, "tjk") >= ENTRIES


async def test_questions_about_counts_are_worth_entries(room: LogRoom, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each reads tables through."""
    monkeypatch.setattr(consult, "MAX_LOOKED", consult.COUNTS_LOOKED)
    asker = await room.consult.as_member(member_of("uzb"), officer("uzb"))
    await room.consult.counts(asker, pb.CountQuery(nonce=secrets.token_bytes(NONCE_SIZE)).SerializeToString())
    with pytest.raises(Unavailable, match="busy"):
        await room.consult.as_member(member_of("uzb"), officer("uzb"))


def test_a_minute_later_there_is_room_again() -> None:
    """Earlier reads no longer count."""
    budget = WorkLimit()
    budget.add("uzb", 5, 0.0)
    with pytest.raises(Unavailable, match="busy"):
        budget.check("uzb", 5, 59.0)
    budget.check("uzb", 6, 59.0)
    budget.check("uzb", 5, 60.0)
    budget.add("uzb", 1, 61.0)
    budget.check("uzb", 5, 62.0)


async def test_own_officers_find_entries_by_what_they_say(room: LogRoom) -> None:
    """By officer, with the texts beside them; a name in capitals is another one."""
    room.ledger.commit_now(lambda tx: tx.append(_denied("one"), text="first"))
    room.ledger.commit_now(lambda tx: tx.append(_denied("two"), text="second"))
    page = await _entries(room, actor="officer/one", with_texts=True)
    assert [(each.proven.index, each.text) for each in page.entries] == [(ENTRIES, "first")]
    assert [each.text for each in (await _entries(room, actor="officer/one")).entries] == [""]
    assert (await _entries(room, actor="OFFICER/one")).entries == []
    assert (await _entries(room, without_need=True)).entries == []


async def test_own_officers_read_the_whole_log_page_by_page(room: LogRoom) -> None:
    """Every entry comes once, in order; the pages before the last are full, and that they were read is logged."""
    found: list[int] = []
    first, complete = 0, False
    while not complete:
        page = await _entries(room, events=[log_pb2.LOG_EVENT_RELEASED], from_index=first, page_size=7)
        found.extend(each.proven.index for each in page.entries)
        first, complete = page.next_index, page.complete
    assert found == list(range(ENTRIES))
    assert len((await _entries(room, events=[log_pb2.LOG_EVENT_CONSULTED])).entries) == -(-ENTRIES // 7)


@pytest.mark.parametrize("asked", [{"with_texts": True}, {"without_need": True}, {"actor": "one"}])
async def test_texts_and_officers_are_for_the_own_member_alone(room: LogRoom, asked: dict[str, Any]) -> None:
    """Another member that asks for them is refused, and the denial logged."""
    asker = await room.consult.as_member(member_of("tjk"), officer("tjk"))
    with pytest.raises(Rejected, match="audit_not_granted"):
        await _entries(room, asker, **asked)
    (denied,) = (await _entries(room, events=[log_pb2.LOG_EVENT_DENIED])).entries
    assert log_pb2.LogEntry.FromString(denied.proven.entry).counterpart == "tjk"


def test_events_that_there_are_not_are_told_by_their_numbers() -> None:
    """A newer client may ask for what this node does not know; it is no internal error."""
    query = pb.EntryQuery(events=[4, 1000])  # type: ignore[list-item]  # a number from outside
    assert consult.told_entries(query) == "entries: 1000,RECEIVED; from #0"


def _denied(name: str) -> log_pb2.LogEntry:
    return entry_of(log_pb2.LOG_EVENT_DENIED, actor=officer("kaz", name), reason="policy_denied")
