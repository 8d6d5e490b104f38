"""The issuer: checks a request, signs, writes the journal, and only then hands out the certificate.

1. The register is the issuer's own copy, and current (``register_expired``). A newer one is accepted under the checks
   of every reader, from the root that the issuer's own configuration names.
2. The entry is proven, and allows what is asked for (`checks`).
3. What was issued for this entry before is answered again, if it is for the same keys.
4. The register names a CA with the issuer's key; the certificate ends with that CA at the latest (``ca_unknown``).
5. The certificate passes the checks of every node.
6. It is on disk in the journal before it is handed out.

Synchronous: one call at a time.
"""

from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import Final

from paiza.issuer.v1 import issuer_pb2
from paiza_node.ops.issuer import checks
from paiza_node.ops.issuer.checks import Order
from paiza_node.ops.issuer.journal import Issued, Journal, KnownLog
from paiza_register import Register, RegisterReader
from paiza_register.node_folder import BACKDATED
from paiza_wire.errors import Rejected, Unavailable
from paiza_wire.identity import CertificateVerifier, MemberAuthority, Role, certificates, load_certificate
from paiza_wire.identity.certificate_profiles import p256_key
from paiza_wire.identity.certificates import AuthorityKey
from paiza_wire.identity.keys import PublicKey
from paiza_wire.receipts import VerifiedEntry

OFFICER_LIFE: Final = timedelta(days=90)
"""Life of an officer's certificates; they are renewed from 30 days before its end."""

NODE_LIFE: Final = timedelta(days=365)
"""Life of a node certificate."""


MAX_NODES: Final = 4
"""Node certificates in a day: a key is renewed once a year, or once after a theft."""


class Issuer:
    """The CAs of one member, and what it takes to use them."""

    def __init__(
        self,
        member: str,
        reader: RegisterReader,
        journal: Journal,
        authorities: Mapping[Role, AuthorityKey],
        administrators: Collection[PublicKey],
        clock: Callable[[], datetime],
    ) -> None:
        """Store the member's CA keys by role, and the keys of whom one must have signed each invitation, if any."""
        self._member = member
        self._reader = reader
        self.journal = journal
        self._authorities = authorities
        self._administrators = administrators
        self._clock = clock
        self._lock = Lock()

    def state(self) -> issuer_pb2.GetStateResponse:
        """Return what the issuer holds of the register and of the member's log."""
        last, known = self._reader.last, self.journal.known
        return issuer_pb2.GetStateResponse(
            register_version=b"" if last is None else last.version,
            timestamp_version=0 if last is None else last.timestamp_version,
            root_version=0 if last is None else last.root_version,
            log_origin="" if known is None else known.origin,
            log_size=0 if known is None else known.size,
            administrator_required=bool(self._administrators),
        )

    def update_register(self, files: Mapping[str, bytes]) -> bytes:
        """Accept a newer register; return the version of the one in force."""
        with self._lock:
            return self._reader.accept(files, self._clock()).version

    def issue_officer(self, request: issuer_pb2.IssueOfficerRequest) -> Issued:
        """Issue an officer's two certificates; errors as in `checks`."""
        with self._lock:
            register, now = self._register(), self._clock()
            entry = checks.proven_entry(request.entry, register, self._member, self.journal.known, now)
            match request.WhichOneof("authority"):
                case "enrolment":
                    order = checks.enrolment(
                        entry, request.enrolment, register, self._member, self._administrators, now
                    )
                case "renewal":
                    order = checks.renewal(entry, request.renewal, register, self._member, self.journal, now)
                case _:
                    raise Rejected("malformed", "the request names neither an invitation nor a renewal")
            return self._issued(entry, order, register, now)

    def issue_node(self, request: issuer_pb2.IssueNodeRequest) -> Issued:
        """Issue a node certificate; errors as in `checks`."""
        with self._lock:
            register, now = self._register(), self._clock()
            entry = checks.proven_entry(request.entry, register, self._member, self.journal.known, now)
            order = checks.node(entry, request.request, register, self._member)
            if checks.earlier(self.journal, entry, order) is None:
                self._check_pace(now)
            return self._issued(entry, order, register, now)

    def _check_pace(self, now: datetime) -> None:
        """Raise Unavailable("busy") if nodes got their certificates of a day: a thief of the node stores up few."""
        recent = [each for each in self.journal.lines if each.kind == "node" and each.time > now - timedelta(days=1)]
        if len(recent) >= MAX_NODES:
            free = recent[-MAX_NODES].time + timedelta(days=1) - now
            raise Unavailable("busy", f"{MAX_NODES} node certificates were issued within a day", free.total_seconds())

    def _register(self) -> Register:
        # 1.
        self.journal.read_again()
        register = self._reader.current(self._clock())
        if register is None:
            raise Unavailable("register_unavailable", "the issuer has no register yet")
        return register

    def _issued(self, entry: VerifiedEntry, order: Order, register: Register, now: datetime) -> Issued:
        # 3.
        if (found := checks.earlier(self.journal, entry, order)) is not None:
            return found
        # 4.-5.
        made = self._certificates(order, register, now)
        # 6.
        checkpoint = entry.checkpoint
        issued = Issued(
            kind=order.kind,
            id=str(order.id),
            index=entry.index,
            log=KnownLog(checkpoint.origin, checkpoint.size, checkpoint.root),
            keys=order.keys,
            statement=order.statement,
            certificates=made,
            time=now.astimezone(UTC),
        )
        self.journal.append(issued)
        return issued

    def _certificates(self, order: Order, register: Register, now: datetime) -> tuple[bytes, ...]:
        role: Role = order.id.role
        key = self._authorities[role]
        authority = register.active_member(self._member).authority
        ca, ends = _announced(authority, role, key, now)
        begins = now.astimezone(UTC).replace(microsecond=0) - BACKDATED
        until = min(begins + (NODE_LIFE if role == "node" else OFFICER_LIFE), ends)
        life = {"not_before": begins, "not_after": until}
        verifier = CertificateVerifier({self._member: authority})
        if role == "node":
            (request,) = order.requests
            made = certificates.issue_node(request, ca, key, spiffe_id=order.id, **life)
            verifier.node(made, expected_member=self._member, at=now)
            return (made,)
        first, second = order.requests
        authentication = certificates.issue_officer(first, ca, key, spiffe_id=order.id, use="authentication", **life)
        signing = certificates.issue_officer(second, ca, key, spiffe_id=order.id, use="signing", **life)
        verifier.authentication(authentication, expected_id=str(order.id), at=now)
        verifier.signing(signing, expected_id=str(order.id), at=now)
        return authentication, signing


def _announced(authority: MemberAuthority, role: Role, key: AuthorityKey, now: datetime) -> tuple[bytes, datetime]:
    """Return the CA (DER) with this key that the register announces for this time, and its end."""
    for ca in authority.cas(role):
        if p256_key(load_certificate(ca.certificate)) == key.public_key() and ca.begins <= now < ca.expiry_time:
            return ca.certificate, ca.expiry_time
    raise Unavailable("ca_unknown", f"the register names no valid {role} CA with this key")
