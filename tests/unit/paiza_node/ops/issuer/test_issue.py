"""The issuer: it signs what a cosigned entry allows, once, and each refusal has its reason."""

import errno
import os
from datetime import timedelta
from hashlib import sha256
from pathlib import Path

import pytest

from paiza.issuer.v1 import issuer_pb2
from paiza_node.ops.issuer import issue
from paiza_node.ops.issuer import journal as journals
from paiza_node.ops.issuer.issue import OFFICER_LIFE
from paiza_wire.errors import PaizaError, Unavailable
from paiza_wire.identity import SpiffeId, certificates, keys, load_certificate, statements
from paiza_wire.tlog.cosignatures import quorum
from tests.unit.paiza_node.ops.issuer.asking import MEMBER, Asking, GrowingLog, OfficerKeys
from tests.unit.paiza_register.ceremony.world import FEDERATION, World


@pytest.fixture(scope="module")
def world() -> World:
    """Return a federation whose keys are made once."""
    return World(MEMBER, "tjk", "uzb")


@pytest.fixture
def asking(tmp_path: Path, world: World) -> Asking:
    """Return an issuer that has issued nothing yet."""
    return Asking(tmp_path, world=world)


def refused(asking: Asking, request: issuer_pb2.IssueOfficerRequest) -> str:
    """Return the reason for which a request is refused; nothing may have been written."""
    before = len(asking.issuer.journal.lines)
    with pytest.raises(PaizaError) as refusal:
        asking.issuer.issue_officer(request)
    assert len(asking.issuer.journal.lines) == before
    return refusal.value.reason


def test_an_invited_officer_gets_two_certificates_for_ninety_days(asking: Asking) -> None:
    """Both certificates are of the invited officer, by the officer CA of the register, for 90 days."""
    officer = OfficerKeys("petrov")
    issued = asking.issuer.issue_officer(asking.enrolment(asking.invite("petrov"), officer))
    assert issued.id == str(officer.id)
    for der in issued.certificates:
        found = load_certificate(der)
        assert found.not_valid_after_utc - found.not_valid_before_utc == OFFICER_LIFE
    assert issued.keys == (
        keys.fingerprint(officer.authentication.public_key()),
        keys.fingerprint(officer.signing.public_key()),
    )


def test_a_lost_answer_is_given_again(asking: Asking) -> None:
    """The same keys for the same entry get the same certificates, also after a restart; nothing is issued anew."""
    officer, index = OfficerKeys("petrov"), asking.invite("petrov")
    first = asking.issuer.issue_officer(asking.enrolment(index, officer))
    assert asking.issuer.issue_officer(asking.enrolment(index, officer)) == first
    asking.start()
    assert asking.issuer.issue_officer(asking.enrolment(index, officer)) == first
    assert len(asking.issuer.journal.lines) == 1


def test_one_entry_is_used_once(asking: Asking) -> None:
    """Other keys for an entry that was used are refused, also after a restart."""
    index = asking.invite("petrov")
    asking.issuer.issue_officer(asking.enrolment(index, OfficerKeys("petrov")))
    assert refused(asking, asking.enrolment(index, OfficerKeys("petrov"))) == "already_issued"
    asking.start()
    assert refused(asking, asking.enrolment(index, OfficerKeys("petrov"))) == "already_issued"


def test_a_key_is_certified_once(asking: Asking) -> None:
    """A key that was certified for one entry is refused for another."""
    officer = OfficerKeys("petrov")
    asking.issuer.issue_officer(asking.enrolment(asking.invite("petrov"), officer))
    assert refused(asking, asking.enrolment(asking.invite("petrov"), officer)) == "already_issued"


def test_without_an_entry_nothing_is_issued(asking: Asking) -> None:
    """A thief of the socket without an entry of the log gets nothing."""
    index = asking.invite("petrov")
    request = asking.enrolment(index, OfficerKeys("petrov"))
    request.entry.proven.entry = b""
    assert refused(asking, request) == "bad_proof"
    request.ClearField("entry")
    assert refused(asking, request) == "bad_checkpoint"
    request = asking.enrolment(index, OfficerKeys("petrov"))
    request.ClearField("enrolment")
    assert refused(asking, request) == "malformed"


