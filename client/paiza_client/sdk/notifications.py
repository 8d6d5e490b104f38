"""Notification outside an open window: bell, desktop, a command, e-mail. Nothing of a message leaves by any of them.

What is told is one of two fixed sentences: something waits, or act now. The settings stand in `notify.toml` in the
profile's folder:

    bell = true                             ring the terminal (default)
    desktop = true                          notify-send, where it is installed
    command = ["/usr/local/bin/page-me"]    run without a shell; PAIZA_NOTICE is "notice", "urgent" or "flash"
    email = "duty@agency.example"           by the sendmail of this machine
    repeat_minutes = 2                      a FLASH message rings again until somebody of the member opens it, or it is
                                            acknowledged here

    notifications = Notifications(read(profile), ring=terminal.bell, failed=terminal.warn)
    async with notifications:
        async for event in watching.follow(...):
            notifications.tell(event)
"""

import asyncio
import os
import re
import shutil
import stat
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from email.message import EmailMessage
from enum import IntEnum
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from paiza.core.v1 import message_pb2
from paiza.officer.v1 import notice_pb2
from paiza_cli.toml_text import parse_toml
from paiza_client.language import N_, _
from paiza_client.sdk.model import MessageSummary
from paiza_officer.errors import FieldProblem, ProfileProblem
from paiza_officer.profiles import Profile, write_private

FILE: Final = "notify.toml"
MAX_BYTES: Final = 16 * 1024
MAX_WORDS: Final = 20  # of a command
MAX_REPEAT_MINUTES: Final = 60
RUN_SECONDS: Final = 10.0  # after which a program that was called is ended
PAUSE_SECONDS: Final[Mapping[str, float]] = {"bell": 0.0, "desktop": 5.0, "command": 30.0, "email": 120.0}
"""Between two calls of a channel; what comes meanwhile is told together afterwards. FLASH does not wait."""
MAX_REMEMBERED: Final = 10_000  # messages that rang and are not told again
RINGING: Final = frozenset({"approval_asked", "search_match", "task_escalated", "stop-acknowledgement"})
"""Codes of notices that ring; others do once they are overdue."""

_EMAIL: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._%+-]{0,63}@[A-Za-z0-9][A-Za-z0-9.-]{0,190}\Z")
_SENDMAIL: Final = os.pathsep.join(("/usr/sbin", "/usr/lib", "/usr/bin", "/usr/local/sbin", "/usr/local/bin"))
_KEPT: Final = ("PATH", "HOME", "LANG", "DISPLAY", "WAYLAND_DISPLAY", "DBUS_SESSION_BUS_ADDRESS", "XDG_RUNTIME_DIR")
"""Variables that a program gets: what it needs to run, and to find the desktop."""

_WAITS: Final = N_("Something waits for you in Paiza.")
_ACT: Final = N_("Act now: something urgent waits for you in Paiza.")


class Level(IntEnum):
    """How loud an event is."""

    NOTICE = 1
    URGENT = 2
    FLASH = 3


@dataclass(frozen=True, slots=True)
class Settings:
    """How an officer is notified. ``command`` is a program with its arguments; empty: none."""

    bell: bool = True
    desktop: bool = False
    command: tuple[str, ...] = ()
    email: str = ""
    repeat_minutes: int = 2


def read(profile: Profile) -> Settings:
    """Return the settings of a profile; the defaults if it has none. ProfileProblem names every wrong one."""
    path = profile.folder / FILE
    try:
        with path.open("rb") as file:
            values = parse_toml(file.read(MAX_BYTES))
    except FileNotFoundError:
        return Settings()
    except (OSError, ValueError) as error:
        raise ProfileProblem("bad_configuration", str(path), str(error)) from error
    return _checked(path, values)


def write(profile: Profile, settings: Settings) -> None:
    """Store the settings of a profile, checked as by `read`."""
    path = profile.folder / FILE
    _checked(path, asdict(settings) | {"command": list(settings.command)})
    command = ", ".join(_quoted(word) for word in settings.command)
    lines = [
        f"bell = {str(settings.bell).lower()}",
        f"desktop = {str(settings.desktop).lower()}",
        f"command = [{command}]",
        f"email = {_quoted(settings.email)}",
        f"repeat_minutes = {settings.repeat_minutes}",
    ]
    data = ("\n".join(lines) + "\n").encode()
    if len(data) > MAX_BYTES:
        raise ProfileProblem("bad_configuration", str(path), f"over {MAX_BYTES} bytes")
    write_private(path, data)


