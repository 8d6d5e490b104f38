"""The kinds of message, discovered in their modules; there is no central list.

A module defines `KIND`, or `KINDS` if several belong together: every module of this package, and every entry point
of the group `paiza.kinds` that an installed distribution declares (national kinds). Such a module may define `TEXTS`,
its translations: by language, then by the English text.
"""

import pkgutil
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from types import MappingProxyType, ModuleType
from typing import Final

from paiza_domain.codes import lookup
from paiza_domain.i18n import add_texts
from paiza_domain.schema.field_errors import FieldError, entry_text
from paiza_domain.schema.kind import Kind
from paiza_wire.errors import Rejected

ENTRY_POINT_GROUP: Final = "paiza.kinds"
MAX_WORD: Final = 64  # characters of a name that an error repeats


def _defined_in(module: ModuleType) -> Iterable[Kind]:
    return module.KINDS if hasattr(module, "KINDS") else (module.KIND,)


def _found() -> Iterator[Kind]:
    for found in pkgutil.iter_modules(__path__, prefix=f"{__name__}."):
        yield from _defined_in(import_module(found.name))
    for entry_point in entry_points(group=ENTRY_POINT_GROUP):
        module = entry_point.load()
        add_texts(getattr(module, "TEXTS", {}))
        yield from _defined_in(module)


@cache
def _by_version() -> Mapping[tuple[str, int], Kind]:
    kinds: dict[tuple[str, int], Kind] = {}
    for kind in _found():
        if (kind.name, kind.version) in kinds:
            raise AssertionError(f"kind {kind.name} version {kind.version} is defined twice")
        kinds[kind.name, kind.version] = kind
    return MappingProxyType(kinds)


@cache
def all_kinds() -> Mapping[str, Kind]:
    """Return the newest version of every kind by name, in alphabetical order."""
    newest = {name: kind for (name, _version), kind in sorted(_by_version().items(), key=lambda item: item[0])}
    return MappingProxyType(newest)


def find(text: str) -> str:
    """Return the name of the kind that ``text`` names: its name, or its title in either language; empty for none."""
    if text in all_kinds():
        return text
    wanted = lookup.name_key(text)
    found = [name for name, kind in all_kinds().items() if wanted in map(lookup.name_key, kind.titles.values())]
    return found[0] if len(found) == 1 else ""


def named(text: str) -> list[str]:
    """Return the names of the kinds that ``text`` names: by name or title, else by the beginning of a name."""
    exact = find(text)
    return [exact] if exact else [name for name in all_kinds() if text and name.startswith(text)]


def unknown(text: str, lang: str) -> FieldError:
    """Return the error of a text that names no kind, or several, with those that come nearest."""
    known = all_kinds()
    near = [entry_text(each, known[each].titles[lang]) for each in named(text) or nearest(text)]
    return FieldError("", "kind_unknown", {"value": text[:MAX_WORD], "suggestion": ", ".join(near)})


def nearest(text: str) -> tuple[str, ...]:
    """Return the names of the kinds whose names or titles are most like ``text``."""
    return lookup.nearest_names(text, {name: (name, *kind.titles.values()) for name, kind in all_kinds().items()})


def get(name: str, version: int) -> Kind:
    """Return the kind; Rejected("unknown_kind"), or Rejected("unsupported_version") of a known kind."""
    kind = _by_version().get((name, version))
    if kind is not None:
        return kind
    if name in all_kinds():
        raise Rejected("unsupported_version", f"kind {name}, version {version}")
    raise Rejected("unknown_kind", "no kind of that name")
