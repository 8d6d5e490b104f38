"""Checks of each call before its handler runs.

1. The RPC declares in its .proto who may call it. (The node does not start if one declares nothing.)
2. The caller presented a certificate over a connection with a hybrid key exchange (`check_key_exchange`). The
   certificate is verified again here, since TLS accepts the union of all CAs.
3. The register has not expired. Calls about the register itself (`ABOUT_REGISTER`) are admitted by the one verified
   last: otherwise nodes whose register expired could never get a newer one from each other.
4. It is of the kind that the RPC requires, issued by the CA of the one member it names, valid now, not revoked.
5. The member of a calling node is active, not our own and not blocked; files of the register are also answered to one
   that is suspended or whose role has expired: it verifies them. An officer is our own, and the directory of officers
   lets them act with this certificate.
6. The policy permits the action.
7. The caller does not exceed its share of concurrent calls (`paiza_node.core.api.admission`).
8. Responses to another member's node are signed only after that member was asked what it holds of our log
   (`paiza_node.core.peers.startup_comparison`).
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from ssl import PEM_cert_to_DER_cert
from typing import Any, Final

import structlog
from google.protobuf.message import Message

from paiza_node.core.access.model import Officer, OfficerState
from paiza_node.core.access.officers import OfficerDirectory
from paiza_node.core.access.principals import principal_of
from paiza_node.core.api import services
from paiza_node.core.api.admission import GARBAGE, HELD_SECONDS, Admission, garbage_in
from paiza_node.core.api.key_exchange import check_key_exchange
from paiza_node.core.caller import CALLER, CallerKey
from paiza_node.core.executors.periodic import PeriodicTask
from paiza_node.core.limits import Limits, LimitUse
from paiza_node.core.peers.blocks import PeerBlocks
from paiza_node.core.peers.rpcs import ABOUT_REGISTER, FILES
from paiza_node.core.policy import Principal
from paiza_node.core.register.sync import RegisterCache
from paiza_register import Member, Register
from paiza_wire.errors import PaizaError, Rejected, Unavailable
from paiza_wire.identity import SpiffeId, load_certificate, uri_san

BUSY_SECONDS: Final = 0.5
SHOWN_CERTIFICATES: Final = 1024  # remembered as parsed: about a MiB
CHECK_AGAIN: Final = timedelta(seconds=1)  # between two checks of one stream; a change of the register cuts it at once
CUT_SECONDS: Final = 5.0  # after which a call ends whose certificate, CA or member's role has expired
UNREAD_SECONDS: Final = 30.0  # for a response of a stream to be taken, of up to 120 KiB: two at once at 64 kbit/s
LEAST_PACE: Final = 4 * 1024  # bytes a second at which a larger response is taken
BLOCKED_SECONDS: Final = 1.0  # for a response that is on its way when its call is cut
ANSWERED: Final = frozenset({"/paiza.officer.v1.OfficerService/Submit", "/paiza.officer.v1.ApprovalService/Approve"})
"""Calls that are not cut: what they sign is released or refused in the log, and only the answer says which."""
KNOWN_BY_CA: Final = frozenset({"certificate_expired", "certificate_revoked"})
"""Refusals of a certificate after it was found to be of its member's CA."""


log = structlog.get_logger("paiza.access")


@dataclass(frozen=True, slots=True)
class Caller:
    """The caller: another member's node, or an officer of our own."""

    id: str
    member: Member | None = None
    officer: Officer | None = None

    @property
    def key(self) -> CallerKey:
        """The key of the caller's share of the node."""
        return CallerKey("officer", self.id) if self.member is None else CallerKey("peer", self.member.id)


def officer_of(caller: Caller) -> Officer:
    """Return the calling officer of an RPC for officers."""
    assert caller.officer is not None, "only officers are admitted here"
    return caller.officer


def member_of(caller: Caller) -> Member:
    """Return the member whose node calls an RPC for nodes."""
    assert caller.member is not None, "only nodes are admitted here"
    return caller.member


@dataclass(frozen=True, slots=True)
class Shown:
    """A certificate (DER) that was shown in a handshake, and the id that it claims; nothing of it is verified."""

    der: bytes
    claimed: SpiffeId


