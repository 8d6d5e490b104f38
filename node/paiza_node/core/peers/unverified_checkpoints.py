"""Unverified checkpoints: those that a log signed and that are not proven consistent with its known state.

They are no evidence of misbehaviour. Every checkpoint of an honest log is consistent with its newest one, so one answer
of its owner's node verifies all of them; a log with two histories cannot give it (`witness.consistency_monitor`).
"""

from collections import deque
from dataclasses import dataclass
from typing import Final

from paiza_wire.tlog.checkpoint import VerifiedCheckpoint

MAX_UNVERIFIED: Final = 31  # of one log, asked about in one call together with the known one
MAX_ENTRIES: Final = 64  # reported entries that are remembered while their checkpoints are unverified


@dataclass(frozen=True, slots=True)
class ToldEntry:
    """An entry of a member's log, by its leaf hash, proven to a checkpoint that may be unverified."""

    member: str
    index: int
    leaf: bytes
    hashes: tuple[bytes, ...]
    checkpoint: VerifiedCheckpoint


class UnverifiedCheckpoints:
    """The unverified checkpoints of each member's log: one per reporting member, so that none displaces another's.

    A report for which there is no room comes again with the next exchange.
    """

    def __init__(self) -> None:
        """Begin without any."""
        self._held: dict[str, dict[str, VerifiedCheckpoint]] = {}
        self.entries: deque[ToldEntry] = deque(maxlen=MAX_ENTRIES)
        """Entries that others proved to unverified checkpoints: a stored one at the same index may contradict one."""

    def add(self, member: str, checkpoint: VerifiedCheckpoint, told_by: str) -> None:
        """Note that a checkpoint of a member's log is not proven; ignored if its reporter has another pending."""
        held = self._held.setdefault(member, {})
        if told_by not in held and len(held) < MAX_UNVERIFIED and checkpoint not in held.values():
            held[told_by] = checkpoint

    def of(self, member: str, origin: str) -> list[VerifiedCheckpoint]:
        """Return the unverified checkpoints of a member's log of this origin; those of an earlier log are dropped."""
        held = self._held.get(member, {})
        for teller in [teller for teller, checkpoint in held.items() if checkpoint.origin != origin]:
            del held[teller]
        return list(held.values())

    def members(self) -> list[str]:
        """Return the members whose logs have unverified checkpoints."""
        return [member for member, held in self._held.items() if held]

    def settled(self, member: str, checkpoint: VerifiedCheckpoint) -> None:
        """Remove a checkpoint that was proven."""
        held = self._held.get(member, {})
        for teller in [teller for teller, each in held.items() if each == checkpoint]:
            del held[teller]

    def forget(self, member: str) -> None:
        """Remove all unverified checkpoints of a member's log."""
        self._held.pop(member, None)
