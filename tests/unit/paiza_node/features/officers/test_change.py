"""Changes of officers by an operator."""

from datetime import timedelta

import pytest

from paiza_node.core.access import store as access_store
from paiza_node.core.access.model import InvitationState, Officer, OfficerState
from paiza_node.features.officers import admit, change, enrol
from paiza_node.features.officers.model import Admission, CertificatePair
from paiza_wire.errors import Rejected
from tests.unit.paiza_node.office import ACTOR, Office, officer_id

PETROV = officer_id("petrov")


def admitted(office: Office) -> CertificatePair:
    """Admit petrov as a liaison officer of the bureau."""
    pair = office.pair("petrov")
    office.run(lambda tx: admit.admit(tx, [Admission(PETROV, frozenset({"liaison"}), "bureau", pair)], actor=ACTOR))
    return pair


def test_roles_and_unit_change_one_without_the_other(office: Office) -> None:
    """A change of nothing writes no entry."""
    admitted(office)
    office.run(lambda tx: change.change(tx, PETROV, roles=frozenset({"duty"}), unit=None, actor=ACTOR))
    office.run(lambda tx: change.change(tx, PETROV, roles=frozenset(), unit="desk", actor=ACTOR))
    office.run(lambda tx: change.change(tx, PETROV, roles=frozenset({"duty"}), unit="desk", actor=ACTOR))
    officer = office.officer("petrov")
    assert officer is not None
    assert (officer.roles, officer.unit) == (frozenset({"duty"}), "desk")
    assert office.logged()[1:] == [
        ("OFFICER_CHANGED", f"{PETROV} duty bureau"),
        ("OFFICER_CHANGED", f"{PETROV} duty desk"),
    ]
    assert office.findings() == []


def test_a_suspension_is_lifted_again(office: Office) -> None:
    """The reasons stand beside the entries; the certificates are as they were."""
    admitted(office)
    office.run(lambda tx: change.suspend(tx, PETROV, "on leave", stolen=False, actor=ACTOR))
    officer = office.officer("petrov")
    assert officer is not None
    assert officer.state is OfficerState.SUSPENDED
    assert set(office.states("petrov").values()) == {"active"}
    office.run(lambda tx: change.reinstate(tx, PETROV, "back", actor=ACTOR))
    officer = office.officer("petrov")
    assert officer is not None
    assert officer.is_active
    assert office.logged()[1:] == [
        ("OFFICER_SUSPENDED", f"{PETROV} liaison bureau\non leave"),
        ("OFFICER_REINSTATED", f"{PETROV} liaison bureau\nback"),
    ]
    assert office.findings() == []


def test_stolen_keys_are_marked_to_be_revoked(office: Office) -> None:
    """In the same commit; an officer who is reinstated without others has nothing to act with."""
    admitted(office)
    office.run(lambda tx: change.suspend(tx, PETROV, "bag stolen", stolen=True, actor=ACTOR))
    with office.store.reads() as reads:
        assert [each.to_revoke for each in access_store.officer_certificates(reads, PETROV)] == [True, True]
    assert set(office.states("petrov").values()) == {"ended"}
    office.run(lambda tx: change.reinstate(tx, PETROV, "found", actor=ACTOR))
    officer = office.officer("petrov")
    assert officer is not None
    assert officer.state is OfficerState.UNCONFIRMED
    assert office.findings() == []


def to_revoke(office: Office) -> dict[bytes, bool]:
    """Return of each of petrov's certificates whether it is to be revoked."""
    with office.store.reads() as reads:
        return {each.certificate_sha256: each.to_revoke for each in access_store.officer_certificates(reads, PETROV)}


def enrolled(office: Office) -> CertificatePair:
    """Invite, certify and confirm petrov."""
    invitation = office.run(lambda tx: enrol.invite(tx, office.statement("petrov"), actor=ACTOR))
    pair = office.pair("petrov")
    office.run(lambda tx: enrol.certify(tx, pair, actor=ACTOR, invitation=invitation))
    digest = pair.keys_sha256(invitation.invitation_sha256)
    office.run(lambda tx: enrol.confirm(tx, PETROV, digest, actor=ACTOR))
    return pair


@pytest.mark.parametrize("stolen", [True, False], ids=["stolen", "removed"])
def test_replaced_certificates_are_revoked_with_the_others(office: Office, *, stolen: bool) -> None:
    """The keys still exist: a restored copy of the database, or a file of officers, would let them act."""
    enrolled(office)
    enrolled(office)
    if stolen:
        office.run(lambda tx: change.suspend(tx, PETROV, "both bags stolen", stolen=True, actor=ACTOR))
    else:
        office.run(lambda tx: change.remove(tx, PETROV, "dismissed", actor=ACTOR))
    assert list(to_revoke(office).values()) == [True] * 4


