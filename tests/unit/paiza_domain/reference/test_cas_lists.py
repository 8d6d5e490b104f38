"""CAS numbers of any list are verified, and the wrong ones named with their line."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paiza_domain.reference import cas_lists
from paiza_domain.schema.identifiers import cas_check_digit, cas_problem


@given(st.integers(10, 9_999_999), st.integers(0, 99))
def test_exactly_one_digit_verifies(first: int, second: int) -> None:
    """Only the computed one of the ten last digits is right."""
    stem = f"{first}-{second:02}"
    sound = [digit for digit in range(10) if cas_problem(f"{stem}-{digit}") is None]
    assert sound == [cas_check_digit(stem)]


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_wrong_numbers_are_named_with_their_line(separator: str) -> None:
    """In a column of CAS numbers, a wrong digit and what was meant to be a number are both found."""
    lines = [
        ("name", "CAS No."),
        ("acetic anhydride", "108-24-7"),
        ("wrong", "108-24-8"),
        ("odd", "54-04--6"),
        ("none", ""),
    ]
    report = cas_lists.verify("\n".join(separator.join(each) for each in lines))
    assert report.numbers == 3
    assert [(each.line, each.number, each.error.code) for each in report.wrong] == [
        (3, "108-24-8", "check_digit"),
        (4, "54-04--6", "code_malformed"),
    ]


def test_without_a_heading_numbers_are_looked_for_everywhere() -> None:
    """A list without a CAS column is searched cell by cell; dates and telephones are not taken for numbers."""
    report = cas_lists.verify("a,see 561-27-4 and 561-27-3\nb,2026-11-24\nc,+7 701-22-3-4\n")
    assert report.numbers == 2
    assert [each.number for each in report.wrong] == ["561-27-4"]


@given(st.text(max_size=300))
def test_any_text_can_be_verified(text: str) -> None:
    """Text that is no list has no numbers and does not fail."""
    assert cas_lists.verify(text).numbers >= 0


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("file", "wrong"),
    [
        ("china-controlled-lists.csv", [("54-04--6", "Mescaline"), ("76-42-5", "Oxycodone")]),
        ("precursors-1988-tables.csv", [("1609-66-5", "Norfentanyl")]),
    ],
)
def test_the_wrong_numbers_of_published_lists_are_found(shared: Path, file: str, wrong: list[tuple[str, str]]) -> None:
    """Norfentanyl and oxycodone are published with a wrong check digit, mescaline with a dash too many."""
    report = cas_lists.verify((shared / "data" / file).read_text(encoding="utf-8-sig"))
    assert [
        (each.number, name) for each, (_, name) in zip(report.wrong, wrong, strict=True) if name in each.row
    ] == wrong
