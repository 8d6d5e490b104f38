"""The audit trail: witnesses, oversight, recovery, erasing. The tables are explained in `store/schema.py`."""

from typing import Final

import sqlalchemy as sa

revision: Final = "0003"
down_revision: Final = "0002"
branch_labels: Final = None
depends_on: Final = None

# SQLite gives rowid speed only to INTEGER primary keys.
_NUMBER: Final = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create everything. A crash leaves nothing: it is one transaction on both databases."""
