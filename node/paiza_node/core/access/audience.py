"""Who sees a message, asked from the message's side: `core.access.store.seen_by` for many viewers at once."""

from collections.abc import Collection
from typing import Generic, TypeVar

from paiza_node.core.access.model import Viewer

T = TypeVar("T")


class Audience(Generic[T]):
    """Those who follow messages, each with the scope of a viewer, found by the unit and the readers of a message."""

    def __init__(self) -> None:
        """Begin with nobody."""
        self._of_all: set[T] = set()
        self._of_unit: dict[str, set[T]] = {}
        self._of_officer: dict[str, set[T]] = {}

    def add(self, viewer: Viewer, follower: T) -> None:
        """Add a follower who sees what this viewer sees."""
        for found in self._places(viewer):
            found.add(follower)

    def discard(self, viewer: Viewer, follower: T) -> None:
        """Remove a follower, added with the same viewer."""
        for found in self._places(viewer):
            found.discard(follower)
        for unit in viewer.units or ():
            if not self._of_unit[unit]:
                del self._of_unit[unit]
        for reader in viewer.readers if viewer.units is not None else ():
            if not self._of_officer[reader]:
                del self._of_officer[reader]

    def of(self, unit: str | None, readers: Collection[str]) -> set[T]:
        """Return who sees a message of this unit, None for none, that was also given to these readers."""
        found = set(self._of_all)
        if unit is not None:
            found |= self._of_unit.get(unit, set())
        for reader in readers:
            found |= self._of_officer.get(reader, set())
        return found

    def _places(self, viewer: Viewer) -> list[set[T]]:
        if viewer.units is None:
            return [self._of_all]
        units = [self._of_unit.setdefault(unit, set()) for unit in viewer.units]
        return [*units, *(self._of_officer.setdefault(reader, set()) for reader in viewer.readers)]
