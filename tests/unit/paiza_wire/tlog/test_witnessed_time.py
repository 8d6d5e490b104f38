"""Trusted time: the median of a quorum's cosignatures."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from paiza_wire.tlog.cosignatures import Cosignature, quorum
from paiza_wire.tlog.notes import NoteSignature
from paiza_wire.tlog.witnessed_time import witnessed_time

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def said(*minutes: int) -> list[Cosignature]:
    """Cosign at these minutes, each witness under its own name."""
    return [
        Cosignature(f"w{at}", NOON + timedelta(minutes=minute), NoteSignature(f"w{at}", b"1234", b"x"))
        for at, minute in enumerate(minutes)
    ]


def test_the_time_is_the_median() -> None:
    """The median of an odd number is the middle one, of an even number the earlier of the two."""
    assert witnessed_time(said(9, 1, 5), 3) == NOON + timedelta(minutes=5)
    assert witnessed_time(said(9, 1, 5, 7), 3) == NOON + timedelta(minutes=5)
    assert witnessed_time(said(4), 1) == NOON + timedelta(minutes=4)


def test_fewer_than_the_quorum_say_nothing() -> None:
    """Below the quorum there is no time, however many times one witness speaks."""
    assert witnessed_time(said(1, 2), 3) is None
    assert witnessed_time([], 1) is None
    (one,) = said(1)
    assert witnessed_time([one, one, one], 3) is None


@given(st.integers(1, 40), st.data())
def test_liars_cannot_move_it_past_the_honest(others: int, data: st.DataObject) -> None:
    """With fewer than a third lying, the time of any quorum lies between two honest ones."""
    liars = (others - 1) // 3
    present = data.draw(st.integers(quorum(others), others))
    lying = data.draw(st.integers(0, min(liars, present)))
    honest = data.draw(st.lists(st.integers(0, 10), min_size=present - lying, max_size=present - lying))
    lies = data.draw(st.lists(st.integers(-10_000, 10_000), min_size=lying, max_size=lying))
    time = witnessed_time(said(*honest, *lies), quorum(others))
    assert time is not None
    assert NOON + timedelta(minutes=min(honest)) <= time <= NOON + timedelta(minutes=max(honest))
