"""Drafts that a case system hands in: one for each key, never over the officer's own work."""

import json
from pathlib import Path
from typing import Any

import pytest

from paiza_client.sdk import draft_store, handed_in
from paiza_client.sdk.handed_in import State
from paiza_officer.errors import Refused
from paiza_officer.profiles import Profile
from paiza_wire.identity import SpiffeId

KEY = "CASE 2026/117 № 4"


@pytest.fixture
def profile(tmp_path: Path) -> Profile:
    """A profile with a folder and nothing in it."""
    officer = SpiffeId.parse("spiffe://kaz.drugs.example/officer/liaison")
    return Profile("kaz-liaison", tmp_path, officer, "", Path(), Path(), Path(), Path(), Path())


def draft(**changed: Any) -> bytes:
    """Return a draft as JSON."""
    content = {"subject": "Invented matter", "text": "Two lines\nof an exercise.", **changed}
    return json.dumps({"kind": "free-message", "to": ["tjk"], "content": content}).encode()


def test_a_draft_waits_for_the_officer(profile: Profile) -> None:
    """It is a draft as any other, private to the officer."""
    found = handed_in.put(profile, KEY, draft())
    assert (found.key, found.state, found.message) == (KEY, State.WAITING, "")
    assert "Invented matter" in draft_store.read_text(profile, found.draft)
    assert [each.name for each in draft_store.stored(profile)] == [found.draft]
    assert handed_in.page(profile, 10).drafts == [found] == [handed_in.find(profile, KEY)]
    assert all(path.stat().st_mode & 0o077 == 0 for path in (profile.folder / handed_in.FOLDER).iterdir())


def test_the_same_once_more_is_one(profile: Profile) -> None:
    """A program that got no answer asks again; a correction replaces what nobody has touched."""
    first = handed_in.put(profile, KEY, draft())
    assert handed_in.put(profile, KEY, draft()) == first
    assert handed_in.put(profile, KEY, draft(subject="Corrected")) == first
    assert "Corrected" in draft_store.read_text(profile, first.draft)
    assert handed_in.put(profile, f"{KEY}a", draft()).draft != first.draft


def test_the_officers_work_is_never_replaced(profile: Profile) -> None:
    """Changed, discarded or sent: the program is told so, and the draft stays as it is."""
    name = handed_in.put(profile, KEY, draft()).draft
    own = draft_store.read_text(profile, name) + "# looked at\n"
    draft_store.write_text(profile, name, own)
    assert handed_in.find(profile, KEY).state is State.CHANGED
    assert handed_in.put(profile, KEY, draft()).state is State.CHANGED
    with pytest.raises(Refused, match="draft_changed"):
        handed_in.put(profile, KEY, draft(subject="Other"))
    assert draft_store.read_text(profile, name) == own
    draft_store.remove(profile, name)
    with pytest.raises(Refused, match="draft_changed: discarded"):
        handed_in.put(profile, KEY, draft(subject="Other"))
    handed_in.note_sent(profile, str(draft_store.path_of(profile, name)), "ab" * 16)
    assert handed_in.put(profile, KEY, draft()).message == "ab" * 16
    with pytest.raises(Refused, match="draft_changed: sent"):
        handed_in.put(profile, KEY, draft(subject="Other"))


def test_nothing_is_replaced_while_it_is_signed(profile: Profile) -> None:
    """The newer text is refused, not lost with the older one; the same once more is still one, other keys go on."""
    name = handed_in.put(profile, KEY, draft()).draft
    text = draft_store.read_text(profile, name)
    path = draft_store.path_of(profile, name)
    with handed_in.being_signed(profile, path):
        with pytest.raises(Refused, match="draft_changed: signing"), handed_in.being_signed(profile, path):
            pass
        with pytest.raises(Refused, match="draft_changed: signing"):
            handed_in.put(profile, KEY, draft(subject="Corrected"))
        assert handed_in.put(profile, KEY, draft()).state is State.WAITING
        assert handed_in.put(profile, "another", draft()).state is State.WAITING
        assert draft_store.remove_unchanged(profile, name, text)
    with handed_in.being_signed(profile, path):
        pass
    handed_in.put(profile, "another", draft(subject="Corrected"))


def test_a_draft_is_known_by_any_path_to_it(profile: Profile, monkeypatch: pytest.MonkeyPatch) -> None:
    """The officer names it as they like: it is held while they sign, and noted as sent."""
    name = handed_in.put(profile, KEY, draft()).draft
    monkeypatch.chdir(profile.folder / "drafts")
    with (
        handed_in.being_signed(profile, Path(f"{name}.yaml")),
        pytest.raises(Refused, match="draft_changed: signing"),
    ):
        handed_in.put(profile, KEY, draft(subject="Corrected"))
    handed_in.note_sent(profile, f"../drafts/{name}.yaml", "ab" * 16)
    assert handed_in.find(profile, KEY).state is State.SENT


