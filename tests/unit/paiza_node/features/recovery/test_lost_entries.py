"""Holds that come back with a request to erase: only those that our own lost log had answered it with, and once."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from paiza.core.v1 import log_pb2
from paiza.peer.v1 import recovery_pb2
from paiza_node.core.exchange.proofs import own_proof
from paiza_node.core.log import store as log_store
from paiza_node.core.log.transaction import LogTransaction
from paiza_node.features.recovery import lost_entries
from paiza_node.features.recovery.lost_entries import RESTORED_TEXT
from paiza_node.features.recovery.recovered_messages import Lost
from paiza_node.features.retention import store as retention_store
from paiza_wire.errors import Rejected
from paiza_wire.message import MAX_PARENTS
from paiza_wire.receipts import ERASURE_ANSWERS, evidence_digest
from tests.log_entries import entry_of
from tests.unit.paiza_node.features.witness.fleet import Fleet, Node

ORIGIN = "kaz.paiza.example/log/1"
OWN_SIZE = 1
NOW = datetime.now(UTC)
REQUEST, OTHER_REQUEST, NOTE, OTHER_NOTE = (bytes([number]) * 32 for number in (1, 2, 3, 4))


def entry(event: "log_pb2.LogEvent.ValueType" = log_pb2.LOG_EVENT_ERASURE_DENIED, **fields: Any) -> log_pb2.LogEntry:
    """Build an answer to tjk's request; ERASURE_DENIED where nothing else is said."""
    request = {"request_digest": REQUEST} if event in ERASURE_ANSWERS else {}
    return entry_of(event, **{"counterpart": "tjk", "message_digest": NOTE, **request, **fields})


ENTRIES = (
    entry(),  # 0: not lost
    entry(log_pb2.LOG_EVENT_RECEIVED, message_digest=REQUEST, dispatch_sha256=bytes(32)),
    entry(),
    entry(counterpart="uzb"),
    entry(request_digest=OTHER_REQUEST),
    entry(log_pb2.LOG_EVENT_DENIED, reason="policy_denied"),
    entry(log_pb2.LOG_EVENT_HELD),
    entry(message_digest=OTHER_NOTE),
    entry(log_pb2.LOG_EVENT_ERASED),
)
RECEIVED, HOLD, OF_UZB, OF_OTHER, BY_POLICY, BEGUN, OTHER_HOLD, THEN_ERASED = range(1, len(ENTRIES))


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    """Two nodes; the log of kaz says what ENTRIES do, and that of tjk the same of itself."""
    with Fleet(tmp_path, ["kaz", "tjk"]) as made:
        for node in (made["kaz"], made["tjk"]):
            for each in ENTRIES:
                node.ledger.commit_now(lambda tx, each=each: tx.append(each))  # type: ignore[misc]
        yield made


def proofs(node: Node) -> list[log_pb2.LogProof]:
    """Return the entries of a node's log, proven."""
    own = node.ledger.checkpoint
    with node.store.reads() as reads:
        return [own_proof(node.ledger, each, own.size, own.note) for each in log_store.entries(reads, 0, len(ENTRIES))]


def believed(fleet: Fleet, shown: Sequence[log_pb2.LogProof], logs: dict[str, int] | None = None) -> list[Lost]:
    """Return what kaz believes of answers that tjk shows with its request."""
    own = fleet.register_cache.current.member("kaz")
    request = lost_entries.verified(own, ORIGIN, OWN_SIZE, "tjk", proofs(fleet["kaz"])[RECEIVED], NOW)
    item = recovery_pb2.GivenBack(erasure_answers=shown)
    known = {ORIGIN: OWN_SIZE} if logs is None else logs
    return lost_entries.erasure_answers(own, known, "tjk", [(item, request)], NOW)


def held(fleet: Fleet) -> dict[bytes, int]:
    """Return what is under hold at kaz."""
    with fleet["kaz"].store.reads() as reads:
        return retention_store.holds(reads, [NOTE, OTHER_NOTE])


def put_back(fleet: Fleet, answers: Sequence[Lost]) -> set[bytes]:
    """Put holds back at kaz."""
    return fleet["kaz"].ledger.commit_now(lambda tx: lost_entries.put_back(tx, answers, "node")).result


