"""Chains: of each log the checkpoints that are proven to belong together, and those that it signed at all.

What is in a chain leads to its last link, the largest checkpoint that was accepted of that log. What was only signed
is remembered too: two roots for one size prove that a log is forked.
"""

from collections import OrderedDict
from collections.abc import Iterable
from typing import Final

import structlog

from paiza_wire.tlog import merkle
from paiza_wire.tlog.checkpoint import VerifiedCheckpoint

MAX_PAST: Final = 256  # checkpoints of one log that are remembered behind the known one: what others hold matches them
MAX_SIGNED: Final = 512  # checkpoints of one log that are remembered to see whether it signs one size with two roots
STALE_ALARM: Final = 16  # claims in a row in which a log shows less than is known of it

_BySize = OrderedDict[int, VerifiedCheckpoint]

log = structlog.get_logger("paiza.peers")


class ClaimCounts:
    """How many claims of each member's log were accepted, and how many in a row showed less than is known of it."""

    def __init__(self) -> None:
        """Begin with none."""
        self.accepted: dict[str, int] = {}
        self.stale: dict[str, int] = {}

    def accepted_claim(self, member: str, shown_size: int, known_size: int) -> None:
        """Count a claim."""
        self.accepted[member] = self.accepted.get(member, 0) + 1
        self.stale[member] = self.stale.get(member, 0) + 1 if shown_size < known_size else 0
        if self.stale[member] == STALE_ALARM:
            log.critical("log_stale", member=member, shown_size=shown_size, known_size=known_size)


class CheckpointHistory:
    """The chain of each log, by its origin. Whoever calls keeps others out meanwhile."""

    def __init__(self, links: Iterable[VerifiedCheckpoint]) -> None:
        """Begin with the last link of each chain."""
        self._links = {link.origin: link for link in links}
        self._past: dict[str, _BySize] = {}
        self._signed: dict[str, _BySize] = {}
        self._largest: dict[str, VerifiedCheckpoint] = {}

    def link(self, origin: str) -> VerifiedCheckpoint:
        """Return the largest accepted checkpoint of a log; that of the empty tree where none is."""
        return self._links.get(origin) or VerifiedCheckpoint(origin, 0, merkle.EMPTY_ROOT, b"")

    def largest(self, origin: str) -> VerifiedCheckpoint:
        """Return the largest checkpoint that a log signed, accepted or not, as far as was heard since the start."""
        link, shown = self.link(origin), self._largest.get(origin)
        return shown if shown is not None and shown.size > link.size else link

    def at(self, origin: str, size: int) -> VerifiedCheckpoint | None:
        """Return the checkpoint of this size that is in the chain, if it is remembered."""
        link = self.link(origin)
        return link if link.size == size else self._past.get(origin, OrderedDict()).get(size)

    def signed_at(self, origin: str, size: int) -> VerifiedCheckpoint | None:
        """Return the checkpoint of this size that a log signed first, if it is remembered."""
        return self._signed.get(origin, OrderedDict()).get(size)

    def extend(self, checkpoint: VerifiedCheckpoint) -> None:
        """Put a checkpoint into its chain that was proven to lead to the last link, or the last link to it."""
        link = self.link(checkpoint.origin)
        if checkpoint.size > link.size:
            self._links[checkpoint.origin] = checkpoint
        self.remember(link)
        self.remember(checkpoint)

    def remember(self, checkpoint: VerifiedCheckpoint) -> None:
        """Remember a checkpoint that was proven not to contradict the chain."""
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
        """Forget all of a log: it begins anew."""
        for held in (self._links, self._past, self._signed, self._largest):
            held.pop(origin, None)


def _put(held: dict[str, _BySize], checkpoint: VerifiedCheckpoint, limit: int) -> None:
    by_size = held.setdefault(checkpoint.origin, OrderedDict())
    by_size[checkpoint.size] = checkpoint
    if len(by_size) > limit:
        by_size.popitem(last=False)
