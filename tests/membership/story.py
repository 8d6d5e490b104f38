"""A member comes, is suspended, goes and comes back; custodians and publishers change; nodes sleep through it.

The tests are one story: each goes on where the one before ended. They print what people had to do, and the seconds.
"""

import os
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

import pytest
from tuf.api.metadata import Root, Targets

from paiza_client.evidence import evidence
from paiza_register.ceremony import Base, Circumstances, Proposal
from paiza_register.ceremony.change import RESIGN, change
from paiza_register.open_set import OpenSet
from paiza_register.publishing import published
from paiza_register.register_file import RegisterFile
from paiza_wire.errors import Rejected
from tests.membership.members import FOUNDERS, NEW_KEYS, NEWCOMER, Members, size, until
from tests.two_verifiers import agreed, second_verifier
from tests.unit.paiza_trust.ceremony import trust

pytestmark = pytest.mark.timeout(2400)
EVERYONE: Final = (*FOUNDERS, NEWCOMER)
CHANGES: Final = int(os.environ.get("PAIZA_MEMBERSHIP_CHANGES", "1000"))


@pytest.fixture(scope="module")
def members(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Members]:
    """Found a federation of three that share nothing but files, and run its nodes."""
    folder = tmp_path_factory.mktemp("story")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("PAIZA_HOME", str(folder / "home"))
        made = Members(folder)
        try:
            yield made
        finally:
            made.end()


def test_a_fourth_member_is_admitted_in_two_acts_more_than_signatures(members: Members) -> None:
    """Apply, propose, the other signatures, join: M + 2 acts, where M = 3 custodians of the four must sign."""
    members.acts.clear()
    application = members.first_application()
    register = members.folder / "admitted.register"
    seconds = members.decide("admit", application, "--threshold", 3, signers=FOUNDERS, register=register)
    members.join(NEWCOMER, register)
    assert len(members.acts) == 3 + 2, members.acts
    print(f"admitted in {len(members.acts)} acts ({members.told}), {seconds:.1f} s from proposal to register")
    members.appoint(NEWCOMER)
    members.start(NEWCOMER)
    members.same_everywhere(*EVERYONE)
    assert (members.register().threshold, set(members.register().custodians)) == (3, set(EVERYONE))


def test_the_new_member_exchanges_messages(members: Members) -> None:
    """With an old one, both ways; their evidence holds under the first root."""
    for author, recipient in ((NEWCOMER, "kaz"), ("kaz", NEWCOMER)):
        digest = members.exchange(author, recipient)
        file = members.folder / f"{author}.evidence"
        members.paiza(f"{author}-liaison", "audit", "evidence", digest.hex()[:32], "-o", file)
    check_evidence(members)


def test_a_suspended_member_is_refused(members: Members) -> None:
    """It learns so from the register, which it is still served; nothing else is exchanged with it, until it is back.

    The three that remain must not all be needed: the threshold changes with them.
    """
    members.acts.clear()
    members.decide("suspend", NEWCOMER, "--threshold", 2, signers=FOUNDERS)
    seconds = members.same_everywhere(*EVERYONE)
    print(f"suspended in {len(members.acts)} acts; its own node knows after {seconds:.1f} s")
    register = members.register()
    assert (register.threshold, set(register.custodians), set(register.active_ids)) == (2, set(FOUNDERS), set(FOUNDERS))
    assert {peer.member for peer in members.nodes["kaz"].status().peers} == {"tjk", "uzb"}
    with pytest.raises(AssertionError, match="member_suspended"):
        members.send("kaz", NEWCOMER)
    members.exchange("kaz", "tjk")
    waiting = members.send(NEWCOMER, "kaz")
    until(lambda: {peer.not_cosigned_reason for peer in members.nodes[NEWCOMER].status().peers} == {"member_suspended"})
    members.decide("reinstate", members.folder / "kgz/kgz.application", "--threshold", 3, signers=FOUNDERS)
    members.same_everywhere(*EVERYONE)
    members.arrives("kaz", waiting)
    members.exchange("tjk", NEWCOMER)
    assert set(members.register().custodians) == set(EVERYONE)


