"""Checkpoints are exchanged: who cosigns what and when, in rounds, with members away, slow or lying."""

import asyncio
import threading
from dataclasses import replace
from datetime import timedelta
from unittest.mock import patch

import pytest

from paiza.core.v1 import register_pb2
from paiza.peer.v1 import witness_pb2
from paiza_node.core.peers import store as peers_store
from paiza_node.core.peers.agreement import MAX_OVERTAKEN
from paiza_node.core.peers.claims import consistency_claim
from paiza_node.features.witness import store as witness_store
from paiza_node.features.witness.exchange import SHOW_AGAIN
from paiza_node.features.witness.gossip import MAX_REPORTED
from paiza_node.features.witness.model import WitnessedNote
from paiza_node.features.witness.submit_checkpoints import (
    FETCH_SECONDS,
    IDLE_SECONDS,
    LONGEST_PAUSE_SECONDS,
    round_seconds,
)
from paiza_node.features.witness.verify_cosignatures import CLOCKS_DIFFER
from paiza_register import WitnessKey
from paiza_wire.errors import Rejected, Unavailable
from paiza_wire.identity import keys
from paiza_wire.tlog.cosignatures import WitnessSigner, add_signatures, cosign, cosignatures
from paiza_wire.tlog.notes import NoteSignature, format_note, parse_note
from tests.unit.paiza_node.features.witness.conftest import MakeFleet
from tests.unit.paiza_node.features.witness.fleet import Fleet, Node, second_history

STATE = register_pb2.RegisterState(register_version=bytes(32))


def last(node: Node) -> WitnessedNote | None:
    """Return the largest witnessed note that a node has stored."""
    with node.store.reads() as reads:
        return witness_store.last_witnessed(reads)


def size(note: bytes) -> int:
    """Return the size that a note states."""
    return int(parse_note(note).text.split(b"\n")[1])


async def test_one_round_gives_a_witnessed_note(fleet: Fleet) -> None:
    """All three others cosign what is shown, and the note is stored with the log's own two signatures."""
    kaz = fleet["kaz"]
    kaz.grow(3)
    await kaz.show_round()
    note = last(kaz)
    assert note is not None
    assert (note.size, note.witnesses, note.time, note.again) == (3, ("kgz", "tjk", "uzb"), fleet.clock.now, False)
    for each in fleet.nodes.values():
        assert len(cosignatures(note.note, [each.keys.witness.witness_key])) == 1


async def test_known_log_is_on_disk_before_the_cosignature_is_given(fleet: Fleet) -> None:
    """A witness stores a log before it cosigns; if it cannot store, it does not cosign."""
    kaz, tjk = fleet["kaz"], fleet["tjk"]
    kaz.grow(2)
    await kaz.show_round()
    with tjk.store.reads() as reads:
        assert peers_store.known_logs(reads)["kaz"].size == 2

    async def fails(*_args: object, **_how: object) -> None:
        raise Unavailable("database_unavailable", "no disk")

    tjk.ledger.commit = fails  # type: ignore[assignment, method-assign]
    kaz.grow(1)
    fleet.clock.move(1)
    await kaz.show_round()
    assert kaz.checkpoint_exchange.rounds.seen["tjk"].size == 2
    assert kaz.checkpoint_exchange.reasons["tjk"] == "database_unavailable"
    assert "kgz" not in kaz.checkpoint_exchange.reasons


async def test_two_that_show_each_other_at_once_both_get_their_cosignatures(fleet: Fleet) -> None:
    """Calls that cross wait for nobody: each is answered by the other's own commit alone."""
    for node in fleet.nodes.values():
        node.grow(2)
    async with asyncio.timeout(60):
        await asyncio.gather(*(node.show_round() for node in fleet.nodes.values()))
        fleet.clock.move(2)
        await asyncio.gather(*(node.show_round() for node in fleet.nodes.values()))
    for node in fleet.nodes.values():
        note = last(node)
        assert note is not None
        assert (note.size, len(note.witnesses)) == (2, 3)


async def test_where_three_witness_one_that_is_away_holds_up_the_note_and_nothing_else(fleet: Fleet) -> None:
    """Up to three others all are needed; who is away is tried again after growing pauses and then found."""
    kaz = fleet["kaz"]
    line = kaz.lines["uzb"]
    line.cut = True
    kaz.grow(1)
    for _ in range(3):
        await kaz.show_round()
        fleet.clock.move(1)
    assert last(kaz) is None
    assert kaz.checkpoint_exchange.reasons["uzb"] == "peer_unreachable"
    assert {member: seen.size for member, seen in kaz.checkpoint_exchange.rounds.seen.items()} == {"kgz": 1, "tjk": 1}
    line.cut = False
    fleet.clock.move(LONGEST_PAUSE_SECONDS)
    await kaz.show_round()
    note = last(kaz)
    assert note is not None
    assert note.witnesses == ("kgz", "tjk", "uzb")


