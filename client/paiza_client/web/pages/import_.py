"""Import: a table of seizures becomes signed notices, after a check of every row; progress, cancelled at any time.

Nothing is sent before the officer has seen the report of a check of the same table, map and choices, and signs.
"""

import asyncio
import re
from dataclasses import dataclass
from typing import Final

from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import FileResponse, Response

from paiza_client.data import imports
from paiza_client.data.imports import EqualRows, ImportInterrupted, ImportResult
from paiza_client.data.imports.suggest import suggest_map
from paiza_client.language import number_text
from paiza_client.sdk.model import OnProgress
from paiza_client.web import import_store, refusals
from paiza_client.web.import_store import Stored
from paiza_client.web.language import N_, _
from paiza_client.web.page import (
    console_of,
    form_of,
    note,
    problem,
    redirect,
    render,
    route,
    secret_of,
    session_of,
    text_of,
)
from paiza_domain import handling as marks
from paiza_officer.errors import Refused, misused
from paiza_wire.errors import PaizaError

_COUNTED: Final = re.compile(r"\s*(\d+)  (.*)")
_ASKED: Final = N_(
    "Equal in every column to an earlier row: {n}. They are left out as repeats, though nothing in the table tells "
    "whether they are. State below what they are. At stake:"
)
_REJECTS: Final = re.compile(r"rejects-[0-9-]+\.csv\Z")
_EQUAL: Final[dict[str, EqualRows]] = {"once": "once", "each": "each"}


@dataclass(frozen=True, slots=True)
class Done:
    """One run over a table. ``fingerprint`` is that of what was read; ``interrupted``: the node went away."""

    stored: Stored
    result: ImportResult
    fingerprint: str
    interrupted: PaizaError | None = None


async def listing(request: Request) -> Response:
    """Show the form for a table, and the tables that are here."""
    session, console = session_of(request), console_of(request)
    broken_off, console.broken_uploads = console.broken_uploads, 0
    return await render(
        request,
        "import.html",
        title=_("Import"),
        place="import",
        tables=await asyncio.to_thread(import_store.listed, session.profile),
        broken_off=broken_off,
    )


async def add(request: Request) -> Response:
    """Keep a table, with a map where one came with it or is to be proposed."""
    session, form = session_of(request), form_of(request)
    file, own_map = form.get("table"), form.get("map")
    if not isinstance(file, UploadFile) or not file.filename:
        raise misused(_("Table"), _("Choose a file."))
    map_text = None
    if isinstance(own_map, UploadFile) and own_map.filename:
        map_text = await asyncio.to_thread(import_store.read_map, own_map.filename, own_map.file)
    stored = await asyncio.to_thread(import_store.add, session.profile, file.filename, file.file)
    if map_text is not None:
        stored.write_map(map_text)
    elif text_of(request, "layout") == "suggest":
        return await _suggested(request, stored)
    return redirect(f"/import/{stored.id}")


async def one(request: Request) -> Response:
    """Show one table with its map and choices."""
    return await _page(request, _stored(request))


async def change(request: Request) -> Response:
    """Keep the map and the choices; propose a map; delete the table; or check every row."""
    stored, act = _stored(request), text_of(request, "act")
    if act == "delete":
        if _is_running(request, stored):
            raise Refused("file_unwritable", stored.choices.name, _("it is being imported: cancel that first"))
        await asyncio.to_thread(stored.delete)
        note(request, _("It was deleted on this machine."))
        return redirect("/import")
    if act == "suggest":
        return await _suggested(request, stored)
    stored.choices.own_map = text_of(request, "layout") == "own"
    tlp = text_of(request, "tlp")
    stored.choices.tlp = tlp if tlp in marks.TLP else "AMBER"
    stored.choices.equal_rows = _EQUAL.get(text_of(request, "equal_rows"), "")
    text = text_of(request, "map_text").replace("\r\n", "\n")
    if stored.choices.own_map and text:
        stored.write_map(text + "\n")
    stored.write()
    if act != "check":
        note(request, _("Kept."))
        return redirect(f"/import/{stored.id}")
    return await _check(request, stored)


async def _check(request: Request, stored: Stored) -> Response:
    """Start the check of every row; nothing is sent."""
    session = session_of(request)
    try:
        layout = stored.layout()
        imports.check_members([session.profile.member], layout)
    except PaizaError as error:
        return await _page(request, stored, error=error)
    choices = stored.choices

    async def work(on_progress: OnProgress) -> Done:
        fingerprint = await asyncio.to_thread(stored.fingerprint)
        result = await imports.import_seizures(
            [session],
            stored.table,
            layout,
            rejects=stored.new_rejects(),
            tlp=choices.tlp,
            equal_rows=choices.equal_rows,
            dry_run=True,
            on_progress=on_progress,
        )
        return Done(stored, result, fingerprint)

    job = console_of(request).jobs.start(_("Import: check"), f"/import/{stored.id}", work, shown, about=stored.id)
    return redirect(f"/jobs/{job.id}")


