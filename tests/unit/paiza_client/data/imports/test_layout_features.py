"""What a map can say beyond one column a field: dates in parts, months and years, counts, points, codes, defaults."""

import io
from datetime import UTC, datetime

import pytest

from paiza.content.v1.common_pb2 import TIME_PRECISION_MONTH, TIME_PRECISION_YEAR
from paiza.content.v1.seizure_notice_pb2 import SeizureNotice
from paiza_client.data.imports.maps import ImportMap, parse_map
from paiza_client.data.imports.plan import Outcome, Planned, plan_import
from paiza_client.data.imports.rows import RowReader
from tests.unit.paiza_client.data.imports.test_maps import problems

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
MAP = """
source = "A yearbook"
[numbers]
decimal = ","
[file]
separator = ";"
rows = 4
[dates]
formats = ["D MMM YYYY", "MMM YYYY", "YYYY", "YYYY/YY"]
fiscal_year = "04"
fiscal_year_named = "begin"
[columns]
date = ["Day", "Month", "Year"]
drug = "Drug"
quantity = "Amount"
unit = "Unit"
place_type = "Where"
latitude = "N"
longitude = "E"
events = "Cases"
[codes]
drug = "Code"
[constants]
agency = "Example agency"
member = "Kazakhstan"
[defaults]
unit = "kg"
[tables.member]
"Kazakhstan" = { member = "kaz", country = "KAZ" }
[tables.drug]
"0101" = { group = "opioids", type = "heroin" }
"0202" = { group = "cannabis" }
[tables.unit]
[tables.place_type]
"""
GOOD = {
    "Day": "31", "Month": "мая", "Year": "2011", "Drug": "Героин", "Code": "0101", "Amount": "1,5", "Unit": "g",
    "Where": "", "N": "", "E": "", "Cases": "",
}  # fmt: skip


def plan(*rows: dict[str, str], text: str = MAP) -> list[Planned]:
    """Plan the import of these rows."""
    layout: ImportMap = parse_map(text.encode(), "m.toml")
    lines = [";".join(GOOD), *(";".join((GOOD | row).values()) for row in rows)]
    reader = RowReader(io.BytesIO("\n".join(lines).encode()), layout)
    return list(plan_import(reader, layout, {"kaz"}, {"kaz"}, lambda _: set(), now=NOW))


def notice(**cells: str) -> SeizureNotice:
    """Return the notice of one row."""
    (planned,) = plan(cells)
    assert planned.notice is not None, planned.rejections
    return planned.notice


@pytest.mark.parametrize(
    ("cells", "precision", "start"),
    [
        ({}, 1, datetime(2011, 5, 31, tzinfo=UTC)),
        ({"Day": ""}, TIME_PRECISION_MONTH, datetime(2011, 5, 1, tzinfo=UTC)),
        ({"Day": "", "Month": "", "Year": "2011/12"}, TIME_PRECISION_YEAR, datetime(2011, 4, 1, tzinfo=UTC)),
        ({"Day": "", "Month": ""}, TIME_PRECISION_YEAR, datetime(2011, 4, 1, tzinfo=UTC)),
    ],
)
def test_a_date_in_parts_is_as_precise_as_its_cells(cells: dict[str, str], precision: int, start: datetime) -> None:
    """Several columns are one date; a month, or a fiscal year, stays one and never becomes a day."""
    seized = notice(**cells).seized_at
    assert (seized.precision, seized.time.ToDatetime(UTC)) == (precision, start)


def test_own_codes_count_and_are_kept() -> None:
    """The code tells the meaning, the text names the drug, and the code stands under circumstances."""
    found = notice()
    assert (found.substances[0].drug_type, found.substances[0].as_named) == ("heroin", "Героин")
    assert found.circumstances == "Code: 0101"
    assert notice(Drug="").substances[0].as_named == "0101"


