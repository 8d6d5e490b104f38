"""The record of the node's last backup: a small file in the data folder.

A running node logged the backup before it was made (`begin`). One that did not run logs it when it starts.
"""

import json
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from paiza_node.core.access.operator import operator
from paiza_node.core.log.transaction import LogTransaction
from paiza_node.core.storage import settings as settings_store
from paiza_wire import log_entries

RECORD: Final = "backup.json"
SETTING: Final = "backup"
ID_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class BackupRecord:
    """One backup: its id, when it was made, the size of the log in it, and the SHA-256 of the file.

    ``logged``: it contains its own BACKED_UP entry.
    """

    backup_id: bytes

    created_time: datetime
    size: int
    sha256: bytes
    path: str
    logged: bool


def save_record(data: Path, record: BackupRecord) -> None:
    """Store the record of a backup. A crash leaves the earlier one."""
    values = {
        "backup_id": record.backup_id.hex(),
        "created_time": record.created_time.astimezone(UTC).isoformat(timespec="seconds"),
        "size": record.size,
        "sha256": record.sha256.hex(),
        "path": record.path,
        "logged": record.logged,
    }
    side_file = data / f".{RECORD}.new"
    with os.fdopen(os.open(side_file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as stream:
        stream.write(json.dumps(values).encode())
        stream.flush()
        os.fsync(stream.fileno())
    side_file.replace(data / RECORD)


def read_record(data: Path) -> BackupRecord | None:
    """Return the last backup made here; None if there is none, or the file cannot be read."""
    try:
        values = json.loads((data / RECORD).read_bytes())
        return BackupRecord(
            bytes.fromhex(values["backup_id"]),
            datetime.fromisoformat(values["created_time"]),
            int(values["size"]),
            bytes.fromhex(values["sha256"]),
            str(values["path"]),
            bool(values["logged"]),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def note_backup(tx: LogTransaction, record: BackupRecord | None) -> None:
    """Log the last backup if it was made while the node did not run."""
    if record is None or record.logged or settings_store.setting(tx.conn, SETTING) == record.backup_id:
        return
    tx.append(log_entries.backed_up(actor=operator(), backup_id=record.backup_id))
    settings_store.put_setting(tx.conn, SETTING, record.backup_id)
