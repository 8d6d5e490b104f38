"""Every RPC for officers against every state of an officer: each is told exactly why, and the node names them."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from ssl import PEM_cert_to_DER_cert
from types import SimpleNamespace
from typing import Any, Final

import pytest

from paiza_node.core.access.model import CertificateState, Officer, OfficerCertificate, OfficerState
from paiza_node.core.api import services
from paiza_node.core.api.authentication import Authenticator
from paiza_node.core.policy import Policy
from paiza_trust import dev
from paiza_wire.errors import Rejected
from paiza_wire.identity import CertificateVerifier
from tests.registers import read_register
from tests.unit.paiza_node.fixed_officers import FixedOfficers, certificate
from tests.unit.paiza_node.tls_properties import tls_properties

OFFICERS: Final = [method for method, access in services.accesses().items() if access.who in ("officer", "either")]
PEERS: Final = [method for method, access in services.accesses().items() if access.who == "node"]
ROLES: Final = frozenset({"liaison", "duty", "authoriser", "coordinator", "auditor", "custodian", "data"})


class Door:
    """A node's door, and the liaison officer of kaz before it with their authentication certificate."""

    def __init__(self, folder: Path) -> None:
        self.register = read_register(folder)
        self._pem = (folder / "home/kaz-liaison/authentication.crt").read_text()
        self.der = PEM_cert_to_DER_cert(self._pem)
        self.officer = Officer(f"spiffe://kaz.{self.register.federation}/officer/liaison", ROLES, "bureau")
        self.denied: list[tuple[str, str, str]] = []
        self.now = datetime.now(UTC)

    def certificates(self, **changes: Any) -> list[OfficerCertificate]:
        """Return the row of the certificate that is shown, changed."""
        return [replace(certificate(self.officer, "authentication", sha256(self.der).digest(), self.der), **changes)]

    async def told(self, officers: FixedOfficers, method: str, *, revoked: bool = False) -> str:
        """Call an RPC; return the reason of the refusal, empty if it is let in."""
        register: Any = self.register
        if revoked:
            authority = replace(self.register.member("kaz").authority, revoked=frozenset([sha256(self.der).digest()]))
            verifier = CertificateVerifier({"kaz": authority})
            register = SimpleNamespace(certificate_verifier=lambda: verifier)
        cache: Any = SimpleNamespace(current=register, last=register, policy=Policy(self.register.agreements))
        authenticator = Authenticator("kaz", cache, officers, lambda: self.now, denied=self._note)
        context = SimpleNamespace(
            auth_context=lambda: tls_properties(self._pem.encode()), add_done_callback=lambda _callback: None
        )
        try:
            async with authenticator.admit(method, context):
                return ""
        except Rejected as error:
            return error.reason

    async def _note(self, officer: str, method: str, refusal: Rejected) -> None:
        self.denied.append((officer, method, refusal.reason))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a federation's keys and register."""
    path = tmp_path_factory.mktemp("states") / "federation"
    dev.create(path, ["kaz", "tjk"], base_port=20_000)
    return path


def states(door: Door) -> Mapping[str, tuple[FixedOfficers, dict[str, Any], str]]:
    """Return the list of officers, how the call is made, and the reason, for each state of the officer."""
    officer, own = door.officer, door.certificates()

    def listed(state: OfficerState, rows: list[OfficerCertificate] = own) -> FixedOfficers:
        return FixedOfficers([replace(officer, state=state)], rows)

    active, removed = OfficerState.ACTIVE, OfficerState.REMOVED
    ended = door.certificates(state=CertificateState.ENDED)
    return {
        "active": (listed(active), {}, ""),
        "unknown": (FixedOfficers(), {}, "officer_not_enrolled"),
        "another certificate": (listed(active, []), {}, "officer_not_enrolled"),
        "unconfirmed": (listed(OfficerState.UNCONFIRMED), {}, "officer_unconfirmed"),
        "new keys asleep": (
            listed(active, door.certificates(state=CertificateState.ASLEEP)),
            {},
            "officer_unconfirmed",
        ),
        "suspended": (listed(OfficerState.SUSPENDED), {}, "officer_suspended"),
        "removed": (listed(removed, ended), {}, "officer_removed"),
        "removed and revoked": (listed(removed, ended), {"revoked": True}, "officer_removed"),
        "revoked": (listed(OfficerState.SUSPENDED, ended), {"revoked": True}, "certificate_revoked"),
        "replaced": (listed(active, ended), {}, "wrong_certificate"),
        "for signing in the list": (listed(active, door.certificates(use="signing")), {}, "wrong_certificate"),
        "of another in the list": (listed(active, door.certificates(officer="other")), {}, "officer_not_enrolled"),
    }


async def test_every_rpc_tells_an_officer_in_every_state_why(folder: Path) -> None:
    """And every refusal is handed on to be logged, with the officer's id and the same reason."""
    door = Door(folder)
    for name, (officers, how, reason) in states(door).items():
        for method in OFFICERS:
            door.denied.clear()
            assert (name, method, await door.told(officers, method, **how)) == (name, method, reason)
            assert door.denied == ([(door.officer.id, method, reason)] if reason else [])


async def test_an_rpc_for_nodes_tells_an_officer_nothing_of_their_state(folder: Path) -> None:
    """It is not for them, whatever they are."""
    door = Door(folder)
    for officers, how, _reason in states(door).values():
        for method in PEERS:
            assert await door.told(officers, method, **how) == "forbidden"
    assert door.denied == []


async def test_a_certificate_that_is_out_of_its_time_is_told_as_such(folder: Path) -> None:
    """TLS would end such a connection; a call that goes on over midnight meets it here."""
    door = Door(folder)
    for years in (-9, 9):
        door.now += timedelta(days=365 * years)
        for officers, _how, reason in states(door).values():
            expected = "officer_removed" if reason == "officer_removed" else "certificate_expired"
            assert await door.told(officers, OFFICERS[0]) == expected
        door.now = datetime.now(UTC)
