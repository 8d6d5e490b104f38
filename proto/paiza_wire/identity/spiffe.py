"""SPIFFE IDs: the names of nodes and officers, one trust domain per member. Each id has exactly one spelling."""

import re
from dataclasses import dataclass
from typing import Final, Literal

from typing_extensions import override

from paiza_wire.errors import Rejected

Role = Literal["node", "officer"]
"""Whom a certificate names: a member's node or one of its officers."""

CertificateUse = Literal["authentication", "signing"]
"""What a certificate is for: TLS alone, or signatures of messages and acts alone. A node has no signing certificate."""

MEMBER_ID: Final = re.compile(r"[a-z][a-z0-9-]{1,15}")
"""A member: lower-case ISO 3166-1 alpha-3 for a state, a short name for an organisation. Use with ``fullmatch``."""

OFFICER_NAME: Final = re.compile(r"[a-z][a-z0-9-]{0,39}")
"""An officer's name within its member. Use with ``fullmatch``."""

FEDERATION_NAME: Final = re.compile(r"(?=.{3,48}\Z)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)+")
"""A DNS name of at least two labels, lower case; 48 characters keep every name built on it inside X.509's 64."""

_SCHEME: Final = "spiffe://"

_ROLES: Final = ("node", "officer")


@dataclass(frozen=True, slots=True)
class SpiffeId:
    """The id of a node or officer: ``spiffe://<member>.<federation>/node`` or ``spiffe://<member>.<federation>/officer/<name>``."""

    member: str
    federation: str
    role: Role
    name: str = ""

    def __post_init__(self) -> None:
        """Refuse (``malformed``) an id without a single spelling, so that equal ids are equal strings."""
        if not MEMBER_ID.fullmatch(self.member) or self.member.startswith("xn--"):
            raise Rejected("malformed", "the member of a SPIFFE ID is not a member id")
        if not FEDERATION_NAME.fullmatch(self.federation):
            raise Rejected("malformed", "the federation of a SPIFFE ID is not a lower-case DNS name")
        if self.role not in _ROLES:
            raise Rejected("malformed", "the role of a SPIFFE ID is neither node nor officer")
        if self.role == "node" and self.name:
            raise Rejected("malformed", "a node has no name of its own")
        if self.role == "officer" and not OFFICER_NAME.fullmatch(self.name):
            raise Rejected("malformed", "the officer's name in a SPIFFE ID is not well formed")

    @classmethod
    def parse(cls, text: str) -> "SpiffeId":
        """Parse the one spelling; anything else is ``Rejected("malformed")``."""
        if not text.startswith(_SCHEME):
            raise Rejected("malformed", "a SPIFFE ID begins with spiffe://")
        domain, _, path = text.removeprefix(_SCHEME).partition("/")
        member, _, federation = domain.partition(".")
        if path == "node":
            return cls(member, federation, "node")
        if not path.startswith("officer/"):
            raise Rejected("malformed", "the path of a SPIFFE ID is neither /node nor /officer/<name>")
        return cls(member, federation, "officer", path.removeprefix("officer/"))

    @override
    def __str__(self) -> str:
        path = "node" if self.role == "node" else f"officer/{self.name}"
        return f"{_SCHEME}{self.member}.{self.federation}/{path}"


def node_dns_name(member: str, federation: str) -> str:
    """Return the DNS name in a node's certificate; gRPC compares it with ``ssl_target_name_override``."""
    return f"node.{member}.{federation}"