@dataclass(eq=False, slots=True)
class Call:
    """A call under way: cut if its caller would no longer be admitted.

    ``sends`` while a response is on its way: the library's own code would meet the end of the task then, and the caller
    would learn no reason. `check` is called when it is sent. Calls of `ANSWERED` send once their request has arrived.
    ``give_up`` ends the connection of a stream: nothing else frees a response that its caller does not take, and no
    reason would come through to them.
    ``only_unhindered``: its caller has no place left but for what nothing may hold up.
    """

    caller: Caller
    method: str
    shown: Shown
    task: asyncio.Task[Any] | None
    checked: datetime
    only_unhindered: bool = False
    sends: bool = False
    refusal: PaizaError | None = None
    give_up: Callable[[], None] = lambda: None
    _unread: asyncio.TimerHandle | None = None

    @contextmanager
    def sending(self, size: int) -> Iterator[None]:
        """Send a response of a stream, of ``size`` bytes: its caller takes it in time, or loses the connection."""
        patience = max(UNREAD_SECONDS, size / LEAST_PACE)
        self.sends = True
        self._unread = asyncio.get_running_loop().call_later(patience, self.give_up)
        try:
            yield
        finally:
            self._unread.cancel()
            self._unread = None
            self.sends = False

    def cut(self, refusal: PaizaError) -> None:
        """End the call with a refusal, as if its caller had cancelled it.

        A stream whose response is not taken within a moment loses its connection instead.
        """
        if self.refusal is None:
            self.refusal = refusal
            if self._unread is not None:
                self._unread.cancel()
                self._unread = asyncio.get_running_loop().call_later(BLOCKED_SECONDS, self.give_up)
            elif self.task is not None and not self.sends:
                self.task.cancel()

    def check(self) -> None:
        """Raise the refusal if the call was cut."""
        if self.refusal is not None:
            raise self.refusal


class _Denied(Rejected):
    """Raised if a call is denied to an officer whose certificate is of the own officer CA."""

    def __init__(self, officer: str, reason: str, detail: str) -> None:
        super().__init__(reason, detail)
        self.officer = officer


@lru_cache(maxsize=SHOWN_CERTIFICATES)
def _claim(pem: bytes) -> Shown:
    """Return what a certificate claims."""
    der = PEM_cert_to_DER_cert(pem.decode("ascii"))
    return Shown(der, uri_san(load_certificate(der)))


def _shown(context: Any) -> Shown:
    """Return what the caller showed, which stays the same for the whole connection."""
    properties = context.auth_context()
    shown = properties.get("x509_pem_cert")
    if not shown:
        raise Rejected("unauthenticated", "the caller showed no certificate")
    check_key_exchange(properties)
    return _claim(shown[0])


