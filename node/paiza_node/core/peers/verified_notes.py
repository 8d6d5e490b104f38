"""Verified checkpoint notes and consistency proofs of members' logs: pure, except for the cache of notes."""

from collections import OrderedDict
from collections.abc import Container, Sequence
from datetime import datetime
from hashlib import sha256
from typing import Final

from paiza_register.model import Member
from paiza_wire.errors import Rejected, Unavailable
from paiza_wire.tlog import fork_proofs, merkle
from paiza_wire.tlog.checkpoint import VerifiedCheckpoint

MAX_CONSISTENCY_HASHES: Final = 128  # a consistency proof between any two sizes has fewer
MAX_VERIFIED: Final = 1024  # notes in the cache

NoteIdentity = tuple[str, bytes, bytes]


class VerifiedNotes:
    """A cache of notes whose signature was verified: the same notes come with every exchange.

    Not thread-safe: the caller holds a lock.
    """

    def __init__(self) -> None:
        """Begin without any."""
        self._verified: OrderedDict[NoteIdentity, VerifiedCheckpoint] = OrderedDict()

    def find(self, identity: NoteIdentity) -> VerifiedCheckpoint | None:
        """Return the checkpoint of a note that was verified before, if it is cached."""
        return self._verified.get(identity)

    def add(self, identity: NoteIdentity, checkpoint: VerifiedCheckpoint) -> None:
        """Add a verified note."""
        self._verified[identity] = checkpoint
        if len(self._verified) > MAX_VERIFIED:
            self._verified.popitem(last=False)

    def forget(self, origins: Container[str]) -> None:
        """Forget the notes of these logs."""
        for identity in [identity for identity, each in self._verified.items() if each.origin in origins]:
            del self._verified[identity]


def note_identity(member: Member, note: bytes, new_at: datetime | None) -> NoteIdentity:
    """Return the cache key of a note of a member's newest log: the note may be large with signatures of others.

    It names the keys that may have signed it alone: with the abandonment of one, its notes are verified anew.
    """
    origin = member.origin
    counting = [
        key.key.key_id
        for key in member.log_keys
        if key.origin == origin and not (new_at is not None and key.is_abandoned(new_at))
    ]
    return origin, b"".join(counting), sha256(note).digest()


def verify_note(member: Member, note: bytes, new_at: datetime | None) -> VerifiedCheckpoint:
    """Check that a checkpoint was signed by that member's newest log; Unavailable("bad_checkpoint") if it was not.

    ``new_at`` as of `Member.checkpoint`. Other signatures on the note are dropped: they are not ours to pass on, and
    take space.
    """
    try:
        checkpoint = member.checkpoint(note, member.origin, new_at=new_at)
    except Rejected as error:
        detail = f"the checkpoint of {member.id} does not hold: {error.detail}"
        raise Unavailable("bad_checkpoint", detail) from error
    own = fork_proofs.minimal_note(note, *member.keys_of_log(member.origin))
    return VerifiedCheckpoint(checkpoint.origin, checkpoint.size, checkpoint.root, own)


def check_contains(
    member: str, larger: VerifiedCheckpoint, smaller: VerifiedCheckpoint, hashes: Sequence[bytes]
) -> None:
    """Check that a checkpoint contains a smaller one; Unavailable("consistency_not_proven") if that is not proven."""
    if len(hashes) > MAX_CONSISTENCY_HASHES:
        detail = f"the proof of consistency has over {MAX_CONSISTENCY_HASHES} hashes"
        raise Unavailable("consistency_not_proven", detail)
    try:
        merkle.verify_consistency(smaller.size, smaller.root, larger.size, larger.root, hashes)
    except Rejected as error:
        raise Unavailable("consistency_not_proven", f"{member} did not prove its growth: {error.detail}") from error
