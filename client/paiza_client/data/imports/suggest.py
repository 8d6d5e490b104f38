"""A proposed map of a table, to be edited by a person who knows the table.

Columns are recognised by their names, dates and numbers by how all of them are written, words by the names of codes and
by the map `ids`. What is not recognised stands there as a comment. Nothing is sent, and no node is needed.
"""

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import islice
from pathlib import Path
from typing import Final

from paiza_client.data.imports import layouts
from paiza_client.data.imports.dates import compile_date_format, read_date
from paiza_client.data.imports.map_checks import LEGS, MAX_SOURCE, PLAIN, REQUIRED
from paiza_client.data.imports.maps import load_map, parse_map
from paiza_client.data.imports.meanings import named_entry
from paiza_client.data.imports.rows import RowReader
from paiza_client.data.imports.values import BadValue, amount
from paiza_client.language import N_, _
from paiza_domain.codes import lookup
from paiza_officer.errors import Refused

MAX_ROWS: Final = 100_000  # of the table that are looked at
MAX_WORDS: Final = 500  # of one column that are listed

# Beginnings of words in the names of columns; the first field with a word that fits takes the column.
_NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    "date": ("date", "дата", "seized on"),
    "latitude": ("latitude", "lat", "широта"),
    "longitude": ("longitude", "lon", "lng", "долгота"),
    "coordinates": ("coordinates", "координат"),
    "production": ("producing", "origin", "produced", "производств", "происхожд"),
    "departure": ("departure", "from", "откуда", "отправлен"),
    "destination": ("destination", "куда", "назначен"),
    "quantity": ("amount", "quantity", "weight", "mass", "количеств", "вес", "масса", "объем"),
    "unit": ("unit", "ед", "единиц"),
    "drug": ("drug", "substance", "narcotic", "вещество", "наркотик", "вид наркотик", "наименование"),
    "concealment": ("hiding", "conceal", "тайник", "сокрыт", "способ"),
    "place_type": ("installation", "place type", "type of place", "вид места", "тип места"),
    "transport": ("transport", "vehicle", "транспорт"),
    "routing": ("routing", "direction", "направлен"),
    "events": ("cases", "events", "number of seizures", "случаев", "число изъятий", "количество изъятий"),
    "member": ("country", "state", "страна", "государство"),
    "region": ("administrative", "region", "province", "oblast", "область", "регион"),
    "place": ("place", "location", "town", "city", "место", "город"),
    "agency": ("agency", "authority", "орган", "ведомство", "подразделение"),
}
_NO_WORD: Final = re.compile(r"[\W_]+")
_EARLY: Final = ("events",)  # their names hold the words of others: a count of seizures is no amount
_DATES: Final = (
    *("YYYY-MM-DD", "DD.MM.YYYY", "D.M.YYYY", "DD/MM/YYYY", "MM/DD/YYYY", "D/M/YYYY", "M/D/YYYY", "YYYY/MM/DD"),
    *("YYYYMMDD", "DD-MM-YYYY", "D MMM YYYY", "MMM YYYY", "MM.YYYY", "YYYY-MM", "YYYY"),
)
_MARKS: Final = ((".", ""), (",", ""), (",", " "), (".", ","), (",", "."), (".", " "))


@dataclass(slots=True)
class _Table:
    """What was seen of a table: its columns, and the words of each with the rows that have them."""

    encoding: str
    separator: str
    columns: tuple[str, ...]
    words: Mapping[str, Counter[str]] = field(default_factory=dict)

    def column(self, fields: Mapping[str, str], name: str) -> Sequence[str]:
        """Return the texts of a field, the most frequent first."""
        return [text for text, _rows in self.words[fields[name]].most_common() if text] if name in fields else []


def suggest_map(path: Path) -> str:
    """Return a map of the table as text; Refused("file_unreadable") or ("bad_map") for a file that is no table."""
    table = _look(path)
    fields = _fields(table.columns)
    return "\n".join(_lines(path, table, fields)) + "\n"


def _look(path: Path) -> _Table:
    try:
        with path.open("rb") as file:
            sample = file.read(layouts.SAMPLE_BYTES)
            encoding = layouts.encoding_of(sample) or "utf-8"
            lines = layouts.first_lines(sample, encoding)
            separator = layouts.separator_of(lines, '"')
            if not separator:
                raise Refused("bad_map", str(path), _(N_("the first line is no header with two columns or more")))
            file.seek(0)
            found = _Table(encoding, separator, ())
            reader = RowReader(file, parse_map(_READING.format(encoding, json.dumps(separator)).encode(), str(path)))
            found.columns = reader.columns
            found.words = {column: Counter() for column in reader.columns}
            for row in islice(reader, MAX_ROWS):
                for column, text in row.values.items():
                    counted, word = found.words[column], " ".join(text.split())
                    if word in counted or len(counted) <= MAX_WORDS:
                        counted[word] += 1
    except OSError as error:
        raise Refused("file_unreadable", str(path), error.strerror or "") from error
    return found


# A map that reads any table: nothing of a row is looked up.
_READING: Final = """
source = "-"
file = {{ encoding = "{}", separator = {} }}
dates = {{ formats = ["YYYY"] }}
columns = {{}}
constants = {{ member = "-", date = "-", drug = "-", quantity = "-", unit = "-", agency = "-" }}
tables = {{ member = {{}}, drug = {{}}, unit = {{}} }}
"""


