"""Older sets of the register, fetched from the own node file by file while they are verified."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final

from typing_extensions import override

from paiza_officer.errors import NotProven

FILE_SECONDS: Final = 60.0  # more than a call and its retries take
MAX_SET_BYTES: Final = 32 * 1024 * 1024  # a set beside its roots: metadata and a few files per member

Fetch = Callable[[str], Awaitable[bytes | None]]
"""Returns a file of one set by its published path; None if the node has none."""


class ArchivedFiles(dict[str, bytes]):
    """The files of one set: what `load_set` asks for, in a plain thread, is fetched over the session's event loop.

    ``roots`` are those fetched before; they are the same in every set.
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
        data = self._roots.get(path)
        if data is None:
            data = asyncio.run_coroutine_threadsafe(self._awaited(path), self._loop).result(FILE_SECONDS)
        if data is None:
            return default
        if path.endswith(".root.json"):
            self._roots[path] = data
        else:
            self._left -= len(data)
        if self._left < 0:
            raise NotProven("too_large", self._name, "the archived set is over its limit")
        self[path] = data
        return data

    async def _awaited(self, path: str) -> bytes | None:
        return await self._fetch(path)
