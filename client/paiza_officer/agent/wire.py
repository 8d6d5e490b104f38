"""Requests to an agent and its answers: one of each on a connection, over a Unix socket of the user's own."""

import os
import socket
import stat
import struct
import tempfile
import time
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from pathlib import Path
from typing import Final

from paiza_officer.errors import ProfileProblem, Unreachable

MAX_FRAME_BYTES: Final = 256 * 1024
"""A header to be signed has at most 64 KiB."""

FINGERPRINT_BYTES: Final = 32
IO_SECONDS: Final = 5.0
"""Both ends run on one machine; an end that is slower is not one of ours."""

_LENGTH_BYTES: Final = 4
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO
_PEER: Final = struct.Struct("=iII")
"""ucred of unix(7): process, user and group."""


class Request(StrEnum):
    """What an agent is asked for. The first three name a key by its fingerprint, ``MAKE`` the label of new keys."""

    SIGN = "S"
    SIGNS_WITH = "?"
    AUTHENTICATION_KEY = "K"
    MAKE = "M"
    OPEN = "O"
    LOCK = "L"


class Answer(StrEnum):
    """``DONE`` with the result; ``UNKNOWN`` for a key that is not held; ``REFUSED`` and ``UNAVAILABLE`` with reason."""

    DONE = "="
    UNKNOWN = "0"
    REFUSED = "!"
    UNAVAILABLE = "~"


@dataclass(frozen=True, slots=True)
class Frame:
    """One request or answer: its kind, a character, and its bytes."""

    kind: str
    data: bytes = b""


def send(connection: socket.socket, frame: Frame, seconds: float) -> None:
    """Write one frame: the length of what follows in four bytes, the kind, the bytes.

    TimeoutError unless the other end has taken it whole after so many ``seconds``.
    """
    body = frame.kind.encode("ascii") + frame.data
    connection.settimeout(_positive(seconds))
    connection.sendall(len(body).to_bytes(_LENGTH_BYTES, "big") + body)


def receive(connection: socket.socket, seconds: float) -> Frame | None:
    """Read one frame; None where the other end sent none, or one that is malformed or too long.

    TimeoutError unless it has come whole after so many ``seconds``, however it was cut up.
    """
    until = time.monotonic() + seconds
    length = int.from_bytes(_exactly(connection, _LENGTH_BYTES, until), "big")
    if not 0 < length <= MAX_FRAME_BYTES:
        return None
    body = _exactly(connection, length, until)
    if len(body) != length or body[0] > 0x7F:  # noqa: PLR2004 - the last character of ASCII
        return None
    return Frame(chr(body[0]), body[1:])


def _exactly(connection: socket.socket, count: int, until: float) -> bytes:
    """Read so many bytes until a moment of the monotonic clock, fewer only at the end of the stream."""
    data = b""
    while len(data) < count:
        connection.settimeout(_positive(until - time.monotonic()))
        if not (more := connection.recv(count - len(data))):
            break
        data += more
    return data


def _positive(seconds: float) -> float:
    """Return the seconds; TimeoutError where none are left: a socket with a time-out of 0 does not wait at all."""
    if seconds <= 0:
        raise TimeoutError
    return seconds


def socket_path(profile_folder: Path) -> Path:
    """Return where the agent of a profile listens. The name is a digest: paths of sockets are short (108 bytes)."""
    name = sha256(bytes(profile_folder.resolve())).hexdigest()[:16]
    return runtime_folder() / f"{name}.agent"


def runtime_folder() -> Path:
    """Return the folder of the user's sockets: in XDG_RUNTIME_DIR where there is one, else among temporary files."""
    if runtime := os.environ.get("XDG_RUNTIME_DIR"):
        return Path(runtime) / "paiza"
    return Path(tempfile.gettempdir()) / f"paiza-{os.geteuid()}"


def is_private(folder: Path) -> bool:
    """Return whether this is a folder of this user that lets nobody else in; a link to one is not."""
    try:
        status = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid() and not status.st_mode & _OTHERS


def make_private(folder: Path) -> None:
    """Make the folder of the sockets; ProfileProblem("key_exposed") where another user made it first."""
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise Unreachable("agent_unavailable", str(folder), error.strerror or "") from error
    if not is_private(folder):
        raise ProfileProblem("key_exposed", str(folder), "the folder of the agent's socket is open to other users")


def is_same_user(connection: socket.socket) -> bool:
    """Return whether the process at the other end runs as this user; True where it cannot be asked."""
    if not hasattr(socket, "SO_PEERCRED"):
        return True  # the mode of the folder keeps the others out
    _pid, uid, _gid = _PEER.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size))
    return bool(uid == os.geteuid())
