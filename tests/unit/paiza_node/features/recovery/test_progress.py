"""The progress of a recovery: nothing is skipped for any order of pages, restarts and departures."""

from hypothesis import given
from hypothesis import strategies as st

from paiza_node.features.recovery.progress import SIDES, Place, Progress

MEMBERS = st.sets(st.sampled_from(["tjk", "uzb", "kgz", "centre"]), min_size=1)


@given(
    MEMBERS, st.integers(0, 3), st.lists(st.tuples(st.sampled_from(["tjk", "uzb", "kgz", "centre"]), st.integers(0, 3)))
)
def test_every_side_of_every_lost_log_is_gone_through(
    members: set[str], logs: int, pages: list[tuple[str, int]]
) -> None:
    """A place moves on only by a page, first within a side, then to the next side, then to the next log."""
    lost = [(f"kaz.paiza.example/log/{number}", number) for number in range(1, logs + 1)]
    progress = Progress.begin(members, lost)
    assert progress.unanswered == members
    assert progress.held() is None
    assert progress.pending.keys() == (members if lost else set())
    seen: dict[str, list[tuple[int, int]]] = {member: [] for member in members}
    for member, next_index in pages:
        if member not in progress.pending or progress.gave_all(member):
            continue
        place = progress.pending[member]
        if not next_index:
            seen[member].append((place.log, int(place.side)))
        progress.took(member, next_index)
        progress = Progress.from_bytes(progress.to_bytes())  # a restart at any moment
        assert progress.pending[member].from_index == next_index
    for member, sides in seen.items():
        everything = [(log, int(side)) for log in range(logs) for side in SIDES]
        assert sides == everything[: len(sides)]
        if lost and progress.gave_all(member):
            assert sides == everything


def test_what_is_awaited_ends_it() -> None:
    """A recovery is done when all members answered, all notes are proven, and all pages returned."""
    progress = Progress.begin({"tjk", "uzb"}, [("kaz.paiza.example/log/1", 4)])
    progress.unanswered.clear()
    progress.unproven["uzb"] = [b"note"]
    assert progress.held() == {"uzb"}
    assert progress.members == {"tjk", "uzb"}
    progress.pending.clear()
    found = [progress.done]
    progress.keep_only({"tjk"})
    found.append(progress.done)
    assert found == [False, True]
    assert progress.held() == set()


def test_nothing_stored_means_nothing_awaited() -> None:
    """A node that was never restored has nothing to recover, and holds nothing back."""
    progress = Progress.from_bytes(None)
    assert progress.done
    assert progress.held() == set()
    assert Progress.begin({"tjk"}).pending == {}
    assert Place() == Place(0, SIDES[0], 0)
