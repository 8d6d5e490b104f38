"""Grants: the entries of our log that another member may see, set by the operator. Metadata, never content.

A member has one grant at a time: a new one replaces the former. Nothing is copied to members; a grant allows queries,
and each query is logged.
"""

from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Final

from paiza.admin.v1 import admin_pb2
from paiza_node.core.access.operator import operator
from paiza_node.core.api import paging
from paiza_node.core.dependencies import Core
from paiza_node.core.log.transaction import LogTransaction
from paiza_node.core.storage import settings as settings_store
from paiza_node.features.peer_audit import store as peer_audit_store
from paiza_node.features.peer_audit.model import AuditGrant
from paiza_node.features.peer_audit.visibility import ALL_EVENTS, grant_in_force
from paiza_wire import log_entries
from paiza_wire.errors import Rejected
from paiza_wire.tlog.log_queries import query_time

MAX_GRANT_DAYS: Final = 1_830  # five years; a longer grant must be renewed
COUNTER: Final = "audit_grant"


class AuditGrants:
    """Handles grants for the operator."""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def grant(self, request: admin_pb2.GrantAuditRequest) -> admin_pb2.GrantAuditResponse:
        """Grant a member to see entries; its former grant ends."""
        member = self._core.register_cache.current.active_member(request.member)
        if member.id == self._core.member:
            raise Rejected("wrong_member", "a member needs no grant for its own log")
        events = frozenset(request.events)
        if not events or not events <= ALL_EVENTS:
            raise Rejected("malformed", "the grant names no events, or one that there is not")
        since = query_time(request.since_time) if request.HasField("since_time") else None
        until = query_time(request.until_time)
        now = self._core.clock()
        if not now < until <= now + timedelta(days=MAX_GRANT_DAYS):
            raise Rejected("malformed", f"a grant ends in the future, in at most {MAX_GRANT_DAYS} days")
        if since is not None and since >= until:
            raise Rejected("malformed", "the grant ends before what it shows begins")

        def work(tx: LogTransaction) -> AuditGrant:
            earlier = grant_in_force(peer_audit_store.audit_grants(tx.conn, member.id), tx.now)
            if earlier is not None:
                _end(tx, earlier, replaced=True)
            number = settings_store.counter(tx.conn, COUNTER) + 1
            settings_store.put_counter(tx.conn, COUNTER, number)
            given = AuditGrant(number, member.id, events, since, until, request.headers, tx.now)
            peer_audit_store.add_audit_grant(tx.conn, given)
            text = grant_text(given)
            digest = sha256(text.encode()).digest()
            tx.append(log_entries.audit_granted(actor=operator(), member=member.id, grant_sha256=digest), text=text)
            return given

        return admin_pb2.GrantAuditResponse(grant=_shown((await self._core.ledger.commit(work)).result))

    async def list_grants(self, request: admin_pb2.ListAuditGrantsRequest) -> admin_pb2.ListAuditGrantsResponse:
        """Return every grant, oldest first, including ended ones."""
        with self._core.store.reads() as reads:
            page, more = paging.page_of(peer_audit_store.audit_grants(reads), lambda each: f"{each.id:019}", request)
        return admin_pb2.ListAuditGrantsResponse(grants=map(_shown, page), next_page_token=more)

    async def withdraw(self, request: admin_pb2.WithdrawAuditRequest) -> admin_pb2.WithdrawAuditResponse:
        """End a grant before its time."""

        def work(tx: LogTransaction) -> AuditGrant:
            found = next((each for each in peer_audit_store.audit_grants(tx.conn) if each.id == request.grant_id), None)
            if found is None or found.withdrawn_time is not None:
                raise Rejected("unknown_id", f"no grant {request.grant_id} stands")
            _end(tx, found, replaced=False)
            return next(each for each in peer_audit_store.audit_grants(tx.conn, found.member) if each.id == found.id)

        return admin_pb2.WithdrawAuditResponse(grant=_shown((await self._core.ledger.commit(work)).result))


def grant_text(grant: AuditGrant) -> str:
    """Return a line about the content of a grant; it is stored beside the log, and the entry commits to it."""
    events = ",".join(map(log_entries.event_name, sorted(grant.events)))
    since = "" if grant.since_time is None else f"; since {grant.since_time.isoformat()}"
    return f"grant {grant.id}: {events}{since}; until {grant.until_time.isoformat()}" + "; headers" * grant.headers


def _end(tx: LogTransaction, grant: AuditGrant, *, replaced: bool) -> None:
    peer_audit_store.end_audit_grant(tx.conn, grant.id, tx.now)
    text = grant_text(grant)
    entry = log_entries.audit_withdrawn(
        actor=operator(), member=grant.member, grant_sha256=sha256(text.encode()).digest(), replaced=replaced
    )
    tx.append(entry, text=text)


def _shown(grant: AuditGrant) -> admin_pb2.AuditGrant:
    shown = admin_pb2.AuditGrant(
        grant_id=grant.id,
        member=grant.member,
        events=sorted(grant.events),  # type: ignore[arg-type]  # numbers of the enum
        headers=grant.headers,
    )
    times: tuple[tuple[str, datetime | None], ...] = (
        ("since_time", grant.since_time),
        ("until_time", grant.until_time),
        ("granted_time", grant.granted_time),
        ("withdrawn_time", grant.withdrawn_time),
    )
    for name, time in times:
        if time is not None:
            getattr(shown, name).FromDatetime(time.astimezone(UTC))
    return shown
