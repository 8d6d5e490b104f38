"""The directory of the own member's officers: their rows in memory, for every call and every signature.

The rows are the truth. A change of them is announced (`OfficersChanged`) and read anew; `commit` returns once it is
read, so that a caller who was answered finds it in force. A suspension or removal is in force even before it is
committed (`bar`): nothing of that officer comes after it in the log, and their calls under way are cut. What a crash
leaves: the committed rows, which the next start reads.

An officer who is a deputy has the other's need-to-know here (`Officer.stands_in`), exactly until its time is over;
calls that began with it are cut then.
"""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from types import MappingProxyType
from typing import Final, TypeVar

import structlog

from paiza_node.core.access import store as access_store
from paiza_node.core.access.held import effective_officers
from paiza_node.core.access.model import (
    CertificateState,
    Deputy,
    Officer,
    OfficerCertificate,
    OfficerState,
    StandIn,
)
from paiza_node.core.executors.periodic import PeriodicTask
from paiza_node.core.log.changes import Change
from paiza_node.core.log.ledger import Committed, Ledger, Work
from paiza_node.core.storage import Store
from paiza_wire.errors import Rejected, Unavailable
from paiza_wire.identity import CertificateUse, CertificateVerifier

READ_SECONDS: Final = 300.0  # between two readings without an announced change

_REFUSED: Final[Mapping[OfficerState, tuple[str, str]]] = MappingProxyType({
    OfficerState.REMOVED: ("officer_removed", "was removed"),
    OfficerState.SUSPENDED: ("officer_suspended", "is suspended"),
    OfficerState.UNCONFIRMED: ("officer_unconfirmed", "is not confirmed"),
})  # fmt: skip

T = TypeVar("T")
log = structlog.get_logger("paiza.access")


@dataclass(frozen=True, slots=True)
class OfficersChanged(Change):
    """Officers of the own member, their certificates or invitations were stored anew."""


@dataclass(frozen=True, slots=True)
class _Known:
    """The rows at one moment, by id and by SHA-256; replaced, never changed."""

    officers: Mapping[str, Officer]
    certificates: Mapping[bytes, OfficerCertificate]
    deputies: tuple[Deputy, ...]


