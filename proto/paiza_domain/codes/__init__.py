"""The code lists that messages draw on: one TOML file per list, Russian and English side by side.

A code is stable: it travels in messages, so it is never renamed and never given another meaning. A list may grow. Lists
are data, read once per process and immutable after that. This package only names the codes; the kinds decide
which code is allowed in which field.
"""

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from types import MappingProxyType
from typing import Any, Final, Literal, get_args

from typing_extensions import override

Lang = Literal["ru", "en"]

LANGS: Final = get_args(Lang)
CODE: Final = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*|[A-Z]{3}")
"""Kebab-case, or the three capitals of ISO 3166-1 alpha-3."""

_ENTRY_KEYS: Final = {"ru", "en", "note_ru", "note_en", "group", "alpha2", "also"}


class CodeListError(Exception):
    """A list of this package is malformed or missing: an internal error, never the fault of a message."""


@dataclass(frozen=True, slots=True)
class Code:
    """One entry of a list. ``names`` and ``note`` are by language; ``note`` may be empty.

    ``group`` is a code of the list's ``group_list`` (drug type: its drug group; unit: its dimension), empty where the
    list has none. ``alpha2`` is set for countries only. ``also`` are further names by which a person may mean the entry
    (`lookup`); none of them is ever shown.
    """

    code: str
    names: Mapping[str, str]
    note: Mapping[str, str]
    group: str = ""
    alpha2: str = ""
    also: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CodeList(Mapping[str, Code]):
    """One list, in the order of the forms. Looking up an unknown code raises `KeyError`."""

    name: str
    titles: Mapping[str, str]
    group_list: str
    codes: Mapping[str, Code]

    @override
    def __getitem__(self, code: str) -> Code:
        return self.codes[code]

    @override
    def __iter__(self) -> Iterator[str]:
        return iter(self.codes)

    @override
    def __len__(self) -> int:
        return len(self.codes)

    def text(self, code: str, lang: str) -> str:
        """Return the name of ``code`` in ``lang`` ("ru" or "en"); an unknown code is returned unchanged."""
        entry = self.codes.get(code)
        return code if entry is None else entry.names[lang]

    def in_group(self, group: str) -> tuple[Code, ...]:
        """Return the entries of one group, in order; empty if the group has none."""
        return tuple(entry for entry in self.codes.values() if entry.group == group)


@cache
def names() -> tuple[str, ...]:
    """Return the names of all lists, in alphabetical order."""
    files = (entry.name for entry in resources.files(__name__).iterdir())
    return tuple(sorted(name.removesuffix(".toml") for name in files if name.endswith(".toml")))


@cache
def load(name: str) -> CodeList:
    """Return the list ``name``; `CodeListError` if there is none of that name or its file is not well formed."""
    if name not in names():
        raise CodeListError(f"there is no code list {name!r}")
    data = tomllib.loads(resources.files(__name__).joinpath(f"{name}.toml").read_text(encoding="utf-8"))
    if set(data) - {"title", "group_list", "codes"}:
        raise CodeListError(f"{name}: unknown key among {sorted(data)}")
    group_list = data.get("group_list", "")
    groups = set(load(group_list)) if group_list else {""}
    return CodeList(
        name=name,
        titles=MappingProxyType({lang: data["title"][lang] for lang in LANGS}),
        group_list=group_list,
        codes=MappingProxyType({code: _entry(name, code, raw, groups) for code, raw in data["codes"].items()}),
    )


def _entry(name: str, code: str, raw: dict[str, Any], groups: set[str]) -> Code:
    """Parse one entry strictly."""
    if not CODE.fullmatch(code):
        raise CodeListError(f"{name}.{code}: not a well-formed code")
    if set(raw) - _ENTRY_KEYS or not all(raw.get(lang) for lang in LANGS):
        raise CodeListError(f"{name}.{code}: needs ru and en, and may have {sorted(_ENTRY_KEYS)}")
    if raw.get("group", "") not in groups:
        raise CodeListError(f"{name}.{code}: group {raw.get('group', '')!r} is not in the list of groups")
    return Code(
        code=code,
        names=MappingProxyType({lang: raw[lang] for lang in LANGS}),
        note=MappingProxyType({lang: raw[f"note_{lang}"] for lang in LANGS if f"note_{lang}" in raw}),
        group=raw.get("group", ""),
        alpha2=raw.get("alpha2", ""),
        also=tuple(raw.get("also", ())),
    )
