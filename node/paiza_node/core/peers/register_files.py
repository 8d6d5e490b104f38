"""The register's files as other members' nodes serve them. The caller verifies them."""

from paiza.core.v1 import register_pb2
from paiza.peer.v1 import exchange_pb2
from paiza_node.core.peers.rpcs import GET_FILE, HANDSHAKE, LIST_PROOFS, PROTOCOL_VERSION, PeerChannel
from paiza_register import FetchMissing
from paiza_wire.errors import Rejected, Unavailable


class RegisterFiles:
    """The register's files at one member's node. Also used while no register is in force: to get a newer one."""

    def __init__(self, channel: PeerChannel) -> None:
        """Use this channel."""
        self.member = channel.member
        self._channel = channel

    async def get(self, path: str, version: bytes = b"") -> bytes:
        """Fetch a file of the set in force there, or of an archived version; FetchMissing if there is none."""
        request = register_pb2.GetFileRequest(path=path, register_version=version)
        try:
            response = await self._channel.call(GET_FILE, request)
        except Rejected as error:
            if error.reason == "unknown_file":
                raise FetchMissing(path) from error
            raise Unavailable(error.reason, error.detail) from error
        return bytes(response.data)

    async def proofs(self) -> list[tuple[bytes, bytes]]:
        """Fetch the proofs of misbehaviour that are held there; nothing is verified here."""
        request = register_pb2.ListProofsRequest()
        response = await self._channel.call(LIST_PROOFS, request)
        return [(each.first, each.second) for each in response.proofs]

    async def greet(self, state: register_pb2.RegisterState) -> register_pb2.RegisterState:
        """Announce to the node what this one holds of the register; return what it holds."""
        request = exchange_pb2.HandshakeRequest(protocol_version=PROTOCOL_VERSION, register_state=state)
        response = await self._channel.call(HANDSHAKE, request)
        return response.register_state
