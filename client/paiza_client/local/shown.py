"""What a watch has shown: the place to go on from, and what would be the same again after a new connection or start.

The file holds digests and numbers only, and is the officer's alone. A program that is killed loses the last second of
it, and shows that second again: nothing is noted before it was shown, so nothing is missed.
"""

import contextlib
import json
from collections import OrderedDict
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from paiza_officer.profiles import write_private

KEPT: Final = 4096  # messages and notices: what is older seldom changes


class Shown:
    """What was shown, in memory and, with a ``path``, in a file."""

    def __init__(self, path: Path | None = None) -> None:
        """Read what was shown before; nothing was where there is no file, or an unreadable one."""
        self._path = path
        self.sequence: int | None = None
        """The sequence of messages to go on behind; None before the first connection."""
        self._states: OrderedDict[str, str] = OrderedDict()
        if path is not None:
            self._read(path)

    def is_new(self, key: str, state: str) -> bool:
        """Return whether something was not shown in this state yet; it counts as shown from now on."""
        digest = sha256(state.encode()).hexdigest()[:16]
        if self._states.get(key) == digest:
            self._states.move_to_end(key)
            return False
        self._states[key] = digest
        self._states.move_to_end(key)
        while len(self._states) > KEPT:
            self._states.popitem(last=False)
        return True

    def save(self) -> None:
        """Write the file. Where the disk refuses it, the next start repeats something."""
        if self._path is not None:
            with contextlib.suppress(OSError):
                write_private(self._path, json.dumps({"sequence": self.sequence, "states": self._states}).encode())

    def _read(self, path: Path) -> None:
        try:
            found: Any = json.loads(path.read_bytes())
        except (OSError, ValueError):
            return
        if not isinstance(found, Mapping) or not isinstance(found.get("states"), Mapping):
            return
        sequence = found.get("sequence")
        self.sequence = sequence if isinstance(sequence, int) and sequence >= 0 else None
        self._states.update({str(key): str(state) for key, state in found["states"].items()})
