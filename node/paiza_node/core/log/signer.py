"""The keys with which this node signs its own log: one, or while one follows another both."""

from collections.abc import Sequence
from datetime import datetime

from paiza_register import LogKey
from paiza_wire.tlog import checkpoint as checkpoints
from paiza_wire.tlog.checkpoint import Checkpoint, VerifiedCheckpoint
from paiza_wire.tlog.notes import SignerKey, VerifierKey


class LogSigner:
    """Signs checkpoints of one log. Its keys are replaced while the node runs; thread-safe, as they are one value."""

    def __init__(self, signers: Sequence[SignerKey], known: Sequence[LogKey] = ()) -> None:
        """Sign with these keys of one log; ``known`` are all that the register names for it, with their ends."""
        self.origin = signers[-1].verifier_key.name
        self._keys = self._joined(signers, known)

    def use(self, signers: Sequence[SignerKey], known: Sequence[LogKey]) -> None:
        """Replace the keys: the next checkpoint is signed with them."""
        self._keys = self._joined(signers, known)

    @property
    def signers(self) -> tuple[SignerKey, ...]:
        """Return the keys that are held, abandoned ones among them."""
        return tuple(signer for signer, _until in self._keys[0])

    def sign(self, checkpoint: Checkpoint, at: datetime) -> bytes:
        """Return the note, signed with each key that is not abandoned at this time.

        If all are, the member has announced no key after them, and others refuse the note. The log goes on: what it
        signs now is proven as soon as they know a key that follows.
        """
        held = self._keys[0]
        current = [signer for signer, until in held if until is None or at < until]
        return checkpoints.sign(checkpoint, *(current or [signer for signer, _until in held]))

    def verify(self, note: bytes) -> VerifiedCheckpoint:
        """Check that this log signed a checkpoint with a key it ever had; ``Rejected("bad_checkpoint")`` otherwise."""
        return checkpoints.verify(note, self._keys[1], self.origin)

    def _joined(
        self, signers: Sequence[SignerKey], known: Sequence[LogKey]
    ) -> tuple[tuple[tuple[SignerKey, datetime | None], ...], tuple[VerifierKey, ...]]:
        until = {key.key: key.until for key in known if key.origin == self.origin}
        held = tuple((signer, until.get(signer.verifier_key)) for signer in signers)
        assert held, "a log has a key"
        return held, (*until, *(each.verifier_key for each in signers if each.verifier_key not in until))
