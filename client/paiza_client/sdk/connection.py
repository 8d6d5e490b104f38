"""The start of a session."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from paiza_client.sdk.session import Session
from paiza_officer import connection
from paiza_officer.profiles import Profile, remembered_roles


@asynccontextmanager
async def connect(
    profile: Profile,
    passphrase: Callable[[], bytes] | None = None,
    pin: Callable[[str], bytes] | None = None,
) -> AsyncIterator[Session]:
    """Connect to the profile's node; ``passphrase`` is called at most once for each key that is encrypted.

    ``pin`` is called with the label of the token that holds the signing key. Neither is called while an agent holds the
    keys (`paiza unlock`).

    Nothing is sent: what waits in the outbox goes with `Session.flush`. The register is renewed from the node first.

    ProfileProblem: the key, the passphrase or the certificate. Unreachable: the node or the register, for now.
    """
    async with connection.connect(profile, passphrase, pin) as connected:
        session = Session(profile, connected.signer, connected.channel, connected.register)
        if not remembered_roles(profile):
            # Without its roles, an officer's message could not be made while the node is away.
            await session.whoami()
        yield session
