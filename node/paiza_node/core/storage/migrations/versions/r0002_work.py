"""The work itself: approvals, desks, passing on, attachments, search. The tables are explained in `store/schema.py`."""

from typing import Final

import sqlalchemy as sa
from alembic import op

from paiza.core.v1.message_pb2 import Header

revision: Final = "0002"
down_revision: Final = "0001"
branch_labels: Final = None
depends_on: Final = None

# SQLite gives rowid speed only to INTEGER primary keys.
_NUMBER: Final = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create everything. A crash leaves nothing: it is one transaction on both databases."""
    _create_parents()
    _create_approvals()
    _create_desks()
    _create_passing()
    _create_attachments()
    _create_search()
    _create_precedence()


def _create_parents() -> None:
    """Which messages follow from which; those that are stored already are read for it once."""
    op.create_table(
        "message_parent",
        sa.Column("parent", sa.LargeBinary, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("seq", _NUMBER, autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("parent", "kind", "seq", name="pk_message_parent"),
        sa.ForeignKeyConstraint(["seq"], ["message.seq"], name="fk_message_parent_seq"),
    )
    connection = op.get_bind()
    stored = connection.execute(sa.text("SELECT seq, kind, header FROM message WHERE state <> 3"))
    add = sa.text("INSERT INTO message_parent (parent, kind, seq) VALUES (:parent, :kind, :seq)")
    for seq, kind, header in stored.all():
        for parent in dict.fromkeys(Header.FromString(header).parent_digests):
            connection.execute(add, {"parent": parent, "kind": kind, "seq": seq})


def _create_approvals() -> None:
    """Messages that wait for their second officer."""
    op.create_table(
        "approval",
        sa.Column("digest", sa.LargeBinary, nullable=False),
        sa.Column("message_id", sa.LargeBinary, nullable=False),
        sa.Column("drafter", sa.Text, nullable=False),
        sa.Column("header", sa.LargeBinary, nullable=False),
        sa.Column("signed", sa.LargeBinary, nullable=True),
        sa.Column("submitted_index", sa.BigInteger, nullable=False),
        sa.Column("submitted_time", sa.BigInteger, nullable=False),
        sa.Column("expires_time", sa.BigInteger, nullable=False),
        sa.Column("state", sa.SmallInteger, nullable=False),
        sa.Column("missing", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_approval"),
        sa.UniqueConstraint("message_id", name="uq_approval_message_id"),
    )
    waiting = sa.text("state = 1")
    op.create_index("ix_approval_waiting", "approval", ["expires_time"], sqlite_where=waiting, postgresql_where=waiting)


def _create_desks() -> None:
    """Whose each message is, who sees it besides, who works on it until when; what is stored is the common desk's."""
    op.add_column("message", sa.Column("unit", sa.Text, nullable=True))
    op.execute(sa.text("UPDATE message SET unit = ''"))
    op.create_index("ix_message_unit_received_seq", "message", ["unit", "received", "seq"])
    op.create_table(
        "reader",
        sa.Column("officer", sa.Text, nullable=False),
        sa.Column("seq", _NUMBER, autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("officer", "seq", name="pk_reader"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "work",
        sa.Column("seq", _NUMBER, autoincrement=False, nullable=False),
        sa.Column("digest", sa.LargeBinary, nullable=False),
        sa.Column("unit", sa.Text, nullable=False),
        sa.Column("assignee", sa.Text, nullable=False),
        sa.Column("state", sa.SmallInteger, nullable=False),
        sa.Column("acknowledge_time", sa.BigInteger, nullable=True),
        sa.Column("due_time", sa.BigInteger, nullable=True),
        sa.Column("escalations", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_work"),
        sa.ForeignKeyConstraint(["seq"], ["message.seq"], name="fk_work_seq_message"),
        sa.UniqueConstraint("digest", name="uq_work_digest"),
    )
    to_do, new = sa.text("state < 3"), sa.text("state = 1")
    op.create_index("ix_work_unit", "work", ["unit", "due_time", "seq"], sqlite_where=to_do, postgresql_where=to_do)
    op.create_index(
        "ix_work_assignee", "work", ["assignee", "due_time", "seq"], sqlite_where=to_do, postgresql_where=to_do
    )
    op.create_index("ix_work_new", "work", ["acknowledge_time"], sqlite_where=new, postgresql_where=new)


def _create_passing() -> None:
    """To whom messages were passed on."""
    op.add_column("delivery", sa.Column("delivery_kind", sa.SmallInteger, nullable=False, server_default="0"))
    op.create_table(
        "forwarding",
        sa.Column("forwarder", sa.Text, nullable=False),
        sa.Column("entry_index", sa.BigInteger, autoincrement=False, nullable=False),
        sa.Column("digest", sa.LargeBinary, nullable=False),
        sa.Column("holder", sa.Text, nullable=False),
        sa.Column("entry", sa.LargeBinary, nullable=False),
        sa.Column("hashes", sa.LargeBinary, nullable=False),
        sa.Column("note_digest", sa.LargeBinary, nullable=False),
        sa.Column("register_version", sa.LargeBinary, nullable=False),
        sa.Column("log_index", sa.BigInteger, nullable=False),
        sa.Column("denied", sa.Boolean, nullable=False),
        sa.Column("held", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("forwarder", "entry_index", name="pk_passed_on"),
    )
    op.create_index("ix_passed_on_digest", "forwarding", ["digest"])


def _create_attachments() -> None:
    """Files that travel apart from their message."""
    op.create_table(
        "upload",
        sa.Column("ciphertext_sha256", sa.LargeBinary, nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("officer", sa.Text, nullable=False),
        sa.Column("started_time", sa.BigInteger, nullable=False),
        sa.Column("whole", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("ciphertext_sha256", name="pk_upload"),
    )
    op.create_index("ix_upload_officer", "upload", ["officer"])
    op.create_table(
        "attachment",
        sa.Column("digest", sa.LargeBinary, nullable=False),
        sa.Column("part_number", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("member", sa.Text, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("ciphertext_sha256", sa.LargeBinary, nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("state", sa.SmallInteger, nullable=False),
        sa.Column("awaited_time", sa.BigInteger, nullable=False),
        sa.Column("due_time", sa.BigInteger, nullable=True),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
        sa.Column("settled_time", sa.BigInteger, nullable=True),
        sa.Column("log_index", sa.BigInteger, nullable=True),
        sa.PrimaryKeyConstraint("digest", "part_number", "member", name="pk_attachment"),
    )
    op.create_index("ix_attachment_ciphertext_sha256", "attachment", ["ciphertext_sha256"])
    due, unsettled = sa.text("due_time IS NOT NULL"), sa.text("state <> 2")
    op.create_index("ix_attachment_due", "attachment", ["source", "due_time"], sqlite_where=due, postgresql_where=due)
    op.create_index(
        "ix_attachment_open", "attachment", ["awaited_time"], sqlite_where=unsettled, postgresql_where=unsettled
    )
    op.create_table(
        "attachment_proof",
        sa.Column("digest", sa.LargeBinary, nullable=False),
        sa.Column("part_number", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("member", sa.Text, nullable=False),
        sa.Column("entry", sa.LargeBinary, nullable=False),
        sa.Column("log_index", sa.BigInteger, nullable=False),
        sa.Column("hashes", sa.LargeBinary, nullable=False),
        sa.Column("note_digest", sa.LargeBinary, nullable=False),
        sa.Column("register_version", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("digest", "part_number", "member", name="pk_attachment_proof"),
    )


def _create_search() -> None:
    """Keyed blind tokens of what messages speak of."""
    op.create_table(
        "term_token",
        sa.Column("token", sa.LargeBinary, nullable=False),
        sa.Column("seq", _NUMBER, autoincrement=False, nullable=False),
        sa.Column("field", sa.Text, nullable=False),
        sa.Column("annex", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("token", "seq", name="pk_term_token"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_term_token_seq", "term_token", ["seq"])
    op.create_table(
        "indexed_message",
        sa.Column("seq", _NUMBER, autoincrement=False, nullable=False),
        sa.Column("event_time", sa.BigInteger, nullable=True),
        sa.Column("linked", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_indexed_message"),
        sa.ForeignKeyConstraint(["seq"], ["message.seq"], name="fk_indexed_message_seq_message"),
    )


def _create_precedence() -> None:
    """What goes ahead of everything and still waits: nearly always nothing."""
    where = sa.text("state = 1 AND urgency > 5")
    op.create_index("ix_delivery_first", "delivery", ["recipient", "id"], sqlite_where=where, postgresql_where=where)
