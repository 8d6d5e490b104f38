"""An export under way, on disk: what was asked for, what may leave, and what was written of it so far.

One JSON object a line. The first is the order; then come the pages of messages that the node permits or refuses, then
the pages of what was opened. A line is on disk before the next page is opened. After a crash the last line may lack its
end: it is dropped, and its page is opened once more. The file holds content, and only its owner can read it.
"""

import base64
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO, Final, Self

from paiza_client.language import _
from paiza_client.sdk import as_json
from paiza_client.sdk.exports import Intent
from paiza_client.sdk.model import LeftOut, NotOpened
from paiza_officer.errors import Refused

FORMAT: Final = "paiza export 1"
SUFFIX: Final = ".part"


@dataclass(frozen=True, slots=True)
class Order:
    """What an export is to hold, in which form, for whom and why.

    ``form`` is a key of `FORMS`, ``file_format`` one of its formats (empty: the usual one). ``names`` and the four
    filters choose the messages (`open_many.choose`); a form that takes one kind takes only that kind of them. With
    ``intent.with_annex`` the nominal annexes are opened and written too. With ``partial`` the messages that must not be
    exported are left out; without it a single one of them refuses the whole. With ``exercise`` only exercises are
    taken, and the file says so; without it a table holds none.
    """

    intent: Intent
    form: str = "full"
    file_format: str = ""
    names: tuple[str, ...] = ()
    kind: str = ""
    author: str = ""
    since: datetime | None = None
    until: datetime | None = None
    partial: bool = False
    exercise: bool = False

    def as_object(self) -> dict[str, Any]:
        """Return it as it stands in the file."""
        return json.loads(json.dumps(asdict(self), default=_iso))  # type: ignore[no-any-return]

    @classmethod
    def of(cls, found: dict[str, Any]) -> Self:
        """Read it back."""
        times = {name: found[name] and datetime.fromisoformat(found[name]) for name in ("since", "until")}
        return cls(**{**found, **times, "intent": Intent(**found["intent"]), "names": tuple(found["names"])})


@dataclass(frozen=True, slots=True)
class Begun:
    """By whom an export was begun, and in which language its texts are."""

    officer: str
    language: str


@dataclass(slots=True)
class Written:
    """How far an export has come.

    token       where the choice of messages goes on; empty once ``chosen``
    permitted   messages that may leave, ``superseded`` ones that are no longer in force
    exercises   messages passed over: exercises, or real messages where exercises were ordered
    opened      messages of the permitted ones that were opened or found not to open
    messages    messages that stand in it
    marks       their different marks, serialized
    """

    token: str = ""
    chosen: bool = False
    permitted: int = 0
    superseded: int = 0
    exercises: int = 0
    opened: int = 0
    messages: int = 0
    marks: dict[bytes, None] = field(default_factory=dict)
    left_out: LeftOut = field(default_factory=LeftOut)

    def take(self, line: dict[str, Any]) -> None:
        """Add what a line says."""
        for digest, reason, detail, message_id in line["left_out"]:
            self.left_out.add(NotOpened(bytes.fromhex(digest), reason, detail, message_id))
        if "permitted" in line:
            self.permitted += len(line["permitted"])
            self.superseded += line["superseded"]
            self.exercises += line["exercises"]
            self.token = line["next"]
            self.chosen = not self.token
        else:
            self.opened += line["opened"]
            self.messages += line["messages"]
            self.marks.update(dict.fromkeys(base64.b64decode(each) for each in line["marks"]))


