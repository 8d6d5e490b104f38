"""Starting the agent of a profile: a process of its own, which asks for passphrase and PIN through this one."""

import json
import os
import sys
from collections.abc import Callable
from datetime import timedelta
from typing import BinaryIO, Final

from paiza_officer.agent import client
from paiza_officer.errors import ProfileProblem, Unreachable
from paiza_officer.profiles import Profile

MAX_TIME: Final = timedelta(hours=12)
"""A long working day: no keys stay open overnight."""


def start(profile: Profile, time: timedelta, passphrase: Callable[[], bytes], pin: Callable[[str], bytes]) -> int:
    """Open the keys of a profile in an agent for so long; return its process id. One that runs already ends first.

    ``passphrase`` is called where a key is sealed, ``pin`` with the label of the token that holds the signing key.

    ProfileProblem: a key, the passphrase or the PIN. Unreachable: the token, or "agent_unavailable".
    """
    client.lock(profile.folder)
    command = [sys.executable, "-m", "paiza_officer.agent", str(profile.folder.resolve()), str(time.total_seconds())]
    reader, its_output = os.pipe()
    its_input, writer = os.pipe()
    with os.fdopen(reader, "rb") as questions, os.fdopen(writer, "wb") as answers:
        process = os.posix_spawn(
            sys.executable,
            command,
            os.environ,
            file_actions=[
                (os.POSIX_SPAWN_DUP2, its_input, 0),
                (os.POSIX_SPAWN_DUP2, its_output, 1),
                (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0),
            ],
        )
        os.close(its_input)
        os.close(its_output)
        if not _is_ready(profile, questions, answers, passphrase, pin):
            os.waitpid(process, 0)
            raise Unreachable("agent_unavailable", str(profile.folder), "the process ended")
    return process


def _is_ready(
    profile: Profile,
    questions: BinaryIO,
    answers: BinaryIO,
    passphrase: Callable[[], bytes],
    pin: Callable[[str], bytes],
) -> bool:
    """Answer the questions of the new process until it is ready; False if it ended without a word."""
    while line := questions.readline():
        told = json.loads(line)
        if "ready" in told:
            return True
        if "reason" in told:
            problem = Unreachable if told["temporary"] else ProfileProblem
            raise problem(told["reason"], told["where"] or str(profile.folder), told["detail"])
        secret = passphrase() if told["ask"] == "passphrase" else pin(told["token"])
        answers.write(secret.hex().encode() + b"\n")
        answers.flush()
    return False