def test_expired_certificates_are_not_revoked(office: Office) -> None:
    """The list in the register stays short."""
    enrolled(office)
    office.clock.now += timedelta(days=400)
    office.run(lambda tx: change.remove(tx, PETROV, "dismissed", actor=ACTOR))
    assert list(to_revoke(office).values()) == [False] * 2
    assert set(office.states("petrov").values()) == {"ended"}


def test_a_confirmation_after_a_theft_revokes_what_it_replaces(office: Office) -> None:
    """Keys that somebody enrolled in between were ended by the next invitation alone."""
    enrolled(office)
    office.run(lambda tx: change.suspend(tx, PETROV, "bag stolen", stolen=True, actor=ACTOR))
    invitation = office.run(lambda tx: enrol.invite(tx, office.statement("petrov"), actor=ACTOR))
    office.run(lambda tx: enrol.certify(tx, office.pair("petrov"), actor=ACTOR, invitation=invitation))
    mine = enrolled(office)
    marked = to_revoke(office)
    assert [marked.pop(each.fingerprint) for each in (mine.authentication, mine.signing)] == [False, False]
    assert list(marked.values()) == [True] * 4
    assert office.findings() == []


def test_a_confirmation_otherwise_revokes_nothing(office: Office) -> None:
    """A new machine is no theft."""
    enrolled(office)
    enrolled(office)
    assert not any(to_revoke(office).values())


def test_a_removed_officer_is_changed_no_more(office: Office) -> None:
    """Only an invitation makes them an officer again."""
    admitted(office)
    office.run(lambda tx: enrol.invite(tx, office.statement("petrov"), actor=ACTOR))
    office.run(lambda tx: change.remove(tx, PETROV, "retired", actor=ACTOR))
    assert set(office.states("petrov").values()) == {"ended"}
    assert [each.state for each in office.invitations("petrov")] == [InvitationState.VOID]
    for act in (
        lambda tx: change.change(tx, PETROV, roles=frozenset({"duty"}), unit=None, actor=ACTOR),
        lambda tx: change.suspend(tx, PETROV, "late", stolen=False, actor=ACTOR),
        lambda tx: change.reinstate(tx, PETROV, "late", actor=ACTOR),
    ):
        with pytest.raises(Rejected, match="wrong_state"):
            office.run(act)
    with pytest.raises(Rejected, match="unknown_officer"):
        office.run(lambda tx: change.remove(tx, PETROV, "again", actor=ACTOR))
    invitation = office.run(lambda tx: enrol.invite(tx, office.statement("petrov"), actor=ACTOR))
    officer: Officer = office.run(
        lambda tx: enrol.certify(tx, office.pair("petrov"), actor=ACTOR, invitation=invitation)
    )
    assert officer.state is OfficerState.UNCONFIRMED
    assert office.findings() == []


def test_an_invitation_is_withdrawn(office: Office) -> None:
    """A person who never enrolled is removed as if they had."""
    office.run(lambda tx: enrol.invite(tx, office.statement("petrov"), actor=ACTOR))
    assert office.run(lambda tx: change.remove(tx, PETROV, "wrong person", actor=ACTOR)) is None
    assert [each.state for each in office.invitations("petrov")] == [InvitationState.VOID]
    assert office.logged()[-1] == ("OFFICER_REMOVED", f"{PETROV}\nwrong person")
    assert office.findings() == []


def test_nobody_is_known_by_another_name(office: Office) -> None:
    """An officer of that name does not exist."""
    for act in (
        lambda tx: change.change(tx, PETROV, roles=frozenset({"duty"}), unit=None, actor=ACTOR),
        lambda tx: change.suspend(tx, PETROV, "late", stolen=True, actor=ACTOR),
        lambda tx: change.remove(tx, PETROV, "late", actor=ACTOR),
    ):
        with pytest.raises(Rejected, match="unknown_officer"):
            office.run(act)
    assert office.logged() == []


def test_an_unconfirmed_officer_waits_again_after_a_suspension(office: Office) -> None:
    """The end of a suspension confirms no keys."""
    invitation = office.run(lambda tx: enrol.invite(tx, office.statement("petrov"), actor=ACTOR))
    office.run(lambda tx: enrol.certify(tx, office.pair("petrov"), actor=ACTOR, invitation=invitation))
    office.run(lambda tx: change.suspend(tx, PETROV, "who is that", stolen=False, actor=ACTOR))
    office.run(lambda tx: change.reinstate(tx, PETROV, "a colleague", actor=ACTOR))
    officer = office.officer("petrov")
    assert officer is not None
    assert officer.state is OfficerState.UNCONFIRMED
    assert office.findings() == []
