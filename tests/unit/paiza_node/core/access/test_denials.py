"""Denials at the door are logged, and nobody fills the log with them."""

from datetime import timedelta
from pathlib import Path

from paiza.core.v1 import log_pb2
from paiza_node.core.access.denials import Denials, deny
from paiza_node.core.access.model import Officer
from paiza_node.core.log import store as log_store
from paiza_node.core.log.denial_share import MAX_DENIALS
from paiza_node.core.rate_limit import PERIOD_SECONDS
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
    """Each officer has a share a minute; the next minute it is new, and its first entry names what was left out."""
    with open_room(tmp_path) as room:
        denials = Denials(room.ledger, room.clock)
        for _ in range(5 * MAX_DENIALS):
            await denials.note("one", METHOD, REFUSAL)
        await denials.note("other", METHOD, REFUSAL)
        assert logged(room) == [("one", "ListLogEntries: no rule")] * MAX_DENIALS + [
            ("other", "ListLogEntries: no rule")
        ]
        room.clock.now += timedelta(seconds=PERIOD_SECONDS - 1)
        await denials.note("one", METHOD, REFUSAL)
        room.clock.now += timedelta(seconds=1)
        await denials.note("one", METHOD, REFUSAL)
        left_out = 4 * MAX_DENIALS + 1
        assert logged(room)[MAX_DENIALS + 1 :] == [
            ("one", f"ListLogEntries: no rule\n{left_out} denials before this one are not logged")
        ]


def test_denials_in_a_transaction_come_out_of_the_same_share(tmp_path: Path) -> None:
    """What is left out is counted, and the next entry says so; bytes that are no digest stay out of the log."""
    officer = Officer("one", frozenset(), "")
    with open_room(tmp_path) as room:
        for _ in range(MAX_DENIALS + 3):
            room.ledger.commit_now(lambda tx: deny(tx, officer, REFUSAL, b"x" * 1000))
        assert logged(room) == [("one", "no rule")] * MAX_DENIALS
        room.clock.now += timedelta(seconds=PERIOD_SECONDS)
        room.ledger.commit_now(lambda tx: deny(tx, officer, REFUSAL, bytes(32)))
        assert logged(room)[-1] == ("one", "no rule\n3 denials before this one are not logged")
        with room.store.reads() as reads:
            entries = log_store.entries(reads, 0, 1000)
    digests = [log_pb2.LogEntry.FromString(each.entry).message_digest for each in entries]
    assert digests == [b""] * MAX_DENIALS + [bytes(32)]
