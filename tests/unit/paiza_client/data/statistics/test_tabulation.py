"""The counted events, and the tables that show them."""

import random
from collections.abc import Iterable
from datetime import date
from itertools import permutations
from typing import Any

import pytest

from paiza.content.v1 import common_pb2 as pb
from paiza.content.v1 import seizure_notice_pb2
from paiza_client.data.exports.records import Record
from paiza_client.data.statistics.observations import DIMENSIONS, Period, Within, observations
from paiza_client.data.statistics.tabulation import HIDDEN, Tabulation, Tally, as_table
from paiza_domain.schema.partial_times import fill_partial_time
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


def dated(number: str, text: str, *, version: int = 1) -> Record:
    """Make a notice of one seizure with a date as people write it."""
    made: Any = notice(number, version=version).content
    assert fill_partial_time(text, made.seized_at)
    return record("seizure-notice", made)


@pytest.mark.parametrize(
    ("text", "within"),
    [
        ("2025-01-01", Within.YES),
        ("2025-12-31", Within.YES),
        ("2025-12-31T23:30+05:00", Within.YES),
        ("2026-01-01T01:00+05:00", Within.NO),  # the day where it was made counts, not the day in UTC
        ("2024-12-31", Within.NO),
        ("2025-06", Within.YES),
        ("2025", Within.YES),
        ("2024", Within.NO),
        ("2024-12", Within.NO),
        ("2025-04/P1Y", Within.UNSURE),
        ("2024-02/P1Y", Within.UNSURE),
        ("2024-01/P1Y", Within.NO),
        ("2025-01/P1Y", Within.YES),
    ],
)
def test_a_seizure_lies_in_a_year_by_its_own_day(text: str, within: Within) -> None:
    """What is known to the month or year counts where all of it lies in the period."""
    content: Any = dated("1", text).content
    assert Period(date(2025, 1, 1), date(2025, 12, 31)).holds(content) is within
    assert Period().holds(content) is Within.YES


def test_a_period_holds_the_newest_version_and_says_what_it_cannot_judge() -> None:
    """A corrected date takes a notice out of the period or into it, in whichever order the versions come."""
    records = [dated(str(number), "2025-05-05") for number in range(4)]
    records += [dated("0", "2024-05-05", version=2), dated("9", "2024-01-01"), dated("9", "2025-02-02", version=2)]
    records += [dated("7", "2025-04/P1Y"), dated("8", "2025-04/P1Y"), dated("8", "2025-04-01", version=2)]
    for shift in range(len(records)):
        tally = Tally("year", period=Period(date(2025, 1, 1), date(2025, 12, 31)))
        for each in [*records[shift:], *records[:shift]]:
            tally.add(each)
        counted = tally.tabulation()
        assert (counted.rows, counted.figures[-1][0].count, tally.unsure) == (("2025",), 2 * 5, 1)
