"""Evidence: one file that proves what became of a message; made, checked without the node, and read."""

import asyncio
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import Response

from paiza.content.v1.attachment_info_pb2 import AttachmentInfo
from paiza.core.v1.message_pb2 import PART_KIND_NOMINAL_ANNEX
from paiza_client.evidence import evidence, extract
from paiza_client.evidence.evidence import Evidence
from paiza_client.sdk import messages, wording
from paiza_client.sdk.evidence_files import Disclosure
from paiza_client.sdk.model import MessageSummary
from paiza_client.web import subjects, writing
from paiza_client.web.content import Section, sections
from paiza_client.web.language import _
from paiza_client.web.page import console_of, form_of, number_of, problem, render, route, session_of, text_of
from paiza_officer.errors import Misused, Refused, misused
from paiza_officer.register_cache import bootstrap_root
from paiza_wire.errors import PaizaError

MAX_EVIDENCE: Final = 128 * 1024 * 1024  # bytes of a file, as it is made
USUAL_PURPOSE: Final = "prosecute"
_SEE_NO_CONTENT: Final = frozenset({"auditor", "data"})


@dataclass(frozen=True, slots=True)
class Disclosed:
    """One part whose key is in the file: its name, its content to be read, or the name of the file that it is."""

    name: str
    parts: tuple[Section, ...]
    file_name: str = ""


async def page(request: Request) -> Response:
    """Show what may go into the evidence file of a message."""
    return await _page(request, await messages.find(session_of(request), request.path_params["id"]))


async def make(request: Request) -> Response:
    """Return the evidence file of a message, to be saved; with disclosed parts where the officer asks for it."""
    session = session_of(request)
    message = await messages.find(session, request.path_params["id"])
    named = (number_of(each, len(message.header.parts) - 1) for each in form_of(request).getlist("part"))
    wanted = tuple(dict.fromkeys(each for each in named if each is not None))
    reason, whom = text_of(request, "reason"), text_of(request, "whom")
    try:
        if not wanted:
            made = await session.evidence_files.make(message.digest, openings=bool(text_of(request, "openings")))
        elif not reason:
            raise Refused("reason_missing", message.id)
        elif not whom:
            raise misused(_("Who exactly gets it"), _("Name them: the log holds it."))
        else:
            disclosure = Disclosure(wanted, whom, text_of(request, "purpose"), reason)
            made = await session.evidence_files.disclose(message, disclosure)
    except PaizaError as error:
        return await _page(request, message, error)
    name = f"{message.thread_name}-{message.id[:16]}.evidence"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(made.data, media_type="application/octet-stream", headers=headers)


async def verify(request: Request) -> Response:
    """Verify an evidence file and show what it proves; it needs neither the node nor the network."""
    console = console_of(request)
    session_of(request)
    file = form_of(request).get("file")
    if not isinstance(file, UploadFile) or not file.filename:
        raise Misused("usage", _("evidence file"), _("choose a file"))
    data = await file.read(MAX_EVIDENCE + 1)
    if len(data) > MAX_EVIDENCE:
        raise Refused("too_large", file.filename)
    proven = await asyncio.to_thread(_verify, data, console.opened.new_folder(), console.profile.root)
    return await render(
        request,
        "evidence.html",
        title=_("Evidence"),
        place="audit",
        evidence=proven,
        header=proven.message.header,
        exercise=proven.message.header.exercise,
        file_name=file.filename,
        disclosed=[_disclosed(proven, number) for number in sorted(proven.disclosed)],
    )


def _verify(data: bytes, folder: Path, root: Path) -> Evidence:
    try:
        path = folder / "evidence"
        path.write_bytes(data)
        return evidence.verify_path(path, bootstrap_root(root))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _disclosed(proven: Evidence, number: int) -> Disclosed:
    header = proven.message.header
    name, content = wording.part_name(header, number), extract.read_part(proven, number).content
    if content is None:
        return Disclosed(name, ())
    if isinstance(content, AttachmentInfo):
        return Disclosed(name, (), content.name)
    kind = wording.kind_of(header)
    shape = kind.annex_shape if header.parts[number].kind == PART_KIND_NOMINAL_ANNEX else kind.shape
    return Disclosed(name, () if shape is None else tuple(sections(shape, content)))


async def _page(request: Request, message: MessageSummary, error: PaizaError | None = None) -> Response:
    session, header = session_of(request), message.header
    (named,) = await subjects.named(console_of(request), [message])
    wanted = form_of(request) if request.method == "POST" else {}
    return await render(
        request,
        "evidence_make.html",
        title=_("Evidence"),
        place="audit",
        status=200 if error is None else 400,
        error=None if error is None else problem(error),
        message=named,
        exercise=header.exercise,
        wanted=wanted,
        parts=[(str(number), wording.part_name(header, number)) for number in range(len(header.parts))],
        purposes=writing.code_choices("purpose"),
        usual_purpose=USUAL_PURPOSE,
        may_disclose=bool(set((await session.whoami()).roles) - _SEE_NO_CONTENT) and not message.erased,
    )


ROUTES: Final = (
    route("/audit/evidence/{id}", page),
    route("/audit/evidence/{id}", make, post=True),
    route("/audit/verify", verify, post=True, files=True),
)
