"""The schema parts that the tables of all packages share. Each table is declared by its owner, in its module `store`.

Times are microseconds since 1970 in UTC, so that both databases compare and index them alike. Every update finds its
row by primary key; every list is served by an index that ends where the list ends.

There are no foreign keys: the ledger writes parents first, `paiza-node verify` finds rows without one, and the database
would look each up and lock it for every row.
"""

from collections.abc import Mapping
from typing import Final

from sqlalchemy import BigInteger, Integer, MetaData

METADATA: Final = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# SQLite gives rowid speed only to INTEGER primary keys.
Number: Final = BigInteger().with_variant(Integer(), "sqlite")

# PostgreSQL moves rows of more than 2 KB into a second table, in pieces. What is encrypted becomes no smaller: a row of
# up to a page stays whole.
INLINE: Final[Mapping[str, int]] = {"toast_tuple_target": 8160}
