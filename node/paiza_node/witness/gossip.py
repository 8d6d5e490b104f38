"""Gossip: every exchange of checkpoints carries the largest note known of each other log.

So no log can show different histories to different members for long. What is heard is judged elsewhere.
"""

from collections.abc import Callable, Sequence
from typing import Final, Protocol

from paiza.v1 import conviction_pb2
from paiza_node.growth import KnownLogs
from paiza_register import Member, Register
from paiza_wire.errors import PaizaError
from paiza_wire.notes import format_note, parse_note

MAX_HEARD: Final = 128  # notes of one exchange: of each log the largest, of a forked one both
MAX_FORK_PROOFS: Final = 16  # of one exchange


Judge = Callable[[str, Sequence[bytes], Sequence[conviction_pb2.ForkProof]], None]
"""Takes the teller's member id and what it told, nothing of it verified; does not wait and raises nothing."""


class Gossip(Protocol):
    """What is told to others of third logs, and what is done with what they tell. Neither waits for anything."""

    def notes(self, to: str) -> list[bytes]:
        """Give the notes to tell a member: of its own log and of ours none; at most `MAX_HEARD`."""

    def forks(self, to: str) -> list[conviction_pb2.ForkProof]:
        """Give what shows that logs of others are forked, to tell a member: at most `MAX_FORK_PROOFS`."""

    def heard(self, member: str, notes: Sequence[bytes], forks: Sequence[conviction_pb2.ForkProof]) -> None:
        """Take what a member told: at most `MAX_HEARD` notes and `MAX_FORK_PROOFS` proofs, nothing verified."""


class LargestKnown:
    """Tells the largest note known of each log, and hands what is heard to a judge."""

    def __init__(
        self,
        member: str,
        logs: KnownLogs,
        register: Callable[[], Register],
        judge: Judge = lambda _member, _notes, _forks: None,
    ) -> None:
        """Take whose node this is, and who judges what is heard."""
        self._member = member
        self._logs = logs
        self._register = register
        self.judge = judge

    def notes(self, to: str) -> list[bytes]:
        """Give the largest note known of every other active member's log but that of the one who is told."""
        members = [each for each in self._register().active_members() if each.id not in (self._member, to)]
        notes = [bare(self._logs.note(each.id), each) for each in members]
        return [note for note in notes if note][:MAX_HEARD]

    def forks(self, to: str) -> list[conviction_pb2.ForkProof]:
        """Give what shows the forks that nobody decided on yet, but for the log of the one who is told."""
        found = [proof for member, proof in sorted(self._logs.fork_proofs().items()) if member != to]
        return [conviction_pb2.ForkProof.FromString(proof) for proof in found[:MAX_FORK_PROOFS]]

    def heard(self, member: str, notes: Sequence[bytes], forks: Sequence[conviction_pb2.ForkProof]) -> None:
        """Hand it all to the judge."""
        if notes or forks:
            self.judge(member, notes[:MAX_HEARD], forks[:MAX_FORK_PROOFS])


def bare(note: bytes, member: Member) -> bytes:
    """Give a note with that member's own signatures alone: what else a log put into it is not passed on."""
    names = {key.origin for key in member.log_keys} | {key.name for key in member.witness_keys}
    try:
        parsed = parse_note(note)
    except PaizaError:
        return b""
    return format_note(parsed.text, [each for each in parsed.signatures if each.name in names])
