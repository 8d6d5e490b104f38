"""Kept proofs are joined by proofs to cosigned checkpoints: what is asked, what is believed, what holds up nothing."""

import secrets
from collections.abc import Callable
from dataclasses import replace

import pytest

from paiza.core.v1 import log_pb2
from paiza.peer.v1 import witness_pb2
from paiza_node.core.exchange import store as exchange_store
from paiza_node.core.exchange.model import ForeignProof, ProofKind
from paiza_node.core.log import store as log_store
from paiza_node.core.log.model import origin_of
from paiza_node.core.log.transaction import LogTransaction
from paiza_node.core.storage import settings as settings_store
from paiza_node.features.retention import store as retention_store
from paiza_node.features.retention.model import ErasureAnswer
from paiza_node.features.witness import prove
from paiza_node.features.witness import store as witness_store
from paiza_node.features.witness.model import CosignedProof, Uncosigned
from paiza_node.features.witness.prove import MAX_INDICES
from paiza_node.features.witness.verify_cosignatures import CLOCKS_DIFFER, judge_note, judge_span
from paiza_node.ops.tables import KEPT_PROOFS
from paiza_wire.errors import Rejected
from paiza_wire.tlog import merkle
from paiza_wire.tlog.cosignatures import add_signatures, cosign
from paiza_wire.tlog.notes import NoteSignature, format_note, parse_note
from tests.log_entries import entry_of
from tests.unit.paiza_node.features.witness.conftest import MakeFleet
from tests.unit.paiza_node.features.witness.fleet import Fleet, Node


def receipt(holder: Node, owner: Node) -> ForeignProof:
    """Append an entry to the owner's log and store it at the holder, as receipts are: uncosigned."""
    digest = secrets.token_bytes(32)
    entry = entry_of(log_pb2.LOG_EVENT_RECEIVED, message_digest=digest)
    stored = owner.ledger.commit_now(lambda tx: tx.append(entry)).result
    checkpoint = owner.ledger.checkpoint
    (hashes,) = owner.ledger.prove([stored.index], checkpoint.size)
    kept = ForeignProof(
        digest,
        owner.member,
        ProofKind.ANSWER,
        stored.entry,
        stored.index,
        b"".join(hashes),
        checkpoint.note,
        bytes(32),
    )

    def work(tx: LogTransaction) -> None:
        exchange_store.add_proofs(tx.conn, [kept])
        tx.append(entry_of(log_pb2.LOG_EVENT_DELIVERED, message_digest=digest))

    holder.ledger.commit_now(work)
    return kept


def waiting(node: Node) -> dict[str, int]:
    """Count what waits for cosigned proofs."""
    with node.store.reads() as reads:
        return witness_store.uncosigned_counts(reads)


def cosigned(node: Node, kept: ForeignProof) -> CosignedProof | None:
    """Return the cosigned proof of a kept entry."""
    with node.store.reads() as reads:
        return witness_store.cosigned_proof(reads, kept.member, origin_of(kept.checkpoint), kept.index)


async def rounds(fleet: Fleet) -> None:
    """Exchange every member's checkpoint, a second later."""
    fleet.clock.move(1)
    for node in fleet.nodes.values():
        await node.show_round()


async def test_a_receipt_is_upgraded_to_the_first_cosigned_note_behind_it(fleet: Fleet) -> None:
    """A proof waits until a quorum has cosigned, then leads to that note, between it and the one before."""
    kaz, tjk = fleet["kaz"], fleet["tjk"]
    tjk.grow(3)
    await rounds(fleet)
    kept = receipt(kaz, tjk)
    await kaz.upgrade.sweep()
    assert waiting(kaz) == {"tjk": 1}
    assert not await kaz.upgrade.upgrade(kaz.peers.session("tjk"))
    assert cosigned(kaz, kept) is None
    await rounds(fleet)
    tjk.grow(2)
    await rounds(fleet)
    assert await kaz.upgrade.upgrade(kaz.peers.session("tjk"))
    assert waiting(kaz) == {}
    proof = cosigned(kaz, kept)
    assert proof is not None
    register = fleet.register_cache.current
    after = judge_note(proof.span.note, register.member("tjk"), register, fleet.clock.now)
    before = judge_note(proof.span.before, register.member("tjk"), register, fleet.clock.now)
    assert (before.checkpoint.size, after.checkpoint.size) == (3, 4)
    assert (after.time - before.time).total_seconds() == 1
    assert proof.span.register_version == register.version


async def test_what_a_holder_said_of_an_erasure_is_upgraded_as_well(fleet: Fleet) -> None:
    """An acknowledgement in a table of its own also gets its time proven by witnesses."""
    kaz, tjk = fleet["kaz"], fleet["tjk"]
    digest, request = secrets.token_bytes(32), secrets.token_bytes(32)
    entry = entry_of(log_pb2.LOG_EVENT_ERASED, message_digest=digest, request_digest=request)
    stored = tjk.ledger.commit_now(lambda tx: tx.append(entry)).result
    note = tjk.ledger.checkpoint.note
    answer = ErasureAnswer(request, digest, "tjk", stored.entry, stored.index, b"", note, bytes(32))

    def work(tx: LogTransaction) -> None:
        retention_store.put_erasure_answer(tx.conn, answer)
        tx.append(entry_of(log_pb2.LOG_EVENT_ERASURE_ANSWERED, counterpart="tjk", message_digest=digest))

    kaz.ledger.commit_now(work)
    await rounds(fleet)
    await kaz.upgrade.sweep()
    assert waiting(kaz) == {"tjk": 1}
    assert await kaz.upgrade.upgrade(kaz.peers.session("tjk"))
    with kaz.store.reads() as reads:
        assert witness_store.cosigned_proof(reads, "tjk", origin_of(note), stored.index) is not None