async def send(request: Request) -> Response:
    """Sign and send what was checked, and nothing else; the signing key is open until the run has ended."""
    stored, console, secret = _stored(request), console_of(request), secret_of(request)
    session_of(request)
    if _is_running(request, stored):
        raise Refused("file_unwritable", stored.choices.name, _("it is being imported already"))
    shown_before = text_of(request, "fingerprint")
    layout, choices = stored.layout(), stored.choices

    async def work(on_progress: OnProgress) -> Done:
        fingerprint = await asyncio.to_thread(stored.fingerprint)
        if fingerprint != shown_before:
            raise Refused("unconfirmed", choices.name, _("The table, its map or the choices have changed since."))
        try:
            async with console.signing(secret) as signing:
                result = await imports.import_seizures(
                    [signing],
                    stored.table,
                    layout,
                    rejects=stored.new_rejects(),
                    tlp=choices.tlp,
                    equal_rows=choices.equal_rows,
                    on_progress=on_progress,
                )
        except ImportInterrupted as error:
            return Done(stored, error.result, fingerprint, error)
        return Done(stored, result, fingerprint)

    job = console.jobs.start(_("Import"), f"/import/{stored.id}", work, shown, about=stored.id)
    return redirect(f"/jobs/{job.id}")


async def shown(request: Request, done: Done) -> Response:
    """Show the report of a run."""
    return await _page(request, done.stored, done, error=done.interrupted)


async def rejects(request: Request) -> Response:
    """Return a file with rejected rows, to be saved, mended and imported."""
    stored = _stored(request)
    name = request.path_params["name"]
    path = stored.folder / name
    if not _REJECTS.match(name) or not path.is_file():
        return refusals.answer(request, 404, "not_found")
    return FileResponse(path, filename=name, media_type="application/octet-stream")


async def _suggested(request: Request, stored: Stored) -> Response:
    """Propose a map of a table, to be compared with it before anything is imported."""
    try:
        stored.write_map(await asyncio.to_thread(suggest_map, stored.table))
    except PaizaError as error:
        return await _page(request, stored, error=error)
    note(request, _("A map is proposed: compare every line with the table, then check."))
    return redirect(f"/import/{stored.id}")


async def _page(
    request: Request, stored: Stored, done: Done | None = None, error: PaizaError | None = None
) -> Response:
    return await render(
        request,
        "import_one.html",
        title=_("Import"),
        place="import",
        status=200 if error is None else 400,
        error=None if error is None else problem(error),
        stored=stored,
        choices=stored.choices,
        map_text=stored.map_text,
        tlp=marks.TLP,
        done=done,
        report=[] if done is None else _sections(done.result),
        to_send=0 if done is None else _to_send(done.result),
        running=_is_running(request, stored),
    )


def _to_send(result: ImportResult) -> int:
    """Return how many notices a run after a check would send."""
    outcomes = result.report.outcomes
    return outcomes[imports.Outcome.ACCEPTED] + outcomes[imports.Outcome.REPAIRED]


def _sections(result: ImportResult) -> list[tuple[str, list[tuple[str, str]]]]:
    """Return the report as sections: a heading, and lines as (number of rows, words)."""
    found, report = [], result.report
    for place, section in enumerate(report.text().split("\n\n")):
        lines = section.strip("\n").split("\n")
        heading = "" if place == 0 else lines.pop(0)
        if place == 1 and report.equal_rows and not report.choice:  # the report names the option of the command
            heading = _(_ASKED).format(n=number_text(report.equal_rows))
        counted = [_COUNTED.match(each) for each in lines]
        rows = [(m[1], m[2]) if m else ("", line.strip()) for m, line in zip(counted, lines, strict=True)]
        found.append((heading, rows))
    return found


def _stored(request: Request) -> Stored:
    return import_store.find(session_of(request).profile, request.path_params["id"])


def _is_running(request: Request, stored: Stored) -> bool:
    """Return whether a run over a table is under way."""
    return any(not each.done and each.about == stored.id for each in console_of(request).jobs.listed)


ROUTES: Final = (
    route("/import", listing),
    route("/import", add, post=True, files=True),
    route("/import/{id}", one),
    route("/import/{id}", change, post=True),
    route("/import/{id}/send", send, post=True),
    route("/import/{id}/{name}", rejects),
)