async def test_of_five_witnesses_four_are_enough(make_fleet: MakeFleet) -> None:
    """More than two thirds make the quorum; a late cosignature is added to the note."""
    fleet = make_fleet("kaz", "kgz", "tjk", "tkm", "uzb", "zzz")
    kaz = fleet["kaz"]
    kaz.lines["zzz"].cut = True
    kaz.grow(1)
    await kaz.show_round()
    note = last(kaz)
    assert note is not None
    assert note.witnesses == ("kgz", "tjk", "tkm", "uzb")
    kaz.lines["zzz"].cut = False
    fleet.clock.move(LONGEST_PAUSE_SECONDS)
    await kaz.show_round()
    with kaz.store.reads() as reads:
        first = witness_store.witnessed_after(reads, 1)
    assert first is not None
    assert first.witnesses == ("kgz", "tjk", "tkm", "uzb", "zzz")


async def test_an_idle_log_is_shown_again_after_a_while_and_not_before(fleet: Fleet) -> None:
    """A log that has not grown is cosigned again, with a later time, beside the first note of its size."""
    kaz = fleet["kaz"]
    kaz.grow(1)
    await kaz.show_round()
    first = last(kaz)
    fleet.clock.move(FETCH_SECONDS)
    await kaz.show_round()  # what was cosigned of the others' logs is brought
    asked = len(kaz.lines["tjk"].requests)
    fleet.clock.move(IDLE_SECONDS - 1)
    await kaz.show_round()
    assert len(kaz.lines["tjk"].requests) == asked
    fleet.clock.move(1)
    await kaz.show_round()
    again = last(kaz)
    assert first is not None
    assert again is not None
    assert (again.size, again.again, again.time) == (1, True, fleet.clock.now)
    with kaz.store.reads() as reads:
        assert witness_store.witnessed_after(reads, 1) == first


async def test_members_that_are_idle_exchange_once_in_a_while_and_no_more(fleet: Fleet) -> None:
    """Two minutes in which nothing happens take four exchanges of each with each, and not one more."""
    for node in fleet.nodes.values():
        node.grow(1)
    for _ in range(5):
        for node in fleet.nodes.values():
            await node.show_round()
        fleet.clock.move(1)
    lines = [line for node in fleet.nodes.values() for line in node.lines.values()]
    asked = [len(line.requests) for line in lines]
    for _ in range(120):
        for node in fleet.nodes.values():
            await node.show_round()
        fleet.clock.move(1)
    assert [len(line.requests) - before for line, before in zip(lines, asked, strict=True)] == [4] * len(lines)


async def test_all_are_shown_one_candidate_however_fast_the_log_grows(fleet: Fleet) -> None:
    """In one round everybody is shown the same size, though the log grows while they are asked."""
    kaz = fleet["kaz"]
    kaz.grow(5)
    kaz.show.begin_round()
    kaz.grow(5)
    await asyncio.gather(*kaz.show.under_way())
    shown = {size(line.requests[-1].consistency_claim.checkpoint) for line in kaz.lines.values()}
    assert shown == {5}
    await kaz.checkpoint_exchange.keep_witnessed()
    note = last(kaz)
    assert note is not None
    assert note.size == 5


async def test_what_a_quorum_cosigned_is_stored_at_once(fleet: Fleet) -> None:
    """A quorum's cosignatures wake the task that stores them; those of an unchanged log wait for its next time."""
    kaz = fleet["kaz"]
    kaz.grow(3)
    for woken in (True, False):
        with patch.object(kaz.checkpoint_exchange.task, "wake") as wake:
            await kaz.show_round()
        assert wake.called == woken
        fleet.clock.move(IDLE_SECONDS)


@pytest.mark.parametrize(("peers", "seconds"), [(0, 1.0), (1, 1.0), (2, 1.0), (4, 2.0), (9, 4.5), (20, 10.0)])
def test_a_node_begins_at_most_two_exchanges_a_second(peers: int, seconds: float) -> None:
    """Among many members a round is longer: the cost of witnessing does not grow with their square."""
    assert round_seconds(peers) == seconds


