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
    _lawfulness()
    _erasing()
    _create_oversight()
    _create_recovery()


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
        sa.Column("consistency_proof", sa.LargeBinary, nullable=False),
        sa.Column("register_version", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_cosigned_span"),
    )
    op.create_table(
        "finding",
        sa.Column("index", _NUMBER, nullable=False, autoincrement=False),
        sa.Column("member", sa.Text, nullable=False),
        sa.Column("origin", sa.Text, nullable=False),
        sa.Column("kind", sa.SmallInteger, nullable=False),
        sa.Column("proof", sa.LargeBinary, nullable=False),
        sa.Column("found_time", sa.BigInteger, nullable=False),
        sa.Column("state", sa.SmallInteger, nullable=False),
        sa.Column("ended_time", sa.BigInteger, nullable=True),
        sa.Column("ended_index", sa.BigInteger, nullable=True),
        sa.Column("reason_text", sa.Text, nullable=False),
        sa.Column("accepted_up_to", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("index", name="pk_finding"),
    )
    op.create_index("ix_finding_member", "finding", ["member"])


def _lawfulness() -> None:
    op.create_table(
        "log_name",
        sa.Column("id", _NUMBER, nullable=False, autoincrement=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_log_name"),
        sa.UniqueConstraint("name", name="uq_log_name_name"),
    )
    op.create_table(
        "log_fact",
        sa.Column("index", _NUMBER, nullable=False, autoincrement=False),
        sa.Column("event", sa.SmallInteger(), nullable=False),
        sa.Column("actor", _NUMBER, nullable=False),
        sa.Column("counterpart", _NUMBER, nullable=False),
        sa.Column("needless", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("index", name="pk_log_fact"),
    )
    op.create_index("ix_log_fact_event", "log_fact", ["event", "index"])
    op.create_index("ix_log_fact_actor", "log_fact", ["actor", "event", "index"])
    op.create_index("ix_log_fact_counterpart", "log_fact", ["counterpart", "event", "index"])
    _partial("ix_log_fact_needless", "log_fact", ["index"], "needless")


def _erasing() -> None:
    op.create_table(
        "erasure",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("request", sa.LargeBinary(), nullable=False),
        sa.Column("requester", sa.Text(), nullable=False),
        sa.Column("state", sa.SmallInteger(), nullable=False),
        sa.Column("asked_time", sa.BigInteger(), nullable=False),
        sa.Column("log_index", sa.BigInteger(), nullable=True),
        sa.Column("tell_time", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("digest", "request", name="pk_erasure"),
    )
    op.create_index("ix_erasure_request", "erasure", ["request"])
    _partial("ix_erasure_due", "erasure", ["asked_time"], "state < 3")
    _partial("ix_erasure_tell", "erasure", ["tell_time"], "tell_time IS NOT NULL")
    op.create_table(
        "erased",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("signed", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_erased"),
    )
    op.create_table(
        "erasure_answer",
        sa.Column("request", sa.LargeBinary(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("member", sa.Text(), nullable=False),
        sa.Column("entry", sa.LargeBinary(), nullable=False),
        sa.Column("log_index", sa.BigInteger(), nullable=False),
        sa.Column("hashes", sa.LargeBinary(), nullable=False),
        sa.Column("note_digest", sa.LargeBinary(), nullable=False),
        sa.Column("register_version", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("request", "digest", "member", name="pk_erasure_answer"),
    )
    op.create_index("ix_erasure_answer_digest", "erasure_answer", ["digest"])
    op.create_table(
        "hold",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("log_index", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_hold"),
    )
    op.create_table(
        "review",
        sa.Column("seq", _NUMBER, nullable=False, autoincrement=False),
        sa.Column("review_time", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_review"),
    )
    op.create_index("ix_review_time", "review", ["review_time", "seq"])
    op.create_table(
        "retired",
        sa.Column("index", _NUMBER, nullable=False, autoincrement=False),
        sa.Column("leaf", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("index", name="pk_retired"),
    )
    op.create_table(
        "retired_message",
        sa.Column("seq", _NUMBER, nullable=False, autoincrement=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_retired_message"),
        sa.UniqueConstraint("digest", name="uq_retired_message_digest"),
    )


def _partial(name: str, table: str, columns: list[str], condition: str) -> None:
    """Create an index over only those rows that meet a condition."""
    where = sa.text(condition)
    op.create_index(name, table, columns, sqlite_where=where, postgresql_where=where)


def _create_oversight() -> None:
    """What other members may see of the log, periods agreed on, and indexes to count by."""
    op.create_table(
        "audit_grant",
        sa.Column("id", _NUMBER, autoincrement=False, nullable=False),
        sa.Column("member", sa.Text, nullable=False),
        sa.Column("events", sa.Text, nullable=False),
        sa.Column("since_time", sa.BigInteger, nullable=True),
        sa.Column("until_time", sa.BigInteger, nullable=False),
        sa.Column("headers", sa.Boolean, nullable=False),
        sa.Column("granted_time", sa.BigInteger, nullable=False),
        sa.Column("withdrawn_time", sa.BigInteger, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_audit_grant"),
    )
    op.create_index("ix_audit_grant_member", "audit_grant", ["member"])
    op.create_table(
        "reconciled_period",
        sa.Column("counterpart", sa.Text, nullable=False),
        sa.Column("since_time", sa.BigInteger, autoincrement=False, nullable=False),
        sa.Column("until_time", sa.BigInteger, autoincrement=False, nullable=False),
        sa.Column("digest", sa.LargeBinary, nullable=False),
        sa.Column("log_index", sa.BigInteger, nullable=False),
        sa.Column("entry", sa.LargeBinary, nullable=True),
        sa.Column("entry_index", sa.BigInteger, nullable=True),
        sa.Column("hashes", sa.LargeBinary, nullable=True),
        sa.Column("note_digest", sa.LargeBinary, nullable=True),
        sa.Column("register_version", sa.LargeBinary, nullable=True),
        sa.PrimaryKeyConstraint("counterpart", "since_time", "until_time", name="pk_reconciled_period"),
    )
    op.create_index("ix_delivery_recipient_delivery_kind_id", "delivery", ["recipient", "delivery_kind", "id"])
    refused = sa.text("state = 3")
    op.create_index("ix_message_refused", "message", ["author", "seq"], sqlite_where=refused, postgresql_where=refused)


def _create_recovery() -> None:
    """Logs that were left behind, our own and others', and what was given back of them."""
    op.create_table(
        "former_log",
        sa.Column("origin", sa.Text, nullable=False),
        sa.Column("first_index", sa.BigInteger, nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("kept_note", sa.LargeBinary, nullable=False),
        sa.Column("largest_note", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("origin", name="pk_former_log"),
    )
    op.create_table(
        "recovered_entry",
        sa.Column("origin", sa.Text, nullable=False),
        sa.Column("entry_index", sa.BigInteger, autoincrement=False, nullable=False),
        sa.Column("counterpart", sa.Text, nullable=False),
        sa.Column("digest", sa.LargeBinary, nullable=False),
        sa.Column("entry", sa.LargeBinary, nullable=False),
        sa.Column("hashes", sa.LargeBinary, nullable=False),
        sa.Column("note_digest", sa.LargeBinary, nullable=False),
        sa.Column("log_index", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("origin", "entry_index", name="pk_recovered_entry"),
    )
    op.create_index("ix_recovered_entry_digest", "recovered_entry", ["digest"])
    op.create_table(
        "former_known_log",
        sa.Column("origin", sa.Text, nullable=False),
        sa.Column("member", sa.Text, nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("root", sa.LargeBinary, nullable=False),
        sa.Column("note", sa.LargeBinary, nullable=False),
        sa.Column("accepted_time", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("origin", name="pk_former_known_log"),
    )
