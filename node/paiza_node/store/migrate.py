"""Bringing the schema up to date."""

from sqlalchemy import Connection, Engine

from paiza_node.store.schema import METADATA


def migrate(_engine: Engine, connection: Connection) -> None:
    """Create what is missing."""
    with connection.begin():
        METADATA.create_all(connection)
