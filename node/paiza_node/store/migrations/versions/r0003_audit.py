"""The audit trail: witnesses, oversight, recovery, erasing. The tables are explained in `store/schema.py`."""

from typing import Final

import sqlalchemy as sa
from alembic import op

revision: Final = "0003"
down_revision: Final = "0002"
branch_labels: Final = None
depends_on: Final = None

# SQLite gives rowid speed only to INTEGER primary keys.
_NUMBER: Final = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create everything. A crash leaves nothing: it is one transaction on both databases."""
    _create_witnesses()


def _create_witnesses() -> None:
    """Checkpoints that a quorum cosigned, and what was proven to them of other members' logs."""
    op.create_table(
        "witnessed_note",
        sa.Column("size", sa.BigInteger, nullable=False, autoincrement=False),
        sa.Column("again", sa.Boolean, nullable=False),
        sa.Column("origin", sa.Text, nullable=False),
        sa.Column("root", sa.LargeBinary, nullable=False),
        sa.Column("note", sa.LargeBinary, nullable=False),
        sa.Column("time", sa.BigInteger, nullable=False),
        sa.Column("witnesses", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("size", "again", name="pk_witnessed_note"),
    )
    op.create_index("ix_witnessed_note_time", "witnessed_note", ["time"])
    op.create_table(
        "uncosigned",
        sa.Column("member", sa.Text, nullable=False),
        sa.Column("log_index", sa.BigInteger, nullable=False, autoincrement=False),
        sa.Column("leaf", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("member", "log_index", name="pk_uncosigned"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "cosigned_proof",
        sa.Column("member", sa.Text, nullable=False),
        sa.Column("log_index", sa.BigInteger, nullable=False, autoincrement=False),
        sa.Column("hashes", sa.LargeBinary, nullable=False),
        sa.Column("span", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("member", "log_index", name="pk_cosigned_proof"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "cosigned_span",
        sa.Column("id", sa.LargeBinary, nullable=False),
        sa.Column("before_digest", sa.LargeBinary, nullable=True),
        sa.Column("note_digest", sa.LargeBinary, nullable=False),
        sa.Column("growth", sa.LargeBinary, nullable=False),
        sa.Column("register_version", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_cosigned_span"),
    )
