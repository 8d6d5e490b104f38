"""The reference data in use: of the newest register, or of the one verified last while the node is away."""

from dataclasses import dataclass

from paiza_client.local import reference_data
from paiza_client.local.reference_data import ReferenceData
from paiza_client.sdk import registers
from paiza_client.sdk.registers import OpenSession
from paiza_officer.errors import Unreachable
from paiza_officer.profiles import Profile


@dataclass(frozen=True, slots=True)
class InUse:
    """Reference data; ``away`` is why the node did not answer, where they are of the register verified last."""

    data: ReferenceData
    away: Unreachable | None = None


async def in_use(open_session: OpenSession, profile: Profile) -> InUse:
    """Return the reference data of the newest register; those of the register verified last while the node is away.

    Records that cannot be used are left out and named in ``data.reference.problems``. Errors as `registers.in_use`.
    """
    found = await registers.in_use(open_session, profile)
    return InUse(reference_data.of(found.register), found.away)