def test_a_removed_member_is_readmitted(members: Members) -> None:
    """Its evidence holds while it is gone; its new application continues its versions, log and revocations."""
    members.acts.clear()
    members.decide("remove", NEWCOMER, "--threshold", 2, signers=FOUNDERS)
    members.same_everywhere(*FOUNDERS)
    print(f"removed in {len(members.acts)} acts")
    assert NEWCOMER not in members.register().described
    with pytest.raises(Rejected, match="unknown_member"):
        members.send("kaz", NEWCOMER)
    check_evidence(members)
    known = members.register(NEWCOMER).member(NEWCOMER)
    members.acts.clear()
    application, register = members.apply(NEWCOMER, "again.application"), members.folder / "again.register"
    members.decide("admit", application, "--threshold", 3, signers=FOUNDERS, register=register)
    members.stop(NEWCOMER)
    members.join(NEWCOMER, register)
    members.start(NEWCOMER)
    assert len(members.acts) == 3 + 2, members.acts
    members.same_everywhere(*EVERYONE)
    assert members.register().member(NEWCOMER).log_keys == known.log_keys
    members.exchange(NEWCOMER, "tjk")
    members.exchange("tjk", NEWCOMER)
    check_evidence(members)


def test_every_custodian_is_replaced_at_once(members: Members) -> None:
    """Three of the old keys and three of the new ones sign one change; then the new ones alone decide."""
    members.acts.clear()
    for member in EVERYONE:
        members.new_custodian(member)
    applications = [members.apply(member, "custodian.application", NEW_KEYS) for member in EVERYONE]
    before = members.register().custodians
    members.act("propose", "custodian", *applications, *members.desk("kaz"))
    fingerprint = members.waiting("tjk")
    members.act("sign", fingerprint, *members.desk("tjk"))
    members.act("sign", members.waiting("uzb"), *members.desk("uzb"))
    for member in FOUNDERS:
        members.act("sign", fingerprint, *members.desk(member, NEW_KEYS))
    until(lambda: members.register().custodians != before)
    members.same_everywhere(*EVERYONE)
    after = {key.keyid for key in members.register().custodians.values()}
    assert after.isdisjoint(key.keyid for key in before.values())
    print(f"four custodians replaced in {len(members.acts)} acts: {members.told}")
    members.decide("policy", "--grace-hours", 72, signers=FOUNDERS, key_folder=NEW_KEYS)
    members.exchange("uzb", NEWCOMER)


def test_nodes_and_clients_asleep_through_a_thousand_changes_catch_up(members: Members) -> None:
    """One node has all of them; three nodes and a client, which know only what was before, get them from it."""
    members.exchange("kaz", NEWCOMER)
    members.stop(*EVERYONE)
    begun = time.monotonic()
    carried = members.folder / "thousand.register"
    carried.write_bytes(changed_often(members, CHANGES).to_bytes())
    print(
        f"{CHANGES} changes signed in {time.monotonic() - begun:.1f} s; their file has {carried.stat().st_size} bytes"
    )
    before = {member: size(members.nodes[member].data / "register") for member in EVERYONE}
    begun = time.monotonic()
    members.join("kaz", carried)
    print(f"joined with the file in {time.monotonic() - begun:.1f} s")
    begun = time.monotonic()
    members.start(*EVERYONE)
    print(f"started in {time.monotonic() - begun:.1f} s")
    members.same_everywhere(*EVERYONE)
    assert members.register(NEWCOMER).root_version > CHANGES
    print(f"three nodes caught up within {time.monotonic() - begun:.1f} s of their start")
    for member in EVERYONE:
        print(f"{member}: {size(members.nodes[member].data / 'register') - before[member]} bytes more")
    client = members.folder / "home/tjk-custodian"
    before_client, begun = size(client), time.monotonic()
    trust("pending", "--profile", client.name)
    print(f"a client caught up in {time.monotonic() - begun:.1f} s, with {size(client) - before_client} bytes more")
    begun = time.monotonic()
    trust("pending", "--profile", client.name)
    print(f"its next command took {time.monotonic() - begun:.1f} s")
    begun = time.monotonic()
    members.stop(NEWCOMER)
    members.start(NEWCOMER)
    print(f"a node restarts in {time.monotonic() - begun:.1f} s")
    members.exchange("tjk", NEWCOMER)
    check_evidence(members)


