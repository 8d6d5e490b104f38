"""Drafts as files of a profile: found, written whole, removed with what was attached; no name leads elsewhere."""

import io
import os
from pathlib import Path

import pytest

from paiza_client.sdk import draft_store, drafts
from paiza_domain import kinds
from paiza_officer.errors import Refused
from paiza_officer.profiles import Profile
from paiza_wire.identity import SpiffeId

KIND = kinds.get("free-message", 1)


@pytest.fixture
def profile(tmp_path: Path) -> Profile:
    """A profile with a folder and nothing in it."""
    officer = SpiffeId.parse("spiffe://kaz.drugs.example/officer/liaison")
    return Profile("kaz-liaison", tmp_path, officer, "", Path(), Path(), Path(), Path(), Path())


def test_a_draft_is_found_again_the_latest_first(profile: Profile) -> None:
    """What was written is listed with its kind, whichever program wrote it."""
    assert draft_store.stored(profile) == []
    for number, name in enumerate(("first", "second")):
        draft_store.write_text(profile, name, "# a comment\nkind: free-message\n")
        os.utime(draft_store.path_of(profile, name), (number, number))
    draft_store.path_of(profile, "x").with_name("unfinished.txt").write_text("a: b")
    draft_store.write_text(profile, "odd", "no kind at all")
    found = draft_store.stored(profile)
    assert [(each.name, each.kind) for each in found] == [("odd", None), ("second", KIND), ("first", KIND)]
    assert draft_store.read_text(profile, "first").startswith("# a comment")
    assert draft_store.path_of(profile, "first").stat().st_mode & 0o077 == 0


def test_two_drafts_of_a_moment_have_two_names(profile: Profile) -> None:
    """No draft takes the place of another."""
    now = drafts.writing_time()
    first = draft_store.new_name(profile, KIND, now)
    draft_store.write_text(profile, first, "kind: free-message\n")
    assert draft_store.new_name(profile, KIND, now) == f"{first}-2"


@pytest.mark.parametrize("name", ["", "..", "../x", "a/b", "a\\b", ".x", "a.b", "x" * 101, "a\n", "\x00", "é"])
def test_a_name_leads_nowhere_else(profile: Profile, name: str) -> None:
    """A name is that of a file in the folder, or of none."""
    for act in (draft_store.path_of, draft_store.read_text, draft_store.find, draft_store.remove):
        with pytest.raises(Refused, match="unknown_id"):
            act(profile, name)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("photo.jpg", "photo.jpg"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Temp\\скан 1.pdf", "скан 1.pdf"),
        ("a\x00b\x1b[31m\n.png", "ab[31m.png"),
        ("\u202egnp.exe", "gnp.exe"),
        ("..", "file"),
        ("", "file"),
        ("x" * 300 + ".pdf", "x" * 96 + ".pdf"),
    ],
)
def test_a_file_to_attach_is_kept_beside_its_draft(profile: Profile, given: str, kept: str) -> None:
    """Of a hostile name only a plain last part is left; equal names do not meet."""
    draft_store.write_text(profile, "d", "kind: free-message\n")
    named = draft_store.keep_file(profile, "d", given, io.BytesIO(b"1"))
    again = draft_store.keep_file(profile, "d", given, io.BytesIO(b"2"))
    assert named == f"d.files/{kept}"
    assert named != again
    beside = draft_store.path_of(profile, "d").parent
    assert [(beside / each).read_bytes() for each in (named, again)] == [b"1", b"2"]
    draft_store.drop_file(profile, "d", named)
    assert not (beside / named).exists()
    assert (beside / again).exists()
    draft_store.remove(profile, "d")
    assert list(beside.iterdir()) == []


def test_dropping_a_file_touches_no_other(profile: Profile) -> None:
    """A path that a draft names and that is not of its own folder is left alone."""
    other = profile.folder / "drafts" / "other.jpg"
    draft_store.write_text(profile, "d", "kind: free-message\n")
    other.write_bytes(b"x")
    for path in ("other.jpg", "../drafts/other.jpg", "d.files/../other.jpg", str(other)):
        draft_store.drop_file(profile, "d", path)
    assert other.exists()


def test_a_draft_that_was_changed_meanwhile_is_not_removed(profile: Profile) -> None:
    """What was signed is gone only if it is what is still there; no draft at all is as good."""
    draft_store.write_text(profile, "d", "kind: free-message\n# newer\n")
    assert not draft_store.remove_unchanged(profile, "d", "kind: free-message\n")
    assert draft_store.read_text(profile, "d").endswith("# newer\n")
    assert draft_store.remove_unchanged(profile, "d", draft_store.read_text(profile, "d"))
    assert draft_store.remove_unchanged(profile, "d", "")
