"""Gossip: every exchange of checkpoints carries the largest notes known of each other log, and what shows forks.

So no log can show different histories to different members for long. What is heard is judged elsewhere
(`witness.trials`); nobody's word counts there, only what the logs themselves signed.
"""

from collections.abc import Callable, Sequence
from typing import Final, Protocol

from paiza.core.v1 import fork_proof_pb2
from paiza_node.core.peers.log_views import PeerLogViews
from paiza_register import Member, Register
from paiza_wire.errors import PaizaError
from paiza_wire.tlog.notes import format_note, parse_note

MAX_HEARD: Final = 128  # notes of one exchange: of each log the largest that is known, and a larger one that is doubted
MAX_FORK_PROOFS: Final = 16  # of forks, in one exchange


ConsistencyMonitor = Callable[[str, Sequence[bytes], Sequence[fork_proof_pb2.ForkProof]], None]
"""Takes the teller's member id, notes and proofs of forks; none is verified."""


class Gossip(Protocol):
    """What is told to others of third logs, and what is done with what they tell. Neither waits for anything."""

    def notes(self, to: str) -> list[bytes]:
        """Return the notes to tell a member: of its own log and of ours none; at most `MAX_HEARD`."""

    def forks(self, to: str) -> list[fork_proof_pb2.ForkProof]:
        """Return what shows forks of other logs than that member's; at most `MAX_FORK_PROOFS`."""

    def heard(self, member: str, notes: Sequence[bytes], forks: Sequence[fork_proof_pb2.ForkProof]) -> None:
        """Take what a member told: at most `MAX_HEARD` notes and `MAX_FORK_PROOFS` proofs, nothing verified."""


class LargestKnown:
    """Tells the largest notes known of each log and the forks that stand, and hands what is heard to a judge."""

    def __init__(
        self,
        member: str,
        logs: PeerLogViews,
        register: Callable[[], Register],
        judge: ConsistencyMonitor = lambda _member, _notes, _proofs: None,
    ) -> None:
        """Store whose node this is; ``judge`` is given the teller's member id and what it told, and must not wait."""
        self._member = member
        self._logs = logs
        self._register = register
        self.judge = judge

    def notes(self, to: str) -> list[bytes]:
        """Return the notes of every other active member's log but that of the one who is told.

        Of each log the largest that was accepted: where the log shows another member other ones, the two meet there.
        And a larger one that was only heard of: so a log that was set back finds out from whomever it asks.
        """
        members = [each for each in self._register().active_members() if each.id not in (self._member, to)]
        notes: dict[bytes, None] = {}
        for each in members:
            for note in (self._logs.note(each.id), self._logs.largest_note(each.id)):
                notes[bare(note, each)] = None
        notes.pop(b"", None)
        return list(notes)[:MAX_HEARD]

    def forks(self, to: str) -> list[fork_proof_pb2.ForkProof]:
        """Return what shows forks, but those of the log of the one who is told."""
        told = self._register().members.get(to)
        own = {key.origin for key in told.log_keys} if told is not None else set()
        found = [proof for origin, proof in self._logs.fork_proofs().items() if origin not in own]
        return [fork_proof_pb2.ForkProof.FromString(proof) for proof in found[:MAX_FORK_PROOFS]]

    def heard(self, member: str, notes: Sequence[bytes], forks: Sequence[fork_proof_pb2.ForkProof]) -> None:
        """Hand what was told to the judge."""
        if notes or forks:
            self.judge(member, notes[:MAX_HEARD], forks[:MAX_FORK_PROOFS])


def bare(note: bytes, member: Member) -> bytes:
    """Return a note with that member's own signatures alone: what else a log put into it is not passed on."""
    names = {key.origin for key in member.log_keys} | {key.name for key in member.witness_keys}
    try:
        parsed = parse_note(note)
    except PaizaError:
        return b""
    return format_note(parsed.text, [each for each in parsed.signatures if each.name in names])
