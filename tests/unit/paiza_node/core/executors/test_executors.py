"""Steps that are applied to every message of a batch."""

import gc
import weakref
from collections.abc import Iterator

import pytest

from paiza_node.core.executors.executors import Executors, each
from paiza_wire.errors import Rejected


class _Item:
    """A message of a batch."""


@pytest.fixture
def executors() -> Iterator[Executors]:
    """Executors that end with the test."""
    made = Executors()
    yield made
    made.close()


@pytest.fixture
def _no_collection() -> Iterator[None]:
    """Collect no cycles: what is freed is freed with its last reference."""
    gc.disable()
    yield
    gc.enable()


def _refuse(_item: object) -> None:
    try:
        int("no number")
    except ValueError as error:
        raise Rejected("malformed", "all are refused") from error


@pytest.mark.parametrize("on_loop", [True, False])
@pytest.mark.usefixtures("_no_collection")
async def test_a_refusal_keeps_no_message(executors: Executors, *, on_loop: bool) -> None:
    """Refused messages are freed with their batch, before cycles are collected: there may be gigabytes of them."""
    items = [_Item() for _ in range(3)]
    watched = [weakref.ref(item) for item in items]
    batch = iter(items)
    items = []
    found = await executors.submit.run_in_slices(3, lambda: each(batch, _refuse), on_loop=on_loop)
    assert [type(result) for result in found] == [Rejected] * 3
    assert [item() for item in watched] == [None] * 3
