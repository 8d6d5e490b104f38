"""Proposals in the database. Their number and size are bounded (`model`)."""

from collections.abc import Collection
from datetime import datetime
from typing import Final

from sqlalchemy import BigInteger, Column, Integer, LargeBinary, SmallInteger, Table, Text, delete, select, update

from paiza_node.core.storage import ReadConnection, WriteConnection
from paiza_node.core.storage.lifecycle import Lifecycle
from paiza_node.core.storage.records import TIME, WORDS, Kept, Records
from paiza_node.core.storage.schema import METADATA
from paiza_node.core.storage.times import to_micros
from paiza_node.features.ceremonies.model import HeldProposal, HeldState

# Proposals that wait for signatures, and those that were closed within the last day.
proposal_table = Table(
    "proposal",
    METADATA,
    Column("fingerprint", LargeBinary, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("state", SmallInteger, nullable=False),
    Column("base_register_version", LargeBinary, nullable=False),
    Column("base_root_version", BigInteger, nullable=False),
    Column("versions", Text, nullable=False),
    Column("signed_sha256", LargeBinary, nullable=False),
    Column("alone_key", Text, nullable=False),
    Column("signed_by", Text, nullable=False),
    Column("refused_by", Text, nullable=False),
    Column("waits_for", Text, nullable=False),
    Column("missing", Integer, nullable=False),
    Column("state_sha256", LargeBinary, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("received_time", BigInteger, nullable=False),
    Column("changed_time", BigInteger, nullable=False),
    Column("closed_time", BigInteger, nullable=True),
    Column("register_version", LargeBinary, nullable=False),
    Column("data", LargeBinary, nullable=True),
)

# Without the file: lists never read it.
_COLUMNS: Final = [column for column in proposal_table.columns if column.name != "data"]


def proposals(conn: ReadConnection) -> list[HeldProposal]:
    """Return all proposals without their files, by fingerprint."""
    return _PROPOSALS.find(conn, select(*_COLUMNS).order_by(proposal_table.c.fingerprint))


def proposal(conn: ReadConnection, fingerprint: bytes) -> HeldProposal | None:
    """Return a proposal with its file."""
    return _PROPOSALS.first(conn, select(proposal_table).where(proposal_table.c.fingerprint == fingerprint))


def put_proposal(conn: WriteConnection, held: HeldProposal) -> None:
    """Store a proposal with its file; it replaces the one of its fingerprint."""
    _PROPOSALS.put(conn, [held])


def close_proposal(
    conn: WriteConnection, fingerprint: bytes, state: HeldState, now: datetime, register_version: bytes = b""
) -> None:
    """Store that a proposal was published, or cannot be any more."""
    changed = update(proposal_table).where(proposal_table.c.fingerprint == fingerprint)
    conn.execute(
        changed,
        {"state": int(state), "closed_time": to_micros(now), "register_version": register_version},
    )


def remove_files(conn: WriteConnection, fingerprints: Collection[bytes]) -> None:
    """Remove the files of these proposals."""
    conn.execute(
        update(proposal_table).where(proposal_table.c.fingerprint.in_(fingerprints)), {"data": None, "size": 0}
    )


def remove(conn: WriteConnection, fingerprints: Collection[bytes]) -> None:
    """Remove these proposals."""
    conn.execute(delete(proposal_table).where(proposal_table.c.fingerprint.in_(fingerprints)))


_PROPOSALS: Final = Records(
    proposal_table,
    HeldProposal,
    state=Kept(int, HeldState),
    versions=WORDS,
    signed_by=WORDS,
    refused_by=WORDS,
    waits_for=WORDS,
    received_time=TIME,
    changed_time=TIME,
    closed_time=TIME,
)

LIFECYCLES: Final = (Lifecycle(proposal_table),)
