"""Which set of the register may follow another: nothing is rolled back or taken back, and no version leaps."""

from datetime import datetime
from typing import Final

from tuf.api.exceptions import BadVersionNumberError
from tuf.api.metadata import Snapshot, Timestamp

from paiza_register.model import Register
from paiza_register.tuf_workflow import SignedVersion, refuse_older, refuse_older_roles
from paiza_wire.errors import Rejected

MAX_LEAP: Final = 1 << 20
"""By which a version may exceed the known one: a publisher that leaps further would use up the numbers."""

MAX_LEAP_ABOVE: Final = MAX_LEAP // 2
"""By which a version that was seen may exceed the known one if a publisher is to go above it.

Half a leap: what it then publishes must be no leap to readers that are behind it.
"""


def may_leap(known: Register, at: datetime) -> bool:
    """Return whether a reader accepts any higher version: it has had no register in force for a while.

    A publisher that leaps again and again, and is followed, would otherwise shut out whoever slept meanwhile.
    """
    return at - known.expiry_time > known.grace


def refuse_rollback(known: Register, new: Register, *, leaps: bool = False) -> None:
    """Refuse a set that rolls back the one accepted before; ``Rejected("register_rolled_back")``.

    No role's version may fall or vanish. Pins of keys and revocations may only be added to: dropping a key must not
    hide a log that showed two histories, nor a witness that saw both, and the key of a node must not bring back an
    officer who was shut out. Versions that leap are refused as ``register_invalid``, unless they may (``leaps``).
    """
    if new.federation != known.federation:
        raise Rejected("register_invalid", "the register is another federation's")
    before, after = known.state, new.state
    # A publisher can invent the version of a role only while nobody signs the role.
    signed = [role for role in before.named if role in new.role_expiries and role in known.role_expiries]
    try:
        refuse_older(before, after)
        refuse_older_roles(before, after, signed)
    except BadVersionNumberError as error:
        raise Rejected("register_rolled_back", str(error)) from error
    for role, (old, version) in _comparable(known, new).items():
        if version - old > MAX_LEAP and not leaps:
            raise Rejected("register_invalid", f"the version of {role} leaps from {old} to {version}")
    if not known.key_pins <= new.key_pins:
        raise Rejected("register_rolled_back", "a key of a log or a witness is no longer pinned")
    for member, revoked in known.revocations.items():
        if not revoked <= new.revocations.get(member, revoked):
            raise Rejected("register_rolled_back", f"{member} has taken back a revocation")


def signed_twice(known: SignedVersion, new: SignedVersion) -> frozenset[str]:
    """Return the ids of the keys that signed two timestamps, or two snapshots, of one version."""
    if known.version != new.version or known.sha256 == new.sha256:
        return frozenset()
    return known.signers & new.signers


def _comparable(known: Register, new: Register) -> dict[str, tuple[int, int]]:
    """Return the versions of before and after of all that was not forgotten, by role."""
    before, after = known.state, new.state
    found = {role: (version, after.named[role]) for role, version in before.named.items() if role in after.named}
    if before.timestamp.signers & after.timestamp_keys:
        found[Timestamp.type] = before.timestamp.version, after.timestamp.version
    if before.snapshot.signers & after.snapshot_keys:
        found[Snapshot.type] = before.snapshot.version, after.snapshot.version
    return found
