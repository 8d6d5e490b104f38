"""Run by Alembic: migrates the database of the given connection to the newest revision, in its one transaction."""

from alembic import context

from paiza_node.core.storage.schema import METADATA

context.configure(connection=context.config.attributes["connection"], target_metadata=METADATA)
context.run_migrations()
