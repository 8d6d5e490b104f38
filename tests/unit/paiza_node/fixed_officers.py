"""A directory of officers without a store: the rows are what a test says."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

from typing_extensions import override

from paiza_node.core.access import store as access_store
from paiza_node.core.access.model import CertificateState, Officer, OfficerCertificate
from paiza_node.core.access.officers import OfficerDirectory, _Known
from paiza_node.core.storage import Store
from paiza_node.features.officers.admit import read_file
from paiza_wire.identity import CertificateUse


class FixedOfficers(OfficerDirectory):
    """These officers with these certificates, until `replace` is called."""

    def __init__(self, officers: Sequence[Officer] = (), certificates: Sequence[OfficerCertificate] = ()) -> None:
        self._rows = _Known(
            {each.id: each for each in officers}, {each.certificate_sha256: each for each in certificates}, ()
        )
        self._deputies_in: Store | None = None
        store: Any = None
        super().__init__(store, lambda: datetime.now(UTC))

    def keep_deputies(self, store: Store, clock: Callable[[], datetime]) -> None:
        """Read the deputies from a store from now on, at the times of a clock."""
        self._deputies_in, self._clock = store, clock

    def replace(self, officer: Officer) -> None:
        """Put another row in the place of an officer's."""
        self._rows = replace(self._rows, officers={**self._rows.officers, officer.id: officer})
        self._stored = self._read()
        self._show()

    @override
    def _read(self) -> _Known:
        if self._deputies_in is None:
            return self._rows
        with self._deputies_in.reads() as reads:
            return replace(self._rows, deputies=tuple(access_store.deputies(reads)))


def certificate(officer: Officer, use: CertificateUse, sha: bytes, der: bytes = b"") -> OfficerCertificate:
    """Return a certificate of an officer that counts."""
    begins = datetime(2026, 1, 1, tzinfo=UTC)
    ends = begins + timedelta(days=4000)
    return OfficerCertificate(sha, officer.id, use, der, begins, ends, CertificateState.ACTIVE, 0)


def listed_officers(file: Path) -> FixedOfficers:
    """Return the officers in a development federation's officers.json, as if they were admitted."""
    officers, certificates = [], []
    for each in read_file(file.read_bytes()):
        officers.append(Officer(each.id, frozenset(each.roles), each.unit))
        ders: dict[CertificateUse, bytes] = {
            "authentication": each.authentication_certificate,
            "signing": each.signing_certificate,
        }
        certificates += [certificate(officers[-1], use, sha256(der).digest(), der) for use, der in ders.items()]
    return FixedOfficers(officers, certificates)
