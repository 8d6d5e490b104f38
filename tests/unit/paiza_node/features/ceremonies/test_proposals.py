"""Proposals at one node: what is accepted, merged, refused, logged and closed."""

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from paiza.core.v1 import log_pb2
from paiza_node.core.log import store as log_store
from paiza_node.features.ceremonies import store as ceremonies_store
from paiza_node.features.ceremonies.held import digest_of
from paiza_node.features.ceremonies.model import HeldProposal, HeldState, Outcome
from paiza_node.features.ceremonies.proposals import Proposals
from paiza_register.ceremony.change import LOG_ORIGIN, REMOVE, RESIGN, SUSPEND
from paiza_register.ceremony.proposal import Proposal
from paiza_register.publisher import Publisher
from paiza_register.publishing import published
from paiza_wire import log_entries, receipts
from paiza_wire.errors import Rejected, Unavailable
from tests.unit.paiza_node.features.ceremonies.ceremony_room import MEMBERS, OFFICER, CeremonyRoom, sent
from tests.unit.paiza_register.ceremony.world import World, new_log


def events(room: CeremonyRoom) -> list[tuple[str, str]]:
    """Return the events about proposals, with the members."""
    names = [(log_entries.event_name(each.event), each.counterpart) for each in room.entries()]
    return [(name.removeprefix("PROPOSAL_"), member) for name, member in names if name.startswith("PROPOSAL_")]


async def test_signatures_of_several_desks_are_merged_and_published(room: CeremonyRoom) -> None:
    """Two of three custodians sign at their desks; the second signature completes the proposal."""
    proposal = room.propose("kaz")
    outcome, held = await room.proposals.submit(sent(proposal), OFFICER)
    assert (outcome, held.state, held.signed_by, held.waits_for, held.missing) == (
        Outcome.STORED, HeldState.OPEN, ("kaz",), ("tjk", "uzb"), 1,
    )  # fmt: skip
    await room.follow()
    announced = room.register_cache.proposals_sha256
    assert announced == digest_of([held])

    other = room.signed(Proposal(proposal.act), "tjk")
    outcome, held = await room.proposals.submit(sent(other), "spiffe://tjk.paiza.example/node")
    assert (outcome, held.state, held.signed_by, held.waits_for, held.missing) == (
        Outcome.MERGED, HeldState.COMPLETE, ("kaz", "tjk"), (), 0,
    )  # fmt: skip
    await room.follow()
    assert room.register_cache.proposals_sha256 not in (announced, b"")
    assert room.proposals.complete == {held.fingerprint: proposal.merged(other).files()}
    room.world.publish(proposal.merged(other))
    room.refresh()
    await room.follow()
    closed = await room.proposals.published(held.fingerprint, 0)
    assert (closed.state, closed.register_version) == (HeldState.PUBLISHED, room.register_cache.version)
    assert not room.proposals.complete
    assert room.register_cache.proposals_sha256 == digest_of([closed])
    assert events(room) == [("SIGNED", "kaz"), ("SIGNED", "tjk"), ("PUBLISHED", "")]


async def test_a_repeat_changes_nothing(room: CeremonyRoom) -> None:
    """Also signed a second time, with other bytes; nothing more is logged."""
    proposal = room.propose("kaz")
    _, held = await room.proposals.submit(sent(proposal), OFFICER)
    again = room.signed(Proposal(proposal.act), "kaz")
    assert sent(again) != sent(proposal)
    assert [(await room.proposals.submit(each, OFFICER))[0] for each in (sent(proposal), sent(again))] == [
        Outcome.UNCHANGED
    ] * 2
    assert (await room.proposals.held(held.fingerprint))[1] == sent(proposal)
    assert events(room) == [("SIGNED", "kaz")]


async def test_the_entry_says_who_signed_what(room: CeremonyRoom) -> None:
    """It names the key, the proposal and the digest of what was signed; the record stands beside it."""
    proposal = room.propose("kaz")
    await room.proposals.submit(sent(proposal), OFFICER)
    (entry,) = [each for each in room.entries() if each.event == log_pb2.LOG_EVENT_PROPOSAL_SIGNED]
    assert (entry.actor, entry.counterpart) == (OFFICER, "kaz")
    assert entry.proposal_signed.proposal_sha256 == proposal.fingerprint
    assert entry.proposal_signed.key_sha256.hex() == room.world.members["kaz"].custodian.public_key.keyid
    assert entry.proposal_signed.signed_sha256 == proposal.digest("root")
    with room.store.reads() as reads:
        (text,) = log_store.texts(reads, range(len(room.entries()))).values()
    assert json.loads(text.text)["time_source"] == "clock of the test"
    assert receipts.text_digest(text.salt, text.text) == entry.text_sha256


