"""Kept proofs are joined by proofs to cosigned checkpoints: what is asked, what is believed, what holds up nothing."""

import random
import secrets
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

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
from paiza_node.features.witness.prove import MAX_INDICES, SPAN_TIME
from paiza_node.features.witness.upgrade_proofs import CALM_SECONDS, GATHER_SECONDS, SWEPT_ENTRIES, Pace
from paiza_node.features.witness.verify_cosignatures import CLOCKS_DIFFER, JudgedSpan, judge_note, judge_span
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
        return witness_store.cosigned_proof(reads, kept.member, origin_of(kept.checkpoint), kept.index, kept.digest)


async def rounds(fleet: Fleet, seconds: float = 1) -> None:
    """Exchange every member's checkpoint, a second later."""
    fleet.clock.move(seconds)
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
        assert witness_store.cosigned_proof(reads, "tjk", origin_of(note), stored.index, digest) is not None


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
        fleet.clock.move(SPAN_TIME.total_seconds() + 1)
        await tjk.show_round()
    monkeypatch.setattr(prove, "MAX_NOTE_BYTES", 1)  # one span an answer
    await kaz.upgrade.sweep()
    asked = 0
    while await kaz.upgrade.upgrade(kaz.peers.session("tjk")):
        asked += 1
    assert asked == 4
    proofs = [cosigned(kaz, each) for each in kept]
    assert all(proofs)
    assert len({proof.span for proof in proofs if proof is not None}) == 4


async def test_entries_asked_for_together_share_a_span_that_goes_on_from_the_last(fleet: Fleet) -> None:
    """Receipts of several rounds need one note more than the holder has, and every one of them is proven."""
    kaz, tjk = fleet["kaz"], fleet["tjk"]
    tjk.grow(1)
    await rounds(fleet)
    notes = []
    for _ in range(3):
        kept = []
        for _ in range(4):
            kept.append(receipt(kaz, tjk))
            await rounds(fleet)
        await kaz.upgrade.sweep()
        assert await kaz.upgrade.upgrade(kaz.peers.session("tjk")) == tjk.ledger.checkpoint.size
        proofs = [cosigned(kaz, each) for each in kept]
        spans = {proof.span for proof in proofs if proof is not None}
        assert None not in proofs
        assert len(spans) == 1
        notes.append(spans.pop())
    assert [after.before for after in notes[1:]] == [before.note for before in notes[:-1]]
    register = fleet.register_cache.current
    for span in notes:
        judge_note(span.note, register.member("tjk"), register, fleet.clock.now)


async def test_an_entry_asked_for_alone_lies_between_the_nearest_notes(fleet: Fleet) -> None:
    """A log that stood still is not said to have grown since the last span, only since it was cosigned last."""
    kaz, tjk = fleet["kaz"], fleet["tjk"]
    receipt(kaz, tjk)
    await rounds(fleet)
    await kaz.upgrade.sweep()
    assert await kaz.upgrade.upgrade(kaz.peers.session("tjk"))
    await rounds(fleet, 100)  # the idle log is cosigned again
    again = fleet.clock.now
    kept = receipt(kaz, tjk)
    for _ in range(3):
        await rounds(fleet)
        tjk.grow(1)
    await kaz.upgrade.sweep()
    assert await kaz.upgrade.upgrade(kaz.peers.session("tjk"))
    proof = cosigned(kaz, kept)
    assert proof is not None
    register = fleet.register_cache.current
    before = judge_note(proof.span.before, register.member("tjk"), register, fleet.clock.now)
    after = judge_note(proof.span.note, register.member("tjk"), register, fleet.clock.now)
    assert (before.time, after.time) == (again, again + timedelta(seconds=1))


async def witnessed(fleet: Fleet, member: str) -> datetime:
    """Exchange checkpoints until a member's log is cosigned whole; return when that was."""
    node = fleet[member]
    while True:
        await rounds(fleet)
        with node.store.reads() as reads:
            note = witness_store.witnessed_after(reads, node.ledger.checkpoint.size)
        if note is not None:
            return note.time


@pytest.mark.parametrize("gap", [None, SPAN_TIME.total_seconds() + 1])
async def test_a_time_without_witnesses_is_not_laid_to_later_entries(fleet: Fleet, gap: float | None) -> None:
    """An entry from before the first cosigned note, or from a gap, widens no span of an entry behind it."""
    kaz, tjk = fleet["kaz"], fleet["tjk"]
    if gap is not None:
        tjk.grow(1)
        await witnessed(fleet, "tjk")
        fleet.clock.move(gap)
    early = receipt(kaz, tjk)
    first = await witnessed(fleet, "tjk")
    late = receipt(kaz, tjk)
    await witnessed(fleet, "tjk")
    await kaz.upgrade.sweep()
    assert await kaz.upgrade.upgrade(kaz.peers.session("tjk"))
    before = [proof.span.before for each in (early, late) if (proof := cosigned(kaz, each)) is not None]
    assert [bool(note) for note in before] == [gap is not None, True]
    register = fleet.register_cache.current
    assert judge_note(before[1], register.member("tjk"), register, fleet.clock.now).time == first


