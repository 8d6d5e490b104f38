"""The look-up of source rows: each known row with its proven releases, and answers that are full are continued."""

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from paiza_node.core.storage import open_store
from paiza_node.features.inbox import source_rows
from paiza_node.features.inbox.source_rows import FindSourceRows
from paiza_wire import receipts
from paiza_wire.errors import Rejected
from paiza_wire.message import message_digest
from paiza_wire.tlog import checkpoint
from tests.unit.paiza_node.core.exchange.test_source_rows import LIAISON, STRANGER, Units, notice
from tests.unit.paiza_node.core.log.test_ledger import SIGNER

ROWS = [bytes([number]) * 32 for number in range(1, 4)]


@pytest.fixture
def units(tmp_path: Path) -> Iterator[Units]:
    """A node that released a message for each row."""
    made = Units(open_store(f"sqlite:///{tmp_path}/node.db"))
    made.sent(LIAISON, *(notice(number, LIAISON, row) for number, row in enumerate(ROWS)))
    yield made
    made.ledger.close()
    made.store.close()


@pytest.fixture
def find(units: Units) -> FindSourceRows:
    """The look-up of that node."""
    core = SimpleNamespace(store=units.store, ledger=units.ledger)
    return FindSourceRows(core, units.directory)  # type: ignore[arg-type]


def test_known_rows_come_with_every_release_proven(find: FindSourceRows) -> None:
    """Header, digest and one release per recipient, all proven to the checkpoint of the answer."""
    answer = find(LIAISON, [*ROWS, b"x" * 32])
    assert answer.looked_up == 4
    key = SIGNER.verifier_key
    verified = checkpoint.verify(answer.checkpoint, (key,), key.name)
    assert {row.source_row_sha256 for row in answer.rows} == set(ROWS)
    for row in answer.rows:
        assert message_digest(row.header) == row.message_digest
        entries = [receipts.verify_entry(proven, verified).entry for proven in row.released]
        assert [entry.counterpart for entry in entries] == ["tjk", "uzb"]
        assert {entry.message_digest for entry in entries} == {row.message_digest}


def test_a_full_answer_says_how_far_it_came(find: FindSourceRows, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asked for the rest again and again, every row is found once."""
    monkeypatch.setattr(source_rows, "MAX_RELEASES", 3)
    left, found = list(ROWS), []
    while left:
        answer = find(LIAISON, left)
        assert answer.looked_up == 1, "two releases each: a second message does not fit"
        found += [row.source_row_sha256 for row in answer.rows]
        left = left[answer.looked_up :]
    assert found == ROWS


def test_rows_of_another_unit_are_not_found(find: FindSourceRows) -> None:
    """A stranger gets the same answer as for rows that nobody sent."""
    assert find(STRANGER, ROWS) == find(STRANGER, [b"x" * 32] * len(ROWS))


def test_too_many_rows_are_refused(find: FindSourceRows) -> None:
    """The number of rows of one question is bounded."""
    with pytest.raises(Rejected, match="too_large"):
        find(LIAISON, [bytes(32)] * (source_rows.MAX_ROWS + 1))
