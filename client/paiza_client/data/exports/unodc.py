"""Seizure notices as rows of UNODC's Individual Drug Seizures, the 16 columns of the map `ids`, read the other way.

A notice that came from that layout gives back the row it was made of, so that importing it again is the same notice.
Any other notice gives the layout's word where exactly one has its meaning, and otherwise our code's English name, which
an import counts as unmapped: nothing is guessed. What has no column there (persons, circumstances, plates) stays here.
"""

import tomllib
from collections.abc import Iterator, Mapping
from fractions import Fraction
from functools import cache, lru_cache
from importlib import resources
from typing import Final

from paiza.content.v1 import common_pb2
from paiza.content.v1 import seizure_notice_pb2 as pb
from paiza_client.data.exports.records import Record
from paiza_client.data.exports.tables import Amount, Sheet, amount
from paiza_client.data.imports.map_checks import LEGS
from paiza_client.data.imports.maps import Entry, ImportMap, load_map
from paiza_client.language import N_
from paiza_domain import codes
from paiza_domain.schema.partial_times import write_partial_time
from paiza_domain.schema.quantity import MILLION

KIND: Final = "seizure-notice"
MAX_WORDS: Final = 4096  # codes whose word in the layout is remembered: more than the lists have
_CUT: Final = "…"  # at the end of a text that did not fit its field

# Units that the layout has no word for, exactly as multiples of one it has.
_MULTIPLES: Final[Mapping[str, tuple[str, Fraction]]] = {
    "mg": ("g", Fraction(1, 1000)),
}


def rows_of(notice: pb.SeizureNotice) -> Iterator[tuple[str, ...]]:
    """Yield the rows of one notice, in the order of the layout's columns."""
    layout = _layout()
    for substance in notice.substances:
        row = _Row(notice, substance, layout)
        texts = row.texts()
        by_column = {layout.columns[field]: text for field, text in texts.items()}
        if notice.source == layout.source:
            by_column |= {column: row.noted.get(column, "") for column in layout.kept}
        else:
            by_column |= dict(zip(layout.kept, _regions().get(notice.place.country, ("", "")), strict=True))
        yield tuple(by_column[column] for column in layout.identity)


def _rows(record: Record) -> Iterator[tuple[str, ...]]:
    assert isinstance(record.content, pb.SeizureNotice)
    return rows_of(record.content)


@cache
def _layout() -> ImportMap:
    return load_map("ids")


@cache
def _regions() -> Mapping[str, tuple[str, str]]:
    raw = tomllib.loads(resources.files(__package__).joinpath("regions.toml").read_text(encoding="utf-8"))
    return {country: (region, subregion) for country, (region, subregion) in raw["regions"].items()}


