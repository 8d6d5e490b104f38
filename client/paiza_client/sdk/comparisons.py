"""Reconciling two members from a program: their logs compared through the own node, packed into a file, and closed.

    comparison = plan("kaz", "tjk", since=november, until=december)
    found = await compare(session, comparison)
    if found.may_close:
        await close(session, found)

Every step is for coordinators and auditors. The logs of both members note each question as CONSULTED.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from paiza_client.reconciliation import file
from paiza_client.reconciliation.compare import Comparison, Result
from paiza_client.reconciliation.file import Made
from paiza_client.reconciliation.log_queries import Answer
from paiza_client.reconciliation.plan import compare_logs, plan
from paiza_client.sdk.audit_query import Closed
from paiza_client.sdk.session import Session
from paiza_officer.errors import Misused
from paiza_officer.register_cache import bootstrap_root

__all__ = ["Reconciliation", "close", "compare", "pack", "plan"]


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """The result of comparing two logs; ``made`` states the officer, the members and the time.

    ``answers`` are the questions and answers as they came, kept only for `pack`.
    """

    made: Made
    result: Result
    answers: tuple[Answer, ...] = ()

    @property
    def comparison(self) -> Comparison:
        """Which members and which period."""
        return self.made.comparison

    @property
    def is_own(self) -> bool:
        """Whether the own member is one of the two: only these close a period."""
        return self.made.own in (self.comparison.one, self.comparison.other)

    @property
    def may_close(self) -> bool:
        """Whether `close` can succeed: the own member takes part, nothing is under way and both logs agree."""
        return self.is_own and self.result.agrees


async def compare(
    session: Session,
    comparison: Comparison,
    *,
    keep_answers: bool = False,
    now: datetime | None = None,
    on_entries: Callable[[int], None] | None = None,
) -> Reconciliation:
    """Question both members' logs and compare them, entry by entry, with proofs. Nothing is closed.

    ``comparison`` comes from `plan`. ``keep_answers`` keeps what `pack` needs, for about 20,000 messages. ``now`` is
    the aware time from which late answers are counted. ``on_entries`` is called with the entries that are here.

    Refused("audit_not_granted") where a member does not show what is needed, ("too_large") for over a million entries
    of one log. Unreachable where a node does not answer. NotProven where an answer does not hold.
    """
    for member in (comparison.one, comparison.other):
        session.register().member(member)
    made = Made(comparison, session.profile.member, str(session.profile.id), now or datetime.now(UTC))
    answers: list[Answer] = []
    session.audit_query.kept = answers if keep_answers else None
    try:
        result = await compare_logs(session.audit_query, comparison, own=made.own, now=made.now, on_entries=on_entries)
    finally:
        session.audit_query.kept = None
    return Reconciliation(made, result, tuple(answers))


async def pack(session: Session, found: Reconciliation) -> bytes:
    """Return a file from which anybody with the bootstrap root compares again: `reconciliation.file.check`.

    ``found`` comes from `compare` with ``keep_answers``. The register in force is fetched for it. The file holds
    headers and log entries of both members. NotProven where it would not hold for its reader, ("bad_evidence") where
    it is over 128 MiB.
    """
    files = await session.archived_set(session.register().version)
    root = bootstrap_root(session.profile.root)
    return await asyncio.to_thread(file.pack, found.made, found.answers, files, root)


async def close(session: Session, found: Reconciliation) -> Closed:
    """Close the period: both logs get a RECONCILED entry over what they agree on; return both, proven.

    Closing again returns the same entries. Misused("usage") unless ``found.may_close``. Refused with the reason of a
    node that does not close, Unreachable where one does not answer; NotProven where an entry says anything else.
    """
    comparison = found.comparison
    if not found.may_close:
        raise Misused("usage", f"{comparison.one} {comparison.other}", "the period cannot be closed")
    counterpart = comparison.other if found.made.own == comparison.one else comparison.one
    return await session.audit_query.close(counterpart, comparison.since, comparison.until, found.result.digest)
