"""A session with one peer: consistency claims in order, what a peer is believed, and when it is asked."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from paiza.core.v1 import log_pb2
from paiza.peer.v1 import exchange_pb2
from paiza_node.core.errors import NodeStopped
from paiza_node.core.log import store as log_store
from paiza_node.core.peers import claims
from paiza_node.core.peers import store as peers_store
from paiza_node.core.peers.log_views import PeerLogViews
from paiza_register import Member
from paiza_wire import receipts
from paiza_wire.errors import Rejected, Unavailable
from paiza_wire.tlog.checkpoint import VerifiedCheckpoint
from tests.peers import until
from tests.unit.paiza_node.core.peers.simulated import Scene, scene_in
from tests.unit.paiza_node.features.witness.fleet import second_history


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    """Kaz, whose log has four entries, of which tjk knows nothing yet."""
    with scene_in(tmp_path) as made:
        made.kaz.grow(4)
        yield made


async def test_claims_build_on_each_other(scene: Scene) -> None:
    """Each begins where the one before ended, whether that was answered yet or not."""
    scene.peer.there.clear()
    first = asyncio.create_task(scene.deliver())
    await until(lambda: scene.peer.batches)
    scene.kaz.grow(3)
    second = asyncio.create_task(scene.deliver())
    await until(lambda: len(scene.peer.batches) == 2)
    scene.peer.there.set()
    await asyncio.gather(first, second)
    assert scene.claims() == [(0, 4), (4, 7)]
    assert scene.tjk.core.logs.size("kaz") == 7
    assert scene.peer.handshakes == 1


async def test_a_claim_is_made_again_from_the_size_that_the_peer_names(scene: Scene) -> None:
    """A claim that was lost costs one more call, and no handshake."""
    await scene.session.agreement.agree()
    scene.session.agreement._assumed = 3  # a batch that claimed growth to 3 did not arrive
    await scene.deliver()
    assert scene.claims() == [(3, 4), (0, 4)]
    assert scene.peer.handshakes == 1


async def test_claims_that_never_fit_are_given_up(scene: Scene) -> None:
    """A peer that names another size each time gets three claims, then the batch waits."""

    def never_agree(answer: Any) -> None:
        if isinstance(answer, exchange_pb2.DeliverResponse):
            answer.consistency_mismatch = True
            answer.consistency_claim.known_size = len(scene.peer.batches) % 2

    scene.peer.bent = never_agree
    with pytest.raises(Unavailable, match="consistency_mismatch"):
        await scene.deliver()
    assert len(scene.peer.batches) == 3


async def test_a_peer_that_knows_more_than_there_is_ends_the_node(scene: Scene) -> None:
    """A node put back to an old copy finds out by the first handshake, and signs nothing for that peer before."""
    shown = second_history(scene.kaz, 9).checkpoint  # by kaz's own key
    scene.peer.bent = lambda answer: setattr(answer, "known_checkpoint", shown)
    with pytest.raises(NodeStopped, match="log_rolled_back"):
        await scene.session.run()
    assert not scene.session.compared.is_set()
    with pytest.raises(Unavailable, match="not_compared"):
        scene.session.require_compared()


async def test_another_history_of_the_same_size_ends_the_node(scene: Scene) -> None:
    """The sizes agree, the roots do not."""
    shown = second_history(scene.kaz, 4).checkpoint
    scene.peer.bent = lambda answer: setattr(answer, "known_checkpoint", shown)
    with pytest.raises(NodeStopped, match="log_rolled_back"):
        await scene.deliver()


async def test_what_we_did_not_sign_ends_nothing(scene: Scene) -> None:
    """A peer that shows another's checkpoint as ours is not believed."""
    scene.tjk.grow(9)
    scene.peer.bent = lambda answer: setattr(answer, "known_checkpoint", scene.tjk.ledger.checkpoint.note)
    with pytest.raises(Unavailable, match="bad_checkpoint"):
        await scene.deliver()
    assert not scene.session.compared.is_set()


async def test_a_peer_in_doubt_is_asked_again(scene: Scene) -> None:
    """The log is compared at the start and after each mismatch; health and comparison follow the first answer."""
    assert not scene.session.health.reachable
    running = asyncio.create_task(scene.session.run())
    await until(scene.session.compared.is_set)
    scene.session.require_compared()
    assert (scene.session.health.reachable, scene.session.health.last_seen) == (True, scene.fleet.clock.now)
    scene.session.ask()
    await until(lambda: scene.peer.handshakes == 2)
    await scene.session.agreement.agree()  # the peer counts a handshake before its answer is here
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
    await scene.deliver()
    assert scene.peer.handshakes == 2


async def test_a_peer_that_is_away_is_asked_until_it_answers(scene: Scene) -> None:
    """Health says why it is not reached; when it is back it is compared without anything to deliver."""
    scene.peer.cut = True
    running = asyncio.create_task(scene.session.run())
    await until(lambda: scene.session.health.last_error)
    assert scene.session.health.last_error == "peer_unreachable: the line is cut"
    scene.peer.cut = False
    scene.session.ask()
    await until(scene.session.compared.is_set)
    assert (scene.session.health.reachable, scene.session.health.last_error) == (True, "")
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running