def test_an_entry_that_the_log_does_not_hold_is_refused(asking: Asking) -> None:
    """An entry that is in no log, with a proof of another one, is refused."""
    index = asking.invite("petrov")
    stranger = GrowingLog(asking.log.origin, keys.generate_ed25519())
    other = Asking(asking.folder / "other", world=asking.world)
    other.log = stranger
    other.invite("petrov", unit="narcotics")
    request = asking.enrolment(index, OfficerKeys("petrov"))
    request.entry.proven.entry = stranger.entries[0]
    request.enrolment.statement = other.statements[0]
    assert refused(asking, request) == "bad_proof"


def test_a_note_by_another_key_is_refused(asking: Asking) -> None:
    """A note that the member's log did not sign is refused, whatever it holds."""
    index = asking.invite("petrov")
    request = asking.enrolment(index, OfficerKeys("petrov"))
    forged = GrowingLog(asking.log.origin, keys.generate_ed25519())
    forged.entries = asking.log.entries
    request.entry.CopyFrom(asking.witnessed(index, log=forged))
    assert refused(asking, request) == "bad_checkpoint"


def test_an_entry_of_another_members_log_is_refused(asking: Asking) -> None:
    """An invitation in the log of another member does not count here."""
    index = asking.invite("petrov")
    request = asking.enrolment(index, OfficerKeys("petrov"))
    tjk = asking.world.members["tjk"]
    foreign = GrowingLog(tjk.document["log_keys"][-1]["origin"], tjk.log)
    foreign.entries = asking.log.entries
    request.entry.CopyFrom(asking.witnessed(index, witnesses=("uzb",), log=foreign))
    assert refused(asking, request) == "bad_checkpoint"


def test_an_old_note_is_refused(asking: Asking) -> None:
    """A note from before the last one is refused: nothing goes back."""
    old = asking.invite("petrov")
    stale = asking.enrolment(old, OfficerKeys("petrov"))
    asking.issuer.issue_officer(asking.enrolment(asking.invite("sidorov"), OfficerKeys("sidorov")))
    assert refused(asking, stale) == "consistency_not_proven"
    asking.issuer.issue_officer(asking.enrolment(old, OfficerKeys("petrov")))


def test_a_forked_log_is_refused(asking: Asking) -> None:
    """A second history of the log, signed with its key and cosigned, is refused: it did not grow from the known one."""
    asking.issuer.issue_officer(asking.enrolment(asking.invite("petrov"), OfficerKeys("petrov")))
    asking.log.entries.clear()
    asking.invite("sidorov")
    index = asking.invite("ivanov")
    assert refused(asking, asking.enrolment(index, OfficerKeys("ivanov"))) == "consistency_not_proven"


@pytest.mark.parametrize("witnesses", [(), (MEMBER,)])
def test_a_note_that_no_other_member_cosigned_is_refused(asking: Asking, witnesses: tuple[str, ...]) -> None:
    """Without another member's cosignature nothing is issued; the own one does not count."""
    index = asking.invite("petrov")
    request = asking.enrolment(index, OfficerKeys("petrov"))
    request.entry.CopyFrom(asking.witnessed(index, witnesses=witnesses))
    assert refused(asking, request) == "not_witnessed"
    assert quorum(2) == 2  # one of them is enough here


def test_an_entry_of_another_event_is_refused(asking: Asking) -> None:
    """An entry that invites nobody allows nothing, though its digest fits."""
    index = asking.invite("petrov")
    request = asking.enrolment(index, OfficerKeys("petrov"))
    request.entry.CopyFrom(asking.witnessed(asking.announce(keys.generate_p256())))
    assert refused(asking, request) == "wrong_entry"
    renewed = asking.ask_renewal(OfficerKeys("petrov"))
    request.enrolment.statement = asking.statements[renewed]
    request.entry.CopyFrom(asking.witnessed(renewed))
    assert refused(asking, request) == "wrong_entry"


def test_another_statement_is_refused(asking: Asking) -> None:
    """A statement with more roles than the log holds is refused."""
    index = asking.invite("petrov")
    other = asking.invite("sidorov")
    request = asking.enrolment(index, OfficerKeys("petrov"))
    request.enrolment.statement = asking.statements[other]
    assert refused(asking, request) == "wrong_entry"


