"""Files that a command is given: each is read up to a size, however large it is or if it has no end, as a device."""

import errno
import os
from pathlib import Path
from typing import Final

MAX_CERTIFICATE_FILE: Final = 64 * 1024
"""Bytes of a file with a certificate, which has a few kilobytes, in PEM or DER."""


def read_given(path: Path, most: int) -> bytes:
    """Return the bytes of a file; OSError if it cannot be read, or has over ``most`` bytes (EFBIG)."""
    with path.open("rb") as file:
        data = file.read(most + 1)
    if len(data) > most:
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), str(path))
    return data
