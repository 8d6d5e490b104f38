"""Notes that only an abandoned key signed, and signers revoked since: what was held or witnessed before counts."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from paiza_node.core.exchange.receive.author_notes import AuthorNotes
from paiza_register import LogKey, Member
from paiza_wire.errors import PaizaError, Rejected
from paiza_wire.identity import keys
from paiza_wire.tlog import checkpoint, cosignatures
from paiza_wire.tlog.checkpoint import Checkpoint
from paiza_wire.tlog.cosignatures import WitnessSigner
from paiza_wire.tlog.notes import SignerKey, format_note, parse_note
from tests.unit.paiza_register.ceremony.world import World

HOUR, SECOND = timedelta(hours=1), timedelta(seconds=1)


@dataclass
class Scene:
    """The author uzb, whose log abandoned its first key an hour ago and whose register was replaced then."""

    world: World
    author: Member
    old: SignerKey
    accepted: bool = False

    @property
    def notes(self) -> AuthorNotes:
        """The judge."""
        register = self.world.held.register
        cache: Any = SimpleNamespace(
            current=register, unrevoked_until=lambda _member, revoked: self.world.now - HOUR if revoked else None
        )
        logs: Any = SimpleNamespace(is_accepted=lambda _checkpoint: self.accepted)
        return AuthorNotes(cache, logs, lambda: self.world.now)

    def note(self, *witnesses: str, at: datetime | None = None) -> bytes:
        """Return a note by the old key, cosigned by these members at this time."""
        origin = self.author.origin
        signed = checkpoint.sign(Checkpoint(origin, 7, bytes([1]) * 32), self.old)
        verified = checkpoint.verify(signed, [self.old.verifier_key], origin)
        lines = [
            cosignatures.cosign(
                verified,
                WitnessSigner.from_private_key(self.name_of(each), self.world.members[each].witness),
                at or self.world.now,
            )
            for each in witnesses
        ]
        parsed = parse_note(signed)
        return format_note(parsed.text, [*parsed.signatures, *lines])

    def name_of(self, member: str) -> str:
        """Return the name of a member's witness."""
        return self.world.held.register.members[member].witness_keys[0].name

    def judge(self, note: bytes) -> None:
        """Judge a message of a signer whose certificate is revoked, released in this note."""
        signer = SimpleNamespace(fingerprint=b"revoked", public_key=keys.generate_p256().public_key())
        message: Any = SimpleNamespace(signers=[signer])
        authority = replace(self.author.authority, revoked=frozenset({b"revoked"}))
        found = self.notes.counting(self.author, note)
        assert found is not None
        self.notes.check_not_revoked(replace(self.author, authority=authority), message, found)


@pytest.fixture
def scene() -> Scene:
    """Return the scene."""
    world = World("kaz", "tjk", "uzb", "kgz", threshold=3)
    author = world.held.register.members["uzb"]
    old = SignerKey.from_ed25519(author.origin, world.members["uzb"].log)
    new = SignerKey.from_ed25519(author.origin, keys.generate_ed25519()).verifier_key
    first = replace(author.log_keys[0], until=world.now - HOUR)
    later = LogKey(author.origin, new.to_vkey(), None, new)
    return Scene(world, replace(author, log_keys=(first, later)), old)


def test_a_note_by_an_abandoned_key_alone_does_not_count(scene: Scene) -> None:
    """One witness less than a quorum changes nothing."""
    assert scene.notes.counting(scene.author, scene.note()) is None
    assert scene.notes.counting(scene.author, scene.note("kaz", "tjk")) is None


def test_a_note_counts_that_was_accepted_here(scene: Scene) -> None:
    """The same size and root were accepted from the log itself."""
    scene.accepted = True
    assert scene.notes.counting(scene.author, scene.note()) is not None


def test_a_note_counts_that_a_quorum_cosigned(scene: Scene) -> None:
    """Its witnesses accepted it while it was new."""
    assert scene.notes.counting(scene.author, scene.note("kaz", "tjk", "kgz")) is not None


def test_a_release_witnessed_before_the_revocation_counts(scene: Scene) -> None:
    """No register revoked the signer when a quorum had seen it."""
    scene.judge(scene.note("kaz", "tjk", "kgz", at=scene.world.now - HOUR - SECOND))


def test_a_release_witnessed_in_the_second_of_the_revocation_does_not_count(scene: Scene) -> None:
    """Witnesses tell whole seconds: within one it is not known which came first."""
    scene.accepted = True
    with pytest.raises(Rejected) as refused:
        scene.judge(scene.note("kaz", "tjk", "kgz", at=scene.world.now - HOUR))
    assert refused.value.reason == "certificate_revoked"


@pytest.mark.parametrize(
    ("witnesses", "reason"), [((), "release_unwitnessed"), (("kaz", "tjk", "kgz"), "certificate_revoked")]
)
def test_a_release_that_may_be_later_than_the_revocation(scene: Scene, witnesses: tuple[str, ...], reason: str) -> None:
    """One that nobody witnessed is asked for; one that was witnessed after the revocation is refused for good."""
    scene.accepted = True
    with pytest.raises(PaizaError) as refused:
        scene.judge(scene.note(*witnesses))
    assert refused.value.reason == reason
