"""Empty drafts know the day, the agency and the place used last; sections are added to the file of a draft."""

import json
from datetime import datetime
from pathlib import Path

import pytest

from paiza.content.v1.seizure_notice_pb2 import SeizureNotice
from paiza_client.sdk import templates
from paiza_domain import kinds
from paiza_officer.errors import Misused, Refused
from paiza_officer.profiles import Profile
from paiza_wire.identity import SpiffeId

NOTICE = kinds.all_kinds()["seizure-notice"]


@pytest.fixture
def profile(tmp_path: Path) -> Profile:
    """Return a profile of an officer of kaz that never saw a register."""
    officer = SpiffeId.parse("spiffe://kaz.east.example/officer/liaison")
    missing = tmp_path / "missing"
    return Profile("kaz-liaison", tmp_path, officer, "", missing, missing, missing, missing, missing)


@pytest.fixture
def draft(tmp_path: Path) -> Path:
    """Return the file of an empty draft."""
    path = tmp_path / "draft.yaml"
    path.write_text(templates.empty(NOTICE, None))
    return path


def test_the_day_and_the_own_state_are_known_at_once(profile: Profile) -> None:
    """Before the first message a template has the day here and the own country; without a profile, the day alone."""
    today = datetime.now().astimezone().date().isoformat()
    known = templates.known(profile)
    assert (known.agency, known.today, known.place) == ("", today, {"country": "KAZ"})
    assert templates.known(None).place == {}
    assert f"  seized_at: {today}" in templates.empty(NOTICE, profile)


def test_agency_and_place_of_the_last_message_come_back(profile: Profile, tmp_path: Path) -> None:
    """They are kept readable by the owner alone; a message that names neither changes nothing."""
    content = SeizureNotice(reporting_agency="Вымышленное ведомство")
    content.place.country, content.place.town = "TJK", "Примерск"
    content.place.coordinates.latitude_microdegrees = 1
    templates.remember(profile, NOTICE, content)
    message = kinds.all_kinds()["free-message"]
    templates.remember(profile, message, message.content(subject="X"))
    assert (tmp_path / "last_used.json").stat().st_mode & 0o077 == 0
    known = templates.known(profile)
    assert (known.agency, known.place) == ("Вымышленное ведомство", {"country": "TJK", "town": "Примерск"})
    text = templates.empty(NOTICE, profile)
    assert "  reporting_agency: Вымышленное ведомство" in text
    assert "    town: Примерск" in text


@pytest.mark.parametrize("damage", ["", "[]", "{", '{"place": 3, "agency": []}', '{"place": {"country": 1}}'])
def test_a_damaged_memory_is_no_memory(profile: Profile, tmp_path: Path, damage: str) -> None:
    """A file that somebody changed never keeps a template from being printed."""
    (tmp_path / "last_used.json").write_text(damage)
    assert templates.known(profile).agency == ""
    assert templates.empty(NOTICE, profile)


def test_a_message_that_went_is_sent_though_nothing_can_be_kept(profile: Profile, tmp_path: Path) -> None:
    """Where the folder cannot be written, nothing is remembered, and nothing fails."""
    (tmp_path / "last_used.json").mkdir()
    templates.remember(profile, NOTICE, SeizureNotice(reporting_agency="X"))
    assert templates.known(profile).agency == ""


def test_sections_are_added_in_one_write(draft: Path) -> None:
    """Several at once, by key or name; one that is unknown or there leaves the file as it was."""
    before = draft.read_text()
    with pytest.raises(Misused) as unknown:
        templates.add(draft, ("route", "погода"))
    assert "route (Route), " in unknown.value.problems[0].what
    with pytest.raises(Refused) as wrong:
        templates.add(draft, ("routing", "routing"))
    assert wrong.value.problems[0].code == "section_present"
    assert draft.read_text() == before
    assert [each.key for each in templates.add(draft, ("Маршрут", "transport"))] == ["route", "transport"]
    assert "  transport:" in draft.read_text()
    assert "  route:" in draft.read_text()


def test_the_sections_of_a_draft_are_listed(draft: Path, tmp_path: Path) -> None:
    """Each with its key and both names; a file that is no draft is refused with its line."""
    found = {each.key: each.titles for each in templates.sections_of(draft)}
    assert found["route"] == {"ru": "Маршрут", "en": "Route"}
    assert {"persons", "attachments"} <= set(found)
    other = tmp_path / "other.yaml"
    other.write_text(json.dumps({"kind": "weather"}))
    with pytest.raises(Refused) as wrong:
        templates.sections_of(other)
    assert wrong.value.problems[0].code == "kind_unknown"
    with pytest.raises(Refused, match="file_unreadable"):
        templates.sections_of(tmp_path / "missing.yaml")
