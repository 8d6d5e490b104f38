"""Stored messages are read by key, and damaged rows are named as such."""

from pathlib import Path

import pytest
from sqlalchemy import update

from paiza_node.core.messages import store as messages_store
from paiza_node.core.storage.times import to_micros
from paiza_wire.errors import Unavailable
from tests import delivery
from tests.unit.paiza_node.room import MEMBERS, Room


def test_a_state_that_is_none_is_damage(tmp_path: Path) -> None:
    """Who asks for such a message is told that the log is damaged, not that the node failed."""
    with Room(f"sqlite:///{tmp_path / 'paiza.db'}") as room:
        message = room.message("kaz", "cd-request", delivery.request(MEMBERS, room.clock.now))
        room.put(message)
        with room.store.reads() as reads:
            stored = messages_store.message(reads, message.digest)
        assert stored is not None
        assert to_micros(stored.stored_time) == to_micros(room.clock.now)
        with room.store.transaction() as conn:
            conn.execute(update(messages_store.message_table).values(state=99))
        with room.store.reads() as reads, pytest.raises(Unavailable) as refused:
            messages_store.message(reads, message.digest)
    assert refused.value.reason == "log_damaged"
