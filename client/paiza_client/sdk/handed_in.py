"""Drafts that another program of the officer hands in, each under that program's own key.

The draft lies among those of the profile (`draft_store`), where the officer completes, signs and sends it; nothing
here signs. Beside them the folder `handed-in` of the profile holds one small file for each key: the draft's name, the
SHA-256 of what was handed in and of the text it became, and the message once it was sent. So the same key never makes
a second draft, and the program learns what became of each.

The draft is written first, then that file: after a crash between both, handing it in again finds the text and goes on.
"""

import fcntl
import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from pathlib import Path
from typing import IO, Any, Final

from paiza_client.language import _, language
from paiza_client.sdk import draft_store, drafts
from paiza_domain.drafts import drafts as written
from paiza_domain.schema.text_rules import line_problem
from paiza_officer.errors import FieldProblem, Refused, disk_problem
from paiza_officer.profiles import Profile, write_private

FOLDER: Final = "handed-in"
PREFIX: Final = "handed-in-"
MAX_KEY: Final = 200  # characters of a key
MAX_WAITING: Final = 1_000  # drafts that were handed in and neither sent nor discarded
MAX_BYTES: Final = 256 * 1024  # of one draft

_NAMED: Final = 24  # hexadecimal digits of the SHA-256 of a key in the name of its draft
_DRAFT: Final = re.compile(rf"{PREFIX}[0-9a-f]{{{_NAMED}}}{re.escape(draft_store.ENDING)}", re.ASCII)
_TOKEN: Final = re.compile(rf"[0-9a-f]{{{_NAMED}}}", re.ASCII)  # of the last draft of a page
_ATTACHMENTS: Final = "attachments"
_SIGNING: Final = "signing"  # the detail of a conflict that passes


class State(StrEnum):
    """What became of a draft."""

    WAITING = "waiting"  # for the officer, as it was handed in
    CHANGED = "changed"  # for the officer, who has changed it
    SENT = "sent"  # signed and taken by the own node
    DISCARDED = "discarded"  # deleted by the officer


@dataclass(frozen=True, slots=True)
class HandedIn:
    """One draft. ``message`` is the id of the message that it became (32 hexadecimal digits); empty before."""

    key: str
    draft: str
    state: State
    message: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """Drafts in a row, and the token of the next page; empty after the last."""

    drafts: list[HandedIn]
    next_token: str


def put(profile: Profile, key: str, data: bytes) -> HandedIn:
    """Keep a draft in JSON, as the JSON Schema of its kind describes it; the same once more changes nothing.

    Another draft under the same key replaces the one before while the officer has not touched it.

    Refused("invalid_draft") names every fault; ("draft_changed") where the officer has changed, sent or discarded the
    one before, or signs it at this moment; ("quota_exceeded") where `MAX_WAITING` wait; ("malformed"), ("too_large")
    for the bytes or the key.
    """
    text = _as_draft(profile, data)
    with draft_store.changing(profile):
        return _put(profile, key, data, text)


@contextmanager
def being_signed(profile: Profile, source: Path) -> Iterator[None]:
    """Keep the case system from replacing a draft, by its path, from before it is read until it is sent or left.

    `put` refuses it meanwhile. Refused("draft_changed") where another program of the officer is about to sign it.
    """
    name = _name_of(profile, source)
    if not name:
        yield
        return
    with _lock_file(profile, name) as file:
        with draft_store.changing(profile):  # `put` holds the lock only under this
            _lock(file, name)
        yield


@contextmanager
def _not_being_signed(profile: Profile, key: str) -> Iterator[None]:
    with _lock_file(profile, _name(key)) as file:
        _lock(file, key)
        yield


def _lock(file: IO[bytes], where: str) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise Refused("draft_changed", where, _SIGNING) from None


def _lock_file(profile: Profile, name: str) -> IO[bytes]:
    path = _path(profile, name).with_suffix(".lock")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "wb")
    except OSError as error:
        raise disk_problem(error, str(path)) from error


def _put(profile: Profile, key: str, data: bytes, text: str) -> HandedIn:
    name, digest = _name(key), sha256(data).hexdigest()
    record, present = _record(profile, name), _text(profile, name)
    if record is None:
        if present not in {None, text}:  # a crash left no record, and the officer has changed the draft since
            raise Refused("draft_changed", key, State.CHANGED)
        if len(unsent(profile)) >= MAX_WAITING:
            raise Refused("quota_exceeded", key, f"{MAX_WAITING}")
    else:
        known = _handed_in(profile, name, record)
        if record["handed_in_sha256"] == digest:
            return known
        # After a crash before the record the text is this one already, and looks changed.
        is_ours = known.state is State.WAITING or (known.state is State.CHANGED and present == text)
        if not is_ours:
            raise Refused("draft_changed", key, known.state)
    with _not_being_signed(profile, key):
        draft_store.write_text(profile, name, text)
        _write(profile, name, {"key": key, "handed_in_sha256": digest, "text_sha256": _sha256(text)})
    return HandedIn(key, name, State.WAITING)