async def test_a_round_is_put_off_only_while_the_log_grows(make_fleet: MakeFleet) -> None:
    """With five others a growing log has a round every 2.5 s; once it stands still the next one comes at once."""
    fleet = make_fleet("kaz", "kgz", "tjk", "tkm", "uzb", "zzz")
    show, begun = fleet["kaz"].show, []
    for half in range(24):
        size = 1 + min(half, 13)  # it grows for 6.5 s
        if show.is_time(size):
            begun.append((fleet.clock.seconds(), size))
        fleet.clock.move(0.5)
    assert begun == [(0.0, 1), (2.5, 6), (5.0, 11), (7.5, 14), (8.5, 14), (9.5, 14), (10.5, 14), (11.5, 14)]


async def test_the_called_is_witnessed_too(fleet: Fleet) -> None:
    """A member that cannot call is cosigned by those who call it: they bring it with their next call."""
    kaz = fleet["kaz"]
    kaz.grow(4)
    others = [fleet[member] for member in ("kgz", "tjk", "uzb")]
    for seconds in (0, FETCH_SECONDS):
        fleet.clock.move(seconds)
        for other in others:
            await other.show_round()
    await kaz.checkpoint_exchange.keep_witnessed()
    note = last(kaz)
    assert note is not None
    assert (note.size, note.witnesses) == (4, ("kgz", "tjk", "uzb"))


async def test_a_caller_that_knows_more_than_the_candidate_is_shown_it_all_the_same(fleet: Fleet) -> None:
    """One who received messages since does not make a candidate that only they would cosign, but in the next round."""
    kaz, tjk = fleet["kaz"], fleet["tjk"]
    kaz.grow(4)
    await kaz.show_round()
    kaz.grow(2)
    tjk.core.logs.accept(
        fleet.register_cache.current.active_member("kaz"), consistency_claim(kaz.ledger, kaz.ledger.checkpoint, 4, 0)
    )
    for seconds, shown in ((0, 4), (SHOW_AGAIN.total_seconds() - 1, 4), (1, 6)):
        fleet.clock.move(seconds)
        tjk.grow(1)
        await tjk.show_round()
        newest = kaz.checkpoint_exchange.rounds.newest
        assert newest is not None
        assert newest.candidate.size == shown
        assert tjk.core.logs.size("kaz") == 6
    assert tjk.core.logs.counts.stale["kaz"] == 0


async def test_a_witness_that_starts_anew_goes_on_from_what_it_stored(fleet: Fleet) -> None:
    """After a restart no smaller checkpoint is cosigned, and the log's next growth is."""
    kaz, tjk = fleet["kaz"], fleet["tjk"]
    kaz.grow(6)
    await kaz.show_round()
    tjk.start()
    older = kaz.ledger.checkpoint
    kaz.grow(1)
    fleet.clock.move(1)
    await kaz.show_round()
    assert kaz.checkpoint_exchange.rounds.seen["tjk"].size == 7
    request = witness_pb2.ExchangeCheckpointsRequest(
        consistency_claim=consistency_claim(kaz.ledger, older, 7, 0), register_state=STATE
    )
    member = fleet.register_cache.current.active_member("kaz")
    response = await tjk.answer(member, request)
    assert (response.cosigned, response.not_cosigned_reason) == (b"", "stale_checkpoint")


async def test_unknown_signatures_are_ignored_and_a_failing_known_one_refuses_the_note(fleet: Fleet) -> None:
    """Grease in a cosigned note changes nothing; a cosignature of the witness that does not hold counts for nothing."""
    kaz, tjk = fleet["kaz"], fleet["tjk"]
    kaz.grow(1)
    candidate = kaz.checkpoint_exchange.candidate()
    honest = cosign(candidate, tjk.keys.witness, fleet.clock.now)
    grease = NoteSignature("grease.example/x", b"\x01\x02\x03\x04", b"\xff" * 100)
    text = parse_note(candidate.note).text
    broken = NoteSignature(honest.name, honest.key_id, honest.signature[:-1] + bytes([honest.signature[-1] ^ 1]))
    assert not kaz.checkpoint_exchange.take("tjk", format_note(text, [grease, broken]))
    assert kaz.checkpoint_exchange.reasons["tjk"] == "bad_checkpoint"
    assert "tjk" not in kaz.checkpoint_exchange.rounds.seen
    assert kaz.checkpoint_exchange.take("tjk", add_signatures(format_note(text, [honest]), [grease]))
    assert kaz.checkpoint_exchange.rounds.seen["tjk"].size == 1


