"""Register files from peers: no single peer decides the accepted version."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from paiza_node.core.peers.register_files import PeersFetch
from paiza_node.core.register.sync import RegisterCache
from paiza_register import FetchMissing, RegisterReader
from tests.unit.paiza_register.conftest import NOW, Holder, Source, holder, made

__all__ = ["holder", "made"]


class Serving:
    """A peer that serves these files, and lies about some."""

    member = "tjk"

    def __init__(self, files: Mapping[str, bytes], lies: Mapping[str, bytes]) -> None:
        self.files = {**files, **lies}

    async def get(self, path: str) -> bytes:
        """Return one file."""
        if path not in self.files:
            raise FetchMissing(path)
        return self.files[path]


class NoLedger:
    """Commits nothing."""

    async def commit(self, _work: Any) -> None:
        """Do nothing."""


@pytest.mark.parametrize("lies", [{}, {"metadata/2.root.json": b"{}"}], ids=["frozen", "garbage"])
async def test_one_peer_cannot_keep_a_new_register_from_us(
    holder: Holder,
    tmp_path: Path,
    lies: Mapping[str, bytes],
) -> None:
    """An old or invalid register from one peer makes the same refresh ask another."""
    old, new = holder.files(), holder.copy().advance().files()
    reader = RegisterReader(tmp_path / "reader", holder.bootstrap)
    register_cache = RegisterCache(reader, Source(old), lambda: NOW)
    before = register_cache.version
    loop = asyncio.get_running_loop()
    for order in ([Serving(old, lies), Serving(new, {})], [Serving(new, {}), Serving(old, lies)]):
        fetch = PeersFetch(loop, lambda order=order: order)  # type: ignore[misc]
        await register_cache.refresh(NoLedger(), fetch, fetch.turn)  # type: ignore[arg-type]
        assert register_cache.version != before