def test_a_hold_comes_back_with_what_shows_it(fleet: Fleet) -> None:
    """Held, and logged as put back, with the digest of the answer and a word beside the log; a second time nothing."""
    shown = proofs(fleet["kaz"])[HOLD]
    answers = believed(fleet, [shown])
    assert put_back(fleet, answers) == {NOTE}
    assert put_back(fleet, answers) == set()
    with fleet["kaz"].store.reads() as reads:
        index = retention_store.holds(reads, [NOTE])[NOTE]
        (stored,) = log_store.entries_at(reads, [index])
        assert log_store.texts(reads, [index])[index].text == RESTORED_TEXT
    said = log_pb2.LogEntry.FromString(stored.entry)
    assert (said.event, said.actor, said.message_digest) == (log_pb2.LOG_EVENT_HELD, "node", NOTE)
    assert said.held.lost_sha256 == evidence_digest(shown.proven.entry, shown.checkpoint)


def test_what_our_lost_log_did_not_answer_holds_nothing(fleet: Fleet) -> None:
    """Not lost, to others, to other requests, no answer, of other logs, altered, or not proven: passed over."""
    ours, theirs = proofs(fleet["kaz"]), proofs(fleet["tjk"])
    good = ours[HOLD]

    def changed(**parts: Any) -> log_pb2.LogProof:
        other = log_pb2.LogProof.FromString(good.SerializeToString())
        for name, value in parts.items():
            setattr(other.proven if name != "checkpoint" else other, name, value)
        return other

    forged = entry(message_digest=OTHER_NOTE, salt=bytes(16), register_version=bytes(32))
    bad = [
        *(ours[at] for at in (0, RECEIVED, OF_UZB, OF_OTHER, BY_POLICY, BEGUN)),
        theirs[HOLD],
        changed(entry=forged.SerializeToString()),
        changed(index=OTHER_HOLD),
        changed(checkpoint=theirs[HOLD].checkpoint),
        changed(checkpoint=good.checkpoint.replace(b"\n9\n", b"\n8\n")),
        changed(checkpoint=b""),
        log_pb2.LogProof(),
    ]
    for each in bad:
        assert believed(fleet, [each]) == []
    assert believed(fleet, [good], logs={"kaz.paiza.example/log/2": 0}) == []
    assert believed(fleet, [good], logs={ORIGIN: HOLD + 1}) == []
    # Among what is not believed, what holds is still found; but nothing behind as many as a message has parents.
    assert [each.row.index for each in believed(fleet, [*bad, good])] == [HOLD]
    assert believed(fleet, [*[bad[0]] * MAX_PARENTS, good]) == []


@pytest.mark.parametrize("order", [(HOLD, OTHER_HOLD, THEN_ERASED), (THEN_ERASED, OTHER_HOLD, HOLD)])
def test_what_was_said_last_counts(fleet: Fleet, order: Sequence[int]) -> None:
    """A lifted hold of an erased message does not come back, for any order of answers."""
    ours = proofs(fleet["kaz"])
    answers = believed(fleet, [ours[at] for at in order])
    assert {each.row.index for each in answers} == {OTHER_HOLD, THEN_ERASED}
    assert put_back(fleet, answers) == {OTHER_NOTE}
    assert held(fleet).keys() == {OTHER_NOTE}


def test_a_hold_that_stands_is_not_put_back(fleet: Fleet) -> None:
    """An officer's own hold stays as it is in the log."""

    def hold(tx: LogTransaction) -> None:
        retention_store.put_hold(tx.conn, NOTE, BEGUN)

    fleet["kaz"].ledger.commit_now(hold)
    assert put_back(fleet, believed(fleet, [proofs(fleet["kaz"])[HOLD]])) == set()
    assert held(fleet) == {NOTE: BEGUN}


def test_an_abandoned_key_proves_no_lost_entry(fleet: Fleet) -> None:
    """Others may hold it, and make up what our log is said to have held."""
    own = fleet.register_cache.current.member("kaz")
    own = replace(own, log_keys=tuple(replace(each, until=NOW) for each in own.log_keys))
    with pytest.raises(Rejected) as refused:
        lost_entries.verified(own, ORIGIN, OWN_SIZE, "tjk", proofs(fleet["kaz"])[RECEIVED], NOW)
    assert refused.value.reason == "bad_checkpoint"
