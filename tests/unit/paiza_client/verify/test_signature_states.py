"""What evidence makes of a signature in every state of its certificate; both verifiers must say the same.

The same states at Submit, at approval and at a peer are in `tests.integration.exchange.test_signature_matrix`.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import pytest

from paiza.core.v1 import log_pb2, message_pb2
from paiza_register.ceremony.member_file import ca_entry
from paiza_wire import message
from paiza_wire.identity import (
    CertificateAuthority,
    SpiffeId,
    VerifiedCertificate,
    certificates,
    keys,
    load_certificate,
)
from tests.evidence import Case, Court
from tests.revocations import revocation
from tests.system.minting import Identity, Mint
from tests.two_verifiers import agreed, remembering_sets

DAY: Final = timedelta(days=1)
OFFICER: Final = SpiffeId("kaz", "paiza.example", "officer", "liaison")


@pytest.fixture(scope="module")
def second() -> Iterator[ModuleType]:
    """The second verifier."""
    with remembering_sets() as verifier:
        yield verifier


class World:
    """A federation whose author announces three CAs of officers: one whose time is over, the present and the next."""

    def __init__(self, folder: Path) -> None:
        self.court = Court(folder, ("kaz", "tjk", "uzb"))
        self.former, self.following = self._ca(), self._ca()
        now = self.court.now
        document = self.court.document("members/kaz/member.json")
        document["officer_cas"] += [
            ca_entry(CertificateAuthority(self.former[0], now - 20 * DAY, now - DAY)),
            ca_entry(CertificateAuthority(self.following[0], now - DAY, now + 20 * DAY)),
        ]
        self.court.publish({"members/kaz/member.json": document})
        self.mint = Mint(folder, self.court.register)

    def case(self, identity: Identity) -> Case:
        """Begin with a message of kaz, signed with this."""
        case = self.court.case(recipients=["tjk"])
        signed = message_pb2.SignedMessage.FromString(case.signed)
        header = signed.header
        signature = message.countersign(header, identity.signer(str(OFFICER)))
        del signed.signatures[:]
        signed.signatures.append(signature)
        case.signed = signed.SerializeToString(deterministic=True)
        (own,) = case.message.signers
        case.message = replace(case.message, signers=(_as_logged(own, identity.certificate),))
        return case

    def issue(self, **when: Any) -> Identity:
        """Certify the officer with the present CA."""
        return self.mint.issue("kaz", "officer", OFFICER, use="signing", **when)

    def by(self, ca: tuple[bytes, Any]) -> Identity:
        """Certify the officer with another CA, for this time."""
        own, now = keys.generate_p256(), self.court.now
        certificate = certificates.issue(
            own.public_key(), load_certificate(ca[0]), ca[1], OFFICER, "signing", now - DAY / 2, now + DAY
        )
        return Identity(keys.private_key_to_pem(own), certificate)

    def revoke(self, identity: Identity) -> None:
        """Publish the revocation of a certificate and its key, beside those that are there."""
        document = self.court.document("members/kaz/revoked.json")
        document["certificates"].append(revocation(identity.certificate))
        self.court.publish({"members/kaz/revoked.json": document})

    @staticmethod
    def _ca() -> tuple[bytes, Any]:
        key, begins = keys.generate_p256(), datetime.now(UTC) - 30 * DAY
        made = certificates.issue_ca(
            "kaz", "paiza.example", "officer", key, not_before=begins, not_after=begins + 300 * DAY
        )
        return made, key


def _as_logged(own: VerifiedCertificate, certificate: bytes) -> VerifiedCertificate:
    """Return a certificate as the author's node names it in its log, whatever it is."""
    return replace(own, fingerprint=sha256(certificate).digest(), der=certificate)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Return the federation; its logs only grow."""
    return World(tmp_path_factory.mktemp("states") / "federation")


STATES: Final[Mapping[str, tuple[Callable[[World], Identity], bool]]] = {
    "in use": (lambda w: w.mint.signing_identity("kaz-liaison"), True),
    "renewed": (lambda w: w.issue(), True),
    "of the next CA": (lambda w: w.by(w.following), True),
    "of a former CA": (lambda w: w.by(w.former), False),
    "not valid yet": (lambda w: w.issue(begins=w.court.now + DAY), False),
    "expired": (lambda w: w.issue(begins=w.court.now - 9 * DAY, life=8 * DAY), False),
    "of an unknown CA": (lambda w: w.mint.stranger(OFFICER, "signing"), False),
    "of another member": (lambda w: w.mint.signing_identity("uzb-liaison"), False),
    "of another member's CA": (lambda w: w.mint.issue("uzb", "officer", OFFICER, use="signing"), False),
    "of a colleague": (lambda w: w.mint.signing_identity("kaz-authoriser"), False),
    "for authentication": (lambda w: w.mint.officer("kaz-liaison"), False),
    "of the node": (lambda w: w.mint.node("kaz"), False),
}


@pytest.mark.parametrize("state", STATES)
def test_a_signature_in_this_state(world: World, second: ModuleType, state: str) -> None:
    """A release with it proves something only where the certificate was valid for signing under its register."""
    identity, holds = STATES[state]
    found = agreed(second, world.case(identity(world)).release().forced(), world.court.root)
    assert (found is not None) == holds


def test_a_suspended_members_signatures_stay_provable(tmp_path: Path, second: ModuleType) -> None:
    """What was released before proves the same afterwards."""
    world = World(tmp_path / "federation")
    case = world.case(world.mint.signing_identity("kaz-liaison")).release()
    federation = world.court.document("federation.json")
    federation["members"]["kaz"]["status"] = "suspended"
    world.court.publish({"federation.json": federation})
    assert agreed(second, case.forced(), world.court.root) is not None


@pytest.mark.parametrize(
    ("when", "holds"),
    [("before", False), ("before, in the register before it", True), ("behind another entry", False), ("after", True)],
)
def test_a_signature_revoked(tmp_path: Path, second: ModuleType, when: str, *, holds: bool) -> None:
    """A revocation counts from the first register that carries it, by the log's own entries.

    Without witnesses a log that names the register before it, and nothing else, is believed.
    """
    world = World(tmp_path / "federation")
    identity = world.issue()
    case = world.case(identity)
    earlier = case.register_version
    if when == "after":
        case.release()
    world.revoke(identity)
    if when == "behind another entry":
        officer = {"actor": str(OFFICER), "part_number": 0, "register_version": world.court.register.version}
        case.add("others", "kaz", log_pb2.LOG_EVENT_OPENED, **officer)
    if when != "after":
        case.register_version = world.court.register.version if when == "before" else earlier
        case.release()
    found = agreed(second, case.forced(), world.court.root)
    assert (found is not None) == holds
    if found is not None:
        assert found["signed"][0]["revoked_by"] == [world.court.register.version.hex()]
