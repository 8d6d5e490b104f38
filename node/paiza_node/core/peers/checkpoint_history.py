"""Checkpoint history: for each log the checkpoints proven consistent with each other, and all others that it signed.

Each accepted checkpoint is consistent with the last one, the largest accepted checkpoint of that log. Checkpoints that
were only signed are remembered too: two roots for one size prove that a log is forked.
"""

from collections import OrderedDict
from collections.abc import Iterable
from typing import Final

import structlog

from paiza_wire.tlog import merkle
from paiza_wire.tlog.checkpoint import VerifiedCheckpoint

MAX_PAST: Final = 256  # checkpoints of one log remembered before the known one: those that others hold match them
MAX_SIGNED: Final = 512  # signed checkpoints of one log that are remembered to detect two roots of one size
STALE_ALARM: Final = 16  # claims in a row in which a log shows less than is known of it

_BySize = OrderedDict[int, VerifiedCheckpoint]

log = structlog.get_logger("paiza.peers")


class ClaimCounts:
    """Counts of accepted claims of each member's log, and of claims in a row that showed less than is known."""

    def __init__(self) -> None:
        """Begin with zero counts."""
        self.accepted: dict[str, int] = {}
        self.stale: dict[str, int] = {}

    def accepted_claim(self, member: str, shown_size: int, known_size: int) -> None:
        """Count a claim."""
        self.accepted[member] = self.accepted.get(member, 0) + 1
        self.stale[member] = self.stale.get(member, 0) + 1 if shown_size < known_size else 0
        if self.stale[member] == STALE_ALARM:
            log.critical("log_stale", member=member, shown_size=shown_size, known_size=known_size)


class CheckpointHistory:
    """The accepted checkpoints of each log, by its origin. Not thread-safe: the caller holds a lock."""

    def __init__(self, links: Iterable[VerifiedCheckpoint]) -> None:
        """Begin with the last accepted checkpoint of each log."""
        self._links = {link.origin: link for link in links}
        self._past: dict[str, _BySize] = {}
        self._signed: dict[str, _BySize] = {}
        self._largest: dict[str, VerifiedCheckpoint] = {}

    def link(self, origin: str) -> VerifiedCheckpoint:
        """Return the largest accepted checkpoint of a log; that of the empty tree if there is none."""
        return self._links.get(origin) or VerifiedCheckpoint(origin, 0, merkle.EMPTY_ROOT, b"")

    def largest(self, origin: str) -> VerifiedCheckpoint:
        """Return the largest checkpoint that a log signed, accepted or not, among those seen since the start."""
        link, shown = self.link(origin), self._largest.get(origin)
        return shown if shown is not None and shown.size > link.size else link

    def at(self, origin: str, size: int) -> VerifiedCheckpoint | None:
        """Return the accepted checkpoint of this size, if it is remembered."""
        link = self.link(origin)
        return link if link.size == size else self._past.get(origin, OrderedDict()).get(size)

    def signed_at(self, origin: str, size: int) -> VerifiedCheckpoint | None:
        """Return the checkpoint of this size that a log signed first, if it is remembered."""
        return self._signed.get(origin, OrderedDict()).get(size)

    def extend(self, checkpoint: VerifiedCheckpoint) -> None:
        """Add a checkpoint that was proven consistent with the last accepted one, in either direction."""
        link = self.link(checkpoint.origin)
        if checkpoint.size > link.size:
            self._links[checkpoint.origin] = checkpoint
        self.remember(link)
        self.remember(checkpoint)

    def remember(self, checkpoint: VerifiedCheckpoint) -> None:
        """Remember a checkpoint that was proven not to contradict the accepted ones."""
        if checkpoint.note:
            _put(self._past, checkpoint, MAX_PAST)

    def note_signed(self, checkpoint: VerifiedCheckpoint) -> None:
        """Remember that a log signed a checkpoint; of one size the first."""
        if self.signed_at(checkpoint.origin, checkpoint.size) is None:
            _put(self._signed, checkpoint, MAX_SIGNED)
        held = self._largest.get(checkpoint.origin)
        if held is None or held.size < checkpoint.size:
            self._largest[checkpoint.origin] = checkpoint

    def forget(self, origin: str) -> None:
        """Forget everything about a log: its history begins anew."""
        for held in (self._links, self._past, self._signed, self._largest):
            held.pop(origin, None)


def _put(held: dict[str, _BySize], checkpoint: VerifiedCheckpoint, limit: int) -> None:
    by_size = held.setdefault(checkpoint.origin, OrderedDict())
    by_size[checkpoint.size] = checkpoint
    if len(by_size) > limit:
        by_size.popitem(last=False)
