"""One row to one record: every field read by the map, every change and every gap named. Nothing is guessed.

A text that the map does not hold means the code that has this very name. A text without a certain code keeps its words
and is counted as unmapped. A row is refused only for what a notice cannot
do without: date, drug, amount and unit.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from functools import lru_cache
from types import MappingProxyType
from typing import Final, TypeVar

from paiza_client.data.imports.map_checks import LEGS
from paiza_client.data.imports.maps import Entry, ImportMap
from paiza_client.data.imports.values import BadValue, amount, clean, day, in_millionths
from paiza_client.language import N_
from paiza_domain import codes
from paiza_domain.codes import lookup

T = TypeVar("T")

_LARGE: Final[Mapping[str, tuple[str, Fraction]]] = MappingProxyType({
    "mg": ("kg", Fraction(1, 1_000_000)), "g": ("kg", Fraction(1, 1_000)), "t": ("kg", Fraction(1_000)),
    "ml": ("l", Fraction(1, 1_000)),
})  # fmt: skip

NAMED: Final[Mapping[str, tuple[tuple[str, str], ...]]] = MappingProxyType({
    "drug": (("type", "drug_type"), ("group", "drug_group")),
    "unit": (("unit", "unit"),),
    "concealment": (("concealment", "concealment"), ("packaging", "packaging")),
    "place_type": (("place_type", "place_type"),),
    "transport": (("mode", "transport_mode"), ("means", "transport_means")),
    "country": (("country", "country"),),
    "routing": (("routing", "routing"),),
})  # fmt: skip
"""Table → keys and code lists whose names a text may have; the first list that has it counts."""

REPORTED: Final = "reported "  # before a field's name: its text as it stood, where a rule changed it
MAX_TEXT: Final = 10_000  # characters of one cell; half of what the circumstances of a notice hold

REASONS: Final[Mapping[str, str]] = MappingProxyType({
    "ragged": N_("the row has more or fewer cells than the header"),
    "quote_open": N_("a quotation mark is open or misplaced"),
    "line_too_long": N_("the line is longer than can be read; only its beginning is kept here"),
    "bad_bytes": N_("bytes that are no characters in the encoding of the map"),
    "text_too_long": N_("the text is longer than a notice holds"),
    "member_missing": N_("the reporting state is missing"),
    "agency_missing": N_("the reporting agency is missing"),
    "date_missing": N_("the date is missing"),
    "date_malformed": N_("not a date in a format of the map"),
    "date_impossible": N_("there is no such day"),
    "date_ambiguous": N_("the formats of the map read this date as different days"),
    "date_in_future": N_("the date is still to come"),
    "date_too_early": N_("the date lies before 1900"),
    "drug_missing": N_("the drug is missing"),
    "amount_missing": N_("the amount is missing"),
    "amount_malformed": N_("not a number with the marks of the map"),
    "amount_not_positive": N_("the amount is not greater than zero"),
    "amount_too_small": N_("the amount is less than a millionth of its unit"),
    "amount_too_large": N_("the amount is larger than a notice holds"),
    "unit_missing": N_("the unit is missing"),
    "unit_unknown": N_("the map has no certain unit for this word"),
    "invalid_notice": N_("the notice made of this row is not valid"),
})  # fmt: skip
"""Why a row is rejected; the keys are stable."""


@dataclass(frozen=True, slots=True)
class Rejection:
    """Why a row is not imported: a key of `REASONS`, and the column and text it is about (empty: the whole row)."""

    reason: str
    column: str = ""
    text: str = ""


class RowRejected(Exception):  # noqa: N818 - the outcome of the row; it never leaves this package
    """Raised while a row is read; carries its `Rejection`."""

    def __init__(self, rejection: Rejection) -> None:
        super().__init__(rejection)
        self.rejection = rejection


@dataclass(frozen=True, slots=True)
class Record:
    """One row, read. `texts` are the cleaned texts by field, `entries` what the tables make of the mapped ones."""

    digest: bytes
    member: str
    country: str
    day: date
    millionths: int
    unit: str
    original: str
    texts: Mapping[str, str]
    entries: Mapping[str, Entry]
    kept: Mapping[str, str]
    """Column → text, for columns without a field; empty texts are left out."""
    repairs: Mapping[str, str]
    """Rule → the column where it was applied first."""
    unmapped: Sequence[tuple[str, str, str]]
    """(column, text, why): texts without a certain code; `why` is empty for a text that the table does not know."""

    def measure(self) -> "Measure":
        """Return drug and amount, masses in kilograms and volumes in litres."""
        unit, factor = _LARGE.get(self.unit, (self.unit, Fraction(1)))
        return Measure(self.texts["drug"], unit, self.millionths * factor)


@dataclass(frozen=True, slots=True)
class Measure:
    """A drug as the row names it, and its amount in millionths of a unit in which amounts are added up."""

    drug: str
    unit: str
    millionths: Fraction


@dataclass(frozen=True, slots=True)
class Cells:
    """The cleaned texts of a row: by field, and by column for those that are kept without a field."""

    texts: Mapping[str, str]
    kept: Mapping[str, str]
    repairs: Mapping[str, str]
    """Rule → the column where it was applied first."""


def read_cells(values: Mapping[str, str], layout: ImportMap) -> Cells:
    """Clean the text of every field and kept column, and name the rules that changed one."""
    texts = dict(layout.constants)
    kept: dict[str, str] = {}
    repairs: dict[str, str] = {}
    for name, column in layout.columns.items():
        text, rules = clean(values[column])
        if name in {"place", "region"} and text.startswith(","):
            texts[REPORTED + name] = text
            text = text.lstrip(", ")
            rules = (*rules, "leading_comma")
        texts[name] = text
        for rule in rules:
            repairs.setdefault(rule, column)
    for column in layout.kept:
        kept[column], rules = clean(values[column])
        for rule in rules:
            repairs.setdefault(rule, column)
    return Cells(texts, kept, repairs)


def read_record(cells: Cells, layout: ImportMap, *, digest: bytes, today: date) -> Record:
    """Make the record of a row of a known member; RowRejected if a notice cannot be made of it."""
    texts, repairs = cells.texts, dict(cells.repairs)
    for name, text in (*texts.items(), *cells.kept.items()):
        if len(text) > MAX_TEXT:
            raise RowRejected(Rejection("text_too_long", layout.column(name), text[:100]))
    for name in ("drug", "agency"):
        if not texts[name]:
            raise RowRejected(Rejection(f"{name}_missing", layout.column(name)))
    seized = _read("date", texts["date"], layout, lambda text: day(text, layout.dates, today))
    unit = _entry("unit", texts["unit"], layout)
    if not texts["unit"] or unit is None or "unit" not in unit.codes:
        raise RowRejected(
            Rejection("unit_unknown" if texts["unit"] else "unit_missing", layout.column("unit"), texts["unit"])
        )
    (millionths, code, rules) = _read(
        "quantity",
        texts["quantity"],
        layout,
        lambda text: in_millionths(amount(text, layout.decimal, layout.thousands) * unit.factor, unit.codes["unit"]),
    )
    if unit.factor != 1:
        rules = ("converted", *rules)
    for rule in rules:
        repairs.setdefault(rule, layout.column("quantity"))
    member = layout.tables["member"][texts["member"]].codes
    entries, unmapped = _look_up(texts, layout)
    if unit.unmapped:
        unmapped.append((layout.column("unit"), texts["unit"], unit.unmapped))
    return Record(
        digest=digest,
        member=member["member"],
        country=member["country"],
        day=seized,
        millionths=millionths,
        unit=code,
        original=f"{texts['quantity']} {texts['unit']}",
        texts=texts,
        entries={"unit": unit, **entries},
        kept={column: text for column, text in cells.kept.items() if text},
        repairs=repairs,
        unmapped=unmapped,
    )


def _look_up(texts: Mapping[str, str], layout: ImportMap) -> tuple[dict[str, Entry], list[tuple[str, str, str]]]:
    """Look every other mapped field up in its table."""
    entries, unmapped = {}, []
    for name in ("drug", "concealment", "place_type", "transport", *LEGS, "routing"):
        if not (text := texts.get(name, "")):
            continue
        entry = _entry(name, text, layout)
        if entry is not None:
            entries[name] = entry
        if entry is None or entry.unmapped:
            unmapped.append((layout.column(name), text, entry.unmapped if entry else ""))
    return entries, unmapped


def _entry(name: str, text: str, layout: ImportMap) -> Entry | None:
    """Return what the map says of a word, or else the code that has this very name in its list."""
    entry = layout.table(name).get(text)
    return entry if entry is not None else named_entry("country" if name in LEGS else name, text)


@lru_cache(maxsize=4096)  # spellings of a file; the known files have 100 each
def named_entry(table: str, text: str) -> Entry | None:
    """Return the entry for a text that is a code or a code's name in either language; None if it is neither."""
    for key, list_name in NAMED.get(table, ()):
        if code := lookup.find(list_name, text):
            group = {"group": codes.load(list_name)[code].group} if list_name == "drug_type" else {}
            return Entry({key: code, **group})
    return None


def _read(name: str, text: str, layout: ImportMap, reader: Callable[[str], T]) -> T:
    """Read one cell; what is wrong with it names its column."""
    try:
        return reader(text)
    except BadValue as bad:
        raise RowRejected(Rejection(bad.code, layout.column(name), text[:100])) from bad
