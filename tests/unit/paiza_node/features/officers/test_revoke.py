"""Revocation of officers' certificates in the register, as marked in their rows."""

import asyncio
from datetime import timedelta

from paiza_node.features.officers import admit, change
from paiza_node.features.officers.model import Admission, CertificatePair
from paiza_node.features.officers.revoke import Revocations
from paiza_wire.errors import Rejected, Unavailable
from tests.unit.paiza_node.office import ACTOR, Office, officer_id

PETROV = officer_id("petrov")


class Published:
    """What the register lists as revoked."""

    def __init__(self) -> None:
        self.revoked: frozenset[bytes] = frozenset()
        self.asked: list[tuple[bytes, bytes]] = []
        self.failures: list[Exception] = []
        self.complete = asyncio.Event()

    async def revoke(self, fingerprints: tuple[bytes, bytes]) -> bytes:
        """List both fingerprints, or fail."""
        self.asked.append(fingerprints)
        if self.failures:
            raise self.failures.pop()
        self.revoked |= set(fingerprints)
        if len(self.revoked) == 4:  # both certificates, and their keys
            self.complete.set()
        return bytes(32)


def started(office: Office, published: Published) -> tuple[Revocations, CertificatePair]:
    """Admit petrov, and begin."""
    pair = office.pair("petrov")
    admission = Admission(PETROV, frozenset({"liaison"}), "", pair)
    office.run(lambda tx: admit.admit(tx, [admission], actor=ACTOR))
    return Revocations(office.directory, published.revoke, lambda: published.revoked, office.clock), pair


async def stolen(office: Office) -> None:
    """Suspend petrov, whose keys were stolen."""
    await office.directory.commit(
        office.ledger, lambda tx: change.suspend(tx, PETROV, "bag", stolen=True, actor=ACTOR), bar=PETROV
    )


async def until_revoked(published: Published) -> None:
    """Wait until both certificates are revoked."""
    async with asyncio.timeout(60):
        await published.complete.wait()


async def test_both_certificates_are_revoked_as_soon_as_they_are_marked(office: Office) -> None:
    """Once: what the register lists is asked for no more."""
    published = Published()
    revocations, pair = started(office, published)
    running = asyncio.ensure_future(revocations.task.run())
    try:
        await stolen(office)
        await until_revoked(published)
        assert {pair.authentication.fingerprint, pair.signing.fingerprint} <= published.revoked
        await revocations._round()
        assert len(published.asked) == 2
    finally:
        running.cancel()


async def test_what_was_not_published_is_tried_again(office: Office) -> None:
    """A crash, or a register that cannot be published now, loses no revocation."""
    published = Published()
    revocations, _pair = started(office, published)
    await stolen(office)
    again = Revocations(office.directory, published.revoke, lambda: published.revoked, office.clock)
    published.failures = [Unavailable("publication_pending", "wait"), Unavailable("publication_pending", "wait")]
    running = asyncio.ensure_future(again.task.run())
    try:
        await until_revoked(published)
    finally:
        running.cancel()
    assert not any(revocations.waits(each) for each in office.directory.certificates().values())


async def test_a_node_that_does_not_publish_goes_on(office: Office) -> None:
    """The list of officers shows that the revocations wait."""
    published = Published()
    revocations, _pair = started(office, published)
    await stolen(office)
    published.failures = [Rejected("forbidden", "no publisher"), Rejected("forbidden", "no publisher")]
    await revocations._round()
    assert all(revocations.waits(each) for each in office.directory.certificates().values())


async def test_what_has_expired_needs_no_revocation(office: Office) -> None:
    """The list in the register stays short."""
    published = Published()
    revocations, _pair = started(office, published)
    await stolen(office)
    office.clock.now += timedelta(days=400)
    await revocations._round()
    assert published.asked == []


async def test_a_list_that_begins_anew_gets_all_that_must_stay(office: Office) -> None:
    """Under a new key of revocations the register lists nothing at first."""
    published = Published()
    revocations, _pair = started(office, published)
    await stolen(office)
    await revocations._round()
    assert published.complete.is_set()
    published.revoked = frozenset()
    await revocations._round()
    assert len(published.revoked) == 4
