"""The result of an operation: every figure once, limits of participants respected, the same in any order."""

import itertools
from dataclasses import replace
from datetime import timedelta

import pytest

from paiza.content.v1.common_pb2 import TIME_PRECISION_HOUR, PartialTime, PersonCounts, Quantity, Substance
from paiza.content.v1.operation_pb2 import Operation, OperationResults, Participant, SituationReport, SubstanceResult
from paiza.content.v1.seizure_notice_pb2 import SeizureNotice
from paiza_domain import kinds
from paiza_domain.operations import operations
from paiza_domain.operations.figures import add_up, figures_line
from paiza_domain.threads.thread import ThreadMessage
from tests.unit.paiza_domain.conftest import NOW
from tests.unit.paiza_domain.threads.making import at, said

LATER = at(24 * 40)


def operation(version: int = 1, **changes: object) -> Operation:
    """Make an operation of a month: kaz and tjk take part, uzb observes, irn contributes as an observer."""
    content = Operation(
        reference="1",
        operation_version=version,
        name="Вымышленный канал",
        aim="Проверка",
        coordinator="centre",
        participants=[
            Participant(member="kaz", participation="member"),
            Participant(member="tjk", participation="member", shares=["situation-reports", "notices"]),
            Participant(member="uzb", participation="observer", shares=["result-sheets"]),
            Participant(member="irn", participation="observer", contributes=True),
        ],
    )
    content.from_time.FromDatetime(NOW)
    content.until_time.FromDatetime(NOW + timedelta(days=30))
    for key, value in changes.items():
        setattr(content, key, value)
    return content


OPENED = said("operation", "operation", "centre", content=operation(), opens=True)


def notice(text: str, author: str, number: str, kilograms: int, *, hours: float = 1, **more: object) -> ThreadMessage:
    """Make a notice of heroin shared in the operation."""
    content = SeizureNotice(
        notice_id=number,
        notice_version=int(str(more.get("version", 1))),
        status=str(more.get("status", "initial")),
        substances=[
            Substance(
                drug_group="opioids",
                drug_type="heroin",
                as_named="героин",
                quantity=Quantity(millionths=kilograms * 10**9, unit="g"),
            )
        ],
        seized_at=PartialTime(precision=TIME_PRECISION_HOUR),
        counts=PersonCounts(arrested=2),
    )
    content.seized_at.time.FromDatetime(at(float(str(more.get("seized", hours)))))
    return said(text, "seizure-notice", author, "operation", hours=hours, content=content)


def report(text: str, author: str, number: str, results: OperationResults, **more: object) -> ThreadMessage:
    """Make a situation report on a day of the operation."""
    content = SituationReport(
        report_number=number,
        report_version=int(str(more.get("version", 1))),
        status=str(more.get("status", "initial")),
        situation="Тихо",
        results=results,
        included_notices=str(more.get("included", "")).split(),
    )
    content.from_time.FromDatetime(at(0))
    content.until_time.FromDatetime(at(24))
    return said(text, "situation-report", author, "operation", hours=float(str(more.get("hours", 24))), content=content)


def heroin(kilograms: int, **counts: int) -> OperationResults:
    """Make figures with so much heroin."""
    line = SubstanceResult(
        drug_group="opioids", drug_type="heroin", quantity=Quantity(millionths=kilograms * 10**6, unit="kg")
    )
    return OperationResults(substances=[line], **counts)


def kilograms(thread: list[ThreadMessage]) -> int:
    """Return how much heroin the result has."""
    return sum(each.quantity.millionths for each in operations.compute(thread, LATER).results.substances) // 10**6


def left_out(thread: list[ThreadMessage]) -> dict[bytes, str]:
    """Return what was not counted, and why."""
    return dict(operations.compute(thread, LATER).not_counted)


