"""Rows of a filled database are bent, one at a time: the node serves on or refuses with a reason, `verify` names them.

A sample drawn with a fixed source of randomness; `PAIZA_BENT_ROWS=1` bends every column of a row of each table.
"""

import asyncio
import os
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from random import Random
from typing import Final

import pytest

from tests.bent.rows import Bend, bends
from tests.bent.trial import Base

SAMPLE: Final = 3
ROWS_OF_EACH: Final = int(os.environ.get("PAIZA_BENT_ROWS", "0"))
ALWAYS_NAMED: Final = frozenset({"text", "bytes", "negative", "greatest"})
"""Values that no column of that type holds."""
NAMED: Final[Mapping[str, frozenset[str]]] = {
    "attachment": frozenset({"", "state", "pending_since_time", "settled_time", "log_index", "size", "source"}),
    "cosigned_path": frozenset({"id", "span", "hashes"}),
    # Not the whole row: a proof may outlive its entry, so that one too many tells nothing.
    "cosigned_proof": frozenset({"origin", "log_index", "hashes", "path"}),
    "cosigned_span": frozenset({"", "id", "before_digest", "note_digest", "consistency_proof"}),
    "attachment_proof": frozenset({"", "digest", "part_number", "member", "entry", "hashes", "register_version"}),
    "known_log": frozenset({"", "member", "size", "root", "note"}),
    "log_entry": frozenset({"entry"}),
    "log_fact": frozenset({"", "event", "actor", "counterpart"}),
    "log_tile": frozenset({"hashes"}),
    "message_parent": frozenset({"", "parent", "kind", "seq"}),
    "proof": frozenset({"", "digest", "member", "kind", "entry", "log_index", "hashes", "path"}),
    "proof_path": frozenset({"id", "note_digest", "register_version", "hashes"}),
    "signature_front": frozenset({"", "id", "digest", "front"}),
    "note": frozenset({"digest", "note"}),
    "officer_certificate": frozenset({"der", "not_before", "not_after"}),
    "opened_together": frozenset({"", "officer", "day", "count"}),
}
"""Columns whose every change the log, a signature or a digest shows; "" is the whole row. The rest decides nothing that
could be proven (when to try again, a text for the operator), or is not compared yet."""

HARMLESS: Final[Mapping[str, Mapping[str, str]]] = {
    "approval": {"expires_time": "within a month it is the policy of this node when it gives up, and that is logged"},
    "delivery": {
        "expires_time": "within a year it is the policy of this node when it gives up, and that is logged",
        "next_attempt_time": "it is at most one pause ahead, and read only while the delivery waits",
        "attempts": "it lengthens the next pause up to the longest",
        "detail": "a text for the operator that decides nothing",
    },
    "hold": {},
    "indexed_message": {},
    "log_head": {
        "batch": "it is compared only within the process that made it, after a commit whose answer was lost",
        "last_time": "between the last entry and now, it is the earliest time of the next entry",
    },
    "log_text": {},
    "message": {},
    "proposal": {"changed_time": "it is shown, and decides nothing"},
    "proven_certificate": {
        "message_digest": "it finds the entry once, to have it cosigned; a missing cosigned proof is named"
    },
    "reader": {},
    "reconciled_period": {},
    "review": {},
    "task": {},
    "term_token": {},
}
"""Tables of which every change is shown but that of these columns, each with the reason why it needs not be."""


@pytest.mark.timeout(600 if not ROWS_OF_EACH else 7200)
def test_a_bent_row_is_named_and_ends_nothing(tmp_path: Path) -> None:
    """No call ends as an internal error and no node ends, unless `verify` names the row; what is proven is compared."""
    base = asyncio.run(Base.make(tmp_path / "f"))
    unbent = asyncio.run(base.trial(None))
    assert unbent is not None
    assert (unbent.found, unbent.internal, unbent.refused_start) == ([], [], "")
    chosen = list(bends(tmp_path / "f/copy.db", Random(12), ROWS_OF_EACH or 1))
    if not ROWS_OF_EACH:
        known = [bend for bend in chosen if _is_proven(bend)]
        chosen = [*Random(12).sample(known, SAMPLE), *Random(12).sample(chosen, SAMPLE)]
    outcomes: Counter[str] = Counter()
    wrong = [f"{bend}: {fault}" for bend in chosen if (fault := asyncio.run(_fault(base, bend, outcomes)))]
    print(f"bent {len(chosen)}: {dict(outcomes)}")
    assert wrong == []


async def _fault(base: Base, bend: Bend, outcomes: Counter[str]) -> str:
    """Return what is wrong with what a bend brings about, empty if nothing is; count what came of it."""
    told = await base.trial(bend)
    if told is None:
        outcomes["refused by the database"] += 1
        return ""
    outcomes["named" if told.found else "not named"] += 1
    if told.internal or told.refused_start:
        outcomes["refused at the start" if told.refused_start else "internal error of a call, and named"] += 1
    if any(found.startswith("FAILED") for found in told.found):
        return f"verify failed: {told.found}"
    if not told.found and (told.internal or told.refused_start):
        return f"not named: {told.internal or told.refused_start}"
    if not told.found and (bend.how in ALWAYS_NAMED or _is_proven(bend)):
        return "not named"
    return ""


def _is_proven(bend: Bend) -> bool:
    if bend.table in HARMLESS:
        return bend.column not in HARMLESS[bend.table]
    return bend.column in NAMED.get(bend.table, frozenset())
