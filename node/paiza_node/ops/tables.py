"""The tables of all packages: for work on the whole database, and for retention, which runs each table's lifecycle.

They are those that the modules `store` declare; nothing is listed here.
"""

import pkgutil
from collections.abc import Iterator
from importlib import import_module
from types import ModuleType
from typing import Final

import paiza_node.core
import paiza_node.features
from paiza_node.core.exchange import store as exchange_store
from paiza_node.core.storage import settings as settings_store
from paiza_node.core.storage.lifecycle import Lifecycle
from paiza_node.core.storage.schema import METADATA
from paiza_node.features.attachments import store as attachments_store
from paiza_node.features.retention import store as retention_store


def _stores() -> Iterator[ModuleType]:
    """Find the module `store` of every package of `core` and `features`."""
    for storey in (paiza_node.core, paiza_node.features):
        for found in pkgutil.walk_packages(storey.__path__, f"{storey.__name__}."):
            if found.name.endswith(".store"):
                yield import_module(found.name)


STORES: Final = (settings_store, *_stores())

_ORDER: Final = METADATA.sorted_tables
LIFECYCLES: Final[tuple[Lifecycle, ...]] = tuple(
    sorted((each for store in STORES for each in store.LIFECYCLES), key=lambda each: _ORDER.index(each.table))
)
"""Parents before the tables that refer to them."""

KEPT_PROOFS: Final = (*exchange_store.KEPT_PROOFS, *attachments_store.KEPT_PROOFS, *retention_store.KEPT_PROOFS)
"""Finds all stored entries of other members' logs about messages."""

__all__ = ["KEPT_PROOFS", "LIFECYCLES", "METADATA", "STORES"]
