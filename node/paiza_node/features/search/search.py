"""Search: finds messages by their content, the links between them, and repeated requests.

Officers find only messages they may see; content of a nominal annex is found only by those who may open annexes.
Searching for a person (or for a term that leads to one) needs a reason and is logged, with the blind token of the
searched term, so that an auditor who has a name can check whether it was searched for, while a stolen database reveals
no name.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from paiza.officer.v1 import search_pb2
from paiza_domain import kinds, reference
from paiza_domain.reference import NameIndex
from paiza_domain.terms import query_terms
from paiza_domain.terms.index_terms import IDENTIFIERS, Term, folded
from paiza_node.core.access.consultations import Consultations
from paiza_node.core.access.model import Officer
from paiza_node.core.access.need_to_know import list_scope, open_scope, openable
from paiza_node.core.access.principals import principal_of
from paiza_node.core.api import paging
from paiza_node.core.dependencies import Core
from paiza_node.core.log import store as log_store
from paiza_node.core.log.model import MAX_REASON
from paiza_node.core.messages import store as messages_store
from paiza_node.core.messages.model import MessageRow, MessageState
from paiza_node.core.policy import MessageAttributes
from paiza_node.core.storage import ReadConnection
from paiza_node.core.storage import settings as settings_store
from paiza_node.features.search import store as search_store
from paiza_node.features.search.index import CURSOR, TokenKey
from paiza_node.features.search.model import Found, SearchQuery, SharedToken
from paiza_wire import log_entries
from paiza_wire import message as wire
from paiza_wire.errors import Rejected
from paiza_wire.identity import SpiffeId

if TYPE_CHECKING:
    from paiza.core.v1 import message_pb2

MAX_COMPARED: Final = 500  # occurrences of the terms of a request
MAX_TEXT: Final = 200  # characters of one criterion
MAX_SIMILAR_CRITERIA: Final = 200  # of one request before it is sent
MAX_SIMILAR: Final = 10  # earlier requests that are returned
SIMILAR_FOR: Final = timedelta(days=365)  # an older request is no duplicate
MAX_LINKED: Final = 100  # messages of a list whose links are computed at once; older ones are looked up
MAX_PAGES: Final = 20  # pages read for one answer; if few are visible, the caller continues from the token
MAX_CONCURRENT: Final = 2  # concurrent searches: they use the threads of all other queries
MIN_SUBJECT_WORDS: Final = 2  # words of a subject that two requests must share
LATEST_SECONDS: Final = 221_845_392_000  # the year 9000: what calendars can hold

PERSONAL: Final = frozenset({
    "person", "name", "phone", "document", "personal-number", "account", "imei", "company", "registration",
})  # fmt: skip
"""Fields that lead to a person: a search by them accesses personal data."""


@dataclass(frozen=True, slots=True)
class Results:
    """One page of results."""

    found: list[Found]
    next_page_token: str
    behind: int


@dataclass(frozen=True, slots=True)
class Linked:
    """A message that shares identifiers with another, and the kinds of these."""

    row: MessageRow
    fields: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Similar:
    """An earlier request that the officer may know of; if they may not open it, only its thread is named."""

    row: MessageRow
    hidden: bool
    officer_id: str
    recipients: tuple[str, ...]
    fields: tuple[str, ...]


class Search:
    """Handles searches."""

    def __init__(self, core: Core, consultations: Consultations, token_key: TokenKey) -> None:
        self._register_cache = core.register_cache
        self._consultations = consultations
        self._store = core.store
        self._clock = core.clock
        self._token_key = token_key
        self._names: tuple[bytes, NameIndex] | None = None
        self._room = asyncio.Semaphore(MAX_CONCURRENT)

    async def __call__(self, officer: Officer, request: search_pb2.SearchRequest) -> Results:
        """Find messages.

        1. The criteria are well formed; one at least restricts the search.
        2. A search that leads to a person has a reason.
        3. It is logged before anything is searched.
        """
        # 1.
        restricted = bool(request.criteria or request.author or request.kind or request.HasField("since_time"))
        if not restricted:
            raise Rejected("search_empty", "name at least one thing to search for")
        # 1. to 3.
        sought = await self.tokens_for(officer, request.criteria, request.reason_text)
        size = paging.page_size(request)
        before = paging.numbers_of(request, 1)
        query = SearchQuery(
            clauses=sought,
            annex=self._may_search_annexes(officer),
            viewer=open_scope(officer),
            author=_short(request.author),
            kind=_short(request.kind),
            since_time=_time(request, "since_time"),
            until_time=_time(request, "until_time"),
            before_seq=before[0] if before else None,
            limit=size,
        )
        async with self._room:
            return await asyncio.to_thread(self._find, officer, query)

    async def tokens_for(
        self, officer: Officer, criteria: Sequence[search_pb2.Criterion], reason_text: str
    ) -> tuple[tuple[bytes, ...], ...]:
        """Return the clauses of criteria as tokens; if they lead to a person, log that they are searched for."""
        sought = await asyncio.to_thread(self._clauses, criteria)
        personal = sorted({each.field for each in criteria} & PERSONAL)
        if len(reason_text) > MAX_REASON:
            raise Rejected("too_large", f"a reason has at most {MAX_REASON} characters")
        if personal and not reason_text.strip():
            raise Rejected("search_reason_missing", f"a search by {', '.join(personal)} needs a reason")
        if personal:
            await self._note(officer, criteria, reason_text.strip())
        return sought

    @staticmethod
    def filters(author: str, kind: str) -> tuple[str, str]:
        """Return the filters of a search; Rejected if one is too long."""
        return _short(author), _short(kind)

    async def links(self, officer: Officer, digest: bytes) -> list[Linked]:
        """Return the messages that share an identifier with one that the officer may see."""
        async with self._room:
            return await asyncio.to_thread(self._links, officer, digest)

    def linked(self, reads: ReadConnection, officer: Officer, rows: Sequence[MessageRow]) -> set[int]:
        """Return which of these messages, by number, share an identifier with an older one that the officer may see."""
        flagged = search_store.linked(reads, [row.seq for row in rows])
        if not flagged:
            return set()
        annex, viewer = self._may_search_annexes(officer), open_scope(officer)
        found = set()
        for seq in sorted(flagged, reverse=True)[:MAX_LINKED]:
            own = [each for each in search_store.tokens_of(reads, seq, IDENTIFIERS) if annex or not each.annex]
            tokens = [each.token for each in own]
            older = search_store.sharing(reads, tokens, before_seq=seq, annex=annex, viewer=viewer) if tokens else []
            others = messages_store.messages_at(reads, {each.seq for each in older})
            if others and self._shown(reads, officer, others):
                found.add(seq)
        return found

    async def similar(self, officer: Officer, request: search_pb2.FindSimilarRequest) -> list[Similar]:
        """Find earlier requests of our own, of the same kind, about the same, that the officer may know of.

        If it uses terms that lead to a person, it is logged like any other search.
        """
        if len(request.criteria) > MAX_SIMILAR_CRITERIA:
            raise Rejected("too_large", f"at most {MAX_SIMILAR_CRITERIA} things are compared at once")
        kind = _short(request.kind)
        wanted: set[Term] = set()
        for each in request.criteria:
            _check(each)
            wanted.update(folded(each.field, each.text))
        if any(each.field in PERSONAL for each in request.criteria):
            await self._note(officer, request.criteria, f"before a request is sent: {kind}")
        async with self._room:
            return await asyncio.to_thread(self._similar, officer, kind, wanted)

    def _clauses(self, criteria: Sequence[search_pb2.Criterion]) -> tuple[tuple[bytes, ...], ...]:
        if len(criteria) > query_terms.MAX_CRITERIA:
            raise Rejected("too_large", f"a search has at most {query_terms.MAX_CRITERIA} criteria")
        sought: list[tuple[bytes, ...]] = []
        for each in criteria:
            _check(each)
            clauses = query_terms.clauses(each.field, each.text, self._other_names(each))
            if not clauses:
                raise Rejected("search_empty", f"nothing is left of the text for {each.field}")
            sought += [tuple(self._token_key.token(term) for term in clause) for clause in clauses]
        if len(sought) > query_terms.MAX_CLAUSES:
            raise Rejected("too_large", f"a search has at most {query_terms.MAX_CLAUSES} words")
        return tuple(sought)

    def _other_names(self, criterion: search_pb2.Criterion) -> list[str]:
        """Return every name of the substance that a text means, by the reference data of the register."""
        if criterion.field != "substance":
            return []
        register = self._register_cache.last
        names = self._names
        if names is None or names[0] != register.version:  # read at first use: on most days a node has no search
            names = self._names = (register.version, NameIndex(reference.read(register.reference)))
        return [name for each in names[1].exact_matches(criterion.text) for name in each.all_names()]

    async def _note(self, officer: Officer, criteria: Sequence[search_pb2.Criterion], reason: str) -> None:
        """Log who searches for a person and why, before the search."""
        tokens = [
            f"{each.field}:{self._token_key.token(term).hex()}"
            for each in criteria
            if each.field in PERSONAL
            for clause in query_terms.clauses(each.field, each.text)
            for term in sorted(clause)
        ]
        entry = log_entries.searched(actor=officer.id)
        text = f"{reason}\n{' '.join(tokens)}"
        await self._consultations.log(officer.id, lambda tx: tx.append(entry, text=text), what=text)

    def _find(self, officer: Officer, query: SearchQuery) -> Results:
        """Read pages until one is full of visible results, nothing is left, or the limit is reached."""
        found: list[Found] = []
        with self._store.reads() as reads:
            behind = log_store.head(reads).messages - settings_store.counter(reads, CURSOR)
            before, ended, looked = query.before_seq, False, 0
            while len(found) <= query.limit and not ended and looked < MAX_PAGES:
                looked += 1
                page = search_store.search(reads, _behind(query, before))
                ended = len(page) < query.limit
                before = page[-1].row.seq if page else before
                allowed = self._shown(reads, officer, [each.row for each in page])
                found += [each for each in page if each.row.seq in allowed]
        more = len(found) > query.limit
        if not more:
            return Results(found, "" if ended or before is None else paging.token_of(before), max(behind, 0))
        found = found[: query.limit]
        return Results(found, paging.token_of(found[-1].row.seq), max(behind, 0))

    def _links(self, officer: Officer, digest: bytes) -> list[Linked]:
        annex = self._may_search_annexes(officer)
        with self._store.reads() as reads:
            row = messages_store.message(reads, digest)
            if row is None or row.seq not in self._shown(reads, officer, [row]):
                raise Rejected("unknown_id", "there is no such message here")
            own = [each for each in search_store.tokens_of(reads, row.seq, IDENTIFIERS) if annex or not each.annex]
            tokens = [each.token for each in own]
            sharing = search_store.sharing(reads, tokens, annex=annex, viewer=open_scope(officer)) if tokens else []
            shared = [each for each in sharing if each.seq != row.seq]
            fields = _fields(shared)
            rows = messages_store.messages_at(reads, fields)
            allowed = self._shown(reads, officer, rows)
        return [Linked(each, fields[each.seq]) for each in rows if each.seq in allowed]

    def shown(self, reads: ReadConnection, officer: Officer, rows: Sequence[MessageRow], *, annex: bool) -> set[int]:
        """Return which of these messages, by number, the officer may open; ``annex``: found by their nominal annex."""
        return set() if annex and not self._may_search_annexes(officer) else self._shown(reads, officer, rows)

    def _shown(self, reads: ReadConnection, officer: Officer, rows: Sequence[MessageRow]) -> set[int]:
        """Return which of these messages the officer may open: finding one by its content reveals some of it."""
        visible = openable(reads, officer, rows)
        return {row.seq for row in rows if row.seq in visible and self._may_open(officer, row)}

    def _may_open(self, officer: Officer, row: MessageRow) -> bool:
        header = wire.parse_header(row.header)
        register = self._register_cache.current
        try:
            kind = kinds.get(header.kind, header.kind_version)
            ceiling = register.member(SpiffeId.parse(officer.id).member).classification_ceiling
            facts = MessageAttributes.of(header, kind.sender_roles, ceiling, kind.workflow)
            self._register_cache.policy.check(principal_of(officer), "open", facts)
        except Rejected:
            return False
        return True

    def _similar(self, officer: Officer, kind: str, wanted: set[Term]) -> list[Similar]:
        """Compare with own messages of the kind: an identifier in common, or half of the subject's words."""
        links = [self._token_key.token(each) for each in wanted if each.links]
        words = {self._token_key.token(each) for each in wanted if each.field == "subject" and " " not in each.text}
        enough = max(MIN_SUBJECT_WORDS, len(words) // 2)
        annex, viewer = self._may_search_annexes(officer), list_scope(officer)
        with self._store.reads() as reads:
            shared = list(search_store.sharing(reads, links, annex=annex, viewer=viewer)) if links else []
            by_subject: dict[int, set[bytes]] = {}
            subjects = (
                search_store.sharing(reads, words, limit=MAX_COMPARED, annex=annex, viewer=viewer) if words else ()
            )
            for each in subjects:
                by_subject.setdefault(each.seq, set()).add(each.token)
            fields = _fields(shared)
            for seq, same in by_subject.items():
                if len(same) >= enough:
                    fields[seq] = (*fields.get(seq, ()), "subject")
            rows = messages_store.messages_at(reads, fields)
            since = self._clock() - SIMILAR_FOR
            own = [
                row
                for row in rows
                if row.state is MessageState.RELEASED and row.kind == kind and row.stored_time >= since
            ][:MAX_SIMILAR]
            shown = self._shown(reads, officer, own)
        return [_similar(row, fields[row.seq], hidden=row.seq not in shown) for row in own]

    def _may_search_annexes(self, officer: Officer) -> bool:
        try:
            self._register_cache.policy.check(principal_of(officer), "search_annex")
        except Rejected:
            return False
        return True


def _check(criterion: search_pb2.Criterion) -> None:
    if criterion.field not in query_terms.SEARCHABLE:
        raise Rejected("search_field_unknown", f"searchable are {', '.join(query_terms.SEARCHABLE)}")
    if len(criterion.text) > MAX_TEXT:
        raise Rejected("too_large", f"a text to search for has at most {MAX_TEXT} characters")


def _short(text: str) -> str:
    if len(text) > MAX_TEXT:
        raise Rejected("malformed", f"a filter has at most {MAX_TEXT} characters")
    return text


def _time(request: search_pb2.SearchRequest, name: str) -> datetime | None:
    if not request.HasField(name):  # type: ignore[arg-type]  # both names are of times
        return None
    time = getattr(request, name)
    if not 0 <= time.seconds < LATEST_SECONDS:
        raise Rejected("malformed", f"{name} is not a time between 1970 and 9000")
    moment: datetime = time.ToDatetime(tzinfo=UTC)
    return moment


def _behind(query: SearchQuery, before: int | None) -> SearchQuery:
    return replace(query, before_seq=before)


def _fields(shared: Sequence[SharedToken]) -> dict[int, tuple[str, ...]]:
    fields: dict[int, set[str]] = {}
    for each in shared:
        fields.setdefault(each.seq, set()).add(each.field)
    return {seq: tuple(sorted(found)) for seq, found in fields.items()}


def _similar(row: MessageRow, fields: tuple[str, ...], *, hidden: bool) -> Similar:
    if hidden:
        return Similar(row, hidden, "", (), ())
    header: message_pb2.Header = wire.parse_header(row.header)
    return Similar(
        row,
        hidden,
        header.required_signers[0].id,
        tuple(recipient.member for recipient in header.recipients),
        fields,
    )
