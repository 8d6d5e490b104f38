"""Unverified checkpoints: those that a log signed and that were not proven consistent with what is known of it.

They accuse nobody. An honest log leads every checkpoint it ever signed to its newest one, so one answer of its
operator's node verifies all of them; a log that has two histories cannot (`witness.consistency_monitor`).
"""

from collections import deque
from dataclasses import dataclass
from typing import Final

from paiza_wire.tlog.checkpoint import VerifiedCheckpoint

MAX_DOUBTS: Final = 31  # of one log, asked about in one call together with what is known of it
MAX_ENTRIES: Final = 64  # entries told by others that are remembered while their checkpoints are in doubt


@dataclass(frozen=True, slots=True)
class ToldEntry:
    """An entry of a member's log, by its leaf hash, proven to a checkpoint that is perhaps in doubt."""

    member: str
    index: int
    leaf: bytes
    hashes: tuple[bytes, ...]
    checkpoint: VerifiedCheckpoint


class UnverifiedCheckpoints:
    """The doubts about each member's log: of each teller one at a time, so that none crowds out another's.

    What there is no room for is told again with the next exchange.
    """

    def __init__(self) -> None:
        """Begin without any."""
        self._held: dict[str, dict[str, VerifiedCheckpoint]] = {}
        self.entries: deque[ToldEntry] = deque(maxlen=MAX_ENTRIES)
        """Entries that others proved to doubted checkpoints: one kept here of the same index may contradict one."""

    def add(self, member: str, checkpoint: VerifiedCheckpoint, told_by: str) -> None:
        """Note that a checkpoint of a member's log is not proven; nothing where its teller told another before."""
        held = self._held.setdefault(member, {})
        if told_by not in held and len(held) < MAX_DOUBTS and checkpoint not in held.values():
            held[told_by] = checkpoint

    def of(self, member: str, origin: str) -> list[VerifiedCheckpoint]:
        """Return the doubts about a member's log of this origin; those about an earlier log of its are dropped."""
        held = self._held.get(member, {})
        for teller in [teller for teller, checkpoint in held.items() if checkpoint.origin != origin]:
            del held[teller]
        return list(held.values())

    def members(self) -> list[str]:
        """Return the members there are doubts about."""
        return [member for member, held in self._held.items() if held]

    def settled(self, member: str, checkpoint: VerifiedCheckpoint) -> None:
        """Forget a doubt: the checkpoint was proven."""
        held = self._held.get(member, {})
        for teller in [teller for teller, each in held.items() if each == checkpoint]:
            del held[teller]

    def forget(self, member: str) -> None:
        """Forget all doubts about a member's log."""
        self._held.pop(member, None)
