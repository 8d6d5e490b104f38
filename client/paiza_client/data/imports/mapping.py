"""One row to one record: every field read by the map, every change and every gap named. Nothing is guessed.

A text that the map does not hold means the code that has this very name. A text without a certain code keeps its words
and is counted as unmapped. A row is refused only for what a notice cannot do without:
date, drug, amount and unit.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from functools import partial
from types import MappingProxyType
from typing import Final, TypeVar

from paiza_client.data.imports.dates import Moment, read_date
from paiza_client.data.imports.maps import Entry, ImportMap
from paiza_client.data.imports.meanings import Unmapped, look_up
from paiza_client.data.imports.values import (
    LATITUDE,
    LONGITUDE,
    BadValue,
    amount,
    clean,
    coordinates,
    degrees,
    in_millionths,
    whole_number,
)
from paiza_client.language import N_

_LARGE: Final[Mapping[str, tuple[str, Fraction]]] = MappingProxyType({
    "mg": ("kg", Fraction(1, 1_000_000)), "g": ("kg", Fraction(1, 1_000)), "t": ("kg", Fraction(1_000)),
    "ml": ("l", Fraction(1, 1_000)),
})  # fmt: skip

T = TypeVar("T")

_SHOWN: Final = 100  # characters of a text in a reason
_NO_UNIT: Final = Entry({"unit": "piece"})  # for the other faults of a row that has none

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
    "coordinates_malformed": N_("no latitude and longitude"),
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
    """Raised while a row is read; carries every `Rejection`."""

    def __init__(self, rejections: Sequence[Rejection]) -> None:
        super().__init__(rejections)
        self.rejections = tuple(rejections)


@dataclass(frozen=True, slots=True)
class Record:
    """One row, read. `texts` are the cleaned texts by field, `entries` what the tables make of the mapped ones."""

    digest: bytes
    member: str
    country: str
    seized: Moment
    millionths: int
    unit: str
    original: str
    texts: Mapping[str, str]
    entries: Mapping[str, Entry]
    events: int
    """Number of seizures that the row sums up; 0 if it tells none."""
    point: tuple[int, int] | None
    """Latitude and longitude in microdegrees."""
    kept: Mapping[str, str]
    """Column → text, for texts that no field holds; empty texts are left out."""
    repairs: Mapping[str, str]
    """Rule → the column where it was applied first."""
    unmapped: Sequence[Unmapped]

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
    """The cleaned texts of a row: by field, by field for the columns of own codes, and by column for those kept."""

    texts: Mapping[str, str]
    own_codes: Mapping[str, str]
    kept: Mapping[str, str]
    repairs: Mapping[str, str]
    """Rule → the column where it was applied first."""


def read_cells(values: Mapping[str, str], layout: ImportMap) -> Cells:
    """Clean the text of every field and kept column, and name the rules that changed one."""
    texts = dict(layout.constants)
    repairs: dict[str, str] = {}

    def cleaned(column: str) -> str:
        text, rules = clean(values[column])
        for rule in rules:
            repairs.setdefault(rule, column)
        return text

    for name, column in layout.columns.items():
        text = cleaned(column)
        if name in {"place", "region"} and text.startswith(","):
            texts[REPORTED + name] = text
            text = text.lstrip(", ")
            repairs.setdefault("leading_comma", column)
        texts[name] = text
    if layout.date_columns:
        texts["date"] = " ".join(filter(None, map(cleaned, layout.date_columns)))
    own_codes = {name: cleaned(column) for name, column in layout.code_columns.items()}
    for name, text in layout.defaults.items():
        if not texts.get(name) and not own_codes.get(name):
            texts[name] = text
            repairs.setdefault("defaulted", layout.column(name))
    kept = {column: cleaned(column) for column in layout.kept}
    for name, code in own_codes.items():
        if texts.get(name):
            kept[layout.code_columns[name]] = code
        else:
            texts[name] = code  # there is no other word for it
    return Cells(texts, own_codes, kept, repairs)


def read_record(cells: Cells, layout: ImportMap, *, digest: bytes, today: date) -> Record:
    """Make the record of a row of a known member; RowRejected with every fault if a notice cannot be made of it."""
    texts, repairs = cells.texts, dict(cells.repairs)
    faults = [
        Rejection("text_too_long", layout.column(name), text[:_SHOWN])
        for name, text in (*texts.items(), *cells.kept.items())
        if len(text) > MAX_TEXT
    ]
    faults += [Rejection(f"{name}_missing", layout.column(name)) for name in ("drug", "agency") if not texts[name]]
    entries, unmapped = look_up(texts, cells.own_codes, layout)
    unit = entries.pop("unit", None)
    if unit is None or "unit" not in unit.codes:
        reason = "unit_unknown" if texts["unit"] else "unit_missing"
        faults.append(Rejection(reason, layout.column("unit"), texts["unit"][:_SHOWN]))
        unit = _NO_UNIT
    seized = _read(faults, "date", texts, layout, lambda text: read_date(text, layout.dates, today))
    measured = _read(
        faults,
        "quantity",
        texts,
        layout,
        lambda text: in_millionths(amount(text, layout.decimal, layout.thousands) * unit.factor, unit.codes["unit"]),
    )
    if faults or seized is None or measured is None:
        raise RowRejected(faults)
    millionths, code, rules = measured
    for rule in ("converted", *rules) if unit.factor != 1 else rules:
        repairs.setdefault(rule, layout.column("quantity"))
    member = layout.tables["member"][texts["member"]].codes
    events, point, odd = _further(texts, layout)
    return Record(
        digest=digest,
        member=member["member"],
        country=member["country"],
        seized=seized,
        millionths=millionths,
        unit=code,
        original=f"{texts['quantity']} {texts['unit']}",
        texts=texts,
        entries={"unit": unit, **entries},
        events=events,
        point=point,
        kept={column: text for column, text in cells.kept.items() if text} | {column: text for column, text, _ in odd},
        repairs=repairs,
        unmapped=[*unmapped, *odd],
    )


def _further(texts: Mapping[str, str], layout: ImportMap) -> tuple[int, tuple[int, int] | None, list[Unmapped]]:
    """Read the count of events and the coordinates; what cannot be read is kept as text, with the reason."""
    odd: list[Rejection] = []
    events = point = None
    if texts.get("events"):
        count = partial(whole_number, decimal=layout.decimal, thousands=layout.thousands)
        events = _read(odd, "events", texts, layout, count)
    if texts.get("coordinates"):
        point = _read(odd, "coordinates", texts, layout, partial(coordinates, decimal=layout.decimal))
    if texts.get("latitude") or texts.get("longitude"):
        north, east = (
            _read(odd, name, texts, layout, partial(degrees, decimal=layout.decimal, greatest=greatest))
            for name, greatest in (("latitude", LATITUDE), ("longitude", LONGITUDE))
        )
        point = None if north is None or east is None else (north, east)
        if odd and point is None:  # half a point is none; the other half is kept as text
            told = {each.column for each in odd}
            halves = [name for name in ("latitude", "longitude") if layout.column(name) not in told]
            odd += [Rejection("coordinates_malformed", layout.column(name), texts.get(name, "")) for name in halves]
    return events or 0, point, [(each.column, each.text, REASONS[each.reason]) for each in odd]


def _read(
    faults: list[Rejection], name: str, texts: Mapping[str, str], layout: ImportMap, reader: Callable[[str], T]
) -> T | None:
    """Read one cell; a value that is bad is added to `faults` with its column, and is None."""
    text = texts.get(name, "")
    try:
        return reader(text)
    except BadValue as bad:
        faults.append(Rejection(bad.code, layout.column(name), text[:_SHOWN]))
        return None
