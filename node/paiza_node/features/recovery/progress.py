"""The progress of a recovery: what is still expected from whom. Stored in the database, so that a restart continues."""

import json
from base64 import b64decode, b64encode
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from paiza.peer.v1 import recovery_pb2
from paiza_wire.errors import Unavailable

SETTING: Final = "recovery"
SIDES: Final = (recovery_pb2.LOST_ENTRY_SIDE_RECEIVED, recovery_pb2.LOST_ENTRY_SIDE_RELEASED)


@dataclass(frozen=True, slots=True)
class Place:
    """The start of the next page of what a member returns: in which lost log, on which side, at which index."""

    log: int = 0
    side: recovery_pb2.LostEntrySide.ValueType = SIDES[0]
    from_index: int = 0


@dataclass(slots=True)
class Progress:
    """The remaining work of a restored node.

    ``lost``: the logs with lost entries, and the number of entries we still have of each; empty if nothing was lost.
    ``unanswered``: members not yet asked which checkpoints they hold. ``unproven``: by member, notes of its log that
    are larger than the known one and not proven yet. ``pending``: by member, the start of the next page it returns.
    """

    lost: list[tuple[str, int]] = field(default_factory=list)
    unanswered: set[str] = field(default_factory=set)
    unproven: dict[str, list[bytes]] = field(default_factory=dict)
    pending: dict[str, Place] = field(default_factory=dict)

    @classmethod
    def begin(cls, members: Iterable[str], lost: Iterable[tuple[str, int]] = ()) -> "Progress":
        """Begin a recovery: what the members hold of these logs is expected, if there are any."""
        named, logs = set(members), list(lost)
        return cls(logs, named, {}, {member: Place() for member in named} if logs else {})

    @property
    def done(self) -> bool:
        """Return whether nothing is expected any more."""
        return not (self.unanswered or self.unproven or self.pending)

    @property
    def members(self) -> set[str]:
        """Return the members from which something is expected."""
        return {*self.unanswered, *self.unproven, *self.pending}

    def held(self) -> set[str] | None:
        """Return the members whose logs are not cosigned, since earlier cosignatures are unknown; None for all."""
        return None if self.unanswered else set(self.unproven)

    def keep_only(self, members: set[str]) -> None:
        """Remove members that have left."""
        self.unanswered &= members
        self.unproven = {member: notes for member, notes in self.unproven.items() if member in members}
        self.pending = {member: place for member, place in self.pending.items() if member in members}

    def took(self, member: str, next_index: int) -> None:
        """Record that a page was received: the next begins there, or at the end on the next side or log."""
        place = self.pending[member]
        if next_index:
            self.pending[member] = Place(place.log, place.side, next_index)
        elif place.side == SIDES[0]:
            self.pending[member] = Place(place.log, SIDES[1])
        else:  # after the last log it has nothing more to return, and is asked to resend the rest
            self.pending[member] = Place(place.log + 1)

    def gave_all(self, member: str) -> bool:
        """Return whether a member has returned everything."""
        return self.pending[member].log >= len(self.lost)

    def to_bytes(self) -> bytes:
        """Serialize the progress."""
        values = {
            "lost": self.lost,
            "unanswered": sorted(self.unanswered),
            "unproven": {
                member: [b64encode(note).decode() for note in notes] for member, notes in self.unproven.items()
            },
            "pending": {
                member: [place.log, int(place.side), place.from_index] for member, place in self.pending.items()
            },
        }
        return json.dumps(values, sort_keys=True).encode()

    @classmethod
    def from_bytes(cls, data: bytes | None) -> "Progress":
        """Parse serialized progress; of None, nothing is expected. Unavailable("log_damaged") if it is none."""
        if data is None:
            return cls()
        try:
            return cls._parsed(json.loads(data))
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise Unavailable("log_damaged", f"the setting {SETTING} cannot be read") from error

    @classmethod
    def _parsed(cls, values: Any) -> "Progress":
        return cls(
            [(origin, size) for origin, size in values["lost"]],
            set(values["unanswered"]),
            {member: [b64decode(note) for note in notes] for member, notes in values["unproven"].items()},
            {
                member: Place(number, SIDES[SIDES.index(side)], index)
                for member, (number, side, index) in values["pending"].items()
            },
        )


@dataclass(slots=True)
class RecoveryHold:
    """The members whose logs a restored node does not cosign yet; None for all, until the losses are known."""

    members: set[str] | None = None

    def __call__(self) -> set[str] | None:
        """Return the present members."""
        return self.members