async def test_a_cosignature_by_a_wrong_clock_is_refused(fleet: Fleet) -> None:
    """A witness whose clock is far from ours, ahead or behind, is not counted, and the operator sees why."""
    kaz, tjk = fleet["kaz"], fleet["tjk"]
    kaz.grow(1)
    candidate = kaz.checkpoint_exchange.candidate()
    for off in (CLOCKS_DIFFER, -CLOCKS_DIFFER):
        wrong = cosign(candidate, tjk.keys.witness, fleet.clock.now + off * 1.1)
        assert not kaz.checkpoint_exchange.take("tjk", add_signatures(candidate.note, [wrong]))
        assert kaz.checkpoint_exchange.reasons["tjk"] == "clock_skew"
    right = cosign(candidate, tjk.keys.witness, fleet.clock.now + CLOCKS_DIFFER)
    assert kaz.checkpoint_exchange.take("tjk", add_signatures(candidate.note, [right]))
    assert "tjk" not in kaz.checkpoint_exchange.reasons


async def test_a_checkpoint_that_overtook_a_batch_makes_way_for_it(fleet: Fleet) -> None:
    """The batch's claim of growth stays as it is; only where batches never stop is it shown all the same."""
    kaz = fleet["kaz"]
    session, line = kaz.peers.session("tjk"), kaz.lines["tjk"]
    kaz.grow(4)
    await session.submit_checkpoint(
        kaz.checkpoint_exchange.candidate(), witness_pb2.ExchangeCheckpointsRequest(register_state=STATE)
    )
    session.agreement._assumed, session.agreement._claiming = 9, 1  # a batch that claims growth to 9 is on its way
    kaz.grow(8)
    candidate = kaz.checkpoint_exchange.candidate()
    for _ in range(MAX_OVERTAKEN):
        before = len(line.requests)
        with pytest.raises(Unavailable, match="busy"):
            await session.submit_checkpoint(candidate, witness_pb2.ExchangeCheckpointsRequest(register_state=STATE))
        assert len(line.requests) == before + 1
        assert session.agreement._assumed == 9
        assert fleet["tjk"].core.logs.size("kaz") == 4
    _response, _shown = await session.submit_checkpoint(
        candidate, witness_pb2.ExchangeCheckpointsRequest(register_state=STATE)
    )
    assert fleet["tjk"].core.logs.size("kaz") == 12


async def test_what_did_not_arrive_is_not_assumed_to_be_known(fleet: Fleet) -> None:
    """After a failed call the next batch proves consistency from the size the peer knows."""
    kaz = fleet["kaz"]
    kaz.grow(4)
    await kaz.show_round()
    kaz.lines["tjk"].cut = True
    kaz.grow(1)
    fleet.clock.move(1)
    await kaz.show_round()
    assert kaz.peers.session("tjk").agreement._assumed == 4


async def test_a_cosignature_by_another_than_the_caller_does_not_count(fleet: Fleet) -> None:
    """A cosignature from tjk under uzb's key counts neither for tjk nor for uzb."""
    kaz, uzb = fleet["kaz"], fleet["uzb"]
    kaz.grow(1)
    candidate = kaz.checkpoint_exchange.candidate()
    note = add_signatures(candidate.note, [cosign(candidate, uzb.keys.witness, fleet.clock.now)])
    assert not kaz.checkpoint_exchange.take("tjk", note)
    assert kaz.checkpoint_exchange.rounds.seen == {}


@pytest.mark.parametrize("mismatch", [False, True])
async def test_the_event_loop_makes_no_proof_of_a_size_that_the_caller_chose(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch, *, mismatch: bool
) -> None:
    """It would wait for the database, which holds the tiles."""
    kaz, tjk = fleet["kaz"], fleet["tjk"]
    kaz.grow(3)
    tjk.grow(2)
    proving: list[int] = []
    prove = kaz.ledger.prove_consistency

    def watched(size1: int, size2: int) -> list[bytes]:
        proving.append(threading.get_ident())
        return prove(size1, size2)

    monkeypatch.setattr(kaz.ledger, "prove_consistency", watched)
    request = witness_pb2.ExchangeCheckpointsRequest(
        consistency_claim=consistency_claim(tjk.ledger, tjk.ledger.checkpoint, int(mismatch), 2), register_state=STATE
    )
    response = await kaz.answer(fleet.register_cache.current.active_member("tjk"), request)
    assert response.consistency_mismatch is mismatch
    assert response.consistency_claim.from_size == 2
    assert proving
    assert threading.get_ident() not in proving


