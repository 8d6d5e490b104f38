"""What every run of the tests does over and over with the same result, done once: key derivations and new schemas."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, Final
from unittest import mock

from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from sqlalchemy import Connection, event

from paiza_node.core.storage import migrate
from paiza_wire.identity import sealing

UPGRADE: Final = migrate._upgrade
"""The migration that is not remembered."""

READ: Final = ("SELECT", "PRAGMA")

_schemas: Final[dict[str, list[str]]] = {}  # the statements that make an empty database one of a node, by dialect


class RememberedScrypt:
    """scrypt that gives for a salt and a passphrase what it gave before."""

    def __init__(self, *work: Any) -> None:
        self._work = work

    def derive(self, passphrase: bytes) -> bytes:
        """Return the key."""
        return _derived(passphrase, *self._work)


@cache
def _derived(passphrase: bytes, *work: Any) -> bytes:
    return Scrypt(*work).derive(passphrase)


def _upgrade(connection: Connection) -> None:
    """Migrate a database; an empty one by the statements that the first one of this dialect took."""
    if migrate.revision(connection) is not None:
        UPGRADE(connection)
    elif (statements := _schemas.get(connection.dialect.name)) is not None:
        for each in statements:
            connection.exec_driver_sql(each)
    else:
        with _recorded(connection) as made:
            UPGRADE(connection)
        _schemas[connection.dialect.name] = made


@contextmanager
def _recorded(connection: Connection) -> Iterator[list[str]]:
    made: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, values: Any, *_others: Any) -> None:
        if not statement.lstrip().startswith(READ):
            assert not values, statement
            made.append(statement)

    event.listen(connection, "before_cursor_execute", note)
    try:
        yield made
    finally:
        event.remove(connection, "before_cursor_execute", note)


@contextmanager
def remembering() -> Iterator[None]:
    """Remember both in the block.

    scrypt takes 0.2 s on purpose, and tests open the same folders often. Alembic takes 0.1 s for a schema, and a
    thousand tests make one.
    """
    with (
        mock.patch.object(sealing, "Scrypt", RememberedScrypt),
        mock.patch.object(migrate, "_upgrade", _upgrade),
    ):
        yield
