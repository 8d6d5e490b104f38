"""Reference data as an officer meets them: looked up, beside a draft, beside an opened notice, without the node."""

import asyncio
import io
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from paiza_client.cli import interactive
from paiza_client.cli.terminal import Terminal
from paiza_domain import kinds
from paiza_domain.drafts import forms
from tests.federation import Federation
from tests.integration.client.conftest import DRAFT, Paiza
from tests.integration.client.test_commands import arrives

NOTICE = """\
kind: seizure-notice
to: [tjk]
urgency: routine
handling: {tlp: AMBER, code: H2, classification: 1}
review: 3 years
content:
  notice_id: EX-77
  notice_version: 1
  status: initial
  seized_at: 2026-11-25
  reporting_agency: An invented agency
  place: {country: KAZ}
  substances:
    - {as_named: уксусный ангидрид, drug_group: precursors, quantity: 5 kg}
    - {substance_id: herion, drug_group: opioids, quantity: 1 kg}
  route_unknown: true
"""

NOTIFICATION = """\
kind: pre-export-notification
handling: {{tlp: AMBER, code: H2, classification: 1}}
review: 3 years
content:
  reference: EX-78
  authority: An invented committee
  exporter: {{name: Example, country: KAZ, address: Invented street 1}}
  importer: {{name: Sample, country: TJK, address: Invented street 2}}
  chemicals:
    - {{substance_id: acetic-anhydride, quantity: 5 t}}
  dispatch_date: {day}
  entry_point: Invented post
  transit_countries: [UZB, CHN]
"""


@pytest.fixture
def notice(tmp_path: Path) -> Path:
    """A draft of a notice with a known name and an unknown reference id."""
    path = tmp_path / "notice.yaml"
    path.write_text(NOTICE)
    return path


def test_a_substance_is_shown_with_its_status_in_each_state(paiza: Paiza) -> None:
    """By name or CAS number, in either language; the state that says nothing is asked."""
    found = paiza("kaz-liaison", "substance", "acetic anhydride", "--in", "kaz,tkm", "--json").json
    (match,) = found["matches"]
    assert match["id"] == "acetic-anhydride"
    assert [each["schedule"] for each in match["international"]["in_effect"]] == ["1988-I"]
    assert [(each["state"], each["listing"]) for each in match["national"]] == [
        ("kaz", "listed"),
        ("tkm", "not-recorded"),
    ]
    before = paiza("kaz-liaison", "substance", "108-24-7", "--on", "1999-01-01", "--in", "kaz", "--json").json
    assert [each["schedule"] for each in before["matches"][0]["international"]["in_effect"]] == ["1988-II"]
    assert before["matches"][0]["national"][0]["listing"] == "not-recorded"  # the act of today is no answer for 1999
    between = paiza("kaz-liaison", "substance", "108-24-7", "--on", "2005-01-01", "--json").json
    status = between["matches"][0]["international"]
    assert (status["listing"], status["in_effect"]) == ("not-recorded", [])
    assert [each["decided"] for each in status["undated"]] == ["2001"]
    unrecorded = paiza("kaz-liaison", "substance", "heroin", "--known-at", "2020-01-01", "--in", "kaz", "--json").json
    assert unrecorded["matches"][0]["national"][0]["listing"] == "not-recorded"
    assert "сведений нет" in paiza("kaz-liaison", "substance", "героин", "--in", "tkm", "--lang", "ru").out


def test_a_typing_error_is_answered_with_a_suggestion(paiza: Paiza) -> None:
    """An unknown name is refused with the likest known one."""
    ran = paiza("kaz-liaison", "substance", "herion")
    assert ran.code == 3
    assert "heroin" in ran.err
    assert "unknown_substance" in ran.err


def test_profile_law_and_border_speak(paiza: Paiza) -> None:
    """The data that members publish, share and have in common, in words and as JSON."""
    assert paiza("kaz-liaison", "profile", "tjk", "--json").json["controlled_delivery"]["substitution"] == "lawful"
    assert "Замена груза" in paiza("kaz-liaison", "profile", "tjk", "--lang", "ru").out
    assert paiza("kaz-liaison", "profile", "atlantis").code == 3
    bases = paiza("kaz-liaison", "law", "kaz", "tjk", "controlled-delivery", "--json").json["bases"]
    assert {"un-1988", "untoc", "caricc-2006"} <= {each["id"] for each in bases}
    assert "article 1 (g), 11" in paiza("kaz-liaison", "law", "kaz", "tjk", "controlled-delivery").out
    assert paiza("kaz-liaison", "law", "kaz", "tjk", "nonsense").code == 2
    points = paiza("kaz-liaison", "border", "uzb", "kaz", "--json").json
    assert "kaz-uzb-konysbayeva" in {each["id"] for each in points}
    assert "не сверено" in paiza("kaz-liaison", "border", "uzb", "kaz", "--lang", "ru").out


