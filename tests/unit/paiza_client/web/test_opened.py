"""Attachments that a console keeps: each is fetched once, and they share a bounded room."""

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from paiza_client.web import opened
from paiza_client.web.opened import OpenedParts

DIGEST = b"d" * 32


class Node:
    """What gives files of a size, and counts how often."""

    def __init__(self, size: int = 1) -> None:
        self.size = size
        self.asked = 0

    async def save(self, folder: Path) -> Any:
        """Save a file in a folder."""
        self.asked += 1
        await asyncio.sleep(0)
        (folder / "file").write_bytes(b"x")
        return SimpleNamespace(path=folder / "file", info=SimpleNamespace(size=self.size))


async def test_two_who_ask_at_once_are_given_one_file(tmp_path: Path) -> None:
    """A link that is pressed twice fetches once, and the node logs one opening."""
    parts, node = OpenedParts(tmp_path / "files"), Node()
    one, other = await asyncio.gather(*(parts.fetched(DIGEST, 1, node.save) for _each in "12"))
    assert one is other
    assert node.asked == 1


async def test_those_asked_for_last_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the room the one that nobody looked at longest goes from the disk, and is fetched anew."""
    monkeypatch.setattr(opened, "MAX_BYTES", 20)
    parts, node = OpenedParts(tmp_path / "files"), Node(size=10)
    first = await parts.fetched(DIGEST, 1, node.save)
    second = await parts.fetched(DIGEST, 2, node.save)
    await parts.fetched(DIGEST, 1, node.save)
    await parts.fetched(DIGEST, 3, node.save)
    assert first.path.exists()
    assert not second.path.exists()
    assert parts.file(DIGEST, 2) is None
    assert node.asked == 3
    await parts.fetched(DIGEST, 2, node.save)
    assert node.asked == 4


async def test_what_failed_leaves_nothing(tmp_path: Path) -> None:
    """The next attempt begins in a folder of its own."""

    async def broken(folder: Path) -> Any:
        (folder / "file").write_bytes(b"half")
        raise ConnectionError

    parts, node = OpenedParts(tmp_path / "files"), Node()
    with pytest.raises(ConnectionError):
        await parts.fetched(DIGEST, 1, broken)
    assert not [each for each in (tmp_path / "files").iterdir() if list(each.iterdir())]
    await parts.fetched(DIGEST, 1, node.save)
