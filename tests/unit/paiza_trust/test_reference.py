"""The reference data that come with the program, and the commands that check, build and publish them."""

import csv
import json
import re
import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from paiza_domain import reference
from paiza_domain.reference import Reference, Standing
from paiza_domain.reference.model import Period
from paiza_domain.schema.identifiers import cas_problem
from paiza_trust import reference_source
from paiza_trust.errors import TrustError
from tests.reference_check import consistency, numbers
from tests.unit.paiza_trust.test_commands import run

COMPLETE = {
    "1961-I": 140, "1961-II": 10, "1961-IV": 18, "1971-I": 33, "1971-II": 65, "1971-III": 9, "1971-IV": 69,
    "1988-I": 27, "1988-II": 8, "ISSL": 20,
}  # fmt: skip


@pytest.fixture(scope="module")
def ours() -> Reference:
    """The data that come with the program."""
    found = reference.read(reference_source.all_documents(reference_source.OURS))
    assert found.problems == ()
    return found


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A folder of reference data that a test may change."""
    return Path(shutil.copytree(reference_source.OURS, tmp_path / "source"))


def test_every_cas_number_verifies(ours: Reference) -> None:
    """Published numbers have valid check digits, and each names one substance."""
    numbers = [number for each in ours.substances.values() for number in each.cas]
    assert [number for number in numbers if cas_problem(number)] == []
    assert [number for number, count in Counter(numbers).items() if count > 1] == []


def test_the_counts_are_those_of_the_guide(ours: Reference, root: Path) -> None:
    """The counts of each schedule agree with the guide."""
    now = Counter(each.schedule for each in ours.international if each.valid.is_open)
    assert dict(now) == COMPLETE
    guide = (root / "certs/README.md").read_text()
    documented = re.findall(r"^\| (\d{4}) (?:Schedule|Table) (I{1,3}|IV) \| (\d+) \|", guide, re.MULTILINE)
    watched = re.findall(r"^\| surveillance list \| (\d+) \|", guide, re.MULTILINE)
    found = {f"{year}-{number}": int(count) for year, number, count in documented}
    assert found | {"ISSL": int(watched[0])} == COMPLETE


def test_every_substance_has_both_names(ours: Reference) -> None:
    """Forms are Russian first and English second: no substance lacks either name."""
    assert [each.id for each in ours.substances.values() if set(each.names) != {"ru", "en"}] == []


def test_nothing_unverified_claims_to_be_verified(ours: Reference) -> None:
    """A record that says it was taken from general knowledge is not marked verified; amounts name their act."""
    verified = [each for each in reference.facts(ours) if each.evidence.standing is Standing.VERIFIED]
    assert [each for each in verified if "general knowledge" in each.evidence.source] == []
    assert [each for each in ours.national if bool(each.thresholds) != bool(each.thresholds_act)] == []


def test_the_reference_check_finds_nothing(ours: Reference) -> None:
    """Numbers, HS codes, schedules, groups and days agree, or the table explains why they do not."""
    assert list(consistency.problems(ours)) == []
    assert list(numbers.problems(ours, numbers.explanations(reference_source.OURS))) == []


def test_the_reference_check_finds_what_is_wrong(ours: Reference) -> None:
    """A number of another substance, an explanation of no difference, and days that break a treaty are problems."""
    wrong = replace(ours.substances["allobarbital"], cas=("58-15-1",))
    changed = replace(ours, substances={"allobarbital": wrong})
    assert list(numbers.problems(changed, {})) == ["allobarbital: 58-15-1 is aminopyrine by `chemicals`"]
    known = replace(ours, substances={"heroin": ours.substances["heroin"]})
    assert len(list(numbers.problems(known, {"heroin": "no reason"}))) == 1
    entry = replace(ours.international[0], schedule="1971-I", communicated="2016-05-19", valid=Period("2016-05-19"))
    (found,) = consistency.problems(Reference(international=(entry,)))
    assert "binds from 2016-11-15" in found
    misplaced = replace(ours.substances["acetone"], drug_type="precursor-table-i", hs=("2402.20",))
    tables = [each for each in ours.international if each.substance == "acetone"]
    assert len(list(consistency.problems(Reference({"acetone": misplaced}, tuple(tables))))) == 2


def test_what_the_conventions_say_of_days_is_recorded(ours: Reference) -> None:
    """The amended Convention of 1961 has its own day; a decision's year is no day of effect."""
    treaties = {each.id: each for each in ours.legal_bases}
    assert treaties["un-1961"].valid.begin == "1975-08-08"
    assert {each.subject for each in treaties["un-1971"].provisions} >= {"scheduling"}
    assert [each for each in ours.international if len(each.valid.begin) == len("2001")] == []


def test_no_list_is_called_complete(ours: Reference) -> None:
    """Until an act was compared entry by entry, absence of a record means nothing."""
    assert [each.id for each in ours.lists.values() if each.complete] == []


@pytest.mark.realdata
def test_the_tables_of_1988_are_those_published(ours: Reference, shared: Path) -> None:
    """Each substance of Tables I and II stands in its table, with the CAS numbers whose check digits hold."""
    found = {each.names["en"]: each for each in ours.substances.values()}
    tables = {each.substance: each.schedule for each in ours.international if each.valid.is_open}
    with (shared / "data/precursors-1988-tables.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            substance = found[row["name"]]
            assert tables[substance.id] == f"1988-{row['table_1988']}"
            sound = {each for each in re.findall(r"\d+-\d\d-\d", row["cas"]) if cas_problem(each) is None}
            assert sound <= set(substance.cas)
            assert substance.hs == (row["hs2022"],)


def test_check_names_what_is_wrong(source: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A wrong check digit, an unknown substance and a broken table are refused with file and place."""
    code, out, _ = run(capsys, "reference", "check", source, "--json")
    assert code == 0
    assert json.loads(out)["substances"] >= 368
    table = source / "substances.csv"
    text = table.read_text()
    table.write_text(text.replace("561-27-3", "561-27-4"))
    code, _, err = run(capsys, "reference", "check", source)
    assert code == 3
    assert "check digit" in err
    table.write_text(text + "one,column,too,few\n")
    code, _, err = run(capsys, "reference", "check", source)
    assert code == 3
    assert f"line {len(text.splitlines()) + 1}" in err
    (source / "acts.toml").unlink()
    code, _, err = run(capsys, "reference", "check", source)
    assert code == 4
    assert "acts.toml" in err


def test_build_writes_what_is_published(source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The built files are those of the register, byte for byte."""
    code, _, _ = run(capsys, "reference", "build", source, "-o", tmp_path / "built")
    assert code == 0
    built = {
        str(path.relative_to(tmp_path / "built")): path.read_bytes() for path in (tmp_path / "built").rglob("*.json")
    }
    assert built == reference_source.all_documents(source)


@pytest.mark.parametrize("value", ["1" * 5000, "[" * 50_000])
def test_a_profile_that_no_parser_takes_is_told(tmp_path: Path, value: str) -> None:
    """A number or a nesting that Python refuses is a fault of the file, not of the program."""
    file = tmp_path / "profile.toml"
    file.write_text(f"duty = {value}")
    with pytest.raises(TrustError) as caught:
        reference_source.member_profile(file, "tjk")
    assert caught.value.where == str(file)
