"""The node's data without its process: database, checkpoint file and register, all read only."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from paiza_node.core.errors import N_, NodeStopped
from paiza_node.core.storage import Store, open_store
from paiza_node.ops.config import Config
from paiza_node.ops.data_folder import open_reader
from paiza_register import Register, RegisterReader
from paiza_wire.errors import Unavailable

SQLITE: Final = "sqlite:///"


def database_file(config: Config) -> Path | None:
    """Return the SQLite file; None if the database is PostgreSQL."""
    return Path(config.database.removeprefix(SQLITE)) if config.database.startswith(SQLITE) else None


def check_database(config: Config) -> None:
    """Raise NodeStopped if the SQLite file is missing: opening it would create an empty one."""
    file = database_file(config)
    if file is not None and not file.exists():
        raise NodeStopped(
            "database_unavailable",
            what=N_("There is no database yet."),
            where="{path}",
            remedy=N_("Start the node once with `paiza-node run`, or correct `data` or `database` in node.toml."),
            path=file,
        )


@contextmanager
def read_only(config: Config) -> Iterator[Store]:
    """Open the node's database for reading, whether the node runs or not."""
    check_database(config)
    store = open_store(config.database, read_only=True)
    try:
        yield store
    finally:
        store.close()


def last_register(config: Config) -> tuple[RegisterReader, Register]:
    """Return the register that was verified last, as of now or, if it has expired, of its own time."""
    try:
        return known_register(config)
    except Unavailable as error:
        reader = open_reader(config)
        last = None if error.reason != "register_expired" else reader.last
        if last is None:
            raise
        return reader, last


def known_register(config: Config) -> tuple[RegisterReader, Register]:
    """Return the register that was verified last; nothing is fetched."""
    if not (config.data / "register").is_dir():
        raise Unavailable("register_unavailable", f"{config.data / 'register'}: the node was never started")
    reader = open_reader(config)
    register = reader.current()
    if register is None:
        raise Unavailable("register_unavailable", f"{config.data / 'register'}: nothing was verified yet")
    return reader, register