def test_another_officers_id_is_refused(asking: Asking) -> None:
    """Signing requests for another officer, or of a node, are refused; so is a statement of another member."""
    index = asking.invite("petrov")
    assert refused(asking, asking.enrolment(index, OfficerKeys("sidorov"))) == "bad_certificate"
    foreign = asking.invite("petrov", officer_id=str(SpiffeId("tjk", FEDERATION, "officer", "petrov")))
    assert refused(asking, asking.enrolment(foreign, OfficerKeys("petrov"))) == "bad_certificate"
    node = asking.invite("petrov", officer_id=str(SpiffeId(MEMBER, FEDERATION, "node")))
    assert refused(asking, asking.enrolment(node, OfficerKeys("petrov"))) == "bad_certificate"


def test_one_key_for_both_uses_is_refused(asking: Asking) -> None:
    """The authentication key is not the signing key."""
    key = keys.generate_p256()
    officer = OfficerKeys("petrov", key, key)
    assert refused(asking, asking.enrolment(asking.invite("petrov"), officer)) == "bad_certificate"


def test_an_invitation_ends(asking: Asking) -> None:
    """After its time an invitation allows nothing."""
    index = asking.invite("petrov")
    asking.now += timedelta(hours=23)
    request = asking.enrolment(index, OfficerKeys("petrov"))
    asking.now += timedelta(hours=1, seconds=1)
    assert refused(asking, request) == "invitation_expired"


def test_an_administrators_signature_is_demanded_where_one_is_configured(tmp_path: Path, world: World) -> None:
    """Missing, by a stranger, over another invitation: refused. One administrator of several is enough."""
    first, second, stranger = (keys.generate_p256() for _ in range(3))
    asking = Asking(tmp_path, [first, second], world)
    index, other = asking.invite("petrov"), asking.invite("sidorov")
    officer, statement = OfficerKeys("petrov"), asking.statements[index]
    assert refused(asking, asking.enrolment(index, officer)) == "administrator_missing"
    for key, signed in ((stranger, statement), (first, asking.statements[other])):
        request = asking.enrolment(index, officer, [statements.sign_invitation(key, signed)])
        assert refused(asking, request) == "administrator_missing"
    plain = keys.sign(first, statement)  # over the bytes as they are, not as an invitation
    assert refused(asking, asking.enrolment(index, officer, [plain])) == "administrator_missing"
    asking.issuer.issue_officer(asking.enrolment(index, officer, [statements.sign_invitation(second, statement)]))


def test_a_statement_is_used_once(tmp_path: Path, world: World) -> None:
    """One signature of an administrator is one issue: the same statement in a second entry gives nothing."""
    administrator = keys.generate_p256()
    asking = Asking(tmp_path, [administrator], world)
    index = asking.invite("petrov")
    signatures = [statements.sign_invitation(administrator, asking.statements[index])]
    asking.issuer.issue_officer(asking.enrolment(index, OfficerKeys("petrov"), signatures))
    again = asking.invite("petrov")
    assert asking.statements[again] == asking.statements[index]
    assert refused(asking, asking.enrolment(again, OfficerKeys("petrov"), signatures)) == "already_issued"
    asking.start()
    assert refused(asking, asking.enrolment(again, OfficerKeys("petrov"), signatures)) == "already_issued"


@pytest.fixture
def ending(monkeypatch: pytest.MonkeyPatch) -> None:
    """Certificates end within a month from the beginning."""
    monkeypatch.setattr(issue, "OFFICER_LIFE", timedelta(days=30))


def test_an_early_renewal_is_refused(asking: Asking) -> None:
    """A node in other hands cannot have certificates renewed again and again from the first day on."""
    old = OfficerKeys("petrov")
    held = asking.issuer.issue_officer(asking.enrolment(asking.invite("petrov"), old))
    index = asking.ask_renewal(OfficerKeys("petrov"))
    request = asking.renewal(index, old, held.certificates[1], asking.confirm(held))
    assert refused(asking, request) == "renewal_early"


