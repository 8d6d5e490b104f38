"""Where the files of a set come from: a function that fetches them, or the archive."""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from paiza_register.archive import Archive
from paiza_register.tuf_workflow import MAX_METADATA_BYTES, root_path

Fetch: TypeAlias = Callable[[str, int], bytes]
"""Fetches ``metadata/…`` or ``targets/…``, at most so many bytes; raises `FetchMissing` or `Unavailable`."""


class FetchMissing(FileNotFoundError):  # noqa: N818 - it is an answer, not a failure: there is no such file
    """The source of the register has no file at this path."""


class Source:
    """Reads the files of a source; one that is archived under the SHA-256 that was named is not fetched."""

    def __init__(self, fetch: Fetch, archive: Archive) -> None:
        self._fetch = fetch
        self._archive = archive

    def __call__(self, path: str, most: int, digest: bytes | None) -> bytes | None:
        """Return a file; None if the source has none."""
        if digest is not None:
            held = self._archive.blob(digest) or self._archive.verified_root(path, digest)
            if held is not None:
                return held
        try:
            return self._fetch(path, most)
        except FetchMissing:
            return None


def files_fetch(files: Mapping[str, bytes]) -> Fetch:
    """Fetch from the files of a set."""

    def fetch(path: str, max_bytes: int) -> bytes:
        if path not in files:
            raise FetchMissing(path)
        return files[path][: max_bytes + 1]

    return fetch


def known_there(fetch: Fetch, known: Sequence[bytes], first: int) -> int:
    """Return how many of the known roots an archived set has: it was published under one of them, not the newest."""
    least, most = 0, len(known)
    while least < most:
        middle = (least + most + 1) // 2
        try:
            fetch(root_path(first + middle - 1), MAX_METADATA_BYTES)
        except FetchMissing:
            most = middle - 1
        else:
            least = middle
    return least
