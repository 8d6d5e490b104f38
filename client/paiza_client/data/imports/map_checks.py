"""What a map may hold, and the check of one: every fault with its key and its remedy."""

import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final

from paiza_client.data.imports.dates import NAMED_BY, compile_date_format
from paiza_client.language import N_, _
from paiza_domain import codes
from paiza_wire.identity import MEMBER_ID

MAX_SOURCE: Final = 200  # characters, as the field "source" of a notice
FIELDS: Final = (
    *("member", "date", "region", "place", "drug", "quantity", "unit", "concealment", "place_type", "transport"),
    *("production", "departure", "destination", "routing", "agency", "latitude", "longitude", "coordinates", "events"),
)
REQUIRED: Final = ("member", "date", "drug", "quantity", "unit", "agency")
PLAIN: Final = frozenset({
    *("date", "region", "place", "quantity", "agency", "latitude", "longitude", "coordinates", "events"),
})  # fmt: skip
"""Fields that are read as they stand; every other one is looked up in a table."""
LEGS: Final = ("production", "departure", "destination")

TABLES: Final[Mapping[str, Mapping[str, str]]] = MappingProxyType(
    {
        "member": {"member": "", "country": "country"},
        "drug": {"group": "drug_group", "type": "drug_type", "form": "form", "substance": ""},
        "unit": {"unit": "unit", "form": "form", "factor": ""},
        "concealment": {"concealment": "concealment", "packaging": "packaging"},
        "place_type": {"place_type": "place_type"},
        "transport": {"mode": "transport_mode", "means": "transport_means"},
        "country": {"country": "country"},
        "routing": {"routing": "routing"},
    }
)
"""Table → keys an entry may have → the code list of the key; an empty name means free text, checked otherwise."""

_SECTIONS: Final = {
    "file": {"encoding", "separator", "quote", "rows"},
    "numbers": {"decimal", "thousands"},
    "dates": {"formats", "fiscal_year", "fiscal_year_named"},
    "columns": set(FIELDS),
    "codes": set(FIELDS) - PLAIN - {"member"},
    "constants": set(FIELDS),
    "defaults": set(FIELDS),
    "identity": {"columns"},
    "kept": {"columns"},
    "tables": set(TABLES),
}
_SECTION_LINE: Final = re.compile(r"\[([^\[\]]+)\]")
_ENCODINGS: Final = {"utf-8", "utf-16", "utf-16-le", "utf-16-be", "cp1251", "cp1252", "cp866", "koi8-r", "latin-1"}

Problem = tuple[str, str]


def map_problems(raw: dict[str, Any]) -> Iterator[Problem]:
    """Yield all faults, as key and sentence with the remedy; what has the wrong shape is not judged any further."""
    wrong = list(_shape_problems(raw))
    yield from wrong
    named = {key for key, _what in wrong}
    for key, what in _content_problems(_sound_part(raw, named)):
        if key not in named and key.partition(".")[0] not in named:
            yield key, what


def line_of(text: str, key: str) -> int:
    """Return the line of a map on which a key of a fault stands; 0 where none does, as for a key that is missing."""
    section = ""
    for number, line in enumerate(text.splitlines(), 1):
        if found := _SECTION_LINE.match(line):
            section = found[1].strip()
        start = f"{section}." * bool(section) + line.partition("=")[0].strip()
        if (start and start == key.partition("[")[0]) or (found and section == key):
            return number
    return 0


def _sound_part(raw: dict[str, Any], wrong: set[str]) -> dict[str, Any]:
    """Return what has the right shape, with the sections that every map needs."""
    sound: dict[str, Any] = {"columns": {}, "dates": {}}
    for section, content in raw.items():
        if section in _SECTIONS and section not in wrong:
            sound[section] = {key: value for key, value in content.items() if f"{section}.{key}" not in wrong}
    sound["dates"].setdefault("formats", [])
    return sound


def _content_problems(raw: dict[str, Any]) -> Iterator[Problem]:
    yield from _file_problems(raw)
    yield from _column_problems(raw)
    for table, entries in raw.get("tables", {}).items():
        for text, entry in entries.items():
            yield from _entry_problems(table, text, entry)


