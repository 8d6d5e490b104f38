"""The tables. One schema for both databases; the Alembic revision beside it creates exactly these.

Times are microseconds since 1970 in UTC, so that both databases compare and index them alike. Every update finds its
row by
primary key; every list is served by an index that ends where the list ends.
"""

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    literal_column,
    text,
)

METADATA: Final = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    }
)

# SQLite gives rowid speed only to INTEGER primary keys.
_Number = BigInteger().with_variant(Integer(), "sqlite")

log_head = Table(
    "log_head",
    METADATA,
    Column("id", SmallInteger, primary_key=True, autoincrement=False),
    Column("size", BigInteger, nullable=False),
    Column("root", LargeBinary, nullable=False),
    Column("messages", BigInteger, nullable=False),
    Column("deliveries", BigInteger, nullable=False),
    Column("last_time", BigInteger, nullable=False),
    Column("batch", LargeBinary, nullable=False),
)

log_entry = Table(
    "log_entry",
    METADATA,
    Column("index", _Number, primary_key=True, autoincrement=False),
    Column("entry", LargeBinary, nullable=False),
    Column("digest", LargeBinary, nullable=True),
)
Index("ix_log_entry_digest", log_entry.c.digest, log_entry.c.index)

log_tile = Table(
    "log_tile",
    METADATA,
    Column("level", SmallInteger, primary_key=True, autoincrement=False),
    Column("index", BigInteger, primary_key=True, autoincrement=False),
    Column("hashes", LargeBinary, nullable=False),
)

log_text = Table(
    "log_text",
    METADATA,
    Column("index", _Number, primary_key=True, autoincrement=False),
    Column("text", Text, nullable=False),
)

