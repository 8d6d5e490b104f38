"""Statistics of the real records: no small number is shown, and none stands alone in its row or column."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from paiza_client.data.exports.records import Record
from paiza_client.data.imports.maps import load_map
from paiza_client.data.imports.plan import plan_import
from paiza_client.data.imports.rows import RowReader
from tests.unit.paiza_client.data.exports.making import record
from tests.unit.paiza_client.data.statistics.test_tabulation import tabulate

pytestmark = pytest.mark.realdata

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
MEMBERS = ("aze", "kaz", "kgz", "rus", "tjk", "tkm", "uzb")


@pytest.fixture(scope="module")
def records(shared: Path) -> list[Record]:
    """The notices that an import makes of the real records."""
    layout = load_map("ids")
    with (shared / "data" / "unodc-ids-caricc-states.csv").open("rb") as file:
        planned = plan_import(RowReader(file, layout), layout, MEMBERS, MEMBERS, lambda _: set(), now=NOW)
        return [record("seizure-notice", each.notice, author=each.state) for each in planned if each.notice]


@pytest.mark.parametrize(("by", "across"), [("substance", "year"), ("route", "month"), ("place-type", "substance")])
def test_no_small_number_of_the_real_records_is_shown(records: list[Record], by: str, across: str) -> None:
    """Every record is counted; what is shown is nothing or at least three; a hidden cell has company both ways."""
    counted = tabulate(records, by, across)
    shown = [figure.count for line in counted.figures for figure in line if figure.count is not None]
    assert not {1, 2} & set(shown)
    assert counted.figures[-1][-1].count == len(records)
    lines = [*map(tuple, counted.figures), *zip(*counted.figures, strict=True)]
    assert 1 not in {sum(figure.count is None for figure in line) for line in lines}
    assert counted.hidden > 0
    # Where no cell of a row is hidden, the row adds up.
    for line in lines:
        counts = [figure.count for figure in line]
        if None not in counts:
            assert sum(filter(None, counts[:-1])) == counts[-1]
