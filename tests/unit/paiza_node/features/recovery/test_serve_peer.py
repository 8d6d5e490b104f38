"""Returned entries of a lost log: only those that our own lost log had signed are accepted."""

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from paiza.core.v1 import log_pb2
from paiza.peer.v1 import recovery_pb2
from paiza_node.core.exchange import store as exchange_store
from paiza_node.core.exchange.model import ForeignProof, ProofKind
from paiza_node.core.exchange.proofs import own_proof
from paiza_node.core.log import store as log_store
from paiza_node.core.peers.claims import consistency_claim
from paiza_node.core.register.state import state_of
from paiza_node.core.storage import settings as settings_store
from paiza_node.features.recovery import restore_from_peers
from paiza_node.features.recovery.progress import SETTING, SIDES, Progress, RecoveryHold
from paiza_node.features.recovery.restore_from_peers import RestoreFromPeers
from paiza_node.features.recovery.serve_peer import MAX_ITEMS, MAX_TOLD_AGAIN, ServePeer
from paiza_node.features.witness.cosigned_entries import CosignedEntries
from paiza_register import LogKey
from paiza_wire.errors import PaizaError, Rejected, Unavailable
from paiza_wire.identity import keys
from paiza_wire.tlog.notes import SignerKey
from tests.log_entries import entry_of
from tests.peers import directory_of
from tests.unit.paiza_node.features.witness.fleet import Fleet, Node

ORIGIN = "kaz.paiza.example/log/1"
OWN_SIZE = 2
RECEIVED, RELEASED = SIDES


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    """Three nodes: kaz had logged entries about tjk, lost those from index 2 on, and goes on under its second log."""
    with Fleet(tmp_path, ["kaz", "tjk", "uzb"]) as made:
        _log_about(made["kaz"], ["tjk", "uzb", "tjk", "uzb", "tjk"])
        made.lost = _proofs(made["kaz"])  # type: ignore[attr-defined]
        second = "kaz.paiza.example/log/2"
        key = SignerKey.from_ed25519(second, keys.generate_ed25519())
        described = made.register_cache.current.members
        kaz = described["kaz"]
        described["kaz"] = dataclasses.replace(  # type: ignore[index]
            kaz, log_keys=(*kaz.log_keys, LogKey(second, key.verifier_key.to_vkey(), None, key.verifier_key))
        )
        yield made


def _log_about(node: Node, counterparts: Sequence[str]) -> None:
    for number, counterpart in enumerate(counterparts):
        entry = entry_of(log_pb2.LOG_EVENT_RECEIVED, counterpart=counterpart, message_digest=bytes([number]) * 32)
        node.ledger.commit_now(lambda tx, entry=entry: tx.append(entry))  # type: ignore[misc]


def _proofs(node: Node) -> list[log_pb2.LogProof]:
    own = node.ledger.checkpoint
    with node.store.reads() as reads:
        return [own_proof(node.ledger, entry, own.size, own.note) for entry in log_store.entries(reads, 0, own.size)]


def lost(fleet: Fleet) -> list[log_pb2.LogProof]:
    """Return the entries of the lost log, proven."""
    found: list[log_pb2.LogProof] = fleet.lost  # type: ignore[attr-defined]
    return found


class Giving:
    """A session with tjk that gives back what a test puts into pages."""

    def __init__(self, fleet: Fleet, pages: list[recovery_pb2.ListLostEntriesResponse]) -> None:
        self.member = "tjk"
        self._ledger = fleet["tjk"].ledger
        self.pages = pages
        self.asked: list[recovery_pb2.ListLostEntriesRequest] = []
        self.told_again = 0

    async def list_held_checkpoints(self, *, tell_again: bool = False) -> recovery_pb2.ListHeldCheckpointsResponse:
        """Report no third logs."""
        self.told_again += tell_again
        return recovery_pb2.ListHeldCheckpointsResponse()

    async def list_lost_entries(self, request: recovery_pb2.ListLostEntriesRequest) -> Any:
        """Return the next page; an empty one behind the last."""
        self.asked.append(recovery_pb2.ListLostEntriesRequest.FromString(request.SerializeToString()))
        page = self.pages.pop(0) if self.pages else recovery_pb2.ListLostEntriesResponse()
        return page, self._ledger.checkpoint


