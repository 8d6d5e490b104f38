"""Requests of officers for new certificates. Times are UTC; digests are SHA-256, 32 bytes."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Renewal:
    """A request, by the digest of its statement; ``log_index`` is of its OFFICER_RENEWAL entry.

    The digests of the certificates are empty until it is answered.
    """

    renewal_sha256: bytes
    officer: str
    requested_time: datetime
    log_index: int
    authentication_sha256: bytes = b""
    signing_sha256: bytes = b""
