"""Rows of a filled database are bent, one at a time: the node serves on or refuses with a reason, `verify` names them.

A sample drawn with a fixed source of randomness; `PAIZA_BENT_ROWS=1` bends every column of a row of each table.
"""

import asyncio
import os
import sqlite3
from collections import Counter
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import Any, Final

import pytest
from typing_extensions import override

from paiza.officer.v1 import officer_pb2
from paiza_node.core.exchange.model import DeliveryKind
from paiza_node.ops.tables import METADATA
from tests.bent.rows import Bend, bends, rows
from tests.bent.trial import MEMBER, PEERS, Base

SAMPLE: Final = 6
ROWS_OF_EACH: Final = int(os.environ.get("PAIZA_BENT_ROWS", "0"))
WHOLE_SECONDS: Final = 4 * 3600  # 1,300 trials beside other work
EXEMPT: Final[Mapping[str, str]] = {
    "approval.expires_time": "within a month it is the policy of this node when it gives up, and that is logged",
    "attachment.attempts": "it lengthens the next pause up to the longest",
    "caller_day": "what a caller used today for quotas: it is forgotten at midnight, and no log has it",
    "cosigned_path row doubled": "a row that no proof names is read by nobody",
    "counter[saved_searches]": "it tells a running node that its copy of the searches is old; a start reads them anew",
    "counter[uncosigned_swept] row deleted": "the entries are read again, and nothing new is found",
    "delivery.attempts": "it lengthens the next pause up to the longest",
    "delivery.detail": "a text for the operator that decides nothing",
    "delivery.expires_time": "within a year it is the policy of this node when it gives up, and that is logged",
    "delivery.next_attempt_time": "it is at most one pause ahead, and read only while the delivery waits",
    "known_log.accepted_time": "it is shown, and decides nothing",
    "log_fact.needless": "it was judged by the officers and units of that moment, which change",
    "log_head.batch": "it is compared only within the process that made it, after a commit whose answer was lost",
    "log_head.last_time": "between the last entry and now, it is the earliest time of the next entry",
    "proof_path row doubled": "a row that no proof names is read by nobody",
    "proposal.changed_time": "it is shown, and decides nothing",
    "proven_certificate.message_digest": "it finds the entry once, to have it cosigned; a missing cosigning is named",
    "saved_search": "the node has no name or text of it; its officer, who sees all of theirs, saves it anew",
    "search_match row deleted": "one that was acknowledged is deleted too",
    "task.due_time": "the sealed content of a request may name it: every time of the calendar may be right",
    "uncosigned.hashes": "it only tells whether the cosigned proof repeats hashes, or leaves them to the other proof",
    "upload": "the log knows nothing of what no message names yet; its officer uploads it again",
    "witnessed_note row deleted": "old ones are pruned; the next later one proves the same, of a wider interval",
}
"""What may be bent unnoticed, each with the reason: a table, a column, or whole rows, of all rows or of one key.

Values of a wrong type or range are noticed all the same.
"""

ALWAYS_NAMED: Final = frozenset({"text", "bytes", "negative", "greatest"})
"""Values that no column of that type holds."""


NAMED: Final = (
    "erased.signed flipped",
    "erasure.asked_time changed",
    "erasure.log_index null",
    "erasure_answer.row deleted",
    "hold.row deleted",
    "log_entry.row doubled",
    "log_listed.row doubled",
    "message_body.rest flipped",
    "message_body.row doubled",
    "note.row deleted",
    "officer_certificate.invitation_sha256 flipped",
    "officer_certificate.to_revoke changed",
    "outbound_queue.row deleted",
    "outbound_queue.row doubled",
    "search_match.annex changed",
    "setting.row deleted",
    "setting.row doubled",
    "setting.value flipped",
    "witnessed_note.again changed",
    "witnessed_note.time changed",
    "witnessed_note.witnesses changed",
)
"""Bends that each have a check of their own: the sample may miss them."""


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Base:
    """Return a filled database, and what is asked of its node."""
    return asyncio.run(Base.make(tmp_path_factory.mktemp("bent") / "f"))


def test_what_only_one_check_sees_is_named(base: Base) -> None:
    """Each is found in the row that was bent, and nothing in the unbent database."""
    assert base.verified(None) == []
    kinds = {f"{bend.table}.{bend.column or 'row'} {bend.how}": bend for bend in bends(base.copy, Random(1), 1)}
    assert [kind for kind in NAMED if base.verified(kinds[kind]) == []] == []


def test_a_text_in_place_of_a_digest_is_refused_as_damage(base: Base) -> None:
    """A query of the log that meets one is answered "log_damaged", and not as an internal error."""
    bend = next(
        each
        for each in bends(base.copy, Random(1), 1)
        if str(each).endswith(".digest text") and each.table == "log_listed"
    )
    told = asyncio.run(base.trial(bend))
    assert told is not None
    assert told.internal == []
    assert told.found


def test_who_asked_for_an_erasure_is_verified(base: Base) -> None:
    """The requester of every erasure, the own member among them, is that of the request and of the log's answer."""
    found = stored(base, "erasure")
    assert {row["requester"] for row in found} >= {MEMBER}
    for row in found:
        for other in {"", MEMBER, *PEERS} - {row["requester"]}:
            bend = Bend("erasure", (row["digest"], row["request"]), "changed", "requester", other)
            assert base.verified(bend) != [], bend


