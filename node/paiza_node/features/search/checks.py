"""Verification of the search index: every message is in it, with exactly the tokens that it was indexed with."""

from collections import defaultdict
from collections.abc import Collection
from typing import Any

from typing_extensions import override

from paiza_node.core.errors import N_
from paiza_node.core.messages import store as messages_store
from paiza_node.core.storage import ReadConnection, scanning
from paiza_node.core.storage import settings as settings_store
from paiza_node.core.storage.findings import Check, Part, Step, Tally
from paiza_node.features.search import store as search_store
from paiza_node.features.search.index import CURSOR, SETTING_KEY
from paiza_node.features.search.model import SavedSearch
from paiza_node.features.search.saved import match


class SearchIndex(Check):
    """Compares the index with its own digests: whether a token is that of a term, only the node's key would tell."""

    def __init__(self, scan: ReadConnection) -> None:
        self._scan = scan

    @override
    def verify(self, part: Part, step: Step) -> None:
        """Check the index, and the saved searches.

        1. What is indexed of every message up to the cursor is what it was indexed with; there are no other tokens.
        2. Each saved search can be read, and each match is of one, and of an indexed message that meets it. Searches
           saved under an earlier index key meet nothing any more, and are not compared.
        """
        saved: dict[tuple[str, bytes], SavedSearch] = {}
        with part.refusals("log_damaged", "saved_search"):
            saved = {(each.officer, each.search_id): each for each in search_store.saved_searches(self._scan)}
        matches: defaultdict[int, list[Any]] = defaultdict(list)  # few: officers acknowledge them
        for rows in scanning.rows(self._scan, search_store.search_match_table):
            for row in rows:
                matches[row.seq].append(row)
            step(len(rows))
        # 1.
        end = settings_store.counter(self._scan, CURSOR)
        stored, indexed = Tally(), Tally()
        tokens = 0
        for rows in messages_store.numbers(self._scan, end):
            for row in rows:
                stored.add(b"%d" % row.seq)
        for rows, found in search_store.with_tokens(self._scan):
            for row in rows:
                indexed.add(b"%d" % row.seq)
                own = found.get(row.seq, [])
                tokens += len(own)
                if search_store.tokens_digest(row.event_time, own, linked=row.linked) != row.tokens_digest:
                    part.find(
                        "log_damaged",
                        N_("The tokens of the message are not those that it was indexed with."),
                        N_("message number {seq}"),
                        seq=row.seq,
                    )
                # 2.
                for each in matches.pop(row.seq, ()):
                    if not self._is_met(each, saved.get((each.officer, bytes(each.search_id))), own):
                        _find_match(part, row.seq)
            step(len(rows))
        for seq in matches:
            _find_match(part, seq)
        part.counts = {"indexed": indexed.count, "saved searches": len(saved)}
        part.compare("message / indexed_message", stored, indexed)
        if (count := scanning.count(self._scan, search_store.term_token_table)) != tokens:
            part.find(
                "log_damaged",
                N_("There are {count} tokens where indexed messages have {expected}."),
                "term_token",
                count=count,
                expected=tokens,
            )

    def _is_met(self, row: Any, search: SavedSearch | None, tokens: Collection[tuple[bytes, str, bool]]) -> bool:
        if search is None or row.seq <= search.after_seq:
            return False
        if search.key_fingerprint != settings_store.setting(self._scan, SETTING_KEY):
            return True
        for message in messages_store.messages_at(self._scan, {row.seq}):
            expected = match(search, row.seq, message.author, message.kind, tokens)
            return expected is not None and expected.annex == row.annex
        return False


def _find_match(part: Part, seq: int) -> None:
    part.find(
        "log_damaged",
        N_("The match is of no saved search, or of a message that does not match it."),
        N_("message number {seq}"),
        seq=seq,
    )
