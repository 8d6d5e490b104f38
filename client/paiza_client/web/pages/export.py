"""Export: opened messages as a file for others, made on this machine, with progress, and deleted here once it is saved.

`export_store` keeps the files; an interrupted export stands there too, and goes on where it was.
"""

import re
from datetime import timedelta
from pathlib import Path
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from paiza_client.data import exports
from paiza_client.data.exports import ExportResult, Intent, Order
from paiza_client.sdk import wording
from paiza_client.sdk.model import OnProgress
from paiza_client.web import export_store, refusals, texts, writing
from paiza_client.web.language import N_, _, language
from paiza_client.web.page import console_of, note, problem, redirect, render, route, session_of, text_of
from paiza_client.web.pages.messages import day_of
from paiza_domain import kinds
from paiza_officer.errors import Refused, misused
from paiza_wire.errors import PaizaError

FORMS: Final = {
    "full": N_("Everything that was opened, with its proofs"),
    "unodc": N_("Seizures, in the columns of UNODC"),
    "customs": N_("Seizures for customs, without names or free text"),
    "precursors": N_("Precursor incidents, as the INCB asks for them"),
    "print": N_("Pages to print"),
}
AUDIENCES: Final = {
    "own-unit": N_("my unit"),
    "own-member": N_("another unit of my member"),
    "outside": N_("others outside"),
    "public": N_("the public"),
}
_FIELDS: Final = (
    "ids", "form", "format", "kind", "from", "since", "until", "purpose", "reason", "audience", "whom", "annex",
    "partial", "exercise",
)  # fmt: skip


async def page(request: Request) -> Response:
    """Show the form, what is unfinished, and what can be saved."""
    return await _page(request, {name: request.query_params.get(name, "") for name in _FIELDS})


async def begin(request: Request) -> Response:
    """Start an export."""
    session = session_of(request)
    wanted = {name: text_of(request, name) for name in _FIELDS}
    try:
        order = _order(wanted, str(session.profile.id))
        target = export_store.new_target(session.profile, order)
    except PaizaError as error:
        return await _page(request, wanted, error)

    async def work(on_progress: OnProgress) -> ExportResult:
        return await exports.export_messages(session, target, order, on_progress=on_progress)

    job = console_of(request).jobs.start(_("Export"), "/export", work, result, about=str(target))
    return redirect(f"/jobs/{job.id}")


async def go_on(request: Request) -> Response:
    """Go on with an interrupted export."""
    session = session_of(request)
    target = export_store.named(session.profile, text_of(request, "name"))

    async def work(on_progress: OnProgress) -> ExportResult:
        return await exports.continue_export(session, target, on_progress=on_progress)

    job = console_of(request).jobs.start(_("Export"), "/export", work, result, about=str(target))
    return redirect(f"/jobs/{job.id}")


async def result(request: Request, found: ExportResult) -> Response:
    """Show what stands in a finished file, and what does not."""
    session = session_of(request)
    return await render(
        request,
        "export_result.html",
        title=_("Export"),
        place="export",
        found=found,
        file_name=found.path.name,
        is_there=found.path.name in {each.name for each in export_store.ready(session.profile)},
        mark=texts.limits(found.mark),
        left_out=wording.left_out(found.left_out),
        first=[(each.name, wording.why_left_out(each.reason, each.detail)) for each in found.left_out.first],
    )


async def save(request: Request) -> Response:
    """Return a finished file to be saved."""
    profile, name = session_of(request).profile, text_of(request, "name")
    if name not in {each.name for each in export_store.ready(profile)}:
        return refusals.answer(request, 404, "not_found")
    return export_store.Handed(export_store.named(profile, name))


async def delete(request: Request) -> Response:
    """Delete a finished file, or give an interrupted export up."""
    target = export_store.named(session_of(request).profile, text_of(request, "name"))
    if _is_running(request, target):
        raise Refused("file_unwritable", target.name, _("it is being made: cancel it first"))
    for path in (target, exports.beside(target)):
        path.unlink(missing_ok=True)
    note(request, _("It was deleted on this machine."))
    return redirect("/export")


async def _page(request: Request, wanted: dict[str, str], error: PaizaError | None = None) -> Response:
    session = session_of(request)
    folder = export_store.folder(session.profile)
    return await render(
        request,
        "export.html",
        title=_("Export"),
        place="export",
        status=200 if error is None else 400,
        error=None if error is None else problem(error),
        wanted=wanted,
        forms=[(name, _(text), ", ".join(exports.FORMS[name].formats)) for name, text in FORMS.items()],
        formats=exports.FORMATS,
        audiences=[(name, _(text)) for name, text in AUDIENCES.items()],
        purposes=writing.code_choices("purpose"),
        kinds=sorted((each.titles[language()], name) for name, each in kinds.all_kinds().items()),
        members=sorted(session.register().members, key=texts.member_name),
        unfinished=[each for each in exports.unfinished(folder) if not _is_running(request, each.target)],
        ready=export_store.ready(session.profile),
        form_names={name: _(text) for name, text in FORMS.items()},
    )


def _order(wanted: dict[str, str], own: str) -> Order:
    """Return what the form orders; Misused or Refused names what is missing."""
    names = tuple(re.split(r"[\s,;]+", wanted["ids"])) if wanted["ids"] else ()
    since, until = day_of(wanted["since"]), day_of(wanted["until"])
    if not names and since is None and until is None:
        raise misused(_("Which messages"), _("Name messages, or a day since or until which."))
    form = wanted["form"] if wanted["form"] in exports.FORMS else "full"
    audience = wanted["audience"] if wanted["audience"] in exports.AUDIENCES else "own-unit"
    intent = Intent(audience, wanted["whom"] or own, wanted["purpose"], wanted["reason"], bool(wanted["annex"]))
    match exports.lacks(Intent(audience, wanted["whom"], wanted["purpose"], wanted["reason"])):
        case "reason":
            raise Refused("reason_missing", _("Why it leaves the system"))
        case "purpose":
            raise misused(_("What it is to be used for"), _("Choose a purpose."))
        case "recipient":
            raise misused(_("Who exactly gets it"), _("Name them: the log holds it."))
    file_format = wanted["format"] or exports.FORMS[form].formats[0]
    if wrong := exports.misfit(form, file_format, wanted["kind"], annex=intent.with_annex):
        raise misused(*wrong)
    return Order(
        intent=intent,
        form=form,
        file_format=file_format,
        names=names,
        kind=wanted["kind"],
        author=wanted["from"],
        since=since,
        until=None if until is None else until + timedelta(days=1),
        partial=bool(wanted["partial"]),
        exercise=bool(wanted["exercise"]),
    )


def _is_running(request: Request, target: Path) -> bool:
    """Return whether an export to a file is under way."""
    return any(not each.done and each.about == str(target) for each in console_of(request).jobs.listed)


ROUTES: Final = (
    route("/export", page),
    route("/export", begin, post=True),
    route("/export/continue", go_on, post=True),
    route("/export/save", save, post=True),
    route("/export/delete", delete, post=True),
)
