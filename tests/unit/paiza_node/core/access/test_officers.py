"""The directory of officers: what each state and certificate allows, and when a change is in force."""

import asyncio
from dataclasses import replace
from itertools import product
from types import SimpleNamespace
from typing import Any

import pytest

from paiza_node.core.access import store as access_store
from paiza_node.core.access.model import CertificateState, OfficerState
from paiza_node.core.access.officers import OfficerDirectory, OfficersChanged
from paiza_node.core.log.transaction import LogTransaction
from paiza_node.features.officers import admit, change
from paiza_node.features.officers.model import Admission, CertificatePair
from paiza_wire.errors import Rejected, Unavailable
from paiza_wire.identity import CertificateUse
from tests.unit.paiza_node.office import ACTOR, Office, officer_id

PETROV = officer_id("petrov")


def admitted(office: Office, name: str = "petrov") -> CertificatePair:
    """Admit an officer."""
    pair = office.pair(name)
    admission = Admission(officer_id(name), frozenset({"liaison"}), "", pair)
    office.run(lambda tx: admit.admit(tx, [admission], actor=ACTOR))
    return pair


def stored(office: Office, state: OfficerState, certificate: CertificateState) -> OfficerDirectory:
    """Store petrov and their certificates in these states, and read them."""

    def work(tx: LogTransaction) -> None:
        officer = access_store.officer(tx.conn, PETROV)
        assert officer is not None
        access_store.put_officer(tx.conn, replace(officer, state=state))
        rows = access_store.officer_certificates(tx.conn, PETROV)
        access_store.put_officer_certificates(tx.conn, [replace(each, state=certificate) for each in rows])

    office.run(work)
    return OfficerDirectory(office.store, office.clock)


def told(directory: OfficerDirectory, sha: bytes, use: CertificateUse, officer: str = PETROV) -> str:
    """Return the reason of a refusal; empty if the officer may act."""
    try:
        directory.check(officer, sha, use)
    except Rejected as error:
        return error.reason if officer in error.detail else "a detail without the officer"
    return ""


def test_each_state_is_told_by_its_own_reason(office: Office) -> None:
    """An officer acts only if both they and their certificate of this use do."""
    pair = admitted(office)
    uses: tuple[CertificateUse, ...] = ("authentication", "signing")
    shas = {"authentication": pair.authentication.fingerprint, "signing": pair.signing.fingerprint}
    for state, certificate in product(OfficerState, CertificateState):
        directory = stored(office, state, certificate)
        expected = {
            OfficerState.REMOVED: "officer_removed",
            OfficerState.SUSPENDED: "officer_suspended",
            OfficerState.UNCONFIRMED: "officer_unconfirmed",
            OfficerState.ACTIVE: {
                CertificateState.ACTIVE: "",
                CertificateState.ASLEEP: "officer_unconfirmed",
                CertificateState.ENDED: "wrong_certificate",
            }[certificate],
        }[state]
        for use, shown in product(uses, uses):
            assert told(directory, shas[shown], use) == (expected if use == shown else "wrong_certificate")
        other = {OfficerState.REMOVED: "officer_removed"}.get(state, "officer_not_enrolled")
        assert told(directory, bytes(32), "authentication") == other
        assert told(directory, bytes(32), "signing") == other


def test_a_certificate_speaks_for_its_officer_alone(office: Office) -> None:
    """Neither for another nor for nobody."""
    pair = admitted(office)
    admitted(office, "sidorova")
    directory = OfficerDirectory(office.store, office.clock)
    for name in ("sidorova", "nobody"):
        assert told(directory, pair.signing.fingerprint, "signing", officer_id(name)) == "officer_not_enrolled"


