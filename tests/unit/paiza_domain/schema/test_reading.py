"""The view of a reader: every set field, in words, in their language."""

from hypothesis import given, settings

from paiza.content.v1.seizure_notice_pb2 import SeizureNotice
from paiza_domain import kinds
from paiza_domain.schema.reading import MAX_SUMMARY
from tests.unit.paiza_domain.strategies import messages

SEIZURE = kinds.get("seizure-notice", 1)


def test_rows_say_codes_and_units_in_words(notice: SeizureNotice) -> None:
    """Labels, codes and units are translated, and what was reported stands beside what it was taken for."""
    notice.substances[0].quantity.original = "12,5 кг со слов"
    rows = dict(SEIZURE.show(notice, "ru"))
    assert rows["Вещество 1 › Группа наркотика"] == "Опиоиды"
    assert rows["Вещество 1 › Количество"] == "12,5 кг [12,5 кг со слов]"
    assert rows["Место изъятия › Страна"] == "Казахстан"
    assert rows["Маршрут неизвестен"] == "да"


def test_a_summary_is_one_short_line() -> None:
    """The summary of any content is one line of bounded length."""
    kind = kinds.get("free-message", 1)
    content = kind.content(subject="слово " * 60, text="x")
    assert len(kind.summary(content, "ru")) <= MAX_SUMMARY
    assert "\n" not in kind.summary(content, "ru")


@settings(max_examples=40, deadline=None)
@given(messages(SEIZURE.shape))
def test_no_field_is_left_out(notice: SeizureNotice) -> None:
    """Every text of a notice is found in what is shown, in both languages."""
    for lang in ("ru", "en"):
        shown = "\n".join(value for _label, value in SEIZURE.show(notice, lang))
        assert notice.reporting_agency in shown
        for leg in notice.route:
            assert leg.place in shown
        for transport in notice.transport:
            assert all(seal in shown for seal in transport.seals)
        assert notice.circumstances in shown


@settings(max_examples=40, deadline=None)
@given(messages(SEIZURE.shape))
def test_both_languages_have_the_same_rows(notice: SeizureNotice) -> None:
    """Both languages have the same rows."""
    assert len(SEIZURE.show(notice, "ru")) == len(SEIZURE.show(notice, "en"))
