"""A correction names every field that differs, and no other."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paiza.content.v1.seizure_notice_pb2 import SeizureNotice
from paiza_domain import kinds
from paiza_domain.schema.diff import MAX_VALUE, differences, shown_text, value_text
from paiza_domain.schema.scalars import ScalarError
from tests.unit.paiza_domain.strategies import messages

SEIZURE = kinds.get("seizure-notice", 1)


def test_each_changed_field_is_named_with_both_values(notice: SeizureNotice) -> None:
    """A changed, an added and a removed field are told by path; lists by their index."""
    after = SeizureNotice()
    after.CopyFrom(notice)
    after.substances[0].quantity.millionths = 12_400_000
    after.place.town = "Вымышленск"
    after.substances.add(as_named="опий", drug_group="opioids").quantity.MergeFrom(notice.substances[0].quantity)
    after.ClearField("route_unknown")
    assert differences(SEIZURE.shape, notice, after) == [
        ("place.town", "", "Вымышленск"),
        ("substances[0].quantity", "12.5 kg", "12.4 kg"),
        ("substances[1].as_named", "", "опий"),
        ("substances[1].drug_group", "", "opioids"),
        ("substances[1].quantity", "", "12.5 kg"),
        ("route_unknown", "true", ""),
    ]


def test_a_long_value_is_cut_to_what_a_correction_holds() -> None:
    """A correction of any long text is valid."""
    kind = kinds.get("free-message", 1)
    changed = differences(kind.shape, kind.content(subject="a", text="x"), kind.content(subject="a", text="y" * 9_000))
    assert [(path, len(after)) for path, _before, after in changed] == [("text", MAX_VALUE)]


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_equal_contents_do_not_differ_and_different_ones_do(data: st.DataObject) -> None:
    """Equal contents have no difference; contents with different shown values have one."""
    one, other = data.draw(messages(SEIZURE.shape)), data.draw(messages(SEIZURE.shape))
    assert differences(SEIZURE.shape, one, one) == []
    if SEIZURE.show(one, "en") == SEIZURE.show(other, "en"):
        return
    there, back = differences(SEIZURE.shape, one, other), differences(SEIZURE.shape, other, one)
    assert sorted(path for path, _before, _after in there) == sorted(path for path, _before, _after in back)


@pytest.mark.parametrize(
    ("path", "text", "written"),
    [
        ("place.country", "Казахстан", "KAZ"),
        ("substances[0].quantity", "12,5 кг", "12.5 kg"),
        ("place.town", " Алматы ", "Алматы"),
        ("seized_at", "28.11.2026", "2026-11-28"),
    ],
)
def test_a_corrected_value_is_written_as_the_field_has_it(path: str, text: str, written: str) -> None:
    """An officer's words become the code, the unit and the date that the message would hold."""
    assert value_text(SEIZURE.shape, path, text) == written


@pytest.mark.parametrize(
    ("path", "text", "code"),
    [
        ("place.country", "Казахстн", "code_unknown"),
        ("substances[0].quantity", "12,5 килло", "code_unknown"),
        ("substances[0].quantity", "0 кг", "not_positive"),
        ("seized_at", "31.02.2026", "date_impossible"),
    ],
)
def test_a_corrected_value_is_one_of_its_field(path: str, text: str, code: str) -> None:
    """A correction says nothing that the message itself could not say."""
    with pytest.raises(ScalarError) as caught:
        value_text(SEIZURE.shape, path, text)
    assert caught.value.problem[0] == code


@pytest.mark.parametrize(
    ("path", "text", "shown"),
    [
        ("substances[0].quantity", "2.4 kg", "2,4 кг"),
        ("substances[0].drug_group", "opioids", "Опиоиды"),
        ("route_unknown", "true", "да"),
        ("place.town", "Вымышленный", "Вымышленный"),
        ("substances[0].quantity", "2.4 k", "2.4 k"),
        ("annex.persons[0].surname", "", ""),
    ],
)
def test_a_corrected_value_is_shown_to_a_reader(path: str, text: str, shown: str) -> None:
    """Names for codes and the reader's writing of numbers; a text, and what is no value, stay as they are."""
    assert shown_text(SEIZURE.shape, path, text, "ru") == shown
