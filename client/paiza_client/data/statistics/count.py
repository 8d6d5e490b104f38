"""The whole count: choose notices, open them, count them, hide small numbers."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from paiza_client.data.exports import marks
from paiza_client.data.exports.records import record
from paiza_client.data.exports.tables import Table
from paiza_client.data.statistics import observations, tabulation
from paiza_client.data.statistics.tabulation import Measure, Tabulation
from paiza_client.language import _
from paiza_client.sdk.model import MessageSummary, OnProgress
from paiza_client.sdk.open_many import choose, open_many
from paiza_client.sdk.session import Session
from paiza_officer.errors import misused

REASON: Final = "statistics"  # why each notice is opened, where nothing else is said


@dataclass(frozen=True, slots=True)
class Statistics:
    """Seizures counted: the figures, and the same as a table in one measure, which carries the notices' mark.

    ``notices`` is how many messages were opened for it, their older versions included; ``superseded`` are those left
    out because their authors recalled or replaced them.
    """

    tabulation: Tabulation
    table: Table
    notices: int
    superseded: tuple[MessageSummary, ...]


async def count_seizures(
    session: Session,
    by: str = "substance",
    across: str = "",
    *,
    measure: Measure = "count",
    author: str = "",
    since: datetime | None = None,
    until: datetime | None = None,
    reason: str = REASON,
    on_progress: OnProgress | None = None,
) -> Statistics:
    """Return the seizures of all notices received and sent, counted by one dimension or two.

    ``by`` gives the rows and ``across`` the columns; both are keys of `DIMENSIONS`. The table shows whole numbers of
    seizures by substance (``measure`` "count") or their weight in kilograms where it is known ("kg"), with totals last.
    ``author`` is a member's id; ``since`` and ``until`` are aware times between which the own node stored the notices.

    A notice counts in its newest version, a cancelled one not at all. A number behind which fewer than three notices
    stand is hidden (None in the figures, `HIDDEN` in the table), with as many others as would give it away.

    The node logs the openings with ``reason`` (`open_many`); ``on_progress`` counts opened notices. Misused("usage")
    where rows and columns are the same; Refused("too_large") for a table of more than 6,000 cells;
    Refused("marks_incompatible") where no mark allows the notices together; otherwise as `choose` and `open_many`.
    """
    if across == by:
        raise misused("across", _("rows and columns are the same"))
    found = await choose(session, kind=observations.KIND, author=author, since=since, until=until)
    opened = await open_many(session, found.messages, reason, on_progress=on_progress)
    records = [record(each) for each in opened]
    counted = tabulation.tabulate(observations.observations(records), by, across)
    table = tabulation.as_table(counted, by, across, measure, marks.strictest(records))
    return Statistics(counted, table, len(records), found.superseded)
