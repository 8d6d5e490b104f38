"""Opening a database again."""

import time
from typing import Final

from paiza_node.core.storage import Store, open_store
from paiza_wire.errors import Unavailable

SECONDS: Final = 60.0


def open_writer(url: str) -> Store:
    """Open a store as its writer; the server may take a moment to see that the session before has ended."""
    deadline = time.monotonic() + SECONDS
    while True:
        try:
            return open_store(url)
        except Unavailable as error:
            if error.reason != "standby" or time.monotonic() > deadline:
                raise
            time.sleep(0.1)
