"""The register in force, and its updates.

Reading it is synchronous (python-tuf) and done in a thread. A new version takes effect for everything at once; messages
accepted under an older one stay provable by it, since every verified set is archived.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Final

import structlog

from paiza.core.v1 import register_pb2
from paiza_node.core.errors import NodeStopped
from paiza_node.core.log.ledger import Ledger, LogTransaction
from paiza_node.core.policy import Policy
from paiza_node.core.register.state import state_of
from paiza_node.core.storage import settings as settings_store
from paiza_register import Fetch, Register, RegisterReader, files_fetch
from paiza_wire import log_entries
from paiza_wire.errors import PaizaError, Unavailable

LEAST_REFRESH_SECONDS: Final = 5  # between two refreshes, regardless of how many messages name a version we do not have
REFRESH_SECONDS: Final = 600  # also the longest delay of a revocation at a node that can reach the register
MAX_WANTED: Final = 16  # versions fetched at a time; messages of two weeks name about as many
SOURCES_ASKED: Final = 3  # peers asked at each refresh, others at the next: one of them may withhold a new version
SETTING_VERSION: Final = "register_version"

Learn = Callable[[Mapping[str, bytes]], None]
"""Verifies and archives a set; raises Rejected if it is invalid."""

FetchSet = Callable[[bytes, Learn], Awaitable[None]]

log = structlog.get_logger("paiza.register")


class RegisterCache:
    """The register and the policy in force. Thread-safe: both are replaced, never changed."""

    def __init__(
        self,
        reader: RegisterReader,
        fetch: Fetch,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        own_rules: Sequence[tuple[str, str]] = (),
    ) -> None:
        """Fetch a newer version; if no source serves one, begin with the last verified one.

        ``own_rules`` are the member's own, which apply under every register.
        """
        self._reader = reader
        self._clock = clock
        self._asked = asyncio.Event()
        self._wanted: set[bytes] = set()
        self._announced_proposals: dict[str, bytes] = {}
        self.proposals_sha256 = b""
        """The digest of the proposals that wait here, as this node announces it; empty if there are none."""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._register = reader.refresh(clock(), fetch)
        self._own_rules = tuple(own_rules)
        self._policy = Policy(self._register.agreements, self._own_rules)

    @property
    def current(self) -> Register:
        """Return the register in force; Unavailable("register_expired") once its grace period is over."""
        if self._clock() > self._register.expiry_time:
            found = self._reader.current(self._clock())  # raises when the grace period is over
            if found is not None and found.version == self._register.version:
                self._register = found  # the same register, marked late
            elif found is not None:
                self._policy, self._register = self._rules(found), found
        return self._register

    def newest_origin(self, member: str) -> str:
        """Return the origin of a member's newest log; empty if the register does not know the member."""
        found = self._register.members.get(member)
        return "" if found is None else found.log_keys[-1].origin

    @property
    def last(self) -> Register:
        """Return the register verified last, expired or not: only to find peers that may serve a newer one."""
        return self._register

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

    def _rules(self, register: Register) -> Policy:
        """Return the policy of a register; Unavailable("policy_invalid") if an agreement does not fit the schema."""
        try:
            return Policy(register.agreements, self._own_rules)
        except NodeStopped as error:
            raise Unavailable("policy_invalid", str(error)) from error

    def archived(self, version: bytes) -> Register:
        """Return a register that was in force here; Unavailable("register_unknown") if it never was."""
        return self._register if version == self._register.version else self._reader.archived(version)

    def check_known(self, version: bytes) -> None:
        """Raise Unavailable if a message names a register we do not have; request a refresh. From any thread."""
        if version == self._register.version:
            return
        try:
            self._reader.archived(version)
        except Unavailable:
            if self._loop is not None:
                self._loop.call_soon_threadsafe(self._want, version)
            raise

    @property
    def state(self) -> register_pb2.RegisterState:
        """Return what this node announces to the others."""
        return state_of(self._register, self.proposals_sha256)

    def announced_proposals(self, member: str) -> bytes:
        """Return the digest of the proposals that wait at a member's node; empty if none do, or it is not known."""
        return self._announced_proposals.get(member, b"")

    def note_state(self, member: str, state: register_pb2.RegisterState) -> None:
        """Note what a member's node holds; a refresh is requested if it is another version. On the event loop."""
        self._announced_proposals[member] = state.proposals_sha256
        if state.register_version != self._register.version:
            self._asked.set()

    def _want(self, version: bytes) -> None:
        if len(self._wanted) < MAX_WANTED:
            self._wanted.add(version)
        self._asked.set()

    async def refresh(self, ledger: Ledger, fetch: Fetch, turn: Callable[[], int] = lambda: 1) -> None:
        """Fetch a newer version from several sources in turn. On failure the old one remains, within its grace.

        ``turn`` makes ``fetch`` ask the next source, and returns how many there are.
        """
        failures: list[PaizaError] = []
        for asked in range(1, SOURCES_ASKED + 1):
            sources = turn()
            try:
                await self._refresh(ledger, fetch)
            except PaizaError as error:
                failures.append(error)
            except OSError as error:  # our own disk failed: the register in force stays in force
                failures.append(Unavailable("disk_full", f"the register could not be stored: {error.strerror}"))
            if asked >= sources:
                break
        # A source that is merely behind the others is refused as well: no warning is logged if another one answers.
        if len(failures) == asked:
            log.warning("register_not_refreshed", reason=failures[-1].reason, detail=failures[-1].detail)

    async def _refresh(self, ledger: Ledger, fetch: Fetch) -> None:
        register = await asyncio.to_thread(self._reader.refresh, self._clock(), fetch)
        if register.version != self._register.version:
            self._policy, self._register = self._rules(register), register
            await ledger.commit(self.note)
            log.info("register_updated", version=register.version.hex())
        self._register = register

    def note(self, tx: LogTransaction) -> None:
        """Log the register in force if it differs from the one logged last."""
        if settings_store.setting(tx.conn, SETTING_VERSION) == self._register.version:
            return
        tx.register_version = self._register.version
        tx.append(log_entries.register_updated())
        settings_store.put_setting(tx.conn, SETTING_VERSION, self._register.version)

    async def keep_fresh(
        self, ledger: Ledger, fetch: Fetch, fetch_set: FetchSet, turn: Callable[[], int] = lambda: 1
    ) -> None:
        """Refresh as long as the node runs, and fetch older versions that messages name from the peers."""
        self._loop = asyncio.get_running_loop()
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._asked.wait(), REFRESH_SECONDS)
            try:
                await self.refresh(ledger, fetch, turn)
                await ledger.commit(self.note)  # changes nothing unless a change found earlier could not be logged
            except Unavailable as error:
                log.warning("register_not_logged", reason=error.reason, detail=error.detail)
            self._asked.clear()
            wanted, self._wanted = self._wanted, set()  # versions requested meanwhile wait for the next round
            for version in wanted:
                await self._learn(version, fetch_set)
            await asyncio.sleep(LEAST_REFRESH_SECONDS)

    async def _learn(self, version: bytes, fetch_set: FetchSet) -> None:
        """Archive a version that was superseded while this node was offline; it is verified, but never in force."""
        try:
            await asyncio.to_thread(self.archived, version)
        except Unavailable:
            try:
                await fetch_set(version, lambda files: self._reader.import_set(version, files_fetch(files)))
                log.info("register_learnt", version=version.hex())
            except PaizaError as error:
                log.warning("register_not_learnt", version=version.hex(), reason=error.reason, detail=error.detail)
