"""An officer at their own node: the profile, the verified register and the channel. `paiza` and `paiza-trust` share it.

Only `channel` imports grpc.
"""

import os
from typing import Final

GRPC_SETTINGS: Final = {
    # Python gRPC has no option for the lowest TLS version. This suite of TLS 1.2 needs an RSA key, and ours are all
    # P-256: TLS 1.2 cannot be agreed on, and TLS 1.3, whose suites are not configured here, remains.
    "GRPC_SSL_CIPHER_SUITES": "ECDHE-RSA-AES256-GCM-SHA384",
    # A failed handshake is told by us, in the officer's language, and not by the library on the terminal.
    "GRPC_VERBOSITY": os.environ.get("GRPC_VERBOSITY", "NONE"),
}
"""What grpc reads from the environment when it is imported: it is set before any module imports it."""

os.environ.update(GRPC_SETTINGS)
