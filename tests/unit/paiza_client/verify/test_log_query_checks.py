"""A log's answer is accepted only unchanged: not altered on the way, and no page of another query."""

import asyncio
import random
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta

import pytest
from google.protobuf.message import DecodeError

from paiza.core.v1 import log_pb2
from paiza.core.v1 import log_query_pb2 as pb
from paiza_client.verify import log_query_checks as checks
from paiza_client.verify.log_query_checks import Query, VisiblePage
from paiza_node.core.access.consultations import Consultations
from paiza_node.core.exchange.model import ProofKind
from paiza_node.core.log import store as log_store
from paiza_node.core.messages.model import MessageState
from paiza_node.features.peer_audit.consult import Asker, Consult
from paiza_node.features.peer_audit.model import AuditGrant
from paiza_node.features.peer_audit.visibility import Visibility
from paiza_officer.errors import NotProven
from paiza_wire.errors import Rejected, Unavailable
from paiza_wire.message import message_digest
from paiza_wire.tlog import log_queries
from paiza_wire.tlog.log_queries import NONCE_SIZE
from tests.unit.paiza_node.features.peer_audit.log_room import BEGIN, LogRoom, header, log_reader, member_of, officer

ASKER = officer("kaz")
DAY = timedelta(days=1)


@dataclass(frozen=True)
class Scene:
    """The log of tjk, which kaz asks; ``others`` are messages with uzb, which were not granted."""

    tjk: LogRoom
    headers: list[bytes]
    others: list[bytes]

    @property
    def digests(self) -> list[bytes]:
        """The messages that kaz sent."""
        return [message_digest(each) for each in self.headers]

    def ask(self, asker: Asker | None = None, **fields: object) -> tuple[pb.EntriesPage, Query]:
        """Ask as kaz's coordinator (or as somebody else) what a party may see; gives answer and question."""
        query = pb.EntryQuery(nonce=secrets.token_bytes(NONCE_SIZE), **fields)  # type: ignore[arg-type]  # of the proto
        data = query.SerializeToString(deterministic=True)
        asker = asker or Asker(ASKER, "kaz", Visibility("kaz"))
        page = asyncio.run(self.tjk.consult.entries(asker, data))
        return page, Query("kaz" if asker.member else "tjk", asker.officer, "tjk", data)


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """Deliver to tjk four messages of kaz, one of them lost and one erased, and two of uzb."""
    folder = tmp_path_factory.mktemp("logs")
    headers = [header("kaz", "tjk") for _ in range(4)]
    others = [header("uzb", "tjk") for _ in range(2)]
    with LogRoom("kaz", folder) as kaz, LogRoom("tjk", folder) as tjk:
        for number, each in enumerate(headers):
            digest = message_digest(each)
            tjk.hold(kaz.log("RELEASED", "tjk", digest), "kaz", ProofKind.RELEASED)
            if number != 2:
                tjk.store_message(each, "kaz", MessageState.RECEIVED, body=number != 3)
            tjk.log("RECEIVED", "kaz", digest)
        tjk.log("ERASED", "kaz", message_digest(headers[3]))
        for each in others:
            tjk.store_message(each, "uzb", MessageState.RECEIVED)
            tjk.log("RECEIVED", "uzb", message_digest(each))
        yield Scene(tjk, headers, [message_digest(each) for each in others])


def check(page: pb.EntriesPage, asked: Query) -> VisiblePage:
    """Check as the client does."""
    return checks.check_page(page, asked, log_reader())


def test_a_party_is_shown_what_concerns_it(scene: Scene) -> None:
    """The asker sees its own messages with headers, content state and proofs of its log; no others'."""
    page, asked = scene.ask(with_headers=True, with_held_proofs=True, events=[log_pb2.LOG_EVENT_RECEIVED])
    found = check(page, asked)
    assert [each.proof.digest for each in found.entries] == scene.digests
    assert [each.content for each in found.entries] == ["held", "held", "missing", "erased"]
    assert [each.header for each in found.entries] == [*scene.headers[:2], b"", scene.headers[3]]
    assert [each.held[0][0].event for each in found.entries] == ["RELEASED"] * 4
    assert found.complete
    assert found.scope.party_events == {log_pb2.LOG_EVENT_RECEIVED}
    assert not found.scope.events


