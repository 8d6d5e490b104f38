"""The state of one console: who is signed in, the session with the node, and whether the console is locked.

A one-time token, given out by the process that started the console, is exchanged for a cookie; the cookie names a
`Login`. The session with the node is one for all logins: they are the same officer. Locking ends the session; what
opens it again is the passphrase of the authentication key.

The signing key is never kept open here: `Console.signing` opens it for one act, or the agent of the profile does
(`paiza unlock`, or the officer's choice on the page).
"""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from paiza_client.sdk import connect
from paiza_client.web import texts
from paiza_client.web.jobs import Jobs
from paiza_client.web.opened import FOLDER, OpenedParts
from paiza_officer import profiles
from paiza_officer.agent import client as agent
from paiza_officer.agent.start import start
from paiza_officer.errors import ProfileProblem
from paiza_officer.unlocked import signing_key_is_open
from paiza_wire.identity.token_uri import TokenUri

if TYPE_CHECKING:
    from paiza_client.sdk import Session
    from paiza_client.sdk.notifications import Notifications
    from paiza_officer.profiles import Profile

IDLE_SECONDS: Final = 900.0
"""Without a page asked for so long, the console locks itself."""
LAUNCH_SECONDS: Final = 600.0
"""A launch link that was not followed in this time is void."""
KEEP_MINUTES: Final = (15, 60, 240)
"""For how long the officer may have the agent hold the keys."""


class LockedError(Exception):
    """The page needs the session with the node, and the console is locked."""


@dataclass
class Login:
    """One browser that followed a launch link."""

    form_token: str = field(default_factory=lambda: secrets.token_urlsafe(32))
    notes: list[str] = field(default_factory=list)
    """Sentences for the next page, about what was done."""


@dataclass(frozen=True, slots=True)
class Secret:
    """What an officer typed to sign: the passphrase, or the PIN of the token; empty where the agent signs.

    ``keep_minutes``: for how long the agent is to hold the keys after this; 0 for this one act alone.
    """

    text: str = ""
    keep_minutes: int = 0


