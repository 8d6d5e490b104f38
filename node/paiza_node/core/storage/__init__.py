"""The database: SQLite by default, PostgreSQL by URL."""

from paiza_node.core.storage.connection import ReadConnection, WriteConnection
from paiza_node.core.storage.database import Store, open_store

__all__ = ["ReadConnection", "Store", "WriteConnection", "open_store"]
