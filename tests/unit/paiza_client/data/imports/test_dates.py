"""Dates in the formats of a map: days, months, calendar and fiscal years, exact and without guessing."""

from contextlib import suppress
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paiza_client.data.imports.dates import Moment, compile_date_format, read_date
from paiza_client.data.imports.mapping import REASONS
from paiza_client.data.imports.values import BadValue
from paiza_domain.schema.partial_times import DAY, MONTH, YEAR

TODAY = date(2026, 1, 1)


@pytest.mark.parametrize(
    ("text", "formats", "read"),
    [
        ("2011-05-31", ["YYYY-MM-DD"], date(2011, 5, 31)),
        ("31.05.2011", ["YYYY-MM-DD", "DD.MM.YYYY"], date(2011, 5, 31)),
        ("5/31/2011", ["M/D/YYYY"], date(2011, 5, 31)),
        ("5.5.2011", ["D.M.YYYY", "M.D.YYYY"], date(2011, 5, 5)),
        ("20110531", ["YYYYMMDD"], date(2011, 5, 31)),
        ("31 мая 2011", ["D MMM YYYY"], date(2011, 5, 31)),
        ("31 May 2011", ["D MMM YYYY"], date(2011, 5, 31)),
        ("5 сент. 2011", ["D MMM YYYY"], date(2011, 9, 5)),
        ("05.2011", ["DD.MM.YYYY", "MM.YYYY"], Moment(date(2011, 5, 1), MONTH)),
        ("Декабрь 2011", ["MMM YYYY"], Moment(date(2011, 12, 1), MONTH)),
        ("2011", ["MM.YYYY", "YYYY"], Moment(date(2011, 1, 1), YEAR)),
        ("", ["YYYY-MM-DD"], "date_missing"),
        ("31.05.2011", ["YYYY-MM-DD"], "date_malformed"),
        ("31.05.11", ["DD.MM.YYYY"], "date_malformed"),
        ("٣١.٠٥.٢٠١١", ["DD.MM.YYYY"], "date_malformed"),
        ("31 Foo 2011", ["D MMM YYYY"], "date_impossible"),
        ("2011-02-30", ["YYYY-MM-DD"], "date_impossible"),
        ("0000-00-00", ["YYYY-MM-DD"], "date_impossible"),
        ("13.2011", ["MM.YYYY"], "date_impossible"),
        ("05.06.2011", ["DD.MM.YYYY", "MM.DD.YYYY"], "date_ambiguous"),
        ("2026-01-02", ["YYYY-MM-DD"], "date_in_future"),
        ("2027", ["YYYY"], "date_in_future"),
        ("1811-01-02", ["YYYY-MM-DD"], "date_too_early"),
    ],
)
def test_dates_are_read_only_as_declared(text: str, formats: list[str], read: date | Moment | str) -> None:
    """A date is read in the declared formats; what does not fit, does not exist or is ambiguous is refused."""
    known = [compile_date_format(each) for each in formats]
    if isinstance(read, str):
        with pytest.raises(BadValue) as caught:
            read_date(text, known, TODAY)
        assert caught.value.code == read
        assert read in REASONS
    else:
        assert read_date(text, known, TODAY) == (read if isinstance(read, Moment) else Moment(read, DAY))


@pytest.mark.parametrize(
    ("text", "written", "named", "start"),
    [
        ("2015/16", "YYYY/YY", "", date(2015, 4, 1)),
        ("2015-2016", "YYYY-YYYY", "", date(2015, 4, 1)),
        ("1999/00", "YYYY/YY", "", date(1999, 4, 1)),
        ("2015", "YYYY", "begin", date(2015, 4, 1)),
        ("2015", "YYYY", "end", date(2014, 4, 1)),
        ("2015/17", "YYYY/YY", "", None),
    ],
)
def test_fiscal_years_begin_where_the_map_says(text: str, written: str, named: str, start: date | None) -> None:
    """Two years are one fiscal year if they follow each other; one year is named by its begin or its end."""
    known = [compile_date_format(written, 4, named)]
    if start is None:
        with pytest.raises(BadValue, match="date_impossible"):
            read_date(text, known, TODAY)
    else:
        assert read_date(text, known, TODAY) == Moment(start, YEAR)


@pytest.mark.parametrize(
    ("text", "month", "named"),
    [
        *((each, 0, "") for each in ("", "YY-MM-DD", "YYYY-MM-DD-DD", "YYYY-MM-MM", "YYYYxMM-DD", "MM-DD", "DD.YYYY")),
        *((each, 0, "") for each in ("YY/YYYY", "YYYY/YY", "YYYY/YY/YY", "YYYY-MM/YY")),
        ("YYYY", 4, ""),
    ],
)
def test_formats_that_leave_something_open_are_refused(text: str, month: int, named: str) -> None:
    """A format without a year, with a part twice, or of a fiscal year that begins nowhere, is no format."""
    with pytest.raises(ValueError, match=r"no (date format|fiscal year)"):
        compile_date_format(text, month, named)


FORMATS = {
    "DD.MM.YYYY": "%d.%m.%Y", "YYYY-MM-DD": "%Y-%m-%d", "YYYYMMDD": "%Y%m%d", "MM/DD/YYYY": "%m/%d/%Y",
    "MM.YYYY": "%m.%Y", "YYYY": "%Y",
}  # fmt: skip


@given(st.dates(date(1900, 1, 1), TODAY), st.sampled_from(sorted(FORMATS)))
def test_any_date_comes_back_from_its_format(written: date, chosen: str) -> None:
    """Each day, month and year of the century is read back from every format."""
    read = read_date(written.strftime(FORMATS[chosen]), [compile_date_format(chosen)], TODAY)
    assert read.start.strftime(FORMATS[chosen]) == written.strftime(FORMATS[chosen])
    assert read.start <= written


@given(st.text(max_size=40), st.lists(st.sampled_from(sorted(FORMATS)), max_size=3))
def test_any_text_is_a_date_or_refused(text: str, chosen: list[str]) -> None:
    """Nothing but `BadValue` comes out of odd cells."""
    with suppress(BadValue):
        assert read_date(text, [compile_date_format(each) for each in chosen], TODAY).start <= TODAY
