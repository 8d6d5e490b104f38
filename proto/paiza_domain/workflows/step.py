"""A step of a workflow: the fields of a signed message that the workflow rules use."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from paiza.core.v1.message_pb2 import Header


@dataclass(frozen=True, slots=True)
class Step:
    """One signed message. `release_time` is that of the author's RELEASED entry, the same for all recipients.

    `parents` are the digests that the header names; `signers` are the required signers, (SPIFFE id, role). `content` is
    the parsed content message; it may be anything if the kind is not a step of the workflow.
    """

    digest: bytes
    kind: str
    author: str
    parents: tuple[bytes, ...]
    release_time: datetime
    recipients: tuple[str, ...]
    signers: tuple[tuple[str, str], ...]
    content: Any

    @classmethod
    def of(cls, header: Header, digest: bytes, content: Any, release_time: datetime) -> "Step":
        """Build the step of a message whose signatures and content were verified."""
        return cls(
            digest=digest,
            kind=header.kind,
            author=header.author,
            parents=tuple(header.parent_digests),
            release_time=release_time,
            recipients=tuple(each.member for each in header.recipients),
            signers=tuple((each.id, each.role) for each in header.required_signers),
            content=content,
        )
