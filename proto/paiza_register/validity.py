"""Whether a verified set is valid at a time: step 8 of `verified_set`.

A member whose own role has expired is `Register.unusable` then; everybody else goes on.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final

from tuf.api.metadata import Root, Snapshot, Targets, Timestamp

from paiza_register import roles
from paiza_register.model import Register
from paiza_wire.errors import Rejected, Unavailable

MAX_LIFE: Final = timedelta(days=366)
"""From signing to expiry of everything but the timestamp."""

CLOCK_TOLERANCE: Final = timedelta(minutes=10)
"""By which the clock of a signer may be ahead."""


def highest_version(at: datetime) -> int:
    """Return the highest version that anything in a set may have at a time: the milliseconds since 1970.

    Whoever uses up all numbers leaves new ones a moment later: nobody can stop the others by counting far ahead. And
    all readers agree about a version, those that know an older set and those that know none.
    """
    return int((at + CLOCK_TOLERANCE).timestamp() * 1000)


def check_versions(register: Register, at: datetime) -> None:
    """Refuse a set that counts higher than anything may at a time; ``Rejected("register_invalid")``."""
    role, version = max({Timestamp.type: register.timestamp_version, **register.role_versions}.items(), key=_version)
    if version > highest_version(at):
        raise Rejected("register_invalid", f"the version of {role} is {version}, higher than it may be yet")


def when_accepted(register: Register, at: datetime, *, outdated: bool = False) -> Register:
    """Run step 8 for a set that is new here.

    No expiry may be later than the signers may write today, and no version may be higher than `highest_version`.
    """
    check_versions(register, at)
    for role, life in (
        (Root.type, MAX_LIFE),
        (Targets.type, MAX_LIFE),
        (Snapshot.type, MAX_LIFE),
        (Timestamp.type, register.life),
    ):
        if register.role_expiries[role] - at > life + CLOCK_TOLERANCE:
            raise Rejected("register_invalid", f"{role} expires later than it may")
    return at_time(register, at, outdated=outdated)


def at_time(register: Register, at: datetime, *, outdated: bool = False) -> Register:
    """Run step 8 alone: return the register as of this time, or ``Unavailable("register_expired")``.

    With ``outdated`` the timestamp may have expired: root, targets and snapshot must be valid.
    """
    content = (Root.type, Targets.type, Snapshot.type)
    expiry = min(register.role_expiries[role] for role in content) if outdated else register.expiry_time
    # A difference cannot overflow; the sum could, for an expiry in the year 9999.
    if at - expiry > register.grace:
        raise Unavailable("register_expired", f"it expired at {expiry.isoformat()} and the grace is over")
    unusable = {member: fault for member, fault in register.faults.items() if member != roles.REFERENCE}
    for member in register.described:
        for role in (member, roles.node_role_of(member)):
            if fault := _untimely(register, role, at):
                unusable[member] = fault
    return replace(
        register,
        members=MappingProxyType({name: each for name, each in register.described.items() if name not in unusable}),
        untimely=MappingProxyType({name: each for name, each in register.described.items() if name in unusable}),
        unusable=MappingProxyType(unusable),
        late=at >= register.expiry_time,
        reference_fault=register.faults.get(roles.REFERENCE) or _untimely(register, roles.REFERENCE, at),
    )


def _untimely(register: Register, role: str, at: datetime) -> str:
    """Return why a role that one key signs does not count at this time; empty if it does."""
    expires = register.role_expiries[role]
    if at - expires > register.grace:
        return f"{role} expired at {expires.isoformat()} and the grace is over"
    if expires - at > MAX_LIFE + CLOCK_TOLERANCE:
        return f"{role} expires at {expires.isoformat()}, later than it may"
    return ""


def _version(named: tuple[str, int]) -> int:
    return named[1]
