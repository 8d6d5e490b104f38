"""Who may call what: one list for every RPC, and the checks each call passes before it reaches a verb.

1. The RPC is in the list. (One that is not makes the node refuse to start.)
2. The register has not expired: otherwise nobody can be believed.
3. The caller showed a certificate. It is looked at again here, since TLS accepts the union of all CAs.
4. It is of the kind the RPC is for, issued by the right CA of the one member it names, valid now, not revoked.
5. A node's member is active and not ourselves; an officer is our own, known here, with the very certificate on record.
6. The rules permit the action.
7. The caller has not more calls under way than its share.
8. What another member's node is answered is signed only after that member was asked what it holds of our log
   (`paiza_node.core.peers.startup_comparison`).
"""

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from ssl import PEM_cert_to_DER_cert
from typing import Any, Final, Literal

from paiza_node.core.access.model import Officer
from paiza_node.core.access.principals import principal_of
from paiza_node.core.policy import Principal
from paiza_node.core.register.sync import RegisterCache
from paiza_register import Member, Register
from paiza_wire.errors import Rejected, Unavailable
from paiza_wire.identity import SpiffeId, load_certificate, uri_san

CALLS_PER_CALLER: Final = 16  # under way at once; a watching officer who submits in parallel needs about 8
BUSY_SECONDS: Final = 0.5

Who = Literal["node", "officer", "either"]


@dataclass(frozen=True, slots=True)
class Access:
    """Who may call an RPC, and the action the rules are asked about.

    The action is empty where the verb asks, with the message, and where whoever is known here may call.
    """

    who: Who
    action: str = ""


ACCESS: Final = {
    "/paiza.peer.v1.ExchangeService/Handshake": Access("node", "exchange"),
    "/paiza.peer.v1.ExchangeService/Deliver": Access("node", "exchange"),
    "/paiza.peer.v1.ExchangeService/ProveConsistency": Access("node", "exchange"),
    "/paiza.peer.v1.ExchangeService/FetchMessages": Access("node", "exchange"),
    "/paiza.peer.v1.ExchangeService/FetchAttachment": Access("node", "exchange"),
    "/paiza.peer.v1.WitnessService/ExchangeCheckpoints": Access("node", "exchange"),
    "/paiza.peer.v1.WitnessService/ProveEntries": Access("node", "exchange"),
    "/paiza.peer.v1.RecoveryService/ListHeldCheckpoints": Access("node", "exchange"),
    "/paiza.peer.v1.RecoveryService/ListLostEntries": Access("node", "exchange"),
    "/paiza.officer.v1.AttachmentService/StartUpload": Access("officer", "session"),
    "/paiza.officer.v1.AttachmentService/Upload": Access("officer", "session"),
    "/paiza.officer.v1.AttachmentService/Download": Access("officer"),
    "/paiza.officer.v1.OfficerService/GetSession": Access("officer", "session"),
    "/paiza.officer.v1.OfficerService/Submit": Access("officer"),
    "/paiza.officer.v1.OfficerService/ListMessages": Access("officer", "list"),
    "/paiza.officer.v1.OfficerService/OpenMessage": Access("officer"),
    "/paiza.officer.v1.OfficerService/Watch": Access("officer", "watch"),
    "/paiza.officer.v1.OfficerService/FindSourceRows": Access("officer", "list"),
    "/paiza.officer.v1.SearchService/Search": Access("officer", "search"),
    "/paiza.officer.v1.SearchService/ListLinks": Access("officer", "search"),
    "/paiza.officer.v1.SearchService/FindSimilar": Access("officer", "search"),
    "/paiza.officer.v1.WorkflowService/ListWorkflows": Access("officer", "list"),
    "/paiza.officer.v1.WorkflowService/GetWorkflow": Access("officer", "list"),
    "/paiza.officer.v1.ApprovalService/ListWaiting": Access("officer", "session"),
    "/paiza.officer.v1.ApprovalService/GetWaiting": Access("officer", "session"),
    "/paiza.officer.v1.ApprovalService/Approve": Access("officer", "session"),
    "/paiza.officer.v1.ApprovalService/Decline": Access("officer", "session"),
    "/paiza.officer.v1.ApprovalService/ListOfficers": Access("officer", "session"),
    "/paiza.officer.v1.TaskService/ListTasks": Access("officer", "list"),
    "/paiza.officer.v1.TaskService/AssignTask": Access("officer", "watch"),
    "/paiza.officer.v1.TaskService/TakeTask": Access("officer", "watch"),
    "/paiza.officer.v1.TaskService/AcknowledgeTask": Access("officer", "watch"),
    "/paiza.officer.v1.TaskService/CompleteTask": Access("officer", "watch"),
    "/paiza.officer.v1.AuditService/GetTrail": Access("officer", "trail"),
    "/paiza.officer.v1.AuditService/GetEvidence": Access("officer", "evidence"),
    "/paiza.officer.v1.AuditService/GetLogStatus": Access("officer", "trail"),
    "/paiza.peer.v1.PeerAuditService/ListGrantedEntries": Access("node", "consult"),
    "/paiza.peer.v1.PeerAuditService/CountGrantedMessages": Access("node", "consult"),
    "/paiza.peer.v1.PeerAuditService/AgreePeriod": Access("node", "consult"),
    "/paiza.officer.v1.AuditQueryService/ListLogEntries": Access("officer", "read_log"),
    "/paiza.officer.v1.AuditQueryService/GetMatrix": Access("officer", "read_log"),
    "/paiza.officer.v1.AuditQueryService/ClosePeriod": Access("officer", "oversee"),
    "/paiza.officer.v1.RetentionService/ListErasures": Access("officer", "trail"),
    "/paiza.officer.v1.RetentionService/PlaceHold": Access("officer", "hold"),
    "/paiza.officer.v1.RetentionService/ReleaseHold": Access("officer", "hold"),
    "/paiza.officer.v1.RetentionService/ListHolds": Access("officer", "trail"),
    "/paiza.officer.v1.RetentionService/ListReviews": Access("officer", "list"),
    "/paiza.officer.v1.RetentionService/KeepMessage": Access("officer", "review"),
    "/paiza.officer.v1.RetentionService/EraseOwnCopy": Access("officer", "review"),
    "/paiza.officer.v1.ForwardingService/Forward": Access("officer"),
    "/paiza.officer.v1.ForwardingService/AuthorizeExport": Access("officer"),
    "/paiza.officer.v1.ForwardingService/ListHolders": Access("officer", "trail"),
    "/paiza.core.v1.RegisterService/GetFile": Access("either", "read_register"),
    "/paiza.core.v1.RegisterService/GetArchivedSet": Access("either", "read_register"),
    "/grpc.health.v1.Health/Check": Access("either"),
    "/grpc.health.v1.Health/List": Access("either"),
    "/grpc.health.v1.Health/Watch": Access("either"),
}


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls: another member's node, or an officer of our own."""

    id: str
    member: Member | None = None
    officer: Officer | None = None


