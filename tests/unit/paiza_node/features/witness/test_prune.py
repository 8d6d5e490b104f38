"""Old witnessed notes are let go of by a rule: one a minute after an hour, one an hour after thirty days."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paiza_node.core.log.ledger import Ledger
from paiza_node.core.log.signer import LogSigner
from paiza_node.core.log.transaction import LogTransaction
from paiza_node.core.storage import open_store
from paiza_node.features.witness import prune
from paiza_node.features.witness import store as witness_store
from paiza_node.features.witness.model import WitnessedNote, WitnessedTime
from paiza_node.features.witness.prune import BY_MINUTE, TIERS, WHOLE, Prune, superfluous
from paiza_wire.identity import keys
from paiza_wire.tlog.notes import SignerKey
from tests.unit.paiza_node.room import Clock, NoFile

BEGIN = datetime(2026, 5, 4, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def note(size: int, time: datetime, *, again: bool = False) -> WitnessedNote:
    """Return a witnessed note; nothing here looks into it."""
    return WitnessedNote("o", size, bytes(32), b"note", time, ("tjk",), again)


@given(st.lists(st.tuples(st.integers(0, 40), st.booleans(), st.integers(0, 600)), unique_by=lambda each: each[:2]))
def test_of_each_span_the_largest_stays(rows: list[tuple[int, bool, int]]) -> None:
    """Each span of time that had a note keeps its largest one, and of each size that is kept the first note stays."""
    notes = [WitnessedTime(size, again, BEGIN + timedelta(seconds=second)) for size, again, second in rows]
    dropped = set(superfluous(notes, MINUTE))
    stays = [each for each in notes if (each.size, each.again) not in dropped]
    largest = {
        max((each.size, each.again) for each in notes if (each.time - BEGIN) // MINUTE == minute)
        for minute in {(each.time - BEGIN) // MINUTE for each in notes}
    }
    assert largest <= {(each.size, each.again) for each in stays}
    firsts = {(size, False) for size, _ in largest}
    assert {(each.size, each.again) for each in stays} == largest | (firsts & {(each[0], each[1]) for each in rows})


async def test_notes_grow_fewer_as_they_grow_old(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Within the hour all stay, then one a minute, then one an hour; going on after a pause changes nothing of that."""
    monkeypatch.setattr(prune, "BLOCK", 50)
    clock = Clock()
    clock.now = BEGIN
    store = open_store(database_url)
    signer = SignerKey.from_ed25519("kaz.paiza.example/log/1", keys.generate_ed25519())
    ledger = Ledger(store, LogSigner([signer]), NoFile(), lambda: bytes(32), clock)
    try:
        count = 3 * 360  # every ten seconds for three hours

        def work(tx: LogTransaction) -> None:
            for number in range(count):
                witness_store.put_witnessed(tx.conn, note(number + 1, BEGIN + timedelta(seconds=10 * number)))

        ledger.commit_now(work)
        thin = Prune(ledger, store, clock)

        async def times_at(now: datetime) -> list[datetime]:
            clock.now = now
            for tier in TIERS:
                while await thin.prune_block(tier):
                    pass
            with store.reads() as reads:
                return [
                    each.time for each in witness_store.witnessed_times(reads, BEGIN, BEGIN + timedelta(days=1), count)
                ]

        end = BEGIN + timedelta(hours=3)
        assert len(await times_at(BEGIN + WHOLE)) == count
        halfway = await times_at(end - timedelta(hours=1))
        assert len(halfway) == 60 + 2 * 360
        found = await times_at(end + WHOLE)
        assert len(found) == 180
        assert all(second - first == MINUTE for first, second in pairwise(found))
        assert found[-1] == end - timedelta(seconds=10)
        assert len(await times_at(end + BY_MINUTE)) == 3
        with store.reads() as reads:
            last = witness_store.last_witnessed(reads)
        assert last is not None
        assert last.size == count
    finally:
        ledger.close()
        store.close()
