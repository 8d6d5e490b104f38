"""The register's files as other members' nodes serve them. The caller verifies them."""

import asyncio
from collections.abc import Callable, Mapping, Sequence

from paiza.core.v1 import register_pb2
from paiza_node.core.peers.rpcs import GET_ARCHIVED_SET, GET_FILE, SHORT_SECONDS, PeerChannel
from paiza_register import FetchMissing
from paiza_wire.errors import PaizaError, Rejected, Unavailable


class RegisterFiles:
    """The register's files at one member's node. Also used while no register is in force: to get a newer one."""

    def __init__(self, channel: PeerChannel) -> None:
        """Use this channel."""
        self.member = channel.member
        self._channel = channel

    async def get(self, path: str) -> bytes:
        """Fetch one file of the set in force there; FetchMissing if there is none of that path."""
        try:
            response = await self._channel.call(GET_FILE, register_pb2.GetFileRequest(path=path))
        except Rejected as error:
            if error.reason == "unknown_file":
                raise FetchMissing(path) from error
            raise Unavailable(error.reason, error.detail) from error
        return bytes(response.data)

    async def get_archived_set(self, version: bytes) -> dict[str, bytes]:
        """Fetch a whole set by its version; Unavailable if there is none."""
        request = register_pb2.GetArchivedSetRequest(register_version=version)
        response = await self._channel.call(GET_ARCHIVED_SET, request)
        return {file.path: bytes(file.data) for file in response.files}


Sources = Callable[[], Sequence[RegisterFiles]]
"""Returns the members that can be asked; called on the event loop."""


class PeersFetch:
    """Fetches the register's files from the other members' nodes; for use in plain threads.

    All files of one refresh come from one peer, and the next refresh asks the next (`turn`): a peer that serves old or
    invalid files withholds nothing from us. If there is no peer to ask, the last verified set is used.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, sources: Sources) -> None:
        """Ask ``sources``, over channels of this loop."""
        self._loop = loop
        self._sources = sources
        self._turn = 0

    def turn(self) -> int:
        """Advance to the next peer; return how many can be asked in turn, at least 1. On the event loop."""
        self._turn += 1
        return max(1, len(self._sources()))

    def __call__(self, path: str, _max_bytes: int) -> bytes:
        """Fetch one file from the peer whose turn it is."""
        try:
            return asyncio.run_coroutine_threadsafe(self._get(path), self._loop).result(2 * SHORT_SECONDS)
        except TimeoutError as error:
            raise Unavailable("register_unavailable", "the peer did not answer in time") from error

    async def _get(self, path: str) -> bytes:
        sources = self._sources()
        if not sources:
            raise Unavailable("register_unavailable", "no peer can be asked")
        return await sources[self._turn % len(sources)].get(path)


async def fetch_archived_set(
    sources: Sequence[RegisterFiles], version: bytes, learn: Callable[[Mapping[str, bytes]], None]
) -> None:
    """Fetch a set that is no longer in force from the first peer that has one which ``learn`` accepts.

    Raises the last failure if no peer has one.
    """
    failure: PaizaError = Unavailable("register_unknown", "the register names no other active member")
    for source in sources:
        try:
            await asyncio.to_thread(learn, await source.get_archived_set(version))
        except PaizaError as error:
            failure = error
        else:
            return
    raise failure