@dataclass(frozen=True)
class _FirstSpan(Bend):
    """A span becomes one that begins with its log, with a consistency proof of its own."""

    @override
    def apply(self, database: Path) -> bool:
        """Change the span, and the paths that go along it."""
        with closing(sqlite3.connect(database)) as connection, connection:
            (note,) = connection.execute("SELECT note_digest FROM cosigned_span WHERE id = ?", self.key).fetchone()
            first = sha256(note).digest()
            changed = "UPDATE cosigned_span SET id = ?, before_digest = NULL, consistency_proof = ? WHERE id = ?"
            connection.execute(changed, (first, self.value, *self.key))
            connection.execute("UPDATE cosigned_path SET span = ? WHERE span = ?", (first, *self.key))
        return True


def test_a_span_that_begins_with_the_log_has_no_consistency_proof(base: Base) -> None:
    """There is no note before it that one could lead from."""
    used = next(row["id"] for row in stored(base, "cosigned_span") if row["before_digest"] is not None)
    assert base.verified(_FirstSpan("cosigned_span", (used,), "changed", "consistency_proof", b"")) == []
    assert base.verified(_FirstSpan("cosigned_span", (used,), "changed", "consistency_proof", bytes(32))) != []


def test_a_forwarding_whose_entry_is_missing_is_refused_as_damage(base: Base) -> None:
    """Who forwards a message again is shown the entry of the first time, which a damaged row does not name."""
    row = next(row for row in stored(base, "delivery") if row["delivery_kind"] == DeliveryKind.FORWARDED)
    told = asyncio.run(base.trial(Bend("delivery", (row["id"],), "negative", "released_index", -1)))
    assert told is not None
    assert told.internal == []
    assert told.found


def test_an_entry_that_cannot_be_read_ends_no_verification(base: Base) -> None:
    """Another check than that of the log reads it too, here of the notice that tells an author of it."""
    row = next(row for row in stored(base, "delivery") if row["delivery_kind"] == DeliveryKind.NOTICE)
    index = row["released_index"]
    found = base.verified(Bend("log_entry", (index,), "cut", "entry", b"\x0a"))
    assert any(f"(entry {index})" in each for each in found)
    assert [each for each in found if each.startswith("FAILED")] == []


def test_what_depends_on_damaged_rows_is_refused_as_damage(base: Base) -> None:
    """A message without a body is not opened, and a queue of more deliveries than there can be is not added up."""
    opened = next(call for call in base.calls if call.method.endswith("/OpenMessage"))
    digest = officer_pb2.OpenMessageRequest.FromString(opened.requests[0]).message_digest
    message = next(row for row in stored(base, "message") if row["digest"] == digest)
    queue = stored(base, "outbound_queue")[0]
    for bend in (
        Bend("message", (message["seq"],), "negative", "seq", -1),
        Bend("outbound_queue", (queue["recipient"],), "greatest", "waiting", 2**63 - 1),
    ):
        told = asyncio.run(base.trial(bend))
        assert told is not None
        assert told.internal == [], bend
        assert told.found, bend


def stored(base: Base, table: str) -> list[dict[str, Any]]:
    """Return the rows of a table, by the names of its columns."""
    found = METADATA.tables[table]
    names = [column.name for column in found.columns]
    return [dict(zip(names, row, strict=True)) for row in rows(base.copy, found)]


@pytest.mark.timeout(WHOLE_SECONDS if ROWS_OF_EACH else 600)
def test_a_bent_row_is_named_and_ends_nothing(base: Base) -> None:
    """`verify` names every bent row; no call ends as an internal error, and no node ends."""
    unbent = asyncio.run(base.trial(None))
    assert unbent is not None
    assert (unbent.found, unbent.internal, unbent.refused_start) == ([], [], "")
    chosen = list(bends(base.copy, Random(12), ROWS_OF_EACH or 1))
    if not ROWS_OF_EACH:
        chosen = Random(12).sample(chosen, SAMPLE)
    outcomes: Counter[str] = Counter()
    wrong = []
    for bend in chosen:
        if fault := asyncio.run(_fault(base, bend, outcomes)):
            wrong.append(f"{bend}: {fault}")
            print(wrong[-1], flush=True)
    print(f"bent {len(chosen)}: {dict(outcomes)}")
    assert wrong == []


async def _fault(base: Base, bend: Bend, outcomes: Counter[str]) -> str:
    """Return what is wrong with what a bend brings about, empty if nothing is; count what came of it."""
    told = await base.trial(bend)
    if told is None:
        outcomes["refused by the database"] += 1
        return ""
    outcomes["named" if told.found else "not named"] += 1
    if told.refused_start:
        outcomes["refused at the start"] += 1
    if any(found.startswith("FAILED") for found in told.found):
        return f"verify failed: {told.found}"
    if told.internal:
        return f"internal error: {told.internal}"
    if not told.found and told.refused_start:
        return f"not named: {told.refused_start}"
    if not told.found and (bend.how in ALWAYS_NAMED or not _is_exempt(bend)):
        return "not named"
    return ""


def _is_exempt(bend: Bend) -> bool:
    row = f"{bend.table}[{', '.join(map(str, bend.key))}]"
    what = f".{bend.column}" if bend.column else f" row {bend.how}"
    return not EXEMPT.keys().isdisjoint({bend.table, f"{bend.table}{what}", row, f"{row}{what}"})
