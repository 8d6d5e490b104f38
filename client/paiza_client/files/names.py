"""Names of files as file systems take them: they count bytes, and the protocol and people count characters."""

from pathlib import Path
from typing import Final

MAX_BYTES: Final = 255


def shortened(name: str, most: int = MAX_BYTES) -> str:
    """Return a name of at most so many bytes in UTF-8, with its ending as long as there is room for it."""
    stem, ending = Path(name).stem, Path(name).suffix
    while len(f"{stem}{ending}".encode()) > most:
        if len(stem) > 1:
            stem = stem[:-1]
        else:
            ending = ending[:-1]
    return f"{stem}{ending}"
