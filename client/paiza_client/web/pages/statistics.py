"""Statistics: seizures counted over any period, as a chart and as the same numbers in a table, small numbers hidden."""

import asyncio
import io
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from starlette.requests import Request
from starlette.responses import Response

from paiza_client.data.exports import missing_package
from paiza_client.data.exports.writing import WRITERS
from paiza_client.data.statistics import DIMENSIONS, HIDDEN, REASON, Period, count_seizures
from paiza_client.language import _ as of_the_client
from paiza_client.language import date_text
from paiza_client.sdk import wording
from paiza_client.sdk.model import OnProgress
from paiza_client.web import refusals
from paiza_client.web.language import N_, _
from paiza_client.web.page import console_of, redirect, render, route, session_of, text_of
from paiza_client.web.pages.messages import address, day_of
from paiza_client.web.texts import member_name
from paiza_officer.errors import misused

if TYPE_CHECKING:
    from paiza_client.data.statistics import Measure

PERIODS: Final[Mapping[str, str]] = {
    "this-month": N_("this month"),
    "last-month": N_("last month"),
    "this-year": N_("this year"),
    "last-year": N_("last year"),
}
MOST_CHARTS: Final = 8
BAR: Final = 28
SLOT: Final = 60  # of a bar with its label, which is wider
HEIGHT: Final = 96


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar of a chart: its place and height in the drawing, its label and number; hidden numbers have none."""

    x: int
    y: int
    height: int
    label: str
    text: str
    hidden: bool


@dataclass(frozen=True, slots=True)
class Chart:
    """One small chart with a scale of its own."""

    title: str
    width: int
    bars: tuple[Bar, ...]


async def statistics(request: Request) -> Response:
    """Show the form; nothing is opened before the officer asks for the count."""
    return await _page(request, {name: request.query_params.get(name, "") for name in _NAMES})


async def count(request: Request) -> Response:
    """Start the count."""
    session = session_of(request)
    wanted = {name: text_of(request, name) for name in _NAMES}
    if period := text_of(request, "period"):
        wanted["since"], wanted["until"] = map(date_text, _days_of(period, datetime.now().astimezone().date()))
    by = wanted["by"] if wanted["by"] in DIMENSIONS else "substance"
    across = wanted["across"] if wanted["across"] in DIMENSIONS and wanted["across"] != by else ""
    measure: Measure = "kg" if wanted["measure"] == "kg" else "count"
    since, until = (day_of(wanted[name]) for name in ("since", "until"))
    days = Period(since and since.date(), until and until.date())
    if since is not None and until is not None and until < since:
        raise misused(_("Until"), _("The last day is before the first."))

    async def work(on_progress: OnProgress) -> Any:
        found = await count_seizures(
            session,
            by,
            across,
            measure=measure,
            period=days,
            author=wanted["from"],
            reason=wanted["reason"] or REASON,
            on_progress=on_progress,
        )
        return wanted, found

    job = console_of(request).jobs.start(_("Statistics"), "/statistics", work, result)
    return redirect(f"/jobs/{job.id}")


async def result(request: Request, found: Any) -> Response:
    """Show a finished count."""
    wanted, counted = found
    return await _page(request, wanted, counted, request.path_params["id"])


async def save(request: Request) -> Response:
    """Return a finished count as a file, to be saved: the table with its mark, small numbers hidden as on the page."""
    session_of(request)
    job = console_of(request).jobs.find(request.path_params["id"])
    wanted = text_of(request, "format")
    if job is None or job.back != "/statistics" or job.result is None or wanted not in WRITERS:
        return refusals.answer(request, 404, "not_found")
    if missing := missing_package(wanted):
        raise misused(_("Format"), missing)
    _wanted, counted = job.result
    stream = io.BytesIO()
    await asyncio.to_thread(WRITERS[wanted], counted.table, stream)
    name = f"statistics-{datetime.now().astimezone():%Y%m%d}.{wanted}"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(stream.getvalue(), media_type="application/octet-stream", headers=headers)


_NAMES: Final = ("by", "across", "measure", "from", "since", "until", "reason")


async def _page(request: Request, wanted: dict[str, str], counted: Any = None, job: str = "") -> Response:
    session = session_of(request)
    return await render(
        request,
        "statistics.html",
        title=_("Statistics"),
        place="statistics",
        wanted=wanted,
        dimensions=[(name, of_the_client(each.title)) for name, each in DIMENSIONS.items()],
        members=sorted(session.register().members, key=member_name),
        usual_reason=_("statistics"),
        counted=counted,
        charts=[] if counted is None else _charts(counted.table),
        left_out=() if counted is None or counted.complete else wording.left_out(counted.left_out),
        hidden=HIDDEN,
        periods=PERIODS,
        link=address("/statistics", wanted),
        job=job,
        formats=tuple(WRITERS),
    )


def _days_of(period: str, today: date) -> tuple[date, date]:
    """Return the first and the last day of a period; Misused for one that there is not."""
    this_month = today.replace(day=1)
    last_month = (this_month - timedelta(days=1)).replace(day=1)
    match period:
        case "this-month":
            return this_month, today
        case "last-month":
            return last_month, this_month - timedelta(days=1)
        case "this-year":
            return date(today.year, 1, 1), today
        case "last-year":
            return date(today.year - 1, 1, 1), date(today.year - 1, 12, 31)
        case _:
            raise misused(_("Period"), ", ".join(_(name) for name in PERIODS.values()))


def _charts(table: Any) -> list[Chart]:
    """Return one chart for each row with columns, or one chart of the only column; totals are left to the table."""
    columns = table.columns[1:-1]
    rows = table.rows[:-1]
    if not columns:
        return [_chart(table.columns[0], [str(row[0]) for row in rows], [row[-1] for row in rows])] if rows else []
    return [_chart(str(row[0]), [str(each) for each in columns], row[1:-1]) for row in rows[:MOST_CHARTS]]


def _chart(title: str, labels: list[str], cells: Any) -> Chart:
    values = [None if each == HIDDEN else Decimal(str(each)) for each in cells]
    most = max([each for each in values if each is not None], default=Decimal(0)) or Decimal(1)
    bars = []
    for place, (label, value, cell) in enumerate(zip(labels, values, cells, strict=True)):
        height = HEIGHT // 4 if value is None else int(value / most * HEIGHT)
        text = _("hid.") if value is None else str(cell)
        bars.append(Bar(place * SLOT + (SLOT - BAR) // 2, HEIGHT + 18 - height, height, label, text, value is None))
    return Chart(title, max(len(labels) * SLOT, 480), tuple(bars))


ROUTES: Final = (
    route("/statistics", statistics),
    route("/statistics", count, post=True),
    route("/statistics/{id}/file", save, post=True),
)
