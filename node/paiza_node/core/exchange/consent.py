"""The originator's consent to forwarding, as a check that a capability supplies to the exchange."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from paiza_wire.message import VerifiedMessage

MAX_GRANT_BYTES: Final = 64 * 1024  # of a grant that is shown to a member: it is sent with the message


@dataclass(frozen=True, slots=True)
class GrantQuery:
    """An intended use of a message, and its time. ``recipient`` is a member id."""

    digest: bytes
    author: str
    recipient: str
    purpose: str
    with_annex: bool
    at: datetime


CheckGrant = Callable[[VerifiedMessage, GrantQuery], None]
"""Raises Rejected("grant_missing") unless a verified message is the originator's grant and covers the intended use."""