class OfficerDirectory:
    """The officers of the own member. Changes belong to one event loop; any thread may ask."""

    def __init__(self, store: Store, clock: Callable[[], datetime]) -> None:
        """Read the rows."""
        self._store = store
        self._clock = clock
        self._bars: list[str] = []  # of the commits under way
        self._left: frozenset[str] = frozenset()  # of commits whose outcome was not read yet
        self._stored = self._read()
        self._known = self._in_force()
        self._followers: list[Callable[[], None]] = []
        self._one = asyncio.Lock()
        self._commits: set[asyncio.Task[object]] = set()
        self.task = PeriodicTask(self._reload, period=READ_SECONDS, failed="officers_not_read")

    def officers(self) -> Mapping[str, Officer]:
        """Return every officer by id, also those who may not act (`Officer.is_active`)."""
        return self._known.officers

    def certificates(self) -> Mapping[bytes, OfficerCertificate]:
        """Return every certificate of an officer, by its SHA-256."""
        return self._known.certificates

    def follow(self, changed: Callable[[], None]) -> None:
        """Call ``changed`` at once whenever an officer or certificate changed."""
        self._followers.append(changed)

    def check(self, officer_id: str, certificate_sha256: bytes, use: CertificateUse) -> Officer:
        """Return the officer if this certificate lets them act in this use; Rejected says exactly why not.

        The first that applies: ``officer_removed``, ``officer_not_enrolled``, ``wrong_certificate``,
        ``officer_suspended``, ``officer_unconfirmed``.
        """
        known = self._known
        officer, certificate = known.officers.get(officer_id), known.certificates.get(certificate_sha256)
        if certificate is None or certificate.officer != officer_id:
            if officer is not None:
                _check_state(officer, {OfficerState.REMOVED})
            raise Rejected("officer_not_enrolled", f"the node knows no such certificate of {officer_id}")
        if certificate.use != use:
            raise Rejected("wrong_certificate", f"{officer_id} used the {certificate.use} certificate")
        officer = self.active(officer_id)
        if certificate.state is CertificateState.ASLEEP:
            raise Rejected("officer_unconfirmed", f"the keys of {officer_id} are not confirmed")
        if certificate.state is CertificateState.ENDED:
            raise Rejected("wrong_certificate", f"{officer_id} used a certificate that was replaced")
        return officer

    def active(self, officer_id: str) -> Officer:
        """Return an officer who may act; Rejected as by `check`."""
        officer = self._known.officers.get(officer_id)
        if officer is None:
            raise Rejected("officer_not_enrolled", f"the node knows no officer {officer_id}")
        _check_state(officer, _REFUSED.keys())
        return self._until_now(officer) if officer.stands_in else officer

    def acting(self, officer_id: str) -> Officer | None:
        """Return an officer who may act now, None for one who may not."""
        with suppress(Rejected):
            return self.active(officer_id)
        return None

    def may_act(self, officer_id: str, verifier: CertificateVerifier, at: datetime) -> bool:
        """Return whether an officer has an authentication certificate that lets them act."""
        known = self._known.certificates.values()
        for each in [each for each in known if each.officer == officer_id and each.use == "authentication"]:
            with suppress(Rejected):
                verifier.authentication(each.der, expected_id=officer_id, at=at)
                self.check(officer_id, each.certificate_sha256, each.use)
                return True
        return False

    async def commit(self, ledger: Ledger, work: Work[T], *, bar: str = "") -> Committed[T]:
        """Commit a change of officers and put it in force; ``bar`` is the officer who may do nothing from now on.

        A caller who hangs up does not stop it.
        """
        task = asyncio.ensure_future(self._commit(ledger, work, bar))
        self._commits.add(task)
        task.add_done_callback(self._commits.discard)
        return await asyncio.shield(task)

    def notify(self, changes: Sequence[Change]) -> None:
        """Wake the reading of the rows if officers changed."""
        if any(isinstance(change, OfficersChanged) for change in changes):
            self.task.wake()

    def catch_up(self) -> None:
        """Wake the reading of the rows."""
        self.task.wake()

    async def _commit(self, ledger: Ledger, work: Work[T], bar: str) -> Committed[T]:
        if bar:  # before its turn: what is committed ahead of it may take long
            self._bars.append(bar)
            self._show()
        try:
            async with self._one:
                try:
                    return await ledger.commit(work)
                finally:
                    self._stored = await asyncio.to_thread(self._read)
        except Unavailable:
            # The rows could not be read, or the commit is uncertain: the bar remains until `task` has read them.
            self._left |= {bar} - {""}
            self.task.wake()
            raise
        finally:
            if bar:
                self._bars.remove(bar)
            self._show()

    async def _reload(self) -> float:
        """Read the rows; return the seconds until the next reading: at the latest when an appointment is over."""
        async with self._one:
            left = self._left
            self._stored = await asyncio.to_thread(self._read)
            self._left -= left
            self._show()
        ends = [stood.end_time for each in self._known.officers.values() for stood in each.stands_in]
        until = (min(ends) - self._clock()).total_seconds() if ends else READ_SECONDS
        return min(max(until, 0.0), READ_SECONDS)

    def _read(self) -> _Known:
        with self._store.reads() as reads:
            certificates = access_store.officer_certificates(reads)
            return _Known(
                effective_officers(reads),
                {each.certificate_sha256: each for each in certificates},
                tuple(access_store.deputies(reads)),
            )

    def _show(self) -> None:
        """Put in force what was read last, with the bars."""
        before = self._known
        self._known = self._in_force()
        if self._known == before:
            return
        for changed in self._followers:
            changed()

    def _in_force(self) -> _Known:
        """Return what was read last, with the bars, and with what officers see as deputies."""
        barred = {*self._bars, *self._left}
        officers = {
            each.id: replace(each, state=OfficerState.SUSPENDED) if each.id in barred and each.is_active else each
            for each in self._stored.officers.values()
        }
        for each in self._stored.deputies:
            officer, deputy = officers.get(each.officer), officers.get(each.deputy)
            if officer is None or deputy is None:  # a damaged row, which `verify` names
                continue
            if officer.is_active and deputy.is_active and each.end_time > self._clock():
                stood = StandIn(officer.id, officer.unit, each.end_time)
                officers[deputy.id] = replace(deputy, stands_in=(*deputy.stands_in, stood))
        return replace(self._stored, officers=officers)

    def _until_now(self, officer: Officer) -> Officer:
        """Return an officer without the appointments that are over at this moment."""
        now = self._clock()
        stands_in = tuple(each for each in officer.stands_in if each.end_time > now)
        return officer if stands_in == officer.stands_in else replace(officer, stands_in=stands_in)


def _check_state(officer: Officer, refused: Collection[OfficerState]) -> None:
    if officer.state in refused:
        reason, text = _REFUSED[officer.state]
        raise Rejected(reason, f"{officer.id} {text}")
