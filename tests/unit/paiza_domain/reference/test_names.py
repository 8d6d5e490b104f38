"""A substance is found by any of its names."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paiza_domain.reference import NameIndex


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("heroin", ["heroin"]),
        ("  HEROIN ", ["heroin"]),
        ("Героин", ["heroin"]),
        ("геройн", ["heroin"]),
        ("diamorphine", ["heroin"]),
        ("561-27-3", ["heroin"]),
        ("герыч", ["heroin"]),
        ("лед", ["metamfetamine"]),
        ("methamphetamine", ["metamfetamine"]),
        ("метамфетамин", ["metamfetamine"]),
        ("alpha PVP", ["alpha-pvp"]),
        ("Α-PVP", ["alpha-pvp"]),  # a Greek capital
        ("4-ММС", ["mephedrone"]),  # Cyrillic letters that look Latin
        ("4 mmc", ["mephedrone"]),
        ("ice", ["metamfetamine", "methylone"]),
    ],
)
def test_a_name_in_either_alphabet_finds_its_substance(index: NameIndex, asked: str, found: list[str]) -> None:
    """Ids, names, synonyms, street names and CAS numbers find what they mean, however they are spelled."""
    assert [each.id for each in index.find(asked).substances] == found


@pytest.mark.parametrize(
    ("asked", "offered"), [("herion", "heroin"), ("трамодол", "tramadol"), ("metamfetmaine", "metamfetamine")]
)
def test_a_typing_error_is_answered_with_a_suggestion(index: NameIndex, asked: str, offered: str) -> None:
    """A similar name is offered, never chosen."""
    found = index.find(asked)
    assert found.substances == ()
    assert offered in found.suggestions


@pytest.mark.parametrize("asked", ["5-MMC", "44-MMC", "561-27-33", "2-MMC"])
def test_another_number_is_another_substance(index: NameIndex, asked: str) -> None:
    """A digit that differs is never folded away."""
    assert index.find(asked).substances == ()


@pytest.mark.parametrize("asked", ["", "   ", "-", "ы" * 201, "()"])
def test_what_is_no_name_finds_nothing(index: NameIndex, asked: str) -> None:
    """An empty or endless question has no answer and no suggestion."""
    assert index.find(asked).substances == ()
    assert index.find(asked).suggestions == ()


@given(st.text(max_size=60))
def test_any_question_is_answered(index: NameIndex, asked: str) -> None:
    """The search never fails; suggestions are few, and found names are those of the data."""
    found = index.find(asked)
    assert len(found.suggestions) <= 5
    assert not (found.substances and found.suggestions)
