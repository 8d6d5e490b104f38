"""After a restore officers are on hold until an operator confirms them as listed."""

from paiza_node.core.access.held import effective_officers, held, hold_all
from paiza_node.core.access.model import InvitationState, OfficerState
from paiza_node.core.access.officers import OfficerDirectory
from paiza_node.features.enrolment.recover import check, recover
from paiza_node.features.officers import admit, change, enrol
from paiza_node.features.officers.confirm_held import Outcome, confirm_held
from paiza_node.features.officers.model import Admission, CertificatePair
from tests.unit.paiza_node.features.enrolment.test_recover import issued
from tests.unit.paiza_node.office import ACTOR, Office, officer_id
from tests.unit.paiza_wire.minting import NOW

PETROV, SIDOROV = officer_id("petrov"), officer_id("sidorov")


def admitted(office: Office, name: str, pair: CertificatePair | None = None) -> CertificatePair:
    """Admit an officer."""
    pair = pair or office.pair(name)
    admission = Admission(officer_id(name), frozenset({"liaison"}), "", pair)
    office.run(lambda tx: admit.admit(tx, [admission], actor=ACTOR))
    return pair


def restored(office: Office) -> None:
    """Hold all officers, as a restore does in its copy."""
    office.run(lambda tx: hold_all(tx.conn))


def confirmed(office: Office, *listed: str, revoked: tuple[bytes, ...] = ()) -> Outcome:
    """Confirm officers as listed."""
    verifier = office.verifier(*revoked)
    outcome: Outcome = office.run(lambda tx: confirm_held(tx, listed, verifier, NOW, actor=ACTOR))
    return outcome


def states(office: Office) -> dict[str, OfficerState]:
    """Return the states that the node acts on."""
    with office.store.reads() as reads:
        return {each.id: each.state for each in effective_officers(reads).values()}


def test_officers_on_hold_act_after_the_confirmation(office: Office) -> None:
    """Until then each is refused as not confirmed; the rows stay as the log says."""
    pair = admitted(office, "petrov")
    admitted(office, "sidorov")
    restored(office)
    assert states(office) == {PETROV: OfficerState.UNCONFIRMED, SIDOROV: OfficerState.UNCONFIRMED}
    assert OfficerDirectory(office.store, office.clock).officers()[PETROV].state is OfficerState.UNCONFIRMED
    assert office.findings() == []
    assert confirmed(office, PETROV) == Outcome((PETROV,), {})
    assert states(office) == {PETROV: OfficerState.ACTIVE, SIDOROV: OfficerState.UNCONFIRMED}
    OfficerDirectory(office.store, office.clock).check(PETROV, pair.signing.fingerprint, "signing")
    assert office.logged()[2:] == [("OFFICER_CONFIRMED", f"{PETROV} liaison")]
    assert office.findings() == []
    assert confirmed(office, PETROV) == Outcome((), {})


def test_invitations_of_the_copy_are_void(office: Office) -> None:
    """What was open when the copy was made may have been used since."""
    office.run(lambda tx: enrol.invite(tx, office.statement("petrov"), actor=ACTOR))
    restored(office)
    assert [each.state for each in office.invitations("petrov")] == [InvitationState.VOID]
    assert office.findings() == []


def test_revocations_of_the_register_apply(office: Office) -> None:
    """An officer whose certificate was revoked after the copy stays on hold, and is named."""
    pair = admitted(office, "petrov")
    restored(office)
    outcome = confirmed(office, PETROV, revoked=(pair.authentication.fingerprint,))
    assert outcome == Outcome((), {PETROV: "certificate_revoked"})
    assert states(office) == {PETROV: OfficerState.UNCONFIRMED}
    assert [event for event, _ in office.logged()] == ["OFFICER_CERTIFIED"]


def test_suspended_and_removed_officers_are_not_woken(office: Office) -> None:
    """A suspension ends by `reinstate` alone, after which the officer still waits to be confirmed."""
    admitted(office, "petrov")
    admitted(office, "sidorov")
    office.run(lambda tx: change.suspend(tx, PETROV, "on leave", stolen=False, actor=ACTOR))
    restored(office)
    office.run(lambda tx: change.remove(tx, SIDOROV, "left", actor=ACTOR))
    assert confirmed(office, PETROV, SIDOROV) == Outcome((), {})
    office.run(lambda tx: change.reinstate(tx, PETROV, "back", actor=ACTOR))
    assert states(office) == {PETROV: OfficerState.UNCONFIRMED, SIDOROV: OfficerState.REMOVED}
    assert confirmed(office, PETROV) == Outcome((PETROV,), {})


def test_newer_keys_of_the_journal_wait_for_their_words(office: Office) -> None:
    """The former keys are not confirmed beside them; the words release the officer."""
    statement, pair = office.statement("petrov"), office.pair("petrov")
    admitted(office, "petrov")
    restored(office)
    found = check([issued(pair, statement)], office.verifier(), NOW)
    office.run(lambda tx: recover(tx, found, actor=ACTOR))
    assert confirmed(office, PETROV) == Outcome((), {PETROV: "officer_unconfirmed"})
    digest = pair.keys_sha256(found[0].invitation_sha256)
    office.run(lambda tx: enrol.confirm(tx, PETROV, digest, actor=ACTOR))
    assert states(office) == {PETROV: OfficerState.ACTIVE}
    assert office.findings() == []


def test_admission_confirms(office: Office) -> None:
    """Officers who are admitted again from the same file act at once."""
    pair = admitted(office, "petrov")
    restored(office)
    admitted(office, "petrov", pair)
    assert states(office) == {PETROV: OfficerState.ACTIVE}
    assert office.findings() == []
    with office.store.reads() as reads:
        assert not held(reads)
