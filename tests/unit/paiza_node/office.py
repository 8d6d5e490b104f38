"""The node of a minted member, as far as its officers go: a real store and ledger, and the directory over them."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from datetime import timedelta
from hashlib import sha256
from types import TracebackType
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from typing_extensions import override

from paiza.core.v1 import enrolment_pb2, log_pb2
from paiza_node.core.access import store as access_store
from paiza_node.core.access.checks import Officers
from paiza_node.core.access.model import Invitation, Officer
from paiza_node.core.access.officers import OfficerDirectory
from paiza_node.core.log import store as log_store
from paiza_node.core.log.ledger import Ledger, Work
from paiza_node.core.log.signer import LogSigner
from paiza_node.core.storage import Store, open_store
from paiza_node.core.storage.findings import Part
from paiza_node.features.officers.model import CertificatePair
from paiza_wire.identity import CertificateUse, CertificateVerifier, SpiffeId, VerifiedCertificate, keys
from paiza_wire.tlog.notes import SignerKey
from tests.unit.paiza_node.room import Clock, NoFile
from tests.unit.paiza_wire.minting import FEDERATION, NOW, Member, mint_member

ACTOR: Final = "os-user:operator"


class Office(AbstractContextManager["Office"]):
    """The officers of kaz at their node."""

    def __init__(self, url: str) -> None:
        self.clock = Clock()
        self.clock.now = NOW
        self.member: Member = mint_member("kaz")
        self.store = open_store(url)
        signer = SignerKey.from_ed25519(f"kaz.{FEDERATION}/log/1", keys.generate_ed25519())
        self.ledger = Ledger(self.store, LogSigner([signer]), NoFile(), lambda: bytes(32), self.clock)
        self.directory = OfficerDirectory(self.store, self.clock)

    @override
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.ledger.close()
        self.store.close()

    def verifier(self, *revoked: bytes) -> CertificateVerifier:
        """Return a verifier that knows this member's CAs, and these revocations."""
        authority = self.member.authority
        return CertificateVerifier(
            {
                "kaz": type(authority)(
                    authority.member,
                    authority.federation,
                    authority.node_cas,
                    authority.officer_cas,
                    frozenset(revoked),
                )
            }
        )

    def pair(self, name: str, **held: EllipticCurvePrivateKey) -> CertificatePair:
        """Mint two certificates for an officer, for new keys or those ``held`` by use."""
        uses: tuple[CertificateUse, CertificateUse] = ("authentication", "signing")
        return CertificatePair(*(self._verified(name, use, held.get(use)) for use in uses))

    def statement(self, name: str, *roles: str, unit: str = "") -> enrolment_pb2.InvitationStatement:
        """Return what an invitation states."""
        statement = enrolment_pb2.InvitationStatement(
            officer_id=officer_id(name),
            roles=sorted(roles or ("liaison",)),
            unit=unit,
            secret_sha256=sha256(name.encode()).digest(),
            salt=bytes(16),
        )
        statement.expiry_time.FromDatetime(self.clock.now + timedelta(hours=24))
        return statement

    def run(self, work: Work[Any]) -> Any:
        """Commit work, one moment after the last."""
        self.clock.now += timedelta(seconds=1)
        return self.ledger.commit_now(work).result

    def officer(self, name: str) -> Officer | None:
        """Return an officer's row."""
        with self.store.reads() as reads:
            return access_store.officer(reads, officer_id(name))

    def states(self, name: str) -> Mapping[bytes, str]:
        """Return the states of an officer's certificates."""
        with self.store.reads() as reads:
            found = access_store.officer_certificates(reads, officer_id(name))
        return {each.certificate_sha256: str(each.state) for each in found}

    def invitations(self, name: str) -> list[Invitation]:
        """Return every invitation of a person."""
        with self.store.reads() as reads:
            return access_store.invitations(reads, officer_id(name))

    def logged(self) -> list[tuple[str, str]]:
        """Return the events of the log with the texts beside them."""
        with self.store.reads() as reads:
            entries = list(log_store.entries(reads, 0, 10_000))
            texts = log_store.texts(reads, [each.index for each in entries])
        return [
            (
                log_pb2.LogEvent.Name(log_pb2.LogEntry.FromString(each.entry).event).removeprefix("LOG_EVENT_"),
                texts[each.index].text if each.index in texts else "",
            )
            for each in entries
        ]

    def findings(self) -> list[str]:
        """Return what `verify` finds wrong with the officers."""
        return officer_findings(self.store)

    def _verified(self, name: str, use: CertificateUse, key: EllipticCurvePrivateKey | None) -> VerifiedCertificate:
        minted = self.member.certify(name, use=use, not_after=NOW + timedelta(days=90), key=key)
        verify = getattr(self.verifier(), use)
        found: VerifiedCertificate = verify(minted.certificate, expected_id=str(minted.id), at=NOW)
        return found


def officer_id(name: str) -> str:
    """Return the SPIFFE id of an officer of this member."""
    return str(SpiffeId("kaz", FEDERATION, "officer", name))


def officer_findings(store: Store) -> list[str]:
    """Return what `verify` finds wrong with the officers in a store."""
    part = Part("officers")
    with store.reads() as reads:
        check = Officers(reads)
        for each in log_store.entries(reads, 0, 10_000):
            entry = log_pb2.LogEntry.FromString(each.entry)
            if entry.event in check.events:
                check.read_entry(each.index, entry)
        check.verify(part, lambda _count: None)
    return [each.what for each in part.findings]
