"""Enrolment at the node: an invitation, the certificates that answer it, and their confirmation."""

from functools import partial

import pytest

from paiza_node.core.access.model import CertificateState, Invitation, InvitationState, OfficerState
from paiza_node.features.officers import admit, change, enrol
from paiza_node.features.officers.model import Admission, CertificatePair
from paiza_wire.errors import Rejected
from paiza_wire.identity import keys
from tests.unit.paiza_node.office import ACTOR, Office, officer_id

PETROV = officer_id("petrov")


def invite(office: Office, *roles: str, unit: str = "") -> Invitation:
    """Invite petrov."""
    invitation: Invitation = office.run(
        lambda tx: enrol.invite(tx, office.statement("petrov", *roles, unit=unit), actor=ACTOR)
    )
    return invitation


def certify(office: Office, invitation: Invitation) -> CertificatePair:
    """Certify petrov's new keys."""
    pair = office.pair("petrov")
    office.run(lambda tx: enrol.certify(tx, pair, actor=ACTOR, invitation=invitation))
    return pair


def confirm(office: Office, pair: CertificatePair, invitation: Invitation) -> None:
    """Confirm petrov's keys."""
    digest = pair.keys_sha256(invitation.invitation_sha256)
    office.run(lambda tx: enrol.confirm(tx, PETROV, digest, actor=ACTOR))


def test_three_acts_make_an_officer(office: Office) -> None:
    """Each is logged; the certificates sleep until the last, and the officer has the roles of the invitation."""
    invitation = invite(office, "duty", "liaison", unit="border service")
    assert office.officer("petrov") is None
    pair = certify(office, invitation)
    officer = office.officer("petrov")
    assert officer is not None
    assert officer.state is OfficerState.UNCONFIRMED
    assert set(office.states("petrov").values()) == {"asleep"}
    confirm(office, pair, invitation)
    officer = office.officer("petrov")
    assert officer is not None
    assert (officer.state, officer.roles, officer.unit) == (
        OfficerState.ACTIVE,
        frozenset({"duty", "liaison"}),
        "border service",
    )
    assert office.states("petrov") == {pair.authentication.fingerprint: "active", pair.signing.fingerprint: "active"}
    text = f"{PETROV} duty,liaison border service"
    assert office.logged() == [
        ("OFFICER_INVITED", text),
        ("OFFICER_CERTIFIED", text),
        ("OFFICER_CONFIRMED", text),
    ]
    assert office.findings() == []


def test_an_invitation_is_good_once(office: Office) -> None:
    """A second use is refused and leaves nothing."""
    invitation = invite(office)
    pair = certify(office, invitation)
    with pytest.raises(Rejected, match="invitation_used"):
        certify(office, invitation)
    (used,) = office.invitations("petrov")
    assert used.state is InvitationState.USED
    assert used.keys_sha256 == pair.keys_sha256(invitation.invitation_sha256)
    assert len(office.states("petrov")) == 2


def test_a_newer_invitation_makes_the_earlier_one_void(office: Office) -> None:
    """The paper that was handed out first opens nothing any more."""
    first = invite(office)
    second = invite(office)
    with pytest.raises(Rejected, match="invitation_used"):
        certify(office, first)
    certify(office, second)
    assert [each.state for each in office.invitations("petrov")] == [InvitationState.VOID, InvitationState.USED]


def test_other_words_confirm_nothing(office: Office) -> None:
    """Keys that somebody else enrolled are not confirmed by the words of the officer's own."""
    invitation = invite(office)
    certify(office, invitation)
    with pytest.raises(Rejected, match="words_differ"):
        confirm(office, office.pair("petrov"), invitation)
    assert set(office.states("petrov").values()) == {"asleep"}
    assert office.logged()[-1][0] == "OFFICER_CERTIFIED"


