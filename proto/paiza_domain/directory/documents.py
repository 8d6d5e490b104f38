"""The published form of a directory: ``members/<id>/liaison.json`` of the register.

The file of one member is used whole or not at all: a roster of which a part is missing would name the wrong person. It
is nobody else's matter: the member itself, and the files of others, stay usable.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from paiza_domain.directory import content, times
from paiza_domain.directory.fields import Faults
from paiza_domain.directory.model import Confirmation, Directory, DutyRoster, LiaisonOfficer, Shift
from paiza_domain.schema.field_errors import FieldError

FORMAT: Final = 1
"""The version of the file."""

MAX_BYTES: Final = 256 << 10
"""Bytes of one file; thirty officers with a roster of three months have about 60 kB."""


class DirectoryError(Exception):
    """A directory is invalid; ``errors`` names every fault."""

    def __init__(self, errors: tuple[FieldError, ...]) -> None:
        super().__init__(", ".join(f"{each.path}: {each.code}" for each in errors[:3]))
        self.errors = errors


class State(StrEnum):
    """Whether a member's directory can be used."""

    PUBLISHED = "published"
    ABSENT = "absent"
    UNUSABLE = "unusable"


@dataclass(frozen=True, slots=True)
class Published:
    """What a member published; ``directory`` is empty unless it is usable, ``errors`` says why it is not."""

    state: State
    directory: Directory
    errors: tuple[FieldError, ...] = ()


def path_of(member: str) -> str:
    """Return the target path of a member's directory in the register."""
    return f"members/{member}/liaison.json"


def read(member: str, data: bytes) -> Directory:
    """Parse the published file of a member; `DirectoryError` if it is invalid."""
    if len(data) > MAX_BYTES:
        raise DirectoryError((FieldError("", "draft_too_large", {"most": MAX_BYTES}),))
    try:
        values = json.loads(data, object_pairs_hook=_unique)
    except (ValueError, RecursionError):
        values = None
    if not isinstance(values, dict) or type(values.get("format")) is not int or values["format"] != FORMAT:
        raise DirectoryError((FieldError("", "file_unusable", {"value": FORMAT}),))
    faults = Faults(strict=False)
    found = content.parse(member, values, faults, lambda text, _zone: times.parse_utc(text))
    if faults.found:
        raise DirectoryError(tuple(faults.found))
    return found


def published(files: Mapping[str, bytes], member: str) -> Published:
    """Return what a member published, from the files of a register by target path. It never fails."""
    data = files.get(path_of(member))
    if data is None:
        return Published(State.ABSENT, Directory(member))
    try:
        return Published(State.PUBLISHED, read(member, data))
    except DirectoryError as error:
        return Published(State.UNUSABLE, Directory(member), error.errors)


def to_bytes(directory: Directory) -> bytes:
    """Write a directory as `read` reads it; the same directory gives the same bytes."""
    values = {
        "format": FORMAT,
        "officers": [_officer(each) for each in directory.officers],
        "duty": None if directory.duty is None else _duty(directory.duty),
        "confirmed": [_confirmation(each) for each in directory.confirmed],
    }
    return json.dumps(_filled(values), ensure_ascii=False, indent=1, sort_keys=True).encode() + b"\n"


def _officer(officer: LiaisonOfficer) -> dict[str, Any]:
    hours = officer.hours
    return _filled({
        "id": officer.id,
        "name": officer.name,
        "posted_in": officer.posted_in,
        "posting": officer.posting,
        "accredited_to": list(officer.accredited_to),
        "covers": list(officer.covers),
        "kinds": list(officer.kinds),
        "languages": list(officer.languages),
        "contacts": dict(officer.contacts),
        "hours": None if hours is None else {
            "time_zone": hours.time_zone,
            "days": list(hours.days),
            "from": times.clock_text(hours.begin),
            "until": times.clock_text(hours.end),
        },
        "expires": officer.expiry.isoformat(),
    })  # fmt: skip


def _duty(duty: DutyRoster) -> dict[str, Any]:
    return _filled(
        {
            "time_zone": duty.time_zone,
            "contacts": dict(duty.contacts),
            "shifts": [_shift(each) for each in duty.shifts],
        }
    )


def _shift(shift: Shift) -> dict[str, Any]:
    return _filled(
        {
            "from": times.utc_text(shift.interval.begin),
            "until": times.utc_text(shift.interval.end),
            "officer": shift.officer,
            "name": shift.name,
            "contacts": dict(shift.contacts),
        }
    )


def _confirmation(confirmed: Confirmation) -> dict[str, str]:
    return {"member": confirmed.member, "officer": confirmed.officer, "name": confirmed.name}


def _filled(values: dict[str, Any]) -> dict[str, Any]:
    """Return the values that hold something."""
    return {name: value for name, value in values.items() if value not in (None, "", [], {})}


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) != len(pairs):
        raise ValueError("a key stands twice")
    return values
