"""Schema migration at every start: by Alembic, in one transaction."""

from pathlib import Path
from typing import Final

from sqlalchemy import Connection, inspect, text

from paiza_node.core.errors import N_, NodeStopped

NEWEST: Final = "0001"
"""The revision this program works with; the newest module in `migrations/versions`."""

KNOWN: Final = ("0001",)
"""Every revision this program can migrate, oldest first."""

FOLDER: Final = Path(__file__).parent / "migrations"
_VERSION_TABLE: Final = "alembic_version"


def migrate(connection: Connection) -> None:
    """Migrate the database to `NEWEST`; NodeStopped if a newer or a different program created it.

    A crash leaves the former revision: everything happens in one transaction. Nothing is imported or written if the
    database is up to date, as at nearly every start.
    """
    with connection.begin():
        found = revision(connection)
        if found == NEWEST:
            return
        if found is not None and found not in KNOWN:
            raise NodeStopped(
                "database_newer",
                what=N_("The database has revision {found}, and this program knows no newer one than {newest}."),
                where="{url}",
                remedy=N_("Install the version of paiza that last ran on it, or a newer one."),
                found=found,
                newest=NEWEST,
                url=_url(connection),
            )
        if found is None and (tables := inspect(connection).get_table_names()):
            raise NodeStopped(
                "database_foreign",
                what=N_("The database has tables that are not of a node: {tables}."),
                where="{url}",
                remedy=N_("Give the node an empty database of its own."),
                tables=", ".join(sorted(tables)[:5]),
                url=_url(connection),
            )
        _upgrade(connection)


def _url(connection: Connection) -> str:
    return connection.engine.url.render_as_string(hide_password=True)


def revision(connection: Connection) -> str | None:
    """Return the database's revision; None if no revision was ever run."""
    if not inspect(connection).has_table(_VERSION_TABLE):
        return None
    return connection.execute(text(f"SELECT version_num FROM {_VERSION_TABLE}")).scalar_one_or_none()  # noqa: S608 - a constant


def _upgrade(connection: Connection) -> None:
    from alembic import command  # noqa: PLC0415 - a tenth of a second that only the first start needs
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, NEWEST)
