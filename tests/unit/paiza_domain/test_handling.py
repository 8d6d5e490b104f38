"""Marks merge to the strictest: the laws of a lattice, and what is written down of a merge."""

from datetime import UTC, datetime
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paiza.core.v1.message_pb2 import Handling, Header, PartDescription
from paiza_domain import codes, handling
from paiza_domain.handling import CODES, EVALUATION_SCHEMES, PAP, TLP, Marks
from paiza_domain.i18n import LANGUAGES
from paiza_wire.errors import Rejected

NOW = datetime(2030, 1, 1, tzinfo=UTC)
PURPOSES = sorted(codes.load("purpose"))
TEXTS = ("no telephone", "не разглашать источник", "only the unit named")

HANDLINGS = st.builds(
    lambda tlp, pap, code, texts, level, purposes, evaluation: Handling(
        tlp=tlp,
        pap=pap,
        code=code,
        code_text=handling.LIMIT_SEPARATOR.join(sorted(texts)) if code == "H3" else "",
        classification=level,
        purposes=sorted(purposes),
        evaluation_scheme=evaluation[0],
        evaluation=evaluation[1],
    ),
    st.sampled_from(TLP),
    st.sampled_from(("", *PAP)),
    st.sampled_from(CODES),
    st.sets(st.sampled_from(TEXTS), min_size=1),
    st.integers(0, 4),
    st.sets(st.sampled_from(PURPOSES[:4])),
    st.sampled_from((("", ""), ("4x4", "B2"), ("6x6", "A1"), ("5x5x5", "B21"))),
)
MARKS = HANDLINGS.map(Marks.of)


@given(MARKS, MARKS, MARKS)
def test_merging_is_associative(one: Marks, two: Marks, three: Marks) -> None:
    """In whichever groups parts are put together, the marks are the same."""
    assert one.merge(two).merge(three) == one.merge(two.merge(three))


@given(MARKS, MARKS)
def test_merging_is_commutative(one: Marks, two: Marks) -> None:
    """In whichever order parts are put together, the marks are the same."""
    assert one.merge(two) == two.merge(one)


@given(MARKS)
def test_merging_is_idempotent_and_has_a_neutral_element(one: Marks) -> None:
    """A part merged with itself, or with nothing, keeps its marks."""
    assert one.merge(one) == one
    assert one.merge(Marks()) == one


@given(MARKS, MARKS, MARKS)
def test_merging_is_monotone(one: Marks, two: Marks, more: Marks) -> None:
    """A merge is at least as strict as each part, and stays so with anything added to both sides."""
    assert one.merge(two).lower_than(one) == ()
    if not one.lower_than(two):
        assert not one.merge(more).lower_than(two.merge(more))


@given(HANDLINGS, HANDLINGS)
def test_what_is_raised_covers_its_parts(one: Handling, two: Handling) -> None:
    """Raised marks cover what they were raised to, are well formed, and keep their own evaluation."""
    if one.purposes and two.purposes and not set(one.purposes) & set(two.purposes):
        with pytest.raises(Rejected, match="marks_incompatible"):
            handling.raised(one, [two])
        return
    raised = handling.raised(one, [two])
    assert handling.covers(raised, [one, two])
    assert handling.errors(raised) == []
    assert (raised.evaluation_scheme, raised.evaluation) == (one.evaluation_scheme, one.evaluation)
    assert handling.raised(raised, [two]) == raised


@pytest.mark.parametrize(
    ("field", "stricter", "laxer"),
    [
        *[("tlp", strict, lax) for strict, lax in combinations(TLP, 2)],
        *[("pap", strict, lax) for strict, lax in combinations((*PAP, ""), 2)],
        *[("code", strict, lax) for lax, strict in combinations(CODES, 2)],
        *[("classification", strict, lax) for lax, strict in combinations(range(5), 2)],
    ],
)
def test_each_label_outranks_those_below(field: str, stricter: object, laxer: object) -> None:
    """The stricter of two labels wins, and the laxer one is named as lacking."""
    strict = Handling(tlp="CLEAR", code="H0")
    lax = Handling(tlp="CLEAR", code="H0")
    setattr(strict, field, stricter)
    setattr(lax, field, laxer)
    assert getattr(handling.merge([lax, strict]), field) == stricter
    assert handling.lacking(lax, [strict]) == (field,)
    assert handling.covers(strict, [lax])