class Authenticator:
    """Authenticates and authorises callers. Belongs to one event loop."""

    def __init__(
        self,
        member: str,
        register_cache: RegisterCache,
        officers: OfficerDirectory,
        clock: Callable[[], datetime],
        compared: Callable[[str, str, Any], Awaitable[None]] | None = None,
        denied: Callable[[str, str, Rejected], Awaitable[None]] | None = None,
        blocks: PeerBlocks | None = None,
        admission: Admission | None = None,
    ) -> None:
        """Store the own member, the register in force, the known officers, the blocked members, the budgets of calls.

        ``denied`` is called with the officer, the call and the refusal. ``compared`` is called with a
        member, a method and a request; it returns when signed data may be sent to that member.
        """
        self._access = services.accesses()
        self._compared = compared
        self._denied = denied
        self._member = member
        self._register_cache = register_cache
        self._officers = officers
        self._clock = clock
        self._admission = admission or Admission(Limits())
        self._blocks = blocks or PeerBlocks()
        self._calls: set[Call] = set()
        self._blocks.follow(self.cut)
        self._officers.follow(self.cut)
        self.task = PeriodicTask(self._cut_expired, period=CUT_SECONDS, failed="calls_not_cut")

    @asynccontextmanager
    async def admit(self, method: str, context: Any) -> AsyncIterator[Call]:
        """Check a call, and yield it; it counts as concurrent until it has ended, which an unread answer holds up."""
        # 2.
        shown = _shown(context)
        # 1., 3.-6.
        try:
            caller = self._identify(method, shown)
        except _Denied as error:
            if self._denied is not None:
                await self._denied(error.officer, method, error)
            raise
        # 7.
        place = ExitStack()
        try:
            only_unhindered = place.enter_context(self._admission.place(caller.key, method))
        except Unavailable:
            await self._admission.before_refusal()
            raise
        context.add_done_callback(
            lambda _context: place.close()
        )  # not before the answer was sent: it may be left unread
        call = Call(caller, method, shown, asyncio.current_task(), self._clock(), only_unhindered=only_unhindered)
        self._calls.add(call)
        before = CALLER.get()
        CALLER.set(caller.key)
        try:
            yield call
        except asyncio.CancelledError:
            if call.task is None or call.refusal is None:
                raise
            call.task.uncancel()
            raise call.refusal from None
        except Rejected as error:
            if error.reason in GARBAGE:
                self._admission.note_garbage(caller.key)
            raise
        finally:
            CALLER.set(before)  # not by a token: a stream that is left behind ends in another context
            self._calls.discard(call)

    async def check_place(self, call: Call, request: Any) -> None:
        """Raise Unavailable("busy"), after a while, if the call has no place and its request may be held up."""
        if call.only_unhindered:
            refusal = self._admission.refusal(call.caller.key, call.method, request)
            if refusal is not None:
                await asyncio.sleep(HELD_SECONDS)
                raise refusal

    def uses(self) -> list[LimitUse]:
        """Return how much of the budgets of calls is used."""
        return self._admission.uses()

    def note_answer(self, call: Call, response: Message) -> None:
        """Count what of a batch was refused as garbage."""
        if items := garbage_in(response):
            self._admission.note_garbage(call.caller.key, items)

    async def check_compared(self, method: str, caller: Caller, request: Any) -> None:
        """Step 8. Not applied to officers: they read their own member's log."""
        if caller.member is not None and self._compared is not None:
            await self._compared(caller.member.id, method, request)

    def check_again(self, call: Call) -> None:
        """Raise if the caller of a stream would no longer be admitted: revoked, suspended, expired.

        Called for each message of a stream, it looks once a second: a change of the register, of the officers or of the
        blocked members cuts the call by itself, and only time and the policy make no change.
        """
        now = self._clock()
        if not timedelta(0) <= now - call.checked < CHECK_AGAIN:
            self._identify(call.method, call.shown)
            call.checked = now

    def cut(self) -> None:
        """End the calls under way whose callers would no longer be admitted, as if those had cancelled them.

        Those of officers whose roles or unit changed end too, with the advice to try again.
        """
        for call in self._calls:
            try:
                now = self._identify(call.method, call.shown)
            except Rejected as refusal:
                log.warning("call_cut", method=call.method, reason=refusal.reason, detail=refusal.detail)
                call.cut(refusal)
            except Unavailable:  # nothing is known against the caller
                continue
            else:
                if now.officer != call.caller.officer:
                    call.cut(Unavailable("busy", "the officer's roles or unit changed", BUSY_SECONDS))

    async def _cut_expired(self) -> None:
        self.cut()

    def _identify(self, method: str, shown: Shown) -> Caller:
        # 1.
        access = self._access[method]
        # 3.
        register = self._register_cache.last if method in ABOUT_REGISTER else self._register_cache.current
        # 4.-6.
        if access.who not in ("either", shown.claimed.role):
            raise Rejected("forbidden", f"this call is for {access.who}s")
        if shown.claimed.role == "node":
            return self._node(shown.claimed, shown.der, method, register)
        return self._officer(shown.claimed, shown.der, access.action, register)

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
        officer_id = str(claimed)
        verifier = register.certificate_verifier()
        # 4.
        try:
            certificate = verifier.authentication(der, expected_id=officer_id, at=self._clock())
        except Rejected as error:
            if claimed.member != self._member:
                raise
            raise self._explained(error, officer_id) from error
        # 5.
        if claimed.member != self._member:
            raise Rejected("wrong_member", "officers call their own member's node")
        try:
            officer = self._officers.check(officer_id, certificate.fingerprint, "authentication")
        except Rejected as error:
            raise _Denied(officer_id, error.reason, error.detail) from error
        # 6.
        try:
            if action:
                self._register_cache.policy.check(principal_of(officer), action)
        except Rejected as error:
            raise _Denied(officer_id, error.reason, error.detail) from error
        return Caller(officer_id, officer=officer)

    def _explained(self, error: Rejected, officer_id: str) -> Rejected:
        """Return the refusal of an own officer's certificate as the officer is to be told it.

        It is a denial to that officer only if the certificate is of the officer CA: else its id is a mere claim.
        """
        if error.reason not in KNOWN_BY_CA:
            return error
        officer = self._officers.officers().get(officer_id)
        if officer is not None and officer.state is OfficerState.REMOVED:
            return _Denied(officer_id, "officer_removed", f"{officer_id} was removed")
        return _Denied(officer_id, error.reason, error.detail)