def test_pages_go_on_where_they_ended(scene: Scene) -> None:
    """Page by page the same entries as at once, and an end."""
    whole = [each.proof.index for each in check(*scene.ask()).entries]
    found: list[int] = []
    start = 0
    for _ in range(20):
        page = check(*scene.ask(from_index=start, page_size=2))
        found += [each.proof.index for each in page.entries]
        if page.complete:
            break
        start = page.next_index
    assert found[: len(whole)] == whole


def test_a_grant_shows_what_it_names_and_no_more(scene: Scene) -> None:
    """A grant shows all entries of its events since its start, with headers only if granted."""
    received = frozenset({int(log_pb2.LOG_EVENT_RECEIVED)})
    grant = AuditGrant(1, "kaz", received, BEGIN, BEGIN + 999 * DAY, headers=False, granted_time=BEGIN)
    asker = Asker(ASKER, "kaz", Visibility("kaz", grant=grant))
    found = check(*scene.ask(asker, counterpart="uzb", with_headers=True))
    assert [each.proof.digest for each in found.entries] == scene.others
    assert {each.header for each in found.entries} == {b""}
    late = AuditGrant(2, "kaz", received, BEGIN + 500 * DAY, BEGIN + 999 * DAY, headers=True, granted_time=BEGIN)
    found = check(*scene.ask(Asker(ASKER, "kaz", Visibility("kaz", grant=late)), counterpart="uzb"))
    assert found.entries == ()
    with_headers = AuditGrant(3, "kaz", received, None, BEGIN + 999 * DAY, headers=True, granted_time=BEGIN)
    found = check(
        *scene.ask(Asker(ASKER, "kaz", Visibility("kaz", grant=with_headers)), counterpart="uzb", with_headers=True)
    )
    assert all(each.header and each.content == "held" for each in found.entries)


def test_what_was_not_granted_is_refused_and_logged(scene: Scene) -> None:
    """Entries about a third member without a grant: refused by name, and the denial stands in the log."""
    with pytest.raises(Exception, match="audit_not_granted"):
        scene.ask(counterpart="uzb")
    found = check(*scene.ask(events=[log_pb2.LOG_EVENT_DENIED]))
    assert found.entries[-1].proof.reason == "audit_not_granted"
    assert found.entries[-1].proof.actor == ASKER


