"""Visibility: which entries of our log an officer or a member may see, and which data is shown with them.

An officer of our own who reads the log sees all of it. Another member's node sees what it was granted, and always the
entries that concern itself: what we released to it, received from it, and answered.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from paiza.core.v1 import log_pb2, log_query_pb2
from paiza_node.core.log.model import LogEvent
from paiza_node.features.peer_audit.model import AuditGrant
from paiza_wire import log_entries

ALL_EVENTS: Final = log_entries.EVENTS
PARTY_EVENTS: Final = frozenset({
    log_pb2.LOG_EVENT_RELEASED,
    log_pb2.LOG_EVENT_RECEIVED,
    log_pb2.LOG_EVENT_REFUSED,
    log_pb2.LOG_EVENT_DELIVERED,
    log_pb2.LOG_EVENT_DELIVERY_REFUSED,
    log_pb2.LOG_EVENT_FORWARDED,
    log_pb2.LOG_EVENT_RECALLED,
    log_pb2.LOG_EVENT_ERASED,
    log_pb2.LOG_EVENT_NEVER_HELD,
    log_pb2.LOG_EVENT_ERASURE_DENIED,
    log_pb2.LOG_EVENT_ERASURE_ANSWERED,
    log_pb2.LOG_EVENT_DENIED,
    log_pb2.LOG_EVENT_EXPIRED,
    log_pb2.LOG_EVENT_RECONCILED,
    log_pb2.LOG_EVENT_CONSULTED,
    log_pb2.LOG_EVENT_AUDIT_GRANTED,
    log_pb2.LOG_EVENT_AUDIT_WITHDRAWN,
})  # fmt: skip
"""Events whose entries a member may see if they name it: they contain only what passed between it and us."""

_SHOWN_TO_PARTIES: Final = frozenset({
    log_pb2.LOG_EVENT_RELEASED,
    log_pb2.LOG_EVENT_RECEIVED,
    log_pb2.LOG_EVENT_FORWARDED,
})  # fmt: skip
"""Events of whose messages a party may see the headers: it wrote them, or was an addressee."""


@dataclass(frozen=True, slots=True)
class Visibility:
    """The visibility for one caller. ``member`` is the caller; ``grant`` the one in force, None if there is none."""

    member: str
    own: bool = False
    grant: AuditGrant | None = None

    def scope(self, events: Iterable[int]) -> log_query_pb2.AuditScope:
        """Return which of these events may be seen; of all, if none is named."""
        asked = frozenset(events) or ALL_EVENTS
        scope = log_query_pb2.AuditScope()
        if self.own:
            scope.events.extend(_sorted(asked))
            scope.headers = True
            return scope
        scope.party_events.extend(_sorted(asked & PARTY_EVENTS))
        if self.grant is not None:
            scope.events.extend(_sorted(asked & self.grant.events))
            scope.headers = self.grant.headers
            scope.until_time.FromDatetime(self.grant.until_time)
            if self.grant.since_time is not None:
                scope.since_time.FromDatetime(self.grant.since_time)
        return scope

    def shows(self, entry: log_pb2.LogEntry) -> bool:
        """Return whether an entry may be seen."""
        return self.own or self._is_party(entry) or self._is_granted(entry)

    def shows_header(self, entry: log_pb2.LogEntry) -> bool:
        """Return whether the header of an entry's message may be seen with it."""
        if self.own or (self._is_party(entry) and entry.event in _SHOWN_TO_PARTIES):
            return True
        return self._is_granted(entry) and self.grant is not None and self.grant.headers

    def covers(self, events: Iterable[int], counterpart: str) -> bool:
        """Return whether any requested entry may be visible: entries of these events about one member, or about all."""
        return self.own or counterpart in ("", self.member) or bool(self.scope(events).events)

    def _is_party(self, entry: log_pb2.LogEntry) -> bool:
        return entry.counterpart == self.member and entry.event in PARTY_EVENTS

    def _is_granted(self, entry: log_pb2.LogEntry) -> bool:
        if self.grant is None or entry.event not in self.grant.events:
            return False
        return self.grant.since_time is None or entry.entry_time.ToDatetime(tzinfo=UTC) >= self.grant.since_time


def grant_in_force(grants: Iterable[AuditGrant], now: datetime) -> AuditGrant | None:
    """Return the grant in force: the newest, since a new one replaces the former."""
    in_force = [grant for grant in grants if grant.withdrawn_time is None and grant.until_time > now]
    return max(in_force, key=lambda grant: grant.id, default=None)


def _sorted(events: Iterable[int]) -> list["LogEvent.ValueType"]:
    return [LogEvent.ValueType(event) for event in sorted(events)]
