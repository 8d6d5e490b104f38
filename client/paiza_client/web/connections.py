"""Connections as they are accepted, before a request is read.

Whatever connects keeps a file of this process open, for as long as it likes. Up to a number anybody's connection is
held: a request on it is told that the port is not theirs (`guard`). Beyond it those of other users are closed at once.
"""

import asyncio
from typing import Final

from typing_extensions import override
from uvicorn.protocols.http.h11_impl import H11Protocol

from paiza_client.web.peer_user import is_of_this_user

HELD: Final = 64
"""Connections that are held without a look at their user."""
BACKLOG: Final = 64
"""Connections that are accepted at once, before the first of them is looked at."""


class Connection(H11Protocol):
    """One connection with the port."""

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Hold the connection, or close it where there are too many."""
        assert isinstance(transport, asyncio.Transport), "as of every connection by TCP"
        if len(self.connections) >= HELD:
            port: int = transport.get_extra_info("sockname")[1]
            if not is_of_this_user(transport.get_extra_info("peername"), port):
                transport.abort()
                return
        super().connection_made(transport)

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection, if it was held."""
        if self in self.connections:
            super().connection_lost(exc)
