"""The directory of the other members' nodes: one session for each other active member that is not blocked.

A member whose role has expired has no session, but its node is still asked for the register: it may hold the role
renewed, and nobody else has it then. What it hands over is verified as every set is.
"""

import asyncio
from collections.abc import Callable, Mapping
from time import monotonic
from typing import Final

from paiza_node.core.peers.blocks import PeerBlocks
from paiza_node.core.peers.clocks import ClockReport, report
from paiza_node.core.peers.register_files import RegisterFiles
from paiza_node.core.peers.session import PeerSession
from paiza_node.core.register.sync import RegisterCache
from paiza_wire.errors import Unavailable

FOLLOW_SECONDS: Final = 30.0  # the register is checked at least this often


class PeerDirectory:
    """Starts and ends sessions as the register names members and members are blocked. Belongs to one event loop."""

    def __init__(
        self,
        own_member: str,
        register_cache: RegisterCache,
        open_session: Callable[[str], PeerSession],
        blocks: PeerBlocks | None = None,
    ) -> None:
        """Begin with the members of the register verified last; `run` starts the sessions' own work."""
        self._blocks = blocks or PeerBlocks()
        self._own_member = own_member
        self._register_cache = register_cache
        self._open_session = open_session
        self._sessions: Mapping[str, PeerSession] = {}
        self._expired: Mapping[str, PeerSession] = {}  # of members whose roles have expired: never run
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._ending: set[asyncio.Task[None]] = set()
        self._followed: object = None  # version of the register and blocks that the sessions reflect
        self.changed = asyncio.Event()
        """Set once sessions start or end; then replaced by another event."""
        self._blocks.follow(self._follow)

    @property
    def sessions(self) -> Mapping[str, PeerSession]:
        """The session of each other active member that is not blocked, by member id."""
        self._follow()
        return self._sessions

    @property
    def register_files(self) -> Mapping[str, RegisterFiles]:
        """The register's files at each other active member's node, also if the member's role has expired.

        By member id, without blocked members.
        """
        self._follow()
        return {member: each.register_files for member, each in {**self._sessions, **self._expired}.items()}

    def session(self, member: str) -> PeerSession:
        """Return a member's session; Unavailable if it is no other active member, or blocked."""
        self._blocks.check_called(member)
        session = self.sessions.get(member)
        if session is None:
            raise Unavailable("peer_unreachable", f"{member} is no active member, or not known yet")
        return session

    def ask(self, member: str) -> None:
        """Request a handshake with a member."""
        if (session := self.sessions.get(member)) is not None:
            session.ask()

    def heard(self, member: str) -> None:
        """Note that a member's node called."""
        if (session := self.sessions.get(member)) is not None:
            session.health.heard()

    def clocks(self) -> ClockReport:
        """Return what the clocks of the peers, compared lately, show."""
        return report({member: session.health.clock for member, session in self.sessions.items()}, monotonic())

    def compared(self, member: str) -> bool:
        """Return whether a member was asked since the start, and our log is consistent with all it holds of it."""
        session = self.sessions.get(member)
        return session is not None and session.compared.is_set()

    def follow_register(self) -> None:
        """Follow another register at once: end sessions, and cut calls to nodes whose certificates are refused."""
        self._follow()
        for session in (*self._sessions.values(), *self._expired.values()):
            session.check_trusted()

    async def run(self) -> None:
        """Run the sessions as long as the node runs; NodeStopped if a peer shows that our log was rolled back."""
        try:
            while True:
                self._begin_tasks()
                # A session ends only by a failure that must stop the node: at once, not at the next round.
                waiting = [asyncio.create_task(self.changed.wait()), *self._tasks.values()]
                await asyncio.wait(waiting, timeout=FOLLOW_SECONDS, return_when=asyncio.FIRST_COMPLETED)
                waiting[0].cancel()
                for task in self._tasks.values():
                    if task.done():
                        task.result()
        finally:
            tasks = [*self._tasks.values(), *self._ending]
            for task in self._tasks.values():
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            sessions = [*self._sessions.values(), *self._expired.values()]
            await asyncio.gather(*(session.close() for session in sessions), return_exceptions=True)

    def _begin_tasks(self) -> None:
        for member, session in self.sessions.items():
            if member not in self._tasks:
                self._tasks[member] = asyncio.create_task(session.run(), name=f"peer {member}")

    def _follow(self) -> None:
        register = self._register_cache.last  # also used if expired: its members are asked for a newer one
        blocks = self._blocks.all
        # A role that expires leaves the version as it is.
        others = register.active_ids - {self._own_member} - blocks.keys()
        members, expired = others & register.members.keys(), others & register.untimely.keys()
        if self._followed == (register.version, members, expired, blocks):
            return
        self._followed = register.version, members, expired, blocks
        for member in self._sessions.keys() - members:
            self._begin_ending(self._sessions[member], self._tasks.pop(member, None))
        for member in self._expired.keys() - expired:
            self._begin_ending(self._expired[member], None)
        # Replaced, not changed: callers that iterate over the previous mapping continue.
        self._sessions = {
            member: self._sessions.get(member) or self._open_session(member) for member in sorted(members)
        }
        self._expired = {member: self._expired.get(member) or self._open_session(member) for member in sorted(expired)}
        changed, self.changed = self.changed, asyncio.Event()
        changed.set()

    def _begin_ending(self, session: PeerSession, task: asyncio.Task[None] | None) -> None:
        ending = asyncio.create_task(_end(session, task))
        self._ending.add(ending)
        ending.add_done_callback(self._ending.discard)


async def _end(session: PeerSession, task: asyncio.Task[None] | None) -> None:
    """End the session of a member that has left or was blocked."""
    if task is not None:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    await session.close()
