"""Saved searches: what an officer waits for. The own node rings when a new message meets one.

The node keeps keyed blind tokens of the criteria and no text. What a search is called and what was written stays in the
profile's folder on this machine, in a file that only its owner can read; on another machine a search has no name.
"""

import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from paiza_client.sdk.model import MessageSummary
from paiza_client.sdk.search import Criterion
from paiza_client.sdk.session import Session
from paiza_officer.errors import Refused
from paiza_officer.profiles import Profile, write_private

FILE: Final = "saved-searches.json"
MAX_NAME: Final = 60  # characters
ID_BYTES: Final = 16


@dataclass(frozen=True, slots=True)
class Described:
    """What this machine knows of a saved search: its name, and what was written."""

    name: str
    criteria: tuple[Criterion, ...] = ()
    author: str = ""
    kind: str = ""


@dataclass(frozen=True, slots=True)
class SavedSearch:
    """A saved search of the officer.

    ``described`` is None for one that was saved on another machine. ``matches`` are those that were not acknowledged,
    newest first; ``has_more`` if the node kept no more of them. A ``stale`` one matches nothing until it is saved anew.
    """

    search_id: bytes
    described: Described | None
    saved_time: datetime
    matches: tuple[MessageSummary, ...] = field(repr=False)
    has_more: bool
    stale: bool

    @property
    def name(self) -> str:
        """Its name; the first digits of its id if it was saved on another machine."""
        return self.search_id.hex()[:8] if self.described is None else self.described.name


async def save(
    session: Session, name: str, criteria: Sequence[Criterion], *, author: str = "", kind: str = "", reason: str = ""
) -> None:
    """Save a search under a name, in the place of the one with this name; earlier matches of that are forgotten.

    Criteria, filters and ``reason`` are those of `Search.search`, with its errors. Refused("too_large") for a name of
    more than 60 characters, or for more searches than the node keeps: 20. Messages that are here already do not match.
    """
    if not 0 < len(name) <= MAX_NAME or not name.isprintable():
        raise Refused("too_large", name[:MAX_NAME])
    known = _read(session.profile)
    search_id = next((each for each, described in known.items() if described.name == name), None)
    search_id = search_id or secrets.token_bytes(ID_BYTES)
    await session.search.save(search_id, criteria, author=author, kind=kind, reason=reason)
    _write(session.profile, {**known, search_id: Described(name, tuple(criteria), author, kind)})


async def remove(session: Session, name: str) -> None:
    """Remove a saved search by its name or its id; Refused("unknown_id") if there is none."""
    found = await find(session, name)
    await session.search.remove_saved(found.search_id)
    known = _read(session.profile)
    known.pop(found.search_id, None)
    _write(session.profile, known)


async def listed(session: Session) -> list[SavedSearch]:
    """Return the saved searches of the officer, the one saved first before the others, with what matches them.

    None where the officer's role does not search.
    """
    known = _read(session.profile)
    try:
        saved = await session.search.saved()
    except Refused as error:
        if error.reason != "policy_denied":
            raise
        return []
    return [
        SavedSearch(each.search_id, known.get(each.search_id), each.saved_time, each.matches, each.has_more, each.stale)
        for each in saved
    ]


async def find(session: Session, name: str) -> SavedSearch:
    """Return a saved search by its name or the beginning of its id; Refused("unknown_id") if there is none."""
    searches = await listed(session)
    for each in searches:
        if each.name == name:
            return each
    for each in searches:
        if len(name) >= 8 and each.search_id.hex().startswith(name.casefold()):  # noqa: PLR2004 - digits that are shown
            return each
    raise Refused("unknown_id", name[:MAX_NAME])


async def acknowledge(session: Session, search: SavedSearch) -> None:
    """Acknowledge the matches of a search: they are no longer listed, and nothing rings for them."""
    if search.matches:
        await session.search.acknowledge_matches(search.search_id, search.matches[0].sequence)


def name_of(profile: Profile, search_id: bytes) -> str:
    """Return what a saved search is called on this machine; the first digits of its id if it is not known here."""
    described = _read(profile).get(search_id)
    return search_id.hex()[:8] if described is None else described.name


def _path(profile: Profile) -> Path:
    return profile.folder / FILE


def _read(profile: Profile) -> dict[bytes, Described]:
    """Return what is known of the searches, by id; nothing if the file is not there or cannot be read."""
    try:
        found = json.loads(_path(profile).read_text(encoding="utf-8"))
        return {bytes.fromhex(each): _described(values) for each, values in found.items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise Refused("file_unreadable", str(_path(profile)), str(error)) from error


def _described(values: Mapping[str, Any]) -> Described:
    criteria = tuple((str(field), str(text)) for field, text in values["criteria"])
    return Described(str(values["name"]), criteria, str(values["author"]), str(values["kind"]))


def _write(profile: Profile, known: Mapping[bytes, Described]) -> None:
    values = {
        search_id.hex(): {
            "name": each.name,
            "criteria": [list(criterion) for criterion in each.criteria],
            "author": each.author,
            "kind": each.kind,
        }
        for search_id, each in known.items()
    }
    write_private(_path(profile), (json.dumps(values, ensure_ascii=False, indent=1) + "\n").encode())
