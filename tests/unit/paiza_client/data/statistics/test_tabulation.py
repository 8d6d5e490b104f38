"""The counted events, and the tables that show them."""

import random
from collections.abc import Iterable
from itertools import permutations
from typing import Any

from paiza.content.v1 import common_pb2 as pb
from paiza.content.v1 import seizure_notice_pb2
from paiza_client.data.exports.records import Record
from paiza_client.data.statistics.observations import DIMENSIONS, observations
from paiza_client.data.statistics.tabulation import HIDDEN, Tabulation, Tally, as_table
from tests.unit.paiza_client.data.exports.making import MARK, record


def tabulate(records: Iterable[Record], by: str, across: str = "") -> Tabulation:
    """Count records that come one by one."""
    tally = Tally(by, across)
    for each in records:
        tally.add(each)
    return tally.tabulation()


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
    records += [notice(str(number)) for number in (3, 4)]
    for order in permutations(records[:5]):
        counted = tabulate([*order, *records[5:]], "substance")
        assert [[(each.count, each.milligrams) for each in line] for line in counted.figures] == [
            [(3, 7_000_000)],
            [(3, 7_000_000)],
            [(6, 14_000_000)],
        ]


def test_a_tally_is_what_a_plain_count_is() -> None:
    """Versions in any order: the figures are those of the newest versions, counted one by one."""
    chance = random.Random(14)
    records = [
        notice(str(chance.randrange(60)), version=chance.randrange(1, 5), country=chance.choice(["KAZ", "TJK"]), kg=kg)
        for kg in range(1, 200)
    ]
    newest: dict[str, Record] = {}
    for each in records:
        content: Any = each.content
        kept: Any = newest[content.notice_id].content if content.notice_id in newest else None
        if kept is None or content.notice_version > kept.notice_version:
            newest[content.notice_id] = each
    contents: list[Any] = [each.content for each in newest.values()]
    counted = tabulate(records, "place", "substance")
    assert counted.hidden == 0
    for row, country in enumerate(("KAZ", "TJK")):
        kilograms = sum(each.substances[0].quantity.millionths for each in contents if each.place.country == country)
        assert [each.milligrams for each in counted.figures[row]] == [kilograms, kilograms, 2 * kilograms]
    assert counted.figures[-1][-1].count == 2 * len(contents)


def test_small_cells_count_notices_and_not_substances() -> None:
    """Two substances of one notice are two observations and still one case: hidden."""
    shown = tabulate([notice("1"), notice("2")], "group")
    assert [[each.count for each in line] for line in shown.figures] == [[None], [None]]
    shown = tabulate([notice("1"), notice("2"), notice("3")], "group")
    assert [[each.count for each in line] for line in shown.figures] == [[6], [6]]


def test_rows_columns_and_totals_add_up_where_nothing_is_hidden() -> None:
    """A table of two dimensions has its totals last, in counts and in kilograms."""
    records = [notice(str(number), country="KAZ" if number < 4 else "TJK") for number in range(8)]
    counted = tabulate(records, "substance", "place")
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
    (seen, _other) = observations(made)
    assert DIMENSIONS["origin"].value(seen) == "Myanmar"
    assert DIMENSIONS["route"].value(seen) == "Afghanistan → Unknown"
    (seen, _other) = observations(notice("2"))
    assert DIMENSIONS["origin"].value(seen) == "Unknown"


def test_a_hidden_cell_is_an_asterisk_and_is_explained() -> None:
    """The table states hidden values, and a sum is hidden together with its count."""
    records = [notice(str(number), country="KAZ" if number < 7 else "TJK") for number in range(8)]
    for measure in ("count", "kg"):
        table = as_table(tabulate(records, "place"), "place", "", measure, MARK)
        assert [row[1] for row in table.rows].count(HIDDEN) == 2
        assert "fewer than 3" in table.notes[0]


def test_every_dimension_sorts_every_notice() -> None:
    """Every dimension counts every observation, even one with missing values."""
    records = [notice(str(number)) for number in range(3)]
    for name in DIMENSIONS:
        counted = tabulate(records, name)
        assert counted.figures[-1][-1].count == 6, name
    assert tabulate([], "substance", "place").figures[-1][-1].count == 0
