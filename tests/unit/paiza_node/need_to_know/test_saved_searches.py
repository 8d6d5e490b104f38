"""Saved searches of officers at a whole node: what matches, who is told, what is bounded, what the database holds."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import pytest
import pytest_asyncio
from sqlalchemy import delete, update

from paiza.officer.v1 import officer_pb2, search_pb2
from paiza_node.core.storage.findings import Part
from paiza_node.features.search import saved
from paiza_node.features.search import store as search_store
from paiza_node.features.search.checks import SearchIndex
from paiza_node.features.search.model import SearchMatch
from paiza_node.features.search.saved import MAX_SAVED
from paiza_node.features.search.search import Search
from paiza_wire.errors import PaizaError
from tests.unit.paiza_node.need_to_know.scene import (
    HIDING,
    PHONE,
    STRANGER,
    STRANGERS_UNIT,
    SUBJECT,
    Scene,
    digest_of,
)
from tests.whole_node import WholeNode, refusal_of

SEARCH: Final = "/paiza.officer.v1.SearchService/"

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def scene(federation: Path) -> Scene:
    """Write the messages."""
    return Scene(federation, federation.parent)


@pytest_asyncio.fixture(loop_scope="module")
async def node(federation: Path, scene: Scene, tmp_path: Path) -> AsyncIterator[WholeNode]:
    """An empty node whose units do not see each other's messages."""
    del scene
    with WholeNode(federation, "kaz", tmp_path / "data", duty_unit="duty-desk") as made:
        made.appoint(STRANGER, "liaison", unit=STRANGERS_UNIT)
        yield made


async def save(node: WholeNode, name: str, number: int, field: str = "phone", text: str = PHONE, **more: Any) -> Any:
    """Save a search; return the refusal if it is refused."""
    request = search_pb2.SaveSearchRequest(
        search_id=number.to_bytes(16, "big"),
        criteria=[search_pb2.Criterion(field=field, text=text)],
        reason_text=more.pop("reason", "Case 1"),
        **more,
    )
    return await refusal_of(node.call(SEARCH + "SaveSearch", node.officer(name), request))


async def listed(node: WholeNode, name: str) -> list[list[bytes]]:
    """Return the matches of an officer's searches, by search."""
    answer: Any = (
        await node.call(SEARCH + "ListSavedSearches", node.officer(name), search_pb2.ListSavedSearchesRequest())
    )[0]
    return [[match.message_digest for match in each.matches] for each in answer.searches]


async def test_new_messages_match_and_earlier_ones_do_not(node: WholeNode, scene: Scene) -> None:
    """Each of the criteria must hold; author and kind restrict; a match stays until it is acknowledged."""
    first, second, third = (digest_of(each) for each in scene.to_stranger)
    node.receive(scene.to_stranger[0])
    await save(node, STRANGER, 1)
    await save(node, STRANGER, 2, author="uzb")
    await save(node, STRANGER, 3, "phone", "+7 701 555 99 99")
    await save(node, STRANGER, 4, "subject", SUBJECT)
    node.receive(scene.to_stranger[1])
    await node.index()
    node.receive(scene.to_stranger[2])
    await node.index()
    assert await listed(node, STRANGER) == [[third, second], [], [], [third, second]]
    assert first not in (await listed(node, STRANGER))[0]
    request = search_pb2.AcknowledgeMatchesRequest(search_id=(1).to_bytes(16, "big"), last_sequence=2)
    await node.call(SEARCH + "AcknowledgeMatches", node.officer(STRANGER), request)
    assert (await listed(node, STRANGER))[0] == [third]
    await node.call(
        SEARCH + "RemoveSavedSearch",
        node.officer(STRANGER),
        search_pb2.RemoveSavedSearchRequest(search_id=(1).to_bytes(16, "big")),
    )
    assert await listed(node, STRANGER) == [[], [], [third, second]]


async def test_only_what_the_officer_may_open_matches(node: WholeNode, scene: Scene) -> None:
    """A message of another unit is no match, neither then nor later; its own unit is told."""
    await save(node, STRANGER, 1)
    await save(node, HIDING, 1)
    node.receive(scene.received)
    await node.index()
    assert await listed(node, STRANGER) == [[]]
    assert await listed(node, HIDING) == [[digest_of(scene.received)]]
    with node.store.reads() as reads:
        assert not search_store.matches(reads, node.officer(STRANGER).id, (1).to_bytes(16, "big"), 10)
    node.appoint(HIDING, unit="elsewhere")
    assert await listed(node, HIDING) == [[]]


async def test_the_database_holds_no_word_of_a_search(node: WholeNode) -> None:
    """Tokens alone; a search for a person needs a reason and is logged."""
    refused = await save(node, STRANGER, 1, reason="")
    assert isinstance(refused, PaizaError)
    assert refused.reason == "search_reason_missing"
    await save(node, STRANGER, 1, "name", "Ivanov Pyotr")
    with node.store.reads() as reads:
        (kept,) = search_store.saved_searches(reads)
    assert b"ivanov" not in repr(kept).encode().lower()
    assert all(len(token) == 16 for clause in kept.clauses for token in clause)
    assert search_store.unpacked(search_store.packed(kept.clauses)) == kept.clauses


