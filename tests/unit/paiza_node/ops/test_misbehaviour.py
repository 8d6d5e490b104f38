"""What an operator is told of a fork before they decide: by which keys its notes were signed."""

from datetime import UTC, datetime, timedelta

import pytest

from paiza_register import LogKey, Member
from paiza_wire.identity import MemberAuthority, keys
from paiza_wire.tlog import checkpoint
from paiza_wire.tlog.checkpoint import Checkpoint
from paiza_wire.tlog.notes import SignerKey

ORIGIN = "tjk.paiza.example/log/1"
END = datetime(2027, 1, 31, tzinfo=UTC)
HEAD = Checkpoint(ORIGIN, 5, bytes(32))
FIRST, SECOND, THIRD, STRANGER = (SignerKey.from_ed25519(ORIGIN, keys.generate_ed25519()) for _ in range(4))


def named(signer: SignerKey, until: datetime | None) -> LogKey:
    """Return a key as the register names it."""
    return LogKey(ORIGIN, signer.verifier_key.to_vkey(), until, signer.verifier_key)


@pytest.mark.parametrize(
    ("signers", "since"),
    [
        ((FIRST,), END),
        ((FIRST, SECOND), END + timedelta(days=1)),
        ((FIRST, STRANGER), END),
        ((FIRST, THIRD), None),
        ((THIRD,), None),
        ((STRANGER,), None),
    ],
)
def test_a_note_of_abandoned_keys_alone_is_named(signers: tuple[SignerKey, ...], since: datetime | None) -> None:
    """The time is that at which the last of its keys was abandoned; a key that counts makes it the log's own."""
    listed = (named(FIRST, END), named(SECOND, END + timedelta(days=1)), named(THIRD, None))
    member = Member("tjk", {}, "active", MemberAuthority("tjk", "paiza.example", (), ()), (), listed, (), (), 1)
    note = checkpoint.sign(HEAD, *signers)
    assert member.abandoned_since(note, ORIGIN, END + timedelta(days=2)) == since
    assert member.abandoned_since(note, ORIGIN, END - timedelta(days=1)) is None
