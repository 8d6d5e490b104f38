"""Checks of each call before its handler runs.

1. The RPC declares in its .proto who may call it. (The node does not start if one declares nothing.)
2. The register has not expired. Calls about the register itself (`ABOUT_REGISTER`) are admitted by the one verified
   last: otherwise nodes whose register expired could never get a newer one from each other.
3. The caller presented a certificate. It is verified again here, since TLS accepts the union of all CAs.
4. It is of the kind that the RPC requires, issued by the CA of the one member it names, valid now, not revoked.
5. The member of a calling node is active, not our own and not blocked; files of the register are also answered to one
   that is suspended or whose role has expired: it verifies them. An officer is our own, with the certificate on record.
6. The policy permits the action.
7. The caller does not exceed its share of concurrent calls.
8. Responses to another member's node are signed only after that member was asked what it holds of our log
   (`paiza_node.core.peers.startup_comparison`).
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from ssl import PEM_cert_to_DER_cert
from typing import Any, Final

from paiza_node.core.access.model import Officer
from paiza_node.core.access.principals import principal_of
from paiza_node.core.api import services
from paiza_node.core.peers.blocks import PeerBlocks
from paiza_node.core.peers.rpcs import ABOUT_REGISTER, FILES
from paiza_node.core.policy import Principal
from paiza_node.core.register.sync import RegisterCache
from paiza_register import Member, Register
from paiza_wire.errors import Rejected, Unavailable
from paiza_wire.identity import SpiffeId, load_certificate, uri_san

CALLS_PER_CALLER: Final = 16  # concurrent; an officer with an open watch who submits in parallel needs about 8
BUSY_SECONDS: Final = 0.5


@dataclass(frozen=True, slots=True)
class Caller:
    """The caller: another member's node, or an officer of our own."""

    id: str
    member: Member | None = None
    officer: Officer | None = None


def officer_of(caller: Caller) -> Officer:
    """Return the calling officer of an RPC for officers."""
    assert caller.officer is not None, "only officers are admitted here"
    return caller.officer


def member_of(caller: Caller) -> Member:
    """Return the member whose node calls an RPC for nodes."""
    assert caller.member is not None, "only nodes are admitted here"
    return caller.member


@dataclass(eq=False, slots=True)
class _MemberCall:
    """A call of another member's node under way: cut if that member is blocked."""

    member: str
    method: str
    task: asyncio.Task[Any] | None
    refusal: Rejected | None = None


class _Denied(Rejected):
    """Raised if the policy denies a call to a known officer."""

    def __init__(self, officer: str, detail: str) -> None:
        super().__init__("policy_denied", detail)
        self.officer = officer


class Authenticator:
    """Authenticates and authorises callers. Belongs to one event loop."""

    def __init__(
        self,
        member: str,
        register_cache: RegisterCache,
        officers: Callable[[], dict[str, Officer]],
        clock: Callable[[], datetime],
        compared: Callable[[str, str, Any], Awaitable[None]] | None = None,
        denied: Callable[[str, str, str], Awaitable[None]] | None = None,
        blocks: PeerBlocks | None = None,
        officer_certificates: dict[str, datetime] | None = None,
    ) -> None:
        """Store the own member, the register in force, the known officers and the blocked members.

        ``denied`` is called with the officer, the call and the rule that denied it. ``compared`` is called with a
        member, a method and a request; it returns when signed data may be sent to that member. The end of an officer's
        certificate is put into ``officer_certificates`` as the officer calls.
        """
        self._access = services.accesses()
        self._compared = compared
        self._denied = denied
        self._member = member
        self._register_cache = register_cache
        self._officers = officers
        self._clock = clock
        self._officer_certificates = {} if officer_certificates is None else officer_certificates
        self._under_way: Counter[str] = Counter()
        self._blocks = blocks or PeerBlocks()
        self._member_calls: set[_MemberCall] = set()
        self._blocks.follow(self._cut)

    @asynccontextmanager
    async def admit(self, method: str, context: Any) -> AsyncIterator[Caller]:
        """Check a call and count it as concurrent while the block runs."""
        # 1.-6.
        try:
            caller = self._identify(method, context)
        except _Denied as error:
            if self._denied is not None:
                await self._denied(error.officer, method, error.detail)
            raise
        # 7.
        if self._under_way[caller.id] >= CALLS_PER_CALLER:
            raise Unavailable("busy", f"{CALLS_PER_CALLER} calls of this caller are under way already", BUSY_SECONDS)
        self._under_way[caller.id] += 1
        call = None
        if caller.member is not None:
            call = _MemberCall(caller.member.id, method, asyncio.current_task())
            self._member_calls.add(call)
        try:
            yield caller
        except asyncio.CancelledError:
            if call is None or call.task is None or call.refusal is None:
                raise
            call.task.uncancel()
            raise call.refusal from None
        finally:
            if call is not None:
                self._member_calls.discard(call)
            self._under_way[caller.id] -= 1
            if not self._under_way[caller.id]:
                del self._under_way[caller.id]

    async def check_compared(self, method: str, caller: Caller, request: Any) -> None:
        """Step 8. Not applied to officers: they read their own member's log."""
        if caller.member is not None and self._compared is not None:
            await self._compared(caller.member.id, method, request)

    def check_again(self, method: str, context: Any) -> None:
        """Raise if the caller of a stream would no longer be admitted: revoked, suspended, expired."""
        self._identify(method, context)

    def _cut(self) -> None:
        """End the calls under way of members that are blocked now, as if they were cancelled by their callers."""
        for call in self._member_calls:
            try:
                self._blocks.check_caller(call.member, call.method)
            except Rejected as refusal:
                if call.refusal is None and call.task is not None:
                    call.refusal = refusal
                    call.task.cancel()

    def _identify(self, method: str, context: Any) -> Caller:
        # 1.
        access = self._access[method]
        # 2.
        register = self._register_cache.last if method in ABOUT_REGISTER else self._register_cache.current
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
            return self._node(claimed, der, method, register)
        return self._officer(claimed, der, access.action, register)

    def _node(self, claimed: SpiffeId, der: bytes, method: str, register: Register) -> Caller:
        # 4.
        register.certificate_verifier().node(der, expected_member=claimed.member, at=self._clock())
        # 5.
        if claimed.member == self._member:
            raise Rejected("wrong_member", "a node does not call itself")
        member = (
            register.described_member(claimed.member) if method in FILES else register.active_member(claimed.member)
        )
        self._blocks.check_caller(member.id, method)
        # 6.
        if action := self._access[method].action:
            self._register_cache.policy.check(Principal(member.id, node=True), action)
        return Caller(str(claimed), member=member)

    def _officer(self, claimed: SpiffeId, der: bytes, action: str, register: Register) -> Caller:
        # 4.
        certificate = register.certificate_verifier().authentication(der, expected_id=str(claimed), at=self._clock())
        # 5.
        if claimed.member != self._member:
            raise Rejected("wrong_member", "officers call their own member's node")
        officer = self._officers().get(str(claimed))
        if officer is None:
            raise Rejected("unknown_officer", "this officer is not known to the node")
        if certificate.fingerprint != officer.authentication_certificate_sha256:
            raise Rejected("unknown_officer", "this is not the certificate on record for the officer")
        self._officer_certificates[officer.id] = certificate.not_after
        # 6.
        if officer.suspended:
            raise _Denied(officer.id, "officer-suspended")
        try:
            if action:
                self._register_cache.policy.check(principal_of(officer), action)
        except Rejected as error:
            raise _Denied(officer.id, error.detail) from error
        return Caller(officer.id, officer=officer)
