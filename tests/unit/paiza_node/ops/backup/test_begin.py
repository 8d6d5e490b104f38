"""A backup is logged before it is made, and waits for its witnesses for a bounded time."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest

from paiza_node.features.witness.model import WitnessedNote
from paiza_node.features.witness.rounds import Rounds
from paiza_node.ops.backup.begin import BeginBackup
from paiza_node.ops.backup.record import ID_BYTES, BackupRecord, note_backup, read_record, save_record
from paiza_wire.errors import Rejected
from tests.unit.paiza_node.office import Office

NAMED = b"b" * ID_BYTES


def note(size: int) -> WitnessedNote:
    """Return a witnessed note of so many entries."""
    return WitnessedNote("kaz", size, bytes(32), b"", datetime.now(UTC), (), again=False)


def begin(office: Office, rounds: Rounds, others: tuple[str, ...] = ("tjk",), backup_id: bytes = NAMED) -> bool:
    """Begin a backup; wait for a moment."""
    backup = BeginBackup(office.ledger, rounds, lambda: others)
    return asyncio.run(asyncio.wait_for(backup.begin(backup_id, seconds=0.3), 10))


def test_entry_is_logged_without_witnesses(office: Office) -> None:
    """If nobody cosigns in time the backup is made, and is called not witnessed."""
    assert not begin(office, Rounds(note(0)))
    assert not begin(office, Rounds(None), ())
    assert [event for event, _ in office.logged()] == ["BACKED_UP", "BACKED_UP"]


def test_only_a_note_with_the_entry_counts(office: Office) -> None:
    """The checkpoint contains the entry itself."""
    assert not begin(office, Rounds(note(0)))
    assert not begin(office, Rounds(note(1)))
    assert begin(office, Rounds(note(3)))


def test_id_of_another_length_is_refused(office: Office) -> None:
    """Nothing is logged for a name that no entry can have."""
    with pytest.raises(Rejected, match="malformed"):
        begin(office, Rounds(None), backup_id=b"short")
    assert office.logged() == []


@pytest.mark.parametrize(("logged", "entries"), [(True, 0), (False, 1)])
def test_backup_is_logged_once(office: Office, tmp_path: Path, *, logged: bool, entries: int) -> None:
    """A start logs a backup that was made while the node did not run, and only that."""
    record = BackupRecord(NAMED, datetime(2026, 11, 29, tzinfo=UTC), 7, bytes(32), "/backup/kaz", logged)
    save_record(tmp_path, record)
    assert read_record(tmp_path) == record
    for _ in range(2):
        office.run(lambda tx: note_backup(tx, read_record(tmp_path)))
    assert [event for event, _ in office.logged()] == ["BACKED_UP"] * entries