class Journal:
    """The file of one export; made by `begin`, or by `resume` after an interruption."""

    def __init__(self, path: Path, file: BinaryIO, order: Order, begun: Begun, written: Written) -> None:
        """Go on at the end of ``file``."""
        self.path, self.order, self.begun, self.written = path, order, begun, written
        self._file = file

    @classmethod
    def begin(cls, target: Path, order: Order, begun: Begun) -> Self:
        """Begin an export to ``target``; Refused("file_unwritable") where an unfinished one stands beside it."""
        path = beside(target)
        try:
            file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600), "w+b")
        except FileExistsError:
            what = _("an unfinished export: finish it with --continue, or delete this file")
            raise Refused("file_unwritable", str(path), what) from None
        found = cls(path, file, order, begun, Written())
        found._append({"format": FORMAT, "order": order.as_object(), "begun": asdict(begun)})
        return found

    @classmethod
    def resume(cls, target: Path) -> Self:
        """Go on with the export to ``target``; Refused("file_unreadable") where none was begun."""
        path = beside(target)
        try:
            file = path.open("r+b")
        except FileNotFoundError:
            raise Refused("file_unreadable", str(path), _("no export to this file is unfinished")) from None
        try:
            first = json.loads(file.readline())
            order, begun = Order.of(first["order"]), Begun(**first["begun"])
            written, end = Written(), file.tell()
            for line in file:
                if not line.endswith(b"\n"):
                    break  # a crash while it was written
                written.take(json.loads(line))
                end += len(line)
        except (ValueError, KeyError, TypeError) as error:
            file.close()
            raise Refused("file_unreadable", str(path), _("it is no unfinished export")) from error
        file.truncate(end)
        file.seek(end)
        return cls(path, file, order, begun, written)

    def permit(
        self,
        permitted: Iterable[bytes],
        refused: Iterable[NotOpened],
        superseded: int,
        exercises: int,
        next_token: str,
    ) -> None:
        """Write a page of what the node permits and refuses, and where the choice goes on."""
        self._note({
            "permitted": [each.hex() for each in permitted],
            "left_out": _left_out(refused),
            "superseded": superseded,
            "exercises": exercises,
            "next": next_token,
        })  # fmt: skip

    def write(
        self, opened: int, pieces: Sequence[Any], messages: int, marks: Iterable[bytes], lost: Iterable[NotOpened]
    ) -> None:
        """Write what was made of a page of opened messages."""
        self._note({
            "opened": opened,
            "messages": messages,
            "marks": [base64.b64encode(each).decode() for each in marks if each not in self.written.marks],
            "left_out": _left_out(lost),
            "pieces": pieces,
        })  # fmt: skip

    def still_to_open(self, most: int) -> Iterator[list[bytes]]:
        """Yield the digests of what may leave and is not written yet, at most so many together."""
        done, passed, waiting = self.written.opened, 0, list[bytes]()
        for line in self._lines():
            for digest in line.get("permitted", ()):
                passed += 1
                if passed > done:
                    waiting.append(bytes.fromhex(digest))
            while len(waiting) >= most:
                yield waiting[:most]
                waiting = waiting[most:]
            if "opened" in line:
                break
        if waiting:
            yield waiting

    def pieces(self) -> Iterator[Any]:
        """Yield what was written, piece by piece, in order."""
        for line in self._lines():
            yield from line.get("pieces", ())

    def close(self) -> None:
        """Leave the file for a later `resume`."""
        self._file.close()

    def remove(self) -> None:
        """Delete the file: the export is finished, or given up."""
        self._file.close()
        self.path.unlink(missing_ok=True)

    def _lines(self) -> Iterator[dict[str, Any]]:
        """Yield the lines after the first, as far as they are written now."""
        with self.path.open("rb") as file:
            file.readline()
            for line in file:
                yield json.loads(line)

    def _note(self, line: dict[str, Any]) -> None:
        self._append(line)
        self.written.take(line)

    def _append(self, line: dict[str, Any]) -> None:
        """Write a line; it is on disk when this returns."""
        self._file.write(json.dumps(line, ensure_ascii=False, default=as_json.value).encode() + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())


@dataclass(frozen=True, slots=True)
class Unfinished:
    """An export that was interrupted: its target, what was ordered, by whom, and how far it has come."""

    target: Path
    order: Order
    begun: Begun
    written: Written


def unfinished(folder: Path) -> list[Unfinished]:
    """Return the exports to files of a folder that are not finished, the oldest first; other files are passed over.

    One that is being made is among them.
    """
    found = []
    for path in sorted(folder.glob(f"*{SUFFIX}"), key=lambda each: each.stat().st_mtime):
        try:
            with path.open("rb") as file:
                first, written = json.loads(file.readline()), Written()
                for line in file:
                    if line.endswith(b"\n"):
                        written.take(json.loads(line))
            order, begun = Order.of(first["order"]), Begun(**first["begun"])
        except (OSError, ValueError, KeyError, TypeError):
            continue
        found.append(Unfinished(path.with_suffix(""), order, begun, written))
    return found


def beside(target: Path) -> Path:
    """Return the file in which an export to ``target`` is made."""
    return target.with_name(target.name + SUFFIX)


def _left_out(found: Iterable[NotOpened]) -> list[tuple[str, str, str, str]]:
    return [(each.digest.hex(), each.reason, each.detail, each.id) for each in found]


def _iso(moment: object) -> str:
    assert isinstance(moment, datetime)
    return moment.isoformat()
