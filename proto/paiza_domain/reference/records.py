"""The parser of the records of a reference file: an invalid record is reported and left out, the others are used.

Reference data come from many authors and are for display. An invalid record must not affect the others, and no record
can stop an exchange: messages are never checked against these files.
"""

import json
import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final, TypeVar

from paiza_domain.reference.model import Evidence, Period, Texts
from paiza_domain.schema import field_checks
from paiza_domain.schema.field_errors import FieldError, Problem
from paiza_domain.schema.text_rules import MAX_LINE, line_problem

FORMAT: Final = 1
"""The version of all reference files."""

MAX_FILE_BYTES: Final = 4 << 20
"""Bytes of one file; the substances of all schedules take about 0.3 MB."""

MAX_RECORDS: Final = 20_000
"""Records of one list of one file: all substances in ten states."""

MAX_WORDS: Final = 40
"""Synonyms, street names or numbers of one substance."""

MAX_NOTE: Final = 1_000
"""Characters of a note or of what a provision requires."""

MAX_PROBLEMS: Final = 200
"""Problems named; of a file in which everything is wrong, the first ones tell enough."""

SLUG: Final = re.compile(r"[a-z0-9]+(-[a-z0-9]+){0,15}", re.ASCII)
STATE: Final = re.compile(r"[a-z]{3}", re.ASCII)
MEMBER: Final = re.compile(r"[a-z][a-z0-9-]{1,15}", re.ASCII)

_SLUG_LENGTH: Final = 64
_LANGUAGES: Final = ("ru", "en")
_Parsed = TypeVar("_Parsed")


class RecordError(Exception):
    """A field of a record is invalid."""

    def __init__(self, path: str, problem: Problem) -> None:
        super().__init__(path)
        self.error = FieldError(path, *problem)


class Record:
    """One JSON object; every method raises `RecordError` with the field if it is invalid."""

    def __init__(self, where: str, values: object) -> None:
        if not isinstance(values, dict):
            raise RecordError(where, ("expected_group", {}))
        self.where = where
        self._values: dict[str, Any] = values

    def wrong(self, name: str, code: str, **values: object) -> RecordError:
        """Build the error of one field."""
        return RecordError(f"{self.where}.{name}", (code, values))

    def has(self, name: str) -> bool:
        """Return whether a field is there."""
        return name in self._values

    def text(self, name: str, most: int = MAX_LINE, *, needed: bool = True) -> str:
        """Read a line of text; an optional one may be empty."""
        value = self._values.get(name, "")
        if not isinstance(value, str):
            raise self.wrong(name, "expected_value")
        if not value and needed:
            raise self.wrong(name, "missing")
        if problem := line_problem(value, most):
            raise RecordError(f"{self.where}.{name}", problem)
        return value

    def word(self, name: str, pattern: re.Pattern[str] = SLUG, *, needed: bool = True) -> str:
        """Read an id."""
        value = self.text(name, _SLUG_LENGTH, needed=needed)
        if value and not pattern.fullmatch(value):
            raise self.wrong(name, "code_malformed", expected="acetic-anhydride, kaz")
        return value

    def one_of(self, name: str, allowed: tuple[str, ...], *, default: str = "") -> str:
        """Read one of a few words."""
        value = self.text(name, needed=not default) or default
        if value not in allowed:
            raise self.wrong(name, "code_malformed", expected=", ".join(allowed))
        return value

    def code(self, name: str, codes: str, *, needed: bool = True) -> str:
        """Read a code of a code list."""
        value = self.text(name, needed=needed)
        if value and (problem := field_checks.code(codes)(value)):
            raise RecordError(f"{self.where}.{name}", problem)
        return value

    def flag(self, name: str) -> bool:
        """Read true or false; false if it is missing."""
        value = self._values.get(name, False)
        if not isinstance(value, bool):
            raise self.wrong(name, "flag_malformed")
        return value

    def number(self, name: str, least: int, most: int, default: int = 0) -> int:
        """Read a whole number."""
        value = self._values.get(name, default)
        if type(value) is not int:
            raise self.wrong(name, "not_integer")
        if not least <= value <= most:
            raise self.wrong(name, "out_of_range", least=least, most=most)
        return value

    def texts(self, name: str, most: int = MAX_LINE, *, needed: tuple[str, ...] = _LANGUAGES) -> Texts:
        """Read a text in every language; optional languages may be missing."""
        inner = Record(f"{self.where}.{name}", self._values.get(name, {}))
        found = {lang: inner.text(lang, most, needed=lang in needed) for lang in _LANGUAGES}
        return MappingProxyType({lang: text for lang, text in found.items() if text})

    def words(self, name: str, check: Callable[[str], Problem | None] | None = None) -> tuple[str, ...]:
        """Read a list of lines, each once."""
        values = self._values.get(name, [])
        if not isinstance(values, list):
            raise self.wrong(name, "expected_list")
        if len(values) > MAX_WORDS:
            raise self.wrong(name, "too_many", most=MAX_WORDS)
        for value in values:
            if not isinstance(value, str) or not value:
                raise self.wrong(name, "expected_value")
            if problem := line_problem(value, MAX_LINE) or (check(value) if check else None):
                raise RecordError(f"{self.where}.{name}", problem)
        return tuple(dict.fromkeys(values))

    def date(self, name: str) -> str:
        """Read a day, or a month, or a year; it may be missing."""
        value = self.text(name, needed=False)
        if value and (problem := field_checks.date(value)):
            raise RecordError(f"{self.where}.{name}", problem)
        return value

    def span(self, begin: str, end: str) -> Period:
        """Read two days, or months, or years."""
        found = Period(self.date(begin), self.date(end))
        if found.is_reversed:
            raise self.wrong(end, "period_reversed")
        return found

    def evidence(self, of: str = "", *, needed: bool = True) -> Evidence:
        """Read the source of the record, or of a part of it, whose fields begin with `of`."""
        compared = self.date(f"{of}compared")
        if compared and len(compared) != len("2026-11-30"):
            raise self.wrong(f"{of}compared", "date_malformed")
        source = self.text(f"{of}source", MAX_NOTE, needed=needed)
        return Evidence(source, compared, self.texts(f"{of}doubt", MAX_NOTE, needed=()))

    def inner(self, name: str) -> "Record":
        """Read an object in this one."""
        return Record(f"{self.where}.{name}", self._values.get(name, {}))

    def inner_each(self, name: str, most: int) -> tuple["Record", ...]:
        """Read a list of objects."""
        values = self._values.get(name, [])
        if not isinstance(values, list):
            raise self.wrong(name, "expected_list")
        if len(values) > most:
            raise self.wrong(name, "too_many", most=most)
        return tuple(Record(f"{self.where}.{name}[{at}]", value) for at, value in enumerate(values))


