"""The reader of the fields of a directory: it collects every fault, and goes on with an empty value.

One reader for both forms: the published file (JSON) and the draft (YAML). In both every value is a text, a list or a
group of named values.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from paiza_domain.schema.field_checks import nearest
from paiza_domain.schema.field_errors import FieldError, Problem
from paiza_domain.schema.text_rules import MAX_LINE, line_problem

MAX_FAULTS: Final = 200
"""Faults named; of a file in which everything is wrong, the first ones tell enough."""

_SHOWN: Final = 64  # characters of an unknown key


class Faults:
    """The faults found so far. ``strict``: also fields that nobody knows are faults."""

    def __init__(self, *, strict: bool) -> None:
        self.strict = strict
        self.found: list[FieldError] = []

    def add(self, path: str, code: str, **values: object) -> None:
        """Add a fault of the field at a path."""
        if len(self.found) < MAX_FAULTS:
            self.found.append(FieldError(path, code, values))


class Fields:
    """One group of named values. A value that is wrong is a fault, and reads as empty."""

    def __init__(self, values: object, path: str, faults: Faults, known: Sequence[str]) -> None:
        self.path = path
        self.faults = faults
        self._values: Mapping[str, Any] = values if isinstance(values, dict) else {}
        if not isinstance(values, dict):
            faults.add(path, "expected_group")
        for name in self._values if faults.strict else ():
            if name not in known:
                self.fault(name, ("key_unknown", {"value": name[:_SHOWN], "suggestion": nearest(name[:_SHOWN], known)}))

    def where(self, name: str) -> str:
        """Return the path of a field."""
        return f"{self.path}.{name}" if self.path else name

    def has(self, name: str) -> bool:
        """Return whether a field is there."""
        return name in self._values

    def fault(self, name: str, problem: Problem) -> None:
        """Add a fault of a field."""
        self.faults.add(self.where(name), problem[0], **problem[1])

    def text(
        self,
        name: str,
        check: Callable[[str], Problem | None] = lambda _text: None,
        *,
        most: int = MAX_LINE,
        needed: bool = True,
    ) -> str:
        """Read a line of text; empty if it is missing or wrong."""
        value = self._values.get(name)
        if value is None or value == "":
            if needed:
                self.fault(name, ("missing", {}))
            return ""
        return self._checked(self.where(name), value, check, most)

    def texts(self, name: str, check: Callable[[str], Problem | None], most: int, *, needed: bool) -> tuple[str, ...]:
        """Read a list of lines, each of which stands once; wrong ones are left out."""
        values = self._list(name, most)
        if not values and needed and not self.has(name):
            self.fault(name, ("missing", {}))
        found: list[str] = []
        for at, value in enumerate(values):
            where = f"{self.where(name)}[{at}]"
            if text := self._checked(where, value, check, MAX_LINE):
                if text in found:
                    self.faults.add(where, "value_repeated", value=text)
                else:
                    found.append(text)
        return tuple(found)

    def pairs(self, name: str, key: re.Pattern[str], expected: str, most: int) -> Mapping[str, str]:
        """Read lines by key; wrong ones are left out."""
        values = self._values.get(name)
        if values is None:
            return MappingProxyType({})
        if not isinstance(values, dict):
            self.fault(name, ("expected_group", {}))
            return MappingProxyType({})
        if len(values) > most:
            self.fault(name, ("too_many", {"most": most}))
            return MappingProxyType({})
        inner, found = Fields(values, self.where(name), self.faults, list(values)), dict[str, str]()
        for each in values:
            if not key.fullmatch(each):
                self.fault(name, ("code_malformed", {"expected": expected}))
            elif text := inner.text(each):
                found[each] = text
        return MappingProxyType(found)

    def inner(self, name: str, known: Sequence[str]) -> "Fields | None":
        """Read a group in this one; None if it is missing."""
        value = self._values.get(name)
        return None if value is None else Fields(value, self.where(name), self.faults, known)

    def each(self, name: str, most: int, known: Sequence[str]) -> Iterator["Fields"]:
        """Read a list of groups; those that are none are left out."""
        for at, value in enumerate(self._list(name, most)):
            where = f"{self.where(name)}[{at}]"
            if isinstance(value, dict):
                yield Fields(value, where, self.faults, known)
            else:
                self.faults.add(where, "expected_group")

    def _list(self, name: str, most: int) -> list[Any]:
        values = self._values.get(name)
        if values is None:
            return []
        if not isinstance(values, list):
            self.fault(name, ("expected_list", {}))
            return []
        if len(values) > most:
            self.fault(name, ("too_many", {"most": most}))
            return []
        return values

    def _checked(self, where: str, value: object, check: Callable[[str], Problem | None], most: int) -> str:
        if not isinstance(value, str) or not value:
            self.faults.add(where, "expected_value")
            return ""
        if problem := line_problem(value, most) or check(value):
            self.faults.add(where, problem[0], **problem[1])
            return ""
        return value
