"""Officers' requests for new certificates, and the certificates that answered them."""

from datetime import datetime
from typing import Final

from sqlalchemy import BigInteger, Column, Index, LargeBinary, Table, Text, func, select

from paiza_node.core.storage import ReadConnection, WriteConnection
from paiza_node.core.storage.lifecycle import Lifecycle
from paiza_node.core.storage.records import TIME, Records
from paiza_node.core.storage.schema import METADATA
from paiza_node.core.storage.times import to_micros
from paiza_node.features.enrolment.model import Renewal

# A request has an entry of its own, so that the issuer can be shown what the officer signed.
renewal_table = Table(
    "renewal",
    METADATA,
    Column("renewal_sha256", LargeBinary, primary_key=True),
    Column("officer", Text, nullable=False),
    Column("requested_time", BigInteger, nullable=False),
    Column("log_index", BigInteger, nullable=False),
    Column("authentication_sha256", LargeBinary, nullable=False),
    Column("signing_sha256", LargeBinary, nullable=False),
)
Index("ix_renewal_officer", renewal_table.c.officer)


def renewal(conn: ReadConnection, renewal_sha256: bytes) -> Renewal | None:
    """Return a request for new certificates."""
    return _RENEWALS.first(conn, select(renewal_table).where(renewal_table.c.renewal_sha256 == renewal_sha256))


def renewals_since(conn: ReadConnection, officer: str, since: datetime) -> int:
    """Return how many requests an officer made since a time."""
    c = renewal_table.c
    found = select(func.count()).where(c.officer == officer, c.requested_time >= to_micros(since))
    return conn.execute(found).scalar_one()


def put_renewal(conn: WriteConnection, renewal: Renewal) -> None:
    """Store a request for new certificates."""
    _RENEWALS.put(conn, [renewal])


_RENEWALS: Final = Records(renewal_table, Renewal, requested_time=TIME)

LIFECYCLES: Final = (Lifecycle(renewal_table),)