@pytest.mark.usefixtures("ending")
def test_certificates_that_nobody_confirmed_are_not_renewed(asking: Asking) -> None:
    """The confirmation of this very pair is proven: none, another entry, or another officer's does not do."""
    old, other = OfficerKeys("petrov"), OfficerKeys("sidorov")
    held = asking.issuer.issue_officer(asking.enrolment(asking.invite("petrov"), old))
    theirs = asking.issuer.issue_officer(asking.enrolment(asking.invite("sidorov"), other))
    index = asking.ask_renewal(OfficerKeys("petrov"))
    for confirmed in (None, index, asking.confirm(theirs)):
        request = asking.renewal(index, old, held.certificates[1], confirmed)
        assert refused(asking, request) == "officer_unconfirmed"
    request = asking.renewal(index, old, held.certificates[1], asking.confirm(held))
    request.renewal.confirmed.inclusion_hashes[0] = bytes(32)
    assert refused(asking, request) == "bad_proof"


@pytest.mark.usefixtures("ending")
def test_a_renewal_is_signed_with_the_certified_key(asking: Asking) -> None:
    """The officer's present signing key signs for new keys; the authentication key, or a stranger's, does not."""
    old, new = OfficerKeys("petrov"), OfficerKeys("petrov")
    held = asking.issuer.issue_officer(asking.enrolment(asking.invite("petrov"), old))
    index = asking.ask_renewal(new)
    assert refused(asking, asking.renewal(index, new, held.certificates[1])) == "bad_signature"
    assert refused(asking, asking.renewal(index, old, held.certificates[0])) == "bad_certificate"
    confirmed = asking.confirm(held)
    renewed = asking.issuer.issue_officer(asking.renewal(index, old, held.certificates[1], confirmed))
    assert renewed.kind == "renewal"
    assert renewed.id == held.id
    again = asking.ask_renewal(OfficerKeys("petrov"))
    asking.issuer.issue_officer(asking.renewal(again, new, renewed.certificates[1]))


def test_a_certificate_that_is_not_in_the_journal_does_not_renew(asking: Asking) -> None:
    """What the CA's key certified elsewhere, as an abused CA would, is renewed by nobody."""
    old = OfficerKeys("petrov")
    elsewhere = Asking(asking.folder / "elsewhere", world=asking.world)
    held = elsewhere.issuer.issue_officer(elsewhere.enrolment(elsewhere.invite("petrov"), old))
    index = asking.ask_renewal(OfficerKeys("petrov"))
    assert refused(asking, asking.renewal(index, old, held.certificates[1])) == "bad_certificate"


def test_another_officers_certificate_does_not_renew(asking: Asking) -> None:
    """An officer cannot have certificates issued in a colleague's name."""
    old = OfficerKeys("petrov")
    held = asking.issuer.issue_officer(asking.enrolment(asking.invite("petrov"), old))
    index = asking.ask_renewal(OfficerKeys("sidorov"))
    assert refused(asking, asking.renewal(index, old, held.certificates[1])) == "wrong_member"


def test_an_expired_certificate_does_not_renew(tmp_path: Path) -> None:
    """After its end a certificate renews nothing; the officer is invited again."""
    asking = Asking(tmp_path)
    old = OfficerKeys("petrov")
    held = asking.issuer.issue_officer(asking.enrolment(asking.invite("petrov"), old))
    found = load_certificate(held.certificates[1])
    asking.world.now = found.not_valid_after_utc
    asking.revoke(bytes(32), bytes(32))  # another one: the register is published anew
    index = asking.ask_renewal(OfficerKeys("petrov"))
    assert refused(asking, asking.renewal(index, old, held.certificates[1])) == "certificate_expired"


@pytest.mark.parametrize("by_key", [False, True])
def test_a_revoked_certificate_does_not_renew(tmp_path: Path, *, by_key: bool) -> None:
    """What the register revokes, by certificate or by key, renews nothing."""
    asking = Asking(tmp_path)
    old = OfficerKeys("petrov")
    held = asking.issuer.issue_officer(asking.enrolment(asking.invite("petrov"), old))
    certificate, key = sha256(held.certificates[1]).digest(), held.keys[1]
    asking.revoke(*((bytes(32), key) if by_key else (certificate, bytes(32))))
    index = asking.ask_renewal(OfficerKeys("petrov"))
    assert refused(asking, asking.renewal(index, old, held.certificates[1])) == "certificate_revoked"