async def recovered(
    fleet: Fleet, session: Giving, check: Callable[..., None] = lambda *_: None
) -> tuple[RestoreFromPeers, list[log_pb2.LogEntry]]:
    """Restore kaz from tjk for a few rounds; return the task, and the recovered messages in its log."""
    kaz = fleet["kaz"]
    progress = Progress.begin({"tjk"}, [(ORIGIN, OWN_SIZE)])
    kaz.ledger.commit_now(lambda tx: settings_store.put_setting(tx.conn, SETTING, progress.to_bytes()))
    nothing: Any = type(
        "Nothing", (), {"check": staticmethod(check), "write": lambda *_: None, "tell": lambda *_: None}
    )()
    duty = RestoreFromPeers(
        kaz.core, peers=directory_of({"tjk": session}), receive=nothing, recovered_messages=nothing, hold=RecoveryHold()
    )
    for _ in range(3):
        await duty._round()
    with kaz.store.reads() as reads:
        entries = [log_pb2.LogEntry.FromString(each.entry) for each in log_store.entries(reads, 0, 1000)]
    return duty, [each for each in entries if each.event == log_pb2.LOG_EVENT_RECOVERED]


def page(*proofs: log_pb2.LogProof, next_index: int = 0) -> recovery_pb2.ListLostEntriesResponse:
    """Return lost entries back whose content is not there any more."""
    return recovery_pb2.ListLostEntriesResponse(
        items=[recovery_pb2.GivenBack(lost=proof) for proof in proofs], next_index=next_index
    )


async def test_lost_entries_come_back_once(fleet: Fleet) -> None:
    """Page by page, on both sides; one that is given twice, or after a restart again, is logged once."""
    third, fifth = lost(fleet)[2], lost(fleet)[4]
    session = Giving(fleet, [page(third, next_index=4), page(fifth), page(third)])
    duty, logged = await recovered(fleet, session)
    assert duty.progress.done
    assert session.told_again == 1
    assert [(each.side, each.from_index, each.own_size) for each in session.asked] == [
        (RECEIVED, 0, OWN_SIZE),
        (RECEIVED, 4, OWN_SIZE),
        (RELEASED, 0, OWN_SIZE),
    ]
    assert [each.message_digest[0] for each in logged] == [2, 4]
    assert {each.counterpart for each in logged} == {"tjk"}
    _duty, again = await recovered(fleet, Giving(fleet, [page(third, fifth)]))
    assert len(again) == 2


async def test_what_our_lost_log_did_not_say_is_not_believed(fleet: Fleet) -> None:
    """Entries about others, entries that are not lost, other logs, altered entries and proofs: nothing is logged."""
    proofs = lost(fleet)
    good = proofs[2]

    def changed(**parts: Any) -> log_pb2.LogProof:
        other = log_pb2.LogProof.FromString(good.SerializeToString())
        for name, value in parts.items():
            setattr(other.proven if name != "checkpoint" else other, name, value)
        return other

    foreign = _proofs(fleet["tjk"]) if fleet["tjk"].ledger.checkpoint.size else []
    bad = [
        proofs[0],  # not lost
        proofs[1],  # not lost, and about another
        proofs[3],  # about another
        changed(entry=good.proven.entry + b"\x00"),
        changed(index=4),
        changed(checkpoint=good.checkpoint.replace(b"\n5\n", b"\n6\n")),
        changed(checkpoint=b""),
        log_pb2.LogProof(),
        *foreign,
    ]
    _duty, logged = await recovered(fleet, Giving(fleet, [page(*bad)]))
    assert logged == []
    _duty, logged = await recovered(fleet, Giving(fleet, [page(good)]))
    assert [each.message_digest[0] for each in logged] == [2]


async def test_a_member_that_goes_round_in_circles_ends_nothing(fleet: Fleet) -> None:
    """The same page for ever, or one that is too large, is no page: the duty asks again later, and goes on."""
    third = lost(fleet)[2]
    circle = Giving(fleet, [page(third, next_index=3), *(page(next_index=3) for _ in range(50))])
    duty, logged = await recovered(fleet, circle)
    assert not duty.progress.done
    assert len(circle.asked) == 1 + 3
    assert len(logged) == 1
    huge = Giving(fleet, [page(*[third] * (MAX_ITEMS + 1)) for _ in range(50)])
    duty, logged = await recovered(fleet, huge)
    assert (duty.progress.done, len(logged)) == (False, 1)


