"""Older sets of the register, fetched from the own node file by file while they are verified."""

import asyncio
import bisect
from collections.abc import Awaitable, Callable
from functools import cached_property
from typing import Any, Final

from typing_extensions import override

from paiza_officer.errors import NotProven

FILE_SECONDS: Final = 60.0  # more than a call and its retries take
MAX_SET_BYTES: Final = 32 * 1024 * 1024  # a set beside its roots: metadata and a few files per member

Fetch = Callable[[str], Awaitable[bytes | None]]
"""Returns a file of one set by its published path; None if the node has none."""


class ArchivedFiles(dict[str, bytes]):
    """The files of one set: what `load_set` asks for, in a plain thread, is fetched over the session's event loop.

    ``roots`` are those that were fetched before for other sets, in their order. A root is the same in every set that
    has it, but an older set has only the first of them: it was published under one of them, not the newest.
    """

    def __init__(self, name: str, fetch: Fetch, roots: dict[str, bytes]) -> None:
        super().__init__()
        self._name = name
        self._fetch = fetch
        self._roots = roots
        self._loop = asyncio.get_running_loop()
        self._left = MAX_SET_BYTES

    @override
    def get(self, path: str, default: Any = None) -> Any:
        """Return a file, fetched if it is not here yet."""
        if path in self:
            return self[path]
        data = self._roots[path] if path in self._shared_roots else self._fetched(path)
        if data is None:
            return default
        if path.endswith(".root.json"):
            self._roots.setdefault(path, data)
        else:
            self._left -= len(data)
        if self._left < 0:
            raise NotProven("too_large", self._name, "the archived set is over its limit")
        self[path] = data
        return data

    @cached_property
    def _shared_roots(self) -> frozenset[str]:
        """The paths of the roots fetched before that this set has, too: found by asking for one in the middle."""
        paths = list(self._roots)
        first_missing = bisect.bisect_left(paths, 1, key=lambda path: int(self._fetched(path) is None))
        return frozenset(paths[:first_missing])

    def _fetched(self, path: str) -> bytes | None:
        return asyncio.run_coroutine_threadsafe(self._awaited(path), self._loop).result(FILE_SECONDS)

    async def _awaited(self, path: str) -> bytes | None:
        return await self._fetch(path)