async def test_searches_of_an_officer_are_bounded(node: WholeNode) -> None:
    """One more is refused; saving one again is not."""
    for number in range(MAX_SAVED):
        await save(node, STRANGER, number, "subject", "lorry")
    refused = await save(node, STRANGER, MAX_SAVED, "subject", "lorry")
    assert isinstance(refused, PaizaError)
    assert refused.reason == "too_large"
    assert not isinstance(await save(node, STRANGER, 3, "subject", "car"), PaizaError)
    assert not isinstance(await save(node, HIDING, 1, "subject", "car"), PaizaError)
    wrong = search_pb2.RemoveSavedSearchRequest(search_id=(77).to_bytes(16, "big"))
    unknown: Any = await refusal_of(node.call(SEARCH + "RemoveSavedSearch", node.officer(STRANGER), wrong))
    assert unknown.reason == "unknown_id"


async def test_after_a_restart_the_searches_wait_on(node: WholeNode, scene: Scene) -> None:
    """They are in the rows: a new index reads them, and matches once."""
    await save(node, STRANGER, 1)
    node.receive(scene.to_stranger[0])
    await node.index()
    await node.index()
    assert await listed(node, STRANGER) == [[digest_of(scene.to_stranger[0])]]


async def test_a_watch_begins_with_what_matched(node: WholeNode, scene: Scene) -> None:
    """One notice for each search that has matches, for its officer alone; it names the search by its id."""
    await save(node, STRANGER, 1)
    await save(node, STRANGER, 2, "phone", "+7 701 555 99 99")
    node.receive(*scene.to_stranger[:2])
    await node.index()
    first, found = None, list[Any]()
    stream = node.stream("/paiza.officer.v1.OfficerService/Watch", node.officer(STRANGER), officer_pb2.WatchRequest())
    async for first in stream:
        if found := [notice for notice in first.notices if notice.code == "search_match"]:
            break
    await stream.aclose()  # type: ignore[attr-defined]  # a generator
    assert [notice.search_id for notice in found] == [(1).to_bytes(16, "big")]
    assert [notice.message_digest for notice in found] == [digest_of(scene.to_stranger[1])]
    assert PHONE not in str(first)


async def test_verify_names_bent_searches_and_matches(node: WholeNode, scene: Scene) -> None:
    """A search that cannot be read, and a match of none or of an earlier message."""
    await save(node, STRANGER, 1)
    node.receive(scene.to_stranger[0])
    await node.index()

    def found() -> list[str]:
        part = Part("search")
        with node.store.reads() as reads:
            SearchIndex(reads).verify(part, lambda _count: None)
        return [each.reason for each in part.findings]

    assert found() == []
    officer, search_id = node.officer(STRANGER).id, (1).to_bytes(16, "big")
    for bend in (
        update(search_store.saved_search_table).values(after_seq=1),
        update(search_store.saved_search_table).values(clauses=b"\x00\x09cut"),
        delete(search_store.saved_search_table),
    ):
        with node.store.reads() as reads:
            (kept,) = search_store.saved_searches(reads)
        with node.store.transaction() as conn:
            conn.execute(bend)
        assert "log_damaged" in found(), bend
        with node.store.transaction() as conn:
            conn.execute(delete(search_store.saved_search_table))
            search_store.put_saved_search(conn, kept)
            search_store.add_matches(conn, [SearchMatch(officer, search_id, 1, annex=False)])
    assert found() == []


async def test_a_message_is_judged_once_for_all_searches_of_an_officer(
    node: WholeNode, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of their searches may meet every message, and each judgement asks the database and the policy."""
    for number in range(MAX_SAVED):
        await save(node, STRANGER, number, "subject", SUBJECT)
    judged: list[str] = []
    shown = Search.shown

    def counted(self: Search, reads: Any, officer: Any, rows: Any, *, annex: bool) -> set[int]:
        judged.append(officer.id)
        return shown(self, reads, officer, rows, annex=annex)

    monkeypatch.setattr(Search, "shown", counted)
    node.receive(scene.to_stranger[0])
    await node.index()
    assert judged == [node.officer(STRANGER).id]
    monkeypatch.undo()
    assert await listed(node, STRANGER) == [[digest_of(scene.to_stranger[0])]] * MAX_SAVED


async def test_what_is_kept_of_a_search_is_counted_and_not_read(
    node: WholeNode, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The writer is held meanwhile: a full search, which nobody acknowledges, costs it one count a commit."""
    monkeypatch.setattr(saved, "MAX_MATCHES", 2)
    for number in range(2):
        await save(node, STRANGER, number, "subject", SUBJECT)
    asked: list[str] = []
    count = search_store.match_count

    def counted(*args: Any) -> int:
        asked.append("count")
        return count(*args)

    monkeypatch.setattr(search_store, "matches", lambda *_: asked.append("matches"))
    monkeypatch.setattr(search_store, "match_count", counted)
    for message in scene.to_stranger[:3]:
        node.receive(message)
    await node.index()
    assert asked == ["count", "count"]
    monkeypatch.undo()
    assert [len(each) for each in await listed(node, STRANGER)] == [2, 2]