def test_reports_and_notices_add_up() -> None:
    """Mass in any unit is added in kilograms; persons and things are counted."""
    thread = [OPENED, notice("n", "kaz", "1", 12), report("r", "tjk", "1", heroin(5, detained=1, rounds=40))]
    computed = operations.compute(thread, LATER)
    assert kilograms(thread) == 17
    assert (computed.results.detained, computed.results.rounds) == (3, 40)
    assert not computed.results.HasField("firearms")
    assert [(each.member, each.reports, each.notices) for each in computed.contributions] == [
        ("kaz", 0, 1),
        ("tjk", 1, 0),
    ]
    assert computed.sources == (thread[1].digest, thread[2].digest)


def test_a_notice_contained_in_a_report_of_its_author_counts_once() -> None:
    """The report's figures stand; another author's report contains only its own notices."""
    thread = [
        OPENED,
        notice("n", "kaz", "1", 12),
        notice("m", "tjk", "1", 3),
        report("r", "kaz", "1", heroin(20), included="1"),
    ]
    assert kilograms(thread) == 23
    assert left_out(thread) == {thread[1].digest: "in-report"}


def test_a_notice_contained_in_a_cancelled_report_counts_again() -> None:
    """The content of a cancelled report is not lost."""
    thread = [
        OPENED,
        notice("n", "kaz", "1", 12),
        report("r", "kaz", "1", heroin(20), included="1"),
        report("c", "kaz", "1", OperationResults(), version=2, status="cancel", hours=30),
    ]
    assert kilograms(thread) == 12


def test_the_latest_version_counts() -> None:
    """A notice or report in several messages counts once, even if the same version was sent twice."""
    thread = [
        OPENED,
        notice("n", "kaz", "1", 12),
        notice("again", "kaz", "1", 12, hours=2),
        notice("n2", "kaz", "1", 13, hours=3, version=2),
        report("r", "kaz", "1", heroin(1)),
        report("r2", "kaz", "1", heroin(2), version=2, hours=25),
    ]
    assert all(kilograms(list(order)) == 15 for order in itertools.permutations(thread))
    assert set(left_out(thread).values()) == {"older-version"}
    assert kilograms([*thread, *thread]) == 15


def test_what_was_cancelled_recalled_or_replaced_does_not_count() -> None:
    """Each way of taking a figure back works, and is named."""
    first = notice("n", "kaz", "1", 12)
    cancel = notice("n2", "kaz", "1", 12, hours=2, version=2, status="cancel")
    recall = said("recall", "recall", "kaz", "n", hours=3)
    better = notice("better", "kaz", "1-бис", 10, hours=3)
    correction = said("correction", "correction", "kaz", "n", "better", hours=3)
    assert left_out([OPENED, first, cancel]) == {first.digest: "older-version", cancel.digest: "cancelled"}
    assert left_out([OPENED, first, recall]) == {first.digest: "recalled"}
    assert left_out([OPENED, replace(first, recalled=True)]) == {first.digest: "recalled"}
    assert left_out([OPENED, first, better, correction]) == {first.digest: "replaced"}
    assert kilograms([OPENED, first, better, correction]) == 10


def test_a_correction_in_words_is_pointed_out() -> None:
    """A figure corrected only in words counts as it stands, and a person is told to look."""
    first = notice("n", "kaz", "1", 12)
    correction = said("correction", "correction", "kaz", "n", hours=3)
    computed = operations.compute([OPENED, first, correction], LATER)
    assert computed.corrected_in_words == (first.digest,)
    assert kilograms([OPENED, first, correction]) == 12


def test_limits_of_participants_are_respected() -> None:
    """An observer's figures count only where the operation says so; a stranger's never; nor what lies outside."""
    thread = [
        OPENED,
        notice("observer", "uzb", "1", 1),
        notice("contributing", "irn", "1", 2),
        notice("stranger", "rus", "1", 4),
        notice("before", "kaz", "2", 8, seized=-48),
        notice("coordinator", "centre", "3", 16),
        said("sealed", "seizure-notice", "kaz", "operation", hours=1),
    ]
    assert kilograms(thread) == 18
    assert sorted(left_out(thread).values()) == ["not-opened", "not-participant", "observer", "outside-period"]


