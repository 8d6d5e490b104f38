"""After a restore: the issuer's journal re-enters officers, who wait to be confirmed; open invitations are void."""

from datetime import UTC, datetime, timedelta

from paiza.core.v1 import enrolment_pb2
from paiza_node.core.access.model import InvitationState, OfficerState
from paiza_node.features.enrolment.issuing import IssuedOfficer, OfficerCertificates
from paiza_node.features.enrolment.recover import Outcome, check, recover
from paiza_node.features.officers import change, enrol
from paiza_node.features.officers.model import CertificatePair
from paiza_wire.identity import statements
from tests.unit.paiza_node.office import ACTOR, Office, officer_id
from tests.unit.paiza_wire.minting import NOW

PETROV = officer_id("petrov")


def issued(
    pair: CertificatePair, statement: enrolment_pb2.InvitationStatement | enrolment_pb2.RenewalStatement
) -> IssuedOfficer:
    """Return a line of the issuer's journal."""
    return IssuedOfficer(
        officer=str(pair.signing.id),
        certificates=OfficerCertificates(pair.authentication.der, pair.signing.der),
        statement=statement.SerializeToString(deterministic=True),
        renewed=isinstance(statement, enrolment_pb2.RenewalStatement),
        issued_time=NOW,
    )


def recovered(office: Office, *journal: IssuedOfficer, revoked: bytes = b"", at: datetime = NOW) -> Outcome:
    """Recover from a journal."""
    found = check(journal, office.verifier(*[revoked] if revoked else []), at)
    outcome: Outcome = office.run(lambda tx: recover(tx, found, actor=ACTOR))
    return outcome


def test_a_forgotten_officer_waits_to_be_confirmed(office: Office) -> None:
    """Roles and unit are those of the invitation; the words are those that the officer saw; confirmed, they act."""
    statement, pair = office.statement("petrov", "duty", unit="border service"), office.pair("petrov")
    assert recovered(office, issued(pair, statement)) == Outcome((PETROV,), 0)
    officer = office.officer("petrov")
    assert officer is not None
    assert (officer.state, officer.roles, officer.unit) == (
        OfficerState.UNCONFIRMED,
        frozenset({"duty"}),
        "border service",
    )
    assert set(office.states("petrov").values()) == {"asleep"}
    assert office.logged() == [("OFFICER_CERTIFIED", f"{PETROV} duty border service")]
    assert office.findings() == []
    digest = pair.keys_sha256(statements.statement_sha256(statement.SerializeToString(deterministic=True)))
    office.run(lambda tx: enrol.confirm(tx, PETROV, digest, actor=ACTOR))
    confirmed = office.officer("petrov")
    assert confirmed is not None
    assert confirmed.is_active
    assert set(office.states("petrov").values()) == {"active"}


def test_repeating_it_changes_nothing(office: Office) -> None:
    """A second run enters nothing and logs nothing."""
    line = issued(office.pair("petrov"), office.statement("petrov"))
    recovered(office, line)
    logged = office.logged()
    assert recovered(office, line) == Outcome((), 0)
    assert office.logged() == logged


def test_open_invitations_become_void(office: Office) -> None:
    """What was on paper when the copy was made opens nothing any more."""
    office.run(lambda tx: enrol.invite(tx, office.statement("sidorov"), actor=ACTOR))
    assert recovered(office) == Outcome((), 1)
    assert [each.state for each in office.invitations("sidorov")] == [InvitationState.VOID]


def test_a_known_officer_goes_on_until_the_newer_keys_are_confirmed(office: Office) -> None:
    """Certificates renewed since the copy are entered asleep, beside those that the copy knows."""
    statement, old, new = office.statement("petrov"), office.pair("petrov"), office.pair("petrov")
    invitation = office.run(lambda tx: enrol.invite(tx, statement, actor=ACTOR))
    office.run(lambda tx: enrol.certify(tx, old, actor=ACTOR, invitation=invitation))
    digest = old.keys_sha256(invitation.invitation_sha256)
    office.run(lambda tx: enrol.confirm(tx, PETROV, digest, actor=ACTOR))
    renewal = enrolment_pb2.RenewalStatement(officer_id=PETROV, salt=bytes(16))
    assert recovered(office, issued(old, statement), issued(new, renewal)).officers == (PETROV,)
    officer = office.officer("petrov")
    assert officer is not None
    assert officer.is_active
    assert office.states("petrov")[old.signing.fingerprint] == "active"
    assert office.states("petrov")[new.signing.fingerprint] == "asleep"


def test_revoked_and_expired_certificates_are_left_out(office: Office) -> None:
    """The register's revocations apply after a restore, and nothing is entered that has ended."""
    line = issued(office.pair("petrov"), office.statement("petrov"))
    pair = office.pair("sidorov")
    gone = issued(pair, office.statement("sidorov"))
    assert recovered(office, gone, revoked=pair.signing.fingerprint) == Outcome((), 0)
    assert recovered(office, line, at=datetime.now(UTC) + timedelta(days=3650)) == Outcome((), 0)


def test_a_removed_officer_waits_to_be_confirmed(office: Office) -> None:
    """One who was removed before the copy and invited again after it does not act without an operator."""
    statement, old, new = office.statement("petrov"), office.pair("petrov"), office.pair("petrov")
    invitation = office.run(lambda tx: enrol.invite(tx, statement, actor=ACTOR))
    office.run(lambda tx: enrol.certify(tx, old, actor=ACTOR, invitation=invitation))
    office.run(lambda tx: change.remove(tx, PETROV, "left", actor=ACTOR))
    recovered(office, issued(new, office.statement("petrov", "auditor")))
    officer = office.officer("petrov")
    assert officer is not None
    assert (officer.state, officer.roles) == (OfficerState.UNCONFIRMED, frozenset({"auditor"}))
