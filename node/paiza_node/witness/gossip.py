"""Gossip: every exchange of checkpoints carries the largest note known of each other log.

So no log can show different histories to different members for long. What is heard is judged elsewhere.
"""

from collections.abc import Callable, Sequence
from typing import Final, Protocol

from paiza_node.growth import KnownLogs
from paiza_register import Member, Register
from paiza_wire.errors import PaizaError
from paiza_wire.notes import format_note, parse_note

MAX_HEARD: Final = 128  # notes of one exchange: of each log the largest, of a forked one both


class Gossip(Protocol):
    """What is told to others of third logs, and what is done with what they tell. Neither waits for anything."""

    def notes(self, to: str) -> list[bytes]:
        """Give the notes to tell a member: of its own log and of ours none; at most `MAX_HEARD`."""

    def heard(self, member: str, notes: Sequence[bytes]) -> None:
        """Take what a member told: at most `MAX_HEARD` notes, nothing verified."""


class LargestKnown:
    """Tells the largest note known of each log, and hands what is heard to a judge."""

    def __init__(
        self,
        member: str,
        logs: KnownLogs,
        register: Callable[[], Register],
        judge: Callable[[str, Sequence[bytes]], None] = lambda _member, _notes: None,
    ) -> None:
        """Take whose node this is; ``judge`` is given the teller's member id and the notes, and must not wait."""
        self._member = member
        self._logs = logs
        self._register = register
        self.judge = judge

    def notes(self, to: str) -> list[bytes]:
        """Give the largest note known of every other active member's log but that of the one who is told."""
        members = [each for each in self._register().active_members() if each.id not in (self._member, to)]
        notes = [bare(self._logs.note(each.id), each) for each in members]
        return [note for note in notes if note][:MAX_HEARD]

    def heard(self, member: str, notes: Sequence[bytes]) -> None:
        """Hand the notes to the judge."""
        if notes:
            self.judge(member, notes[:MAX_HEARD])


def bare(note: bytes, member: Member) -> bytes:
    """Give a note with that member's own signatures alone: what else a log put into it is not passed on."""
    names = {key.origin for key in member.log_keys} | {key.name for key in member.witness_keys}
    try:
        parsed = parse_note(note)
    except PaizaError:
        return b""
    return format_note(parsed.text, [each for each in parsed.signatures if each.name in names])