message = Table(
    "message",
    METADATA,
    Column("seq", _Number, primary_key=True, autoincrement=False),
    Column("digest", LargeBinary, nullable=False, unique=True),
    Column("author", Text, nullable=False),
    Column("message_id", LargeBinary, nullable=False),
    Column("thread_id", LargeBinary, nullable=False),
    Column("thread_name", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("urgency", SmallInteger, nullable=False),
    Column("state", SmallInteger, nullable=False),
    Column("received", Boolean, nullable=False),
    Column("stored_time", BigInteger, nullable=False),
    Column("source_row", LargeBinary, nullable=True, unique=True),
    Column("header", LargeBinary, nullable=False),
    Column("unit", Text, nullable=True),  # whose it is; what has none is seen by those who see all
    UniqueConstraint("message_id", "author"),  # in this order it also finds ids by their beginning
)
Index("ix_message_thread_id_seq", message.c.thread_id, message.c.seq)
Index("ix_message_thread_name", message.c.thread_name)
Index("ix_message_received_seq", message.c.received, message.c.seq)
Index("ix_message_kind_seq", message.c.kind, message.c.seq)
Index("ix_message_unit_received_seq", message.c.unit, message.c.received, message.c.seq)
Index("ix_message_author_seq", message.c.author, message.c.seq)

# Which messages follow from which. A parent is named by its digest: it may come later, or never.
message_parent = Table(
    "message_parent",
    METADATA,
    Column("parent", LargeBinary, primary_key=True),
    Column("kind", Text, primary_key=True),  # of the message that follows: an operation has thousands, of many kinds
    Column("seq", _Number, ForeignKey(message.c.seq), primary_key=True, autoincrement=False),
)

# Apart from `message`, so that lists never read past ciphertexts and erasure is the deletion of a row.
message_body = Table(
    "message_body",
    METADATA,
    Column("seq", _Number, ForeignKey(message.c.seq), primary_key=True, autoincrement=False),
    Column("signed", LargeBinary, nullable=False),
)

delivery = Table(
    "delivery",
    METADATA,
    Column("id", _Number, primary_key=True, autoincrement=False),
    Column("message_seq", BigInteger, ForeignKey(message.c.seq), nullable=False, index=True),
    Column("digest", LargeBinary, nullable=False),
    Column("recipient", Text, nullable=False),
    Column("urgency", SmallInteger, nullable=False),
    Column("urgent", Boolean, nullable=False),  # which of a courier's two slots it waits for
    Column("released_index", BigInteger, nullable=False),
    Column("released_time", BigInteger, nullable=False),
    Column("expires_time", BigInteger, nullable=False),
    Column("next_attempt_time", BigInteger, nullable=False),
    Column("state", SmallInteger, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("reason", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("settled_time", BigInteger, nullable=True),
    Column("passing", SmallInteger, nullable=False, server_default="0"),  # `paiza_node.model.Passing`
)
# Only what waits stands in these, so that they stay small however many messages were ever sent.
_WAITING: Final = text("state = 1")
Index(
    "ix_delivery_waiting",
    delivery.c.recipient,
    delivery.c.urgent,
    delivery.c.id,
    sqlite_where=_WAITING,
    postgresql_where=_WAITING,
)
Index(
    "ix_delivery_first",
    delivery.c.recipient,
    delivery.c.id,
    sqlite_where=text("state = 1 AND urgency > 5"),
    postgresql_where=text("state = 1 AND urgency > 5"),
)
Index("ix_delivery_expires", delivery.c.expires_time, sqlite_where=_WAITING, postgresql_where=_WAITING)
# The same, for queries: a literal, so that the database sees that the partial index applies.
WAITING_LITERAL: Final = literal_column("1", Integer())
_FAILED: Final = text("state > 2")
Index("ix_delivery_failed", delivery.c.id, sqlite_where=_FAILED, postgresql_where=_FAILED)

answer = Table(
    "answer",
    METADATA,
    Column("digest", LargeBinary, primary_key=True),
    Column("log_index", BigInteger, nullable=False),
)

proof = Table(
    "proof",
    METADATA,
    Column("digest", LargeBinary, primary_key=True),
    Column("member", Text, primary_key=True),
    Column("kind", SmallInteger, primary_key=True, autoincrement=False),
    Column("entry", LargeBinary, nullable=False),
    Column("log_index", BigInteger, nullable=False),
    Column("hashes", LargeBinary, nullable=False),
    Column("note_digest", LargeBinary, nullable=False),
    Column("register_version", LargeBinary, nullable=False),
)

# Entries of other members' logs that say they passed a message on, to us or (of our own messages) to others.
passed_on = Table(
    "passed_on",
    METADATA,
    Column("forwarder", Text, primary_key=True),
    Column("entry_index", BigInteger, primary_key=True, autoincrement=False),
    Column("digest", LargeBinary, nullable=False),
    Column("holder", Text, nullable=False),
    Column("entry", LargeBinary, nullable=False),
    Column("hashes", LargeBinary, nullable=False),
    Column("note_digest", LargeBinary, nullable=False),
    Column("register_version", LargeBinary, nullable=False),
    Column("log_index", BigInteger, nullable=False),
    Column("denied", Boolean, nullable=False),
    Column("held", Boolean, nullable=False),
)
Index("ix_passed_on_digest", passed_on.c.digest)

# Checkpoint notes that proofs lead to; a batch of proofs shares one.
note = Table(
    "note",
    METADATA,
    Column("digest", LargeBinary, primary_key=True),
    Column("note", LargeBinary, nullable=False),
)

# Ciphertexts that officers brought and no message names yet.
upload = Table(
    "upload",
    METADATA,
    Column("ciphertext_sha256", LargeBinary, primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("officer", Text, nullable=False),
    Column("started_time", BigInteger, nullable=False),
    Column("whole", Boolean, nullable=False),
)
Index("ix_upload_officer", upload.c.officer)

# Where each attachment stands: at ourselves for a message received, at each recipient for one sent. The files lie
# beside the database.
attachment = Table(
    "attachment",
    METADATA,
    Column("digest", LargeBinary, primary_key=True),
    Column("part_number", Integer, primary_key=True, autoincrement=False),
    Column("member", Text, primary_key=True),
    Column("source", Text, nullable=False),  # who hands it over to us; empty where we hand it over
    Column("ciphertext_sha256", LargeBinary, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("state", SmallInteger, nullable=False),
    Column("awaited_time", BigInteger, nullable=False),  # since when
    Column("due_time", BigInteger, nullable=True),  # when we have something to do: to fetch it, or to tell that we did
    Column("attempts", Integer, nullable=False),
    Column("reason", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("settled_time", BigInteger, nullable=True),
    Column("log_index", BigInteger, nullable=True),  # the entry of our log that settled it
)
Index("ix_attachment_ciphertext_sha256", attachment.c.ciphertext_sha256)
_DUE: Final = text("due_time IS NOT NULL")
Index("ix_attachment_due", attachment.c.source, attachment.c.due_time, sqlite_where=_DUE, postgresql_where=_DUE)
_UNSETTLED: Final = text("state <> 2")
Index("ix_attachment_open", attachment.c.awaited_time, sqlite_where=_UNSETTLED, postgresql_where=_UNSETTLED)

# A recipient's entry about an attachment of ours, proven to its log.
attachment_proof = Table(
    "attachment_proof",
    METADATA,
    Column("digest", LargeBinary, primary_key=True),
    Column("part_number", Integer, primary_key=True, autoincrement=False),
    Column("member", Text, primary_key=True),
    Column("entry", LargeBinary, nullable=False),
    Column("log_index", BigInteger, nullable=False),
    Column("hashes", LargeBinary, nullable=False),
    Column("note_digest", LargeBinary, nullable=False),
    Column("register_version", LargeBinary, nullable=False),
)

known_log = Table(
    "known_log",
    METADATA,
    Column("member", Text, primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("root", LargeBinary, nullable=False),
    Column("note", LargeBinary, nullable=False),
    Column("accepted_time", BigInteger, nullable=False),
)

officer = Table(
    "officer",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("roles", Text, nullable=False),
    Column("unit", Text, nullable=False),
    Column("certificate_sha256", LargeBinary, nullable=False),
    Column("suspended", Boolean, nullable=False),
)

opened = Table(
    "opened",
    METADATA,
    Column("log_index", _Number, primary_key=True, autoincrement=False),
    Column("digest", LargeBinary, nullable=False),
    Column("part_number", Integer, nullable=False),
    Column("officer", Text, nullable=False),
)
Index("ix_opened_digest_officer", opened.c.digest, opened.c.officer)

setting = Table(
    "setting",
    METADATA,
    Column("name", Text, primary_key=True),
    Column("value", LargeBinary, nullable=False),
)

counter = Table(
    "counter",
    METADATA,
    Column("name", Text, primary_key=True),
    Column("value", BigInteger, nullable=False),
)

# Messages that one officer signed and others must sign. What is decided keeps its row, so that a repeat is known.
approval = Table(
    "approval",
    METADATA,
    Column("digest", LargeBinary, primary_key=True),
    Column("message_id", LargeBinary, nullable=False, unique=True),
    Column("drafter", Text, nullable=False),
    Column("header", LargeBinary, nullable=False),
    Column("signed", LargeBinary, nullable=True),
    Column("submitted_index", BigInteger, nullable=False),
    Column("submitted_time", BigInteger, nullable=False),
    Column("expires_time", BigInteger, nullable=False),
    Column("state", SmallInteger, nullable=False),
    Column("missing", Text, nullable=False),
    Column("reason", Text, nullable=False),
)
# Only what waits stands in it.
Index("ix_approval_waiting", approval.c.expires_time, sqlite_where=_WAITING, postgresql_where=_WAITING)

# Officers who see a message besides those of its unit: those it was given to, and those who signed it.
reader = Table(
    "reader",
    METADATA,
    Column("officer", Text, primary_key=True),
    Column("seq", _Number, primary_key=True, autoincrement=False),
    sqlite_with_rowid=False,
)

# Received messages as somebody's work; states are those of the protocol.
work = Table(
    "work",
    METADATA,
    Column("seq", _Number, ForeignKey(message.c.seq), primary_key=True, autoincrement=False),
    Column("digest", LargeBinary, nullable=False, unique=True),
    Column("unit", Text, nullable=False),
    Column("assignee", Text, nullable=False),
    Column("state", SmallInteger, nullable=False),
    Column("acknowledge_time", BigInteger, nullable=True),
    Column("due_time", BigInteger, nullable=True),
    Column("escalations", Integer, nullable=False),
)
_TO_DO: Final = text("state < 3")
Index("ix_work_unit", work.c.unit, work.c.due_time, work.c.seq, sqlite_where=_TO_DO, postgresql_where=_TO_DO)
Index("ix_work_assignee", work.c.assignee, work.c.due_time, work.c.seq, sqlite_where=_TO_DO, postgresql_where=_TO_DO)
Index("ix_work_new", work.c.acknowledge_time, sqlite_where=_WAITING, postgresql_where=_WAITING)

# What messages speak of: HMAC-SHA256 under the node's index key, cut to 16 bytes. A stolen database shows no term.
term_token = Table(
    "term_token",
    METADATA,
    Column("token", LargeBinary, primary_key=True),
    Column("seq", _Number, primary_key=True, autoincrement=False),
    Column("field", Text, nullable=False),
    Column("annex", Boolean, nullable=False),  # stands in the nominal annex alone
    sqlite_with_rowid=False,
)
Index("ix_term_token_seq", term_token.c.seq)

indexed_message = Table(
    "indexed_message",
    METADATA,
    Column("seq", _Number, ForeignKey(message.c.seq), primary_key=True, autoincrement=False),
    Column("event_time", BigInteger, nullable=True),
    Column("linked", Boolean, nullable=False),
)

# Checkpoints of the own log that a quorum cosigned: of each size the first such note, and the latest where an idle log
# was cosigned anew.
witnessed_note = Table(
    "witnessed_note",
    METADATA,
    Column("size", BigInteger, primary_key=True, autoincrement=False),
    Column("again", Boolean, primary_key=True),
    Column("origin", Text, nullable=False),
    Column("root", LargeBinary, nullable=False),
    Column("note", LargeBinary, nullable=False),
    Column("time", BigInteger, nullable=False),
    Column("witnesses", Text, nullable=False),
)
Index("ix_witnessed_note_time", witnessed_note.c.time)

# Entries of other members' logs whose proof as it was kept is not cosigned yet; each goes when it is.
uncosigned = Table(
    "uncosigned",
    METADATA,
    Column("member", Text, primary_key=True),
    Column("log_index", BigInteger, primary_key=True, autoincrement=False),
    Column("leaf", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)

# The same entries proven to a note that a quorum cosigned. The proof as it was first kept stays in its own table. Of
# a log that its member has left behind, `member` is the origin.
cosigned_proof = Table(
    "cosigned_proof",
    METADATA,
    Column("member", Text, primary_key=True),
    Column("log_index", BigInteger, primary_key=True, autoincrement=False),
    Column("hashes", LargeBinary, nullable=False),
    Column("span", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)

# Two cosigned notes of a log, one right after the other; the entries between them share it. Named by the SHA-256 of
# what it holds.
cosigned_span = Table(
    "cosigned_span",
    METADATA,
    Column("id", LargeBinary, primary_key=True),
    Column("before_digest", LargeBinary, nullable=True),
    Column("note_digest", LargeBinary, nullable=False),
    Column("growth", LargeBinary, nullable=False),
    Column("register_version", LargeBinary, nullable=False),
)

# What was found against other members' logs, by the entry of our log that says so.
finding = Table(
    "finding",
    METADATA,
    Column("index", _Number, primary_key=True, autoincrement=False),
    Column("member", Text, nullable=False),
    Column("origin", Text, nullable=False),
    Column("kind", SmallInteger, nullable=False),  # `paiza_node.model.FindingKind`
    Column("proof", LargeBinary, nullable=False),
    Column("found_time", BigInteger, nullable=False),
    Column("state", SmallInteger, nullable=False),  # `paiza_node.model.FindingState`
    Column("ended_time", BigInteger, nullable=True),
    Column("ended_index", BigInteger, nullable=True),
    Column("reason_text", Text, nullable=False),
    Column("forgiven_size", BigInteger, nullable=False),
)
Index("ix_finding_member", finding.c.member)

# Who and what the log speaks of, each name once; and what every entry says that is asked about. Made from the log, a
# little behind it, so that no commit waits for it.
log_name = Table(
    "log_name",
    METADATA,
    Column("id", _Number, primary_key=True, autoincrement=False),
    Column("name", Text, nullable=False, unique=True),
)
log_fact = Table(
    "log_fact",
    METADATA,
    Column("index", _Number, primary_key=True, autoincrement=False),
    Column("event", SmallInteger, nullable=False),
    Column("actor", _Number, nullable=False),
    Column("counterpart", _Number, nullable=False),
    Column("needless", Boolean, nullable=False),  # an opening without need
)
Index("ix_log_fact_event", log_fact.c.event, log_fact.c.index)
Index("ix_log_fact_actor", log_fact.c.actor, log_fact.c.event, log_fact.c.index)
Index("ix_log_fact_counterpart", log_fact.c.counterpart, log_fact.c.event, log_fact.c.index)
_NEEDLESS: Final = text("needless")
Index("ix_log_fact_needless", log_fact.c.index, sqlite_where=_NEEDLESS, postgresql_where=_NEEDLESS)

# What is to be erased here, was, or is held; the request is empty where the own member erases its copy by itself.
erasure = Table(
    "erasure",
    METADATA,
    Column("digest", LargeBinary, primary_key=True),
    Column("request", LargeBinary, primary_key=True),
    Column("requester", Text, nullable=False),
    Column("state", SmallInteger, nullable=False),  # `paiza_node.model.ErasureStep`
    Column("asked_time", BigInteger, nullable=False),
    Column("log_index", BigInteger, nullable=True),  # the entry of our log that answers the request
    Column("tell_time", BigInteger, nullable=True),  # when the requester is to be told (again)
)
Index("ix_erasure_request", erasure.c.request)
_TO_ERASE: Final = text("state < 3")
Index("ix_erasure_due", erasure.c.asked_time, sqlite_where=_TO_ERASE, postgresql_where=_TO_ERASE)
_TO_TELL: Final = text("tell_time IS NOT NULL")
Index("ix_erasure_tell", erasure.c.tell_time, sqlite_where=_TO_TELL, postgresql_where=_TO_TELL)

# What stays of an erased message: its header and signatures, so that everything that was proven of it still is.
erased = Table(
    "erased",
    METADATA,
    Column("digest", LargeBinary, primary_key=True),
    Column("signed", LargeBinary, nullable=False),
)

# A holder's entry that answers a request of ours, proven to its log.
erasure_answer = Table(
    "erasure_answer",
    METADATA,
    Column("request", LargeBinary, primary_key=True),
    Column("digest", LargeBinary, primary_key=True),
    Column("member", Text, primary_key=True),
    Column("entry", LargeBinary, nullable=False),
    Column("log_index", BigInteger, nullable=False),
    Column("hashes", LargeBinary, nullable=False),
    Column("note_digest", LargeBinary, nullable=False),
    Column("register_version", LargeBinary, nullable=False),
)
Index("ix_erasure_answer_digest", erasure_answer.c.digest)

hold = Table(
    "hold",
    METADATA,
    Column("digest", LargeBinary, primary_key=True),
    Column("log_index", BigInteger, nullable=False),  # the entry that says who put it under hold, and why
)

# When messages are to be reviewed; one that was erased has no row.
review = Table(
    "review",
    METADATA,
    Column("seq", _Number, primary_key=True, autoincrement=False),
    Column("review_time", BigInteger, nullable=False),
)
Index("ix_review_time", review.c.review_time, review.c.seq)

# Entries that audit retention took: what stays is the hash that the tree is built of.
retired = Table(
    "retired",
    METADATA,
    Column("index", _Number, primary_key=True, autoincrement=False),
    Column("leaf", LargeBinary, nullable=False),
)

# Messages whose headers retention took with everything about them: their digests, so that none is taken anew.
retired_message = Table(
    "retired_message",
    METADATA,
    Column("seq", _Number, primary_key=True, autoincrement=False),
    Column("digest", LargeBinary, nullable=False, unique=True),
)

# What other members may see of the log. A grant that ended keeps its row: it says what could be seen when.
audit_grant = Table(
    "audit_grant",
    METADATA,
    Column("id", _Number, primary_key=True, autoincrement=False),
    Column("member", Text, nullable=False),
    Column("events", Text, nullable=False),
    Column("since_time", BigInteger, nullable=True),
    Column("until_time", BigInteger, nullable=False),
    Column("headers", Boolean, nullable=False),
    Column("granted_time", BigInteger, nullable=False),
    Column("withdrawn_time", BigInteger, nullable=True),
)
Index("ix_audit_grant_member", audit_grant.c.member)

# Periods on whose messages the other member's node agrees with ours.
reconciled_period = Table(
    "reconciled_period",
    METADATA,
    Column("counterpart", Text, primary_key=True),
    Column("since_time", BigInteger, primary_key=True, autoincrement=False),
    Column("until_time", BigInteger, primary_key=True, autoincrement=False),
    Column("digest", LargeBinary, nullable=False),
    Column("log_index", BigInteger, nullable=False),
    Column("entry", LargeBinary, nullable=True),
    Column("entry_index", BigInteger, nullable=True),
    Column("hashes", LargeBinary, nullable=True),
    Column("note_digest", LargeBinary, nullable=True),
    Column("register_version", LargeBinary, nullable=True),
)

# What is counted over all messages there ever were: nothing wide is read, and nothing is written when one is settled.
Index("ix_delivery_recipient_passing_id", delivery.c.recipient, delivery.c.passing, delivery.c.id)
_REFUSED: Final = text("state = 3")
Index("ix_message_refused", message.c.author, message.c.seq, sqlite_where=_REFUSED, postgresql_where=_REFUSED)

# Earlier logs of this node, each of which the next one goes on from: `first_index` is where its entries stand in the
# present log, `size` how many of them there are, `kept_note` a checkpoint of it that they lead to, and `largest_note`
# the largest that anybody showed. Between the two is what was lost.
former_log = Table(
    "former_log",
    METADATA,
    Column("origin", Text, primary_key=True),
    Column("first_index", BigInteger, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("kept_note", LargeBinary, nullable=False),
    Column("largest_note", LargeBinary, nullable=False),
)

# Entries of an earlier log of this node that were lost, as the member concerned gave them back; `log_index` is the
# RECOVERED entry of the present log.
recovered_entry = Table(
    "recovered_entry",
    METADATA,
    Column("origin", Text, primary_key=True),
    Column("entry_index", BigInteger, primary_key=True, autoincrement=False),
    Column("counterpart", Text, nullable=False),
    Column("digest", LargeBinary, nullable=False),
    Column("entry", LargeBinary, nullable=False),
    Column("hashes", LargeBinary, nullable=False),
    Column("note_digest", LargeBinary, nullable=False),
    Column("log_index", BigInteger, nullable=False),
)
Index("ix_recovered_entry_digest", recovered_entry.c.digest)

# The largest accepted checkpoints of logs that other members have since left behind.
former_known_log = Table(
    "former_known_log",
    METADATA,
    Column("origin", Text, primary_key=True),
    Column("member", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("root", LargeBinary, nullable=False),
    Column("note", LargeBinary, nullable=False),
    Column("accepted_time", BigInteger, nullable=False),
)
