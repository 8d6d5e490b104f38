"""The register in force, and what nodes announce of it.

Reading it is synchronous. A new version takes effect for everything at once; messages accepted under an older one stay
provable by it, since every verified set is archived. `paiza_node.core.register.refresh` keeps it up to date.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Final, TypeAlias

import structlog

from paiza.core.v1 import register_pb2
from paiza_node.core.blocking import may_block
from paiza_node.core.log.transaction import LogTransaction
from paiza_node.core.policy import Policy
from paiza_node.core.register.state import is_well_formed, state_of
from paiza_node.core.storage import settings as settings_store
from paiza_register import Register, RegisterReader
from paiza_register.agreements import check_agreements
from paiza_register.validity import at_time
from paiza_wire import log_entries
from paiza_wire.errors import Rejected, Unavailable

MAX_WANTED: Final = 16  # versions fetched at a time; messages of two weeks name about as many
SETTING_VERSION: Final = "register_version"
Agreements: TypeAlias = tuple[tuple[str, str], ...]
JUDGED_AGAIN: Final = timedelta(hours=1)  # whose files can be used depends on the time

log = structlog.get_logger("paiza.register")


class RegisterCache:
    """The register and the policy in force. Thread-safe: both are replaced, never changed."""

    def __init__(
        self,
        reader: RegisterReader,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        own_rules: Sequence[tuple[str, str]] = (),
    ) -> None:
        """Begin with the register verified last, expired or not; Unavailable("register_unavailable") if there is none.

        ``own_rules`` are the member's own, which apply under every register. Agreements that do not fit the schema are
        not applied: those of the newest archived register that do are, and `policy_fault` says why. NodeStopped if
        there are none.
        """
        found = reader.last
        if found is None:
            raise Unavailable("register_unavailable", "this node has no register yet")
        self._reader = reader
        self._clock = clock
        self._wanted: set[bytes] = set()
        self._announced: dict[str, register_pb2.RegisterState] = {}
        self._announced_proposals: dict[str, bytes] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._own_rules = tuple(own_rules)
        self._followers: list[Callable[[], None]] = []
        self.policy_fault = ""
        """Why the agreements of the register in force are not applied; empty if they are."""
        agreements = self._applicable(found.agreements)
        self._agreements = self._archived_agreements(found) if agreements is None else agreements
        self._policy = Policy(self._agreements, self._own_rules)
        self._verified = self._register = found
        self._judged_until = datetime.min.replace(tzinfo=UTC)
        self.asked = asyncio.Event()
        """Set when a member announces another register, or a message names one that is not known."""
        self.proposals_sha256 = b""
        """The digest of the proposals that wait here, as this node announces it; empty if there are none."""

    @property
    def current(self) -> Register:
        """Return the register in force; Unavailable("register_expired") once its grace period is over."""
        now = self._clock()
        if now >= self._judged_until:
            verified = self._verified
            found = at_time(verified, now)
            expiries = verified.role_expiries.values()
            changes = [time for each in expiries for time in (each, each + verified.grace) if time > now]
            self._register, self._judged_until = found, min([now + JUDGED_AGAIN, *changes])
        return self._register

    def newest_origin(self, member: str) -> str:
        """Return the origin of a member's newest log; empty if the register does not know the member."""
        found = self._register.members.get(member)
        return "" if found is None else found.origin

    @property
    def last(self) -> Register:
        """Return the register verified last, expired or not: to find peers that may serve a newer one."""
        return self._register

    @property
    def verified(self) -> Register:
        """Return the register verified last, taken at its own time."""
        return self._verified

    @property
    def version(self) -> bytes:
        """Return the version of the register in force, expired or not."""
        return self._register.version

    @property
    def expiry_time(self) -> datetime:
        """Return when the register in force expires."""
        return self._register.expiry_time

    @property
    def policy(self) -> Policy:
        """Return the policy in force."""
        return self._policy

    def archived(self, version: bytes) -> Register:
        """Return a register that was in force here; Unavailable("register_unknown") if it never was."""
        if version == self._register.version:
            return self._register
        may_block()
        return self._reader.archived(version)

    def unrevoked_until(self, member: str, revoked: frozenset[bytes]) -> datetime | None:
        """Return until when the register surely revoked none of these certificates and keys; None if unknown here."""
        may_block()
        return self._reader.unrevoked_until(member, revoked)

    def check_known(self, version: bytes) -> None:
        """Raise Unavailable if a message names a register we do not have; request it. From any thread."""
        if version == self._register.version:
            return
        may_block()
        try:
            self._reader.archived(version)
        except Unavailable:
            if self._loop is not None:
                self._loop.call_soon_threadsafe(self._want, version)
            raise

    @property
    def state(self) -> register_pb2.RegisterState:
        """Return what this node announces to the others."""
        return state_of(self._register, self._clock(), self.proposals_sha256, self._reader.proven)

    def announced_proposals(self, member: str) -> bytes:
        """Return the digest of the proposals that wait at a member's node; empty if none do, or it is not known."""
        return self._announced_proposals.get(member, b"")

    def note_state(self, member: str, state: register_pb2.RegisterState) -> None:
        """Note what a member's node holds; a refresh is requested if it is another register. On the event loop.

        What is not well formed is left out.
        """
        if not is_well_formed(state):
            return
        self._announced[member] = state
        self._announced_proposals[member] = state.proposals_sha256
        if self.differs(state):
            self.asked.set()

    def differs(self, state: register_pb2.RegisterState) -> bool:
        """Return whether another node holds another register, or the same under a later timestamp."""
        own = self._register
        return (
            state.register_version != own.version
            or state.timestamp_version > own.timestamp_version
            or (state.root_version, state.root_sha256) != (own.root_version, own.root_sha256)
            or state.proofs_sha256 not in {b"", self.state.proofs_sha256}
        )

    def take_announced(self) -> Mapping[str, register_pb2.RegisterState]:
        """Return what each member announced last since the last call."""
        announced, self._announced = self._announced, {}
        return announced

    def take_wanted(self) -> list[bytes]:
        """Return the versions that messages named since the last call, and that are not known."""
        self._loop = asyncio.get_running_loop()
        wanted, self._wanted = self._wanted, set()
        return sorted(wanted)

    def follow(self, register: Register) -> None:
        """Put a newer register into force.

        If an agreement does not fit the schema, those of before stay, and `policy_fault` says why: members, keys and
        revocations must be in force all the same.
        """
        agreements = self._applicable(register.agreements)
        if agreements is not None and agreements != self._agreements:
            self._policy, self._agreements = Policy(agreements, self._own_rules), agreements
        if register.version != self._register.version:
            log.info("register_updated", version=register.version.hex())
        self._verified = self._register = register
        self._judged_until = datetime.min.replace(tzinfo=UTC)
        with suppress(Unavailable):  # it may have expired already: a newer one is looked for
            self.current  # noqa: B018 - judged now, so that `last` lacks who cannot be used
        for replaced in self._followers:
            replaced()

    def when_replaced(self, replaced: Callable[[], None]) -> None:
        """Call ``replaced`` at once whenever another register is in force."""
        self._followers.append(replaced)

    def policy_with(self, own_rules: Sequence[tuple[str, str]]) -> Policy:
        """Return the policy under other rules of the member; NodeStopped if they do not fit the schema."""
        return Policy(self._agreements, own_rules)

    def use_rules(self, own_rules: Sequence[tuple[str, str]]) -> None:
        """Put other rules of the member into force, under this and every later register; NodeStopped as above."""
        self._policy, self._own_rules = self.policy_with(own_rules), tuple(own_rules)

    def _applicable(self, agreements: Agreements) -> Agreements | None:
        """Return agreements that fit the schema; None, and an alarm, if one does not."""
        try:
            check_agreements(dict(agreements))
        except Rejected as error:
            self.policy_fault = error.detail
            log.critical("agreements_not_applied", detail=error.detail)
            return None
        self.policy_fault = ""
        return agreements

    def _archived_agreements(self, newest: Register) -> Agreements:
        """Return the agreements of the newest archived register that can be applied; those of the newest if none can.

        Nothing is decided without them: they may forbid what the rules of the node permit.
        """
        for register in self._reader.newest_first():
            try:
                check_agreements(dict(register.agreements))
            except Rejected:
                continue
            return register.agreements
        return newest.agreements

    def note(self, tx: LogTransaction) -> None:
        """Log the register in force if it differs from the one logged last."""
        if settings_store.setting(tx.conn, SETTING_VERSION) == self._register.version:
            return
        tx.register_version = self._register.version
        tx.append(log_entries.register_updated())
        settings_store.put_setting(tx.conn, SETTING_VERSION, self._register.version)

    def _want(self, version: bytes) -> None:
        if len(self._wanted) < MAX_WANTED:
            self._wanted.add(version)
        self.asked.set()
