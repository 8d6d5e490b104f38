"""The first schema. Each package explains its tables where it declares them."""

from typing import Final

import sqlalchemy as sa
from alembic import op

revision: Final = "0001"
down_revision: Final = None
branch_labels: Final = None
depends_on: Final = None

# SQLite gives rowid speed only to INTEGER primary keys.
_NUMBER: Final = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create everything. A crash leaves nothing: it is one transaction on both databases."""
    _create_settings()
    _create_log()
    _create_messages()
    _create_exchange()
    _create_deliveries()
    _create_peers()
    _create_access()
    _create_approvals()
    _create_attachments()
    _create_tasks()
    _create_search()
    _create_witness()
    _create_audit()
    _create_retention()
    _create_peer_audit()
    _create_ceremonies()
    _create_recovery()


def _create_settings() -> None:
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
    op.create_table(
        "caller_day",
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("caller", sa.Text, nullable=False),
        sa.Column("day", sa.Integer, nullable=False),
        sa.Column("messages", sa.BigInteger, nullable=False),
        sa.Column("log_entries", sa.BigInteger, nullable=False),
        sa.Column("message_bytes", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("kind", "caller", name="pk_caller_day"),
    )


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
        "opened_together",
        sa.Column("officer", sa.Text, nullable=False),
        sa.Column("day", sa.Integer, nullable=False),
        sa.Column("count", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("officer", name="pk_opened_together"),
    )
    op.create_table(
        "log_listed",
        sa.Column("index", _NUMBER, nullable=False, autoincrement=False),
        sa.Column("digest", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("index", "digest", name="pk_log_listed"),
    )
    op.create_index("ix_log_listed_digest", "log_listed", ["digest", "index"])
    op.create_table(
        "log_text",
        sa.Column("index", _NUMBER, autoincrement=False, nullable=False),
        sa.Column("salt", sa.LargeBinary, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("index", name="pk_log_text"),
    )
    op.create_table(
        "retired",
        sa.Column("index", _NUMBER, autoincrement=False, nullable=False),
        sa.Column("leaf", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("index", name="pk_retired"),
    )
    op.create_table(
        "former_log",
        sa.Column("origin", sa.Text, nullable=False),
        sa.Column("first_index", sa.BigInteger, nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("kept_note", sa.LargeBinary, nullable=False),
        sa.Column("largest_note", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("origin", name="pk_former_log"),
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
        sa.Column("unit", sa.Text, nullable=True),
        sa.PrimaryKeyConstraint("seq", name="pk_message"),
        sa.UniqueConstraint("digest", name="uq_message_digest"),
        sa.UniqueConstraint("message_id", "author", name="uq_message_message_id_author"),
    )
    op.create_index("ix_message_author_seq", "message", ["author", "seq"])
    op.create_index("ix_message_kind_seq", "message", ["kind", "seq"])
    op.create_index("ix_message_received_seq", "message", ["received", "seq"])
    where = sa.text("state = 3")
    op.create_index("ix_message_refused", "message", ["author", "seq"], sqlite_where=where, postgresql_where=where)
    where = sa.text("source_row IS NOT NULL")
    op.create_index("ix_message_source_row", "message", ["source_row"], sqlite_where=where, postgresql_where=where)
    op.create_index("ix_message_thread_id_seq", "message", ["thread_id", "seq"])
    op.create_index("ix_message_thread_name", "message", ["thread_name"])
    op.create_index("ix_message_unit_received_seq", "message", ["unit", "received", "seq"])
    op.create_table(
        "message_parent",
        sa.Column("parent", sa.LargeBinary, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("seq", _NUMBER, autoincrement=False, nullable=False),
        sa.Column("place", sa.SmallInteger, nullable=False),
        sa.PrimaryKeyConstraint("parent", "kind", "seq", name="pk_message_parent"),
    )
    op.create_index("ix_message_parent_seq", "message_parent", ["seq"])
    op.create_table(
        "thread_size",
        sa.Column("thread_id", sa.LargeBinary, nullable=False),
        sa.Column("author", sa.Text, nullable=False),
        sa.Column("replies", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("thread_id", "author", name="pk_thread_size"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "message_body",
        sa.Column("seq", _NUMBER, autoincrement=False, nullable=False),
        sa.Column("cuts", sa.LargeBinary, nullable=False),
        sa.Column("rest", sa.LargeBinary, nullable=False),
        sa.Column("checksum", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_message_body"),
        postgresql_with={"toast_tuple_target": 8160},
    )
    op.create_table(
        "signature_front",
        sa.Column("id", _NUMBER, autoincrement=False, nullable=False),
        sa.Column("digest", sa.LargeBinary, nullable=False),
        sa.Column("front", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_signature_front"),
        sa.UniqueConstraint("digest", name="uq_signature_front_digest"),
    )
    op.create_table(
        "erased",
        sa.Column("digest", sa.LargeBinary, nullable=False),
        sa.Column("signed", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_erased"),
    )
    op.create_table(
        "retired_message",
        sa.Column("seq", _NUMBER, autoincrement=False, nullable=False),
        sa.Column("digest", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_retired_message"),
        sa.UniqueConstraint("digest", name="uq_retired_message_digest"),
    )


def _create_exchange() -> None:
    op.create_table(
        "answer",
        sa.Column("digest", sa.LargeBinary, nullable=False),
        sa.Column("log_index", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_answer"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "proof",
        sa.Column("digest", sa.LargeBinary, nullable=False),
        sa.Column("member", sa.Text, nullable=False),
        sa.Column("kind", sa.SmallInteger, autoincrement=False, nullable=False),
        sa.Column("entry", sa.LargeBinary, nullable=False),
        sa.Column("log_index", sa.BigInteger, nullable=False),
        sa.Column("hashes", sa.LargeBinary, nullable=False),
        sa.Column("path", _NUMBER, nullable=False),
        sa.PrimaryKeyConstraint("digest", "member", "kind", name="pk_proof"),
    )
    op.create_index("ix_proof_path", "proof", ["path"])
    op.create_table(
        "proof_path",
        sa.Column("id", _NUMBER, autoincrement=False, nullable=False),
        sa.Column("note_digest", sa.LargeBinary, nullable=False),
        sa.Column("register_version", sa.LargeBinary, nullable=False),
        sa.Column("hashes", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_proof_path"),
    )
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
        sa.PrimaryKeyConstraint("forwarder", "entry_index", name="pk_forwarding"),
    )
    op.create_index("ix_forwarding_digest", "forwarding", ["digest"])
    op.create_table(
        "proven_certificate",
        sa.Column("member", sa.Text, nullable=False),
        sa.Column("certificate_sha256", sa.LargeBinary, nullable=False),
        sa.Column("message_digest", sa.LargeBinary, nullable=False),
        sa.Column("entry", sa.LargeBinary, nullable=False),
        sa.Column("log_index", sa.BigInteger, nullable=False),
        sa.Column("hashes", sa.LargeBinary, nullable=False),
        sa.Column("note_digest", sa.LargeBinary, nullable=False),
        sa.Column("register_version", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("member", "certificate_sha256", name="pk_proven_certificate"),
    )
    op.create_index("ix_proven_certificate_message", "proven_certificate", ["message_digest"])
    op.create_table(
        "note",
        sa.Column("digest", sa.LargeBinary, nullable=False),
        sa.Column("note", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_note"),
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
        sa.Column("delivery_kind", sa.SmallInteger, nullable=False, server_default="0"),
        sa.PrimaryKeyConstraint("id", name="pk_delivery"),
    )
    where = sa.text("state = 1")
    op.create_index(
        "ix_delivery_expires", "delivery", ["recipient", "expires_time"], sqlite_where=where, postgresql_where=where
    )
    where = sa.text("state > 2")
    op.create_index("ix_delivery_failed", "delivery", ["id"], sqlite_where=where, postgresql_where=where)
    where = sa.text("state = 1 AND urgency > 4")
    op.create_index(
        "ix_delivery_flash",
        "delivery",
        ["recipient", "urgency", "next_attempt_time", "id"],
        sqlite_where=where,
        postgresql_where=where,
    )
    op.create_index("ix_delivery_message_seq", "delivery", ["message_seq"])
    op.create_index("ix_delivery_recipient_delivery_kind_id", "delivery", ["recipient", "delivery_kind", "id"])
    where = sa.text("state = 1")
    op.create_index(
        "ix_delivery_waiting",
        "delivery",
        ["recipient", "urgent", "next_attempt_time", "id"],
        sqlite_where=where,
        postgresql_where=where,
    )
    op.create_table(
        "outbound_queue",
        sa.Column("recipient", sa.Text, nullable=False),
        sa.Column("waiting", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("recipient", name="pk_outbound_queue"),
    )


def _create_peers() -> None:
    op.create_table(
        "known_log",
        sa.Column("member", sa.Text, nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("root", sa.LargeBinary, nullable=False),
        sa.Column("note", sa.LargeBinary, nullable=False),
        sa.Column("accepted_time", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("member", name="pk_known_log"),
    )
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
    op.create_table(
        "finding",
        sa.Column("index", _NUMBER, autoincrement=False, nullable=False),
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
    op.create_table(
        "peer_block",
        sa.Column("member", sa.Text, nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("blocked_time", sa.BigInteger, nullable=False),
        sa.Column("reason_text", sa.Text, nullable=False),
        sa.Column("index", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("member", name="pk_peer_block"),
    )


def _create_access() -> None:
    op.create_table(
        "officer",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("roles", sa.Text, nullable=False),
        sa.Column("unit", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("log_index", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_officer"),
    )
    op.create_table(
        "officer_certificate",
        sa.Column("certificate_sha256", sa.LargeBinary, nullable=False),
        sa.Column("officer", sa.Text, nullable=False),
        sa.Column("use", sa.Text, nullable=False),
        sa.Column("der", sa.LargeBinary, nullable=False),
        sa.Column("not_before", sa.BigInteger, nullable=False),
        sa.Column("not_after", sa.BigInteger, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("log_index", sa.BigInteger, nullable=False),
        sa.Column("invitation_sha256", sa.LargeBinary, nullable=False),
        sa.Column("to_revoke", sa.Boolean, nullable=False),
        sa.Column("confirmed_index", sa.BigInteger, nullable=True),
        sa.PrimaryKeyConstraint("certificate_sha256", name="pk_officer_certificate"),
    )
    op.create_index("ix_officer_certificate_officer", "officer_certificate", ["officer"])
    op.create_table(
        "invitation",
        sa.Column("invitation_sha256", sa.LargeBinary, nullable=False),
        sa.Column("officer", sa.Text, nullable=False),
        sa.Column("statement", sa.LargeBinary, nullable=False),
        sa.Column("secret_sha256", sa.LargeBinary, nullable=False),
        sa.Column("expiry_time", sa.BigInteger, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("log_index", sa.BigInteger, nullable=False),
        sa.Column("keys_sha256", sa.LargeBinary, nullable=False),
        sa.Column("guesses", sa.Integer, nullable=False),
        sa.Column("alarm", sa.Text, nullable=False),
        sa.Column("administrator_signature", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("invitation_sha256", name="pk_invitation"),
    )
    op.create_table(
        "renewal",
        sa.Column("renewal_sha256", sa.LargeBinary, nullable=False),
        sa.Column("officer", sa.Text, nullable=False),
        sa.Column("requested_time", sa.BigInteger, nullable=False),
        sa.Column("log_index", sa.BigInteger, nullable=False),
        sa.Column("authentication_sha256", sa.LargeBinary, nullable=False),
        sa.Column("signing_sha256", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("renewal_sha256", name="pk_renewal"),
    )
    op.create_index("ix_renewal_officer", "renewal", ["officer"])
    op.create_index("ix_invitation_officer", "invitation", ["officer"])
    op.create_index("ix_invitation_state", "invitation", ["state"])
    op.create_table(
        "deputy",
        sa.Column("log_index", _NUMBER, autoincrement=False, nullable=False),
        sa.Column("officer", sa.Text, nullable=False),
        sa.Column("deputy", sa.Text, nullable=False),
        sa.Column("end_time", sa.BigInteger, nullable=False),
        sa.Column("ended_index", sa.BigInteger, nullable=True),
        sa.PrimaryKeyConstraint("log_index", name="pk_deputy"),
    )
    op.create_index("ix_deputy_deputy", "deputy", ["deputy"])
    where = sa.text("ended_index IS NULL")
    op.create_index("ix_deputy_officer", "deputy", ["officer"], sqlite_where=where, postgresql_where=where)
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
        "reader",
        sa.Column("officer", sa.Text, nullable=False),
        sa.Column("seq", _NUMBER, autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("officer", "seq", name="pk_reader"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_reader_seq", "reader", ["seq"])


def _create_approvals() -> None:
    op.create_table(
        "approval",
        sa.Column("digest", sa.LargeBinary, nullable=False),
        sa.Column("message_id", sa.LargeBinary, nullable=False),
        sa.Column("drafter", sa.Text, nullable=False),
        sa.Column("header", sa.LargeBinary, nullable=False),
        sa.Column("submitted_index", sa.BigInteger, nullable=False),
        sa.Column("submitted_time", sa.BigInteger, nullable=False),
        sa.Column("expires_time", sa.BigInteger, nullable=False),
        sa.Column("state", sa.SmallInteger, nullable=False),
        sa.Column("missing", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("signed", sa.LargeBinary, nullable=True),
        sa.PrimaryKeyConstraint("digest", name="pk_approval"),
        sa.UniqueConstraint("message_id", name="uq_approval_message_id"),
    )
    where = sa.text("state = 1")
    op.create_index("ix_approval_waiting", "approval", ["expires_time"], sqlite_where=where, postgresql_where=where)


def _create_attachments() -> None:
    op.create_table(
        "upload",
        sa.Column("ciphertext_sha256", sa.LargeBinary, nullable=False),
        sa.Column("officer", sa.Text, nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("started_time", sa.BigInteger, nullable=False),
        sa.Column("whole", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("ciphertext_sha256", "officer", name="pk_upload"),
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
        sa.Column("pending_since_time", sa.BigInteger, nullable=False),
        sa.Column("due_time", sa.BigInteger, nullable=True),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
        sa.Column("settled_time", sa.BigInteger, nullable=True),
        sa.Column("log_index", sa.BigInteger, nullable=True),
        sa.PrimaryKeyConstraint("digest", "part_number", "member", "source", name="pk_attachment"),
    )
    op.create_index("ix_attachment_ciphertext_sha256", "attachment", ["ciphertext_sha256"])
    where = sa.text("due_time IS NOT NULL")
    op.create_index(
        "ix_attachment_due", "attachment", ["source", "due_time"], sqlite_where=where, postgresql_where=where
    )
    where = sa.text("state <> 2")
    op.create_index(
        "ix_attachment_open", "attachment", ["pending_since_time"], sqlite_where=where, postgresql_where=where
    )
    op.create_index("ix_attachment_source", "attachment", ["source"])
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


def _create_tasks() -> None:
    op.create_table(
        "task",
        sa.Column("seq", _NUMBER, autoincrement=False, nullable=False),
        sa.Column("unit", sa.Text, nullable=False),
        sa.Column("assignee", sa.Text, nullable=False),
        sa.Column("state", sa.SmallInteger, nullable=False),
        sa.Column("acknowledge_time", sa.BigInteger, nullable=True),
        sa.Column("due_time", sa.BigInteger, nullable=True),
        sa.Column("escalations", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_task"),
    )
    where = sa.text("state < 3")
    op.create_index(
        "ix_task_assignee", "task", ["assignee", "due_time", "seq"], sqlite_where=where, postgresql_where=where
    )
    where = sa.text("state = 1")
    op.create_index("ix_task_new", "task", ["acknowledge_time"], sqlite_where=where, postgresql_where=where)
    where = sa.text("state < 3")
    op.create_index("ix_task_unit", "task", ["unit", "due_time", "seq"], sqlite_where=where, postgresql_where=where)
    op.create_table(
        "shift_note",
        sa.Column("log_index", _NUMBER, autoincrement=False, nullable=False),
        sa.Column("unit", sa.Text, nullable=False),
        sa.Column("officer", sa.Text, nullable=False),
        sa.Column("note_time", sa.BigInteger, nullable=False),
        sa.Column("hands_over", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("log_index", name="pk_shift_note"),
    )
    op.create_index("ix_shift_note_unit", "shift_note", ["unit"])


def _create_search() -> None:
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
        "saved_search",
        sa.Column("officer", sa.Text, nullable=False),
        sa.Column("search_id", sa.LargeBinary, nullable=False),
        sa.Column("clauses", sa.LargeBinary, nullable=False),
        sa.Column("author", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("saved_time", sa.BigInteger, nullable=False),
        sa.Column("after_seq", sa.BigInteger, nullable=False),
        sa.Column("key_fingerprint", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("officer", "search_id", name="pk_saved_search"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "search_match",
        sa.Column("officer", sa.Text, nullable=False),
        sa.Column("search_id", sa.LargeBinary, nullable=False),
        sa.Column("seq", _NUMBER, autoincrement=False, nullable=False),
        sa.Column("annex", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("officer", "search_id", "seq", name="pk_search_match"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_search_match_seq", "search_match", ["seq"])
    op.create_table(
        "indexed_message",
        sa.Column("seq", _NUMBER, autoincrement=False, nullable=False),
        sa.Column("event_time", sa.BigInteger, nullable=True),
        sa.Column("linked", sa.Boolean, nullable=False),
        sa.Column("tokens_digest", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_indexed_message"),
    )


def _create_witness() -> None:
    op.create_table(
        "witnessed_note",
        sa.Column("size", sa.BigInteger, autoincrement=False, nullable=False),
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
        sa.Column("origin", sa.Text, nullable=False),
        sa.Column("log_index", sa.BigInteger, autoincrement=False, nullable=False),
        sa.Column("member", sa.Text, nullable=False),
        sa.Column("leaf", sa.LargeBinary, nullable=False),
        sa.Column("hashes", sa.LargeBinary, nullable=True),
        sa.PrimaryKeyConstraint("origin", "log_index", name="pk_uncosigned"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "cosigned_proof",
        sa.Column("origin", sa.Text, nullable=False),
        sa.Column("log_index", sa.BigInteger, autoincrement=False, nullable=False),
        sa.Column("hashes", sa.LargeBinary, nullable=True),
        sa.Column("path", _NUMBER, nullable=False),
        sa.PrimaryKeyConstraint("origin", "log_index", name="pk_cosigned_proof"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "cosigned_path",
        sa.Column("id", _NUMBER, autoincrement=False, nullable=False),
        sa.Column("span", sa.LargeBinary, nullable=False),
        sa.Column("hashes", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_cosigned_path"),
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


def _create_audit() -> None:
    op.create_table(
        "log_name",
        sa.Column("id", _NUMBER, autoincrement=False, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_log_name"),
        sa.UniqueConstraint("name", name="uq_log_name_name"),
    )
    op.create_table(
        "log_fact",
        sa.Column("index", _NUMBER, autoincrement=False, nullable=False),
        sa.Column("event", sa.SmallInteger, nullable=False),
        sa.Column("actor", _NUMBER, nullable=False),
        sa.Column("counterpart", _NUMBER, nullable=False),
        sa.Column("needless", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("index", name="pk_log_fact"),
    )
    op.create_index("ix_log_fact_actor", "log_fact", ["actor", "event", "index"])
    op.create_index("ix_log_fact_counterpart", "log_fact", ["counterpart", "event", "index"])
    op.create_index("ix_log_fact_event", "log_fact", ["event", "index"])
    where = sa.text("needless")
    op.create_index("ix_log_fact_needless", "log_fact", ["index"], sqlite_where=where, postgresql_where=where)


def _create_retention() -> None:
    op.create_table(
        "erasure",
        sa.Column("digest", sa.LargeBinary, nullable=False),
        sa.Column("request", sa.LargeBinary, nullable=False),
        sa.Column("requester", sa.Text, nullable=False),
        sa.Column("state", sa.SmallInteger, nullable=False),
        sa.Column("asked_time", sa.BigInteger, nullable=False),
        sa.Column("log_index", sa.BigInteger, nullable=True),
        sa.Column("tell_time", sa.BigInteger, nullable=True),
        sa.PrimaryKeyConstraint("digest", "request", name="pk_erasure"),
    )
    where = sa.text("state < 3")
    op.create_index("ix_erasure_due", "erasure", ["asked_time"], sqlite_where=where, postgresql_where=where)
    op.create_index("ix_erasure_request", "erasure", ["request"])
    op.create_index("ix_erasure_requester", "erasure", ["requester"])
    where = sa.text("tell_time IS NOT NULL")
    op.create_index("ix_erasure_tell", "erasure", ["tell_time"], sqlite_where=where, postgresql_where=where)
    op.create_table(
        "erasure_answer",
        sa.Column("request", sa.LargeBinary, nullable=False),
        sa.Column("digest", sa.LargeBinary, nullable=False),
        sa.Column("member", sa.Text, nullable=False),
        sa.Column("entry", sa.LargeBinary, nullable=False),
        sa.Column("log_index", sa.BigInteger, nullable=False),
        sa.Column("hashes", sa.LargeBinary, nullable=False),
        sa.Column("note_digest", sa.LargeBinary, nullable=False),
        sa.Column("register_version", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("request", "digest", "member", name="pk_erasure_answer"),
    )
    op.create_index("ix_erasure_answer_digest", "erasure_answer", ["digest"])
    op.create_table(
        "hold",
        sa.Column("digest", sa.LargeBinary, nullable=False),
        sa.Column("log_index", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_hold"),
    )
    op.create_table(
        "review",
        sa.Column("seq", _NUMBER, autoincrement=False, nullable=False),
        sa.Column("review_time", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_review"),
    )
    op.create_index("ix_review_time", "review", ["review_time", "seq"])


def _create_peer_audit() -> None:
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


def _create_ceremonies() -> None:
    op.create_table(
        "proposal",
        sa.Column("fingerprint", sa.LargeBinary, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("state", sa.SmallInteger, nullable=False),
        sa.Column("base_register_version", sa.LargeBinary, nullable=False),
        sa.Column("base_root_version", sa.BigInteger, nullable=False),
        sa.Column("versions", sa.Text, nullable=False),
        sa.Column("signed_sha256", sa.LargeBinary, nullable=False),
        sa.Column("alone_key", sa.Text, nullable=False),
        sa.Column("signed_by", sa.Text, nullable=False),
        sa.Column("refused_by", sa.Text, nullable=False),
        sa.Column("waits_for", sa.Text, nullable=False),
        sa.Column("missing", sa.Integer, nullable=False),
        sa.Column("state_sha256", sa.LargeBinary, nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("received_time", sa.BigInteger, nullable=False),
        sa.Column("changed_time", sa.BigInteger, nullable=False),
        sa.Column("closed_time", sa.BigInteger, nullable=True),
        sa.Column("register_version", sa.LargeBinary, nullable=False),
        sa.Column("data", sa.LargeBinary, nullable=True),
        sa.PrimaryKeyConstraint("fingerprint", name="pk_proposal"),
    )


def _create_recovery() -> None:
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
