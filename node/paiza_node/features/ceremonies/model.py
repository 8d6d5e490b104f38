"""Proposals as they are held at a node, and how many. Times are UTC; digests are 32 bytes, key ids hexadecimal."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import IntEnum
from typing import Final

from paiza_wire.errors import Unavailable

MAX_PROPOSAL_BYTES: Final = 6 << 20  # of one proposal without its base; one call carries up to 8 MiB
MAX_OPEN: Final = 64  # proposals that wait; a federation decides a few at a time
MAX_OPEN_BYTES: Final = 64 << 20  # of all that wait
MAX_ALONE: Final = 4  # proposals that wait and that only one key has signed, of each key
MAX_ALONE_BYTES: Final = 8 << 20  # of these together
MAX_CLOSED: Final = 256  # proposals closed within the last day
MAX_CLOSED_ALONE: Final = 32  # of these, those that only one key has signed, of each key
KEPT: Final = timedelta(days=1)  # files of proposals that were published, refused or superseded


class HeldState(IntEnum):
    """The state of a held proposal. The values are those of the protocol's ProposalState."""

    OPEN = 1
    COMPLETE = 2
    PUBLISHED = 3
    DEAD = 4
    SUPERSEDED = 5


WAITING: Final = frozenset({HeldState.OPEN, HeldState.COMPLETE})


@dataclass(frozen=True, slots=True)
class HeldProposal:
    """A proposal held here.

    ``versions`` are the roles of the metadata that it makes, as "role=version"; the first is the one that decides: root
    if it changes, else targets or the role of a publication. ``signed_sha256`` is what is signed in that role.
    ``alone_key`` is the id of the key that signed if only one of those that decide has. ``signed_by``, ``refused_by``
    and ``waits_for`` are members; ``missing`` is how many more must sign. ``state_sha256`` commits to who has signed
    and refused, not to the bytes of signatures. ``register_version`` is that which published it. ``data`` is the file;
    None where it was not read, or is removed.
    """

    fingerprint: bytes
    kind: str
    state: HeldState
    base_register_version: bytes
    base_root_version: int
    versions: tuple[str, ...]
    signed_sha256: bytes
    alone_key: str
    signed_by: tuple[str, ...]
    refused_by: tuple[str, ...]
    waits_for: tuple[str, ...]
    missing: int
    state_sha256: bytes
    size: int
    received_time: datetime
    changed_time: datetime
    closed_time: datetime | None = None
    register_version: bytes = b""
    data: bytes | None = field(default=None, repr=False)

    @property
    def is_waiting(self) -> bool:
        """Return whether it can still be published."""
        return self.state in WAITING

    @property
    def role_versions(self) -> list[tuple[str, int]]:
        """Return the roles that it makes with their versions, the one that decides first.

        Unavailable("log_damaged") if the stored versions are none.
        """
        pairs = (each.rpartition("=") for each in self.versions)
        try:
            return [(role, int(version)) for role, _, version in pairs]
        except ValueError:
            raise Unavailable("log_damaged", "the versions of a held proposal cannot be read") from None


def waiting_for(rows: Iterable[HeldProposal], member: str) -> tuple[int, int]:
    """Return how many proposals wait, and how many of them for a key of this member."""
    waiting = [each for each in rows if each.is_waiting]
    return len(waiting), sum(member in each.waits_for for each in waiting)


class Outcome(IntEnum):
    """What became of a submitted proposal. The values are those of the protocol's SubmitOutcome."""

    STORED = 1
    MERGED = 2
    UNCHANGED = 3
