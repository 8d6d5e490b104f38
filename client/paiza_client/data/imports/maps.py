"""Maps: how one layout of a file is read, and what its words mean in our code lists. README.md describes the format.

A map is checked in full before the first row is read: every key known, every code in its list, every field present that
a notice cannot do without. All that is wrong is said at once, with the file and the key.
"""

import codecs
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from importlib import resources
from pathlib import Path
from types import MappingProxyType
from typing import Final

from paiza_cli.toml_text import parse_toml
from paiza_client.data.imports.dates import DateFormat, compile_date_format
from paiza_client.data.imports.map_checks import LEGS, TABLES, line_of, map_problems
from paiza_officer.errors import FieldProblem, Refused

MAX_MAP_BYTES: Final = 4 * 1024 * 1024  # bytes of a map: a table of tens of thousands of spellings fits
SHIPPED: Final = ("ids",)

_TOO_MANY: Final = 50  # problems: a map with more wrong is wrong altogether


@dataclass(frozen=True, slots=True)
class Entry:
    """The meaning of one spelling: its codes; or why it has none (`unmapped`); or no statement (`nothing`)."""

    codes: Mapping[str, str]
    unmapped: str = ""
    nothing: str = ""
    factor: Fraction = Fraction(1)


@dataclass(frozen=True, slots=True)
class ImportMap:
    """One layout, checked. `columns` and `constants` are by field; `identity` are the columns a row is known by.

    `date_columns` hold a date in several parts, in the order of its formats; then `columns` has no date. `code_columns`
    are by field and hold own codes of the source. `defaults` stand for empty cells. `kept` are columns for which a
    notice has no field: their text stands under its circumstances. `row_limit` is 0 where there is none.
    """

    name: str
    source: str
    encoding: str
    separator: str
    quote: str
    decimal: str
    thousands: str
    dates: tuple[DateFormat, ...]
    columns: Mapping[str, str]
    date_columns: tuple[str, ...]
    code_columns: Mapping[str, str]
    constants: Mapping[str, str]
    defaults: Mapping[str, str]
    identity: tuple[str, ...]
    kept: tuple[str, ...]
    row_limit: int
    tables: Mapping[str, Mapping[str, Entry]]

    def column(self, field: str) -> str:
        """Name the column of `field`, or the field itself where the map gives it as a constant."""
        if field == "date" and self.date_columns:
            return " ".join(self.date_columns)
        return self.columns.get(field) or self.code_columns.get(field, field)

    def used(self) -> frozenset[str]:
        """Return every column that the map names."""
        fields = (*self.columns.values(), *self.code_columns.values(), *self.date_columns)
        return frozenset({*fields, *self.kept, *self.identity})

    def table(self, field: str) -> Mapping[str, Entry]:
        """Return the table that the values of `field` are looked up in; the three legs of a route share one."""
        return self.tables["country" if field in LEGS else field]

    def members(self) -> frozenset[str]:
        """Return the members whose rows this map can tell: all of its table, or the one it gives as a constant."""
        table = self.tables["member"]
        named = self.constants.get("member")
        return frozenset(entry.codes["member"] for text, entry in table.items() if named in {None, text})


def load_map(name: str) -> ImportMap:
    """Read a map by the name of one shipped with the program, or by its path; Refused if it is not a good map."""
    if name in SHIPPED:
        data = resources.files(__package__).joinpath(f"{name}.toml").read_bytes()
    else:
        try:
            with Path(name).open("rb") as file:
                data = file.read(MAX_MAP_BYTES + 1)
        except (OSError, ValueError) as error:
            raise Refused("file_unreadable", name, str(error)) from error
    return parse_map(data, name)


def parse_map(data: bytes, name: str) -> ImportMap:
    """Check the bytes of a map; Refused("bad_map") carries one problem per key that is wrong."""
    if len(data) > MAX_MAP_BYTES:
        raise Refused("bad_map", name, "larger than a map may be")
    try:
        raw = parse_toml(data.removeprefix(codecs.BOM_UTF8))
    except ValueError as error:
        raise Refused("bad_map", name, str(error), [FieldProblem(name, str(error), "not_toml")]) from error
    text = data.decode("utf-8-sig")
    problems = [
        FieldProblem(f"{name}:{line}: {key}" if (line := line_of(text, key)) else f"{name}: {key}", problem, "bad_map")
        for key, problem in map_problems(raw)
    ]
    if problems:
        raise Refused("bad_map", problems[0].where, problems[0].what, problems[:_TOO_MANY])
    columns: dict[str, str] = {name: each for name, each in raw["columns"].items() if isinstance(each, str)}
    date_columns: list[str] = [] if "date" in columns else raw["columns"].get("date", [])
    code_columns: dict[str, str] = raw.get("codes", {})
    dates = raw["dates"]
    fiscal = (int(dates.get("fiscal_year", 0)), dates.get("fiscal_year_named", ""))
    kept: list[str] = raw.get("kept", {}).get("columns", [])
    numbers, file = raw.get("numbers", {}), raw.get("file", {})
    return ImportMap(
        name=name,
        source=raw["source"],
        encoding=codecs.lookup(file.get("encoding", "utf-8")).name,
        separator=file.get("separator", ","),
        quote=file.get("quote", '"'),
        decimal=numbers.get("decimal", "."),
        thousands=numbers.get("thousands", ""),
        dates=tuple(compile_date_format(each, *fiscal) for each in dates["formats"]),
        columns=MappingProxyType(columns),
        date_columns=tuple(date_columns),
        code_columns=MappingProxyType(code_columns),
        constants=MappingProxyType(raw.get("constants", {})),
        defaults=MappingProxyType(raw.get("defaults", {})),
        identity=tuple(
            raw.get("identity", {}).get("columns")
            or sorted({*columns.values(), *date_columns, *code_columns.values(), *kept})
        ),
        kept=tuple(kept),
        row_limit=file.get("rows", 0),
        tables=MappingProxyType(
            {
                table: MappingProxyType(
                    {text: _entry(value) for text, value in raw.get("tables", {}).get(table, {}).items()}
                )
                for table in TABLES
            }
        ),
    )


def _entry(raw: dict[str, str]) -> Entry:
    """Make an entry of what was checked before."""
    return Entry(
        codes=MappingProxyType({k: v for k, v in raw.items() if k not in {"unmapped", "nothing", "factor"}}),
        unmapped=raw.get("unmapped", ""),
        nothing=raw.get("nothing", ""),
        factor=Fraction(raw.get("factor", "1")),
    )
