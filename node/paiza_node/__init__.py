"""The node: takes what its officers submit, delivers it to other members' nodes, takes theirs, and logs all of it."""

import os
import sys

# Python gRPC cannot be told a least TLS version. This suite needs an RSA key, which no certificate of a federation
# has, so that no suite of TLS 1.2 is left; those of TLS 1.3 are not concerned. It must be set before grpc is imported
# anywhere.
os.environ["GRPC_SSL_CIPHER_SUITES"] = "ECDHE-RSA-AES256-GCM-SHA384"
# At INFO the library names each refused handshake on standard error, and little else; `paiza_node.app.standard_error`
# makes JSON of it. Commands, and people at a terminal, do without. The library reads this once, when it is imported.
_serves = "run" in sys.argv[1:] and not sys.stderr.isatty()
if os.environ.get("GRPC_VERBOSITY", "NONE") == "NONE":  # to look for a defect, set another one
    os.environ["GRPC_VERBOSITY"] = "INFO" if _serves else "NONE"
