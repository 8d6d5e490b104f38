"""What nodes announce to each other about the register."""

from collections.abc import Collection
from datetime import UTC, datetime
from hashlib import sha256

from paiza.core.v1 import register_pb2
from paiza_register import Register
from paiza_wire import message as wire
from paiza_wire.errors import Rejected


def state_of(
    register: Register, now: datetime, proposals_sha256: bytes = b"", proven: Collection[str] = ()
) -> register_pb2.RegisterState:
    """Return the announcement of a node that now holds this register, and proposals of this digest.

    ``proven`` names the misbehaviour of which it holds proofs (`RegisterReader.proven`).
    """
    names = "".join(f"{name}\n" for name in sorted(proven)).encode()
    state = register_pb2.RegisterState(
        register_version=register.version,
        timestamp_version=register.timestamp_version,
        root_version=register.root_version,
        root_sha256=register.root_sha256,
        proposals_sha256=proposals_sha256,
        proofs_sha256=sha256(names).digest() if proven else b"",
    )
    state.state_time.FromDatetime(now)
    return state


def announced_time(state: register_pb2.RegisterState) -> datetime:
    """Return when a node announced this, by its clock; the year 1970 if it names no time, or one that is none."""
    try:
        return state.state_time.ToDatetime(tzinfo=UTC)
    except (ValueError, OverflowError):
        return datetime.fromtimestamp(0, UTC)


def check_state(state: register_pb2.RegisterState) -> None:
    """Refuse another node's announcement if it is not well formed; ``Rejected("malformed")``."""
    if not is_well_formed(state):
        raise Rejected("malformed", "a digest in register_state is not 32 bytes long")


def is_well_formed(state: register_pb2.RegisterState) -> bool:
    """Return whether the register version is a digest, and each other digest is one or left out."""
    digests = (state.root_sha256, state.proposals_sha256, state.proofs_sha256)
    return len(state.register_version) == wire.DIGEST_SIZE and all(
        len(each) in {0, wire.DIGEST_SIZE} for each in digests
    )
