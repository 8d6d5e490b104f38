"""Times as officers write them."""

from datetime import UTC, datetime

import pytest

from paiza.content.v1.common_pb2 import PartialTime
from paiza_domain.drafts import drafts
from paiza_domain.schema import partial_times

AUTHORISATION = """
kind: cd-authorisation
handling: {tlp: AMBER, code: H2, classification: 1, purposes: [controlled-delivery]}
legal_bases: [un-1988]
review: 3 years
content:
  reference: EXERCISE
  authority: Invented Prosecutor's Office
  legal_basis: Invented code, article 1
  scope:
    valid_from: 2026-11-24
    valid_until: 2026-11-24
    border_points: [Invented Bridge]
    quantities: [15 kg]
    substitution_modes: [intact]
  duty_contact: {name: Duty desk, telephone: "+998000000003"}
"""


def test_a_day_alone_is_the_end_of_the_day_and_its_start_where_something_begins() -> None:
    """A deadline on a day ends with the day; a start on a day begins with it."""
    assert partial_times.parse_time("2026-11-24") == datetime(2026, 11, 24, 23, 59, 59, tzinfo=UTC)
    assert partial_times.parse_time("2026-11-24", begins=True) == datetime(2026, 11, 24, tzinfo=UTC)
    assert partial_times.parse_time("2026-11-24T06:00Z", begins=True) == datetime(2026, 11, 24, 6, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "precision", "start", "russian"),
    [
        ("2015", 5, datetime(2015, 1, 1, tzinfo=UTC), "2015 г."),
        ("2015-04/P1Y", 5, datetime(2015, 4, 1, tzinfo=UTC), "12 месяцев с 04.2015"),
        ("2015-03", 4, datetime(2015, 3, 1, tzinfo=UTC), "03.2015"),
        ("2015-03-01", 1, datetime(2015, 3, 1, tzinfo=UTC), "01.03.2015"),
    ],
)
def test_months_and_years_come_back_as_they_were_written(
    text: str, precision: int, start: datetime, russian: str
) -> None:
    """A month, a calendar year and a year that begins in another month keep their precision."""
    read = PartialTime()
    assert partial_times.fill_partial_time(text, read)
    assert (read.precision, partial_times.partial_time_start(read)) == (precision, start)
    assert partial_times.write_partial_time(read) == partial_times.partial_time_text(read, "en") == text
    assert partial_times.partial_time_text(read, "ru") == russian


@pytest.mark.parametrize("text", ["2015-13", "2015-00", "1811", "2015/P1Y", "2015-04/P2Y", "15"])
def test_what_is_no_month_or_year_is_refused(text: str) -> None:
    """Months that do not exist, early years and other periods are no moments."""
    assert not partial_times.fill_partial_time(text, PartialTime())


def test_an_authorisation_of_one_day_holds_on_that_day() -> None:
    """From a day until the same day is that whole day."""
    draft = drafts.read(AUTHORISATION, "en", now=datetime(2026, 11, 23, tzinfo=UTC))
    scope = draft.content.scope  # type: ignore[attr-defined]
    assert scope.valid_until_time.seconds - scope.valid_from_time.seconds == 24 * 60 * 60 - 1