def test_other_drafts_leave_no_note(profile: Profile, tmp_path: Path) -> None:
    """Only what was handed in is followed, whatever a draft is called."""
    for source in ("free-message", str(tmp_path / "handed-in-0.yaml"), str(profile.folder / "drafts" / "other.yaml")):
        handed_in.note_sent(profile, source, "ab" * 16)
    assert handed_in.page(profile, 10) == handed_in.Page([], "")


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 8])
def test_each_draft_is_on_one_page(profile: Profile, limit: int) -> None:
    """The pages together list all of them once, whatever became of them; the last has no token."""
    made = [handed_in.put(profile, f"case {number}", draft()) for number in range(7)]
    draft_store.remove(profile, made[0].draft)
    handed_in.note_sent(profile, str(draft_store.path_of(profile, made[1].draft)), "ab" * 16)
    found, token = [], ""
    while True:
        page = handed_in.page(profile, limit, token)
        found += page.drafts
        assert len(page.drafts) == limit or not page.next_token
        if not (token := page.next_token):
            break
    assert found == sorted((handed_in.find(profile, each.key) for each in made), key=lambda each: each.draft)
    assert {each.state for each in found} == {State.WAITING, State.SENT, State.DISCARDED}


@pytest.mark.parametrize("token", ["0", "x" * 24, "../" * 8, "A" * 24, "0" * 25])
def test_a_token_is_one_of_a_page(profile: Profile, token: str) -> None:
    """Another one is refused, and names no file."""
    with pytest.raises(Refused, match="malformed"):
        handed_in.page(profile, 10, token)


def test_after_a_crash_between_both_files(profile: Profile, monkeypatch: pytest.MonkeyPatch) -> None:
    """The draft is there and its note is not: the same once more makes the note, and no second draft."""

    def crash(*_of: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as broken:
        broken.setattr(handed_in, "_write", crash)
        with pytest.raises(KeyboardInterrupt):
            handed_in.put(profile, KEY, draft())
    assert handed_in.put(profile, KEY, draft()).state is State.WAITING
    assert len(draft_store.stored(profile)) == 1
    with monkeypatch.context() as broken:
        broken.setattr(handed_in, "_write", crash)
        for key in (KEY, "another"):
            with pytest.raises(KeyboardInterrupt):
                handed_in.put(profile, key, draft(subject="Corrected"))
    assert handed_in.put(profile, KEY, draft(subject="Corrected")).state is State.WAITING
    (left,) = (each for each in draft_store.stored(profile) if each.name != handed_in.find(profile, KEY).draft)
    own = draft_store.read_text(profile, left.name) + "# looked at\n"
    draft_store.write_text(profile, left.name, own)
    with pytest.raises(Refused, match="draft_changed: changed"):
        handed_in.put(profile, "another", draft(subject="Corrected"))
    assert draft_store.read_text(profile, left.name) == own


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "malformed"),
        (b"{", "malformed"),
        (b"\xff", "malformed"),
        (b"[" * 100_000, "malformed"),
        (b"[]", "invalid_draft"),
        (b'{"kind": "free-message", "content": {"subject": "x"}}', "invalid_draft"),
        (b'{"kind": "nothing", "content": {}}', "invalid_draft"),
        (b"x" * (handed_in.MAX_BYTES + 1), "too_large"),
    ],
)
def test_what_is_wrong_leaves_nothing(profile: Profile, data: bytes, reason: str) -> None:
    """Refused whole, with its reason."""
    with pytest.raises(Refused, match=reason):
        handed_in.put(profile, KEY, data)
    assert draft_store.stored(profile) == []


def test_every_fault_is_named_and_no_file_is_read(profile: Profile) -> None:
    """All at once; a case system attaches nothing, or it could name any file of the officer."""
    wrong = json.loads(draft(subject="x" * 1000, text=""))
    with pytest.raises(Refused) as refused:
        handed_in.put(profile, KEY, json.dumps({**wrong, "urgency": "soon"}).encode())
    assert {each.where.strip() for each in refused.value.problems} >= {"content.subject", "urgency"} or len(
        refused.value.problems
    ) >= 3
    with pytest.raises(Refused) as refused:
        handed_in.put(profile, KEY, json.dumps({**json.loads(draft()), "attachments": ["/etc/passwd"]}).encode())
    assert [each.where for each in refused.value.problems] == ["attachments"]


@pytest.mark.parametrize("key", ["", " ", "a\nb", "x" * 201, "\x00"])
def test_a_key_is_one_line(profile: Profile, key: str) -> None:
    """Anything else is refused before anything is written."""
    with pytest.raises(Refused, match="malformed"):
        handed_in.put(profile, key, draft())


def test_what_waits_is_bounded(profile: Profile, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that never stops fills no disk; what was sent or discarded does not count."""
    monkeypatch.setattr(handed_in, "MAX_WAITING", 2)
    first = handed_in.put(profile, "1", draft())
    handed_in.put(profile, "2", draft())
    with pytest.raises(Refused, match="quota_exceeded"):
        handed_in.put(profile, "3", draft())
    draft_store.remove(profile, first.draft)
    handed_in.put(profile, "3", draft())
