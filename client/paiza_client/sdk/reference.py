"""The reference data in use: of the newest register, or of the one verified last while the node is away."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

from paiza_client.local import reference_data
from paiza_client.local.reference_data import ReferenceData
from paiza_client.sdk.session import Session
from paiza_officer import register_cache
from paiza_officer.errors import Unreachable
from paiza_officer.profiles import Profile


@dataclass(frozen=True, slots=True)
class InUse:
    """Reference data; ``away`` is why the node did not answer, where they are of the register verified last."""

    data: ReferenceData
    away: Unreachable | None = None


async def in_use(open_session: Callable[[], AbstractAsyncContextManager[Session]], profile: Profile) -> InUse:
    """Return the reference data of the newest register; those of the register verified last while the node is away.

    ``open_session`` is called once: ``lambda: connect(profile)``. Records that cannot be used are left out and named in
    ``data.reference.problems``. Nothing is logged. Unreachable where the node is away and no register was verified yet;
    other errors as `connect`.
    """
    try:
        async with open_session() as session:
            return InUse(reference_data.of(session.register()))
    except Unreachable as error:
        known = register_cache.cached(profile)
        if known is None:
            raise
        return InUse(reference_data.of(known), error)