@pytest.mark.parametrize("seed", range(8))
async def test_every_span_holds_its_entries_and_is_no_wider_than_stated(make_fleet: MakeFleet, seed: int) -> None:
    """Whatever is asked and held: all that is witnessed is proven, and a span is widened by 15 s at most."""
    fleet = make_fleet("kaz", "tjk")
    tjk, chance = fleet["tjk"], random.Random(seed)
    for _ in range(12):
        tjk.grow(chance.randrange(1, 4))
        if chance.random() < 0.7:
            await rounds(fleet, chance.choice([1, 3, 10, 40]))
    size = tjk.ledger.checkpoint.size
    indices = sorted(chance.sample(range(size), chance.randrange(1, size)))
    register = fleet.register_cache.current
    with tjk.store.reads() as reads:
        witnessed = witness_store.witnessed_size(reads)
        entries = {each.index: merkle.leaf_hash(each.entry) for each in log_store.entries_at(reads, indices)}
        nearest = {
            index: (witness_store.witnessed_before(reads, index), witness_store.witnessed_after(reads, index + 1))
            for index in indices
        }
    waiting = {index: Uncosigned("tjk", tjk.ledger.origin, index, leaf) for index, leaf in entries.items()}
    proven: list[int] = []
    judged: JudgedSpan | None = None
    while left := [index for index in indices if index not in proven and index < witnessed]:
        asked = left[: chance.randrange(1, 6)]
        held = judged.after.checkpoint.size if judged is not None else 0
        answer = tjk.prove(witness_pb2.ProveEntriesRequest(indices=asked, held_size=held))
        assert answer.witnessed_size == witnessed
        for span in answer.spans:
            begin = judged.after if span.continues and judged is not None else None
            judged = judge_span(span, register.member("tjk"), waiting, register, fleet.clock.now, judged)
            if span.before_note:
                begin = judge_note(span.before_note, register.member("tjk"), register, fleet.clock.now)
            before, after = nearest[span.entries[0].index]
            assert after is not None
            assert judged.after.time <= after.time + SPAN_TIME
            assert (begin is None) == (before is None)
            assert begin is None or before is None or begin.time >= before.time - SPAN_TIME
            for each in span.entries:
                before, _after = nearest[each.index]
                assert (begin is None) == (before is None)
                assert begin is None or before is None or begin.time >= before.time - 3 * SPAN_TIME
            proven += [proof.index for proof in judged.proofs]
    assert proven == [index for index in indices if index < witnessed]


async def test_a_span_that_continues_none_is_refused(fleet: Fleet) -> None:
    """A span that begins at a note which the holder does not have proves nothing to it."""
    kaz, tjk = fleet["kaz"], fleet["tjk"]
    tjk.grow(2)
    await rounds(fleet)
    kept = receipt(kaz, tjk)
    await rounds(fleet)
    (span,) = tjk.prove(witness_pb2.ProveEntriesRequest(indices=[kept.index], held_size=2)).spans
    assert span.continues
    assert not span.before_note
    register = fleet.register_cache.current
    with pytest.raises(Rejected, match="continues none"):
        judge_span(span, register.member("tjk"), {}, register, fleet.clock.now)


def test_waiting_entries_are_gathered_while_the_log_grows() -> None:
    """They are looked for at once when it stands still, every 15 s while it grows, before only if there are many."""
    now = 0.0
    pace = Pace(lambda: now)
    assert pace.looks(5)
    pace.looked(5, done=True)
    assert not pace.looks(5)
    looks = []
    for second in range(1, 40):
        now = second / 2
        if pace.looks(5 + second):
            looks.append(now)
            pace.looked(5 + second, done=False)
    assert looks == [GATHER_SECONDS]
    assert not pace.looks(44)
    now += CALM_SECONDS
    assert pace.looks(44)
    assert not pace.gathers
    pace.looked(44, done=True)
    assert not pace.looks(44)
    assert pace.looks(44 + SWEPT_ENTRIES)
    assert pace.gathers


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
    judged = judge_span(span, register.member("tjk"), asked, register, fleet.clock.now)
    assert {proof.index for proof in judged.proofs} == set(asked)
    change(span)
    with pytest.raises(Rejected):
        judge_span(span, register.member("tjk"), asked, register, fleet.clock.now)


async def test_grease_in_a_note_is_neither_refused_nor_kept(fleet: Fleet) -> None:
    """Signatures by unknown keys change nothing of the judgement and take no room."""
    span, asked = await span_of(fleet)
    register = fleet.register_cache.current
    plain = judge_span(span, register.member("tjk"), asked, register, fleet.clock.now)
    span.note = add_signatures(span.note, [NoteSignature("grease.example/1", b"\x00\x01\x02\x03", b"grease")])
    greased = judge_span(span, register.member("tjk"), asked, register, fleet.clock.now)
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