def level_of(event: object) -> Level | None:
    """Return how loud an event of a watch is; None for one that does not ring."""
    if isinstance(event, MessageSummary):
        if not event.received or event.opened or event.opened_by_caller or event.erased:
            return None
        urgency = event.header.urgency
        if urgency == message_pb2.URGENCY_FLASH:
            return Level.FLASH
        return Level.URGENT if urgency == message_pb2.URGENCY_URGENT else None
    if isinstance(event, notice_pb2.Notice) and (event.overdue or event.code in RINGING):
        return Level.NOTICE if event.code == "search_match" else Level.URGENT
    return None


class Notifications:
    """Notifies of the events of one watch. Belongs to one event loop; used as an asynchronous context."""

    def __init__(self, settings: Settings, *, ring: Callable[[], None], failed: Callable[[str], None]) -> None:
        """Store the settings; ``ring`` rings the face's bell, ``failed`` is called once for a channel that fails."""
        self._settings = settings
        self._ring = ring
        self._failed = failed
        self._told_failed: set[str] = set()
        self._rang: dict[bytes, None] = {}  # messages that rang, or were acknowledged
        self._flash: dict[bytes, float] = {}  # when each unacknowledged FLASH message rings again
        self._next: dict[str, float] = {}  # when each channel may be used again
        self._owed: dict[str, Level] = {}  # what came while a channel had to wait
        self._calls: set[asyncio.Task[None]] = set()
        self._woken = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._repeat())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._task is not None
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task
        await asyncio.gather(*self._calls, return_exceptions=True)

    @property
    def waiting(self) -> bool:
        """Return whether a FLASH message rings until it is acknowledged."""
        return bool(self._flash)

    def tell(self, event: object) -> None:
        """Notify of an event of a watch: a message once, a FLASH message until it is opened or acknowledged."""
        level = level_of(event)
        if isinstance(event, MessageSummary):
            if level is None:
                self._flash.pop(event.digest, None)
                return
            if event.digest in self._rang:
                return
            self._remember(event.digest)
            if level is Level.FLASH:
                self._flash[event.digest] = self._now() + self._settings.repeat_minutes * 60
        if level is not None:
            self.ring(level)

    def acknowledge(self) -> None:
        """Acknowledge all FLASH messages that ring: they were seen here."""
        self._flash.clear()

    def ring(self, level: Level) -> None:
        """Use every channel that is set, each as soon as its pause allows."""
        for channel in self._channels():
            if level is Level.FLASH or self._now() >= self._next.get(channel, 0.0):
                self._use(channel, level)
            else:
                self._owed[channel] = max(level, self._owed.get(channel, level))
        self._woken.set()

    def _channels(self) -> list[str]:
        settings = self._settings
        chosen = {
            "bell": settings.bell,
            "desktop": settings.desktop,
            "command": bool(settings.command),
            "email": bool(settings.email),
        }
        return [channel for channel, wanted in chosen.items() if wanted]

    def _use(self, channel: str, level: Level) -> None:
        self._next[channel] = self._now() + PAUSE_SECONDS[channel]
        self._owed.pop(channel, None)
        if channel == "bell":
            self._ring()
            return
        call = asyncio.create_task(self._call(channel, level))
        self._calls.add(call)
        call.add_done_callback(self._calls.discard)

    async def _call(self, channel: str, level: Level) -> None:
        """Run the program of a channel; one that cannot be run, fails or hangs is told once."""
        text = _(_WAITS if level is Level.NOTICE else _ACT)
        program, data = self._program(channel, level, text)
        if not program:
            self._fail(channel, _("it is not installed"))
            return
        try:
            process = await asyncio.create_subprocess_exec(
                *program,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.DEVNULL,
                env={**_environment(), "PAIZA_NOTICE": level.name.lower()},
                cwd="/",
                start_new_session=True,
            )
        except OSError as error:
            self._fail(channel, error.strerror or str(error))
            return
        try:
            async with asyncio.timeout(RUN_SECONDS):
                await process.communicate(data)
        except TimeoutError:
            self._fail(channel, _("it does not end"))
        except asyncio.CancelledError:
            raise
        finally:
            if process.returncode is None:
                with suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
        if process.returncode:
            self._fail(channel, _("it ended with the code {code}").format(code=process.returncode))

    def _program(self, channel: str, level: Level, text: str) -> tuple[Sequence[str], bytes]:
        """Return the program of a channel with its arguments, empty if it is not installed; and its input."""
        if channel == "command":
            return self._settings.command, b""
        if channel == "desktop":
            found = shutil.which("notify-send")
            urgency = "normal" if level is Level.NOTICE else "critical"
            return ((found, "--app-name=Paiza", f"--urgency={urgency}", "Paiza", text), b"") if found else ((), b"")
        found = shutil.which("sendmail", path=_SENDMAIL)
        if not found:
            return (), b""
        mail = EmailMessage()
        mail["To"], mail["Subject"] = self._settings.email, "Paiza"
        mail.set_content(text + "\n")
        return (found, "-i", "--", self._settings.email), mail.as_bytes()

    def _fail(self, channel: str, why: str) -> None:
        if channel not in self._told_failed:
            self._told_failed.add(channel)
            self._failed(_("The notification by {channel} fails: {why}").format(channel=channel, why=why))

    async def _repeat(self) -> None:
        """Ring again for FLASH messages, and for what came while a channel had to wait."""
        while True:
            self._woken.clear()
            now = self._now()
            due = [digest for digest, moment in self._flash.items() if moment <= now]
            for digest in due:
                self._flash[digest] = now + self._settings.repeat_minutes * 60
            if due:
                self.ring(Level.FLASH)
            for channel, level in [each for each in self._owed.items() if self._next[each[0]] <= now]:
                self._use(channel, level)
            times = [*self._flash.values(), *(self._next[channel] for channel in self._owed)]
            self._woken.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._woken.wait(), max(min(times) - now, 0.0) if times else None)

    def _remember(self, digest: bytes) -> None:
        self._rang[digest] = None
        if len(self._rang) > MAX_REMEMBERED:
            del self._rang[next(iter(self._rang))]

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()