class _Row:
    """One substance of one notice, read field by field of the layout."""

    def __init__(self, notice: pb.SeizureNotice, substance: common_pb2.Substance, layout: ImportMap) -> None:
        self.notice, self.substance, self.layout = notice, substance, layout
        # What an import of this layout noted because the notice has no field that holds it; the longest of a column is
        # the whole of it.
        notes = sorted(self._notes(), key=lambda note: len(note[1])) if notice.source == layout.source else ()
        self.noted = dict(notes)

    def _notes(self) -> Iterator[tuple[str, str]]:
        for line in self.notice.circumstances.split("\n"):
            column, colon, text = line.partition(": ")
            if colon and (column in self.layout.kept or column in self.layout.columns.values()):
                yield column, text

    def texts(self) -> dict[str, str]:
        """Return the text of every field that the layout has a column for."""
        quantity, unit = self._quantity()
        texts = {
            "member": self._word("member", {"country": self.notice.place.country}, "country"),
            "date": write_partial_time(self.notice.seized_at).partition("T")[0],
            "region": self.notice.place.admin_area,
            "place": self._place(),
            "drug": self._drug(),
            "quantity": quantity,
            "unit": unit,
            "concealment": self._concealment(),
            "place_type": self._code("place_type", "place_type", self.notice.place.place_type),
            "transport": self._transport(),
            "routing": self._code("routing", "routing", self.notice.routing) or self.notice.detection.as_reported,
            **{role: self._leg(role) for role in LEGS},
        }
        return {field: self._whole(field, text) for field, text in texts.items()}

    def _whole(self, field: str, text: str) -> str:
        """Return the text that stands whole among the notes instead, where there is one."""
        if field in {"quantity", "unit"}:
            return text
        noted = self.noted.get(self.layout.columns[field], "")
        return noted or text

    def _place(self) -> str:
        place = self.notice.place
        return place.as_reported or ", ".join(filter(None, (place.town, place.border_point)))

    def _drug(self) -> str:
        substance = self.substance
        if substance.as_named in self.layout.tables["drug"] or self.notice.source == self.layout.source:
            return substance.as_named
        if not substance.drug_type:
            return substance.as_named or substance.substance_id
        return self._word("drug", {"group": substance.drug_group, "type": substance.drug_type}, "drug_type")

    def _quantity(self) -> tuple[str, str]:
        """Return the amount and its unit as reported, where the layout knows that unit; otherwise as they are."""
        quantity, units = self.substance.quantity, self.layout.tables["unit"]
        reported = self.noted.get(self.layout.columns["quantity"], "") or quantity.original
        figure, _blank, word = reported.partition(" ")
        if figure and word in units and self.notice.source == self.layout.source:
            return figure, word
        words = {
            entry.codes["unit"]: word
            for word, entry in reversed(list(units.items()))
            if entry.factor == 1 and not entry.unmapped
        }
        unit, value = quantity.unit, amount(quantity.millionths)
        if unit not in words and unit in _MULTIPLES:
            unit, factor = _MULTIPLES[unit]
            value = Amount(Fraction(quantity.millionths, MILLION) * factor)
        if unit not in words and codes.load("unit")[unit].group == "count":
            unit = "piece"
        return str(value), words.get(unit) or codes.load("unit").text(unit, "en")

    def _concealment(self) -> str:
        for packed in self.notice.packaging[:1]:
            if packed.as_reported or not self.notice.concealment:
                return packed.as_reported or self._code("concealment", "packaging", packed.type)
        for hidden in self.notice.concealment[:1]:
            return hidden.as_reported or self._code("concealment", "concealment", hidden.method)
        return ""

    def _transport(self) -> str:
        for carried in self.notice.transport[:1]:
            if carried.as_reported:
                return carried.as_reported
            if carried.means:
                return self._word("transport", {"means": carried.means}, "transport_means")
            return self._code("transport", "mode", carried.mode)
        return ""

    def _leg(self, role: str) -> str:
        legs = sorted((leg for leg in self.notice.route if leg.role == role), key=lambda leg: leg.order)
        return next((leg.as_reported or self._word("country", {"country": leg.country}, "country") for leg in legs), "")

    def _code(self, table: str, key: str, code: str) -> str:
        lists = {"packaging": "packaging", "concealment": "concealment", "mode": "transport_mode"}
        return self._word(table, {key: code}, lists.get(key, key)) if code else ""

    def _word(self, table: str, wanted: Mapping[str, str], list_name: str) -> str:
        return _layout_word(table, tuple(wanted.items()), list_name)


@lru_cache(maxsize=MAX_WORDS)
def _layout_word(table: str, wanted: tuple[tuple[str, str], ...], list_name: str) -> str:
    """Return the layout's word for codes: the one that reads as the code's own name, or the only one there is."""
    words = [word for word, entry in _layout().tables[table].items() if _means(entry, dict(wanted))]
    _key, code = wanted[-1]
    names = {name.casefold() for name in codes.load(list_name)[code].names.values()}
    named = [word for word in words if word.casefold() in names]
    if named or len(words) == 1:
        return (named or words)[0]
    return codes.load(list_name).text(code, "en")


def _means(entry: Entry, wanted: Mapping[str, str]) -> bool:
    return not entry.unmapped and all(entry.codes.get(key) == code for key, code in wanted.items())


SHEET: Final = Sheet(KIND, "seizures", N_("Individual drug seizures"), lambda: _layout().identity, _rows)
