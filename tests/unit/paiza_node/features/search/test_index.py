"""The index over a real store, and messages nobody validated."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from paiza_node.core.storage import settings as settings_store
from paiza_node.features.search import store as search_store
from paiza_node.features.search.index import CURSOR, Index, TokenKey
from tests import delivery
from tests.unit.paiza_node.room import MEMBERS, Room


class Garbage:
    """Content from a client that validates nothing."""

    def SerializeToString(self) -> bytes:  # noqa: N802 - the name of protobuf
        """Return bytes that are no message."""
        return b"\xff\xff\xff"


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    """A node's room with an empty store."""
    with Room(f"sqlite:///{tmp_path / 'paiza.db'}") as room:
        yield room


@pytest.mark.parametrize("kind", ["cd-request", "a-kind-of-tomorrow"])
async def test_what_cannot_be_read_holds_up_nothing(room: Room, kind: str) -> None:
    """A message of our own whose content is no content is passed over, and what came after it is indexed."""
    garbage: Any = Garbage()
    room.put(room.message("kaz", kind, garbage))
    readable = room.message("kaz", "cd-request", delivery.request(MEMBERS, room.clock.now))
    room.put(readable)
    await Index(room.core, token_key=TokenKey(bytes(32))).index_stored()
    with room.store.reads() as reads:
        assert settings_store.counter(reads, CURSOR) == 2
        assert not search_store.tokens_of(reads, 1, ["name", "substance", "subject", "place"])
        assert search_store.tokens_of(reads, 2, ["name", "substance", "subject", "place"])
