"""Puts a register that came in one file into a node's folder: archive, root, and the digests of its roots.

The archive is written before the root: a crash leaves a node without a root, which must join again.
"""

import json
from datetime import datetime
from pathlib import Path
from typing import Final

from paiza_register.archive import write_durably
from paiza_register.model import Register
from paiza_register.reader import RegisterReader
from paiza_register.register_file import RegisterFile

DIGESTS: Final = "root-digests.json"
"""Beside the root: the digests of the first and of the newest root, as the file carried them."""


def join(carried: RegisterFile, register: Path, root: Path, now: datetime) -> Register:
    """Verify a register from its first root on, and store it in the folder ``register`` and the file ``root``.

    The caller knows that the first root is the right one. The timestamp may have expired: the peers have a newer one.
    ``Rejected`` if the set does not verify or is older than the one that is archived there.
    """
    accepted = RegisterReader(register, carried.first_root).accept(carried.files, now, outdated=True)
    write_durably(root, carried.first_root)
    write_durably(root.with_name(DIGESTS), json.dumps(digests(carried)).encode() + b"\n")
    return accepted


def digests(carried: RegisterFile) -> dict[str, object]:
    """Return the digests of the first and of the newest root."""
    return {
        "first_root": {"version": 1, "sha256": carried.first_digest.hex()},
        "newest_root": {"version": carried.newest, "sha256": carried.newest_digest.hex()},
    }
