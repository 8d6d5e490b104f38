"""The decision on what may be cosigned, without keys, store or network.

A cosignature states that, at its time, a checkpoint was the largest consistent one this witness had seen of a log, and
that the witness had stored it. Therefore, in this order:

1. The checkpoint was accepted: signed by the log, and proven to contain all that is known of it (`PeerLogViews`).
2. `Cosigner.consider` permits it at that moment: nothing larger is known, the log is trusted and not on hold, and it
   was not cosigned a moment ago. The permit keeps the time.
3. The known state of the log is committed.
4. `Cosigner.redeem`: the log is still trusted and nothing larger was cosigned meanwhile. Only then is anything signed.

What a crash leaves: before the commit nothing, and nothing was signed; after it a known state for which no cosignature
was issued, and the caller asks again. The known state is never behind the cosigned one, so that cosigned checkpoints
need no table.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from paiza_wire.errors import Rejected
from paiza_wire.tlog.checkpoint import VerifiedCheckpoint
from paiza_wire.tlog.cosignatures import WitnessSigner, cosign
from paiza_wire.tlog.notes import format_note, parse_note

CosigningHold = Callable[[], Collection[str] | None]
"""Returns the members whose logs are not cosigned now; None for all."""

LEAST_INTERVAL: Final = timedelta(seconds=0.5)  # of one log; its rounds are a second apart, and calls may bunch


@dataclass(frozen=True, slots=True)
class Permit:
    """Permission to cosign one checkpoint, as of the time at which it was the largest known."""

    member: str
    checkpoint: VerifiedCheckpoint
    time: datetime


@dataclass(frozen=True, slots=True)
class Cosigned:
    """The last cosigned checkpoint of a member's log."""

    origin: str
    size: int
    root: bytes
    time: datetime


class Cosigner:
    """Decides which checkpoints this node cosigns. Belongs to one event loop."""

    def __init__(
        self,
        stored: Mapping[str, int],
        distrusted: Iterable[str] = (),
        decided: Mapping[str, int] | None = None,
        *,
        hold: CosigningHold,
    ) -> None:
        """Begin with the stored sizes of the known logs, by origin, and the distrusted members.

        ``decided``: the size up to which trust was restored in the log of an origin; see `restore_trust`. ``hold`` is
        called before every permit: after a restore it is unknown what was cosigned before.
        """
        self._stored = dict(stored)
        self._decided = dict(decided or {})
        self._distrusted = set(distrusted)
        self._hold = hold
        self.last: dict[str, Cosigned] = {}
        """The last cosigned checkpoint of each member's newest log since the start."""

    def distrust(self, member: str) -> None:
        """Stop cosigning a member's log: it showed two histories."""
        self._distrusted.add(member)

    def restore_trust(self, member: str, sizes: Mapping[str, int]) -> None:
        """Cosign a member's log again: it was proven, or trust was restored up to these sizes.

        Nothing up to these sizes is ever cosigned: another history of that log may have been.
        """
        self._distrusted.discard(member)
        for origin, size in sizes.items():
            self._decided[origin] = max(size, self._decided.get(origin, 0))
            self._stored.pop(origin, None)
            self.last.pop(member, None)

    def consider(self, member: str, checkpoint: VerifiedCheckpoint, known_size: int, at: datetime) -> Permit:
        """Return a permit to cosign a just accepted checkpoint, if ``known_size`` is now the known size of that log.

        Rejected with the reason if it may not be: "log_forked", "witness_held", "stale_checkpoint", "busy".
        """
        self._check_trusted(member)
        held = self._hold()
        if held is None or member in held:
            raise Rejected("witness_held", f"what was cosigned of {member}'s log is not known again yet")
        if checkpoint.size < known_size:
            raise Rejected("stale_checkpoint", f"{known_size} entries of {member}'s log are known")
        if checkpoint.size <= self._decided.get(checkpoint.origin, -1):
            raise Rejected("stale_checkpoint", f"{member}'s log showed two histories up to this size")
        last = self.last.get(member)
        if last is not None:
            self._check_follows(member, last, checkpoint)
            if timedelta(0) <= at - last.time < LEAST_INTERVAL:
                raise Rejected("busy", f"{member}'s log was cosigned a moment ago")
        return Permit(member, checkpoint, at)

    def stored(self, checkpoint: VerifiedCheckpoint) -> None:
        """Note that a known state of this size was committed."""
        self._stored[checkpoint.origin] = max(checkpoint.size, self._stored.get(checkpoint.origin, 0))

    def is_stored(self, checkpoint: VerifiedCheckpoint) -> bool:
        """Return whether a known state of at least this size was committed."""
        return self._stored.get(checkpoint.origin, 0) >= checkpoint.size

    def redeem(self, permit: Permit) -> None:
        """Check a permit once more, right before the signature is made; Rejected if it is no longer valid."""
        member, checkpoint = permit.member, permit.checkpoint
        assert self.is_stored(checkpoint), "nothing is cosigned before the known log is committed"
        self._check_trusted(member)
        last = self.last.get(member)
        if last is not None:
            self._check_follows(member, last, checkpoint)
        self.last[member] = Cosigned(checkpoint.origin, checkpoint.size, checkpoint.root, permit.time)

    def _check_trusted(self, member: str) -> None:
        if member in self._distrusted:
            raise Rejected("log_forked", f"{member}'s log showed two histories")

    def _check_follows(self, member: str, last: Cosigned, checkpoint: VerifiedCheckpoint) -> None:
        if checkpoint.origin != last.origin:
            return  # a new log of that member
        if checkpoint.size < last.size:
            raise Rejected("stale_checkpoint", f"{member}'s log was cosigned with {last.size} entries")
        if checkpoint.size == last.size and checkpoint.root != last.root:
            raise Rejected("log_forked", f"{member}'s log was cosigned with another root of this size")


def cosigned_note(permit: Permit, signer: WitnessSigner) -> bytes:
    """Return the cosignature of a redeemed permit: the checkpoint's text with this one signature."""
    text = parse_note(permit.checkpoint.note).text
    return format_note(text, [cosign(permit.checkpoint, signer, permit.time)])
