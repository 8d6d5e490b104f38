"""When an entry was made, as independent members prove it: between two checkpoints that a quorum of them cosigned.

Pure: notes and a register in, an interval out. Nobody's clock is believed alone: each bound is the median of what the
witnesses of one checkpoint say (`paiza_wire.tlog.witnessed_time`).
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from paiza_client.verify.logs import LogReader
from paiza_officer.errors import NotProven, located
from paiza_register import Register
from paiza_wire import receipts
from paiza_wire.tlog.cosignatures import quorum
from paiza_wire.tlog.merkle import verify_consistency
from paiza_wire.tlog.tlog_proof import TlogProof
from paiza_wire.tlog.witnessed_time import witnessed_time

TOLERANCE: Final = timedelta(minutes=10)  # as far as a node lets another's clock run ahead of its own


@dataclass(frozen=True, slots=True)
class Interval:
    """When an entry was made: by ``not_after`` a quorum had seen it, at ``not_before`` a quorum had not yet.

    ``not_before`` is None where there is no cosigned checkpoint before it. ``witnesses`` are the members that cosigned
    the one after it, ``others`` how many there were to ask.
    """

    not_before: datetime | None
    not_after: datetime
    witnesses: tuple[str, ...]
    others: int

    def contradicts(self, time: datetime) -> bool:
        """Return whether a log that gives this time to the entry is off by more than clocks of states differ."""
        early = self.not_before is not None and time < self.not_before - TOLERANCE
        return early or time > self.not_after + TOLERANCE


@dataclass(frozen=True, slots=True)
class Before:
    """A cosigned checkpoint that does not hold an entry yet, and the proof that the log grew from it to the next."""

    note: bytes
    growth: tuple[bytes, ...]


def interval(
    proof: TlogProof,
    before: Before | None,
    entry: receipts.VerifiedEntry,
    named: Register,
    judge: Register,
    log: LogReader,
) -> Interval:
    """Judge the cosignatures of the checkpoint that proves an entry, and of the one before it.

    1. The register that says who witnesses is not older than the one that the entry names.
    2. More than two thirds of that log's witnesses cosigned the checkpoint.
    3. The checkpoint before it is of the same log, does not hold the entry, and grew into it; as many cosigned it.
    4. They do not say that it was before what was before it, by more than clocks differ.

    NotProven("bad_proof", "bad_checkpoint") where one of them does not hold.
    """
    owner, after = log.checkpoint(proof.note)
    where = f"{after.origin} #{entry.index}"
    # 1.
    if judge.role_versions["snapshot"] < named.role_versions["snapshot"]:
        raise NotProven("bad_proof", where, "the witnesses are those of a register older than the entry")
    # 2.
    not_after, witnesses, others = _witnessed(proof.note, owner.id, judge, where)
    if before is None:
        return Interval(None, not_after, witnesses, others)
    # 3.
    _owner, earlier = log.checkpoint(before.note)
    if earlier.origin != after.origin or earlier.size > entry.index:
        raise NotProven("bad_proof", where, "the checkpoint before the entry is of another log, or holds it")
    with located(where, NotProven):
        verify_consistency(earlier.size, earlier.root, after.size, after.root, before.growth)
    not_before, _witnesses, _others = _witnessed(before.note, owner.id, judge, where)
    # 4.
    if not_before > not_after + TOLERANCE:
        raise NotProven("bad_proof", where, "the witnesses say that the later checkpoint was the earlier one")
    return Interval(not_before, not_after, witnesses, others)


def _witnessed(note: bytes, owner: str, judge: Register, where: str) -> tuple[datetime, tuple[str, ...], int]:
    """Return the median time of a quorum's cosignatures, whose they are, and how many there were to ask."""
    others = len(judge.active_ids - {owner})  # all that are active, whether their keys can be used or not
    with located(where, NotProven):
        # The log's own member's signature must hold too, where it is there; it does not count.
        first = judge.witnesses(judge.cosignatures(note), owner)
    time = witnessed_time(first.values(), quorum(others))
    if time is None:
        raise NotProven("bad_proof", where, f"only {len(first)} of {others} witnesses cosigned the checkpoint")
    return time, tuple(sorted(first)), others