def _checked(path: Path, values: Mapping[str, Any]) -> Settings:
    problems: list[FieldProblem] = []

    def wrong(key: str, what: str, code: str) -> None:
        problems.append(FieldProblem(f"{path}: {key}", what, code))

    for key in values:
        if key not in Settings.__dataclass_fields__:
            wrong(key, _("There is no such setting."), "unknown_setting")
    for key in ("bell", "desktop"):
        if type(values.get(key, False)) is not bool:
            wrong(key, _("It is true or false."), "wrong_setting")
    command = values.get("command", [])
    if not isinstance(command, list) or len(command) > MAX_WORDS or not all(map(_is_word, command)):
        wrong("command", _("It is a list: a program by its full path, and its arguments."), "wrong_setting")
    elif command and (what := _unsafe(Path(command[0]))):
        wrong("command", what, "wrong_setting")
    email = values.get("email", "")
    if not isinstance(email, str) or (email and _EMAIL.match(email) is None):
        wrong("email", _("It is one e-mail address."), "wrong_setting")
    minutes = values.get("repeat_minutes", Settings().repeat_minutes)
    if type(minutes) is not int or not 1 <= minutes <= MAX_REPEAT_MINUTES:
        wrong("repeat_minutes", _("It is a number from 1 to {n}.").format(n=MAX_REPEAT_MINUTES), "wrong_setting")
    if problems:
        raise ProfileProblem("bad_configuration", problems[0].where, problems[0].code, problems)
    return Settings(values.get("bell", True), values.get("desktop", False), tuple(command), email, minutes)


def _is_word(word: object) -> bool:
    return isinstance(word, str) and word.isprintable() and 0 < len(word) <= 1000  # noqa: PLR2004 - a path or an option


def _unsafe(program: Path) -> str:
    """Return why a program must not be run; empty for one that may."""
    if not program.is_absolute():
        return _("The program is named by its full path.")
    try:
        mode = program.stat().st_mode
    except OSError:
        return _("There is no such program.")
    if not (stat.S_ISREG(mode) and os.access(program, os.X_OK)):
        return _("It is no program that can be run.")
    if mode & (stat.S_IWGRP | stat.S_IWOTH):
        return _("Others may change this program: chmod go-w")
    return ""


def _environment() -> dict[str, str]:
    return {name: os.environ[name] for name in _KEPT if name in os.environ}


def _quoted(text: str) -> str:
    """Return a text as a string of TOML."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
