"""Quotas: one caller's messages, bytes and log entries are bounded in a day, so that nobody fills disk and log.

A day is one of UTC. What was used is counted in the transaction that commits it, so it survives a restart; a commit
that fails may be counted, which the next day forgives. The node's own work has no quota. A refusal is never final: an
officer is told when the quota is free again, and a peer's messages wait at its node.
"""

from datetime import UTC, date, datetime, time, timedelta
from typing import Final, Literal

from paiza_node.core.caller import CallerKey
from paiza_node.core.limits import Limits, LimitUse
from paiza_node.core.quotas import store as quotas_store
from paiza_node.core.quotas.model import Used
from paiza_node.core.storage import ReadConnection, WriteConnection
from paiza_wire.errors import Unavailable

What = Literal["messages", "message_bytes", "log_entries"]
_NOTHING: Final = Used()


class Quotas:
    """What each caller used today. The ledger's thread changes it; any thread may read."""

    def __init__(self, limits: Limits, reads: ReadConnection, now: datetime) -> None:
        """Begin with what was used today before the node was started."""
        self._limits: dict[tuple[str, What], int] = {
            ("officer", "messages"): limits.officer_messages_per_day,
            ("officer", "message_bytes"): limits.officer_message_bytes_per_day,
            ("officer", "log_entries"): limits.officer_log_entries_per_day,
            ("peer", "messages"): limits.peer_messages_per_day,
            ("peer", "message_bytes"): limits.peer_message_bytes_per_day,
            ("peer", "log_entries"): limits.peer_log_entries_per_day,
        }
        self._day = now.date()
        self._used = quotas_store.used_on(reads, self._day)
        self._changed: set[CallerKey] = set()

    def begin(self, now: datetime) -> None:
        """Begin a commit: on a new day nothing is used."""
        if now.date() != self._day:
            self._day = now.date()
            self._used = {}
            self._changed.clear()

    def refusal(self, caller: CallerKey, now: datetime, wanted: Used, more: Used = _NOTHING) -> Unavailable | None:
        """Return the refusal of what a caller wants to cause; None if it is within the caller's quotas.

        ``more``: what the present work caused before it.
        """
        used = self._used.get(caller, _NOTHING) + more
        if wanted.messages and used.messages + wanted.messages > self._limit(caller, "messages"):
            return _spent("messages", used.messages, now)
        if wanted.message_bytes and used.message_bytes + wanted.message_bytes > self._limit(caller, "message_bytes"):
            return _spent("bytes of messages", used.message_bytes, now)
        if wanted.log_entries and used.log_entries + wanted.log_entries > self._limit(caller, "log_entries"):
            return _spent("log entries", used.log_entries, now)
        return None

    def add(self, caller: CallerKey, used: Used) -> None:
        """Count what a caller caused."""
        if caller.kind != "node" and used != _NOTHING:
            self._used[caller] = self._used.get(caller, _NOTHING) + used
            self._changed.add(caller)

    def store(self, conn: WriteConnection) -> None:
        """Store what has changed, in the transaction that commits it."""
        if self._changed:
            quotas_store.put_used(conn, self._day, {caller: self._used[caller] for caller in self._changed})
            self._changed.clear()

    def uses(self, today: date) -> list[LimitUse]:
        """Return for each quota who used most of it today."""
        used = dict(self._used) if today == self._day else {}
        found = []
        for (kind, what), limit in self._limits.items():
            most = max(
                ((getattr(each, what), caller.id) for caller, each in used.items() if caller.kind == kind),
                default=(0, ""),
            )
            found.append(LimitUse(f"{kind}_{what}_per_day", most[0], limit, most[1]))
        return found

    def _limit(self, caller: CallerKey, what: What) -> float:
        return self._limits.get((caller.kind, what), float("inf"))


def _spent(what: str, used: int, now: datetime) -> Unavailable:
    midnight = datetime.combine(now.date() + timedelta(days=1), time(), UTC)
    detail = f"{used} {what} of this caller are all that one day may have; free again at {midnight:%Y-%m-%d %H:%M} UTC"
    return Unavailable("daily_quota", detail, (midnight - now).total_seconds())
