"""The key exchange of a connection: one that a quantum computer could undo later is refused.

The library always accepts X25519 and the NIST curves beside X25519MLKEM768, and Python cannot tell it otherwise. It
prefers the hybrid group, and shows which one was agreed on, so a call over another one is refused here. Nobody between
the two can bring that about: both ends sign what they agreed on.
"""

from typing import Final

from paiza_wire.errors import Rejected

PROPERTY: Final = "ssl_negotiated_key_exchange_group"  # of gRPC's auth context
HYBRID: Final = b"X25519MLKEM768"  # the only hybrid group that the library has


def check_key_exchange(properties: dict[str, list[bytes]]) -> None:
    """Raise Rejected("classical_key_exchange") unless a connection's auth context shows a hybrid group."""
    if (agreed := properties.get(PROPERTY)) != [HYBRID]:
        name = b", ".join(agreed or [b"none"]).decode("ascii", "replace")
        raise Rejected("classical_key_exchange", f"the key exchange is {name}, not {HYBRID.decode()}")
