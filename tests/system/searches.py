"""Twenty searches over the published seizure records, each with what it should find, said in terms of the raw row.

The expectations know nothing of the program: they look at columns, spellings and days of the published file.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from tests.system.importing import Row, cleaned

_COUNTRIES: Final = ("COUNTRY", "PRODUCING_COUNTRY", "DEPARTURE_COUNTRY", "DESTINATION_COUNTRY")
_PLACES: Final = ("ADMINISTRATIVE_DIVISION", "PLACE")

Expected = Callable[[Row], bool]


@dataclass(frozen=True)
class Query:
    """A search with its filters, and the rows it should find."""

    criteria: tuple[tuple[str, str], ...]
    expected: Expected
    filters: dict[str, Any] = field(default_factory=dict)


def _drug(*names: str) -> Expected:
    return lambda row: cleaned(row["DRUG_NAME"]) in names


def _drug_word(word: str) -> Expected:
    return lambda row: word in cleaned(row["DRUG_NAME"]).split()


def _country(name: str, columns: tuple[str, ...] = _COUNTRIES) -> Expected:
    return lambda row: any(cleaned(row[column]) == name for column in columns)


def _place(*spellings: str) -> Expected:
    """Expect rows whose place has one of these as a word, in any case and with any apostrophes."""
    wanted = {spelling.casefold() for spelling in spellings}

    def found(row: Row) -> bool:
        text = " ".join(row[column] for column in _PLACES).casefold().replace("'", "").replace("`", "")
        return bool(wanted & set(re.findall(r"\w+", text)))

    return found


def _between(first: str, last: str) -> Expected:
    return lambda row: first <= row["SEIZURE_DATE"] < last


def _all(*expected: Expected) -> Expected:
    return lambda row: all(each(row) for each in expected)


def _day(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


QUERIES: Final = (
    Query((("substance", "heroin"),), _drug("Heroin")),
    Query((("substance", "Героин"),), _drug("Heroin")),
    Query((("substance", "опий"),), _drug_word("Opium")),
    Query((("substance", "JWH-018"),), _drug("JWH-018")),
    Query((("substance", "MDPV"),), _drug("MDPV")),
    Query((("substance", "methamphetamine"),), _drug("Methamphetamine")),
    Query((("substance", "маковая солома"),), _drug("Poppy straw")),
    Query((("country", "Kazakhstan"),), _country("Kazakhstan")),
    Query((("country", "Афганистан"),), _country("Afghanistan")),
    Query((("route", "departure Afghanistan"),), _country("Afghanistan", ("DEPARTURE_COUNTRY",))),
    Query((("route", "destination Казахстан"),), _country("Kazakhstan", ("DESTINATION_COUNTRY",))),
    Query((("place", "Baku"),), _place("Baku")),
    Query((("place", "Tashkent"),), _place("Tashkent", "Ташкент")),
    Query((("place", "Самаркандская"),), _place("Самаркандская", "Samarkandskaya")),
    Query((("place", "Syktyvkar"),), _place("Syktyvkar", "Сыктывкар")),
    Query((("place", "Bilasuvar"),), _place("Bilasuvar", "Билясувар")),
    Query((), _between("2014-01-01", "2015-01-01"), {"since": _day("2014-01-01"), "until": _day("2015-01-01")}),
    Query(
        (("substance", "opium"),), _all(_drug_word("Opium"), _country("Tajikistan", ("COUNTRY",))), {"author": "tjk"}
    ),
    Query(
        (("substance", "heroin"), ("country", "TJK")),
        _all(_drug("Heroin"), _country("Tajikistan")),
    ),
    Query(
        (("substance", "heroin"), ("place", "Surkhandarinskaya")),
        _all(_drug("Heroin"), _place("Surkhandarinskaya", "Сурхандарьинская")),
        {"since": _day("2012-01-01")},
    ),
)
"""Precision and recall are both to be one."""
