"""Which endpoint of a member is dialled: the one that works, until it fails."""

from paiza_node.core.peers.endpoints import Endpoints
from paiza_node.core.peers.health import LONGEST_PAUSE_SECONDS

LISTED = ("a:1", "b:1", "c:1")


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


def test_one_that_works_is_kept() -> None:
    """The first of the register is chosen first and kept, also where another failed before."""
    endpoints = Endpoints(Clock())
    assert endpoints.dialled == ""
    assert [endpoints.choose(LISTED) for _ in range(3)] == ["a:1"] * 3
    endpoints.failed("a:1")
    assert [endpoints.choose(LISTED) for _ in range(3)] == ["b:1"] * 3
    assert endpoints.dialled == "b:1"


def test_all_are_tried_in_turn() -> None:
    """None is left out, and where the register lists one only that one is tried every time."""
    clock = Clock()
    endpoints = Endpoints(clock)
    chosen = []
    for _ in range(6):
        chosen.append(endpoints.choose(LISTED))
        endpoints.failed(chosen[-1])
        clock.now += LONGEST_PAUSE_SECONDS
    assert chosen[:3] == list(LISTED)
    assert sorted(chosen[3:]) == list(LISTED)
    alone = Endpoints(clock)
    for _ in range(3):
        assert alone.choose(LISTED[:1]) == "a:1"
        alone.failed("a:1")


def test_one_that_keeps_failing_is_tried_less_often() -> None:
    """The pauses of a failing endpoint grow; one that answered starts again with short ones."""
    clock = Clock()
    endpoints = Endpoints(clock)
    tried = {"a:1": 0, "b:1": 0}
    for _ in range(200):
        endpoint = endpoints.choose(LISTED[:2])
        tried[endpoint] += 1
        if endpoint == "b:1":
            endpoints.answered(endpoint)
        endpoints.failed(endpoint)
        clock.now += 1.0
    assert 3 <= tried["a:1"] < tried["b:1"] / 10


def test_calls_that_fail_late_change_nothing() -> None:
    """Only the first of several failed calls chooses another endpoint; the others concern the previous one."""
    endpoints = Endpoints(Clock())
    endpoints.choose(LISTED)
    endpoints.failed("a:1")
    endpoints.failed("a:1")
    assert endpoints.choose(LISTED) == "b:1"
    endpoints.failed("a:1")
    assert endpoints.choose(LISTED) == "b:1"


def test_one_that_left_the_register_is_dialled_no_more() -> None:
    """The next call goes to one that is listed now."""
    endpoints = Endpoints(Clock())
    endpoints.choose(LISTED)
    assert endpoints.choose(LISTED[1:]) == "b:1"
