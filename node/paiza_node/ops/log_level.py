"""The level of the log, which may change while the node runs."""

import logging
from collections.abc import MutableMapping
from typing import Any, Final

import structlog

LEVELS: Final = {
    name.lower(): level for name, level in {**logging.getLevelNamesMapping(), "EXCEPTION": logging.ERROR}.items()
}
"""The number of each level, by the method of a logger."""


class LogLevel:
    """A processor of structlog that drops what is below a level: debug, info, warning or error."""

    def __init__(self, level: str) -> None:
        """Begin with this level."""
        self.use(level)

    def use(self, level: str) -> None:
        """Write what is of this level and above from now on."""
        self._least = LEVELS[level]

    def __call__(self, _logger: object, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        """Return an event that is to be written."""
        if LEVELS[method] < self._least:
            raise structlog.DropEvent
        return event


LEVEL = LogLevel("info")
"""That of this process."""