def test_nothing_to_confirm_is_said(office: Office) -> None:
    """Before the officer enrolled, and after they were confirmed."""
    invitation = invite(office)
    with pytest.raises(Rejected, match="unknown_id"):
        confirm(office, office.pair("petrov"), invitation)
    pair = certify(office, invitation)
    confirm(office, pair, invitation)
    with pytest.raises(Rejected, match="unknown_id"):
        confirm(office, pair, invitation)


def test_new_keys_replace_the_old_ones_when_they_are_confirmed(office: Office) -> None:
    """An officer with a new machine goes on with the old keys until then, in the old roles."""
    invitation = invite(office, "liaison")
    old = certify(office, invitation)
    confirm(office, old, invitation)
    invitation = invite(office, "duty")
    new = certify(office, invitation)
    officer = office.officer("petrov")
    assert officer is not None
    assert (officer.state, officer.roles) == (OfficerState.ACTIVE, frozenset({"liaison"}))
    assert office.states("petrov")[old.signing.fingerprint] == "active"
    confirm(office, new, invitation)
    officer = office.officer("petrov")
    assert officer is not None
    assert officer.roles == frozenset({"duty"})
    assert office.states("petrov") == {
        old.authentication.fingerprint: "ended",
        old.signing.fingerprint: "ended",
        new.authentication.fingerprint: "active",
        new.signing.fingerprint: "active",
    }
    assert office.findings() == []


def test_a_confirmation_ends_a_suspension(office: Office) -> None:
    """An officer whose keys were stolen is suspended, invited and confirmed: no fourth act is needed."""
    invitation = invite(office)
    confirm(office, certify(office, invitation), invitation)
    office.run(lambda tx: change.suspend(tx, PETROV, "stolen in Almaty", stolen=True, actor=ACTOR))
    invitation = invite(office)
    confirm(office, certify(office, invitation), invitation)
    officer = office.officer("petrov")
    assert officer is not None
    assert officer.is_active
    assert office.findings() == []


def renew(office: Office, present: CertificatePair) -> CertificatePair:
    """Renew petrov's certificates by a request under the present ones."""
    new, signer = office.pair("petrov"), present.signing.fingerprint
    office.run(lambda tx: enrol.certify(tx, new, actor=ACTOR, renewal_sha256=b"r" * 32, renewed_by=signer))
    return new


def test_a_replaced_certificate_renews_nothing(office: Office) -> None:
    """The request may have been checked just before the replacement."""
    invitation = invite(office)
    old = certify(office, invitation)
    confirm(office, old, invitation)
    invitation = invite(office)
    confirm(office, certify(office, invitation), invitation)
    with pytest.raises(Rejected, match="wrong_certificate"):
        renew(office, old)
    assert len(office.states("petrov")) == 4


def test_renewed_certificates_count_at_once(office: Office) -> None:
    """Beside those they renew; only an active officer renews."""
    with pytest.raises(Rejected, match="officer_not_enrolled"):
        office.run(lambda tx: enrol.certify(tx, office.pair("petrov"), actor=ACTOR, renewal_sha256=bytes(32)))
    invitation = invite(office)
    old = certify(office, invitation)
    confirm(office, old, invitation)
    renew(office, old)
    assert set(office.states("petrov").values()) == {CertificateState.ACTIVE.value}
    assert len(office.states("petrov")) == 4
    assert office.findings() == []


def test_a_key_of_another_officer_is_not_certified(office: Office) -> None:
    """Nor a key of their own in the other use: the invitation remains open for keys that are new."""
    shared = keys.generate_p256()
    admission = Admission(officer_id("sidorova"), frozenset({"liaison"}), "", office.pair("sidorova", signing=shared))
    office.run(lambda tx: admit.admit(tx, [admission], actor=ACTOR))
    invitation = invite(office)
    for use in ("signing", "authentication"):
        pair = office.pair("petrov", **{use: shared})
        with pytest.raises(Rejected, match="bad_certificate"):
            office.run(partial(enrol.certify, certificates=pair, actor=ACTOR, invitation=invitation))
    certify(office, invitation)
