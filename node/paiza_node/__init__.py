"""The node: takes what its officers submit, delivers it to other members' nodes, takes theirs, and logs all of it."""

import os

# Python gRPC cannot be told a least TLS version. This suite needs an RSA key, which no certificate of a federation
# has, so that no suite of TLS 1.2 is left; those of TLS 1.3 are not concerned. It must be set before grpc is imported
# anywhere.
os.environ["GRPC_SSL_CIPHER_SUITES"] = "ECDHE-RSA-AES256-GCM-SHA384"
# The library writes each refused handshake to standard error, in lines of its own among our JSON.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")
