"""The process of the agent. Its parent hands it a profile, answers its questions, and leaves it alone.

1. Core dumps and debuggers are shut out, before there is a secret.
2. One agent a profile: a lock file, which a crash releases. The socket is bound, of mode 0600 in a folder of mode 0700.
3. The keys are opened; the parent is asked for the passphrase and the PIN, over the pipes of standard input and output.
4. The parent is told ``ready``.
5. Requests of processes of the same user are answered, one at a time, until the time is over or one of them is LOCK.
   Each has a deadline, and none holds the agent beyond its time.

The end of the process is the end of the keys: nothing was written.
"""

import ctypes
import fcntl
import json
import os
import re
import resource
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import BinaryIO, Final, NoReturn, TextIO

from paiza_officer.agent import wire
from paiza_officer.agent.held import HeldKeys
from paiza_officer.agent.wire import Answer, Frame, Request
from paiza_officer.errors import ProfileProblem, Refused, Unreachable
from paiza_wire.errors import PaizaError, Unavailable
from paiza_wire.identity.tokens import Tokens

LOOK_SECONDS: Final = 5.0
"""How late the end of the time may be noticed after the machine slept."""

LOCK_SECONDS: Final = 5.0
"""How long an agent that was told to end may take."""

_LABEL: Final = re.compile(rb"[0-9a-f]{8}")  # of new keys; it becomes a part of names of files
_PR_SET_DUMPABLE: Final = 4  # prctl(2)
_MCL_CURRENT: Final = 1  # mlockall(2)


def main(folder: Path, seconds: float) -> int:
    """Be the agent of a profile for so long; return the exit code of the process."""
    os.setsid()  # the terminal's interrupts and its end are not the agent's
    _forbid_dumps()
    questions = _Questions(sys.stdin.buffer, sys.stdout)
    try:
        # A token stays open as long as its key is held.
        with Tokens(questions.pin) as tokens, _only_agent(wire.socket_path(folder)) as listener:
            held = HeldKeys(folder, questions.passphrase, tokens)
            _lock_memory()
            for end in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                signal.signal(end, _ended)
            questions.ready()
            _detach()
            _serve(listener, held, clock() + seconds, clock)
    except PaizaError as error:
        questions.failed(error)
        return 1
    return 0


def clock() -> float:
    """Return seconds that also pass while the machine sleeps."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class _Questions:
    """The talk with the parent: a line of JSON each way."""

    def __init__(self, answers: BinaryIO, questions: TextIO) -> None:
        self._answers = answers
        self._questions = questions

    def passphrase(self) -> bytes:
        return self._ask({"ask": "passphrase"})

    def pin(self, token: str) -> bytes:
        return self._ask({"ask": "pin", "token": token})

    def ready(self) -> None:
        self._tell({"ready": True})

    def failed(self, error: PaizaError) -> None:
        temporary = isinstance(error, Unavailable)
        where = error.where if isinstance(error, (Refused, Unreachable)) else ""
        with suppress(OSError):  # the parent may be gone
            self._tell({"reason": error.reason, "where": where, "detail": error.detail, "temporary": temporary})

    def _ask(self, question: Mapping[str, object]) -> bytes:
        self._tell(question)
        if not (answer := self._answers.readline()):
            raise ProfileProblem("passphrase_missing")
        return bytes.fromhex(answer.decode("ascii"))

    def _tell(self, line: Mapping[str, object]) -> None:
        self._questions.write(json.dumps(line) + "\n")
        self._questions.flush()


@contextmanager
def _only_agent(path: Path) -> Iterator[socket.socket]:
    """Bind the socket of a profile; Unreachable("agent_unavailable") where another agent of it does not end."""
    wire.make_private(path.parent)
    with path.with_suffix(".lock").open("w") as lock:
        _wait_for(lock, path)
        path.unlink(missing_ok=True)  # of an agent that was killed: the lock proves that it is no more
        with socket.socket(socket.AF_UNIX) as listener:
            before = os.umask(0o177)
            try:
                listener.bind(str(path))
            except OSError as error:
                raise Unreachable("agent_unavailable", str(path), error.strerror or str(error)) from error
            finally:
                os.umask(before)
            listener.listen()
            try:
                yield listener
            finally:
                path.unlink(missing_ok=True)


def _wait_for(lock: TextIO, path: Path) -> None:
    until = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > until:
                raise Unreachable(
                    "agent_unavailable", str(path), "another agent of this profile does not end"
                ) from None
            time.sleep(0.05)
        else:
            return


def _serve(listener: socket.socket, held: HeldKeys, until: float, now: Callable[[], float]) -> None:
    """Answer requests until the time is over, or LOCK."""
    while (left := until - now()) > 0:
        listener.settimeout(min(left, LOOK_SECONDS))
        try:
            connection, _ = listener.accept()
        except TimeoutError:
            continue
        with connection, suppress(OSError):  # a program that hangs up, or is too slow, costs nobody else
            if not wire.is_same_user(connection):
                continue
            request = wire.receive(connection, min(wire.IO_SECONDS, until - now()))
            if request is None or now() >= until:  # the machine may have slept through the end
                continue
            answer = _answer(request, held)
            wire.send(connection, answer, min(wire.IO_SECONDS, until - now()))
            if request.kind == Request.LOCK:
                return


def _answer(request: Frame, held: HeldKeys) -> Frame:
    name, data = request.data[: wire.FINGERPRINT_BYTES], request.data[wire.FINGERPRINT_BYTES :]
    answer: bytes | None = None
    try:
        match request.kind:
            case Request.AUTHENTICATION_KEY:
                answer = held.authentication_key(name)
            case Request.SIGNS_WITH:
                answer = b"" if held.signs_with(name) else None
            case Request.SIGN:
                answer = held.sign(name, data)
            case Request.MAKE if _LABEL.fullmatch(request.data):
                answer = held.make(request.data.decode("ascii"))
            case Request.OPEN:
                held.open()
                answer = b""
            case Request.LOCK:
                answer = b""
    except PaizaError as error:
        kind = Answer.UNAVAILABLE if isinstance(error, Unavailable) else Answer.REFUSED
        return Frame(kind, f"{error.reason} {error.detail}".encode())
    return Frame(Answer.UNKNOWN) if answer is None else Frame(Answer.DONE, answer)


def _ended(_number: int, _frame: FrameType | None) -> NoReturn:
    raise SystemExit(0)


def _forbid_dumps() -> None:
    """Let no crash write the keys to disk, and no other process of the user read this one's memory."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def _lock_memory() -> None:
    """Keep the keys out of the swap where the user's limit of locked memory suffices; most systems' does not."""
    with suppress(AttributeError):
        ctypes.CDLL(None).mlockall(_MCL_CURRENT)


def _detach() -> None:
    """Let go of the parent's pipes and of the folder in which it was started."""
    os.chdir("/")
    null = os.open(os.devnull, os.O_RDWR)
    for stream in range(3):
        os.dup2(null, stream)
    os.close(null)
