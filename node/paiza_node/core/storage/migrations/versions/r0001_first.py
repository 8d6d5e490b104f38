"""The first schema: log, messages, deliveries, proofs, officers. The tables are explained in `store/schema.py`."""

from typing import Final

import sqlalchemy as sa
from alembic import op

revision: Final = "0001"
down_revision: Final = None
branch_labels: Final = None
depends_on: Final = None

# SQLite gives rowid speed only to INTEGER primary keys.
_NUMBER: Final = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_WAITING: Final = sa.text("state = 1")
_FAILED: Final = sa.text("state > 2")


def upgrade() -> None:
    """Create everything. A crash leaves nothing: it is one transaction on both databases."""
    _create_log()
    _create_messages()
    _create_deliveries()
    _create_proofs()
    _create_officers()


def _create_log() -> None:
    op.create_table(
        "log_head",
        sa.Column("id", sa.SmallInteger, autoincrement=False, nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("root", sa.LargeBinary, nullable=False),
        sa.Column("messages", sa.BigInteger, nullable=False),
        sa.Column("deliveries", sa.BigInteger, nullable=False),
        sa.Column("last_time", sa.BigInteger, nullable=False),
        sa.Column("batch", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_log_head"),
    )
    op.create_table(
        "log_entry",
        sa.Column("index", _NUMBER, autoincrement=False, nullable=False),
        sa.Column("entry", sa.LargeBinary, nullable=False),
        sa.Column("digest", sa.LargeBinary, nullable=True),
        sa.PrimaryKeyConstraint("index", name="pk_log_entry"),
    )
    op.create_index("ix_log_entry_digest", "log_entry", ["digest", "index"])
    op.create_table(
        "log_tile",
        sa.Column("level", sa.SmallInteger, autoincrement=False, nullable=False),
        sa.Column("index", sa.BigInteger, autoincrement=False, nullable=False),
        sa.Column("hashes", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("level", "index", name="pk_log_tile"),
    )
    op.create_table(
        "log_text",
        sa.Column("index", _NUMBER, autoincrement=False, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("index", name="pk_log_text"),
    )


def _create_messages() -> None:
    op.create_table(
        "message",
        sa.Column("seq", _NUMBER, autoincrement=False, nullable=False),
        sa.Column("digest", sa.LargeBinary, nullable=False),
        sa.Column("author", sa.Text, nullable=False),
        sa.Column("message_id", sa.LargeBinary, nullable=False),
        sa.Column("thread_id", sa.LargeBinary, nullable=False),
        sa.Column("thread_name", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("urgency", sa.SmallInteger, nullable=False),
        sa.Column("state", sa.SmallInteger, nullable=False),
        sa.Column("received", sa.Boolean, nullable=False),
        sa.Column("stored_time", sa.BigInteger, nullable=False),
        sa.Column("source_row", sa.LargeBinary, nullable=True),
        sa.Column("header", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_message"),
        sa.UniqueConstraint("digest", name="uq_message_digest"),
        sa.UniqueConstraint("source_row", name="uq_message_source_row"),
        sa.UniqueConstraint("message_id", "author", name="uq_message_message_id_author"),
    )
    op.create_index("ix_message_thread_id_seq", "message", ["thread_id", "seq"])
    op.create_index("ix_message_thread_name", "message", ["thread_name"])
    op.create_index("ix_message_received_seq", "message", ["received", "seq"])
    op.create_index("ix_message_kind_seq", "message", ["kind", "seq"])
    op.create_index("ix_message_author_seq", "message", ["author", "seq"])
    op.create_table(
        "message_body",
        sa.Column("seq", _NUMBER, autoincrement=False, nullable=False),
        sa.Column("signed", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_message_body"),
        sa.ForeignKeyConstraint(["seq"], ["message.seq"], name="fk_message_body_seq"),
    )


def _create_deliveries() -> None:
    op.create_table(
        "delivery",
        sa.Column("id", _NUMBER, autoincrement=False, nullable=False),
        sa.Column("message_seq", sa.BigInteger, nullable=False),
        sa.Column("digest", sa.LargeBinary, nullable=False),
        sa.Column("recipient", sa.Text, nullable=False),
        sa.Column("urgency", sa.SmallInteger, nullable=False),
        sa.Column("urgent", sa.Boolean, nullable=False),
        sa.Column("released_index", sa.BigInteger, nullable=False),
        sa.Column("released_time", sa.BigInteger, nullable=False),
        sa.Column("expires_time", sa.BigInteger, nullable=False),
        sa.Column("next_attempt_time", sa.BigInteger, nullable=False),
        sa.Column("state", sa.SmallInteger, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
        sa.Column("settled_time", sa.BigInteger, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_delivery"),
        sa.ForeignKeyConstraint(["message_seq"], ["message.seq"], name="fk_delivery_message_seq"),
    )
    op.create_index("ix_delivery_message_seq", "delivery", ["message_seq"])
    op.create_index(
        "ix_delivery_waiting",
        "delivery",
        ["recipient", "urgent", "id"],
        sqlite_where=_WAITING,
        postgresql_where=_WAITING,
    )
    op.create_index(
        "ix_delivery_expires", "delivery", ["expires_time"], sqlite_where=_WAITING, postgresql_where=_WAITING
    )
    op.create_index("ix_delivery_failed", "delivery", ["id"], sqlite_where=_FAILED, postgresql_where=_FAILED)


def _create_proofs() -> None:
    op.create_table(
        "answer",
        sa.Column("digest", sa.LargeBinary, nullable=False),
        sa.Column("log_index", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_answer"),
    )
    op.create_table(
        "proof",
        sa.Column("digest", sa.LargeBinary, nullable=False),
        sa.Column("member", sa.Text, nullable=False),
        sa.Column("kind", sa.SmallInteger, autoincrement=False, nullable=False),
        sa.Column("entry", sa.LargeBinary, nullable=False),
        sa.Column("log_index", sa.BigInteger, nullable=False),
        sa.Column("hashes", sa.LargeBinary, nullable=False),
        sa.Column("note_digest", sa.LargeBinary, nullable=False),
        sa.Column("register_version", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("digest", "member", "kind", name="pk_proof"),
    )
    op.create_table(
        "note",
        sa.Column("digest", sa.LargeBinary, nullable=False),
        sa.Column("note", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_note"),
    )
    op.create_table(
        "known_log",
        sa.Column("member", sa.Text, nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("root", sa.LargeBinary, nullable=False),
        sa.Column("note", sa.LargeBinary, nullable=False),
        sa.Column("accepted_time", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("member", name="pk_known_log"),
    )


def _create_officers() -> None:
    op.create_table(
        "officer",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("roles", sa.Text, nullable=False),
        sa.Column("unit", sa.Text, nullable=False),
        sa.Column("certificate_sha256", sa.LargeBinary, nullable=False),
        sa.Column("suspended", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_officer"),
    )
    op.create_table(
        "opened",
        sa.Column("log_index", _NUMBER, autoincrement=False, nullable=False),
        sa.Column("digest", sa.LargeBinary, nullable=False),
        sa.Column("part_number", sa.Integer, nullable=False),
        sa.Column("officer", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("log_index", name="pk_opened"),
    )
    op.create_index("ix_opened_digest_officer", "opened", ["digest", "officer"])
    op.create_table(
        "setting",
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("value", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_setting"),
    )
    op.create_table(
        "counter",
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("value", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_counter"),
    )
