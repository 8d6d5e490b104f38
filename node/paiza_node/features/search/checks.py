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
        """Check what is indexed of every message up to the cursor, and that there are no other tokens."""
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
