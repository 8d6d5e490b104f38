"""Legal bases that two states share, and crossings between them."""

from datetime import date

import pytest

from paiza_domain import reference
from paiza_domain.reference import Reference, Standpoint

TODAY = date(2026, 11, 24)


@pytest.mark.parametrize(
    ("states", "subject", "on", "found"),
    [
        (("kaz", "tjk"), "controlled-delivery", TODAY, [("everyone", ["11"])]),
        (("tjk", "kaz"), "", TODAY, [("everyone", ["11", ""])]),
        (("kaz", "uzb"), "controlled-delivery", TODAY, [("others", [""])]),
        (("kaz", "tjk"), "extradition", TODAY, []),
        (("kaz", "tjk"), "controlled-delivery", date(1997, 4, 28), []),  # one of them was not bound yet
        (("kaz", "tjk"), "controlled-delivery", date(2026, 10, 31), []),  # since when tjk is bound is not recorded
        (("kaz", "irn"), "", TODAY, []),  # a signature does not bind
        (("kaz", "tjk"), "controlled-delivery", date(1990, 1, 1), []),
    ],
)
def test_only_what_binds_both_is_shared(
    known: Reference, states: tuple[str, ...], subject: str, on: date, found: list[tuple[str, list[str]]]
) -> None:
    """A basis counts when it is in force and both states are bound by it on the day."""
    shared = reference.shared_bases(known, states, subject, on)
    assert [(each.basis.id, [one.article for one in each.provisions]) for each in shared] == found


def test_crossings_of_a_state_and_between_two(known: Reference) -> None:
    """One state has all its crossings, two have those between them, in either order."""
    assert [each.id for each in reference.crossings(known, "uzb")] == ["kaz-uzb-one", "tjk-uzb-two"]
    assert [each.name("en") for each in reference.crossings(known, "uzb", "kaz")] == ["One – Bir"]
    assert reference.crossings(known, "kaz", "tjk") == ()
    assert [each.name("en") for each in reference.crossings(known, "tjk")] == ["Two"]


@pytest.mark.parametrize(
    ("state", "on", "standpoint"),
    [
        ("kaz", date(1997, 4, 29), Standpoint.BOUND),
        ("kaz", date(1997, 4, 28), Standpoint.NOT_RECORDED),
        ("tjk", TODAY, Standpoint.BOUND),
        ("tjk", date(2020, 1, 1), Standpoint.NOT_RECORDED),
        ("irn", TODAY, Standpoint.SIGNED),
        ("uzb", TODAY, Standpoint.NOT_PARTY),
        ("kgz", TODAY, Standpoint.NOT_RECORDED),
    ],
)
def test_the_position_of_a_state_towards_a_treaty(
    known: Reference, state: str, on: date, standpoint: Standpoint
) -> None:
    """Bound, signed only, no party, and not recorded are four answers; two of them are gaps."""
    found = reference.ratifications(known, (state,), on)[0]
    assert found.standpoint is standpoint
    assert found.is_gap == (standpoint in {Standpoint.SIGNED, Standpoint.NOT_PARTY})
    assert standpoint.text("ru") != standpoint.text("en")


def test_every_state_with_a_record_is_asked_about(known: Reference) -> None:
    """A report covers every state that any treaty names."""
    assert reference.participants(known) == ("irn", "kaz", "tjk", "uzb")


def test_every_subject_is_named(known: Reference) -> None:
    """A coordinator can see what can be asked about."""
    assert reference.subjects(known) == ("controlled-delivery", "cooperation")