async def test_what_nobody_signed_is_refused(room: CeremonyRoom) -> None:
    """Neither a proposal without signatures nor one with refusals alone takes any room."""
    proposal = room.propose()
    for each in (proposal, room.refused(proposal, "tjk")):
        with pytest.raises(Rejected, match="proposal_unsigned"):
            await room.proposals.submit(sent(each), OFFICER)
    assert events(room) == []
    assert await room.proposals.all_held() == []


async def test_a_signature_that_does_not_hold_refuses_the_file(room: CeremonyRoom) -> None:
    """The good signatures in it do not count either."""
    proposal = room.propose("kaz", "tjk")
    made = {role: dict(keys) for role, keys in proposal.signatures.items()}
    keyid = room.world.members["tjk"].custodian.public_key.keyid
    made["root"][keyid] = made["targets"][keyid]
    with pytest.raises(Rejected, match="bad_signature"):
        await room.proposals.submit(sent(Proposal(proposal.act, made)), OFFICER)
    assert await room.proposals.all_held() == []


async def test_refusals_end_a_proposal(room: CeremonyRoom) -> None:
    """Two of three who have not signed refuse it: it cannot come back, not even after its file is removed."""
    proposal = room.propose("kaz")
    first = room.refused(proposal, "tjk")
    second = room.refused(first, "uzb")
    _, held = await room.proposals.submit(sent(first), OFFICER)
    assert (held.state, held.refused_by) == (HeldState.OPEN, ("tjk",))
    _, held = await room.proposals.submit(sent(second), OFFICER)
    assert (held.state, held.refused_by, held.waits_for) == (HeldState.DEAD, ("tjk", "uzb"), ())
    assert events(room) == [("SIGNED", "kaz"), ("REFUSED", "tjk"), ("REFUSED", "uzb"), ("DROPPED", "")]
    await room.follow()
    version, digest = proposal.draft.roles["root"].version, proposal.digest("root")
    assert room.reader._misbehaviour.refusals(version, digest) == second.refusals, "its root does not count any more"
    room.ahead = timedelta(days=1, minutes=1)
    await room.follow()
    (held,) = await room.proposals.all_held()
    assert held.size == 0
    with pytest.raises(Rejected, match="unknown_proposal"):
        await room.proposals.held(held.fingerprint)
    assert (await room.proposals.submit(sent(proposal), OFFICER))[0] is Outcome.UNCHANGED
    assert room.register_cache.proposals_sha256 == b""


async def test_a_refused_proposal_is_not_stored_anew(room: CeremonyRoom) -> None:
    """Another node may pass it on for a day."""
    proposal = room.propose("kaz")
    for member in ("tjk", "uzb"):
        proposal = room.refused(proposal, member)
    with pytest.raises(Rejected, match="proposal_refused"):
        await room.proposals.submit(sent(proposal), OFFICER)


async def test_another_change_supersedes_what_waits(room: CeremonyRoom) -> None:
    """What builds on an older root is closed, refused from then on, and removed after a day."""
    waiting = room.propose("uzb", what=SUSPEND, member="tjk", threshold=2)
    _, held = await room.proposals.submit(sent(waiting), OFFICER)
    room.world.publish(room.propose("kaz", "tjk"))
    room.refresh()
    await room.follow()
    closed = await room.proposals.published(held.fingerprint, 0)
    assert (closed.state, closed.register_version) == (HeldState.SUPERSEDED, b"")
    assert events(room) == [("SIGNED", "uzb"), ("DROPPED", "")]
    room.ahead = timedelta(days=1, minutes=1)
    await room.follow()
    assert await room.proposals.all_held() == []
    with pytest.raises(Rejected, match="proposal_superseded"):
        await room.proposals.submit(sent(waiting), OFFICER)


@pytest.mark.parametrize("left_out", ["targets", "uzb"])
async def test_a_part_that_a_publisher_published_ends_nothing(room: CeremonyRoom, left_out: str) -> None:
    """Who publishes the member's signature alone, or the custodians' alone, stops neither signing nor publication."""
    world = room.world
    proposal = room.propose("kaz", what=LOG_ORIGIN, member="uzb", vkey=new_log("uzb", 2)[1])
    proposal = world.members["uzb"].sign(proposal, "member")
    whole = room.signed(proposal, "tjk")
    known = proposal if left_out == "targets" else whole
    _, held = await room.proposals.submit(sent(known), OFFICER)
    part = {path: data for path, data in known.files().items() if not path.endswith(f"2.{left_out}.json")}
    world.now += timedelta(minutes=1)
    world.accept(published(world.held, part, world.members["tjk"].publisher, world.now, world.held.versions))
    room.refresh()
    await room.follow()
    (waiting,) = await room.proposals.all_held()
    assert waiting.is_waiting
    _, held = await room.proposals.submit(sent(whole), OFFICER)
    await room.follow()
    assert held.state is HeldState.COMPLETE
    (files,) = room.proposals.complete.values()
    world.accept(published(world.held, files, world.members["kaz"].publisher, world.now, world.held.versions))
    room.refresh()
    await room.follow()
    (closed,) = await room.proposals.all_held()
    assert closed.state is HeldState.PUBLISHED
    assert len(world.base.register.member("uzb").log_keys) == 2


