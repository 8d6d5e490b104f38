"""The queue before the commit: callers take turns, groups are bounded, urgent work has a bounded share."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from paiza_node.core.caller import CALLER, CallerKey
from paiza_node.core.log import waiting
from paiza_node.core.log.waiting import (
    FIRST_GROUP_ITEMS,
    LONG_GROUP_ITEMS,
    LONGEST_WAIT_SECONDS,
    MAX_GROUP,
    QUIET_SECONDS,
    SHORT_GROUP_ITEMS,
    SHORT_SECONDS,
    WaitingWork,
)
from paiza_wire.errors import Unavailable

CALLERS = [CallerKey("officer", name) for name in "abcd"]
MOST_ITEMS = 256

pieces = st.lists(st.tuples(st.sampled_from(CALLERS), st.booleans(), st.integers(1, MOST_ITEMS)), max_size=120)


@contextmanager
def called_by(caller: CallerKey) -> Iterator[None]:
    """Work for a caller."""
    token = CALLER.set(caller)
    yield
    CALLER.reset(token)


def filled(added: Sequence[tuple[CallerKey, bool, int]]) -> WaitingWork:
    """Return a queue of these pieces of work, each its own number."""
    queue = WaitingWork()
    for number, (caller, first, items) in enumerate(added):
        with called_by(caller):
            queue.add(number, first=first, items=items)
    return queue


@given(pieces)
def test_groups_are_bounded_and_hold_everything_in_each_callers_order(
    added: Sequence[tuple[CallerKey, bool, int]],
) -> None:
    """Each piece is in one group; of one caller and rank they stay in order; no group exceeds its bounds."""
    queue = filled(added)
    queue.close()
    gathered: list[int] = []
    while group := queue.gather():
        assert len(group) <= MAX_GROUP
        assert sum(each.items for each in group) < LONG_GROUP_ITEMS + FIRST_GROUP_ITEMS + 2 * MOST_ITEMS
        gathered += [each.work for each in group]
    for caller in CALLERS:
        for first in (False, True):
            own = [number for number, (by, ahead, _) in enumerate(added) if (by, ahead) == (caller, first)]
            assert [number for number in gathered if number in own] == own
    assert sorted(gathered) == list(range(len(added)))


@given(pieces, st.booleans())
@example(added=[*((each, False, 65) for each in CALLERS), *[(CALLERS[0], True, 64)] * 8], first=False)
def test_newcomer_waits_for_one_piece_of_each_other_caller(
    added: Sequence[tuple[CallerKey, bool, int]],
    first: bool,  # noqa: FBT001
) -> None:
    """However much waits, a caller of whom nothing waited is in one of the next groups, one for each other caller."""
    queue = filled(added)
    with called_by(CallerKey("peer", "tjk")):
        queue.add("newcomer", first=first, items=1)
    queue.close()
    groups = [[each.work for each in queue.gather()] for _ in range(len(CALLERS) + 2)]
    assert any("newcomer" in group for group in groups)


def test_flood_of_urgent_work_leaves_room_for_the_rest() -> None:
    """Every group of a flood of urgent work holds other work too, behind a bounded share."""
    queue = filled([(CALLERS[0], True, 8)] * 200 + [(CALLERS[1], False, 64)] * 6)
    shares = [[each.caller for each in queue.gather()] for _ in range(3)]
    assert [share.count(CALLERS[0]) for share in shares[:1]] == [FIRST_GROUP_ITEMS // 8]
    assert all(CALLERS[1] in share for share in shares[:2])


def test_too_much_work_is_answered_busy_and_none_is_taken_after_the_end() -> None:
    """One caller's work is refused beyond its bound while another's is taken."""
    queue = filled([(CALLERS[0], False, 1)] * waiting.MAX_WAITING_OF_ONE)
    with called_by(CALLERS[0]), pytest.raises(Unavailable, match="busy"):
        queue.add("more", first=False, items=1)
    with called_by(CALLERS[1]):
        queue.add("other", first=False, items=1)
    queue.close()
    with pytest.raises(Unavailable, match="busy"):
        queue.add("late", first=False, items=1)


def test_groups_are_short_while_single_messages_come() -> None:
    """A single message is not grouped with another caller's pile, which is not left out twice; then groups are long."""
    now = [1000.0]
    queue = WaitingWork(lambda: now[0])

    def add(caller: CallerKey, items: int, count: int = 1) -> None:
        with called_by(caller):
            for _ in range(count):
                queue.add(caller.id, first=False, items=items, counts_messages=True)

    add(CALLERS[0], LONG_GROUP_ITEMS // 2, 8)
    assert queue.group_items == LONG_GROUP_ITEMS
    assert [each.work for each in queue.gather()] == ["a", "a"]
    add(CALLERS[1], 1)
    assert queue.group_items == SHORT_GROUP_ITEMS
    assert [each.work for each in queue.gather()] == ["b"]
    add(CALLERS[1], 1)
    assert [each.work for each in queue.gather()] == ["b", "a"], "the pile is not left out twice"
    add(CALLERS[1], 1)
    assert [each.work for each in queue.gather()] == ["b"]
    now[0] += SHORT_SECONDS + 1
    assert [each.work for each in queue.gather()] == ["a", "a"]
    assert queue.group_items == LONG_GROUP_ITEMS


def test_background_work_rides_with_other_work() -> None:
    """What rides goes with the next group, in order and in bounded pieces; the group takes all that waits besides."""
    queue = WaitingWork(lambda: 1000.0)
    for number in range(3):
        queue.add(f"ride {number}", rides=True, items=LONG_GROUP_ITEMS // 2)
    queue.add("work")
    assert [each.work for each in queue.gather()] == ["work", "ride 0", "ride 1"]
    queue.add("more")
    assert [each.work for each in queue.gather()] == ["more", "ride 2"]


def test_background_work_waits_for_a_quiet_moment_to_be_committed_alone() -> None:
    """While other work comes it makes no group of its own; a moment after the last it does."""
    now = [1000.0]
    queue = WaitingWork(lambda: now[0])
    queue.add("ride", rides=True)
    traffic = [queue.has_traffic]
    assert [each.work for each in queue.gather()] == ["ride"], "nothing came: it is quiet"
    queue.add("work")
    traffic.append(queue.has_traffic)
    queue.gather()
    traffic.append(queue.has_traffic)
    queue.add("ride", rides=True)
    with ThreadPoolExecutor(1) as threads:
        gathered = threads.submit(queue.gather)
        with pytest.raises(TimeoutError):
            gathered.result(3 * QUIET_SECONDS)
        now[0] += QUIET_SECONDS
        assert [each.work for each in gathered.result(30)] == ["ride"]
    traffic.append(queue.has_traffic)
    assert traffic == [False, True, True, False]


def test_background_work_does_not_delay_urgent_work_for_long() -> None:
    """Urgent groups take none of it until it is overdue, then as much as a long group: a flood does not starve it."""
    now = [1000.0]
    queue = WaitingWork(lambda: now[0])
    for name in ("ride", "other ride"):
        queue.add(name, rides=True, items=SHORT_GROUP_ITEMS)
    for _ in range(3):
        queue.add("urgent", first=True)
        assert [each.work for each in queue.gather()] == ["urgent"]
    now[0] += LONGEST_WAIT_SECONDS
    queue.add("urgent", first=True)
    assert [each.work for each in queue.gather()] == ["urgent", "ride", "other ride"]


def test_what_rides_is_gathered_at_the_end_and_refused_when_all_is() -> None:
    """A queue that closes leaves nothing behind."""
    queue = WaitingWork(lambda: 1000.0)
    queue.add("ride", rides=True)
    queue.add("urgent", first=True)
    queue.close()
    assert [[each.work for each in queue.gather()] for _ in range(3)] == [["urgent"], ["ride"], []]
    other = WaitingWork()
    other.add("ride", rides=True)
    assert [each.work for each in other.drain()] == ["ride"]


def test_groups_are_short_while_urgent_work_comes() -> None:
    """Of the rest an urgent piece meets no more than a short piece in its group, and in the one under way."""
    now = [1000.0]
    queue = WaitingWork(lambda: now[0])
    with called_by(CALLERS[0]):
        for _ in range(8):
            queue.add("bulk", items=SHORT_GROUP_ITEMS // 2)
    with called_by(CALLERS[1]):
        queue.add("urgent", first=True)
    assert queue.group_items == SHORT_GROUP_ITEMS
    assert [each.work for each in queue.gather()] == ["urgent", "bulk", "bulk"]
    assert [each.work for each in queue.gather()] == ["bulk", "bulk"]
    now[0] += SHORT_SECONDS + 1
    assert queue.group_items == LONG_GROUP_ITEMS
    assert [each.work for each in queue.gather()] == ["bulk"] * 4


def test_work_that_can_be_divided_is_granted_what_its_group_has_room_for() -> None:
    """It is whole in a long group; while a single message comes it is granted a short piece, beside it none."""
    now = [1000.0]
    queue = WaitingWork(lambda: now[0])

    def granted() -> list[tuple[str, int]]:
        return [(each.work, each.granted) for each in queue.gather()]

    with called_by(CALLERS[0]):
        queue.add("batch", items=LONG_GROUP_ITEMS, least=1)
        assert granted() == [("batch", LONG_GROUP_ITEMS)]
        queue.add("batch", items=LONG_GROUP_ITEMS, least=1)
        queue.add("whole", items=LONG_GROUP_ITEMS)
        queue.add("batch", items=LONG_GROUP_ITEMS, least=SHORT_GROUP_ITEMS * 2)
    with called_by(CALLERS[1]):
        queue.add("single", counts_messages=True)
    assert granted() == [("single", 1)]
    assert granted() == [("batch", SHORT_GROUP_ITEMS)]
    assert granted() == [("whole", LONG_GROUP_ITEMS)]
    assert granted() == [("batch", SHORT_GROUP_ITEMS * 2)], "what it cannot do with less"
    now[0] += SHORT_SECONDS + 1
    queue.add("record", items=1)
    with called_by(CALLERS[1]):
        queue.add("batch", items=LONG_GROUP_ITEMS, least=1, counts_messages=True)
    assert granted() == [("record", 1), ("batch", LONG_GROUP_ITEMS)], "no tiny rest is left for a group of its own"
    with called_by(CALLERS[1]):
        queue.add("rest", items=1, least=1, is_rest=True, counts_messages=True)
    assert queue.group_items == LONG_GROUP_ITEMS, "the rest of a batch is no single message"