async def test_sweeping_again_finds_nothing_new(fleet: Fleet) -> None:
    """An upgraded entry does not wait again, and each log position is read once."""
    kaz, tjk = fleet["kaz"], fleet["tjk"]
    receipt(kaz, tjk)
    await kaz.upgrade.sweep()
    await rounds(fleet)
    assert await kaz.upgrade.upgrade(kaz.peers.session("tjk"))
    kaz.ledger.commit_now(lambda tx: settings_store.put_counter(tx.conn, "uncosigned_swept", 0))
    await kaz.upgrade.sweep()
    assert waiting(kaz) == {}
    size = kaz.ledger.checkpoint.size
    await kaz.upgrade.sweep()
    assert kaz.ledger.checkpoint.size == size


async def test_many_receipts_go_in_batches_over_several_notes(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer that is cut short is gone on with until nothing waits; entries of one span share it."""
    kaz, tjk = fleet["kaz"], fleet["tjk"]
    kept = []
    for _ in range(4):
        kept += [receipt(kaz, tjk) for _ in range(3)]
        await rounds(fleet)
    monkeypatch.setattr(prove, "MAX_NOTE_BYTES", 1)  # one span an answer
    await kaz.upgrade.sweep()
    asked = 0
    while await kaz.upgrade.upgrade(kaz.peers.session("tjk")):
        asked += 1
    assert asked == 4
    proofs = [cosigned(kaz, each) for each in kept]
    assert all(proofs)
    assert len({proof.span for proof in proofs if proof is not None}) == 4


async def test_what_a_member_cannot_prove_holds_up_nothing(fleet: Fleet) -> None:
    """An entry that its log does not hold waits on, and those behind it are upgraded all the same."""
    kaz, tjk = fleet["kaz"], fleet["tjk"]
    tjk.grow(1)
    false = Uncosigned("tjk", tjk.ledger.origin, 0, merkle.leaf_hash(b"never logged"))
    kaz.ledger.commit_now(lambda tx: witness_store.add_uncosigned(tx.conn, [false]))
    await rounds(fleet)
    kept = receipt(kaz, tjk)
    await kaz.upgrade.sweep()
    await rounds(fleet)
    for _ in range(4):
        await kaz.upgrade.upgrade(kaz.peers.session("tjk"))
    assert cosigned(kaz, kept) is not None
    assert waiting(kaz) == {"tjk": 1}


async def test_a_note_from_before_the_federation_grew_is_judged_by_the_register_of_its_time(
    fleet: Fleet, make_fleet: MakeFleet
) -> None:
    """Three cosigned when three were all; that there are six now does not make the receipt unprovable."""
    kaz, tjk = fleet["kaz"], fleet["tjk"]
    kept = receipt(kaz, tjk)
    await rounds(fleet)
    await kaz.upgrade.sweep()
    before = fleet.register_cache.current
    others = make_fleet("aze", "tkm", "tur").register_cache.current
    grown = {**before.members, **others.members}
    fleet.register_cache.current = replace(before, version=b"2" * 32, members=grown)
    assert await kaz.upgrade.upgrade(kaz.peers.session("tjk"))
    proof = cosigned(kaz, kept)
    assert proof is not None
    assert proof.span.register_version == before.version
    fresh = kaz.upgrade.__class__(kaz.core, KEPT_PROOFS, kaz.peers)
    late = receipt(kaz, tjk)
    await fresh.sweep()
    await tjk.show_round()
    assert not await fresh.upgrade(kaz.peers.session("tjk"))
    assert cosigned(kaz, late) is None


async def span_of(fleet: Fleet) -> tuple[log_pb2.WitnessedSpan, dict[int, Uncosigned]]:
    """Prove three entries of tjk's log between two of its witnessed notes; return the span and the requests."""
    tjk = fleet["tjk"]
    tjk.grow(2)
    await rounds(fleet)
    first = tjk.grow(3)
    await rounds(fleet)
    indices = list(range(first, first + 3))
    (span,) = tjk.prove(witness_pb2.ProveEntriesRequest(indices=indices)).spans
    with tjk.store.reads() as reads:
        entries = log_store.entries_at(reads, indices)
    return span, {
        each.index: Uncosigned("tjk", tjk.ledger.origin, each.index, merkle.leaf_hash(each.entry)) for each in entries
    }


def fewer(note: bytes, *names: str) -> bytes:
    """Remove the signatures of these witnesses from a note."""
    parsed = parse_note(note)
    return format_note(parsed.text, [each for each in parsed.signatures if each.name.split(".")[0] not in names])


def _grown_by_another(span: log_pb2.WitnessedSpan) -> None:
    span.consistency_hashes[0] = bytes(32)


def _no_quorum(span: log_pb2.WitnessedSpan) -> None:
    span.note = fewer(span.note, "uzb")


def _no_quorum_before(span: log_pb2.WitnessedSpan) -> None:
    span.before_note = fewer(span.before_note, "uzb")


def _not_signed_by_the_log(span: log_pb2.WitnessedSpan) -> None:
    parsed = parse_note(span.note)
    span.note = format_note(parsed.text, [each for each in parsed.signatures if "/log/" not in each.name])


def _notes_exchanged(span: log_pb2.WitnessedSpan) -> None:
    span.note, span.before_note = span.before_note, span.note


def _another_place(span: log_pb2.WitnessedSpan) -> None:
    first, second = span.entries[0], span.entries[1]
    first.index, second.index = second.index, first.index


def _another_path(span: log_pb2.WitnessedSpan) -> None:
    span.entries[0].inclusion_hashes[-1] = bytes(32)


def _a_known_signature_fails(span: log_pb2.WitnessedSpan) -> None:
    parsed = parse_note(span.note)
    *rest, last = parsed.signatures
    broken = NoteSignature(last.name, last.key_id, last.signature[:-1] + bytes([last.signature[-1] ^ 1]))
    span.note = format_note(parsed.text, [*rest, broken])


@pytest.mark.parametrize(
    "change",
    [
        _grown_by_another,
        _no_quorum,
        _no_quorum_before,
        _not_signed_by_the_log,
        _notes_exchanged,
        _another_place,
        _another_path,
        _a_known_signature_fails,
    ],
)
async def test_a_span_that_does_not_hold_gives_nothing(
    fleet: Fleet, change: Callable[[log_pb2.WitnessedSpan], None]
) -> None:
    """Growth, quorum, signatures, places and paths are all seen to."""
    span, asked = await span_of(fleet)
    register = fleet.register_cache.current
    proofs, _shown = judge_span(span, register.member("tjk"), asked, register, fleet.clock.now)
    assert {proof.index for proof in proofs} == set(asked)
    change(span)
    with pytest.raises(Rejected):
        judge_span(span, register.member("tjk"), asked, register, fleet.clock.now)


async def test_grease_in_a_note_is_neither_refused_nor_kept(fleet: Fleet) -> None:
    """Signatures by unknown keys change nothing of the judgement and take no room."""
    span, asked = await span_of(fleet)
    register = fleet.register_cache.current
    plain, _ = judge_span(span, register.member("tjk"), asked, register, fleet.clock.now)
    span.note = add_signatures(span.note, [NoteSignature("grease.example/1", b"\x00\x01\x02\x03", b"grease")])
    greased, _ = judge_span(span, register.member("tjk"), asked, register, fleet.clock.now)
    assert greased == plain


async def test_the_own_cosignature_is_none_of_the_quorum(fleet: Fleet) -> None:
    """A log's own witness key, and one witness twice, do not stand in for another witness."""
    span, asked = await span_of(fleet)
    register = fleet.register_cache.current
    kaz = fleet["kaz"]
    note = fewer(span.note, "uzb")
    checkpoint = judge_note(span.note, register.member("tjk"), register, fleet.clock.now).checkpoint
    span.note = add_signatures(note, [cosign(checkpoint, kaz.keys.witness, fleet.clock.now)])
    with pytest.raises(Rejected, match="only 2 of 3"):
        judge_span(span, register.member("tjk"), asked, register, fleet.clock.now)


async def test_a_note_of_the_future_is_not_believed(fleet: Fleet) -> None:
    """Witnesses whose clocks run far ahead of ours are not believed, however many they are."""
    span, _asked = await span_of(fleet)
    register = fleet.register_cache.current
    member = register.member("tjk")
    judge_note(span.note, member, register, fleet.clock.now - CLOCKS_DIFFER)
    fleet.clock.move(-CLOCKS_DIFFER.total_seconds() - 1)
    with pytest.raises(Rejected, match="has not come"):
        judge_note(span.note, member, register, fleet.clock.now)


def test_what_is_asked_is_bounded_and_in_order(make_fleet: MakeFleet) -> None:
    """More than a batch, or indexes that do not ascend, are refused; what nobody witnessed is left out."""
    kaz = make_fleet("kaz", "tjk")["kaz"]
    kaz.grow(3)
    with pytest.raises(Rejected, match="too_large"):
        kaz.prove(witness_pb2.ProveEntriesRequest(indices=range(MAX_INDICES + 1)))
    for indices in ([1, 1], [2, 1]):
        with pytest.raises(Rejected, match="malformed"):
            kaz.prove(witness_pb2.ProveEntriesRequest(indices=indices))
    assert not kaz.prove(witness_pb2.ProveEntriesRequest(indices=[0, 1, 2, 99])).spans
    for beyond in (2**63, 2**64 - 1):
        assert not kaz.prove(witness_pb2.ProveEntriesRequest(indices=[beyond])).spans
