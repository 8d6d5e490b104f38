"""A clock that programs believe under libfaketime, and that is moved while they run.

Only the time of day is moved: what programs measure pauses and deadlines by runs as ever.
"""

import os
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

_FOLDERS: Final = ("/usr/lib", "/usr/lib64", "/usr/local/lib")
_NAME: Final = "faketime/libfaketimeMT.so.1"


class Clock:
    """How far the programs' clock is ahead of the real one, in a file that libfaketime reads at every look."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._ahead = timedelta()
        self._write()

    @property
    def environment(self) -> Mapping[str, str]:
        """Return the environment of a program that believes this clock."""
        return {
            **os.environ,
            "LD_PRELOAD": str(library()),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }

    @property
    def now(self) -> datetime:
        """Return the programs' time."""
        return datetime.now(UTC) + self._ahead

    @property
    def day(self) -> float:
        """Return how many days were moved."""
        return self._ahead / timedelta(days=1)

    def move(self, by: timedelta) -> None:
        """Move the clock forward, for all programs at once."""
        self._ahead += by
        self._write()

    def _write(self) -> None:
        side_file = self._file.with_suffix(".new")
        side_file.write_text(f"+{self._ahead.total_seconds():.0f}\n")
        side_file.replace(self._file)


def library() -> Path:
    """Return libfaketime; FileNotFoundError where it is not installed."""
    for folder in map(Path, _FOLDERS):
        for found in (folder / _NAME, *folder.glob(f"*/{_NAME}")):
            if found.exists():
                return found
    raise FileNotFoundError("libfaketime is not installed (Debian: libfaketime)")