class File:
    """One reference file; its errors are collected in ``problems``."""

    def __init__(self, path: str, data: bytes | None, problems: list[FieldError]) -> None:
        self._path = path
        self._problems = problems
        self._values: Mapping[str, Any] = {} if data is None else self._load(data)

    def records(self, name: str, parse: Callable[[Record], _Parsed]) -> tuple[_Parsed, ...]:
        """Read a list of records, without the invalid ones."""
        values = self._values.get(name, [])
        if not isinstance(values, list) or len(values) > MAX_RECORDS:
            self._add_problem(FieldError(f"{self._path}: {name}", "too_many", {"most": MAX_RECORDS}))
            return ()
        found: list[_Parsed] = []
        for at, value in enumerate(values):
            try:
                found.append(parse(Record(f"{self._path}: {name}[{at}]", value)))
            except RecordError as wrong:
                self._add_problem(wrong.error)
        return tuple(found)

    def whole(self, parse: Callable[[Record], _Parsed]) -> _Parsed | None:
        """Read a file that is one record; None if it is missing or invalid."""
        if not self._values:
            return None
        try:
            return parse(Record(self._path, dict(self._values)))
        except RecordError as wrong:
            self._add_problem(wrong.error)
            return None

    def _load(self, data: bytes) -> Mapping[str, Any]:
        if len(data) > MAX_FILE_BYTES:
            self._add_problem(FieldError(self._path, "file_unusable", {"value": FORMAT}))
            return {}
        try:
            values = json.loads(data)
        except (ValueError, RecursionError):
            values = None
        if not isinstance(values, dict) or values.get("format") != FORMAT:
            self._add_problem(FieldError(self._path, "file_unusable", {"value": FORMAT}))
            return {}
        return values

    def _add_problem(self, error: FieldError) -> None:
        if len(self._problems) < MAX_PROBLEMS:
            self._problems.append(error)
