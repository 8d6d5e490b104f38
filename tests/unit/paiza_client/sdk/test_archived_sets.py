"""Older sets of the register, whose roots are fetched once for all of them."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paiza_client.sdk.archived_sets import ArchivedFiles


def path_of(version: int) -> str:
    """Return the published path of a root."""
    return f"metadata/{version}.root.json"


class Node:
    """Gives the roots of sets, and counts what is asked."""

    def __init__(self) -> None:
        self.asked = 0

    def files(self, newest: int, roots: dict[str, bytes]) -> ArchivedFiles:
        """Return the files of a set that was published under this root."""
        held = {path_of(version): b"%d" % version for version in range(2, newest + 1)}

        async def fetch(path: str) -> bytes | None:
            self.asked += 1
            return held.get(path)

        return ArchivedFiles("a set", fetch, roots)


def read_roots(files: ArchivedFiles) -> int:
    """Read the roots as a verification does: each after the other, up to the first that is missing; gives the last."""
    version = 1
    while (data := files.get(path_of(version + 1))) is not None:
        version += 1
        assert data == b"%d" % version
    return version


@given(st.lists(st.integers(1, 40), min_size=1, max_size=6))
def test_a_set_has_the_roots_of_its_own_time(newest: list[int]) -> None:
    """Whatever was read before: an older set verified under a newer root would be found to be forged."""

    async def read() -> list[int]:
        roots: dict[str, bytes] = {}
        return [await asyncio.to_thread(read_roots, Node().files(each, roots)) for each in newest]

    assert asyncio.run(read()) == newest


@pytest.mark.parametrize("newest", [1, 500, 999])
async def test_roots_are_not_fetched_again(newest: int) -> None:
    """Of a thousand that are known some ten are asked for, to know how many of them an older set has."""
    roots: dict[str, bytes] = {}
    await asyncio.to_thread(read_roots, Node().files(1000, roots))
    node = Node()
    assert await asyncio.to_thread(read_roots, node.files(newest, roots)) == newest
    assert node.asked <= 12