async def test_an_answer_that_was_overtaken_is_proven_anew(scene: Scene) -> None:
    """If the known checkpoint advanced meanwhile, the peer proves that both lead to its newest."""
    scene.tjk.grow(3)
    await scene.session.fetch_messages([])
    scene.tjk.grow(2)
    response = await scene.peer.fetch_messages(exchange_pb2.FetchMessagesRequest(known_size=3))
    await scene.session.fetch_messages([])
    accepted = await scene.session.accept(response.consistency_claim)
    assert accepted.size == 5
    assert scene.peer.asked_for_proofs == [[5, 5]]


async def test_a_second_history_is_refused_and_recorded(scene: Scene) -> None:
    """A fork shown by any call ends acceptance of that log, and is logged once."""
    scene.tjk.grow(3)
    await scene.session.fetch_messages([])
    forked = second_history(scene.tjk, 3)
    scene.peer.bent = lambda answer: answer.consistency_claim.CopyFrom(forked)
    for _ in range(2):
        with pytest.raises(Rejected, match="log_forked"):
            await scene.session.fetch_messages([])
    with scene.kaz.store.reads() as reads:
        events = [log_pb2.LogEntry.FromString(each.entry).event for each in log_store.entries(reads, 0, 100)]
    assert events.count(log_pb2.LOG_EVENT_FORK_FOUND) == 1


async def test_a_checkpoint_from_elsewhere_is_proven_to_be_of_the_same_history(scene: Scene) -> None:
    """Checkpoints shown to auditors must lead to the newest one, like those shown to peers."""
    scene.tjk.grow(2)
    shown = scene.tjk.ledger.checkpoint
    scene.tjk.grow(4)
    await scene.session.fetch_messages([])
    scene.tjk.grow(1)
    await scene.session.prove_history(shown)
    assert scene.kaz.core.logs.size("tjk") == 7
    logs, owner = scene.kaz.core.logs, scene.fleet.register_cache.current.member("tjk")
    other = logs.verify(owner, second_history(scene.tjk, 5).checkpoint)
    with pytest.raises(Rejected, match="log_forked"):
        await scene.session.prove_history(other)
    assert logs.forked("tjk")


async def test_answers_are_proven_and_what_the_peer_says_of_its_log_is_kept(scene: Scene) -> None:
    """Each kind goes in its own field, with proofs to the checkpoint of the claim."""
    with scene.kaz.store.reads() as reads:
        entries = log_store.entries(reads, 1, 2)
    await scene.session.send_attachment_answers(entries)
    await scene.session.send_erasure_answers(entries[:1])
    first, second = scene.peer.batches
    own = scene.kaz.ledger.checkpoint
    for proven in (*first.attachment_answers, *second.erasure_answers):
        receipts.verify_entry(proven, own)
    assert [proven.index for proven in first.attachment_answers] == [1, 2]
    assert (len(first.erasure_answers), len(second.attachment_answers)) == (0, 0)
    with scene.kaz.store.reads() as reads:
        assert peers_store.known_logs(reads)["tjk"].size == 2


async def test_attachments_come_over_a_channel_of_their_own(scene: Scene) -> None:
    """Messages received before the stream broke off are kept."""
    scene.peer.cut = True
    pieces = scene.session.fetch_attachment(exchange_pb2.FetchAttachmentRequest(offset=7))
    assert [await anext(pieces), await anext(pieces)] == [b"7", b"piece"]
    with pytest.raises(Unavailable, match="broken off"):
        await anext(pieces)


async def test_nobody_is_called_that_the_register_does_not_name_as_active(scene: Scene) -> None:
    """A suspended member is no peer for any call; only register files may come from it."""
    current = scene.fleet.register_cache.current
    suspended = replace(current.member("tjk"), status="suspended")
    scene.fleet.register_cache.current = replace(current, members={**current.members, "tjk": suspended})
    calls = (
        scene.deliver(),
        scene.session.fetch_messages([]),
        scene.session.prove_consistency([1]),
        anext(scene.session.fetch_attachment(exchange_pb2.FetchAttachmentRequest())),
    )
    for call in calls:
        with pytest.raises(Rejected, match="member_suspended"):
            await call
    assert (scene.peer.handshakes, scene.peer.batches, scene.peer.asked_for_proofs) == (0, [], [])


@pytest.mark.parametrize("long", [False, True])
async def test_long_claims_are_verified_off_the_event_loop(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, *, long: bool
) -> None:
    """A peer cannot hold up everybody else with proofs that take long to refuse."""
    threads: list[threading.Thread] = []
    accept = PeerLogViews.accept

    def noted(logs: PeerLogViews, member: Member, consistency_claim: log_pb2.ConsistencyClaim) -> VerifiedCheckpoint:
        threads.append(threading.current_thread())
        return accept(logs, member, consistency_claim)

    monkeypatch.setattr(PeerLogViews, "accept", noted)
    if long:
        scene.peer.bent = lambda answer: answer.consistency_claim.consistency_hashes.extend(
            [bytes(32)] * (claims.SHORT_CLAIM_BYTES // 32)
        )
    scene.tjk.grow(3)
    with suppress(Unavailable):  # the proof is too long
        await scene.session.fetch_messages([])
    assert [thread is threading.main_thread() for thread in threads] == [not long]


async def test_closing_ends_both_channels(scene: Scene) -> None:
    """A closed session leaves nothing behind."""
    await scene.session.close()
    assert (scene.peer.closed, scene.attachments.closed) == (True, True)
