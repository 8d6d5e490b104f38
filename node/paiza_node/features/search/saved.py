"""Saved searches: what officers wait for. New messages are compared with them when they are indexed.

The node keeps the blind tokens of the criteria and forgets their texts; what a search is called stays on the officer's
machine. A match is stored with the index, in the same commit, and only if the officer may open the message then; it is
shown only if they still may. An officer has few searches, and of each a bounded number of matches is kept.

The searches are in memory; a counter in the database says when to read them anew. It is read in the same snapshot as
the messages that are indexed, and a search waits for messages above the last one stored before it: none is missed, and
none is compared that the officer could have found when they saved it.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Final

from paiza.core.v1 import message_pb2, text_pb2
from paiza.officer.v1 import notice_pb2, search_pb2
from paiza_domain import exercise, kinds
from paiza_domain.threads import notices
from paiza_node.core.access.model import Officer
from paiza_node.core.dependencies import Core
from paiza_node.core.log.changes import Change
from paiza_node.core.log.transaction import LogTransaction
from paiza_node.core.messages import store as messages_store
from paiza_node.core.messages.model import MessageRow
from paiza_node.core.storage import ReadConnection
from paiza_node.core.storage import settings as settings_store
from paiza_node.features.search import store as search_store
from paiza_node.features.search.index import Comparison, TokenKey
from paiza_node.features.search.model import IndexedMessage, SavedSearch, SearchMatch
from paiza_node.features.search.search import Search
from paiza_wire import message as wire
from paiza_wire.errors import Rejected

MAX_SAVED: Final = 20  # searches of one officer: each is compared with every new message
MAX_MATCHES: Final = 100  # of one search that are kept until they are acknowledged
MAX_PACKED: Final = 64 * 1024  # bytes of the tokens of one search
ID_BYTES: Final = 16
VERSION: Final = "saved_searches"  # the counter of their changes
MATCHED: Final = "search_match"  # code of a notice


@dataclass(frozen=True, slots=True)
class SearchMatched(Change):
    """A new message meets a saved search of an officer."""

    officer: str
    search_id: bytes
    message: MessageRow


@dataclass(frozen=True, slots=True)
class ListedSearch:
    """A saved search with its matches that the officer may see, newest first."""

    search: SavedSearch
    matches: Sequence[MessageRow]
    has_more: bool
    stale: bool


class SavedSearches:
    """Handles saved searches, and compares messages with them."""

    def __init__(
        self, core: Core, search: Search, token_key: TokenKey, find_officer: Callable[[str], Officer | None]
    ) -> None:
        """Store the search, which turns criteria into tokens; ``find_officer`` returns an officer who may act."""
        self._store = core.store
        self._ledger = core.ledger
        self._notifier = core.notifier
        self._search = search
        self._fingerprint = token_key.fingerprint
        self._find_officer = find_officer
        self._waiting = _Waiting(-1, (), self._fingerprint)

    async def save(self, officer: Officer, request: search_pb2.SaveSearchRequest) -> None:
        """Save a search; one that leads to a person needs a reason, and is logged as any such search."""
        if len(request.search_id) != ID_BYTES:
            raise Rejected("malformed", f"the id of a saved search has {ID_BYTES} bytes")
        clauses = await self._search.tokens_for(officer, request.criteria, request.reason_text)
        author, kind = self._search.filters(request.author, request.kind)
        if not (clauses or author or kind):
            raise Rejected("search_empty", "name at least one thing to search for")
        if len(search_store.packed(clauses)) > MAX_PACKED:
            raise Rejected("too_large", "the words of the search have too many other names")

        def write(tx: LogTransaction) -> None:
            others = [each for each in search_store.saved_searches(tx.conn, officer.id) if each.search_id != wanted]
            if len(others) >= MAX_SAVED:
                raise Rejected("too_large", f"an officer has at most {MAX_SAVED} saved searches")
            saved = SavedSearch(
                officer.id, wanted, clauses, author, kind, tx.now, tx.last_message_seq, self._fingerprint
            )
            search_store.put_saved_search(tx.conn, saved)
            _count_change(tx)

        wanted = request.search_id
        await self._ledger.commit(write)

    async def remove(self, officer: Officer, search_id: bytes) -> None:
        """Remove a saved search; Rejected("unknown_id") if the officer has none with this id."""

        def write(tx: LogTransaction) -> None:
            _check_known(tx.conn, officer, search_id)
            search_store.remove_saved_search(tx.conn, officer.id, search_id)
            _count_change(tx)

        await self._ledger.commit(write)

    async def acknowledge(self, officer: Officer, search_id: bytes, last_seq: int) -> None:
        """Acknowledge the matches of a saved search up to a message; Rejected as by `remove`."""

        def write(tx: LogTransaction) -> None:
            _check_known(tx.conn, officer, search_id)
            search_store.drop_matches(tx.conn, officer.id, search_id, last_seq)

        await self._ledger.commit(write)

    async def listed(self, officer: Officer) -> list[ListedSearch]:
        """Return the saved searches of an officer with the matches that they may see now."""
        return await asyncio.to_thread(self._listed, officer)

    def pending(self, reads: ReadConnection, officer: Officer) -> list[notice_pb2.Notice]:
        """Return a notice for the newest match of each search: the first notices of a watch."""
        found = [(each, self._visible(reads, officer, each)) for each in search_store.saved_searches(reads, officer.id)]
        return [match_notice(rows[0], search.search_id) for search, rows in found if rows]

    def compared(self, reads: ReadConnection) -> Comparison:
        """Return a function for the matches of messages that are being indexed: of officers who may open them."""
        waiting = self._waiting_now(reads)

        def compare(seq: int, header: message_pb2.Header, message: IndexedMessage) -> tuple[SearchMatch, ...]:
            found = waiting.compare(seq, header, message.tokens)
            if not found:
                return ()
            rows = messages_store.messages_at(reads, [seq])
            # Asked once for all searches of an officer: each may meet every message.
            asked = {(each.officer, each.annex) for each in found}
            allowed = {(who, annex) for who, annex in asked if self._may_see(reads, who, rows, annex=annex)}
            return tuple(each for each in found if (each.officer, each.annex) in allowed)

        return compare

    def notify(self, changes: Sequence[Change]) -> None:
        """Notify officers of new matches."""
        for change in changes:
            if isinstance(change, SearchMatched):
                self._notifier.tell(match_notice(change.message, change.search_id), only=[change.officer])

    def catch_up(self) -> None:
        """Do nothing: a new watch is sent the pending notices."""

    def _waiting_now(self, reads: ReadConnection) -> "_Waiting":
        version = settings_store.counter(reads, VERSION)
        if self._waiting.version != version:
            self._waiting = _Waiting(version, search_store.saved_searches(reads), self._fingerprint)
        return self._waiting

    def _may_see(self, reads: ReadConnection, officer_id: str, rows: Sequence[MessageRow], *, annex: bool) -> bool:
        officer = self._find_officer(officer_id)
        return officer is not None and bool(self._search.shown(reads, officer, rows, annex=annex))

    def _listed(self, officer: Officer) -> list[ListedSearch]:
        with self._store.reads() as reads:
            return [
                ListedSearch(
                    each,
                    self._visible(reads, officer, each),
                    len(search_store.matches(reads, officer.id, each.search_id, MAX_MATCHES)) == MAX_MATCHES,
                    each.key_fingerprint != self._fingerprint,
                )
                for each in search_store.saved_searches(reads, officer.id)
            ]

    def _visible(self, reads: ReadConnection, officer: Officer, search: SavedSearch) -> list[MessageRow]:
        found = search_store.matches(reads, officer.id, search.search_id, MAX_MATCHES)
        rows = {row.seq: row for row in messages_store.messages_at(reads, {each.seq for each in found})}
        shown: set[int] = set()
        for annex in (False, True):
            seqs = [each.seq for each in found if each.annex is annex]
            shown |= self._search.shown(reads, officer, [rows[seq] for seq in seqs if seq in rows], annex=annex)
        return [rows[each.seq] for each in found if each.seq in shown]


class _Waiting:
    """The saved searches of all officers at one version, found by the tokens of their first clause."""

    def __init__(self, version: int, searches: Collection[SavedSearch], fingerprint: bytes) -> None:
        self.version = version
        self._by_token: defaultdict[bytes, list[SavedSearch]] = defaultdict(list)
        self._without_tokens: list[SavedSearch] = []
        for each in searches:
            if each.key_fingerprint != fingerprint:
                continue
            if not each.clauses:
                self._without_tokens.append(each)
            for token in each.clauses[0] if each.clauses else ():
                self._by_token[token].append(each)

    def compare(
        self, seq: int, header: message_pb2.Header, tokens: Collection[tuple[bytes, str, bool]]
    ) -> list[SearchMatch]:
        """Return the searches that a message meets, whoever may see it."""
        if not (self._by_token or self._without_tokens):
            return []
        candidates = {
            (each.officer, each.search_id): each
            for token in {token for token, _field, _annex in tokens}
            for each in self._by_token.get(token, ())
        }
        candidates |= {(each.officer, each.search_id): each for each in self._without_tokens}
        found = (match(each, seq, header.author, header.kind, tokens) for each in candidates.values())
        return [each for each in found if each is not None]


def match(
    search: SavedSearch, seq: int, author: str, kind: str, tokens: Collection[tuple[bytes, str, bool]]
) -> SearchMatch | None:
    """Return the match of a message with these tokens: (token, field, whether it is in the annex); None without one."""
    if seq <= search.after_seq or search.author not in ("", author) or search.kind not in ("", kind):
        return None
    if not _meets({token for token, _field, _annex in tokens}, search):
        return None
    open_ones = {token for token, _field, annex in tokens if not annex}
    return SearchMatch(search.officer, search.search_id, seq, not _meets(open_ones, search))


def store_matches(tx: LogTransaction, matches: Sequence[SearchMatch]) -> None:
    """Store the matches of messages that are indexed in this commit, as far as there is room, and announce them.

    Searches that nobody acknowledges may meet every message: their room is counted once a commit, without reading them.
    """
    stored: dict[tuple[str, bytes], int] = {}
    for each in matches:
        search = each.officer, each.search_id
        if search not in stored:
            stored[search] = search_store.match_count(tx.conn, *search)
        if stored[search] >= MAX_MATCHES:
            continue
        stored[search] += 1
        search_store.add_matches(tx.conn, [each])
        for row in messages_store.messages_at(tx.conn, [each.seq]):
            tx.announce(SearchMatched(each.officer, each.search_id, row))


def match_notice(row: MessageRow, search_id: bytes) -> notice_pb2.Notice:
    """Return a notice that a message meets a saved search."""
    header: message_pb2.Header = wire.parse_header(row.header)
    known = kinds.all_kinds().get(header.kind)
    short = header.message_id.hex()[: notices.SHORT_ID]

    def title(lang: str) -> str:
        return exercise.marked(known.titles[lang] if known else header.kind, lang, exercise=header.exercise)

    return notice_pb2.Notice(
        code=MATCHED,
        thread_id=row.thread_id,
        thread_name=row.thread_name,
        message_digest=row.digest,
        search_id=search_id,
        text=text_pb2.BilingualText(
            ru=notices.work_text(MATCHED, title("ru"), short, "ru"),
            en=notices.work_text(MATCHED, title("en"), short, "en"),
        ),
    )


def _meets(tokens: set[bytes], search: SavedSearch) -> bool:
    return all(not tokens.isdisjoint(clause) for clause in search.clauses)


def _check_known(conn: ReadConnection, officer: Officer, search_id: bytes) -> None:
    if all(each.search_id != search_id for each in search_store.saved_searches(conn, officer.id)):
        raise Rejected("unknown_id", "you have no saved search with this id")


def _count_change(tx: LogTransaction) -> None:
    settings_store.put_counter(tx.conn, VERSION, settings_store.counter(tx.conn, VERSION) + 1)
