"""The keys that sign the own log: what is signed with which, before, during and after a change."""

from datetime import UTC, datetime, timedelta
from itertools import product

import pytest

from paiza_node.core.log.signer import LogSigner
from paiza_register import LogKey
from paiza_wire.errors import Rejected
from paiza_wire.identity import keys
from paiza_wire.tlog import notes
from paiza_wire.tlog.checkpoint import Checkpoint
from paiza_wire.tlog.notes import SignerKey

ORIGIN = "kaz.paiza.example/log/1"
END = datetime(2027, 1, 31, tzinfo=UTC)
SECOND = timedelta(seconds=1)
HEAD = Checkpoint(ORIGIN, 5, bytes(32))
OLD, NEW = (SignerKey.from_ed25519(ORIGIN, keys.generate_ed25519()) for _ in range(2))


def named(signer: SignerKey, until: datetime | None = None) -> LogKey:
    """Return a key as the register names it."""
    key = signer.verifier_key
    return LogKey(key.name, key.to_vkey(), until, key)


def signers_of(note: bytes) -> list[bytes]:
    """Return the ids of the keys that signed."""
    return [each.key_id for each in notes.parse_note(note).signatures]


def test_both_keys_sign_until_the_former_one_is_abandoned() -> None:
    """From the end on the new key signs alone; what either signed verifies for ever."""
    signer = LogSigner([OLD])
    before = signer.sign(HEAD, END - 2 * SECOND)
    signer.use([OLD, NEW], [named(OLD, END), named(NEW)])
    during, after = signer.sign(HEAD, END - SECOND), signer.sign(HEAD, END)
    old, new = OLD.verifier_key.key_id, NEW.verifier_key.key_id
    assert [signers_of(note) for note in (before, during, after)] == [[old], [old, new], [new]]
    signer.use([NEW], [named(OLD, END), named(NEW)])  # the file of the former key is gone
    for note in (before, during, after):
        assert signer.verify(note).size == HEAD.size
    assert (signer.origin, signer.signers) == (ORIGIN, (NEW,))


def test_a_log_all_of_whose_keys_are_abandoned_goes_on() -> None:
    """Others refuse its notes until they know another key; it stops nothing, for its entries are proven then."""
    signer = LogSigner([OLD], [named(OLD, END)])
    assert signers_of(signer.sign(HEAD, END + SECOND)) == [OLD.verifier_key.key_id]


def test_keys_of_other_logs_do_not_count() -> None:
    """A stranger's note, and one of the member's other log, are not of this log."""
    other = SignerKey.from_ed25519("kaz.paiza.example/log/2", keys.generate_ed25519())
    signer = LogSigner([OLD], [named(OLD), named(other)])
    stranger = SignerKey.from_ed25519(ORIGIN, keys.generate_ed25519())
    elsewhere = Checkpoint(other.verifier_key.name, 5, bytes(32))
    for wrong in (LogSigner([stranger]).sign(HEAD, END), LogSigner([other]).sign(elsewhere, END)):
        with pytest.raises(Rejected, match="bad_checkpoint"):
            signer.verify(wrong)


def test_the_signer_and_the_readers_agree_at_every_time() -> None:
    """Whatever ends are announced, a note is accepted as new by all who know the keys while one of them counts."""
    ends = (None, END, END + 2 * SECOND)
    for first, second in product(ends, repeat=2):
        known = [named(OLD, first), named(NEW, second)]
        signer = LogSigner([OLD, NEW], known)
        for at in (END - SECOND, END, END + SECOND, END + 2 * SECOND):
            counting = {key.key.key_id for key in known if not key.is_abandoned(at)}
            signed = set(signers_of(signer.sign(HEAD, at)))
            assert signed == (counting or {key.key.key_id for key in known})
