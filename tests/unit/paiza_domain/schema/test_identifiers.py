"""Check digits, against numbers from the standards and from real vessels and boxes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paiza_domain.schema import identifiers


@pytest.mark.parametrize("number", ["CSQU3054383", "MSKU6011672", "TEXU3070079", "HLXU2008419"])
def test_container_numbers_of_iso_6346_pass(number: str) -> None:
    """A container number with its right check digit is accepted."""
    assert identifiers.container_problem(number) is None


@pytest.mark.parametrize("number", ["9074729", "9176187", "8814275", "9321483"])
def test_imo_numbers_pass(number: str) -> None:
    """An IMO number with its right check digit is accepted."""
    assert identifiers.imo_problem(number) is None


@given(st.sampled_from(["CSQU3054383", "MSKU6011672"]), st.integers(1, 9))
def test_container_with_another_check_digit_is_refused(number: str, shift: int) -> None:
    """Every other last digit of a container number is a wrong check digit."""
    changed = number[:-1] + str((int(number[-1]) + shift) % 10)
    assert identifiers.container_problem(changed) == ("check_digit", {})


@given(st.sampled_from(["9074729", "9176187"]), st.integers(0, 5), st.integers(1, 9))
def test_imo_with_one_changed_digit_is_refused(number: str, place: int, shift: int) -> None:
    """One changed digit of an IMO number is found, but for the changes its weights cannot see."""
    digit = (int(number[place]) + shift) % 10
    changed = number[:place] + str(digit) + number[place + 1 :]
    unseen = (digit - int(number[place])) * (7 - place) % 10 == 0
    if changed[0] != "0":
        assert (identifiers.imo_problem(changed) is None) is unseen


def test_imei_with_luhn_digit_passes_and_another_does_not() -> None:
    """The Luhn digit of an IMEI is checked."""
    assert identifiers.imei_problem("490154203237518") is None
    assert identifiers.imei_problem("490154203237519") == ("check_digit", {})


@given(st.text(max_size=30))
def test_no_text_makes_a_judge_fail(text: str) -> None:
    """Every check returns a problem or None for any text."""
    for judge in (
        identifiers.container_problem,
        identifiers.imo_problem,
        identifiers.imei_problem,
        identifiers.vin_problem,
        identifiers.telephone_problem,
        identifiers.currency_problem,
    ):
        problem = judge(text)
        assert problem is None or problem[0] in {"check_digit", "code_malformed"}


@pytest.mark.parametrize("number", ["108-24-7", "7722-64-7", "50-00-0", "299-42-3", "437-38-7"])
def test_cas_numbers_have_a_check_digit(number: str) -> None:
    """Published numbers pass, and any other last digit does not."""
    assert identifiers.cas_problem(number) is None
    assert identifiers.cas_check_digit(number[:-2]) == int(number[-1])
    for digit in set("0123456789") - {number[-1]}:
        assert identifiers.cas_problem(number[:-1] + digit) == ("check_digit", {})


@pytest.mark.parametrize("number", ["", "108247", "108-24", "0108-24-7", "12345678-24-7", "108-24-٧", " 108-24-7"])
def test_what_is_no_cas_number_is_told_by_its_form(number: str) -> None:
    """A number of another form is not judged by its check digit."""
    assert identifiers.cas_problem(number) == ("code_malformed", {"expected": "108-24-7"})


def test_hs_codes_and_inchi_keys_are_judged_by_form() -> None:
    """Six, eight or ten digits without points; 14, 10 and 1 capitals."""
    assert [identifiers.hs_problem(each) for each in ("291524", "29152400", "2915240000")] == [None, None, None]
    assert all(identifiers.hs_problem(each) for each in ("2915", "2915.24", "2915240", "291524000000"))
    assert identifiers.inchi_key_problem("WFXAZNNJSKVHJT-UHFFFAOYSA-N") is None
    assert identifiers.inchi_key_problem("WFXAZNNJSKVHJT-UHFFFAOYSA-n")
