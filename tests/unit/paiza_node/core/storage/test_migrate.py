"""The schema of a database: what a migrated one holds, and which databases are refused."""

import random
from collections.abc import Iterator

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, create_engine, inspect, text

from paiza_node.core.errors import NodeStopped
from paiza_node.core.messages.store import message_body_table
from paiza_node.core.storage import migrate as migration
from paiza_node.core.storage import open_store
from paiza_node.core.storage.engine import parse_url
from paiza_node.core.storage.statements import insertion
from paiza_node.ops.tables import METADATA
from tests.remembered import UPGRADE
from tests.unit.paiza_node.core.storage.opening import open_writer


@pytest.fixture(autouse=True)
def _by_alembic(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make each schema here as a node does."""
    monkeypatch.setattr(migration, "_upgrade", UPGRADE)


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """Another program's way into the same database."""
    engine = create_engine(parse_url(database_url))
    yield engine
    engine.dispose()


def test_migrated_database_has_exactly_the_tables_of_the_schema(database_url: str, engine: Engine) -> None:
    """The revision and the packages that own tables describe the same tables, columns, constraints and indexes."""
    open_store(database_url).close()
    with engine.connect() as connection:
        core = MigrationContext.configure(
            connection, opts={"compare_type": True, "compare_server_default": True, "target_metadata": METADATA}
        )
        assert compare_metadata(core, METADATA) == []


def test_partial_indexes_are_partial(database_url: str, engine: Engine) -> None:
    """The indexes over what waits and what failed hold only those rows (comparing metadata does not see conditions)."""
    open_store(database_url).close()
    query = (
        "SELECT name, sql FROM sqlite_master WHERE type = 'index'"
        if engine.dialect.name == "sqlite"
        else "SELECT indexname, indexdef FROM pg_indexes"
    )
    with engine.connect() as connection:
        found = {row[0]: row[1] for row in connection.execute(text(query))}
    for name in ("ix_delivery_waiting", "ix_delivery_expires", "ix_delivery_failed", "ix_delivery_flash"):
        assert " WHERE " in found[name]


def test_rows_of_ciphertexts_stay_whole(database_url: str, engine: Engine) -> None:
    """PostgreSQL keeps the body of a message of some kilobytes in one row."""
    store = open_store(database_url)
    with store.transaction() as tx:
        insertion(message_body_table).run(tx, [(1, b"", random.Random(1).randbytes(6000), b"")])
    store.close()
    if engine.dialect.name == "sqlite":
        return
    pieces = "SELECT pg_relation_size(reltoastrelid) FROM pg_class WHERE relname = 'message_body'"
    with engine.connect() as connection:
        assert connection.execute(text(pieces)).scalar_one() == 0


def test_second_start_changes_nothing(database_url: str, engine: Engine) -> None:
    """A database of the newest revision is taken as it is: same revision, same tables, what was stored is there."""
    open_store(database_url).close()
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO counter (name, value) VALUES ('kept', 7)"))
        before = set(inspect(connection).get_table_names())
    open_writer(database_url).close()
    with engine.connect() as connection:
        assert set(inspect(connection).get_table_names()) == before
        assert migration.revision(connection) == migration.NEWEST
        assert connection.execute(text("SELECT value FROM counter WHERE name = 'kept'")).scalar_one() == 7


def test_database_of_a_newer_program_is_refused(database_url: str, engine: Engine) -> None:
    """A revision this program does not know stops the node and names the remedy, and is left alone."""
    open_store(database_url).close()
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(NodeStopped) as stopped:
        open_writer(database_url)
    assert stopped.value.reason == "database_newer"
    assert "9999" in stopped.value.what
    with engine.connect() as connection:
        assert migration.revision(connection) == "9999"


def test_database_of_somebody_else_is_refused(database_url: str, engine: Engine) -> None:
    """A database with tables that are not ours is not written to."""
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE accounts (id INTEGER)"))
    with pytest.raises(NodeStopped) as stopped:
        open_store(database_url)
    assert stopped.value.reason == "database_foreign"


def test_program_knows_every_revision_in_its_folder() -> None:
    """The list of known revisions is that of the scripts, and the newest is their head."""
    scripts = ScriptDirectory(str(migration.FOLDER))
    assert scripts.get_current_head() == migration.NEWEST
    assert tuple(reversed([script.revision for script in scripts.walk_revisions()])) == migration.KNOWN
