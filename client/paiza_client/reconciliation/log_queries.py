"""Questions about entries of a log, as they are asked page by page. Pure."""

import secrets
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from paiza.core.v1 import log_query_pb2 as pb
from paiza_client.verify.log_query_checks import VisiblePage
from paiza_wire.tlog import log_queries


@dataclass(frozen=True, slots=True)
class Question:
    """Which entries of a log to show, from an index on; empty fields ask for all.

    ``actor``, ``without_need`` and ``texts`` are answered by the own member's node alone. Whether an officer had need
    of a message is the node's own judgement.
    """

    events: Sequence[int] = ()
    counterpart: str = ""
    since: datetime | None = None
    until: datetime | None = None
    digests: Sequence[bytes] = ()
    held: bool = False
    headers: bool = False
    actor: str = ""
    without_need: bool = False
    texts: bool = False
    from_index: int = 0
    page_size: int = log_queries.MAX_PAGE

    def queries(self) -> Iterator[pb.EntryQuery]:
        """Yield what to ask: of more messages than one question may name, some at a time."""
        digests = list(self.digests)
        most = log_queries.MAX_QUERY_DIGESTS
        for first in range(0, max(len(digests), 1), most):
            query = pb.EntryQuery(
                nonce=secrets.token_bytes(log_queries.NONCE_SIZE),
                events=sorted(self.events),  # type: ignore[arg-type]  # numbers of the enum
                counterpart=self.counterpart,
                message_digests=digests[first : first + most],
                page_size=self.page_size,
                from_index=self.from_index,
                with_held_proofs=self.held,
                with_headers=self.headers,
                actor=self.actor,
                without_need=self.without_need,
                with_texts=self.texts,
            )
            if self.since is not None:
                query.since_time.FromDatetime(self.since)
            if self.until is not None:
                query.until_time.FromDatetime(self.until)
            yield query


def go_on(query: pb.EntryQuery, page: VisiblePage) -> None:
    """Make a question that of the next page."""
    query.from_index = page.next_index
    query.nonce = secrets.token_bytes(log_queries.NONCE_SIZE)


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer of a log, as bytes: the query and the page, unchanged."""

    member: str
    query: bytes
    page: bytes


class QuerySession(Protocol):
    """A source of answers: the own node, or stored answers."""

    def pages(self, member: str, question: Question) -> AsyncIterator[VisiblePage]:
        """Yield the answers to a question, checked, until the log was looked through."""
