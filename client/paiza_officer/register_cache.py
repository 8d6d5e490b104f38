"""The client's own verified copy of the register, below the profile's folder; nobody else's word is taken for it."""

import json
from pathlib import Path
from typing import Final

from paiza_officer.errors import NotProven, ProfileProblem
from paiza_officer.profiles import Profile
from paiza_register import Register, RegisterReader
from paiza_register.joining import DIGESTS
from paiza_register.register_file import RegisterFile
from paiza_register.tuf_workflow import root_path

MAX_ROOT_BYTES: Final = 1024 * 1024  # a root names a few dozen keys


def reader(profile: Profile) -> RegisterReader:
    """Open the register below the profile, trusted from its bootstrap root on."""
    return RegisterReader(profile.register_cache, bootstrap_root(profile.root))


def cached(profile: Profile) -> Register | None:
    """Return the set verified last, if it may still be believed; nothing is fetched."""
    return reader(profile).current()


def check_newest_root(profile: Profile, current: Register) -> None:
    """Check that a register follows the newest root that the officer's invitation named.

    NotProven: it is older than that root, or has another one of its version. A profile without an invitation has none.
    """
    file = profile.folder / DIGESTS
    if not file.exists():
        return
    try:
        noted = json.loads(file.read_bytes())["newest_root"]
        version, digest = int(noted["version"]), bytes.fromhex(noted["sha256"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ProfileProblem("file_unreadable", str(file), str(error)) from error
    if current.root_version < version:
        raise NotProven("register_rolled_back", profile.node, f"root {version} is missing")
    path = root_path(version)
    if RegisterFile({path: reader(profile).file(path)}).root_digest(version) != digest:
        raise NotProven("register_forked", profile.node, f"root {version} is another one than the invitation names")


def bootstrap_root(path: Path) -> bytes:
    """Read the root of trust; ProfileProblem where it is missing or far too large."""
    try:
        with path.open("rb") as file:
            root = file.read(MAX_ROOT_BYTES + 1)
    except OSError as error:
        raise ProfileProblem("file_unreadable", str(path), error.strerror or "") from error
    if len(root) > MAX_ROOT_BYTES:
        raise ProfileProblem("too_large", str(path), f"over {MAX_ROOT_BYTES} bytes")
    return root