async def test_a_suspension_is_in_force_before_it_is_committed(office: Office) -> None:
    """Work that is committed with it, or after it, finds the officer suspended already."""
    pair = admitted(office)
    directory = OfficerDirectory(office.store, office.clock)
    seen: list[str] = []
    directory.follow(lambda: seen.append(told(directory, pair.signing.fingerprint, "signing")))

    def work(tx: LogTransaction) -> Any:
        seen.append("commit")
        return change.suspend(tx, PETROV, "now", stolen=False, actor=ACTOR)

    await directory.commit(office.ledger, work, bar=PETROV)
    assert seen[:2] == ["officer_suspended", "commit"]
    assert told(directory, pair.signing.fingerprint, "signing") == "officer_suspended"


async def test_a_suspension_waits_for_no_other_commit(office: Office) -> None:
    """A database that hangs over another change does not let the officer go on meanwhile."""
    pair = admitted(office)
    directory = OfficerDirectory(office.store, office.clock)
    goes_on = asyncio.Event()

    async def commit(work: Any) -> Any:
        await goes_on.wait()
        return await office.ledger.commit(work)

    slow: Any = SimpleNamespace(commit=commit)
    first, second = (
        asyncio.ensure_future(directory.commit(slow, work, bar=bar))
        for work, bar in (
            (lambda tx: change.change(tx, PETROV, roles=frozenset({"duty"}), unit=None, actor=ACTOR), ""),
            (lambda tx: change.suspend(tx, PETROV, "now", stolen=False, actor=ACTOR), PETROV),
        )
    )
    await asyncio.sleep(0.01)
    assert told(directory, pair.signing.fingerprint, "signing") == "officer_suspended"
    goes_on.set()
    await first
    assert told(directory, pair.signing.fingerprint, "signing") == "officer_suspended"
    await second
    assert directory.officers()[PETROV].state is OfficerState.SUSPENDED
    assert directory.officers()[PETROV].roles == frozenset({"duty"})


async def test_a_suspension_that_fails_leaves_the_officer(office: Office) -> None:
    """The operator is told, and nothing has changed once the rows are read."""
    pair = admitted(office)
    directory = OfficerDirectory(office.store, office.clock)

    def work(_tx: LogTransaction) -> None:
        raise Unavailable("database_unavailable", "no disk")

    with pytest.raises(Unavailable):
        await directory.commit(office.ledger, work, bar=PETROV)
    assert told(directory, pair.signing.fingerprint, "signing") == "officer_suspended"
    await directory._reload()
    assert told(directory, pair.signing.fingerprint, "signing") == ""


async def test_an_operator_who_hangs_up_does_not_lift_the_bar(office: Office) -> None:
    """The commit goes on, and the officer is suspended when it is done."""
    pair = admitted(office)
    directory = OfficerDirectory(office.store, office.clock)
    begun, goes_on, done = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def commit(work: Any) -> Any:
        begun.set()
        await goes_on.wait()
        try:
            return await office.ledger.commit(work)
        finally:
            done.set()

    slow: Any = SimpleNamespace(commit=commit)
    caller = asyncio.ensure_future(
        directory.commit(slow, lambda tx: change.suspend(tx, PETROV, "now", stolen=False, actor=ACTOR), bar=PETROV)
    )
    await begun.wait()
    caller.cancel()
    await asyncio.sleep(0)
    assert told(directory, pair.signing.fingerprint, "signing") == "officer_suspended"
    goes_on.set()
    await done.wait()
    officer = office.officer("petrov")
    assert officer is not None
    assert officer.state is OfficerState.SUSPENDED
    assert caller.cancelled()


async def test_a_change_by_another_is_read_when_it_is_announced(office: Office) -> None:
    """Rows that somebody else committed are found by the announcement, or at the next reading."""
    directory = OfficerDirectory(office.store, office.clock)
    pair = admitted(office)
    assert told(directory, pair.signing.fingerprint, "signing") == "officer_not_enrolled"
    read = asyncio.Event()
    directory.follow(read.set)
    running = asyncio.ensure_future(directory.task.run())
    try:
        directory.notify([OfficersChanged()])
        async with asyncio.timeout(60):
            await read.wait()
    finally:
        running.cancel()
    assert told(directory, pair.signing.fingerprint, "signing") == ""
