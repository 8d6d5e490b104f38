"""Commitments of answers and agreed periods, computed independently from proto/README.md."""

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import pytest

from paiza.core.v1 import log_pb2
from paiza.core.v1 import log_query_pb2 as pb
from paiza_wire.errors import Rejected
from paiza_wire.tlog import log_queries
from paiza_wire.tlog.log_queries import ExchangedMessage

QUERY = pb.EntryQuery(nonce=bytes(16), counterpart="tjk").SerializeToString()
SINCE = datetime(2026, 11, 1, tzinfo=UTC)
UNTIL = datetime(2026, 12, 1, tzinfo=UTC)


def page() -> pb.EntriesPage:
    """An answer with two entries, of which one has everything beside it."""
    proof = log_pb2.LogProof(proven=log_pb2.ProvenEntry(entry=b"held", index=3), checkpoint=b"note")
    return pb.EntriesPage(
        entries=[
            pb.VisibleEntry(
                proven=log_pb2.ProvenEntry(entry=b"one", index=5),
                held=[proof],
                header=b"header",
                content=pb.CONTENT_STATE_MISSING,
            ),
            pb.VisibleEntry(proven=log_pb2.ProvenEntry(entry=b"two", index=7)),
        ],
        next_index=9,
        complete=True,
        retired_end=2,
        scope=b"scope",
    )


def test_answers_are_committed_to_as_specified() -> None:
    """The digest is that of the bytes the specification names, in their order."""
    held = sha256(sha256(b"held").digest() + sha256(b"note").digest()).digest()
    expected = sha256(
        b"paiza/v1/consulted-entries\n"
        + sha256(QUERY).digest()
        + sha256(b"scope").digest()
        + (9).to_bytes(8, "big")
        + b"\1"
        + (2).to_bytes(8, "big")
        + (5).to_bytes(8, "big")
        + sha256(b"\0one").digest()
        + sha256(b"header").digest()
        + b"\3\1"
        + held
        + (7).to_bytes(8, "big")
        + sha256(b"\0two").digest()
        + sha256(b"").digest()
        + b"\0\0"
    ).digest()
    assert log_queries.entries_digest(QUERY, page()) == expected
    counts = sha256(b"paiza/v1/consulted-counts\n" + sha256(b"q").digest() + sha256(b"w").digest()).digest()
    assert log_queries.counts_digest(b"q", b"w") == counts


def _more(changed: pb.EntriesPage) -> None:
    changed.entries.add(proven=log_pb2.ProvenEntry(entry=b"three", index=8))


def _fewer(changed: pb.EntriesPage) -> None:
    del changed.entries[1]


def _entry(changed: pb.EntriesPage) -> None:
    changed.entries[1].proven.entry = b"owt"


def _index(changed: pb.EntriesPage) -> None:
    changed.entries[1].proven.index = 6


def _header(changed: pb.EntriesPage) -> None:
    changed.entries[0].header = b""


def _content(changed: pb.EntriesPage) -> None:
    changed.entries[0].content = pb.CONTENT_STATE_HELD


def _held(changed: pb.EntriesPage) -> None:
    changed.entries[0].held[0].checkpoint = b"another"


def _unheld(changed: pb.EntriesPage) -> None:
    del changed.entries[0].held[:]


def _moved(changed: pb.EntriesPage) -> None:
    changed.entries[1].held.append(changed.entries[0].held.pop())


def _next(changed: pb.EntriesPage) -> None:
    changed.next_index = 8


def _incomplete(changed: pb.EntriesPage) -> None:
    changed.complete = False


def _retired(changed: pb.EntriesPage) -> None:
    changed.retired_end = 0


def _scope(changed: pb.EntriesPage) -> None:
    changed.scope = b""


CHANGES = (
    _more, _fewer, _entry, _index, _header, _content, _held, _unheld, _moved, _next, _incomplete, _retired, _scope,
)  # fmt: skip


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__.strip("_"))
def test_all_that_is_shown_is_committed_to(change: Callable[[pb.EntriesPage], None]) -> None:
    """Any change of an answer changes the digest; so does another query with the same answer."""
    changed = page()
    change(changed)
    assert log_queries.entries_digest(QUERY, changed) != log_queries.entries_digest(QUERY, page())
    assert log_queries.entries_digest(QUERY + b"\0", page()) != log_queries.entries_digest(QUERY, page())


