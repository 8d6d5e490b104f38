"""What `verify` finds in the rows of officers: nothing after any acts, and everything that was put there otherwise."""

import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest

from paiza_node.core.access import store as access_store
from paiza_node.core.access.model import CertificateState, Invitation, InvitationState, Officer, OfficerState
from paiza_node.core.log.transaction import LogTransaction
from paiza_node.features.officers import admit, change, enrol
from paiza_node.features.officers.certificates import sleeping, waiting_keys_sha256
from paiza_node.features.officers.model import Admission
from paiza_wire.errors import Rejected
from tests.unit.paiza_node.office import ACTOR, Office, officer_id

NAMES = ("petrov", "sidorova")
ACTS = 60  # about six of each kind and officer


def invite(office: Office, name: str, dice: random.Random) -> None:
    """Invite an officer in some role."""
    role = dice.choice(("liaison", "duty"))
    office.run(lambda tx: enrol.invite(tx, office.statement(name, role), actor=ACTOR))


def certify(office: Office, name: str, dice: random.Random) -> None:
    """Use some invitation, open or not."""
    if found := office.invitations(name):
        invitation = dice.choice(found)
        office.run(lambda tx: enrol.certify(tx, office.pair(name), actor=ACTOR, invitation=invitation))


def confirm(office: Office, name: str, _dice: random.Random) -> None:
    """Confirm the keys that wait."""

    def work(tx: LogTransaction) -> None:
        asleep = sleeping(access_store.officer_certificates(tx.conn, officer_id(name)))
        digest = waiting_keys_sha256(asleep) if asleep else b""
        enrol.confirm(tx, officer_id(name), digest, actor=ACTOR)

    office.run(work)


def renew(office: Office, name: str, _dice: random.Random) -> None:
    """Renew the certificates of an officer."""
    office.run(lambda tx: enrol.certify(tx, office.pair(name), actor=ACTOR, renewal_sha256=b"r" * 32))


def admit_one(office: Office, name: str, dice: random.Random) -> None:
    """Admit an officer."""
    admission = Admission(officer_id(name), frozenset({dice.choice(("liaison", "duty"))}), "", office.pair(name))
    office.run(lambda tx: admit.admit(tx, [admission], actor=ACTOR))


def alter(office: Office, name: str, dice: random.Random) -> None:
    """Change the unit of an officer."""
    unit = dice.choice(("desk", "bureau"))
    office.run(lambda tx: change.change(tx, officer_id(name), roles=frozenset(), unit=unit, actor=ACTOR))


def suspend(office: Office, name: str, dice: random.Random) -> None:
    """Suspend an officer, for one reason or the other."""
    stolen = dice.random() < 0.5
    office.run(lambda tx: change.suspend(tx, officer_id(name), "why", stolen=stolen, actor=ACTOR))


def reinstate(office: Office, name: str, _dice: random.Random) -> None:
    """End a suspension."""
    office.run(lambda tx: change.reinstate(tx, officer_id(name), "why", actor=ACTOR))


def remove(office: Office, name: str, _dice: random.Random) -> None:
    """Remove an officer."""
    office.run(lambda tx: change.remove(tx, officer_id(name), "why", actor=ACTOR))


KINDS = (invite, certify, confirm, renew, admit_one, alter, suspend, reinstate, remove)


@pytest.mark.parametrize("seed", range(3))
def test_whatever_an_operator_does_the_rows_stand_behind_the_log(database_url: str, seed: int) -> None:
    """Sixty acts in any order, those that are refused too."""
    dice = random.Random(seed)
    with Office(database_url) as office:
        for _ in range(ACTS):
            act, name = dice.choice(KINDS), dice.choice(NAMES)
            with suppress(Rejected):
                act(office, name, dice)
        assert office.findings() == []


def put_officer(**changes: Any) -> Callable[[LogTransaction], None]:
    """Return work that changes the officer's row."""

    def work(tx: LogTransaction) -> None:
        officer = access_store.officer(tx.conn, officer_id("petrov"))
        assert officer is not None
        access_store.put_officer(tx.conn, replace(officer, **changes))

    return work


def put_certificates(**changes: Any) -> Callable[[LogTransaction], None]:
    """Return work that changes the rows of the officer's certificates."""

    def work(tx: LogTransaction) -> None:
        rows = access_store.officer_certificates(tx.conn, officer_id("petrov"))
        access_store.put_officer_certificates(tx.conn, [replace(each, **changes) for each in rows])

    return work


def put_invitation(**changes: Any) -> Callable[[LogTransaction], None]:
    """Return work that changes the row of the invitation."""

    def work(tx: LogTransaction) -> None:
        (row,) = access_store.all_invitations(tx.conn)
        access_store.put_invitation(tx.conn, replace(row, **changes))

    return work


def add_officer(tx: LogTransaction) -> None:
    """Add an officer whom no entry knows."""
    access_store.put_officer(tx.conn, Officer(officer_id("nobody"), frozenset({"duty"}), "", OfficerState.ACTIVE, 0))


def add_invitation(tx: LogTransaction) -> None:
    """Add an invitation that no entry knows."""
    (row,) = access_store.all_invitations(tx.conn)
    forged = Invitation(bytes(32), row.officer, b"", bytes(32), row.expiry_time, InvitationState.OPEN, 0)
    access_store.put_invitation(tx.conn, forged)


DAMAGE: dict[str, Callable[[LogTransaction], None]] = {
    "a suspension lifted": put_officer(state=OfficerState.ACTIVE),
    "another role": put_officer(roles=frozenset({"liaison", "duty"})),
    "another unit": put_officer(unit="desk"),
    "another entry": put_officer(log_index=0),
    "an officer added": add_officer,
    "a certificate woken": put_certificates(state=CertificateState.ACTIVE),
    "a certificate of another": put_certificates(officer=officer_id("sidorova")),
    "a certificate for another use": put_certificates(use="signing"),
    "a certificate confirmed": put_certificates(confirmed_index=0),
    "a certificate by another invitation": put_certificates(invitation_sha256=bytes(32)),
    "a certificate revoked": put_certificates(to_revoke=True),
    "another invitation": put_invitation(statement=b"roles: all of them"),
    "an invitation added": add_invitation,
}


@pytest.mark.parametrize("name", DAMAGE)
def test_a_row_that_no_entry_made_is_found(office: Office, name: str) -> None:
    """A thief of the database file cannot make an officer."""
    dice = random.Random(1)
    for act in (invite, certify):
        act(office, "petrov", dice)
    office.run(lambda tx: change.suspend(tx, officer_id("petrov"), "why", stolen=False, actor=ACTOR))
    assert office.findings() == []
    office.run(DAMAGE[name])
    assert office.findings() != []


def test_a_forgotten_revocation_is_found(office: Office) -> None:
    """The keys of a removed officer are to be revoked in the register."""
    dice = random.Random(1)
    for act in (invite, certify, remove):
        act(office, "petrov", dice)
    assert office.findings() == []
    office.run(put_certificates(to_revoke=False))
    assert office.findings() != []
