"""The record of what was signed with the keys of a folder: a line of JSON each, in `ceremonies.jsonl` beside them."""

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from paiza_register.ceremony.times import time_text

RECORDS: Final = "ceremonies.jsonl"

TIME_SOURCE: Final = "system clock"


def timed(now: datetime) -> dict[str, str]:
    """Return how a record states its time: the time, and by which clock."""
    return {"time": time_text(now.astimezone(UTC)), "time_source": TIME_SOURCE}


def append(folder: Path, record: Mapping[str, object]) -> None:
    """Add a record; returns once it is on the disk."""
    handle = os.open(folder / RECORDS, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(handle, "a") as file:
        file.write(json.dumps(record, ensure_ascii=False) + "\n")
        file.flush()
        os.fsync(file.fileno())


def read(folder: Path) -> list[dict[str, Any]]:
    """Return the records, oldest first, without one that a crash cut off."""
    path = folder / RECORDS
    found = []
    for line in path.read_text("utf-8").splitlines() if path.exists() else ():
        with suppress(ValueError):
            found.append(json.loads(line))
    return found
