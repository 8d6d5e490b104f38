"""The officer's connection to the own node: `connect`, and the typed `Session` it gives. Only here is grpc imported.

grpc reads these settings from the environment when it is imported, so they are made before any module of this
package is.
"""

import os

# Python gRPC has no option for the lowest TLS version. This suite of TLS 1.2 needs an RSA key, and ours are all P-256:
# TLS 1.2 cannot be agreed on, and TLS 1.3, whose suites are not configured here, remains.
os.environ["GRPC_SSL_CIPHER_SUITES"] = "ECDHE-RSA-AES256-GCM-SHA384"
# A failed handshake is told by us, in the officer's language, and not by the library on the terminal.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")

from paiza_client.sdk.connection import connect
from paiza_client.sdk.session import Session

__all__ = ["Session", "connect"]