async def test_a_root_that_a_publisher_published_alone_ends_nothing(room: CeremonyRoom) -> None:
    """Root and targets were signed anew for another year: the targets follow, through any publisher."""
    world = room.world
    known = room.propose("kaz")
    whole = room.signed(known, "tjk")
    await room.proposals.submit(sent(known), OFFICER)
    part = {path: data for path, data in whole.files().items() if path.endswith(".root.json")}
    world.now += timedelta(minutes=1)
    world.accept(published(world.held, part, world.members["tjk"].publisher, world.now, world.held.versions))
    room.refresh()
    await room.follow()
    (waiting,) = await room.proposals.all_held()
    assert waiting.is_waiting
    await room.proposals.submit(sent(whole), OFFICER)
    await room.follow()
    (files,) = room.proposals.complete.values()
    publisher = Publisher("kaz", world.members["kaz"].publisher, world.held)
    publisher.submit(files, world.now, own=True)
    made = publisher.publish(world.now)
    assert made is not None
    assert made.targets.version == whole.draft.roles["targets"].version
    world.accept(made)
    room.refresh()
    await room.follow()
    (closed,) = await room.proposals.all_held()
    assert closed.state is HeldState.PUBLISHED


async def test_two_changes_of_one_root_are_told_apart(room: CeremonyRoom) -> None:
    """Suspension and removal of one member, proposed in one second, make the same root."""
    world = room.world
    suspend = room.propose("kaz", what=SUSPEND, member="uzb", threshold=2)
    remove = room.propose("tjk", what=REMOVE, member="uzb", threshold=2)
    assert suspend.digest("root") == remove.digest("root")
    for each in (suspend, remove):
        await room.proposals.submit(sent(each), OFFICER)
    world.publish(room.signed(remove, "kaz"))
    room.refresh()
    await room.follow()
    held = {each.fingerprint: each.state for each in await room.proposals.all_held()}
    assert held == {suspend.fingerprint: HeldState.SUPERSEDED, remove.fingerprint: HeldState.PUBLISHED}


async def test_what_one_key_alone_proposes_is_bounded(room: CeremonyRoom) -> None:
    """The others still find room, and a second signature makes room again."""
    proposals = [room.propose("kaz", later=timedelta(seconds=each)) for each in range(6)]
    for each in proposals[:4]:
        await room.proposals.submit(sent(each), OFFICER)
    with pytest.raises(Rejected, match="proposals_full"):
        await room.proposals.submit(sent(proposals[4]), OFFICER)
    await room.proposals.submit(sent(room.propose("uzb", later=timedelta(minutes=1))), OFFICER)
    await room.proposals.submit(sent(room.signed(proposals[0], "tjk")), OFFICER)
    await room.proposals.submit(sent(proposals[4]), OFFICER)
    with pytest.raises(Rejected, match="proposals_full"):
        await room.proposals.submit(sent(proposals[5]), OFFICER)


async def test_all_that_waits_is_bounded(room: CeremonyRoom, monkeypatch: pytest.MonkeyPatch) -> None:
    """In number, in size, and in the size of one."""
    proposal = room.propose("kaz")
    monkeypatch.setattr("paiza_node.features.ceremonies.held.MAX_OPEN_BYTES", len(sent(proposal)) - 1)
    with pytest.raises(Rejected, match="proposals_full"):
        await room.proposals.submit(sent(proposal), OFFICER)
    with pytest.raises(Rejected, match="too_large"):
        await room.proposals.submit(bytes((6 << 20) + 1), OFFICER)


async def test_a_proposal_of_another_time_is_refused(room: CeremonyRoom) -> None:
    """Its metadata would live longer than readers accept."""
    proposal = room.propose("kaz", later=timedelta(minutes=11))
    with pytest.raises(Rejected, match="clock_skew"):
        await room.proposals.submit(sent(proposal), OFFICER)


