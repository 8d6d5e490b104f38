"""Two logs compared entry by entry, in a file that anybody can compare again; and the period closed."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from paiza_client.errors import Refused
from paiza_client.local.profiles import write_private
from paiza_client.local.register_cache import bootstrap_root
from paiza_client.reconciliation import file as comparison_file
from paiza_client.reconciliation.compare import Comparison, Result
from paiza_client.reconciliation.plan import compare_logs
from paiza_client.sdk.audit_query import Closed
from paiza_client.sdk.session import Session
from paiza_wire.errors import PaizaError


@dataclass(frozen=True, slots=True)
class Reconciled:
    """What two logs say of a period: ``closed`` where both now hold an entry that they agree.

    ``problem`` is why the period could not be closed, where that was wanted and nothing differs.
    """

    result: Result
    closed: Closed | None = None
    problem: PaizaError | None = None


async def reconcile(
    session: Session,
    comparison: Comparison,
    *,
    now: datetime | None = None,
    keep_open: bool = False,
    output: Path | None = None,
) -> Reconciled:
    """Compare two members' logs over a period; close it where our own member is one of them and nothing differs.

    ``output`` keeps all questions and answers in a new file. Each log that is asked logs CONSULTED, closing RECONCILED.
    Refused("audit_not_granted") where a member does not show what is needed, Refused("file_unwritable") for the file.
    """
    now = now or datetime.now(UTC)
    own = session.profile.member
    for member in (comparison.one, comparison.other):
        session.register().member(member)
    if output is not None:
        session.audit_query.kept = []
    result = await compare_logs(session.audit_query, comparison, own=own, now=now)
    if output is not None:
        made = comparison_file.Made(comparison, own, str(session.profile.id), now)
        answers = session.audit_query.kept or []
        files = await session.archived_set(session.register().version)
        trusted = bootstrap_root(session.profile.root)
        data = await asyncio.to_thread(comparison_file.pack, made, answers, files, trusted)
        await asyncio.to_thread(_write, output, data)
    if keep_open or own not in (comparison.one, comparison.other) or not result.agrees:
        return Reconciled(result)
    counterpart = comparison.other if own == comparison.one else comparison.one
    try:
        closed = await session.audit_query.close(counterpart, comparison.since, comparison.until, result.digest)
    except PaizaError as error:
        return Reconciled(result, problem=error)
    return Reconciled(result, closed)


def _write(output: Path, data: bytes) -> None:
    try:
        write_private(output, data)
    except OSError as error:
        raise Refused("file_unwritable", str(output), error.strerror or "") from error
