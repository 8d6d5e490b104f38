"""Composing: what every receiver would refuse is refused before it is sealed, and what was validated is sealed."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, cast

import pytest

from paiza.core.v1 import message_pb2
from paiza_client.compose.composer import Composer
from paiza_client.sdk.drafts import Overrides, Prepared, in_thread, prepare
from paiza_client.sdk.wording import kind_title
from paiza_domain import validation
from paiza_domain.drafts import drafts
from paiza_officer.errors import Refused
from paiza_officer.profiles import Profile
from paiza_register import EncryptionKey, Member, Register
from paiza_wire.identity import MemberAuthority, SpiffeId, keys
from paiza_wire.message import OfficerSigner, key_wrapping

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
DRAFT = """
kind: free-message
to: [tjk]
urgency: routine
handling: {tlp: AMBER, code: H2, classification: 1}
review: 3 years
content:
  subject: Exercise
  text: Nothing of this is real.
"""


def member(name: str) -> Member:
    """Make a member that can be written to."""
    key = key_wrapping.private_key_from_seed(name.encode().ljust(32, b".")).public_key
    published = EncryptionKey(key.key_id, key.public_key_bytes, NOW - timedelta(days=1), NOW + timedelta(days=1), key)
    authority = MemberAuthority(name, "east.example", (), ())
    return Member(name, {}, "active", authority, (), (), (), (published,), 1)


@pytest.fixture
def composer(tmp_path: Path) -> Composer:
    """Return what composes for an officer of kaz; tjk is the other member."""
    officer = SpiffeId.parse("spiffe://kaz.east.example/officer/liaison")
    profile = Profile("kaz-liaison", tmp_path, officer, "", Path(), Path(), Path(), Path(), Path())
    key = keys.generate_p256()
    members = {each: member(each) for each in ("kaz", "tjk")}
    register = Register(
        bytes(32),
        "east.example",
        {},
        members,
        NOW,
        {},
        (),
        {},
        late=False,
        role_versions={},
        key_pins=frozenset(),
        _verifier=cast("Any", None),
    )
    signer = OfficerSigner(str(profile.id), b"", partial(keys.sign, key))
    return Composer(profile, lambda: signer, register, ("liaison",))


def prepared(text: str = DRAFT, attach: tuple[str, ...] = ()) -> Prepared:
    """Return a draft as a command prepares it."""
    return prepare(drafts.read(text, "en", now=NOW), "draft", Overrides(attach=attach), NOW)


def test_the_header_that_was_validated_is_sealed(
    composer: Composer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Validation sees the id, thread, times, signers and parts of the sealed header, and lacks only the digests."""
    judged: list[message_pb2.Header] = []
    real = validation.check_message

    def check(header: message_pb2.Header, *arguments: Any, **named: Any) -> None:
        judged.append(header)
        real(header, *arguments, **named)

    monkeypatch.setattr(validation, "check_message", check)
    (tmp_path / "photo.txt").write_text("a list of seals")
    ready = prepared(attach=(str(tmp_path / "photo.txt"),))
    sealed = composer.seal(composer.validate(ready.kind, ready.content, None, ready.envelope, NOW))
    bare = message_pb2.Header()
    bare.CopyFrom(sealed.header)
    bare.subject_sha256 = b""
    for part in bare.parts:
        part.ciphertext_size, part.ciphertext_sha256 = 0, b""
    assert judged == [bare]
    assert [part.kind for part in bare.parts] == [message_pb2.PART_KIND_MAIN, message_pb2.PART_KIND_ATTACHMENT]


def test_a_message_is_sealed_as_often_as_it_is_validated(composer: Composer) -> None:
    """Two drafts alike are two messages."""
    ready = prepared()
    messages = [composer.validate(ready.kind, ready.content, None, ready.envelope, NOW) for _ in range(2)]
    assert len({composer.seal(each).id for each in messages}) == 2


def test_an_unknown_recipient_is_refused_before_sealing(composer: Composer) -> None:
    """Nobody is written to who is not an active member."""
    ready = prepared(DRAFT.replace("tjk", "uzb"))
    with pytest.raises(Refused, match="member_unknown"):
        composer.validate(ready.kind, ready.content, None, ready.envelope, NOW)


@pytest.mark.parametrize("federation", [False, True])
@pytest.mark.parametrize("marked", [False, True])
def test_an_exercise_is_marked_in_the_signed_header(composer: Composer, *, federation: bool, marked: bool) -> None:
    """By its draft, or because the whole federation is one; its kind is shown with the mark."""
    composer._register = replace(composer._register, exercise=federation)
    text = DRAFT.replace("urgency: routine", f"exercise: {'да' if marked else 'нет'}\nurgency: routine")
    message = prepared(text)
    header = composer.validate(message.kind, message.content, message.annex, message.envelope, NOW).header
    assert header.exercise is (federation or marked)
    assert kind_title(header).startswith("EXERCISE: ") is header.exercise


def test_an_exercise_answers_no_real_message() -> None:
    """And what answers an exercise is one, whatever its draft says."""
    plain, marked = prepared(), prepared(DRAFT.replace("urgency", "exercise: true\nurgency", 1))
    assert in_thread(plain, bytes(16), [bytes(32)], exercise=True).envelope.exercise
    with pytest.raises(Refused, match="exercise_differs"):
        in_thread(marked, bytes(16), [bytes(32)], exercise=False)
