"""Requests to the agent of a profile. Without an agent, or one that ended meanwhile, there is no answer: None."""

import socket
from pathlib import Path
from typing import Final

from paiza_officer.agent import wire
from paiza_officer.agent.wire import Answer, Frame, Request
from paiza_officer.errors import ProfileProblem, Unreachable

SIGN_SECONDS: Final = 60.0
"""A token may wait for the officer's finger."""


def authentication_key(profile_folder: Path, fingerprint: bytes) -> bytes | None:
    """Return the authentication key of this fingerprint (PEM, not sealed); None where no agent holds it."""
    return _ask(profile_folder, Frame(Request.AUTHENTICATION_KEY, fingerprint))


def signs_with(profile_folder: Path, fingerprint: bytes) -> bool:
    """Return whether an agent signs with the key of this fingerprint."""
    return _ask(profile_folder, Frame(Request.SIGNS_WITH, fingerprint)) is not None


def sign(profile_folder: Path, fingerprint: bytes, data: bytes) -> bytes | None:
    """Return the signature of a DSSE encoding by the key of this fingerprint; None where no agent holds it.

    ProfileProblem or Unreachable with the token's reason where the key is on one that does not sign.
    """
    return _ask(profile_folder, Frame(Request.SIGN, fingerprint + data))


def make_next(profile_folder: Path, label: str) -> bytes | None:
    """Have the profile's next keys made; return `paiza_officer.new_keys.to_json` of them, None without an agent."""
    return _ask(profile_folder, Frame(Request.MAKE, label.encode("ascii")))


def open_again(profile_folder: Path) -> None:
    """Have the keys opened that the profile names now."""
    _ask(profile_folder, Frame(Request.OPEN))


def lock(profile_folder: Path) -> bool:
    """End the agent; return whether there was one. It answers nobody any more."""
    return _ask(profile_folder, Frame(Request.LOCK)) is not None


def _ask(profile_folder: Path, request: Frame) -> bytes | None:
    path = wire.socket_path(profile_folder)
    if not wire.is_private(path.parent):
        return None  # another user could have put an agent of their own there
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(SIGN_SECONDS)
            connection.connect(str(path))
            if not wire.is_same_user(connection):
                return None
            wire.send(connection, request, SIGN_SECONDS)
            answer = wire.receive(connection, SIGN_SECONDS)
            if request.kind == Request.LOCK:
                connection.settimeout(SIGN_SECONDS)
                connection.recv(1)  # the end of the stream
    except OSError:
        return None
    if answer is None or answer.kind == Answer.UNKNOWN:
        return None
    if answer.kind == Answer.DONE:
        return answer.data
    reason, _, detail = answer.data.decode(errors="replace").partition(" ")
    problem = Unreachable if answer.kind == Answer.UNAVAILABLE else ProfileProblem
    raise problem(reason, str(profile_folder), detail)
