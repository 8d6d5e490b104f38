"""The node of kaz as far as enrolment goes: a real store and log, the officers, and an issuer that can be broken.

room = EnrolmentRoom(url)
invitation = room.invite("petrov")
answer = await room.enrol.enrol(room.request(invitation, OfficerKeys()), "ipv4:192.0.2.1")
"""

import secrets
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from hashlib import sha256
from types import SimpleNamespace, TracebackType
from typing import Any, Final, Self, cast

from paiza.core.v1 import enrolment_pb2 as statements_pb2
from paiza.core.v1 import log_pb2
from paiza.enrolment.v1 import enrolment_pb2
from paiza.officer.v1 import renewal_pb2
from paiza_node.core.access import store as access_store
from paiza_node.core.access.model import Invitation, OfficerCertificate
from paiza_node.core.access.officers import OfficerDirectory
from paiza_node.core.log import store as log_store
from paiza_node.features.enrolment.enrol import Enrol
from paiza_node.features.enrolment.issuing import (
    EnrolmentRequest,
    IssuedOfficer,
    OfficerCertificates,
    RenewalRequest,
)
from paiza_node.features.enrolment.renew import Renew
from paiza_node.features.officers.certificates import sleeping, waiting_keys_sha256
from paiza_node.features.officers.change import suspend
from paiza_node.features.officers.enrol import confirm, invite
from paiza_wire.errors import PaizaError, Rejected
from paiza_wire.identity import (
    CertificateAuthority,
    CertificateVerifier,
    MemberAuthority,
    SpiffeId,
    certificates,
    invitations,
    keys,
    statements,
)
from tests.unit.paiza_node.room import Room

FEDERATION: Final = "paiza.example"
MEMBER: Final = "kaz"
FIRST_ROOT: Final = b"the first root"
OPERATOR: Final = "os-user:root"


@dataclass
class OfficerKeys:
    """Both keys of a person who enrols or renews."""

    authentication: Any = field(default_factory=keys.generate_p256)
    signing: Any = field(default_factory=keys.generate_p256)

    def requests(self, officer: SpiffeId) -> tuple[bytes, bytes]:
        """Return both signing requests."""
        return certificates.create_csr(officer, self.authentication), certificates.create_csr(officer, self.signing)


@dataclass
class Authorities:
    """The CAs of kaz, as the register names them."""

    begins: datetime
    node_key: Any = field(default_factory=keys.generate_p256)
    officer_key: Any = field(default_factory=keys.generate_p256)
    officer_end: datetime | None = None  # announced for the officer CA; None: as long as it is valid

    def __post_init__(self) -> None:
        life = {"not_before": self.begins - timedelta(days=1), "not_after": self.begins + timedelta(days=3650)}
        self.node = certificates.issue_ca(MEMBER, FEDERATION, "node", self.node_key, **life)
        self.officer = certificates.issue_ca(MEMBER, FEDERATION, "officer", self.officer_key, **life)

    def verifier(self) -> CertificateVerifier:
        """Return what the register verifies certificates with."""
        officer_ca = CertificateAuthority.of(self.officer)
        officer_ca = replace(officer_ca, ends=self.officer_end or officer_ca.ends)
        authority = MemberAuthority(MEMBER, FEDERATION, (CertificateAuthority.of(self.node),), (officer_ca,))
        return CertificateVerifier({MEMBER: authority})


class FakeIssuer:
    """An issuer with a journal that outlives the node; ``broken`` is raised in its place, ``lost`` after it issued."""

    def __init__(self, authorities: Authorities, clock: Any) -> None:
        self.authorities = authorities
        self.clock = clock
        self.signatures: list[list[bytes]] = []
        self.journal: dict[int, tuple[bytes, OfficerCertificates]] = {}
        self.life = timedelta(days=90)
        self.broken: PaizaError | None = None
        self.lost: PaizaError | None = None

    async def enrol(self, request: EnrolmentRequest) -> OfficerCertificates:
        """Issue what an invitation allows, once."""
        self.signatures.append(list(request.administrator_signatures))
        statement = statements_pb2.InvitationStatement.FromString(request.statement)
        csrs = (request.authentication_request, request.signing_request)
        return self._issue(request.log_index, statement.officer_id, *csrs)

    async def renew(self, request: RenewalRequest) -> OfficerCertificates:
        """Issue what a request allows, once."""
        statement = statements_pb2.RenewalStatement.FromString(request.statement)
        csrs = (statement.authentication_request, statement.signing_request)
        return self._issue(request.log_index, statement.officer_id, *csrs)

    async def certify_node(self, log_index: int, request: bytes) -> bytes:
        """Not asked here."""
        raise NotImplementedError

    async def requires_administrator(self) -> bool:
        """Need none."""
        return False

    async def issued(self) -> list[IssuedOfficer]:
        """Not asked here."""
        raise NotImplementedError

    async def node_certificates(self) -> list[bytes]:
        """Not asked here."""
        raise NotImplementedError

    def _issue(self, index: int, officer: str, authentication: bytes, signing: bytes) -> OfficerCertificates:
        if self.broken is not None:
            raise self.broken
        wanted = b"".join(keys.fingerprint(certificates.read_csr(csr)[1]) for csr in (authentication, signing))
        known = self.journal.get(index)
        if known is not None and known[0] != wanted:
            raise Rejected("already_issued", "for other keys")
        if known is None:
            known = (
                wanted,
                OfficerCertificates(
                    self._certificate(officer, authentication, "authentication"),
                    self._certificate(officer, signing, "signing"),
                ),
            )
            self.journal[index] = known
        if self.lost is not None:
            raise self.lost
        return known[1]

    def _certificate(self, officer: str, csr: bytes, use: Any) -> bytes:
        now = self.clock()
        return certificates.issue_officer(
            csr,
            self.authorities.officer,
            self.authorities.officer_key,
            spiffe_id=SpiffeId.parse(officer),
            use=use,
            not_before=now - timedelta(minutes=5),
            not_after=now + self.life,
        )