async def test_a_proposal_of_another_federation_is_unknown(room: CeremonyRoom) -> None:
    """The register that it builds on is not here; it is asked for, and nothing is stored."""
    other = World(*MEMBERS)
    proposal = other.signed(Proposal(other.change(RESIGN)), ["kaz"])
    with pytest.raises(Unavailable, match="register_unknown"):
        await room.proposals.submit(sent(proposal), OFFICER)


async def test_a_copy_stored_meanwhile_is_not_overwritten(room: CeremonyRoom) -> None:
    """A caller that hangs up frees the way for the next before the commit has ended."""
    proposal = room.propose("kaz")
    checked = room.proposals._check(sent(proposal))
    await room.proposals.submit(sent(room.signed(proposal, "tjk")), OFFICER)
    assert not isinstance(checked, HeldProposal)
    assert (await room.ledger.commit(lambda tx: room.proposals._write(checked, OFFICER, tx))).result is None
    assert sorted(events(room)) == [("SIGNED", "kaz"), ("SIGNED", "tjk")]


async def test_a_restart_finds_what_waits(room: CeremonyRoom) -> None:
    """Complete proposals too: they are handed to the publisher again."""
    proposal = room.propose("kaz", "tjk")
    await room.proposals.submit(sent(proposal), OFFICER)
    room.proposals = Proposals(room.core, room.reader)
    await room.follow()
    assert room.proposals.complete == {proposal.fingerprint: proposal.files()}
    assert room.register_cache.proposals_sha256


async def test_signatures_that_come_after_the_register_are_logged(room: CeremonyRoom) -> None:
    """The register overtakes the last signatures, or the whole proposal: who signed is logged all the same, once."""
    act = room.propose().act
    first, second = room.signed(Proposal(act), "kaz"), room.signed(Proposal(act), "tjk")
    _, held = await room.proposals.submit(sent(first), OFFICER)
    room.world.publish(first.merged(second))
    room.refresh()
    await room.follow()
    outcome, held = await room.proposals.submit(sent(second), OFFICER)
    assert (outcome, held.state, held.signed_by) == (Outcome.MERGED, HeldState.PUBLISHED, ("kaz", "tjk"))
    assert events(room) == [("SIGNED", "kaz"), ("PUBLISHED", ""), ("SIGNED", "tjk")]
    next_one = room.propose("kaz", "uzb", later=timedelta(minutes=1))
    room.world.publish(next_one)
    room.refresh()
    await room.follow()
    for expected in (Outcome.STORED, Outcome.UNCHANGED):
        outcome, held = await room.proposals.submit(sent(next_one), OFFICER)
        assert (outcome, held.state, held.missing) == (expected, HeldState.PUBLISHED, 0)
        assert held.register_version == room.register_cache.version
    assert sorted(events(room)[3:]) == [("PUBLISHED", ""), ("SIGNED", "kaz"), ("SIGNED", "uzb")]
    assert not room.proposals.complete
    room.ahead = timedelta(days=1, minutes=1)
    await room.follow()
    assert room.register_cache.proposals_sha256 == b""
    assert (await room.proposals.submit(sent(next_one), OFFICER))[0] is Outcome.UNCHANGED
    assert len(events(room)) == 6


async def test_each_database_keeps_and_closes(world: World, database_url: str, tmp_path: Path) -> None:
    """From the first signature to the removal of the file."""
    with CeremonyRoom(world, database_url, tmp_path) as room:
        proposal = room.propose("kaz")
        await room.proposals.submit(sent(proposal), OFFICER)
        complete = room.signed(proposal, "tjk")
        _, held = await room.proposals.submit(sent(complete), OFFICER)
        assert (await room.proposals.held(held.fingerprint))[1] == sent(complete)
        room.world.publish(complete)
        room.refresh()
        await room.follow()
        room.ahead = timedelta(days=1, minutes=1)
        await room.follow()
        (held,) = await room.proposals.all_held()
        assert (held.state, held.size, held.signed_by) == (HeldState.PUBLISHED, 0, ("kaz", "tjk"))


async def test_a_stored_file_that_is_not_accepted_any_more_is_left_out(room: CeremonyRoom) -> None:
    """Another version of the program may have stored it: the node runs on, and publishes the others."""
    _, held = await room.proposals.submit(sent(room.propose("kaz", "tjk")), OFFICER)
    _, another = await room.proposals.submit(sent(room.propose("kaz", "tjk", later=timedelta(seconds=1))), OFFICER)
    await room.ledger.commit(lambda tx: ceremonies_store.put_proposal(tx.conn, replace(held, data=b"{}")))
    await room.follow()
    assert room.proposals.complete.keys() == {another.fingerprint}