def test_evaluations_stand_beside_each_other() -> None:
    """Two evaluations are both kept, none is converted, and a single handling then names neither."""
    merged = handling.merge([
        Handling(tlp="GREEN", code="H0", evaluation_scheme="4x4", evaluation="A1"),
        Handling(tlp="GREEN", code="H0", evaluation_scheme="6x6", evaluation="C3"),
    ])  # fmt: skip
    assert merged.evaluations == {("4x4", "A1"), ("6x6", "C3")}
    assert merged.handling().evaluation == ""
    assert set(EVALUATION_SCHEMES) >= {scheme for scheme, _ in merged.evaluations}


def test_purposes_without_a_common_one_cannot_be_written() -> None:
    """Material without a common purpose is not derived together."""
    with pytest.raises(Rejected, match="marks_incompatible"):
        handling.raised(
            Handling(tlp="GREEN", code="H0", purposes=["detect"]),
            [Handling(tlp="GREEN", code="H0", purposes=["statistics"])],
        )


@pytest.mark.parametrize("label", ["PURPLE", "red", "AMBER STRICT"])
def test_unknown_label_counts_as_the_strictest(label: str) -> None:
    """A label this version does not know is not taken for a lax one."""
    found = Marks.of(Handling(tlp=label, pap=label, code=label))
    assert (found.tlp, found.pap, found.code) == ("RED", "RED", "H3")


def test_marks_of_a_message_are_those_of_its_strictest_part() -> None:
    """A part's own marks count for the message."""
    header = Header(handling=Handling(tlp="GREEN", code="H0"))
    header.parts.append(PartDescription(handling=Handling(tlp="RED", code="H1", classification=2)))
    found = handling.of_message(header)
    assert (found.tlp, found.code, found.classification) == ("RED", "H1", 2)


@pytest.mark.parametrize(
    ("name", "level"),
    [("ДСП", 1), ("  дсп ", 1), ("Restreint   UE", 1), ("SECRET", 3), ("whatever this is", 4), ("", 4)],
)
def test_national_names_map_to_levels_and_unknown_ones_round_up(name: str, level: int) -> None:
    """A name is matched in any case and spacing; an unlisted one counts as the highest level."""
    names = {"ДСП": 1, "RESTREINT UE": 1, "Secret": 3}
    assert handling.classification_level(name, names) == level


def test_review_dates_where_nobody_named_one() -> None:
    """Unconfirmed data are reviewed after one year, nominal and verified data after three, on the same day."""
    day = datetime(2026, 11, 30, 16, tzinfo=UTC)  # a leap day lies between it and three years later
    assert handling.review_time(day, nominal=False, verified=False) == day.replace(year=2027)
    assert handling.review_time(day, nominal=True, verified=False) == day.replace(year=2029)
    assert handling.review_time(day, nominal=False, verified=True) == day.replace(year=2029)
    assert handling.is_verified(Handling(evaluation_scheme="4x4", evaluation="A1"))
    assert not handling.is_verified(Handling(evaluation_scheme="4x4", evaluation="A2"))
    assert not handling.is_verified(Handling())


def test_years_are_those_of_the_calendar() -> None:
    """Only 29 February has no such day in most years, and no year is later than the calendar's last."""
    leap = datetime(2028, 2, 29, 23, 59, tzinfo=UTC)
    assert handling.years_after(leap, 3) == datetime(2031, 2, 28, 23, 59, tzinfo=UTC)
    assert handling.years_after(leap, 4) == leap.replace(year=2032)
    assert handling.years_after(leap.replace(year=9996), 99).year == 9999


@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_label_says_what_it_allows(lang: str) -> None:
    """TLP, PAP and code labels have a meaning in both languages."""
    for label in (*TLP, *CODES, *(f"PAP:{each}" for each in PAP)):
        assert handling.meaning(label, lang)
    assert handling.meaning("PURPLE", lang) == ""
