"""The counted events, and the tables that show them."""

from typing import Any

from paiza.content.v1 import common_pb2 as pb
from paiza.content.v1 import seizure_notice_pb2
from paiza_client.data.exports.records import Record
from paiza_client.data.statistics.observations import DIMENSIONS, observations
from paiza_client.data.statistics.tabulation import HIDDEN, as_table, tabulate
from tests.unit.paiza_client.data.exports.making import MARK, record


def notice(number: str, *, version: int = 1, status: str = "initial", country: str = "KAZ", kg: int = 1) -> Record:
    """Make a notice of heroin and opium, seized in October 2026 on the way from Afghanistan."""
    content = seizure_notice_pb2.SeizureNotice(
        notice_id=number,
        notice_version=version,
        status=status,
        seized_at=pb.PartialTime(precision=pb.TIME_PRECISION_DAY),
        place=pb.Place(country=country),
        route=[pb.RouteLeg(role="departure", country="AFG")],
    )
    content.seized_at.time.seconds = 1_793_000_000 // 86_400 * 86_400
    for drug in ("heroin", "opium"):
        substance = content.substances.add(as_named=drug, drug_group="opioids", drug_type=drug)
        substance.quantity.unit, substance.quantity.millionths = "kg", kg * 1_000_000
        substance.kg_equivalent.kilograms.millionths = kg * 1_000_000
    return record("seizure-notice", content)


def test_the_newest_version_counts_and_a_cancelled_notice_does_not() -> None:
    """A notice is counted once however often it was corrected, and not at all when it was taken back."""
    records = [notice("1"), notice("1", version=3, kg=5), notice("1", version=2)]
    records += [notice("2"), notice("2", version=2, status="cancel")]
    found = list(observations(records))
    assert [(each.notice[1], each.milligrams) for each in found] == [("1", 5_000_000)] * 2


def test_small_cells_count_notices_and_not_substances() -> None:
    """Two substances of one notice are two observations and still one case: hidden."""
    shown = tabulate(observations([notice("1"), notice("2")]), "group")
    assert [[each.count for each in line] for line in shown.figures] == [[None], [None]]
    shown = tabulate(observations([notice("1"), notice("2"), notice("3")]), "group")
    assert [[each.count for each in line] for line in shown.figures] == [[6], [6]]


def test_rows_columns_and_totals_add_up_where_nothing_is_hidden() -> None:
    """A table of two dimensions has its totals last, in counts and in kilograms."""
    records = [notice(str(number), country="KAZ" if number < 4 else "TJK") for number in range(8)]
    counted = tabulate(observations(records), "substance", "place")
    assert counted.hidden == 0
    table = as_table(counted, "substance", "place", "kg", MARK)
    assert table.columns == ("Substance", "Kazakhstan", "Tajikistan", "Total")
    assert [tuple(map(str, row)) for row in table.rows] == [
        ("Heroin", "4", "4", "8"),
        ("Opium", "4", "4", "8"),
        ("Total", "8", "8", "16"),
    ]
    assert table.notes == ()


def test_origin_and_departure_are_counted_apart() -> None:
    """Where a substance was produced is its origin; its route begins where it departed, and nowhere else."""
    made = notice("1")
    content: Any = made.content
    content.route.add(role="obtained", country="IRN")
    content.route.add(role="production", country="MMR")
    (seen, _other) = observations([made])
    assert DIMENSIONS["origin"].value(seen) == "Myanmar"
    assert DIMENSIONS["route"].value(seen) == "Afghanistan → Unknown"
    (seen, _other) = observations([notice("2")])
    assert DIMENSIONS["origin"].value(seen) == "Unknown"


def test_a_hidden_cell_is_an_asterisk_and_is_explained() -> None:
    """The table states hidden values, and a sum is hidden together with its count."""
    records = [notice(str(number), country="KAZ" if number < 7 else "TJK") for number in range(8)]
    for measure in ("count", "kg"):
        table = as_table(tabulate(observations(records), "place"), "place", "", measure, MARK)
        assert [row[1] for row in table.rows].count(HIDDEN) == 2
        assert "fewer than 3" in table.notes[0]


def test_every_dimension_sorts_every_notice() -> None:
    """Every dimension counts every observation, even one with missing values."""
    records = [notice(str(number)) for number in range(3)]
    for name in DIMENSIONS:
        counted = tabulate(observations(records), name)
        assert counted.figures[-1][-1].count == 6, name
    assert tabulate([], "substance", "place").figures[-1][-1].count == 0
