"""Liaison officers and duty rosters: a data officer keeps them, and everybody else's client shows them."""

import json
import re
import time
from pathlib import Path
from typing import Any, Final

import pytest

from tests.integration.client.conftest import Paiza

MINUTE: Final = 60.0


@pytest.fixture
def draft(paiza: Paiza, tmp_path: Path) -> Path:
    """A draft of the directory of kaz as it is published."""
    path = tmp_path / "directory.yaml"
    assert paiza("kaz-data", "directory", "edit", "-o", path).code == 0
    return path


def change(draft: Path, old: str, new: str) -> Path:
    """Change the last such text of a draft: the examples in its comments come first."""
    before, found, after = draft.read_text().rpartition(old)
    assert found
    draft.write_text(before + new + after)
    return draft


def of_kaz(paiza: Paiza, profile: str) -> Any:
    """Return the directory of kaz as an officer sees it."""
    (found,) = paiza(profile, "contacts", "kaz", "--json").json
    return found["directory"]


def test_contacts_name_officers_and_who_is_on_duty(paiza: Paiza) -> None:
    """Members, liaison officers with what they cover and who confirms it, and the desk that answers now."""
    found = {each["member"]: each for each in paiza("kaz-liaison", "contacts", "--json").json}
    assert set(found) == {"kaz", "tjk", "uzb"}
    (officer,) = found["tjk"]["directory"]["officers"]
    assert officer["accredited_to"] == [{"member": "uzb", "confirmed": True, "posted_elsewhere": False}]
    assert found["tjk"]["directory"]["on_duty"][0]["contacts"]["email"] == "duty@tjk.paiza.example"
    ran = paiza("kaz-liaison", "contacts", "--lang", "ru")
    assert all(each in ran.out for each in ("Офицер связи", "подтверждено обеими сторонами", "Дежурит сейчас"))
    ran = paiza("kaz-liaison", "contacts", "tjk", "--on-duty")
    assert "Duty desk tjk" in ran.out
    assert "Вымышленный" not in ran.out
    (duty,) = paiza("kaz-liaison", "contacts", "TJK", "--on-duty", "--json").json
    assert duty["on_duty"][0]["who"] == "Duty desk tjk (exercise)"
    assert paiza("kaz-liaison", "contacts", "atlantis").code == 3


def test_a_change_is_seen_by_all_within_a_minute(paiza: Paiza, draft: Path) -> None:
    """A data officer publishes, and an officer of another member sees it; the log says who did it."""
    change(draft, "posted_in: tjk", "posted_in: tur\n    posting: Ankara")
    tried = paiza("kaz-data", "directory", "publish", draft, "--dry-run")
    assert "posted in: tjk → tur" in tried.out
    assert of_kaz(paiza, "tjk-liaison")["officers"][0]["posted_in"] == "tjk"
    begun = time.monotonic()
    done = paiza("kaz-data", "directory", "publish", draft, "--yes", "--json").json
    published = time.monotonic() - begun
    assert done["published"]
    while of_kaz(paiza, "tjk-liaison")["officers"][0]["posted_in"] != "tur":
        assert time.monotonic() - begun < MINUTE
        time.sleep(0.1)
    print(f"published after {published:.1f} s, seen by another member after {time.monotonic() - begun:.1f} s")
    (officer,) = of_kaz(paiza, "tjk-liaison")["officers"]
    assert officer["accredited_to"] == [{"member": "tjk", "confirmed": True, "posted_elsewhere": True}]
    entries = paiza("kaz-auditor", "audit", "log", "--event", "DIRECTORY_CHANGED", "--json").json["entries"]
    assert [each["actor"] for each in entries] == ["spiffe://kaz.paiza.example/officer/data"]
    again = paiza("kaz-data", "directory", "publish", draft, "--yes")
    assert (again.code, "directory edit" in again.err) == (3, True)


def test_only_a_data_officer_publishes(paiza: Paiza, draft: Path) -> None:
    """Everybody may read and check; the node refuses to publish for others, and changes nothing."""
    change(draft, "languages: [ru, en]", "languages: [ru]")
    before = of_kaz(paiza, "kaz-liaison")
    assert paiza("kaz-liaison", "directory", "check", draft).code == 0
    refused = paiza("kaz-liaison", "directory", "publish", draft, "--yes", "--json")
    assert (refused.code, json.loads(refused.err)["reason"]) == (3, "policy_denied")
    assert of_kaz(paiza, "kaz-liaison") == before


def test_a_draft_is_checked_whole(paiza: Paiza, draft: Path) -> None:
    """Every fault is named with its line, also by a dry run; a valid draft says what is to be corrected."""
    good = draft.read_text()
    change(draft, "expires: ", "expires: 31.02.")
    change(draft, "officers:", "officer:")
    for command in ("check", "publish"):
        ran = paiza("kaz-data", "directory", command, draft)
        assert ran.code == 3
        assert "directory.yaml" in ran.err
        assert re.search(r"line \d+, officer: ", ran.err)
    draft.write_text(good)
    begin = good.index("  shifts:")
    draft.write_text(good[:begin] + "  shifts: []\n" + good[good.index("\nconfirmed:", begin) :])
    change(draft, "expires: 20", "expires: 2020-01-01 # 20")
    found = paiza("kaz-data", "directory", "check", draft, "--json").json
    assert found["warnings"]["expired"] == ["vymyshlenny"]
    assert len(found["warnings"]["roster_gaps"]) == 1
    assert {(each["member"], each["nobody"]) for each in found["warnings"]["holes"]} == {("tjk", True), ("uzb", True)}
    assert not found["published"]
    ran = paiza("kaz-data", "directory", "check", draft, "--lang", "ru")
    assert all(each in ran.err for each in ("Никто не дежурит", "Нет офицера связи", "Командирование закончилось"))


def test_show_tells_the_directory_and_its_warnings(paiza: Paiza) -> None:
    """The own directory, and another member's."""
    shown = paiza("kaz-liaison", "directory", "show", "--json").json
    assert (shown["member"], shown["state"], shown["warnings"]["roster_gaps"]) == ("kaz", "published", [])
    assert "Duty desk uzb" in paiza("kaz-liaison", "directory", "show", "uzb").out
