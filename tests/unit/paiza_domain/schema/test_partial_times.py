"""Times as officers write them."""

from datetime import UTC, datetime

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


def test_an_authorisation_of_one_day_holds_on_that_day() -> None:
    """From a day until the same day is that whole day."""
    draft = drafts.read(AUTHORISATION, "en", now=datetime(2026, 11, 23, tzinfo=UTC))
    scope = draft.content.scope  # type: ignore[attr-defined]
    assert scope.valid_until_time.seconds - scope.valid_from_time.seconds == 24 * 60 * 60 - 1
