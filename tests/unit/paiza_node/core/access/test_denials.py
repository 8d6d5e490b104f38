"""Denials at the door are logged, and nobody fills the log with them."""

from datetime import timedelta
from pathlib import Path

from paiza.core.v1 import log_pb2
from paiza_node.core.access.denials import MAX_DENIALS, MINUTE, Denials
from paiza_node.core.log import store as log_store
from paiza_wire.errors import Rejected
from tests.unit.paiza_node.room import Room, open_room

REFUSAL = Rejected("policy_denied", "no rule")
METHOD = "/paiza.officer.v1.AuditQueryService/ListLogEntries"


def logged(room: Room) -> list[tuple[str, str]]:
    """Return who was denied, and the words beside it."""
    with room.store.reads() as reads:
        entries = log_store.entries(reads, 0, 1000)
        texts = log_store.texts(reads, [each.index for each in entries])
    parsed = [(each.index, log_pb2.LogEntry.FromString(each.entry)) for each in entries]
    return [(entry.actor, texts[index].text) for index, entry in parsed if entry.event == log_pb2.LOG_EVENT_DENIED]


async def test_a_denial_is_logged_and_a_flood_is_not(tmp_path: Path) -> None:
    """Each officer has a share a minute; another's flood takes nothing of it, and the next minute it is new."""
    with open_room(tmp_path) as room:
        denials = Denials(room.ledger, room.clock)
        for _ in range(5 * MAX_DENIALS):
            await denials.note("one", METHOD, REFUSAL)
        await denials.note("other", METHOD, REFUSAL)
        assert logged(room) == [("one", "ListLogEntries: no rule")] * MAX_DENIALS + [
            ("other", "ListLogEntries: no rule")
        ]
        room.clock.now += MINUTE - timedelta(seconds=1)
        await denials.note("one", METHOD, REFUSAL)
        room.clock.now += timedelta(seconds=1)
        await denials.note("one", METHOD, REFUSAL)
        assert len(logged(room)) == MAX_DENIALS + 2
