"""What nodes announce to each other about the register."""

from paiza.core.v1 import register_pb2
from paiza_register import Register
from paiza_wire import message as wire
from paiza_wire.errors import Rejected


def state_of(register: Register, proposals_sha256: bytes = b"") -> register_pb2.RegisterState:
    """Return the announcement of a node that holds this register, and proposals of this digest."""
    return register_pb2.RegisterState(register_version=register.version, proposals_sha256=proposals_sha256)


def check_state(state: register_pb2.RegisterState) -> None:
    """Refuse another node's announcement if it is not well formed; ``Rejected("malformed")``."""
    if len(state.register_version) != wire.DIGEST_SIZE:
        raise Rejected("malformed", "register_version is not 32 bytes long")
