"""Empty drafts with what is known filled in, and the sections that are added to a draft.

Known are the day, the own agency and the last place: of the message sent last from this profile, otherwise the
authority that the own member's profile names, and the own state. `remember` keeps them in the folder of the profile.
"""

import json
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from google.protobuf.message import Message

from paiza_client.compose.composer import raise_field_problems
from paiza_client.language import _, language
from paiza_client.local import reference_data
from paiza_client.sdk import drafts
from paiza_domain import codes
from paiza_domain.drafts import adding, sections
from paiza_domain.drafts import templates as written
from paiza_domain.drafts.drafts import Draft, DraftError
from paiza_domain.drafts.sections import Section
from paiza_domain.drafts.templates import Form, Known
from paiza_domain.schema import scalars
from paiza_domain.schema.field_errors import entry_text
from paiza_domain.schema.kind import Kind
from paiza_domain.schema.shapes import Field, Shape
from paiza_officer.errors import misused
from paiza_officer.profiles import Profile, write_private

MAX_REMEMBERED: Final = 64 * 1024  # bytes of the file
_FILE: Final = "last_used.json"


def empty(kind: Kind, profile: Profile | None, form: Form = "short", begun: Draft | None = None) -> str:
    """Return an empty draft of a kind in the language in use; without a profile only the day is known.

    The short form begins with what ``begun`` says.
    """
    return written.template(kind, language(), form, known(profile), begun)


def known(profile: Profile | None) -> Known:
    """Return what a template may fill in before anybody writes."""
    today = datetime.now().astimezone().date().isoformat()
    if profile is None:
        return Known(today=today)
    kept = _remembered(profile)
    agency, place = kept.get("agency", ""), kept.get("place", {})
    state = profile.member.upper()
    if not place and state in codes.load("country"):
        place = {"country": state}
    return Known(agency if isinstance(agency, str) and agency else _authority(profile), today, _texts(place))


def remember(profile: Profile, kind: Kind, content: Message) -> None:
    """Keep agency and place of a message that was sent, for the next template; readable by the owner alone."""
    kept = _remembered(profile)
    for field in kind.shape.fields:
        value = getattr(content, field.name)
        if field.known == "agency" and value:
            kept["agency"] = value
        elif field.known == "place" and field.shape is not None and content.HasField(field.name):
            kept["place"] = _written(field.shape, value)
    # A draft without what was used last is a comfort less; the message has gone.
    with suppress(OSError):
        write_private(profile.folder / _FILE, json.dumps(kept, ensure_ascii=False).encode())


def sections_of(path: str | Path) -> tuple[Section, ...]:
    """Return the sections that the draft in a file may have; Refused as `drafts.read` where it names no kind."""
    return sections.sections(_kind(_text(path), path))


def add(path: str | Path, names: tuple[str, ...]) -> tuple[Section, ...]:
    """Add sections to the draft in a file, each named by its key or its name in either language; return them.

    The file is written once, when all are added. Misused names the sections where one is unknown; Refused
    ("invalid_draft") where the file is no draft, or a section cannot be added.
    """
    text, added = _text(path), []
    kind = _kind(text, path)
    for name in names:
        section = _section(kind, name)
        try:
            text = adding.add(text, section, language())
        except DraftError as error:
            raise_field_problems(str(path), error.errors)
        added.append(section)
    write_private(Path(path), text.encode())
    return tuple(added)


def _section(kind: Kind, name: str) -> Section:
    """Return the section of a name; Misused with keys and titles of those that it may mean, or of all."""
    found = sections.find(kind, name)
    if len(found) == 1:
        return found[0]
    what = _("There is no section “{wanted}”; there are: {names}")
    if found:
        what = _("“{wanted}” is the name of several: {names}")
    known = (entry_text(each.key, each.titles[language()]) for each in found or sections.sections(kind))
    raise misused(name, what.format(wanted=name, names=", ".join(known)))


def _text(path: str | Path) -> str:
    return drafts.decoded(drafts.read_bytes(path), str(path))


def _kind(text: str, path: str | Path) -> Kind:
    try:
        return adding.kind_in(text, language())
    except DraftError as error:
        raise_field_problems(str(path), error.errors)
        raise AssertionError("a draft error names at least one field") from error


def _authority(profile: Profile) -> str:
    """Return the authority that the own member's profile names, by the register verified last."""
    register = reference_data.last_register(profile)
    own = None if register is None else reference_data.of(register).reference.profiles.get(profile.member)
    return "" if own is None else own.authority.get(language(), "")


def _remembered(profile: Profile) -> dict[str, Any]:
    """Return what was kept; nothing where the file is missing or damaged."""
    try:
        with (profile.folder / _FILE).open("rb") as file:
            kept = json.loads(file.read(MAX_REMEMBERED))
    except (OSError, ValueError):
        return {}
    return kept if isinstance(kept, dict) else {}


def _texts(place: object) -> Mapping[str, str]:
    found = place if isinstance(place, dict) else {}
    return {key: text for key, text in found.items() if isinstance(key, str) and isinstance(text, str)}


def _written(shape: Shape, place: Message) -> dict[str, str]:
    """Return the single values of a place as a draft has them."""
    fields: list[tuple[Field, Any]] = [(shape.by_name[each.name], value) for each, value in place.ListFields()]
    return {field.key: scalars.write(field, value) for field, value in fields if field.shape is None}