class EnrolmentRoom:
    """A node that is asked for certificates."""

    def __init__(self, url: str) -> None:
        self.room = Room(url)
        self.enrol_address = "127.0.0.1:1"
        self.clock = self.room.clock
        self.authorities = Authorities(self.clock.now)
        self.issuer = FakeIssuer(self.authorities, self.clock)
        self.restart()

    def restart(self) -> None:
        """Forget all that is in memory only."""
        register = SimpleNamespace(certificate_verifier=self.authorities.verifier)
        register_cache = cast("Any", SimpleNamespace(current=register, last=register))
        self.core = replace(self.room.core, register_cache=register_cache)
        self.directory = OfficerDirectory(self.core.store, self.core.clock)
        self.enrol = Enrol(self.core, self.directory, self.issuer, FIRST_ROOT)
        self.renew = Renew(self.core, self.directory, self.issuer)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.room.ledger.close()
        self.room.store.close()

    def invite(self, name: str, life: timedelta = timedelta(hours=24)) -> enrolment_pb2.Invitation:
        """Invite a person; return what they are handed."""
        secret = secrets.token_bytes(invitations.SECRET_BYTES)
        handed = enrolment_pb2.Invitation(
            enrol_address=self.enrol_address,
            node_address="127.0.0.1:2",
            member=MEMBER,
            federation=FEDERATION,
            officer_id=str(SpiffeId(MEMBER, FEDERATION, "officer", name)),
            node_cas=[self.authorities.node],
            first_root_sha256=sha256(FIRST_ROOT).digest(),
            newest_root_version=1,
            newest_root_sha256=sha256(FIRST_ROOT).digest(),
        )
        statement = statements_pb2.InvitationStatement(
            officer_id=handed.officer_id,
            roles=["liaison"],
            unit="border-service",
            secret_sha256=sha256(secret).digest(),
            salt=secrets.token_bytes(16),
            envelope_sha256=invitations.envelope_sha256(handed),
        )
        statement.expiry_time.FromDatetime(self.clock() + life)
        stored = self.commit(lambda tx: invite(tx, statement, actor=OPERATOR))
        handed.secret, handed.statement = secret, stored.statement
        return handed

    def confirm(self, name: str) -> None:
        """Confirm the keys of a person that wait, as an operator does who heard the right words."""
        officer = str(SpiffeId(MEMBER, FEDERATION, "officer", name))
        digest = waiting_keys_sha256(sleeping(self.certificates(name)))
        self.commit(lambda tx: confirm(tx, officer, digest, actor=OPERATOR))
        self._read_officers()

    def suspend(self, name: str) -> None:
        """Suspend an officer."""
        officer = str(SpiffeId(MEMBER, FEDERATION, "officer", name))
        self.commit(lambda tx: suspend(tx, officer, "on leave", stolen=False, actor=OPERATOR))
        self._read_officers()

    def _read_officers(self) -> None:
        self.directory = OfficerDirectory(self.core.store, self.core.clock)
        self.renew = Renew(self.core, self.directory, self.issuer)

    def commit(self, work: Any) -> Any:
        """Commit something now."""
        return self.room.ledger.commit_now(work).result

    def request(self, invitation: enrolment_pb2.Invitation, officer_keys: OfficerKeys) -> enrolment_pb2.EnrolRequest:
        """Return the request of a person with an invitation."""
        authentication, signing = officer_keys.requests(SpiffeId.parse(invitation.officer_id))
        return enrolment_pb2.EnrolRequest(
            invitation_sha256=invitations.invitation_sha256(invitation.statement),
            secret=invitation.secret,
            authentication_request=authentication,
            signing_request=signing,
        )

    def renewal(
        self, name: str, present: OfficerKeys, signing_certificate: bytes, new: OfficerKeys
    ) -> renewal_pb2.RenewRequest:
        """Return an officer's request for new certificates."""
        officer = SpiffeId(MEMBER, FEDERATION, "officer", name)
        authentication, signing = new.requests(officer)
        statement = statements_pb2.RenewalStatement(
            officer_id=str(officer),
            authentication_request=authentication,
            signing_request=signing,
            salt=secrets.token_bytes(16),
        )
        statement.request_time.FromDatetime(self.clock())
        data = statement.SerializeToString(deterministic=True)
        return renewal_pb2.RenewRequest(
            statement=data,
            signing_certificate=signing_certificate,
            signature=statements.sign_renewal(present.signing, data),
        )

    def stored(self, invitation: enrolment_pb2.Invitation) -> Invitation:
        """Return what became of an invitation."""
        with self.core.store.reads() as reads:
            found = access_store.invitation(reads, invitations.invitation_sha256(invitation.statement))
        assert found is not None
        return found

    def certificates(self, name: str) -> list[OfficerCertificate]:
        """Return the certificates of a person, in the order of their entries."""
        with self.core.store.reads() as reads:
            return access_store.officer_certificates(reads, str(SpiffeId(MEMBER, FEDERATION, "officer", name)))

    def events(self) -> list[str]:
        """Name the events of the log."""
        with self.core.store.reads() as reads:
            size = self.room.ledger.checkpoint.size
            entries = [log_pb2.LogEntry.FromString(each.entry) for each in log_store.entries(reads, 0, size)]
        return [log_pb2.LogEvent.Name(each.event).removeprefix("LOG_EVENT_") for each in entries]
