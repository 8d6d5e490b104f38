"""Gossip: every exchange of checkpoints carries the largest notes known of each other log, and fork proofs.

A log therefore cannot show different histories to different members for long. Reports are verified in
`witness.misbehaviour`; only what the logs themselves signed counts there.

A growing log shows all members the same candidate, and others with each message. The candidate is reported: whoever has
accepted it too knows at once that it has the same history, and asks nothing. What a log signs next must contain it. The
largest note is reported of a log that has not shown a candidate for a moment, however it goes on delivering.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Final, Protocol

from paiza.core.v1 import fork_proof_pb2
from paiza_node.core.peers.log_views import PeerLogViews
from paiza_register import Member, Register
from paiza_wire.errors import PaizaError
from paiza_wire.tlog.checkpoint import VerifiedCheckpoint
from paiza_wire.tlog.notes import format_note, parse_note

MAX_REPORTED: Final = 128  # notes in one exchange: of each log the largest accepted one, and a larger unverified one
MAX_FORK_PROOFS: Final = 16  # of forks, in one exchange
SHOWN_TIME: Final = timedelta(seconds=5)  # for which a candidate is reported; with nine others a round takes 4.5 s
REMEMBERED: Final = 64  # notes: those of each log go to every other member


ReportHandler = Callable[[str, Sequence[bytes], Sequence[fork_proof_pb2.ForkProof]], None]
"""Called with the reporting member's id, notes and fork proofs, none of them verified; must not block."""


class Gossip(Protocol):
    """Reports about third logs, sent and received. No method blocks."""

    def note_shown(self, member: str, candidate: VerifiedCheckpoint) -> None:
        """Note that a member showed this checkpoint in an exchange, and that it was accepted."""

    def notes(self, to: str) -> list[bytes]:
        """Return the notes to send to a member, none of its own log or of ours; at most `MAX_REPORTED`."""

    def forks(self, to: str) -> list[fork_proof_pb2.ForkProof]:
        """Return the proofs of forks of logs other than that member's; at most `MAX_FORK_PROOFS`."""

    def receive(self, member: str, notes: Sequence[bytes], forks: Sequence[fork_proof_pb2.ForkProof]) -> None:
        """Accept a member's unverified report: at most `MAX_REPORTED` notes and `MAX_FORK_PROOFS` proofs."""


class LargestKnown:
    """Sends the largest notes known of each log and the open forks, and passes received reports to a handler."""

    def __init__(
        self,
        member: str,
        logs: PeerLogViews,
        register: Callable[[], Register],
        clock: Callable[[], datetime],
        on_report: ReportHandler = lambda _member, _notes, _proofs: None,
    ) -> None:
        """Store this node's member id, the log views, a getter of the current register, a clock, and the handler."""
        self._member = member
        self._logs = logs
        self._register = register
        self._clock = clock
        self._shown: dict[str, tuple[VerifiedCheckpoint, datetime]] = {}
        self.on_report = on_report

    def note_shown(self, member: str, candidate: VerifiedCheckpoint) -> None:
        """Note that a member showed this checkpoint in an exchange, and that it was accepted."""
        self._shown[member] = candidate, self._clock()

    def notes(self, to: str) -> list[bytes]:
        """Return notes of every other active member's log except the receiver's.

        Of each log the candidate that it showed last, or the largest accepted note: if the log shows the receiver
        another history, the two meet there. Also a larger note known only from reports: a log restored to an old state
        learns of it from any member it asks.
        """
        members = [each for each in self._register().active_members() if each.id not in (self._member, to)]
        notes: dict[bytes, None] = {}
        for each in members:
            known = self._logs.link(each.id)
            notes[bare(self._reported(each.id, known).note, each)] = None
            if self._logs.largest(each.id).size > known.size:
                notes[bare(self._logs.largest(each.id).note, each)] = None
        notes.pop(b"", None)
        return list(notes)[:MAX_REPORTED]

    def _reported(self, member: str, known: VerifiedCheckpoint) -> VerifiedCheckpoint:
        shown, since = self._shown.get(member, (known, self._clock()))
        fresh = timedelta(0) <= self._clock() - since < SHOWN_TIME
        # After a decision on a fork, or for a new log, what was shown before counts no more.
        return shown if fresh and shown.origin == known.origin and self._logs.is_accepted(shown) else known

    def forks(self, to: str) -> list[fork_proof_pb2.ForkProof]:
        """Return the proofs of all open forks except those of the receiver's logs."""
        told = self._register().members.get(to)
        own = told.origins if told is not None else ()
        found = [proof for origin, proof in self._logs.fork_proofs().items() if origin not in own]
        return [fork_proof_pb2.ForkProof.FromString(proof) for proof in found[:MAX_FORK_PROOFS]]

    def receive(self, member: str, notes: Sequence[bytes], forks: Sequence[fork_proof_pb2.ForkProof]) -> None:
        """Pass a member's report to the handler."""
        if notes or forks:
            self.on_report(member, notes[:MAX_REPORTED], forks[:MAX_FORK_PROOFS])


def bare(note: bytes, member: Member) -> bytes:
    """Return a note with only that member's own signatures; other lines of the note are not passed on."""
    return _signed_by(note, frozenset((*member.origins, *(key.name for key in member.witness_keys))))


@lru_cache(maxsize=REMEMBERED)
def _signed_by(note: bytes, names: frozenset[str]) -> bytes:
    try:
        parsed = parse_note(note)
    except PaizaError:
        return b""
    return format_note(parsed.text, [each for each in parsed.signatures if each.name in names])
