"""The report at the end of an import: complete, and the same in the object for programs as in the text for a person."""

import json
from fractions import Fraction
from typing import Any

from paiza_client.data.imports import report as reporting
from paiza_client.data.imports.mapping import Measure, Rejection
from paiza_client.data.imports.plan import Outcome, Planned
from paiza_client.data.imports.report import ImportReport
from paiza_client.data.imports.rows import SourceRow


def planned(number: int, outcome: Outcome, **rest: Any) -> Planned:
    """Return the row of this number with this outcome."""
    return Planned(SourceRow(number, (), {}), outcome, **rest)


def filled() -> ImportReport:
    """Return a report in which every outcome and every list has something."""
    report = ImportReport()
    rows = [
        planned(
            2, Outcome.ACCEPTED, state="kaz", unmapped=[("DRUG", "Zorb", "not in any list"), ("PLACE", "Attic", "")]
        ),
        planned(3, Outcome.REPAIRED, state="kaz", repairs={"rounded": "AMOUNT", "blanks": "PLACE"}),
        planned(4, Outcome.REPAIRED, state="kaz", repairs={"rounded": "AMOUNT"}, unmapped=[("PLACE", "Attic", "")]),
        planned(5, Outcome.REPEATED, state="kaz", equal_to=2, measure=Measure("Zorb", "kg", Fraction(1_500_000))),
        planned(6, Outcome.REPEATED, state="kaz", sent_before=True, measure=Measure("Zorb", "kg", Fraction(4_500_000))),
        planned(7, Outcome.REJECTED, state="kaz", rejections=[Rejection("amount_malformed", "AMOUNT", "a lot")]),
        planned(8, Outcome.OTHER_MEMBER, state="tjk"),
        planned(9, Outcome.OUTSIDE, state="Utopia"),
        planned(10, Outcome.OUTSIDE, state="Utopia"),
        planned(11, Outcome.OUTSIDE, state="Erewhon"),
    ]
    for each in rows:
        report.add(each)
    return report


def test_the_object_holds_everything() -> None:
    """Counts, repairs by rule, texts without a code with count and why, rejected rows, other members, other states."""
    assert json.loads(json.dumps(filled().to_json())) == {
        "rows": 10,
        "accepted": 1,
        "repaired": 2,
        "repeated": 2,
        "rejected": 1,
        "other_member": 1,
        "outside": 3,
        "beyond_limit": 0,
        "repeated_in_file": 1,
        "equal_rows": {
            "choice": "",
            "rows": 1,
            "at_stake": [
                {"member": "kaz", "drug": "Zorb", "unit": "kg", "rows": 1, "amount": "1.5", "of": "6", "percent": 25.0}
            ],
        },
        "repairs": {"blanks": 1, "rounded": 2},
        "unmapped": {
            "DRUG": [{"text": "Zorb", "rows": 1, "why": "not in any list"}],
            "PLACE": [{"text": "Attic", "rows": 2, "why": ""}],
        },
        "rejected_rows": [{"row": 7, "column": "AMOUNT", "reason": "amount_malformed", "text": "a lot"}],
        "other_members": {"tjk": 1},
        "outside_states": {"Utopia": 2, "Erewhon": 1},
    }


def test_the_text_holds_everything_too() -> None:
    """Every count and every explanation of the object stands in the text."""
    lines = [" ".join(line.split()) for line in filled().text(str).splitlines()]
    for line in (
        "10 rows in the file",
        "1 accepted",
        "2 repaired",
        "2 repeated",
        "1 rejected",
        "1 of other members, not imported in this run",
        "3 of states outside the federation",
        "2 the amount was rounded to a millionth of its unit, half to even; the original is kept",
        "Kazakhstan, Zorb: 1.5 kg of 6 kg (25 %) in 1 of the rows",
        "1 Zorb: not in any list",
        "2 Attic: the map does not know this text",
        "row 7, AMOUNT: not a number with the marks of the map: “a lot”",
        "1 tjk",
        "2 Utopia",
        "1 Erewhon",
    ):
        assert line in lines


def test_too_many_texts_are_counted_together() -> None:
    """The report stays small for any number of distinct texts, and counts those not listed."""
    report = ImportReport()
    for number in range(2 * reporting.MAX_DISTINCT):
        report.add(planned(number + 2, Outcome.ACCEPTED, unmapped=[("PLACE", f"Attic {number}", "")]))
        report.add(planned(number + 2, Outcome.REJECTED, rejections=[Rejection("ragged")]))
    assert len(report.unmapped["PLACE"]) == reporting.MAX_DISTINCT + 1
    assert report.unmapped["PLACE"][reporting.REST] == reporting.MAX_DISTINCT
    assert len(report.rejected) == reporting.MAX_LISTED
    text = report.text(str)
    assert f"{reporting.MAX_DISTINCT:>9}  …: further texts, counted together" in text
    assert f"and {reporting.MAX_LISTED} more" in text
