"""The observations to count: one per substance of a notice; cancelled notices have none."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from enum import Enum
from types import MappingProxyType
from typing import Any, Final

from paiza.content.v1 import common_pb2
from paiza.content.v1 import seizure_notice_pb2 as pb
from paiza_client.data.exports.records import Record
from paiza_client.language import N_, _, language
from paiza_domain.schema.partial_times import YEAR, write_partial_time
from paiza_domain.schema.reading import code_text

KIND: Final = "seizure-notice"
UNKNOWN: Final = "XXX"  # the code of an unknown country
CANCELLED: Final = "cancel"
_YEAR, _MONTH, _DAY = 4, 7, 10  # characters of an ISO date


@dataclass(frozen=True, slots=True)
class Observation:
    """One substance of one notice."""

    author: str
    content: pb.SeizureNotice
    substance: common_pb2.Substance

    @property
    def milligrams(self) -> int:
        """Return the kilogram equivalent, in millionths of a kilogram; 0 where there is none."""
        return self.substance.kg_equivalent.kilograms.millionths


def observations(record: Record) -> Iterator[Observation]:
    """Yield the observations of one seizure notice; none of one that was cancelled, or of another kind."""
    content: Any = record.content
    if record.kind.name == KIND and content.status != CANCELLED:
        for substance in content.substances:
            yield Observation(record.header.author, content, substance)


class Within(Enum):
    """Whether a seizure lies in a period; UNSURE where its day is not known exactly enough to say."""

    YES = "yes"
    NO = "no"
    UNSURE = "unsure"


@dataclass(frozen=True, slots=True)
class Period:
    """The days on which seizures were made, where they were made: the ``first`` and the ``last``; None is no limit."""

    first: date | None = None
    last: date | None = None

    def holds(self, content: pb.SeizureNotice) -> Within:
        """Return whether the seizure of a notice lies in the period."""
        begins, ends = _days(write_partial_time(content.seized_at))
        first, last = self.first or date.min, self.last or date.max
        if begins > last or ends < first:
            return Within.NO
        return Within.YES if first <= begins and ends <= last else Within.UNSURE


def _days(text: str) -> tuple[date, date]:
    """Return the first and the last day that a partial time may mean: of a day, a month, a year, a fiscal year."""
    if len(text) >= _DAY and not text.endswith("/P1Y"):
        day = date.fromisoformat(text[:_DAY])
        return day, day
    begins = date(int(text[:_YEAR]), int(text[_YEAR + 1 : _MONTH] or 1), 1)
    if len(text) == _MONTH:
        return begins, (begins + timedelta(days=31)).replace(day=1) - timedelta(days=1)
    return begins, begins.replace(year=begins.year + 1) - timedelta(days=1)


def _year(seen: Observation) -> str:
    """Return the year, or a fiscal year as 2015/16."""
    text = write_partial_time(seen.content.seized_at)
    year = text[:_YEAR]
    return f"{year}/{(int(year) + 1) % 100:02d}" if text.endswith("/P1Y") else year


def _month(seen: Observation) -> str:
    """Return the month, or the year of a record that tells no more."""
    if seen.content.seized_at.precision == YEAR:
        return _year(seen)
    return write_partial_time(seen.content.seized_at)[:_MONTH]


def _quarter(seen: Observation) -> str:
    if seen.content.seized_at.precision == YEAR:
        return _year(seen)
    year, month = _month(seen).split("-")
    return _("{year} Q{quarter}").format(year=year, quarter=(int(month) + 2) // 3)


def _group(seen: Observation) -> str:
    return code_text("drug_group", seen.substance.drug_group, language())


def _substance(seen: Observation) -> str:
    if seen.substance.drug_type:
        return code_text("drug_type", seen.substance.drug_type, language())
    return _("{group}, type not stated").format(group=_group(seen))


def _route(seen: Observation) -> str:
    """Return where the route departs and where it ends, as far as known; one route a notice, so that cells add up."""
    legs = sorted(seen.content.route, key=lambda leg: leg.order)
    start = next((leg.country for leg in legs if leg.role == "departure"), UNKNOWN)
    end = next((leg.country for leg in legs if leg.role == "destination"), UNKNOWN)
    return " → ".join(code_text("country", country, language()) for country in (start, end))


def _origin(seen: Observation) -> str:
    """Return where the substance was produced, or where it was obtained if only that is known."""
    by_role = {leg.role: leg.country for leg in reversed(seen.content.route)}
    return code_text("country", by_role.get("production") or by_role.get("obtained") or UNKNOWN, language())


def _country(seen: Observation) -> str:
    return code_text("country", seen.content.place.country, language())


def _place_type(seen: Observation) -> str:
    place_type = seen.content.place.place_type
    return code_text("place_type", place_type, language()) if place_type else _("not stated")


def _member(seen: Observation) -> str:
    return seen.author


@dataclass(frozen=True, slots=True)
class Dimension:
    """One way to sort observations; ``title`` is a marked text."""

    title: str
    value: Callable[[Observation], str]


DIMENSIONS: Final[Mapping[str, Dimension]] = MappingProxyType(
    {
        "year": Dimension(N_("Year"), _year),
        "quarter": Dimension(N_("Quarter"), _quarter),
        "month": Dimension(N_("Month"), _month),
        "group": Dimension(N_("Drug group"), _group),
        "substance": Dimension(N_("Substance"), _substance),
        "origin": Dimension(N_("Origin"), _origin),
        "route": Dimension(N_("Route"), _route),
        "place": Dimension(N_("Country of the seizure"), _country),
        "place-type": Dimension(N_("Type of place"), _place_type),
        "member": Dimension(N_("Member"), _member),
    }
)
"""By the name an officer writes."""
