"""Revocations of the own member that wait to be published: they stay asked for when the node restarts."""

from collections.abc import Collection
from typing import Final

from paiza_node.core.log.transaction import LogTransaction
from paiza_node.core.storage import Store
from paiza_node.core.storage import settings as settings_store
from paiza_wire.errors import Unavailable

SETTING: Final = "revoking"
_SHA256_BYTES: Final = 32

Fingerprints = tuple[bytes, bytes]
"""SHA-256 of a certificate and of its key."""


def revoking(store: Store) -> list[Fingerprints]:
    """Return the stored revocations, published ones among them, in the order in which they were asked for."""
    with store.reads() as reads:
        return decode(settings_store.setting(reads, SETTING) or b"")


def decode(value: bytes) -> list[Fingerprints]:
    """Return the revocations that a setting holds; Unavailable("log_damaged") if it is none."""
    if len(value) % (2 * _SHA256_BYTES):
        raise Unavailable("log_damaged", f"the setting {SETTING} cannot be read")
    digests = [value[at : at + _SHA256_BYTES] for at in range(0, len(value), _SHA256_BYTES)]
    return list(zip(digests[::2], digests[1::2], strict=True))


def store_revocation(tx: LogTransaction, fingerprints: Fingerprints, published: Collection[bytes]) -> None:
    """Store a revocation beside those that were not ``published`` yet."""
    stored = decode(settings_store.setting(tx.conn, SETTING) or b"")
    waiting = [each for each in stored if not set(each) <= set(published)]
    if fingerprints not in waiting:
        value = b"".join(b"".join(each) for each in [*waiting, fingerprints])
        settings_store.put_setting(tx.conn, SETTING, value)