def test_one_member_asks_so_much_in_a_minute(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each question makes an entry: who asks without end is told to wait, before anything is logged."""
    monkeypatch.setattr("paiza_node.features.peer_audit.consult.MAX_QUERIES", 3)
    consult = Consult(scene.tjk.core, Consultations(scene.tjk.ledger, scene.tjk.clock), scene.tjk.facts.catch_up)
    size = scene.tjk.ledger.checkpoint.size
    for _ in range(3):
        asyncio.run(consult.as_member(member_of("kaz"), ASKER))
    with pytest.raises(Unavailable, match="busy"):
        asyncio.run(consult.as_member(member_of("kaz"), ASKER))
    assert asyncio.run(consult.as_member(member_of("uzb"), officer("uzb"))).member == "uzb"
    for wrong in (officer("uzb"), "spiffe://kaz.paiza.example/node", "spiffe://kaz.other.example/officer/coordinator"):
        with pytest.raises(Rejected, match="wrong_member"):
            asyncio.run(consult.as_member(member_of("kaz"), wrong))
    assert scene.tjk.ledger.checkpoint.size == size


def test_own_officers_see_all(scene: Scene) -> None:
    """The own log is shown whole, and that it was read stands in it."""
    asker = scene.tjk.consult.as_officer(_Officer(officer("tjk", "auditor")))  # type: ignore[arg-type]  # its id is asked
    page, asked = scene.ask(asker, events=[log_pb2.LOG_EVENT_RECEIVED])
    found = check(page, asked)
    assert [each.proof.digest for each in found.entries] == [*scene.digests, *scene.others]
    assert found.consulted.actor == officer("tjk", "auditor")


def test_a_node_cannot_alter_what_it_shows_of_its_own_log(scene: Scene) -> None:
    """A text that the entry does not commit to, an entry of another officer, or one that is no opening is refused."""
    asker = Asker(officer("tjk", "auditor"), "", Visibility("tjk", own=True))
    page, asked = scene.ask(asker, events=[log_pb2.LOG_EVENT_CONSULTED], with_texts=True)
    assert all(each.text.startswith(("entries: ", "counts")) for each in check(page, asked).entries)
    page.entries[0].text += "!"
    with pytest.raises(NotProven, match="bad_proof"):
        check(page, asked)
    for narrowed in ({"actor": "officer/nobody"}, {"without_need": True}):
        query = pb.EntryQuery(nonce=secrets.token_bytes(NONCE_SIZE), **narrowed)
        data = query.SerializeToString(deterministic=True)
        lying = Asker(asker.officer, "", Visibility("tjk", own=True))
        page = asyncio.run(_shown_as_if(scene.tjk, lying, data))
        with pytest.raises(NotProven, match="bad_proof"):
            check(page, Query("tjk", asker.officer, "tjk", data))


async def _shown_as_if(room: LogRoom, asker: Asker, data: bytes) -> pb.EntriesPage:
    """Answer a question with entries that do not meet it, and commit to that answer."""
    plain = pb.EntryQuery(nonce=secrets.token_bytes(NONCE_SIZE), events=[log_pb2.LOG_EVENT_RECEIVED])
    page = await room.consult.entries(asker, plain.SerializeToString(deterministic=True))
    digest = log_queries.entries_digest(data, page)
    page.consulted.Clear()
    page.consulted.index, page.checkpoint, size = await room.consult._log(asker, digest, "a lie", page.consulted)
    proven = [*(shown.proven for shown in page.entries), page.consulted]
    for each, hashes in zip(proven, room.ledger.prove([each.index for each in proven], size), strict=True):
        del each.inclusion_hashes[:]
        each.inclusion_hashes.extend(hashes)
    return page


@dataclass(frozen=True)
class _Officer:
    id: str


def _drop(page: pb.EntriesPage) -> None:
    del page.entries[1]


def _swap(page: pb.EntriesPage) -> None:
    first, second = page.entries[0], page.entries[1]
    kept = pb.VisibleEntry.FromString(first.SerializeToString())
    first.CopyFrom(second)
    second.CopyFrom(kept)


def _twice(page: pb.EntriesPage) -> None:
    page.entries.insert(0, pb.VisibleEntry.FromString(page.entries[0].SerializeToString()))


def _no_header(page: pb.EntriesPage) -> None:
    page.entries[0].header = b""


def _other_header(page: pb.EntriesPage) -> None:
    page.entries[0].header = page.entries[1].header


def _no_proof(page: pb.EntriesPage) -> None:
    del page.entries[0].held[:]


def _other_proof(page: pb.EntriesPage) -> None:
    page.entries[0].held[0].CopyFrom(page.entries[1].held[0])


def _is_there(page: pb.EntriesPage) -> None:
    page.entries[2].content = pb.CONTENT_STATE_HELD


def _less_looked_at(page: pb.EntriesPage) -> None:
    page.next_index -= 1


def _not_complete(page: pb.EntriesPage) -> None:
    page.complete = False


def _less_scope(page: pb.EntriesPage) -> None:
    page.scope = b""


def _nothing(page: pb.EntriesPage) -> None:
    del page.entries[:]


def _other_commitment(page: pb.EntriesPage) -> None:
    page.consulted.CopyFrom(page.entries[0].proven)


CHANGES = (
    _drop, _swap, _twice, _no_header, _other_header, _no_proof, _other_proof, _is_there, _less_looked_at, _not_complete,
    _less_scope, _nothing, _other_commitment,
)  # fmt: skip


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__.strip("_"))
def test_an_own_node_that_changes_an_answer_is_found_out(
    scene: Scene, change: Callable[[pb.EntriesPage], None]
) -> None:
    """A relayed answer with any omission or change is not shown."""
    page, asked = scene.ask(with_headers=True, with_held_proofs=True, events=[log_pb2.LOG_EVENT_RECEIVED])
    check(page, asked)
    change(page)
    with pytest.raises(NotProven):
        check(page, asked)


def test_every_changed_byte_is_found_out(scene: Scene) -> None:
    """A flipped bit in any byte of an answer fails parsing or verification, or changes nothing."""
    page, asked = scene.ask(with_headers=True, with_held_proofs=True, events=[log_pb2.LOG_EVENT_RECEIVED], page_size=1)
    held = check(page, asked)
    data = page.SerializeToString()
    for place in range(len(data)):
        changed = bytearray(data)
        changed[place] ^= 1 << place % 8
        try:
            other = pb.EntriesPage.FromString(bytes(changed))
        except DecodeError:
            continue
        try:
            found = check(other, asked)
        except NotProven:
            continue
        assert found == held, place


def test_an_answer_to_another_question_is_not_believed(scene: Scene) -> None:
    """The answer of a moment ago, another officer's, and one of another log prove nothing."""
    page, asked = scene.ask()
    again = pb.EntryQuery.FromString(asked.query)
    again.nonce = secrets.token_bytes(NONCE_SIZE)
    with pytest.raises(NotProven, match="another question"):
        check(page, Query("kaz", ASKER, "tjk", again.SerializeToString()))
    with pytest.raises(NotProven, match="this officer"):
        check(page, Query("kaz", officer("kaz", "another"), "tjk", asked.query))
    with pytest.raises(NotProven, match="another member's log"):
        check(page, Query("kaz", ASKER, "uzb", asked.query))


def test_counts_are_those_the_log_committed_to(scene: Scene) -> None:
    """A changed figure, another question or another member's name under a word is found out."""
    data = pb.CountQuery(nonce=secrets.token_bytes(NONCE_SIZE)).SerializeToString()
    page = asyncio.run(scene.tjk.consult.counts(Asker(ASKER, "kaz", Visibility("kaz")), data))
    asked = Query("kaz", ASKER, "tjk", data)
    word = checks.check_counts(page, asked, log_reader())
    assert [(each.counterpart, each.received) for each in word.counts] == [("kaz", 3)]
    assert word.only_with_asker
    lied = pb.CountsReply.FromString(page.word)
    lied.counts[0].received += 1
    changed = pb.CountsPage.FromString(page.SerializeToString())
    changed.word = lied.SerializeToString()
    other = pb.CountQuery(nonce=secrets.token_bytes(NONCE_SIZE)).SerializeToString()
    for told, about in ((changed, asked), (page, Query("kaz", ASKER, "tjk", other))):
        with pytest.raises(NotProven, match="another question or answer"):
            checks.check_counts(told, about, log_reader())


@pytest.mark.parametrize("page_size", [1, 3, 500])
def test_pages_hold_what_reading_all_of_it_finds(scene: Scene, page_size: int) -> None:
    """For any events, time and beginning: page by page exactly the entries that match, each once, in their order."""
    asker = scene.tjk.consult.as_officer(_Officer(officer("tjk", "auditor")))  # type: ignore[arg-type]  # its id is asked
    size = scene.tjk.ledger.checkpoint.size
    with scene.tjk.store.reads() as reads:
        entries = [(each.index, log_pb2.LogEntry.FromString(each.entry)) for each in log_store.entries(reads, 0, size)]
    times = [entry.entry_time for _, entry in entries]
    chosen = random.Random(page_size)
    for _ in range(12):
        since, until = sorted(chosen.sample(range(size), 2))
        query = pb.EntryQuery(
            events=chosen.sample([log_pb2.LOG_EVENT_RECEIVED, log_pb2.LOG_EVENT_ERASED], chosen.randint(0, 2)),
            counterpart=chosen.choice(["", "kaz", "uzb"]),
            since_time=times[since],
            until_time=times[until],
        )
        wanted = [
            index
            for index, entry in entries
            if (not query.events or entry.event in query.events)
            and query.counterpart in ("", entry.counterpart)
            and times[since].ToNanoseconds() <= entry.entry_time.ToNanoseconds() < times[until].ToNanoseconds()
        ]
        found: list[int] = []
        while True:
            fields = {each.name: value for each, value in query.ListFields()}
            page = check(*scene.ask(asker, page_size=page_size, **fields))
            found += [each.proof.index for each in page.entries]
            if page.complete:
                break
            query.from_index = page.next_index
        assert found == wanted
