"""The node's own identity in TLS, which may change while the node runs."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class TlsKeys:
    """A certificate of the node and its key, PEM."""

    certificate: bytes
    private_key: bytes = field(repr=False)


class TlsIdentity:
    """The certificate and key in use. Thread-safe: they are replaced together, never changed.

    The server reads them at each handshake, a channel at each call: connections that are open stay as they are.
    """

    def __init__(self, keys: TlsKeys) -> None:
        """Begin with these keys."""
        self._keys = keys

    @property
    def keys(self) -> TlsKeys:
        """Return the certificate and key in use."""
        return self._keys

    def replace(self, keys: TlsKeys) -> None:
        """Use other keys from the next handshake on."""
        self._keys = keys