def test_a_suspended_member_certifies_nobody(tmp_path: Path) -> None:
    """While the register suspends the member, its issuer issues nothing."""
    world = World("tjk", MEMBER, "uzb", "kgz", threshold=3)
    asking = Asking(tmp_path, world=world)
    world.decide(world.change("suspend", member=MEMBER, threshold=2), ("tjk", "uzb", "kgz"), "tjk")
    asking.now = world.now + timedelta(minutes=1)
    asking.issuer.update_register(world.held.files)
    assert refused(asking, asking.enrolment(asking.invite("petrov"), OfficerKeys("petrov"))) == "member_suspended"


def test_an_outdated_register_issues_nothing(asking: Asking) -> None:
    """Beyond life and grace of its register the issuer stops: it could not know of revocations."""
    index = asking.invite("petrov")
    asking.now += timedelta(hours=24 + 48 + 1)
    assert refused(asking, asking.enrolment(index, OfficerKeys("petrov"))) == "register_expired"


def test_a_ca_that_the_register_does_not_name_is_refused(asking: Asking) -> None:
    """An issuer with another key than the register's officer CA issues nothing."""
    asking.issuer._authorities = {"node": keys.generate_p256(), "officer": keys.generate_p256()}
    assert refused(asking, asking.enrolment(asking.invite("petrov"), OfficerKeys("petrov"))) == "ca_unknown"


def test_a_node_certificate_needs_the_announcement_of_its_key(asking: Asking) -> None:
    """The entry names the key and its kind; another key, another kind and another id are refused."""
    key, other = keys.generate_p256(), keys.generate_p256()
    index = asking.announce(key)
    issued = asking.issuer.issue_node(asking.certification(index, key))
    assert asking.issuer.issue_node(asking.certification(index, key)) == issued
    for request, reason in (
        (asking.certification(index, other), "wrong_entry"),
        (asking.certification(asking.announce(other, "node-ca"), other), "wrong_entry"),
        (asking.certification(asking.invite("petrov"), other), "wrong_entry"),
    ):
        with pytest.raises(PaizaError) as refusal:
            asking.issuer.issue_node(request)
        assert refusal.value.reason == reason
    wrong = asking.certification(asking.announce(other), other)
    wrong.request = certificates.create_csr(SpiffeId("tjk", FEDERATION, "node"), other)
    with pytest.raises(PaizaError) as refusal:
        asking.issuer.issue_node(wrong)
    assert refusal.value.reason == "bad_certificate"


def test_few_node_certificates_are_issued_in_a_day(asking: Asking) -> None:
    """A thief of the node stores up four at most; the same request is answered all the same, and a day later others."""
    made = [keys.generate_p256() for _ in range(issue.MAX_NODES + 1)]
    entries = [asking.announce(key) for key in made]
    first, *_ = [
        asking.issuer.issue_node(asking.certification(index, key))
        for index, key in zip(entries, made[:-1], strict=False)
    ]
    last = asking.certification(entries[-1], made[-1])
    with pytest.raises(Unavailable, match="busy"):
        asking.issuer.issue_node(last)
    assert asking.issuer.issue_node(asking.certification(entries[0], made[0])) == first
    asking.now += timedelta(days=1)
    assert asking.issuer.issue_node(last).kind == "node"


def test_a_full_disk_does_not_let_an_entry_be_used_twice(asking: Asking, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line whose head could not be written counts at the next call: others are refused, the same answered."""

    def full(*_arguments: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    index, officer = asking.invite("petrov"), OfficerKeys("petrov")
    with monkeypatch.context() as patched:
        patched.setattr(journals, "write_durably", full)
        assert refused(asking, asking.enrolment(index, officer)) == "disk_full"
    with pytest.raises(PaizaError) as refusal:
        asking.issuer.issue_officer(asking.enrolment(index, OfficerKeys("petrov")))
    assert refusal.value.reason == "already_issued"
    assert asking.issuer.issue_officer(asking.enrolment(index, officer)).index == index