@pytest.mark.parametrize(
    ("cells", "group", "unmapped"),
    [
        ({"Code": "0999"}, "opioids", ("Code", "0999")),
        ({"Code": "0202"}, "cannabis", ("Code", "0202: Героин")),
        ({"Code": "", "Drug": "Порошок"}, "unknown", ("Drug", "Порошок")),
    ],
)
def test_doubtful_codes_are_counted(cells: dict[str, str], group: str, unmapped: tuple[str, str]) -> None:
    """A code that is not known leaves the text to tell; one that contradicts the text counts, and is named."""
    (planned,) = plan(cells)
    assert planned.notice is not None
    assert planned.notice.substances[0].drug_group == group
    assert [each[:2] for each in planned.unmapped] == [unmapped]


def test_an_empty_unit_takes_the_default() -> None:
    """The default stands for empty cells only, and is a repair."""
    (planned,) = plan({"Unit": ""})
    assert planned.notice is not None
    assert planned.notice.substances[0].quantity.unit == "kg"
    assert planned.repairs == {"defaulted": "Unit"}
    assert notice().substances[0].quantity.unit == "g"


def test_points_and_counts_are_read_or_kept_as_text() -> None:
    """A point and a number of seizures have fields; what is neither stands under circumstances and is counted."""
    found = notice(N="43,25", E="76,95", Cases="12")
    assert (found.place.coordinates.latitude_microdegrees, found.event_count) == (43_250_000, 12)
    assert notice(Cases="1").event_count == 0
    (planned,) = plan({"N": "north", "E": "76,95", "Cases": "a few"})
    assert planned.notice is not None
    assert not planned.notice.place.HasField("coordinates")
    assert planned.notice.circumstances.splitlines() == ["Code: 0101", "Cases: a few", "N: north", "E: 76,95"]
    assert [each[0] for each in planned.unmapped] == ["Cases", "N", "E"]


def test_all_faults_of_a_row_are_named() -> None:
    """A row with four faults has four reasons, each with its column and text."""
    (planned,) = plan({"Day": "32", "Drug": "", "Code": "", "Amount": "much", "Unit": "pood"})
    assert [(each.column, each.reason) for each in planned.rejections] == [
        ("Drug", "drug_missing"),
        ("Unit", "unit_unknown"),
        ("Day Month Year", "date_impossible"),
        ("Amount", "amount_malformed"),
    ]


def test_rows_behind_the_limit_are_counted() -> None:
    """A map may end before the totals at the foot of a table; those rows are left out by their own outcome."""
    found = plan(*({"Amount": str(n + 1)} for n in range(6)))
    assert [each.outcome for each in found] == [Outcome.ACCEPTED] * 4 + [Outcome.BEYOND_LIMIT] * 2


@pytest.mark.parametrize(
    ("old", "new", "where"),
    [
        ("rows = 4", 'rows = "4"', "file.rows"),
        ("rows = 4", "rows = 0", "file.rows"),
        ('fiscal_year = "04"', 'fiscal_year = "13"', "dates.fiscal_year"),
        ('fiscal_year_named = "begin"', 'fiscal_year_named = "middle"', "dates.fiscal_year_named"),
        ('fiscal_year_named = "begin"', "", "dates.formats[2]"),
        ('fiscal_year = "04"\nfiscal_year_named = "begin"', "", "dates.formats[3]"),
        ('date = ["Day", "Month", "Year"]', "date = []", "columns.date"),
        ('date = ["Day", "Month", "Year"]', 'date = ["Day", 5]', "columns.date"),
        ('"Month", "Year"]', '"Month", "Unit"]', "columns"),
        ('longitude = "E"', "", "columns.latitude"),
        ('longitude = "E"', 'longitude = "E"\ncoordinates = "NE"', "columns.latitude"),
        ('drug = "Code"', 'quantity = "Code"', "codes.quantity"),
        ('unit = "kg"', 'agency = "x"', "defaults.agency"),
    ],
)
def test_a_wrong_map_is_refused_at_its_key(old: str, new: str, where: str) -> None:
    """Each fault of these keys is reported where it stands."""
    assert old in MAP
    assert f"test.toml: {where}" in problems(MAP.replace(old, new))
