"""A proposed map: good as a map, right where it is sure, and silent where it is not."""

import re
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest

from paiza_client.data.imports.maps import load_map, parse_map
from paiza_client.data.imports.plan import Outcome, plan_import
from paiza_client.data.imports.rows import RowReader
from paiza_client.data.imports.suggest import suggest_map
from paiza_officer.errors import Refused

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
MEMBERS = ("aze", "kaz", "kgz", "rus", "tjk", "tkm", "uzb")


@pytest.mark.realdata
def test_the_published_table_is_recognised(shared: Path) -> None:
    """The map proposed for it has the fields of the shipped one, and gives every row the same outcome."""
    table = shared / "data" / "unodc-ids-caricc-states.csv"
    proposed, shipped = parse_map(suggest_map(table).encode(), "proposed"), load_map("ids")
    assert proposed.columns == shipped.columns
    outcomes = []
    for layout in (proposed, shipped):
        with table.open("rb") as file:
            planned = plan_import(RowReader(file, layout), layout, MEMBERS, MEMBERS, lambda _: set(), now=NOW)
            outcomes.append(Counter((each.outcome, each.state) for each in planned))
    assert outcomes[0] == outcomes[1]


@pytest.mark.parametrize("encoding", ["cp1251", "utf-8-sig", "utf-16"])
def test_the_table_of_the_documentation_needs_little_editing(root: Path, tmp_path: Path, encoding: str) -> None:
    """Encoding, separator, marks and formats are told; only the member is missing, and says so."""
    text = (root / "client/paiza_client/data/imports/README.md").read_text(encoding="utf-8")
    (table,) = re.findall(r"```csv\n(.*?)```", text, re.DOTALL)
    path = tmp_path / "t.csv"
    path.write_text(table, encoding=encoding)
    proposed = suggest_map(path)
    with pytest.raises(Refused) as caught:
        parse_map(proposed.encode(), "proposed")
    assert [each.where for each in caught.value.problems] == ["proposed: columns.member"]
    edited = proposed.replace("[constants]", "").replace("[identity]", '[constants]\nmember = "KZ"\n\n[identity]')
    edited = edited.replace("[tables.member]", '[tables.member]\n"KZ" = { member = "kaz", country = "KAZ" }')
    layout = parse_map(edited.encode(), "edited")
    with path.open("rb") as file:
        planned = list(plan_import(RowReader(file, layout), layout, {"kaz"}, {"kaz"}, lambda _: set(), now=NOW))
    assert [each.outcome for each in planned] == [
        Outcome.ACCEPTED, Outcome.REJECTED, Outcome.ACCEPTED, Outcome.REJECTED, Outcome.REPEATED,
    ]  # fmt: skip
    assert [each.reason for each in planned[1].rejections] == ["unit_unknown"]


def test_days_that_may_be_months_are_a_question(tmp_path: Path) -> None:
    """If every date fits both orders, the proposal says so."""
    path = tmp_path / "t.csv"
    path.write_text("Date,Drug,Amount\n01/02/2011,Heroin,1\n03/04/2011,Heroin,2\n", encoding="utf-8")
    assert "# Day and month may be meant the other way round: DD/MM/YYYY, MM/DD/YYYY" in suggest_map(path)
    path.write_text("Date,Drug,Amount\n01/02/2011,Heroin,1\n03/14/2011,Heroin,2\n", encoding="utf-8")
    assert 'formats = ["MM/DD/YYYY"]' in suggest_map(path)


def test_what_is_no_table_is_refused(tmp_path: Path) -> None:
    """A file without columns, and one that is not there, are refused with their own reasons."""
    path = tmp_path / "t.csv"
    path.write_text("one column\n1\n", encoding="utf-8")
    with pytest.raises(Refused, match="bad_map"):
        suggest_map(path)
    with pytest.raises(Refused, match="file_unreadable"):
        suggest_map(tmp_path / "absent.csv")
