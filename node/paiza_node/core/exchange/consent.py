"""The originator's consent to forwarding, as the exchange asks for it. What a grant says the capability judges."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from paiza_wire.message import VerifiedMessage

MAX_GRANT_BYTES: Final = 64 * 1024  # of a grant that is shown to a member: it travels beside the message


@dataclass(frozen=True, slots=True)
class GrantQuery:
    """What somebody wants to do with a message, and when. ``recipient`` is a member id."""

    digest: bytes
    author: str
    recipient: str
    purpose: str
    with_annex: bool
    at: datetime


CheckGrant = Callable[[VerifiedMessage, GrantQuery], None]
"""Raises Rejected("grant_missing") where a verified message is no grant of the originator that covers a wish."""