class Console:
    """The console of one profile. Used from one event loop."""

    def __init__(self, profile: "Profile", *, clock: Callable[[], float] = time.monotonic) -> None:
        self.profile = profile
        self.keys_open_until: datetime | None = None
        """Until when the agent holds the keys, if it was started here."""
        self.changes = 0
        """Counts what arrived and what was done: what was read before is out of date if it has grown."""
        self.opened = OpenedParts(profile.folder / FOLDER)
        self.jobs = Jobs()
        self.subjects: dict[bytes, bytes] = {}
        """Subjects by message digest, as `web.subjects` found them."""
        self.follows_browser = False
        """Whether the language is that of the browser, as long as the officer chose none."""
        self.broken_uploads = 0
        """Tables to be imported that a killed process was still receiving: deleted at the start, and not told yet."""
        self.newest = 0
        """Sequence of the newest message that arrived while the console was open."""
        self._clock = clock
        self._launches: dict[str, float] = {}
        self._logins: dict[str, Login] = {}
        self._last_used = clock()
        self._session: Session | None = None
        self.while_open: Callable[[Session], Coroutine[Any, Any, None]] | None = None
        """Runs as long as there is a session, and is cancelled before it is closed."""
        self.notified: Notifications | None = None
        """What rings outside the window, while there is a session."""
        self._running: asyncio.Task[None] | None = None
        self._opened = AsyncExitStack()
        self._opening = asyncio.Lock()

    # Signing in.

    def new_launch(self) -> str:
        """Return a token that signs one browser in, once and soon."""
        token = secrets.token_urlsafe(32)
        self._launches[token] = self._clock() + LAUNCH_SECONDS
        return token

    def sign_in(self, token: str) -> str | None:
        """Exchange a launch token for the value of a cookie; None where it was used, is too old, or never was."""
        now = self._clock()
        self._launches = {each: end for each, end in self._launches.items() if end > now}
        if self._launches.pop(token, None) is None:  # the tokens are too long to be found by the time this takes
            return None
        cookie = secrets.token_urlsafe(32)
        self._logins[cookie] = Login()
        self.touch()
        return cookie

    def login(self, cookie: str) -> Login | None:
        """Return who a cookie names; None for a cookie of nobody."""
        return self._logins.get(cookie)

    def sign_out(self) -> None:
        """Forget every browser; the next one needs a new launch link."""
        self._logins.clear()

    def touch(self) -> None:
        """Note that the officer is here."""
        self._last_used = self._clock()

    @property
    def idle_seconds(self) -> float:
        """Return for how long no page was asked for."""
        return self._clock() - self._last_used

    # The session with the node.

    @property
    def is_locked(self) -> bool:
        """Return whether there is no session."""
        return self._session is None

    @property
    def session(self) -> "Session":
        """Return the session with the node; LockedError where there is none."""
        if self._session is None:
            raise LockedError
        return self._session

    @property
    def asks_passphrase(self) -> bool:
        """Return whether unlocking needs a passphrase."""
        return self.profile.sealed

    async def unlock(self, passphrase: str) -> None:
        """Open the session: the passphrase is checked even while the agent holds the keys.

        ProfileProblem: the key or the passphrase. Unreachable: the node.
        """
        secret = passphrase.encode()
        await asyncio.to_thread(profiles.open_credentials, self.profile, lambda: secret)
        await self.open(lambda: secret)

    async def open(self, passphrase: Callable[[], bytes]) -> None:
        """Connect with the node, unless that is done; errors as of `paiza_client.sdk.connect`."""
        async with self._opening:
            if self._session is None:
                async with AsyncExitStack() as stack:
                    session = await stack.enter_async_context(connect(self.profile, _once(passphrase)))
                    await session.whoami()
                    self._opened = stack.pop_all()
                texts.use_register(session.register(), self.profile.member)
                self._session = session
                self._start_running()
            self.touch()

    async def open_at_start(self, passphrase: Callable[[], bytes] | None) -> None:
        """Open the session for the one who started the process, unless a passphrase must be asked for."""

        def nobody() -> bytes:
            raise ProfileProblem("passphrase_missing")

        await self.open(passphrase or nobody)

    async def lock(self) -> None:
        """End the session with the node."""
        async with self._opening:
            self._session = None
            await self._stop_running()
            self.jobs.cancel_all()
            self.opened.forget()
            self.subjects = {}  # another: a list that is under way fills the one before
            await self._opened.aclose()
            self._opened = AsyncExitStack()

    async def watch_anew(self) -> None:
        """Begin anew what runs while there is a session: its settings have changed."""
        async with self._opening:
            await self._stop_running()
            self._start_running()

    def _start_running(self) -> None:
        if self.while_open is not None and self._session is not None:
            self._running = asyncio.create_task(self.while_open(self._session))

    async def _stop_running(self) -> None:
        if self._running is not None:
            self._running.cancel()
            await asyncio.wait({self._running})
            self._running = None

    def warn(self, text: str) -> None:
        """Have the next page of every browser show a sentence."""
        for each in self._logins.values():
            each.notes.append(text)

    async def lock_when_idle(self, every: float = 5.0) -> None:
        """Lock the console whenever nobody used it for `IDLE_SECONDS`; without end."""
        while True:
            await asyncio.sleep(every)
            if not self.is_locked and self.idle_seconds > IDLE_SECONDS:
                await self.lock()

    # Signing.

    @property
    def signs_without_asking(self) -> bool:
        """Return whether a signature needs nothing typed: the agent holds the key, or it is under no passphrase."""
        if isinstance(self.profile.signing_key, TokenUri):
            return signing_key_is_open(self.profile)
        return not self.profile.sealed or signing_key_is_open(self.profile)

    @property
    def signs_with_token(self) -> bool:
        """Return whether the signing key is on a token, so that its PIN is asked and no passphrase."""
        return isinstance(self.profile.signing_key, TokenUri)

    @asynccontextmanager
    async def signing(self, secret: Secret) -> "AsyncIterator[Session]":
        """Connect for one act that signs; the key is closed at its end, unless the agent holds it.

        ProfileProblem("passphrase_missing") where something must be typed and nothing was, otherwise as `connect`.
        """
        typed, answer = secret.text, _answering(secret, self.profile.name)
        if self.is_locked:
            raise LockedError
        if secret.keep_minutes in KEEP_MINUTES and typed:
            await self.keep_keys_open(secret)
        async with connect(self.profile, answer, answer) as session:
            yield session
        self.changes += 1

    async def keep_keys_open(self, secret: Secret) -> None:
        """Have the agent hold the keys for the minutes that ``secret`` names; errors as of `agent.start`."""
        answer = _answering(secret, self.profile.name)
        length = timedelta(minutes=secret.keep_minutes)
        await asyncio.to_thread(start, self.profile, length, answer, answer)
        self.keys_open_until = datetime.now(UTC) + length

    async def close_keys(self) -> bool:
        """End the agent; return whether there was one."""
        self.keys_open_until = None
        return await asyncio.to_thread(agent.lock, self.profile.folder)


def _answering(secret: Secret, where: str) -> Callable[..., bytes]:
    """Return what answers for passphrase or PIN with what was typed; ProfileProblem where nothing was."""
    typed = secret.text.encode()

    def answer(*_of: str) -> bytes:
        if not typed:
            raise ProfileProblem("passphrase_missing", where)
        return typed

    return answer


def _once(passphrase: Callable[[], bytes]) -> Callable[[], bytes]:
    """Return a passphrase for the start of a session alone: what signs later asks anew."""
    asked: list[None] = []

    def answer() -> bytes:
        if asked:
            raise ProfileProblem("passphrase_missing")
        asked.append(None)
        return passphrase()

    return answer