def test_ratification_shows_the_gaps(paiza: Paiza) -> None:
    """Who signed, who is bound since when, with which reservations, and who is not."""
    found = paiza("kaz-liaison", "law", "ratification", "--in", "kaz,irn", "--json").json
    by_place = {(each["treaty"], each["state"]): each for each in found}
    assert by_place["un-1988", "kaz"]["record"]["from"] == "1997-07-28"
    assert [place for place, each in by_place.items() if each["gap"]] == [("untoc", "irn")]
    assert by_place["sco-2004", "irn"]["record"] is None
    shown = paiza("kaz-liaison", "law", "ratification", "--in", "irn", "--lang", "ru")
    assert "подписано, не ратифицировано" in shown.err
    assert "Не связан статьёй 31" in " ".join(shown.out.split())


def test_differences_and_wrong_numbers_are_reported(paiza: Paiza, tmp_path: Path) -> None:
    """The report names what differs and what is recorded in part; a wrong check digit gives exit code 3."""
    report = paiza("kaz-liaison", "substance", "consistency", "--in", "kaz,rus", "--json").json
    found = {(each["substance"], each["difference"]) for each in report["findings"]}
    assert {("methadone", "different-regime"), ("pregabalin", "national-only")} <= found
    assert report["incomplete"] == ["kaz", "rus"]
    assert 0 < report["unverified"] < report["records"]
    assert "вызывает сомнения" in paiza("kaz-liaison", "substance", "heroin", "--in", "kgz", "--lang", "ru").err
    listed = tmp_path / "list.csv"
    listed.write_text("name,CAS\nsound,108-24-7\nwrong,108-24-8\n")
    ran = paiza("kaz-liaison", "substance", "check", listed)
    assert ran.code == 3
    assert "108-24-8" in ran.out
    listed.write_text("name,CAS\nsound,108-24-7\n")
    assert paiza("kaz-liaison", "substance", "check", listed, "--json").json["wrong"] == []


def test_draft_and_notice_show_the_status_of_their_substances(
    paiza: Paiza, federation: Federation, notice: Path
) -> None:
    """Author and reader see each state's law; an unknown reference id warns both and stops nothing."""
    checked = paiza("kaz-liaison", "send", "seizure", notice, "--dry-run", "--json").json
    known, unknown = checked["substances"]
    assert known["substance"] == "acetic-anhydride"
    assert {each["state"]: each["listing"] for each in known["statuses"]} == {"kaz": "listed", "tjk": "listed"}
    assert "heroin" in unknown["remark"]
    sent = paiza("kaz-liaison", "send", "seizure", notice, "--json")
    assert "herion" in sent.err
    message_id = str(sent.json["id"])
    asyncio.run(asyncio.wait_for(arrives(federation, "tjk-liaison", message_id), 60))
    opened = paiza("tjk-liaison", "open", message_id, "--json").json
    assert [each["substance"] for each in opened["substances"]] == ["acetic-anhydride", None]
    shown = paiza("tjk-liaison", "open", message_id, "--lang", "ru").out
    assert "контролируемый прекурсор" in shown
    assert "нет в справочных данных" in shown


