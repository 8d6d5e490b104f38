"""Rounds: for each submitted checkpoint of the own log, its cosignatures, and whether they are a quorum.

A round is about one candidate. It is complete when a quorum of the other active members, as named by the register in
force at its beginning, has cosigned; its note is then a witnessed note. Later cosignatures are added. If the log has
not grown since, an incomplete round continues; a complete one is followed by a round that is cosigned *again*, whose
time advances with every cosignature: this gives the next entry a late lower bound of its time, and shows that the
witnesses are online.

Nothing here does I/O. What a crash leaves: an incomplete round is begun anew, as the log's newest checkpoint.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from paiza_node.features.witness.model import WitnessedNote
from paiza_wire.errors import Rejected
from paiza_wire.tlog.checkpoint import VerifiedCheckpoint
from paiza_wire.tlog.cosignatures import Cosignature, WitnessKey, add_signatures, cosignatures, quorum
from paiza_wire.tlog.notes import parse_note
from paiza_wire.tlog.witnessed_time import witnessed_time

MAX_OPEN_ROUNDS: Final = 16  # rounds that late cosignatures are still added to; a note of 64 witnesses has 220 KiB

Witnesses = Mapping[str, Sequence[WitnessKey]]
"""The other active members and their witness keys."""


@dataclass(frozen=True, slots=True)
class Seen:
    """The newest cosignature of the own log by a member."""

    size: int
    time: datetime


class Round:
    """One candidate and its cosignatures."""

    def __init__(self, candidate: VerifiedCheckpoint, witnesses: Witnesses, *, again: bool) -> None:
        """Begin without any cosignature; ``witnesses`` are those that count."""
        self.candidate = candidate
        self.needed = quorum(len(witnesses))
        self.again = again
        self.cosigned: dict[str, Cosignature] = {}
        self._witnesses = witnesses
        self._text = parse_note(candidate.note).text

    @property
    def complete(self) -> bool:
        """Whether a quorum cosigned."""
        return len(self.cosigned) >= self.needed

    def goes_on(self, witnesses: Witnesses) -> bool:
        """Return whether cosignatures by these witnesses still change it."""
        return witnesses == self._witnesses and (self.again or not self.complete)

    def refresh(self, candidate: VerifiedCheckpoint) -> None:
        """Replace the candidate by the same one with new signatures of the log."""
        if self.again:
            self.candidate = candidate

    def is_about(self, text: bytes) -> bool:
        """Return whether this is the text of the candidate."""
        return text == self._text

    def add(self, member: str, note: bytes) -> bool:
        """Add a member's cosignature from a note; return whether it was new. Rejected if it is invalid.

        The first cosignature of each member stays, so that a note's time is as early as possible; in a round that is
        cosigned again the newest.
        """
        keys = self._witnesses.get(member)
        if keys is None:
            raise Rejected("bad_checkpoint", f"{member} is no witness of this log now")
        if not self.is_about(parse_note(note).text):
            raise Rejected("bad_checkpoint", f"{member} cosigned another checkpoint")
        found = cosignatures(note, keys)
        if not found:
            raise Rejected("bad_checkpoint", f"{member} did not cosign the checkpoint with a key in the register")
        newest = max(found, key=_time)
        held = self.cosigned.get(member)
        if held is not None and not (self.again and newest.time > held.time):
            return False
        self.cosigned[member] = newest
        return True

    @property
    def note(self) -> bytes:
        """The candidate's note with every cosignature, of a quorum or not."""
        return add_signatures(self.candidate.note, [each.signature for each in self.cosigned.values()])

    def witnessed(self) -> WitnessedNote:
        """Return the witnessed note of a complete round."""
        time = witnessed_time(self.cosigned.values(), self.needed)
        assert time is not None, "a complete round has a time"
        return WitnessedNote(
            origin=self.candidate.origin,
            size=self.candidate.size,
            root=self.candidate.root,
            note=self.note,
            time=time,
            witnesses=tuple(sorted(self.cosigned)),
            again=self.again,
        )


class Rounds:
    """The newest round and earlier ones for which cosignatures may still come. Belongs to one event loop."""

    def __init__(self, last: WitnessedNote | None) -> None:
        """Begin after the witnessed note that was stored last."""
        self._last_size = -1 if last is None else last.size
        self._open: list[Round] = []
        self._changed: list[Round] = []
        self.seen: dict[str, Seen] = {}
        """The newest cosignature of each member since the start."""

    @property
    def newest(self) -> Round | None:
        """Return the newest round; None before the first."""
        return self._open[-1] if self._open else None

    @property
    def witnessed_size(self) -> int:
        """Return the size of the largest witnessed note; -1 if there is none."""
        return self._last_size

    @property
    def has_grown(self) -> bool:
        """Return whether a quorum cosigned a larger candidate than the largest witnessed note."""
        return any(each.candidate.size > self._last_size for each in self._changed)

    def cosigned_size(self) -> int:
        """Return the size of the largest open candidate that at least one member cosigned; -1 if there is none."""
        return max((each.candidate.size for each in self._open if each.cosigned), default=-1)

    def cosigned_note(self, size: int) -> bytes | None:
        """Return an open candidate of this size that at least one member cosigned, with its cosignatures."""
        found = [each for each in self._open if each.cosigned and each.candidate.size == size]
        return found[-1].note if found else None

    def begin(self, candidate: VerifiedCheckpoint, witnesses: Witnesses) -> Round:
        """Begin a round, or continue the newest if the log has not grown and it may still be added to."""
        newest = self.newest
        again = candidate.size == self._last_size
        if newest is not None and newest.is_about(parse_note(candidate.note).text):
            if newest.goes_on(witnesses):
                newest.refresh(candidate)
                return newest
            again = again or newest.complete
            if not newest.complete:
                self._open.pop()  # the members have changed: the cosignatures are counted anew
        begun = Round(candidate, witnesses, again=again)
        self._open = [*self._open, begun][-MAX_OPEN_ROUNDS:]
        return begun

    def add(self, member: str, note: bytes) -> bool:
        """Add a member's cosignature to the rounds it is about; return whether it was of any use.

        Rejected if it is invalid, or is about no open round.
        """
        text = parse_note(note).text
        about = [each for each in self._open if each.is_about(text)]
        if not about:
            raise Rejected("stale_checkpoint", f"{member} cosigned a checkpoint that is of no open round")
        useful = False
        for each in about:
            if each.add(member, note):
                useful = True
                self._note_seen(member, each)
                if each.complete and each not in self._changed:
                    self._changed.append(each)
        return useful

    def take_changed(self) -> list[WitnessedNote]:
        """Return the witnessed notes that are new or got further cosignatures since the last call."""
        changed, self._changed = self._changed, []
        return [each.witnessed() for each in changed]

    def put_back(self, notes: Iterable[WitnessedNote]) -> None:
        """Return notes that could not be stored to the changed ones."""
        wanted = {(note.size, note.again) for note in notes}
        back = [each for each in self._open if each.complete and (each.candidate.size, each.again) in wanted]
        self._changed.extend(each for each in back if each not in self._changed)

    def stored(self, notes: Iterable[WitnessedNote]) -> None:
        """Note that these notes are stored."""
        self._last_size = max([self._last_size, *(note.size for note in notes)])

    def _note_seen(self, member: str, about: Round) -> None:
        given = Seen(about.candidate.size, about.cosigned[member].time)
        held = self.seen.get(member)
        if held is None or (given.size, given.time) > (held.size, held.time):
            self.seen[member] = given


def _time(cosignature: Cosignature) -> datetime:
    return cosignature.time
