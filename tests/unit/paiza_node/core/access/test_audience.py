"""The audience of a message is what the condition of lists says: compared on random messages and officers."""

from collections.abc import Iterator
from dataclasses import replace
from random import Random

import pytest

from paiza_node.core.access import store as access_store
from paiza_node.core.access.audience import Audience
from paiza_node.core.access.model import Viewer
from paiza_node.core.messages import store as messages_store
from paiza_node.core.storage import Store, open_store
from tests.unit.paiza_node.core.storage.test_database import row

UNITS = ("", "border", "bureau", "duty")
MESSAGES = 60


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    """An empty store."""
    store = open_store(database_url)
    yield store
    store.close()


def viewers(random: Random) -> list[Viewer]:
    """Officers of one unit, of several, of none, and some who see all."""
    scopes = [None, (), ("",), *(tuple({"", unit}) for unit in UNITS), ("border", "duty")]
    return [Viewer(f"officer {number}", random.choice(scopes)) for number in range(25)]


@pytest.mark.parametrize("seed", range(3))
def test_audience_is_who_sees_the_message_in_lists(store: Store, seed: int) -> None:
    """For every message: by unit, as a reader, or as one who sees all; one without a unit has its readers only."""
    random = Random(seed)
    following = viewers(random)
    messages = [replace(row(seq), unit=random.choice([None, *UNITS])) for seq in range(1, MESSAGES + 1)]
    given = {(random.choice(following).officer, random.randint(1, MESSAGES)) for _ in range(MESSAGES)}
    with store.transaction() as conn:
        messages_store.add_messages(conn, messages)
        access_store.add_readers(conn, sorted(given))
    audience: Audience[str] = Audience()
    for viewer in following:
        audience.add(viewer, viewer.officer)
    gone = random.sample(following, 5)
    for viewer in gone:
        audience.discard(viewer, viewer.officer)
    with store.reads() as reads:
        seqs = [message.seq for message in messages]
        readers = access_store.readers(reads, seqs)
        seen = {viewer.officer: access_store.visible(reads, seqs, viewer) for viewer in following if viewer not in gone}
    for message in messages:
        expected = {officer for officer, found in seen.items() if message.seq in found}
        assert audience.of(message.unit, readers.get(message.seq, ())) == expected


def test_one_officer_may_follow_twice() -> None:
    """Two watches of one officer are two followers; the end of one leaves the other."""
    audience: Audience[int] = Audience()
    viewer = Viewer("officer", ("bureau",))
    audience.add(viewer, 1)
    audience.add(viewer, 2)
    audience.discard(viewer, 1)
    assert audience.of("bureau", ()) == audience.of(None, ["officer"]) == {2}
    audience.discard(viewer, 2)
    assert audience.of("bureau", ["officer"]) == set()
