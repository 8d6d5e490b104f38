"""Revocation of officers' certificates in the register, as marked in their rows (`OfficerCertificate.to_revoke`).

The mark is committed with the change of the officer; the register is asked for what it lacks as long as it lacks it.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from hashlib import sha256
from typing import Final

import structlog

from paiza_node.core.access.model import OfficerCertificate
from paiza_node.core.access.officers import OfficerDirectory
from paiza_node.core.executors.periodic import PeriodicTask
from paiza_wire.errors import Rejected
from paiza_wire.identity import load_certificate
from paiza_wire.identity.certificate_profiles import p256_key
from paiza_wire.identity.keys import fingerprint

LOOK_SECONDS: Final = 60.0  # between two attempts, where the node may not publish

log = structlog.get_logger("paiza.officers")


class Revocations:
    """Revokes certificates of officers. Belongs to one event loop."""

    def __init__(
        self,
        directory: OfficerDirectory,
        revoke: Callable[[tuple[bytes, bytes]], Awaitable[object]],
        revoked: Callable[[], frozenset[bytes]],
        clock: Callable[[], datetime],
    ) -> None:
        """Store the register's ``revoke``, and ``revoked``: what it lists of the own member."""
        self._directory = directory
        self._revoke = revoke
        self._revoked = revoked
        self._clock = clock
        self.task = PeriodicTask(self._round, period=LOOK_SECONDS, failed="certificates_not_revoked")
        directory.follow(self.task.wake)

    def waits(self, certificate: OfficerCertificate) -> bool:
        """Return whether a certificate is to be revoked, valid still, and not revoked in the register yet."""
        return (
            certificate.to_revoke
            and certificate.not_after > self._clock()
            and not set(_fingerprints(certificate)) <= self._revoked()
        )

    async def _round(self) -> None:
        waiting = [each for each in self._directory.certificates().values() if self.waits(each)]
        try:
            # Together: they are published in one version.
            await asyncio.gather(*(self._revoke(_fingerprints(each)) for each in waiting))
        except Rejected as error:
            log.warning("certificates_not_revoked", reason=error.reason, detail=error.detail, count=len(waiting))
            return
        for each in waiting:
            log.warning("certificate_revoked", certificate=each.certificate_sha256.hex(), officer=each.officer)


def _fingerprints(certificate: OfficerCertificate) -> tuple[bytes, bytes]:
    return sha256(certificate.der).digest(), fingerprint(p256_key(load_certificate(certificate.der)))