def test_a_notification_tells_every_member_on_the_way_of_precursors_alone(
    paiza: Paiza, federation: Federation, tmp_path: Path
) -> None:
    """Heroin is refused with its remedy, by the dry run as well; numbers and recipients come from the register."""
    draft = tmp_path / "notification.yaml"
    text = NOTIFICATION.format(day=f"{datetime.now(UTC) + timedelta(days=30):%Y-%m-%d}")
    draft.write_text(text.replace("acetic-anhydride", "heroin"))
    for option in ((), ("--dry-run",)):
        refused = paiza("kaz-liaison", "send", "pre-export-notification", draft, *option)
        assert refused.code == 3
        assert "chemicals[0].substance_id" in refused.err
        assert "import and export authorisations" in " ".join(refused.err.split())
    draft.write_text(text)
    refused = paiza("kaz-liaison", "send", "pre-export-notification", draft, "--to", "tjk")
    assert (refused.code, "transit_countries[0]" in refused.err) == (3, True)
    sent = paiza("kaz-liaison", "send", "pre-export-notification", draft, "--json").json
    asyncio.run(asyncio.wait_for(arrives(federation, "tjk-liaison", sent["id"]), 60))
    opened = paiza("tjk-liaison", "open", sent["id"], "--json").json
    assert opened["content"]["chemicals"][0].items() >= {
        "cas_number": "108-24-7", "hs_code": "291524", "control": "table-i",
    }.items()  # fmt: skip
    assert sorted(each["member"] for each in opened["recipients"]) == ["tjk", "uzb"]


def test_a_number_that_nobody_compared_is_left_to_the_author(paiza: Paiza, tmp_path: Path) -> None:
    """It is shown with a word, by the dry run as well, and is not in the message."""
    draft = tmp_path / "notification.yaml"
    text = NOTIFICATION.format(day=f"{datetime.now(UTC) + timedelta(days=30):%Y-%m-%d}")
    draft.write_text(text.replace("acetic-anhydride", "2-bromo-4-methylpropiophenone"))
    ran = paiza("kaz-liaison", "send", "pre-export-notification", draft, "--dry-run", "--lang", "ru")
    assert ran.code == 0, ran.err
    shown = " ".join(ran.out.split())
    assert "1451-82-7 (не сверено)" in shown
    assert "chemicals[0].cas_number: 1451-82-7 стоит в справочных данных" in shown


def test_without_the_node_the_register_verified_last_answers(paiza: Paiza, federation: Federation) -> None:
    """Reference data need no node once the register is here; a profile that never had one is told so."""
    federation.node("tjk").stop()
    try:
        ran = paiza("tjk-liaison", "substance", "heroin", "--json")
        assert ran.json["matches"][0]["id"] == "heroin"
        assert "register verified last" in ran.err
        assert paiza("uzb-duty", "substance", "heroin").code == 4
    finally:
        federation.node("tjk").start()


def test_a_name_typed_at_a_prompt_is_answered_at_once(
    paiza: Paiza, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Filling a form in, the officer sees what a name means in the states addressed, or what may be meant."""
    assert paiza("kaz-liaison", "contacts").code == 0  # the register is here
    monkeypatch.setattr("sys.stdin", io.StringIO("герыч\nherion\n"))
    walk = interactive.Walk(Terminal("kaz-liaison"), kinds.get("seizure-notice", 1), "long", ("tjk", "centre"))
    field = next(each for each in forms.fields(kinds.get("seizure-notice", 1)) if each.path == "substances[].as_named")
    assert walk._ask(field, required=True) == "герыч"
    told = capsys.readouterr().err
    assert "heroin: Heroin; tjk: List I" in told
    assert "centre:" not in told
    assert walk._ask(field, required=True) == "herion"
    assert "Did you mean “heroin”?" in capsys.readouterr().err


def test_a_classification_is_written_and_read_by_its_national_name(
    paiza: Paiza, federation: Federation, tmp_path: Path
) -> None:
    """A draft names the level as the writer's member does; each reader sees their own member's name."""
    names = {
        member: paiza("kaz-liaison", "profile", member, "--json").json["classification"]["1"]
        for member in ("kaz", "tjk")
    }
    draft = tmp_path / "draft.yaml"
    draft.write_text(DRAFT.replace("classification: 1", f"classification: {names['kaz']['ru']}"))
    sent = paiza("kaz-liaison", "send", "free-message", draft, "--json").json
    asyncio.run(asyncio.wait_for(arrives(federation, "tjk-liaison", sent["id"]), 60))
    for member in names:
        for lang in ("ru", "en"):
            shown = paiza(f"{member}-liaison", "open", sent["id"], "--lang", lang).out
            assert f"({names[member][lang]})" in shown
    draft.write_text(DRAFT.replace("classification: 1", "classification: no such name"))
    assert "handling.classification" in paiza("kaz-liaison", "send", "free-message", draft, "--json").err