def _fields(columns: Iterable[str]) -> dict[str, str]:
    """Return field → column, as the names of the columns tell; no column is taken twice."""
    left = {column: " " + _NO_WORD.sub(" ", column.casefold().replace("ё", "е")) for column in columns}
    found: dict[str, str] = {}
    for name, beginnings in sorted(_NAMES.items(), key=lambda each: each[0] not in _EARLY):
        fitting = (column for each in beginnings for column, text in left.items() if f" {each}" in text)
        if column := next(fitting, ""):
            found[name] = column
            del left[column]
    if not {"latitude", "longitude"} <= set(found):
        found.pop("latitude", None)
        found.pop("longitude", None)
    return found


def _lines(path: Path, table: _Table, fields: Mapping[str, str]) -> Iterator[str]:
    yield "# " + _(N_("A proposal: compare every line with the table before anything is imported."))
    yield f"source = {_quoted(path.name[:MAX_SOURCE])}"
    yield from ("", "[file]", f'encoding = "{table.encoding}"', f"separator = {json.dumps(table.separator)}")
    decimal, thousands = _marks(table.column(fields, "quantity"))
    yield from ("", "[numbers]", f'decimal = "{decimal}"', f'thousands = "{thousands}"')
    formats, doubtful = _formats(table.column(fields, "date"))
    yield from ("", "[dates]")
    if doubtful:
        yield "# " + _(N_("Day and month may be meant the other way round: {formats}")).format(formats=doubtful)
    yield f"formats = {json.dumps(formats)}"
    constants = {"agency": _(N_("Not stated in the source"))} if "agency" not in fields else {}
    yield from ("", "[columns]", *(f"{name} = {_quoted(column)}" for name, column in fields.items()))
    yield from (
        f"# {name} = " + _(N_("which column? Or a fixed text under [constants]"))
        for name in REQUIRED
        if name not in fields and name not in constants
    )
    if constants:
        yield from ("", "[constants]", *(f"{name} = {_quoted(text)}" for name, text in constants.items()))
    yield from ("", "[identity]", f"columns = [{', '.join(map(_quoted, table.columns))}]")
    if others := [column for column in table.columns if column not in fields.values()]:
        yield from ("", "[kept]", f"columns = [{', '.join(map(_quoted, others))}]")
    legs = [name for name in LEGS if name in fields]
    looked_up = [name for name in fields if name not in PLAIN and name not in LEGS]
    for name in dict.fromkeys((*looked_up, "member", "drug", "unit", *(["country"] if legs else []))):
        words: Counter[str] = Counter()
        for each in legs if name == "country" else [name]:
            words.update(table.words[fields[each]] if each in fields else {})
        yield from ("", f"[tables.{name}]", *_entries(name, words))


def _entries(name: str, words: Counter[str]) -> Iterator[str]:
    for word, rows in words.most_common(MAX_WORDS):
        if word:
            meaning = _meaning(name, word)
            entry = ", ".join(f"{key} = {_quoted(code)}" for key, code in meaning.items())
            told = _(N_("rows: {rows}")).format(rows=rows)
            yield f"{_quoted(word)} = {{ {entry} }} # {told}" if entry else f"# {_quoted(word)} = {{ }} # {told}"


def _meaning(name: str, word: str) -> Mapping[str, str]:
    """Return the keys of an entry; empty where the word is not known with certainty."""
    if name == "member":
        code = lookup.find("country", word)
        return {"member": code.lower(), "country": code} if code else {}
    known = load_map("ids").tables[name].get(word)
    if known is not None and (known.codes or known.unmapped or known.nothing):
        factor = {"factor": str(known.factor)} if known.factor != 1 else {}
        said = {"unmapped": known.unmapped} if known.unmapped else {"nothing": known.nothing} if known.nothing else {}
        return {**known.codes, **factor, **said}
    entry = named_entry(name, word)
    if entry is None:
        return {}
    return {"nothing": entry.nothing} if entry.nothing else entry.codes


def _marks(texts: Sequence[str]) -> tuple[str, str]:
    """Return the marks of numbers with which most amounts can be read."""

    def read(marks: tuple[str, str]) -> int:
        return sum(_is_amount(text, *marks) for text in texts)

    return max(_MARKS, key=read)


def _is_amount(text: str, decimal: str, thousands: str) -> bool:
    try:
        amount(text, decimal, thousands)
    except BadValue as bad:
        return bad.code == "amount_not_positive"
    return True


def _formats(texts: Sequence[str]) -> tuple[list[str], str]:
    """Return the formats that read the most dates, one after another, and the one that reads as many otherwise."""
    left, formats, doubtful = list(texts), list[str](), ""
    while left:
        reads = {each: [text for text in left if _is_date(text, each)] for each in _DATES}
        best = max(_DATES, key=lambda each: len(reads[each]))
        if not reads[best]:
            break
        swapped = best.replace("M", "*").replace("D", "M").replace("*", "D")
        if swapped != best and swapped in _DATES and len(reads[swapped]) == len(reads[best]):
            doubtful = f"{best}, {swapped}"
        formats.append(best)
        left = [text for text in left if text not in set(reads[best])]
    return formats or ["YYYY-MM-DD"], doubtful


def _is_date(text: str, written: str) -> bool:
    try:
        read_date(text, [compile_date_format(written)], date.max)
    except BadValue:
        return False
    return True


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
