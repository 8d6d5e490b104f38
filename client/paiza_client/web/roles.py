"""What an officer's roles allow at all: a page offers nothing that the node would refuse to everybody of a role."""

from paiza_client.sdk import Session
from paiza_domain import kinds


async def may_write(session: Session) -> bool:
    """Return whether the officer's roles send messages; those that send none open none either."""
    roles = set((await session.whoami()).roles)
    return any(each.sender_roles & roles for each in kinds.all_kinds().values())
