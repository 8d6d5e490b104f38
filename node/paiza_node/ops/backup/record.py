"""The record of the node's last backup: a small file in the data folder, and BACKED_UP in the log."""

import json
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from paiza_node.core.access.operator import operator
from paiza_node.core.log.ledger import LogTransaction
from paiza_node.core.storage import settings as settings_store
from paiza_wire import log_entries

RECORD: Final = "backup.json"
SETTING: Final = "backup"


@dataclass(frozen=True, slots=True)
class BackupRecord:
    """One backup: when it was made, the size of the log in it, and the SHA-256 of the file."""

    created_time: datetime
    size: int
    sha256: bytes
    path: str


def save_record(data: Path, record: BackupRecord) -> None:
    """Store the record of a backup. A crash leaves the earlier one."""
    values = {
        "created_time": record.created_time.astimezone(UTC).isoformat(timespec="seconds"),
        "size": record.size,
        "sha256": record.sha256.hex(),
        "path": record.path,
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
            datetime.fromisoformat(values["created_time"]),
            int(values["size"]),
            bytes.fromhex(values["sha256"]),
            str(values["path"]),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def note_backup(tx: LogTransaction, record: BackupRecord | None) -> bool:
    """Log the last backup unless it is logged; return whether it was logged now."""
    if record is None or settings_store.setting(tx.conn, SETTING) == record.sha256:
        return False
    tx.append(log_entries.backed_up(actor=operator(), backup_sha256=record.sha256))
    settings_store.put_setting(tx.conn, SETTING, record.sha256)
    return True