class _Denied(Rejected):
    """Denied by the rules, to an officer whom the node knows."""

    def __init__(self, officer: str, detail: str) -> None:
        super().__init__("policy_denied", detail)
        self.officer = officer


class Authenticator:
    """Admits callers. Belongs to one event loop."""

    def __init__(
        self,
        member: str,
        register_cache: RegisterCache,
        officers: Callable[[], dict[str, Officer]],
        clock: Callable[[], datetime],
        compared: Callable[[str, str, Any], Awaitable[None]] | None = None,
        denied: Callable[[str, str, str], Awaitable[None]] | None = None,
    ) -> None:
        """Take whose node this is, the register in force and the officers known.

        ``denied`` hears which officer the rules denied which call, and by which rule.
        ``compared`` takes a member, a method and a request, and returns when that member may be given what is signed.
        """
        self._compared = compared
        self._denied = denied
        self._member = member
        self._register_cache = register_cache
        self._officers = officers
        self._clock = clock
        self._under_way: Counter[str] = Counter()

    @asynccontextmanager
    async def admit(self, method: str, context: Any) -> AsyncIterator[Caller]:
        """Check a call and count it as under way while the block runs."""
        # 1.
        access = ACCESS[method]
        # 2.-6.
        try:
            caller = self._identify(access, context)
        except _Denied as error:
            if self._denied is not None:
                await self._denied(error.officer, method, error.detail)
            raise
        # 7.
        if self._under_way[caller.id] >= CALLS_PER_CALLER:
            raise Unavailable("busy", f"{CALLS_PER_CALLER} calls of this caller are under way already", BUSY_SECONDS)
        self._under_way[caller.id] += 1
        try:
            yield caller
        finally:
            self._under_way[caller.id] -= 1
            if not self._under_way[caller.id]:
                del self._under_way[caller.id]

    async def check_compared(self, method: str, caller: Caller, request: Any) -> None:
        """Step 8. Of an officer nothing is asked: it is our own log that he sees."""
        if caller.member is not None and self._compared is not None:
            await self._compared(caller.member.id, method, request)

    def check_again(self, method: str, context: Any) -> None:
        """Refuse the rest of a stream whose caller would no longer be admitted: revoked, suspended, expired."""
        self._identify(ACCESS[method], context)

    def _identify(self, access: Access, context: Any) -> Caller:
        # 2.
        register = self._register_cache.current
        # 3.
        shown = context.auth_context().get("x509_pem_cert")
        if not shown:
            raise Rejected("unauthenticated", "the caller showed no certificate")
        der = PEM_cert_to_DER_cert(shown[0].decode("ascii"))
        claimed = uri_san(load_certificate(der))
        if access.who not in ("either", claimed.role):
            raise Rejected("forbidden", f"this call is for {access.who}s")
        # 4.-6.
        if claimed.role == "node":
            return self._node(claimed, der, access.action, register)
        return self._officer(claimed, der, access.action, register)

    def _node(self, claimed: SpiffeId, der: bytes, action: str, register: Register) -> Caller:
        # 4.
        register.certificate_verifier().node(der, expected_member=claimed.member, at=self._clock())
        # 5.
        if claimed.member == self._member:
            raise Rejected("wrong_member", "a node does not call itself")
        member = register.active_member(claimed.member)
        # 6.
        if action:
            self._register_cache.policy.check(Principal(member.id, node=True), action)
        return Caller(str(claimed), member=member)

    def _officer(self, claimed: SpiffeId, der: bytes, action: str, register: Register) -> Caller:
        # 4.
        certificate = register.certificate_verifier().officer(der, expected_id=str(claimed), at=self._clock())
        # 5.
        if claimed.member != self._member:
            raise Rejected("wrong_member", "officers call their own member's node")
        officer = self._officers().get(str(claimed))
        if officer is None:
            raise Rejected("unknown_officer", "this officer is not known to the node")
        if certificate.fingerprint != officer.certificate_sha256:
            raise Rejected("unknown_officer", "this is not the certificate on record for the officer")
        # 6.
        if officer.suspended:
            raise _Denied(officer.id, "officer-suspended")
        try:
            if action:
                self._register_cache.policy.check(principal_of(officer), action)
        except Rejected as error:
            raise _Denied(officer.id, error.detail) from error
        return Caller(officer.id, officer=officer)
