"""The walk over the whole file: every row gets exactly one outcome, in the order of the file, in constant memory.

Nothing is sent here. The caller sends the notices that come out as accepted or repaired, and answers which digests were
sent before. Whether equal rows are one seizure or several is the caller's choice; nothing in the file tells.
"""

import sqlite3
from collections.abc import Callable, Collection, Generator, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from itertools import islice
from typing import Final, Literal

from paiza.content.v1 import seizure_notice_pb2 as pb
from paiza_client.data.imports.content import build_notice
from paiza_client.data.imports.mapping import Cells, Measure, Rejection, RowRejected, read_cells, read_record
from paiza_client.data.imports.maps import ImportMap
from paiza_client.data.imports.rows import SourceRow, copy_digest, row_digest

BLOCK: Final = 500  # rows asked about at once: one question to the node, 16 kB of digests
EqualRows = Literal["", "once", "each"]
"""What equal rows of a file are: one seizure, or one each. Nothing stated counts them once, and the report asks."""
DAY_AHEAD: Final = timedelta(hours=14)  # where the day begins first, it begins this long before UTC's


class Outcome(StrEnum):
    """The outcome of a row; every row has exactly one."""

    ACCEPTED = "accepted"
    REPAIRED = "repaired"
    """Accepted with changes that the rules name."""
    REPEATED = "repeated"
    """The same record was sent before, or stands earlier in this file and equal rows are not each a seizure."""
    REJECTED = "rejected"
    OTHER_MEMBER = "other_member"
    """The row is of a member that this run does not import."""
    OUTSIDE = "outside"
    """The row is of a state that is no member of the federation, or unknown to the map."""
    BEYOND_LIMIT = "beyond_limit"
    """The row stands behind the limit of rows of the map."""


@dataclass(frozen=True, slots=True)
class Planned:
    """One row with its outcome. `notice` is set exactly if it is to be sent, `rejections` exactly if it is rejected."""

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
    equal_to: int = 0
    """Number of the first row of this file that is equal; 0 where none is before it."""
    sent_before: bool = False
    """The outcome is REPEATED because this row was sent before."""
    measure: Measure | None = None
    """Drug and amount of a sound row of a member of this run."""
    rejections: Sequence[Rejection] = ()
    """Every fault of the row."""


AlreadySent = Callable[[Sequence[bytes]], set[bytes]]


def plan_import(
    rows: Iterable[SourceRow],
    layout: ImportMap,
    own_members: Collection[str],
    federation_members: Collection[str],
    already_sent: AlreadySent,
    *,
    equal_rows: EqualRows = "",
    now: datetime | None = None,
) -> Generator[Planned, None, None]:
    """Yield every row's outcome, in order, in blocks of `BLOCK` rows.

    A block's digests are asked of `already_sent` when the first row of the block is wanted, so the caller may send each
    block before it takes the next. Rejected rows are not remembered: their exact repeats are rejected as well.
    """
    remaining = iter(rows)
    with closing(_Seen()) as seen:
        planner = _Planner(
            layout, frozenset(own_members), frozenset(federation_members), now or datetime.now(UTC), equal_rows, seen
        )
        while block := list(islice(remaining, BLOCK)):
            planned = [planner.plan(row) for row in block]
            digests = [each.digest for each in planned if each.notice is not None]
            sent = already_sent(digests) if digests else set()
            for each in planned:
                known = each.notice is not None and each.digest in sent
                yield _repeated(each, sent_before=True) if known else each


def _repeated(planned: Planned, *, sent_before: bool) -> Planned:
    return replace(planned, outcome=Outcome.REPEATED, notice=None, repairs=None, unmapped=(), sent_before=sent_before)


@dataclass(frozen=True, slots=True)
class _Planner:
    layout: ImportMap
    own: frozenset[str]
    federation: frozenset[str]
    now: datetime
    equal_rows: EqualRows
    seen: "_Seen"

    def plan(self, row: SourceRow) -> Planned:
        """Sort out what is damaged and what belongs to others, and make the notices of the rest."""
        if 0 < self.layout.row_limit < row.number - 1:
            return Planned(row, Outcome.BEYOND_LIMIT)
        if row.problem:
            return Planned(row, Outcome.REJECTED, rejections=[Rejection(row.problem)])
        cells = read_cells(row.values, self.layout)
        if not (named := cells.texts["member"]):
            missing = Rejection("member_missing", self.layout.column("member"))
            return Planned(row, Outcome.REJECTED, rejections=[missing])
        entry = self.layout.tables["member"].get(named)
        member = entry.codes["member"] if entry else named
        if entry is None or member not in self.federation:
            return Planned(row, Outcome.OUTSIDE, state=member)
        if member not in self.own:
            return Planned(row, Outcome.OTHER_MEMBER, state=member)
        return self._own_row(row, cells, member)

    def _own_row(self, row: SourceRow, cells: Cells, member: str) -> Planned:
        """Recognise repeats within the file; make the notice."""
        digest = same = row_digest(row.values, self.layout)
        first, copies = self.seen.first(digest)
        if first and self.equal_rows == "each":
            digest = copy_digest(digest, copies)
        try:
            today = (self.now + DAY_AHEAD).date()
            record = read_record(cells, self.layout, digest=digest, today=today)
            notice, rules = build_notice(record, self.layout, self.now)
        except RowRejected as refused:
            return Planned(row, Outcome.REJECTED, state=member, digest=digest, rejections=refused.rejections)
        self.seen.add(same, row.number)
        repairs = {**record.repairs, **dict.fromkeys(rules, "")}
        planned = Planned(
            row,
            Outcome.REPAIRED if repairs else Outcome.ACCEPTED,
            state=member,
            digest=digest,
            notice=notice,
            repairs=repairs,
            unmapped=record.unmapped,
            equal_to=first,
            measure=record.measure(),
        )
        return planned if not first or self.equal_rows == "each" else _repeated(planned, sent_before=False)


class _Seen:
    """The digests of this file with their first rows, in a temporary database that goes to disk when it grows."""

    def __init__(self) -> None:
        self._database = sqlite3.connect("", isolation_level=None)
        self._database.execute(
            "CREATE TABLE seen (digest BLOB PRIMARY KEY, row INTEGER NOT NULL, copies INTEGER NOT NULL) WITHOUT ROWID"
        )
        self._database.execute("BEGIN")

    def first(self, digest: bytes) -> tuple[int, int]:
        """Return the number of the row that had this digest first, and how many had it; (0, 0) if none had."""
        found = self._database.execute("SELECT row, copies FROM seen WHERE digest = ?", (digest,)).fetchone()
        return (int(found[0]), int(found[1])) if found else (0, 0)

    def add(self, digest: bytes, number: int) -> None:
        """Count one more row with this digest."""
        self._database.execute(
            "INSERT INTO seen VALUES (?, ?, 1) ON CONFLICT (digest) DO UPDATE SET copies = copies + 1",
            (digest, number),
        )

    def close(self) -> None:
        self._database.close()