def _shape_problems(raw: dict[str, Any]) -> Iterator[Problem]:
    """Check that only known sections and keys are there and that each holds the type it must."""
    if not isinstance(raw.get("source"), str) or not 0 < len(raw["source"]) <= MAX_SOURCE:
        yield (
            "source",
            _(N_("must be a text of at most {most} characters, naming where the records come from")).format(
                most=MAX_SOURCE
            ),
        )
    for section, content in raw.items():
        if section == "source":
            continue
        if section not in _SECTIONS:
            yield (
                section,
                _(N_("there is no such section; the sections are: {known}")).format(known=", ".join(_SECTIONS)),
            )
        elif not isinstance(content, dict):
            yield section, _(N_("must be a section, written [{section}]")).format(section=section)
        else:
            yield from _key_problems(section, content)
    for section, key in (("columns", ""), ("dates", "formats")):
        content = raw.get(section)
        if content is None or (key and isinstance(content, dict) and key not in content):
            yield f"{section}.{key}".rstrip("."), _(N_("is missing; every map needs it"))


def _key_problems(section: str, content: dict[str, Any]) -> Iterator[Problem]:
    for key, value in content.items():
        if key not in _SECTIONS[section]:
            known = ", ".join(sorted(_SECTIONS[section]))
            yield f"{section}.{key}", _(N_("there is no such key; the keys here are: {known}")).format(known=known)
        elif section == "tables":
            entries = value.values() if isinstance(value, dict) else [None]
            if not all(
                isinstance(entry, dict) and all(isinstance(word, str) for word in entry.values()) for entry in entries
            ):
                yield f"tables.{key}", _(N_('every line must be: "spelling" = {{ key = "code" }}')).format()
        elif (section, key) == ("file", "rows"):
            if type(value) is not int or value < 1:
                yield "file.rows", _(N_("must be a whole number from 1 on"))
        elif key in {"formats", "columns"} or ((section, key) == ("columns", "date") and isinstance(value, list)):
            if not (isinstance(value, list) and value and all(isinstance(each, str) and each for each in value)):
                yield f"{section}.{key}", _(N_("must be a list of texts with at least one entry"))
        elif not isinstance(value, str):
            yield f"{section}.{key}", _(N_("must be a text in quotation marks"))


def _file_problems(raw: dict[str, Any]) -> Iterator[Problem]:
    """Check encoding, separators, marks of numbers and formats of dates."""
    file, numbers = raw.get("file", {}), raw.get("numbers", {})
    if file.get("encoding", "utf-8").lower() not in _ENCODINGS:
        yield "file.encoding", _(N_("is not one of: {known}")).format(known=", ".join(sorted(_ENCODINGS)))
    separator, quote = file.get("separator", ","), file.get("quote", '"')
    for key, mark in (("separator", separator), ("quote", quote)):
        if len(mark) != 1 or mark.isalnum() or mark in "\r\n\0 ":
            yield f"file.{key}", _(N_("must be one character that is no letter, digit, blank or line end"))
    if separator == quote:
        yield "file.quote", _(N_("must differ from the separator"))
    decimal, thousands = numbers.get("decimal", "."), numbers.get("thousands", "")
    if decimal not in {".", ","}:
        yield "numbers.decimal", _(N_('must be "." or ","'))
    if thousands not in {"", " ", ".", ",", "'", "’", "_"} or thousands == decimal:
        yield "numbers.thousands", _(N_("must be empty or one of blank . , ' _ and differ from the decimal mark"))
    yield from _date_problems(raw["dates"])


def _date_problems(dates: dict[str, Any]) -> Iterator[Problem]:
    """Check the formats of dates, and the fiscal year that they may mean."""
    month, named = dates.get("fiscal_year", ""), dates.get("fiscal_year_named", "")
    if month and not re.fullmatch(r"0[1-9]|1[0-2]", month, re.ASCII):
        yield "dates.fiscal_year", _(N_("must be the month in which the year begins, from 01 to 12"))
        month = ""
    if named and (named not in NAMED_BY or not month):
        what = _(N_("must be one of {known}, beside fiscal_year"))
        yield "dates.fiscal_year_named", what.format(known=", ".join(NAMED_BY))
    for place, text in enumerate(dates["formats"]):
        try:
            compile_date_format(text, int(month or 0), named)
        except ValueError:
            what = N_(
                "must be a day as DD.MM.YYYY, a month as MM.YYYY or MMM YYYY, a year as YYYY, or a fiscal year as "
                "YYYY/YY; for fiscal years state fiscal_year, and for YYYY among them fiscal_year_named"
            )
            yield f"dates.formats[{place}]", _(what)


