"""Puts a register that came in one file into a node's folder: archive, root, and the digests of its roots.

The archive is written before the root: a crash leaves a node without a root, which must join again.
"""

import json
from datetime import datetime
from pathlib import Path
from typing import Final

from paiza_register.archive import write_durably
from paiza_register.misbehaviour import RootFork
from paiza_register.model import Register
from paiza_register.open_set import load_set
from paiza_register.reader import RegisterReader
from paiza_register.register_file import RegisterFile
from paiza_register.tuf_workflow import root_path
from paiza_wire.errors import Rejected

DIGESTS: Final = "root-digests.json"
"""Beside the root: the digests of the first and of the newest root, as the file carried them."""


def fork_of(carried: RegisterFile, register: Path) -> RootFork | None:
    """Return the two roots of one version that freeze the membership there, if the file follows one of them."""
    fork = RegisterReader(register, carried.first_root).fork
    return None if fork is None or carried.newest < fork.version else fork


def join(carried: RegisterFile, register: Path, root: Path, now: datetime) -> Register:
    """Verify a register from its first root on, and store it in the folder ``register`` and the file ``root``.

    The caller knows that the first root is the right one, and that people decided for the file's root of a fork
    (`fork_of`). The timestamp may have expired: the peers have a newer one. ``Rejected`` if the set does not verify or
    is older than the one that is archived there; after a fork an older one is archived, and publishers merge both.
    """
    reader = RegisterReader(register, carried.first_root)
    fork = fork_of(carried, register)
    accepted = reader.accept(carried.files, now, outdated=True) if fork is None else _decide(reader, fork, carried, now)
    write_durably(root, carried.first_root)
    write_durably(root.with_name(DIGESTS), json.dumps(digests(carried)).encode() + b"\n")
    return accepted


def _decide(reader: RegisterReader, fork: RootFork, carried: RegisterFile, now: datetime) -> Register:
    """End a freeze by a register that follows one of the two roots."""
    register = load_set(carried.files, carried.first_root, now, outdated=True)
    reader.settle_fork(carried.files[root_path(fork.version)])
    try:
        accepted = reader.accept(carried.files, now, outdated=True)
    except Rejected as error:
        if error.reason != "register_rolled_back":
            raise
    else:
        if accepted.version == register.version:
            return accepted
    # The set in force went on under the root before both.
    reader.import_set(register.version, carried.fetch())
    return register


def digests(carried: RegisterFile) -> dict[str, object]:
    """Return the digests of the first and of the newest root."""
    return {
        "first_root": {"version": 1, "sha256": carried.first_digest.hex()},
        "newest_root": {"version": carried.newest, "sha256": carried.newest_digest.hex()},
    }
