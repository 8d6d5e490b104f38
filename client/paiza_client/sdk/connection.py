"""The start of a session."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial

from paiza_client.sdk.session import Session
from paiza_officer import connection, renewal
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

    The register is renewed from the node first, then certificates in their last month (`Session.renewal`). Nothing is
    sent: what waits in the outbox goes with `Session.flush`.

    ProfileProblem: the key, the passphrase or the certificate. Unreachable: the node or the register, for now.
    """
    async with connection.connect(profile, passphrase, pin) as connected:
        renewed = await renewal.renew_if_due(
            connected, passphrase or connection.no_passphrase, pin or connection.no_pin, datetime.now(UTC)
        )
        check = partial(connection.check_node, connected)
        session = Session(connected.profile, connected.signer, connected.channel, connected.register, renewed, check)
        if not remembered_roles(profile):
            # Without its roles, an officer's message could not be made while the node is away.
            await session.whoami()
        yield session
