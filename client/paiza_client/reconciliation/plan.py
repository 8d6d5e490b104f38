"""Comparing two members' logs: over which period, which questions in which order, and that the answers suffice."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from paiza_client.language import _
from paiza_client.reconciliation import compare
from paiza_client.reconciliation.compare import COMPARED, FOLLOWED, Comparison, Result, View
from paiza_client.reconciliation.log_queries import QuerySession, Question
from paiza_client.verify.log_query_checks import VisiblePage
from paiza_officer.errors import NotProven, Refused, misused
from paiza_wire.tlog.log_queries import MAX_QUERY_DIGESTS

MAX_ENTRIES: Final = 1_000_000  # of one log in one comparison, held in memory; choose a shorter period
ALLOWED: Final = timedelta(minutes=60)  # after which an answer is late, unless another time is named

_COMMAND: Final = "paiza audit reconcile"  # where a usage error is located


def plan(
    one: str,
    other: str,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    allowed: timedelta = ALLOWED,
    now: datetime | None = None,
) -> Comparison:
    """Return what to compare: the exchange of two members, by their ids ("kaz"), over a period that is over.

    ``since`` (inclusive) and ``until`` (exclusive) are aware times of the author's log; ``until`` is ``now`` unless
    named, ``since`` the beginning of the month of ``until``, in its time zone. After ``allowed`` an answer is late.

    Misused("usage") for twice the same member, an empty period, or one that ends after ``now``.
    """
    present = now or datetime.now(UTC)
    ends = until or present
    begins = since or ends.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    if begins >= ends or ends > present:
        raise misused(_COMMAND, _("The period must begin before it ends, and be over."))
    if one == other:
        raise misused(_COMMAND, _("Name two different members."))
    return Comparison(one, other, begins, ends, allowed)


async def compare_logs(
    session: QuerySession,
    comparison: Comparison,
    *,
    own: str,
    now: datetime,
    on_entries: Callable[[int], None] | None = None,
) -> Result:
    """Query both members for the period, then both again for messages that only one of them showed, and compare.

    ``on_entries`` is called with the number of entries that are here.

    The holder of a receipt is asked before the member that must show it: so an honest log always shows it.
    Refused("audit_not_granted") where a member does not let us see what is needed.
    """
    views: list[View] = []
    for member, counterpart in ((comparison.one, comparison.other), (comparison.other, comparison.one)):
        view = View(member)
        question = Question(COMPARED, counterpart, comparison.since, comparison.until, held=True, headers=True)
        async for page in session.pages(member, question):
            _check_scope(page, comparison, own=own, counterpart=counterpart)
            view.take(page)
            if on_entries is not None:
                on_entries(sum(len(each.entries) for each in (*views, view)))
            if len(view.entries) > MAX_ENTRIES:
                raise Refused("too_large", f"{member}: {comparison.since:%Y-%m-%d} – {comparison.until:%Y-%m-%d}")
        views.append(view)
    one, other = views
    digests = compare.unclear(one, other, comparison.since, comparison.until)
    await _follow(session, one, comparison.other, digests)
    await _follow(session, other, comparison.one, digests)
    return compare.compare(
        one, other, since=comparison.since, until=comparison.until, now=now, allowed=comparison.allowed
    )


async def _follow(session: QuerySession, view: View, counterpart: str, digests: Sequence[bytes]) -> None:
    """Ask for everything a log says of these messages with the counterpart, whenever that was."""
    for first in range(0, len(digests), MAX_QUERY_DIGESTS):
        block = digests[first : first + MAX_QUERY_DIGESTS]
        question = Question(FOLLOWED, counterpart, digests=block, held=True, headers=True)
        async for page in session.pages(view.member, question):
            view.take(page, block)


def _check_scope(page: VisiblePage, comparison: Comparison, *, own: str, counterpart: str) -> None:
    """Refuse an answer that leaves out what is compared: nothing may be named lost for want of a grant."""
    scope = page.scope
    if counterpart == own and scope.party_events >= frozenset(COMPARED):
        return
    if not scope.events >= frozenset(COMPARED):
        raise Refused("audit_not_granted", page.member)
    if scope.since is not None and scope.since > comparison.since:
        raise Refused("audit_not_granted", page.member, f"granted since {scope.since.isoformat()}")
    if page.member == own and scope.since is not None:
        raise NotProven("unexpected_answer", page.member, "the own node states a scope where none applies")
