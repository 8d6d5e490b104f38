"""All targets by name, and the world that their seeds are made of."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from tests.evidence import Court
from tests.fuzz.contents import content_targets
from tests.fuzz.files import file_targets
from tests.fuzz.rpcs import Nodes, rpc_target
from tests.fuzz.target import Target
from tests.fuzz.wire import wire_targets

MEMBERS: Final = ("kaz", "tjk", "uzb")


class World:
    """What the seeds are made of: a federation on paper, and nodes that have played the scenario; made when needed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._nodes: Nodes | None = None

    def target(self, name: str) -> Target:
        """Return one target."""
        return next(each for each in self.targets(name) if each.name == name)

    def targets(self, only: str = "") -> Iterator[Target]:
        """Yield the targets, or those that one is among."""
        if only in {"", "contents"}:
            yield from content_targets()
        if only not in {"contents", "rpcs"}:
            place = self._folder / "files"
            shutil.rmtree(place, ignore_errors=True)
            place.mkdir(parents=True)
            court = Court(place / "federation", MEMBERS)
            yield from wire_targets(court)
            yield from file_targets(court, place)
        if only in {"", "rpcs"}:
            shutil.rmtree(self._folder / "nodes", ignore_errors=True)
            self._nodes = Nodes(self._folder / "nodes")
            yield rpc_target(self._nodes)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._nodes is not None:
            self._nodes.close()
