"""Notes of an author's log that a forwarder shows: which of them count, and what they prove of a revoked signer.

A forwarder may hold a key that the author's log has abandoned, and a certificate that the author's member has revoked.
What such a note and such a signature prove rests on what this node held before, or on a quorum of witnesses.
"""

from collections.abc import Callable
from datetime import datetime

from paiza_node.core.peers.log_views import PeerLogViews
from paiza_node.core.register.sync import RegisterCache
from paiza_register import Member
from paiza_wire.errors import Rejected, Unavailable
from paiza_wire.identity.keys import fingerprint
from paiza_wire.message import VerifiedMessage
from paiza_wire.tlog import fork_proofs
from paiza_wire.tlog.checkpoint import VerifiedCheckpoint


class AuthorNotes:
    """Judges notes of other members' logs that did not come from their owner. From any thread."""

    def __init__(self, register_cache: RegisterCache, logs: PeerLogViews, clock: Callable[[], datetime]) -> None:
        """Judge by the register in force, and by what is known of the logs."""
        self._register_cache = register_cache
        self._logs = logs
        self._clock = clock

    def counting(self, author: Member, note: bytes) -> VerifiedCheckpoint | None:
        """Return the checkpoint of a log of the author's, a former one or the newest; None if the note does not count.

        A note that only keys signed which the log has abandoned by now counts if it is an accepted checkpoint here, or
        if a quorum cosigned it. ``Rejected("bad_checkpoint", "unknown_log")`` if that log did not sign it.
        """
        origin = fork_proofs.read_origin(note)
        checkpoint = author.checkpoint(note, origin)
        try:
            return author.checkpoint(note, origin, new_at=self._clock())
        except Rejected:
            if self._logs.is_accepted(checkpoint) or self._witnessed_time(author, checkpoint) is not None:
                return checkpoint
            return None

    def check_not_revoked(self, author: Member, message: VerifiedMessage, checkpoint: VerifiedCheckpoint) -> None:
        """Raise if the register in force revokes a signer of a message that was released by ``checkpoint``.

        It counts nevertheless if a quorum cosigned that checkpoint before the revocation. The author's log alone does
        not prove it, since the author's entry states its own time. Both times are whole seconds: within one second it
        is not known which came first. ``Unavailable("release_unwitnessed")`` if no quorum cosigned it,
        ``Rejected("certificate_revoked")`` if one did, but in the second of the revocation or later.
        """
        signers = [(each.fingerprint, fingerprint(each.public_key)) for each in message.signers]
        revoked = author.authority.revoked.intersection({digest for pair in signers for digest in pair})
        if not revoked:
            return
        time = self._witnessed_time(author, checkpoint)
        if time is None:
            raise Unavailable("release_unwitnessed", "a signer was revoked, and no quorum cosigned the release")
        until = self._register_cache.unrevoked_until(author.id, revoked)
        if until is None or time >= until:
            raise Rejected("certificate_revoked", "its release is not proven to be earlier than the revocation")

    def _witnessed_time(self, author: Member, checkpoint: VerifiedCheckpoint) -> datetime | None:
        return self._register_cache.current.witnessed_time(checkpoint.note, author.id)
