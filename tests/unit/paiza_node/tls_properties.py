"""What gRPC shows of a caller's connection."""

from paiza_node.core.api.key_exchange import HYBRID, PROPERTY


def tls_properties(certificate_pem: bytes) -> dict[str, list[bytes]]:
    """Return the properties of a connection with a hybrid key exchange, on which this certificate was shown."""
    return {"x509_pem_cert": [certificate_pem], PROPERTY: [HYBRID]}