async def test_a_caller_that_knows_more_of_our_log_than_there_is_gets_nothing_signed(fleet: Fleet) -> None:
    """We may have been rolled back: the caller is asked, and nothing is cosigned meanwhile."""
    kaz, tjk = fleet["kaz"], fleet["tjk"]
    tjk.grow(1)
    request = witness_pb2.ExchangeCheckpointsRequest(
        consistency_claim=consistency_claim(tjk.ledger, tjk.ledger.checkpoint, 0, 99), register_state=STATE
    )
    with pytest.raises(Unavailable, match="consistency_mismatch"):
        await kaz.answer(fleet.register_cache.current.active_member("tjk"), request)
    assert kaz.suspected == ["tjk"]
    assert kaz.core.logs.size("tjk") == 0


async def test_more_than_the_bound_is_refused(fleet: Fleet) -> None:
    """One note more than may be told at once refuses the call, and nothing of it is taken."""
    kaz, tjk = fleet["kaz"], fleet["tjk"]
    tjk.grow(1)
    request = witness_pb2.ExchangeCheckpointsRequest(
        consistency_claim=consistency_claim(tjk.ledger, tjk.ledger.checkpoint, 0, 0),
        register_state=STATE,
        reported=[b"x"] * (MAX_REPORTED + 1),
    )
    with pytest.raises(Rejected, match="too_large"):
        await kaz.answer(fleet.register_cache.current.active_member("tjk"), request)
    assert kaz.core.logs.size("tjk") == 0


async def test_third_logs_are_told_both_ways(fleet: Fleet) -> None:
    """Each exchange tells the largest known note of every log but those of the two."""
    kaz, tjk, uzb = fleet["kaz"], fleet["tjk"], fleet["uzb"]
    uzb.grow(3)
    await uzb.show_round()
    kaz.grow(1)
    await kaz.show_round()
    reported = [notes for member, notes in tjk.reported if member == "kaz"]
    assert [size(note) for note in reported[-1]] == [3]
    assert [size(note) for member, notes in kaz.reported for note in notes if member == "tjk"] == [3]


async def test_a_forked_log_is_not_cosigned_any_more(fleet: Fleet) -> None:
    """Two roots of one size: the second is refused, logged, and nothing of that log is cosigned after."""
    kaz, tjk = fleet["kaz"], fleet["tjk"]
    tjk.grow(2)
    await tjk.show_round()
    other = second_history(tjk, 2)
    request = witness_pb2.ExchangeCheckpointsRequest(consistency_claim=other, register_state=STATE)
    member = fleet.register_cache.current.active_member("tjk")
    with pytest.raises(Rejected, match="log_forked"):
        await kaz.answer(member, request)
    tjk.grow(1)
    fleet.clock.move(2)
    await tjk.show_round()
    assert tjk.checkpoint_exchange.rounds.seen["kaz"].size == 2
    assert tjk.checkpoint_exchange.reasons["kaz"] == "log_forked"


async def test_a_witness_goes_on_with_its_next_key(fleet: Fleet) -> None:
    """Who knows both keys takes either until the former one is abandoned, and counts their member once."""
    kaz, tjk = fleet["kaz"], fleet["tjk"]
    former, ends = tjk.keys.witness, fleet.clock.now + timedelta(seconds=30)
    following = WitnessSigner.from_private_key("tjk.paiza.example/witness/2", keys.generate_mldsa44())
    listed = [
        WitnessKey(each.witness_key.name, each.witness_key.to_vkey(), until, each.witness_key)
        for each, until in ((former, ends), (following, None))
    ]
    fleet.describe(replace(fleet.register_cache.current.member("tjk"), witness_keys=tuple(listed)))
    kaz.grow(1)
    await kaz.show_round()
    assert witnesses_of(kaz) == (1, ("kgz", "tjk", "uzb"))
    tjk.checkpoint_exchange.use(following)
    kaz.grow(1)
    fleet.clock.move(2)
    await kaz.show_round()
    assert witnesses_of(kaz) == (2, ("kgz", "tjk", "uzb"))
    note = last(kaz)
    assert note is not None
    assert [len(cosignatures(note.note, [key.witness_key])) for key in (former, following)] == [0, 1]
    tjk.checkpoint_exchange.use(former)  # as if somebody else held it
    kaz.grow(1)
    fleet.clock.move(30)
    await kaz.show_round()
    assert witnesses_of(kaz)[0] == 2
    assert kaz.checkpoint_exchange.reasons["tjk"] == "bad_checkpoint"


def witnesses_of(node: Node) -> tuple[int, tuple[str, ...]]:
    """Return the size of the largest witnessed note, and who cosigned it."""
    note = last(node)
    assert note is not None
    return note.size, note.witnesses
