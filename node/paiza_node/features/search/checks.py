"""Verification of the search index: every message is in it, with exactly the tokens that it was indexed with."""

from typing_extensions import override

from paiza_node.core.errors import N_
from paiza_node.core.messages import store as messages_store
from paiza_node.core.storage import ReadConnection, scanning
from paiza_node.core.storage import settings as settings_store
from paiza_node.core.storage.findings import Check, Part, Step, Tally
from paiza_node.features.search import store as search_store
from paiza_node.features.search.index import CURSOR


class SearchIndex(Check):
    """Compares the index with its own digests: whether a token is that of a term, only the node's key would tell."""

    def __init__(self, scan: ReadConnection) -> None:
        self._scan = scan

    @override
    def verify(self, part: Part, step: Step) -> None:
        """Check the index, and the saved searches.

        1. What is indexed of every message up to the cursor is what it was indexed with; there are no other tokens.
        2. Each saved search can be read, and each match is of one, and of an indexed message that came after it.
        """
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
            step(len(rows))
        part.counts = {"indexed": indexed.count}
        part.compare("message / indexed_message", stored, indexed)
        if (count := scanning.count(self._scan, search_store.term_token_table)) != tokens:
            part.find(
                "log_damaged",
                N_("There are {count} tokens where indexed messages have {expected}."),
                "term_token",
                count=count,
                expected=tokens,
            )
        # 2.
        saved: dict[tuple[str, bytes], int] = {}
        with part.refusals("log_damaged", "saved_search"):
            searches = search_store.saved_searches(self._scan)
            saved = {(each.officer, each.search_id): each.after_seq for each in searches}
        for rows in scanning.rows(self._scan, search_store.search_match_table):
            for row in rows:
                if not saved.get((row.officer, bytes(row.search_id)), end) < row.seq <= end:
                    part.find(
                        "log_damaged",
                        N_("The match is of no saved search, or of a message that does not match it."),
                        N_("message number {seq}"),
                        seq=row.seq,
                    )
            step(len(rows))
        part.counts |= {"saved searches": len(saved)}
