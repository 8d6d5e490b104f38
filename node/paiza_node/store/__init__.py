"""The database: SQLite by default, PostgreSQL by URL. The only place that imports SQLAlchemy."""

from paiza_node.store.sql import SqlStore, open_store

__all__ = ["SqlStore", "open_store"]
