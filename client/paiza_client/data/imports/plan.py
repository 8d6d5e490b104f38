"""The walk over the whole file: every row gets exactly one outcome, in the order of the file, in constant memory.

Nothing is sent here. The caller sends the notices that come out as accepted or repaired, and answers which digests were
sent before.
"""

import sqlite3
from collections.abc import Callable, Collection, Generator, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from itertools import islice
from typing import Final

from paiza.content.v1 import seizure_notice_pb2 as pb
from paiza_client.data.imports.content import build_notice
from paiza_client.data.imports.mapping import Cells, Rejection, RowRejected, read_cells, read_record
from paiza_client.data.imports.maps import ImportMap
from paiza_client.data.imports.rows import SourceRow, row_digest

BLOCK: Final = 500  # rows asked about at once: one question to the node, 16 kB of digests
DAY_AHEAD: Final = timedelta(hours=14)  # where the day begins first, it begins this long before UTC's


class Outcome(StrEnum):
    """The outcome of a row; every row has exactly one."""

    ACCEPTED = "accepted"
    REPAIRED = "repaired"
    """Accepted with changes that the rules name."""
    REPEATED = "repeated"
    """The same record stands earlier in this file or was sent before."""
    REJECTED = "rejected"
    OTHER_MEMBER = "other_member"
    """The row is of a member that this run does not import."""
    OUTSIDE = "outside"
    """The row is of a state that is no member of the federation, or unknown to the map."""


@dataclass(frozen=True, slots=True)
class Planned:
    """One row with its outcome. `notice` is set exactly if it is to be sent, `rejection` exactly if it is rejected."""

    row: SourceRow
    outcome: Outcome
    state: str = ""
    """Member id, or the text of the file where the map does not know the state."""
    digest: bytes = b""
    notice: pb.SeizureNotice | None = None
    repairs: Mapping[str, str] | None = None
    """Rule → column."""
    unmapped: Sequence[tuple[str, str, str]] = ()
    """(column, text, why) for every text of a row to be sent that has no certain code."""
    repeat_of: int = 0
    """Number of the earlier row of this file; 0 where the record was sent before."""
    rejection: Rejection | None = None


AlreadySent = Callable[[Sequence[bytes]], set[bytes]]


def plan_import(
    rows: Iterable[SourceRow],
    layout: ImportMap,
    own_members: Collection[str],
    federation_members: Collection[str],
    already_sent: AlreadySent,
    *,
    now: datetime | None = None,
) -> Generator[Planned, None, None]:
    """Yield every row's outcome, in order, in blocks of `BLOCK` rows.

    A block's digests are asked of `already_sent` when the first row of the block is wanted, so the caller may send each
    block before it takes the next. Rejected rows are not remembered: their exact repeats are rejected as well.
    """
    planner = _Planner(layout, frozenset(own_members), frozenset(federation_members), now or datetime.now(UTC))
    remaining = iter(rows)
    with closing(_Seen()) as seen:
        while block := list(islice(remaining, BLOCK)):
            candidates = [planner.candidate(row) for row in block]
            digests = [each.digest for each in candidates if isinstance(each, _Candidate)]
            sent = already_sent(digests) if digests else set()
            for each in candidates:
                yield planner.decide(each, seen, sent) if isinstance(each, _Candidate) else each


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A sound row of a member of ours, before it is known whether it repeats another."""

    row: SourceRow
    digest: bytes
    cells: Cells
    member: str


@dataclass(frozen=True, slots=True)
class _Planner:
    layout: ImportMap
    own: frozenset[str]
    federation: frozenset[str]
    now: datetime

    def candidate(self, row: SourceRow) -> _Candidate | Planned:
        """Sort out what is damaged and what belongs to others."""
        if row.problem:
            return Planned(row, Outcome.REJECTED, rejection=Rejection(row.problem))
        cells = read_cells(row.values, self.layout)
        named = cells.texts["member"]
        if not named:
            return Planned(row, Outcome.REJECTED, rejection=Rejection("member_missing", self.layout.column("member")))
        entry = self.layout.tables["member"].get(named)
        member = entry.codes["member"] if entry else named
        if entry is None or member not in self.federation:
            return Planned(row, Outcome.OUTSIDE, state=member)
        if member not in self.own:
            return Planned(row, Outcome.OTHER_MEMBER, state=member)
        return _Candidate(row, row_digest(row.values, self.layout), cells, member)

    def decide(self, each: _Candidate, seen: "_Seen", sent: set[bytes]) -> Planned:
        """Recognise repeats, make the notice of what is new."""
        row, digest, member = each.row, each.digest, each.member
        if (first := seen.first(digest)) or digest in sent:
            return Planned(row, Outcome.REPEATED, state=member, digest=digest, repeat_of=first)
        try:
            today = (self.now + DAY_AHEAD).date()
            record = read_record(each.cells, self.layout, digest=digest, today=today)
            notice, rules = build_notice(record, self.layout, self.now)
        except RowRejected as refused:
            return Planned(row, Outcome.REJECTED, state=member, digest=digest, rejection=refused.rejection)
        seen.remember(digest, row.number)
        repairs = {**record.repairs, **dict.fromkeys(rules, "")}
        return Planned(
            row,
            Outcome.REPAIRED if repairs else Outcome.ACCEPTED,
            state=member,
            digest=digest,
            notice=notice,
            repairs=repairs,
            unmapped=record.unmapped,
        )


class _Seen:
    """The digests of this file with their first rows, in a temporary database that goes to disk when it grows."""

    def __init__(self) -> None:
        self._database = sqlite3.connect("", isolation_level=None)
        self._database.execute("CREATE TABLE seen (digest BLOB PRIMARY KEY, row INTEGER NOT NULL) WITHOUT ROWID")
        self._database.execute("BEGIN")

    def first(self, digest: bytes) -> int:
        """Return the number of the row that had this digest first; 0 if none had."""
        found = self._database.execute("SELECT row FROM seen WHERE digest = ?", (digest,)).fetchone()
        return int(found[0]) if found else 0

    def remember(self, digest: bytes, number: int) -> None:
        self._database.execute("INSERT INTO seen VALUES (?, ?)", (digest, number))

    def close(self) -> None:
        self._database.close()
