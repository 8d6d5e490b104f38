"""Consultations: the commitments of a log to queries and answers, and the agreement of two members on a period.

The CONSULTED entry of a consultation commits to query and answer in its ``evidence_sha256``. The querying member can
prove later which entries were shown and which were not, and nobody who relays the answer can omit or alter an entry
unnoticed. A RECONCILED entry commits in the same way to the messages that one member released to another in a period,
and to their answers. Formats: "Peer audit" in proto/README.md.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp

from paiza.core.v1 import log_pb2
from paiza.core.v1 import log_query_pb2 as pb
from paiza_wire.errors import Rejected
from paiza_wire.identity import MEMBER_ID
from paiza_wire.message import DIGEST_SIZE, parse_strictly
from paiza_wire.receipts import evidence_digest
from paiza_wire.tlog.merkle import leaf_hash

NONCE_SIZE: Final = 16  # bytes; no answer fits two queries
MAX_QUERY_BYTES: Final = 16 * 1024  # bytes of a serialized query: 256 digests and their framing
MAX_QUERY_DIGESTS: Final = 256  # messages named in one query
DEFAULT_PAGE: Final = 100  # entries of one answer by default
MAX_ACTOR: Final = 128  # characters of the part of an officer's id in a query
MAX_PAGE: Final = 500  # entries of one answer
MAX_HELD: Final = 16  # proofs from the counterpart's log beside one entry
DEFAULT_OVERDUE_SECONDS: Final = 3600  # without an answer, by default

_ENTRIES: Final = b"paiza/v1/consulted-entries\n"
_COUNTS: Final = b"paiza/v1/consulted-counts\n"
_PERIOD: Final = b"paiza/v1/reconciled-period\n"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class ExchangedMessage:
    """One message from one member to the other, and its answer, as leaves of their logs.

    ``digest`` is the message's, ``released`` the leaf hash of the author's RELEASED entry, ``answered`` that of the
    recipient's RECEIVED or REFUSED entry.
    """

    author: str
    digest: bytes
    released: bytes
    answered: bytes


def entries_digest(query: bytes, page: pb.EntriesPage) -> bytes:
    """Commit to a query for entries and to its answer without the CONSULTED entry and checkpoint."""
    digest = sha256(_ENTRIES)
    digest.update(sha256(query).digest())
    digest.update(sha256(page.scope).digest())
    digest.update(page.next_index.to_bytes(8, "big") + bytes([page.complete]) + page.retired_end.to_bytes(8, "big"))
    for shown in page.entries:
        digest.update(shown.proven.index.to_bytes(8, "big"))
        digest.update(leaf_hash(shown.proven.entry))
        digest.update(sha256(shown.header).digest())
        digest.update(bytes((shown.content & 0xFF, len(shown.held) & 0xFF)))
        for held in shown.held:
            digest.update(evidence_digest(held.proven.entry, held.checkpoint))
    return digest.digest()


def counts_digest(query: bytes, word: bytes) -> bytes:
    """Commit to a query for counts and to its answer, a serialized CountsReply."""
    return sha256(_COUNTS + sha256(query).digest() + sha256(word).digest()).digest()


def period_digest(
    members: Iterable[str], since: datetime, until: datetime, exchanged: Iterable[ExchangedMessage]
) -> bytes:
    """Commit to all answered messages between two members in a period.

    The result is the same at both members; the order of the members and of ``exchanged`` does not matter. A message
    belongs to the period in which its author's log released it.
    """
    digest = sha256(_PERIOD)
    for member in sorted(members):
        digest.update(bytes([len(member)]) + member.encode())
    for query_time in (since, until):
        digest.update(((query_time - _EPOCH) // timedelta(microseconds=1)).to_bytes(8, "big"))
    lines = sorted(
        bytes([len(each.author)]) + each.author.encode() + each.digest + each.released + each.answered
        for each in exchanged
    )
    digest.update(len(lines).to_bytes(8, "big"))
    for line in lines:
        digest.update(line)
    return digest.digest()


def parse_entry_query(data: bytes) -> pb.EntryQuery:
    """Parse a query for entries; Rejected names the error."""
    _check_length(data)
    query = parse_strictly(pb.EntryQuery, data, "the question")
    _check_nonce(query.nonce)
    if len(query.message_digests) > MAX_QUERY_DIGESTS:
        raise Rejected("too_large", f"a question names at most {MAX_QUERY_DIGESTS} messages")
    if query.counterpart and not MEMBER_ID.fullmatch(query.counterpart):
        raise Rejected("malformed", "the question names a counterpart that is no member id")
    if len(query.actor) > MAX_ACTOR:
        raise Rejected("too_large", f"a question names at most {MAX_ACTOR} characters of an officer's id")
    if any(len(each) != DIGEST_SIZE for each in query.message_digests):
        raise Rejected("malformed", "a digest in the question is not 32 bytes long")
    if log_pb2.LOG_EVENT_UNSPECIFIED in query.events:
        raise Rejected("malformed", "the question names no event where it should")
    for field in ("since_time", "until_time"):
        if query.HasField(field):
            query_time(getattr(query, field))
    return query


def parse_count_query(data: bytes) -> pb.CountQuery:
    """Parse a query for counts; Rejected names the error."""
    _check_length(data)
    query = parse_strictly(pb.CountQuery, data, "the question")
    _check_nonce(query.nonce)
    for field in ("since_time", "until_time"):
        if query.period.HasField(field):
            query_time(getattr(query.period, field))
    return query


def query_time(stamp: Timestamp) -> datetime:
    """Return a time of a query; Rejected if it is invalid."""
    try:
        found = stamp.ToDatetime(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise Rejected("malformed", "a time in the question is out of range") from None
    if found < _EPOCH:
        raise Rejected("malformed", "a time in the question is before 1970")
    return found


def whole_period(period: pb.Period) -> tuple[datetime, datetime]:
    """Return both ends of a period, set and in order; Rejected otherwise."""
    if not period.HasField("since_time") or not period.HasField("until_time"):
        raise Rejected("malformed", "the period has not both its ends")
    since, until = query_time(period.since_time), query_time(period.until_time)
    if since >= until:
        raise Rejected("malformed", "the period ends before it begins")
    return since, until


def _check_length(data: bytes) -> None:
    if len(data) > MAX_QUERY_BYTES:
        raise Rejected("too_large", f"a question is at most {MAX_QUERY_BYTES} bytes long")


def _check_nonce(nonce: bytes) -> None:
    if len(nonce) != NONCE_SIZE:
        raise Rejected("malformed", f"the question's nonce is not {NONCE_SIZE} bytes long")
