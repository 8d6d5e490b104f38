"""The whole count: choose notices, open them, count them as they come, hide small numbers."""

from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Final

from paiza_client.data.exports.marks import Strictest
from paiza_client.data.exports.records import record
from paiza_client.data.exports.tables import Table
from paiza_client.data.statistics import observations, tabulation
from paiza_client.data.statistics.observations import Period
from paiza_client.data.statistics.tabulation import Measure, Tabulation, Tally
from paiza_client.language import _, date_text, ngettext
from paiza_client.sdk import wording
from paiza_client.sdk.model import LeftOut, NotOpened, OnProgress
from paiza_client.sdk.open_many import choose, open_pages
from paiza_client.sdk.session import Session
from paiza_officer.errors import Refused, misused

REASON: Final = "statistics"  # why the notices are opened, where nothing else is said
PURPOSE: Final = "statistics"  # of the list "purpose": what was given for others is left out


@dataclass(frozen=True, slots=True)
class Statistics:
    """Seizures counted: the figures, and the same as a table in one measure, which carries the notices' mark.

    ``notices`` is how many messages were counted, older versions of a notice included; ``superseded`` is how many were
    left out because their authors recalled or replaced them, ``exercises`` because they are exercises. ``left_out`` are
    those that should be counted and are not: where there are any, the figures are incomplete, and the table's notes say
    so. ``unsure`` is how many were left out because their dates reach over an end of the period; the notes say so too.
    """

    tabulation: Tabulation
    table: Table
    notices: int
    superseded: int
    exercises: int
    unsure: int
    left_out: LeftOut

    @property
    def complete(self) -> bool:
        """True where every notice that was asked for is counted."""
        return not self.left_out


async def count_seizures(
    session: Session,
    by: str = "substance",
    across: str = "",
    *,
    measure: Measure = "count",
    period: Period | None = None,
    author: str = "",
    since: datetime | None = None,
    until: datetime | None = None,
    reason: str = REASON,
    on_progress: OnProgress | None = None,
) -> Statistics:
    """Return the seizures of all notices received and sent, counted by one dimension or two.

    ``by`` gives the rows and ``across`` the columns; both are keys of `DIMENSIONS`. The table shows whole numbers of
    seizures by substance (``measure`` "count") or their weight in kilograms where it is known ("kg"), with totals last.
    ``period`` is of the days of the seizures; a notice of which only the month or the year is known counts where all of
    it lies in the period. ``author`` is a member's id; the own node stored the notices at ``since`` or later and before
    ``until``.

    A notice counts in its newest version, a cancelled one and an exercise not at all. A number behind which fewer than
    three notices stand is hidden (None in the figures, `HIDDEN` in the table), with as many others as would give it
    away. A notice that its author gave for other purposes than statistics, or that the node does not open, is left out
    and counted.

    The node logs the openings with ``reason`` (`open_many`); nothing is marked as read. ``on_progress`` is called with
    the notices opened, and 0 as long as their number is not known. Misused("usage") where rows and columns are the
    same; Refused("too_large") for a table of more than 6,000 cells; Refused("marks_incompatible") where no mark allows
    the notices together; Unreachable where the node is away for longer than a minute: a part is never returned.
    """
    if across == by:
        raise misused("across", _("rows and columns are the same"))
    tally, mark, left_out = Tally(by, across, period), Strictest(), LeftOut()
    if period is not None and period.first is not None and since is None:
        # Nobody notifies of a seizure before it was made; a day more, for it may be named in the time of another zone.
        since = datetime.combine(period.first, time.min, UTC) - timedelta(days=1)
    notices = superseded = exercises = done = 0

    async def chosen() -> AsyncIterator[Sequence[bytes]]:
        nonlocal superseded, exercises
        async for page in choose(session, kind=observations.KIND, author=author, since=since, until=until):
            superseded += len(page.superseded)
            real = [each.digest for each in page.messages if not each.header.exercise]
            exercises += len(page.messages) - len(real)
            if real:
                yield real

    async with aclosing(open_pages(session, chosen(), reason, PURPOSE)) as pages:
        async for opened in pages:
            for each in opened:
                if isinstance(each, NotOpened):
                    left_out.add(each)
                    continue
                try:
                    read = record(each)
                except Refused as error:
                    left_out.add(NotOpened(each.digest, error.reason, error.detail))
                    continue
                if tally.add(read):
                    mark.add(read)
                    notices += 1
            done += len(opened)
            if on_progress is not None:
                on_progress(done, 0)
    if on_progress is not None:
        on_progress(done, done)
    counted = tally.tabulation()
    notes = (*_notes(period, tally.unsure), *wording.left_out(left_out))
    table = tabulation.as_table(counted, by, across, measure, mark.mark(), notes)
    return Statistics(counted, table, notices, superseded, exercises, tally.unsure, left_out)


def _notes(period: Period | None, unsure: int) -> list[str]:
    """Return what a reader must know of the period."""
    found: list[str] = []
    if period is not None and (period.first or period.last):
        first, last = (None if each is None else date_text(each) for each in (period.first, period.last))
        if first is None:
            found.append(_("Seized until {last}").format(last=last))
        elif last is None:
            found.append(_("Seized since {first}").format(first=first))
        else:
            found.append(_("Seized from {first} to {last}").format(first=first, last=last))
    if unsure:
        text = ngettext(
            "{n} notice left out: of its date only the month or the year is known, which reaches over the period",
            "{n} notices left out: of their dates only the month or the year is known, which reaches over the period",
            unsure,
        )
        found.append(text.format(n=unsure))
    return found
