"""The client's own verified copy of the register, below the profile's folder; nobody else's word is taken for it."""

from pathlib import Path
from typing import Final

from paiza_officer.errors import ProfileProblem
from paiza_officer.profiles import Profile
from paiza_register import Register, RegisterReader

MAX_ROOT_BYTES: Final = 1024 * 1024  # a root names a few dozen keys


def reader(profile: Profile) -> RegisterReader:
    """Open the register below the profile, trusted from its bootstrap root on."""
    return RegisterReader(profile.register_cache, bootstrap_root(profile.root))


def cached(profile: Profile) -> Register | None:
    """Return the set verified last, if it may still be believed; nothing is fetched."""
    return reader(profile).current()


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
