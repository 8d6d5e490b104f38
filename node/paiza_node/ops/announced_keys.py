"""Announcements of new keys of the node: a setting names the key of each kind that the log announced last."""

from typing import Final

from paiza_node.core.access.operator import operator
from paiza_node.core.log.transaction import LogTransaction
from paiza_node.core.storage import settings as settings_store
from paiza_wire import log_entries

ANNOUNCED: Final = "announced_"  # then the kind
SHA256_BYTES: Final = 32


def announce(tx: LogTransaction, kind: str, key: bytes) -> int:
    """Log a new key unless it is the one of its kind that was logged last; return the index of its entry."""
    name = f"{ANNOUNCED}{kind}"
    known = settings_store.setting(tx.conn, name)
    if known is not None and (logged := read(known))[0] == key:
        return logged[1]
    index = tx.append(log_entries.key_announced(actor=operator(), key_sha256=key, kind=kind)).index
    settings_store.put_setting(tx.conn, name, value_of(key, index))
    return index


def read(value: bytes) -> tuple[bytes, int]:
    """Return the SHA-256 of the key that a setting names, and the index of its entry."""
    return value[:SHA256_BYTES], int.from_bytes(value[SHA256_BYTES:])


def value_of(key: bytes, index: int) -> bytes:
    """Return the setting that names a key, by its SHA-256, and its entry."""
    return key + index.to_bytes(8)
