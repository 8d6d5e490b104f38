"""The revisions of the schema, and how Alembic runs them (`paiza_node.core.storage.migrate`)."""
