"""The register in use: the newest one, or the one verified last while the node is away."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

from paiza_client.sdk.session import Session
from paiza_officer import register_cache
from paiza_officer.errors import Unreachable
from paiza_officer.profiles import Profile
from paiza_register import Register

OpenSession = Callable[[], AbstractAsyncContextManager[Session]]
"""Opens a session; called once: ``lambda: connect(profile)``."""


@dataclass(frozen=True, slots=True)
class InUse:
    """A register; ``away`` is why the node did not answer, where it is the one verified last."""

    register: Register
    away: Unreachable | None = None


async def in_use(open_session: OpenSession, profile: Profile) -> InUse:
    """Return the newest register, or the one verified last while the node is away. Nothing is logged.

    Unreachable where the node is away and no register was verified yet; other errors as `connect`.
    """
    try:
        async with open_session() as session:
            return InUse(session.register())
    except Unreachable as error:
        known = register_cache.cached(profile)
        if known is None:
            raise
        return InUse(known, error)