def exchanged(count: int) -> list[ExchangedMessage]:
    """Some messages of two members."""
    chosen = random.Random(count)
    return [
        ExchangedMessage(
            chosen.choice(("kaz", "tjk")), chosen.randbytes(32), chosen.randbytes(32), chosen.randbytes(32)
        )
        for _ in range(count)
    ]


@pytest.mark.parametrize("count", [0, 1, 7])
def test_a_period_has_one_digest_at_both_sides(count: int) -> None:
    """The digest is as specified for any order of members and messages, and differs for anything else."""
    known = exchanged(count)
    micros = [int(moment.timestamp()) * 1_000_000 for moment in (SINCE, UNTIL)]
    lines = sorted(
        bytes([len(each.author)]) + each.author.encode() + each.digest + each.released + each.answered for each in known
    )
    expected = sha256(
        b"paiza/v1/reconciled-period\n\3kaz\3tjk"
        + b"".join(each.to_bytes(8, "big") for each in micros)
        + count.to_bytes(8, "big")
        + b"".join(lines)
    ).digest()
    assert log_queries.period_digest(("kaz", "tjk"), SINCE, UNTIL, known) == expected
    assert log_queries.period_digest(("tjk", "kaz"), SINCE, UNTIL, known[::-1]) == expected
    others = [
        log_queries.period_digest(("kaz", "uzb"), SINCE, UNTIL, known),
        log_queries.period_digest(("kaz", "tjk"), SINCE, UNTIL - timedelta(microseconds=1), known),
        log_queries.period_digest(("kaz", "tjk"), SINCE + timedelta(microseconds=1), UNTIL, known),
        log_queries.period_digest(("kaz", "tjk"), SINCE, UNTIL, [*known, *exchanged(count + 1)]),
    ]
    assert expected not in others


def test_questions_have_one_form() -> None:
    """A question without its nonce, too long, with an unknown field, a bad name, time or digest is refused."""
    good = pb.EntryQuery(nonce=bytes(range(16)), counterpart="kaz", message_digests=[bytes(32)])
    assert log_queries.parse_entry_query(good.SerializeToString(deterministic=True)) == good
    for changed, reason in (
        (pb.EntryQuery(), "malformed"),
        (pb.EntryQuery(nonce=bytes(15)), "malformed"),
        (pb.EntryQuery(nonce=bytes(16), counterpart="Kaz;"), "malformed"),
        (pb.EntryQuery(nonce=bytes(16), message_digests=[bytes(31)]), "malformed"),
        (pb.EntryQuery(nonce=bytes(16), message_digests=[bytes(32)] * 257), "too_large"),
        (pb.EntryQuery(nonce=bytes(16), events=[log_pb2.LOG_EVENT_UNSPECIFIED]), "malformed"),
        (pb.EntryQuery(nonce=bytes(16), events=[log_pb2.LOG_EVENT_RECEIVED] * 20_000), "too_large"),
    ):
        with pytest.raises(Rejected, match=reason):
            log_queries.parse_entry_query(changed.SerializeToString(deterministic=True))
    late = pb.EntryQuery(nonce=bytes(16))
    late.since_time.seconds = 10**13
    for data in (late.SerializeToString(), good.SerializeToString() + b"\x98\x06\x01", b"\xff"):
        with pytest.raises(Rejected):
            log_queries.parse_entry_query(data)
    with pytest.raises(Rejected, match="malformed"):
        log_queries.parse_count_query(b"")


def test_a_period_to_be_closed_has_both_ends() -> None:
    """An open or turned period is none."""
    period = pb.Period()
    with pytest.raises(Rejected, match="malformed"):
        log_queries.whole_period(period)
    period.since_time.FromDatetime(SINCE)
    with pytest.raises(Rejected, match="malformed"):
        log_queries.whole_period(period)
    period.until_time.FromDatetime(SINCE)
    with pytest.raises(Rejected, match="malformed"):
        log_queries.whole_period(period)
    period.until_time.FromDatetime(UNTIL)
    assert log_queries.whole_period(period) == (SINCE, UNTIL)