def find(profile: Profile, key: str) -> HandedIn:
    """Return what became of the draft of a key; Refused("unknown_id") for a key that was not handed in."""
    name = _name(key)
    record = _record(profile, name)
    if record is None:
        raise Refused("unknown_id", key)
    return _handed_in(profile, name, record)


def page(profile: Profile, limit: int, token: str = "") -> Page:
    """Return at most ``limit`` of the drafts that were handed in, in the order of their names.

    ``token`` is that of the page before; empty for the first. What is handed in meanwhile may come before it.
    Refused("malformed") for a token that no page has.
    """
    if token and not _TOKEN.fullmatch(token):
        raise Refused("malformed", "page")
    after = f"{PREFIX}{token}"
    names = sorted(path.stem for path in (profile.folder / FOLDER).glob(f"{PREFIX}*.json") if path.stem > after)
    found = [
        _handed_in(profile, name, record) for name in names[:limit] if (record := _record(profile, name)) is not None
    ]
    return Page(found, names[limit - 1].removeprefix(PREFIX) if len(names) > limit else "")


def unsent(profile: Profile) -> list[HandedIn]:
    """Return the drafts that were handed in and neither sent nor discarded, in the order of their names.

    What was sent or discarded over the years is not looked at.
    """
    names = sorted(each.name for each in draft_store.stored(profile) if each.name.startswith(PREFIX))
    found = [_handed_in(profile, name, record) for name in names if (record := _record(profile, name)) is not None]
    return [each for each in found if each.state in {State.WAITING, State.CHANGED}]


def note_sent(profile: Profile, source: str, message: str) -> None:
    """Note that a draft became a message, if it was handed in; ``source`` is its path, ``message`` the id.

    A crash before this leaves a draft that looks discarded or unsent: the officer sees the message among those sent.
    """
    name = _name_of(profile, Path(source))
    record = _record(profile, name) if name else None
    if record is not None:
        _write(profile, name, {**record, "message": message})


def _name_of(profile: Profile, source: Path) -> str:
    """Return the name of a draft that was handed in, by its path as somebody wrote it; empty for any other file."""
    if not _DRAFT.fullmatch(source.name):
        return ""
    return source.stem if source.resolve() == draft_store.path_of(profile, source.stem).resolve() else ""


def _as_draft(profile: Profile, data: bytes) -> str:
    """Return the text of a draft that was handed in, validated."""
    if len(data) > MAX_BYTES:
        raise Refused("too_large", detail=f"over {MAX_BYTES} bytes")
    try:
        found = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise Refused("malformed", detail=str(error)[:100]) from error
    if isinstance(found, Mapping) and _ATTACHMENTS in found:
        what = _("Files are attached by the officer.")
        raise Refused("invalid_draft", problems=[FieldProblem(_ATTACHMENTS, what, "key_unknown")])
    return written.write(drafts.parse(data, "", profile), language())


def _handed_in(profile: Profile, name: str, record: Mapping[str, Any]) -> HandedIn:
    if message := record.get("message", ""):
        return HandedIn(record["key"], name, State.SENT, message)
    text = _text(profile, name)
    if text is None:
        return HandedIn(record["key"], name, State.DISCARDED)
    same = record["text_sha256"] == _sha256(text)
    return HandedIn(record["key"], name, State.WAITING if same else State.CHANGED)


def _text(profile: Profile, name: str) -> str | None:
    """Return the text of a draft; None where there is none."""
    try:
        return draft_store.read_text(profile, name)
    except Refused:
        return None


def _name(key: str) -> str:
    if not key or line_problem(key, MAX_KEY):
        raise Refused(
            "malformed", key[:MAX_KEY], _("a key is one line of at most {most} characters").format(most=MAX_KEY)
        )
    return f"{PREFIX}{sha256(key.encode()).hexdigest()[:_NAMED]}"


def _sha256(text: str) -> str:
    return sha256(text.encode()).hexdigest()


def _record(profile: Profile, name: str) -> dict[str, Any] | None:
    """Return what stands in the file of a draft; None where there is none, or it is damaged."""
    try:
        found = json.loads(_path(profile, name).read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise Refused("journal_damaged", str(_path(profile, name))) from error
    return dict(found)


def _write(profile: Profile, name: str, record: Mapping[str, Any]) -> None:
    path = _path(profile, name)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_private(path, json.dumps(record).encode())
    except OSError as error:
        raise disk_problem(error, str(path)) from error


def _path(profile: Profile, name: str) -> Path:
    return profile.folder / FOLDER / f"{name}.json"
