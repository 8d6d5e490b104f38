"""The disk of a PostgreSQL server: where it is, if the server runs on this machine and shows it to the node's role."""

import os
from pathlib import Path
from typing import Final

from paiza_node.core.storage.connection import ReadConnection

# No row for a role that may not read all settings. Over TCP both ends of a connection within one machine are the same.
_FOLDER: Final = """
    SELECT setting FROM pg_settings
    WHERE name = 'data_directory' AND (inet_server_addr() IS NULL OR inet_server_addr() = inet_client_addr())
"""


def server_folder(conn: ReadConnection) -> Path | None:
    """Return the data folder of a PostgreSQL server, whose free space can be asked; None if it is not known."""
    if conn.database != "postgresql":
        return None
    found = conn.run(_FOLDER)
    if not found:
        return None
    folder = Path(found[0][0])
    try:
        os.statvfs(folder)
    except OSError:  # of a container, for example
        return None
    return folder
