"""Rows of a filled database are bent, one at a time: the node serves on or refuses with a reason, `verify` names them.

A sample drawn with a fixed source of randomness; `PAIZA_BENT_ROWS=1` bends every column of a row of each table.
"""

import asyncio
import os
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
    "approval": frozenset({"", "digest", "message_id", "header", "submitted_time", "missing", "state", "signed"}),
    "attachment": frozenset({"", "state", "pending_since_time", "settled_time", "log_index", "size", "source"}),
    "cosigned_path": frozenset({"", "id", "span", "hashes"}),
    "cosigned_proof": frozenset({"", "origin", "log_index", "hashes", "path"}),
    "cosigned_span": frozenset({"", "id", "before_digest", "note_digest", "consistency_proof"}),
    "attachment_proof": frozenset({"", "digest", "part_number", "member", "entry", "hashes", "register_version"}),
    "known_log": frozenset({"", "member", "size", "root", "note"}),
    "log_entry": frozenset({"entry"}),
    "log_fact": frozenset({"", "event", "actor", "counterpart"}),
    "log_tile": frozenset({"hashes"}),
    "message": frozenset(
        {
            *("", "digest", "author", "message_id", "thread_id", "thread_name", "kind", "urgency", "received"),
            *("stored_time", "header"),
        }
    ),
    "message_parent": frozenset({"", "parent", "kind", "seq"}),
    "proof": frozenset({"", "digest", "member", "kind", "entry", "log_index", "hashes", "path"}),
    "proof_path": frozenset({"", "id", "note_digest", "register_version", "hashes"}),
    "signature_front": frozenset({"", "id", "digest", "front"}),
    "note": frozenset({"digest", "note"}),
    "officer_certificate": frozenset({"der", "not_before", "not_after"}),
    "opened_together": frozenset({"", "officer", "day", "count"}),
}
"""Columns whose every change the log, a signature or a digest shows; "" is the whole row. The rest decides nothing that
could be proven (when to try again, a text for the operator), or is not compared yet."""


@pytest.mark.timeout(600 if not ROWS_OF_EACH else 7200)
def test_a_bent_row_is_named_and_ends_nothing(tmp_path: Path) -> None:
    """No call ends as an internal error and no node ends, unless `verify` names the row; what is proven is compared."""
    base = asyncio.run(Base.make(tmp_path / "f"))
    unbent = asyncio.run(base.trial(None))
    assert unbent is not None
    assert (unbent.found, unbent.internal, unbent.refused_start) == ([], [], "")
    chosen = list(bends(tmp_path / "f/copy.db", Random(12), ROWS_OF_EACH or 1))
    if not ROWS_OF_EACH:
        known = [bend for bend in chosen if bend.column in NAMED.get(bend.table, frozenset())]
        chosen = [*Random(12).sample(known, SAMPLE), *Random(12).sample(chosen, SAMPLE)]
    wrong = [f"{bend}: {fault}" for bend in chosen if (fault := asyncio.run(_fault(base, bend)))]
    assert wrong == []


async def _fault(base: Base, bend: Bend) -> str:
    """Return what is wrong with what a bend brings about; empty if nothing is."""
    told = await base.trial(bend)
    if told is None:  # the database refuses it
        return ""
    if any(found.startswith("FAILED") for found in told.found):
        return f"verify failed: {told.found}"
    if not told.found and (told.internal or told.refused_start):
        return f"not named: {told.internal or told.refused_start}"
    if not told.found and (bend.how in ALWAYS_NAMED or bend.column in NAMED.get(bend.table, frozenset())):
        return "not named"
    return ""