def _column_problems(raw: dict[str, Any]) -> Iterator[Problem]:
    """Check that each field has one source and that a notice can be made of them."""
    columns, constants, own_codes = raw["columns"], raw.get("constants", {}), raw.get("codes", {})
    for field in REQUIRED:
        if field not in columns and field not in constants and field not in own_codes:
            yield f"columns.{field}", _(N_("is missing; name its column here, or give it under [constants]"))
    for field in sorted(set(columns) & set(constants)):
        yield f"constants.{field}", _(N_("is given under [columns] as well; keep one of the two"))
    for field in sorted(set(raw.get("defaults", {})) - {*columns, *own_codes}):
        yield f"defaults.{field}", _(N_("stands for empty cells; name a column for it too, or use [constants]"))
    for place in sorted({"latitude", "longitude"} & set(columns)):
        if not {"latitude", "longitude"} <= set(columns) or "coordinates" in columns:
            yield f"columns.{place}", _(N_("needs both latitude and longitude, and no coordinates beside them"))
    named: list[str] = []
    for section, field, given in (
        *(("columns", *each) for each in columns.items()),
        *(("codes", *each) for each in own_codes.items()),
    ):
        for column in [given] if isinstance(given, str) else given:
            named.append(column)
            if not column or column != " ".join(column.split()):
                yield f"{section}.{field}", _(N_("must be the name of a column, without blanks around it"))
    for column in sorted({each for each in named if named.count(each) > 1}):
        yield "columns", _(N_("the column “{column}” is named for two fields; keep one")).format(column=column)
    kept = raw.get("kept", {}).get("columns", [])
    for column in sorted({each for each in kept if each in named or kept.count(each) > 1}):
        yield "kept.columns", _(N_("the column “{column}” is named for two fields; keep one")).format(column=column)
    identity = raw.get("identity", {}).get("columns")
    for column in sorted({*named, *kept} - set(identity or {*named, *kept})):
        yield "identity.columns", _(N_("must name the column “{column}” too, for it is used")).format(column=column)
    tables = raw.get("tables", {})
    for field in sorted({*columns, *constants, *own_codes} - PLAIN):
        table = "country" if field in LEGS else field
        if table not in tables:
            yield f"tables.{table}", _(N_("is missing; the field “{field}” is looked up in it")).format(field=field)


def _entry_problems(table: str, text: str, entry: dict[str, str]) -> Iterator[Problem]:
    """Check one line of a table."""
    where = f'tables.{table}."{text}"'
    if not text or text != " ".join(text.split()):
        yield where, _(N_("the spelling must be written without blanks around it and with single blanks inside"))
    said = {"unmapped", "nothing"} & set(entry)
    known = TABLES[table]
    if unknown := sorted(set(entry) - set(known) - {"unmapped", "nothing"}):
        yield (
            where,
            _(N_("there is no such key: {unknown}; the keys here are: {known}")).format(
                unknown=", ".join(unknown), known=", ".join([*known, "unmapped", "nothing"])
            ),
        )
    beside = {"substance", "unit", "factor", "form"} if table == "unit" else {"substance"}
    if not entry or (said and set(entry) - said - beside) or len(said) > 1 or not all(entry.values()):
        yield where, _(N_("needs codes, or why there are none: unmapped or nothing, and no empty text"))
    for key in {"member": ("member", "country"), "unit": ("unit",)}.get(table, ()):
        if key not in entry and (table == "member" or not said):
            yield where, _(N_("needs the key {key}")).format(key=key)
    for key in sorted(set(entry) & {key for key, name in known.items() if name}):
        if entry[key] not in codes.load(known[key]):
            yield where, _(N_("“{code}” is not in the code list “{name}”")).format(code=entry[key], name=known[key])
        elif key == "type" and codes.load("drug_type")[entry[key]].group != entry.get("group"):
            yield (
                where,
                _(N_("the type belongs to the group “{group}”")).format(
                    group=codes.load("drug_type")[entry[key]].group
                ),
            )
    if table == "member" and not MEMBER_ID.fullmatch(entry.get("member", "none")):
        yield where, _(N_("is not a member id such as kaz"))
    if "factor" in entry and not re.fullmatch(r"[1-9]\d{0,17}(/[1-9]\d{0,17})?", entry["factor"]):
        yield where, _(N_('the factor must be a whole number or a ratio of two, such as "45359237/100000"'))