async def test_what_cannot_be_judged_yet_is_asked_for_again(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page is not taken and not passed over; only after many tries the duty goes on without it."""
    monkeypatch.setattr(restore_from_peers, "MAX_TRIES", 2)

    def check(*_: object) -> None:
        raise Unavailable("register_unknown", "to be fetched first")

    third = lost(fleet)[2]
    session = Giving(fleet, [page(), *(page(third) for _ in range(3))])
    duty, logged = await recovered(fleet, session, check)
    assert duty.progress.done
    assert [each.side for each in session.asked] == [RECEIVED, RELEASED, RELEASED, RELEASED]
    assert len(logged) == 1


async def test_only_a_log_that_its_owner_has_left_behind_is_given_back(fleet: Fleet) -> None:
    """A caller gets nothing about another's log, or its own current one; requests are well formed."""
    tjk = fleet["tjk"]
    with_proof = lost(fleet)[2]
    kept = ForeignProof(
        bytes([2]) * 32,
        "kaz",
        ProofKind.ANSWER,
        with_proof.proven.entry,
        with_proof.proven.index,
        b"".join(with_proof.proven.inclusion_hashes),
        with_proof.checkpoint,
        bytes(32),
    )
    tjk.ledger.commit_now(lambda tx: exchange_store.add_proofs(tx.conn, [kept]))
    verb = ServePeer(tjk.core, CosignedEntries(tjk.core.ledger))
    register = fleet.register_cache.current

    async def asked(caller: str, **fields: Any) -> recovery_pb2.ListLostEntriesResponse | str:
        request = recovery_pb2.ListLostEntriesRequest(
            **{"register_state": state_of(register, fleet.clock()), "side": RECEIVED, "origin": ORIGIN, **fields}
        )
        try:
            return await verb(register.member(caller), request)
        except PaizaError as error:
            return error.reason

    answer = await asked("kaz")
    assert isinstance(answer, recovery_pb2.ListLostEntriesResponse)
    assert [item.lost for item in answer.items] == [with_proof]
    assert not answer.items[0].HasField("dispatch")
    assert answer.consistency_claim == consistency_claim(tjk.ledger, tjk.ledger.checkpoint, 0, 0)
    assert await asked("uzb") == "unknown_log"
    assert await asked("kaz", origin="kaz.paiza.example/log/2") == "unknown_log"
    assert await asked("kaz", origin="") == "unknown_log"
    assert await asked("kaz", side=0) == "malformed"
    assert await asked("kaz", own_size=2**63) == "malformed"
    assert await asked("kaz", from_index=2**64 - 1) == "malformed"
    assert await asked("kaz", register_state=None) == "malformed"
    assert await asked("kaz", known_size=1000) == "consistency_mismatch"
    for fields in ({"own_size": 3}, {"from_index": 3}, {"side": RELEASED}):
        rest = await asked("kaz", **fields)
        assert isinstance(rest, recovery_pb2.ListLostEntriesResponse)
        assert list(rest.items) == []
    with pytest.raises(Rejected, match="malformed"):
        await verb.held_checkpoints(register.member("kaz"), recovery_pb2.ListHeldCheckpointsRequest())


async def test_nobody_is_told_again_all_the_time(fleet: Fleet) -> None:
    """To tell again writes and sends much: so often in a minute, and no more; to be told what is held costs little."""
    verb = ServePeer(fleet["tjk"].core, CosignedEntries(fleet["tjk"].core.ledger))
    register = fleet.register_cache.current
    request = recovery_pb2.ListHeldCheckpointsRequest(register_state=state_of(register, fleet.clock()), tell_again=True)
    for _ in range(MAX_TOLD_AGAIN):
        await verb.held_checkpoints(register.member("kaz"), request)
    with pytest.raises(Unavailable, match="busy"):
        await verb.held_checkpoints(register.member("kaz"), request)
    await verb.held_checkpoints(register.member("uzb"), request)
    await verb.held_checkpoints(
        register.member("kaz"),
        recovery_pb2.ListHeldCheckpointsRequest(register_state=state_of(register, fleet.clock())),
    )