def test_custodians_go_on_after_a_thousand_changes(members: Members) -> None:
    """At their desks and by files."""
    seconds = members.decide("policy", "--grace-hours", 24, signers=FOUNDERS, key_folder=NEW_KEYS)
    print(f"a change after so many: {seconds:.1f} s")
    members.same_everywhere(*EVERYONE)
    newest, proposal = members.folder / "newest.register", members.folder / "by-file.proposal"
    trust("export", "--profile", "uzb-custodian", "-o", newest)
    begun = time.monotonic()
    desks = [("--keys", members.folder / member / NEW_KEYS, "--yes") for member in FOUNDERS]
    members.act("propose", "resign", "--register", newest, "-o", proposal, *desks[0])
    for desk in desks[1:]:
        members.act("sign", proposal, *desk)
    print(f"by files: {time.monotonic() - begun:.1f} s; the proposal has {proposal.stat().st_size} bytes")
    trust("import", proposal, "--profile", "kaz-custodian")
    until(lambda: members.register(NEWCOMER).root_version == RegisterFile.read(newest.read_bytes()).newest + 1)


def test_the_others_publish_when_the_first_publishers_are_lost(members: Members) -> None:
    """The first two nodes are away, and their timestamp is overdue: the third renews it, and both publish."""
    members.same_everywhere(*EVERYONE)
    members.stop(*EVERYONE)
    members.age(timedelta(hours=3))
    version = members.register("uzb").timestamp_version
    begun = time.monotonic()
    members.start("uzb", NEWCOMER)
    until(lambda: members.register(NEWCOMER).timestamp_version > version)
    print(f"renewed {time.monotonic() - begun:.1f} s after their start")
    # The third one, by its rank; on a busy machine it may be the turn of the fourth before it has heard of that.
    assert set(members.register(NEWCOMER).published_by) <= {"uzb", NEWCOMER}
    trust("propose", "member", NEWCOMER, "--name-en", "New name", *members.desk(NEWCOMER))
    until(lambda: members.register("uzb").member(NEWCOMER).names["en"] == "New name")
    assert not {"kaz", "tjk"} & set(members.register("uzb").published_by)
    revoked = members.register("uzb").revocations.get(NEWCOMER, frozenset())
    members.revoke(NEWCOMER, "custodian")
    until(lambda: members.register("uzb").revocations.get(NEWCOMER, frozenset()) > revoked)
    until(lambda: members.register("uzb").published_by == (NEWCOMER,))
    members.exchange(NEWCOMER, "uzb")
    members.start("kaz", "tjk")
    print(f"those that were away have it after {members.same_everywhere(*EVERYONE):.1f} s")
    assert members.register("kaz").member(NEWCOMER).names["en"] == "New name"
    check_evidence(members)


def changed_often(members: Members, count: int) -> RegisterFile:
    """Sign root and targets so many times anew with all custodians' keys, and publish the last with a node's key."""
    now = datetime.now(UTC)
    base = Base.verify(members.held("kaz"), None)
    held, changed = OpenSet.verify(base.file.files, members.root, None), dict[str, bytes]()
    signers = [members.keys(member, NEW_KEYS).pair(f"custodian-{member}") for member in FOUNDERS]
    for _ in range(count):
        proposal = Proposal(change(RESIGN, base, now))
        for signer in signers:
            proposal = proposal.signed_with(signer, Circumstances(now, "clock of the test"))
        roots = {path: data for path, data in changed.items() if path.endswith(".root.json")}
        changed = {**roots, **proposal.files()}
        root, targets = proposal.draft.roles[Root.type], proposal.draft.roles[Targets.type]
        assert isinstance(root, Root)
        assert isinstance(targets, Targets)
        base = replace(base, root=root, targets=targets)
    return RegisterFile(published(held, changed, members.publisher("kaz"), now, held.versions).files)


def check_evidence(members: Members) -> None:
    """Verify the evidence of the first messages again, by both verifiers."""
    for author in (NEWCOMER, "kaz"):
        data = (members.folder / f"{author}.evidence").read_bytes()
        evidence.verify_file(data, members.root)
        assert agreed(second_verifier(), data, members.root) is not None
