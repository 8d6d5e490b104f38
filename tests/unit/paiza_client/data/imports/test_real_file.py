"""The real records of seven states, by the shipped map: every value reviewed, every row accounted for."""

import csv
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest

from paiza_client.data.imports.map_checks import LEGS
from paiza_client.data.imports.maps import load_map
from paiza_client.data.imports.plan import Outcome, plan_import
from paiza_client.data.imports.report import ImportReport
from paiza_client.data.imports.rows import RowReader
from paiza_client.data.imports.values import clean
from paiza_domain.codes import lookup

pytestmark = pytest.mark.realdata

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
IDS = load_map("ids")
MEMBERS = ("aze", "kaz", "kgz", "rus", "tjk", "tkm", "uzb")
ROWS = {"uzb": 908, "kaz": 336, "aze": 205, "tjk": 127, "tkm": 99, "kgz": 34, "rus": 6718}


def records(shared: Path) -> Path:
    """Return the file of the real records."""
    return shared / "data" / "unodc-ids-caricc-states.csv"


def run(shared: Path, own: tuple[str, ...], federation: tuple[str, ...] = MEMBERS) -> ImportReport:
    """Plan the import of the real file and count."""
    report = ImportReport()
    with records(shared).open("rb") as file:
        for planned in plan_import(RowReader(file, IDS), IDS, own, federation, lambda _: set(), now=NOW):
            report.add(planned)
    return report


def test_the_tables_hold_exactly_the_words_of_the_files(shared: Path) -> None:
    """Every distinct value of the mapped columns has an entry, and no entry is for a value that does not occur."""
    occurring: dict[str, set[str]] = {"country": {"Kyrgyzstan"}}  # a reporting state, on no route of the other states
    fields = {"COUNTRIES_ON_ROUTE": "country"} | {
        column: name for name, column in IDS.columns.items() if name not in LEGS
    }
    with (shared / "data" / "ids-names.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            occurring.setdefault(fields[row["column"]], set()).add(clean(row["value"])[0])
    with records(shared).open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            for field, column in IDS.columns.items():
                table = "country" if field in LEGS else field
                if IDS.tables.get(table) and (text := clean(row[column])[0]):
                    occurring.setdefault(table, set()).add(text)
    assert {table: set(entries) for table, entries in IDS.tables.items()} == occurring
    assert {table: len(words) for table, words in occurring.items()} == {
        "member": 7,
        "drug": 162,
        "unit": 14,
        "concealment": 27,
        "place_type": 63,
        "transport": 11,
        "country": 112,
        "routing": 6,
    }


def test_the_general_names_of_countries_agree_with_the_map() -> None:
    """Every country of the map is found by its name alone as well, with the same code."""
    named = {text: entry.codes["country"] for text, entry in IDS.tables["country"].items() if entry.codes}
    assert {text: lookup.find("country", text) for text in named} == named


def test_every_row_of_the_file_is_accounted_for(shared: Path) -> None:
    """All 8,427 rows come out once: the 363 repeats are known, one row without a unit is rejected."""
    report = run(shared, MEMBERS)
    assert report.rows == sum(report.outcomes.values()) == 8427
    assert report.outcomes == Counter(
        {
            Outcome.ACCEPTED: 6709,
            Outcome.REPAIRED: 1354,
            Outcome.REPEATED: 363,
            Outcome.REJECTED: 1,
        }
    )
    assert report.repeated_in_file == 363
    assert report.repairs == Counter(rounded=1297, blanks=59, leading_comma=4, smaller_unit=2)
    assert [(each.column, each.reason) for each in report.rejected] == [("DRUG_UNIT", "unit_missing")]
    assert {column: counted.total() for column, counted in report.unmapped.items()} == {
        "DRUG_NAME": 81,
        "HIDING_PLACE": 2634,
        "INSTALLATION": 2249,
        "TRANSPORT": 2397,
    }
    assert all(report.reasons.values()), "a value without an entry"


def test_each_state_imports_its_own_rows(shared: Path) -> None:
    """A run of one state accounts for its own rows and counts all others apart, by state."""
    report = run(shared, ("kaz",), ("kaz", "tjk", "uzb", "centre"))
    own = {Outcome.ACCEPTED, Outcome.REPAIRED, Outcome.REPEATED, Outcome.REJECTED}
    assert sum(report.outcomes[each] for each in own) == ROWS["kaz"]
    assert report.other_members == {each: ROWS[each] for each in ("tjk", "uzb")}
    assert report.outside == {each: ROWS[each] for each in ("aze", "kgz", "rus", "tkm")}
    assert report.rows == 8427


def test_the_runs_of_all_states_add_up(shared: Path) -> None:
    """Seven runs, one a state, together import every row once and find the same repeats as one run over all."""
    reports = {member: run(shared, (member,)) for member in MEMBERS}
    own = {Outcome.ACCEPTED, Outcome.REPAIRED, Outcome.REPEATED, Outcome.REJECTED}
    assert {member: sum(report.outcomes[each] for each in own) for member, report in reports.items()} == ROWS
    assert sum(report.outcomes[Outcome.REPEATED] for report in reports.values()) == 363
    assert sum(report.outcomes[Outcome.ACCEPTED] for report in reports.values()) == 6709