def test_only_who_opened_an_operation_changes_it() -> None:
    """A higher version by its author replaces the description; another member's is a message like any other."""
    amended = said("v2", "operation", "centre", "operation", hours=5, content=operation(2, name="Новое имя"))
    foreign = said("v3", "operation", "kaz", "operation", hours=6, content=operation(3, name="Чужое имя"))
    found = operations.current([OPENED, foreign, amended])
    assert found is not None
    assert found[1].name == "Новое имя"
    recall = said("recall", "recall", "centre", "v2", hours=7)
    found = operations.current([OPENED, foreign, amended, recall])
    assert found is not None
    assert found[1].name == "Вымышленный канал"
    assert operations.current([foreign]) is None


@pytest.mark.parametrize(
    ("kind", "nominal", "expected"),
    [
        ("operation", False, ["centre", "tjk", "uzb", "irn"]),
        ("situation-report", False, ["centre", "tjk"]),
        ("seizure-notice", False, ["centre", "tjk"]),
        ("seizure-notice", True, ["centre"]),
        ("result-sheet", False, ["centre", "uzb"]),
        ("free-message", False, ["centre"]),
    ],
)
def test_recipients_are_those_within_whose_limits_it_is(kind: str, nominal: bool, expected: list[str]) -> None:  # noqa: FBT001 - a table
    """A member without named shares gets everything, an observer nothing but what is named."""
    header = said("x", kind, "kaz").header
    assert list(operations.recipients(operation(), header, at(1), nominal=nominal)) == expected


def test_who_took_part_until_yesterday_gets_nothing_today() -> None:
    """The end of a member's part ends what it receives."""
    content = operation()
    content.participants[0].until_time.FromDatetime(at(5))
    assert operations.may_receive(content, "kaz", "situation-report", at(5))
    assert not operations.may_receive(content, "kaz", "situation-report", at(5.1))


def test_a_sheet_is_computed_judged_and_checked() -> None:
    """A sheet as computed is valid and agrees with its messages; changed, it must say why; tampered, it disagrees."""
    thread = [OPENED, notice("n", "kaz", "1", 12), notice("o", "uzb", "1", 1)]
    sheet = operations.sheet(operations.compute(thread, LATER), reference="И-1", status="final", as_of=LATER)
    kind = kinds.get("result-sheet", 1)
    assert kind.validate(sheet, None, LATER) == []
    assert operations.agrees(sheet, thread)
    assert operations.agrees(sheet, [*thread, notice("moment", "kaz", "8", 8, hours=24 * 40 + 1 / 3_600_000)])
    assert operations.agrees(sheet, [*thread, notice("late", "kaz", "9", 9, hours=24 * 41)])
    sheet.results.detained = 7
    assert [each.code for each in kind.validate(sheet, None, LATER)] == ["correction_unexplained"]
    sheet.correction_note = "Двое отпущены"
    assert kind.validate(sheet, None, LATER) == []
    sheet.computed.detained = 7
    assert not operations.agrees(sheet, thread)


def test_lines_of_one_substance_and_unit_are_one_line() -> None:
    """Names in either case are one substance, units that are no mass stay apart, precursors stand last."""
    tablets = SubstanceResult(
        drug_group="ats", drug_type="mdma-type", quantity=Quantity(millionths=100 * 10**6, unit="tablet")
    )
    named = [
        SubstanceResult(drug_group="precursors", as_named=name, quantity=Quantity(millionths=10**6, unit=unit))
        for name, unit in (("Ангидрид", "kg"), ("ангидрид", "t"), ("ангидрид", "l"))
    ]
    total = add_up([OperationResults(substances=[*named, tablets]), OperationResults(substances=[tablets])])
    assert [(each.drug_group, each.quantity.millionths // 10**6, each.quantity.unit) for each in total.substances] == [
        ("ats", 200, "tablet"),
        ("precursors", 1001, "kg"),
        ("precursors", 1, "l"),
    ]
    assert "1\u00a0001 кг" in figures_line(total, "ru")
    assert "1,001 kg" in figures_line(total, "en")
    assert add_up([]) == OperationResults()
