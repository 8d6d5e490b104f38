"""What a form asks around the content: addressees, urgency, marks, files, the second officer; the choices of each."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from paiza_client.files import attaching, file_types, pictures
from paiza_client.sdk import Session, messages
from paiza_client.sdk.wording import kind_title
from paiza_client.web import texts
from paiza_client.web.language import N_, language
from paiza_client.web.writing import Page, code_choices
from paiza_domain import handling as marks
from paiza_domain.forms import values
from paiza_domain.schema.kind import Kind
from paiza_officer.errors import Refused
from paiza_wire.errors import PaizaError

LABELS: Final[Mapping[str, str]] = {
    "to": N_("To whom"),
    "urgency": N_("Urgency"),
    "urgency_reason": N_("Why it is urgent"),
    "handling.tlp": N_("TLP"),
    "handling.code": N_("Handling code"),
    "handling.code_text": N_("Other limits"),
    "handling.classification": N_("Classification level"),
    "handling.pap": N_("PAP"),
    "handling.purposes": N_("Purposes"),
    "handling.evaluation": N_("Evaluation"),
    "handling.evaluation_scheme": N_("Scheme of the evaluation"),
    "legal_bases": N_("Legal bases"),
    "review": N_("To be reviewed"),
    "in_reply_to": N_("Belongs to"),
    "exercise": N_("This is an exercise: all persons and events are invented"),
    "_second": N_("Second officer"),
}
"""Names of the fields around the content."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """The choices of the fields around the content: (value, text)."""

    urgencies: list[tuple[str, str]]
    reasons: list[tuple[str, str]]
    tlp: list[tuple[str, str]]
    codes: list[tuple[str, str]]
    pap: list[tuple[str, str]]
    levels: list[tuple[str, str]]
    purposes: list[tuple[str, str]]
    bases: list[tuple[str, str]]
    schemes: list[tuple[str, str]]
    by_content: bool
    """Whether marks that are left out follow from the content."""


def choices(session: Session, page: Page) -> Envelope:
    """Return the choices for the form of a draft."""
    assert page.kind is not None
    bases = session.register().legal_bases
    chosen = page.values.get("legal_bases", "").split("\n")
    listed = {code: names.get(language(), code) for code, names in bases.items()}
    listed |= {code: code for code in chosen if code and code not in listed}
    return Envelope(
        urgencies=[(each.code, each.name) for each in code_choices("urgency")],
        reasons=[(each.code, each.name) for each in code_choices("urgency_reason")],
        tlp=[(each, f"{each}: {marks.meaning(each, language())}") for each in marks.TLP],
        codes=[(each, f"{each}: {marks.meaning(each, language())}") for each in marks.CODES],
        pap=[(each, f"{each}: {marks.meaning(f'PAP:{each}', language())}") for each in marks.PAP],
        levels=[(str(each), texts.level(each)) for each in range(marks.MAX_CLASSIFICATION + 1)],
        purposes=[(each.code, each.name) for each in code_choices("purpose")],
        bases=sorted(listed.items()),
        schemes=[(each, each) for each in marks.EVALUATION_SCHEMES],
        by_content=page.kind.handling_for is not None,
    )


@dataclass(frozen=True, slots=True)
class Second:
    """A colleague who may sign as well."""

    name: str
    roles: tuple[str, ...]
    unit: str


async def colleagues(session: Session, kind: Kind) -> list[Second]:
    """Return who may be the second officer for a kind; none where the node does not tell."""
    try:
        found = await session.approvals.officers()
    except Refused:
        return []
    wanted = {kind.second_role} if kind.second_role else set(kind.sender_roles) | {"authoriser"}
    own = str(session.profile.id)
    return [Second(each.name, each.roles, each.unit) for each in found if each.id != own and wanted & set(each.roles)]


@dataclass(frozen=True, slots=True)
class File:
    """A file of a draft. ``place``: what tells where a picture was taken; None where that cannot be told.

    ``showable``: it is a picture that may be shown; ``shown``: its form shows it.
    """

    index: int
    path: str
    name: str
    note: str
    size: int
    place: tuple[str, ...] | None
    missing: bool
    showable: bool
    shown: bool


def files(page: Page) -> list[File]:
    """Return the files that a draft attaches."""
    found, room = [], pictures.Room()
    for index in values.indices(page.values, "attachments"):
        kept = page.values.get(f"attachments[{index}].file", "") or page.values.get(f"attachments[{index}]", "")
        if not kept:
            continue
        path = page.stored.path.parent / kept
        there = path.is_file()
        count = _pixels(path) if there else 0
        found.append(
            File(
                index=index,
                path=kept,
                name=path.name,
                note=page.values.get(f"attachments[{index}].note", ""),
                size=path.stat().st_size if there else 0,
                place=attaching.place_of(path) if there else (),
                missing=not there,
                showable=count > 0,
                shown=room.takes(count),
            )
        )
    return found


def shown_type(path: Path) -> str | None:
    """Return the media type of a picture that a page shows; None for every other file."""
    try:
        media_type = file_types.recognise(path).media_type
    except Refused:
        return None
    return media_type if pictures.may_be_shown(path, media_type) else None


def _pixels(path: Path) -> int:
    try:
        return pictures.pixels(path, file_types.recognise(path).media_type)
    except Refused:
        return 0


async def answered(session: Session, text: str) -> tuple[str, str]:
    """Return (id, title) of a message that a draft answers, or its name as it is written."""
    try:
        message = await messages.find(session, text)
    except PaizaError:
        return "", text
    return message.id, f"{kind_title(message.header)} {message.thread_name}"
