"""Pages of a list, and the tokens between them."""

from datetime import UTC, datetime, timedelta

import pytest

from paiza.officer.v1 import approval_pb2
from paiza_node.core.api import paging
from paiza_wire.errors import Rejected


def request(token: str = "", size: int = 0) -> approval_pb2.ListOfficersRequest:
    """Ask for a page."""
    return approval_pb2.ListOfficersRequest(page_token=token, page_size=size)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 8])
def test_pages_give_a_list_whole_and_once(size: int) -> None:
    """Following the tokens gives every item in its order, and the last page has no token."""
    items = [f"{number:03}" for number in range(7)]
    found: list[str] = []
    token = ""
    while True:
        page, token = paging.page_of(items, str, request(token, size))
        assert 0 < len(page) <= size
        found += page
        if not token:
            break
    assert found == items


def test_an_item_that_went_meanwhile_loses_no_other() -> None:
    """The next page begins behind the place of the last item, also where that one is gone."""
    page, token = paging.page_of(["a", "b", "c", "d"], str, request(size=2))
    assert (list(page), token) == (["a", "b"], "b")
    assert paging.page_of(["a", "c", "d"], str, request(token, 2)) == (["c", "d"], "")


def test_size_has_a_default_and_a_bound() -> None:
    """The default page is 100; a larger size than the limit means the limit."""
    assert [paging.page_size(request(size=size)) for size in (0, 7, 10_000)] == [100, 7, 500]


def test_numbers_come_back_from_their_token() -> None:
    """A token round-trips; no token is the first page."""
    assert paging.numbers_of(request(), 2) is None
    assert paging.numbers_of(request(paging.token_of(5, 17)), 2) == (5, 17)
    time = datetime(2026, 2, 3, 4, 5, 6, 7, tzinfo=UTC)
    assert paging.time_of(paging.micros_of(time)) == time
    assert paging.micros_of(datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=1)) == 1_000_000


@pytest.mark.parametrize("token", ["x", "1", "1.2.3", "-1.2", "1.", "١.٢", "1" * 19 + ".1"])
def test_a_token_of_somebody_else_is_refused(token: str) -> None:
    """Only tokens that this node gave name a place."""
    with pytest.raises(Rejected) as caught:
        paging.numbers_of(request(token), 2)
    assert caught.value.reason == "malformed"


def test_a_boundless_token_or_time_is_refused() -> None:
    """A token is short, and its time one that a calendar holds."""
    for ask in (lambda: paging.page_of(["a"], str, request("a" * 257)), lambda: paging.time_of(10**18 - 1)):
        with pytest.raises(Rejected) as caught:
            ask()
        assert caught.value.reason == "malformed"
