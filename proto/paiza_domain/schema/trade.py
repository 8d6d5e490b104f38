"""The shapes that messages about chemicals in trade share: companies, chemicals, documents; and dates still to come."""

from collections.abc import Iterator
from datetime import MAXYEAR, UTC, datetime, timedelta
from typing import Final

from paiza.content.v1.trade_pb2 import Chemical, TradeDocument, Trader
from paiza_domain.i18n import N_
from paiza_domain.kinds.seizure_notice import DAY_SPREAD, MAX_ENTRIES, PACKAGING
from paiza_domain.schema.field_errors import Problem
from paiza_domain.schema.identifiers import cas_problem, hs_problem
from paiza_domain.schema.shapes import Field, FieldType, Shape

MAX_CHEMICALS: Final = 30  # of one consignment or incident
MAX_COMPANIES: Final = 30  # named in its papers
MAX_DOCUMENTS: Final = 50

_PERCENT: Final = 100_000_000  # a hundred, in millionths
_NOTE: Final = 2_000  # characters
_TO_THE_DAY: Final = 2  # hyphens of a date that names its day
_TO_THE_MONTH: Final = 1  # hyphens of a date that names its month
_DECEMBER: Final = 12

TRADER: Final = Shape(
    Trader,
    (
        Field("role", N_("Role in the trade"), FieldType.CODE, codes="trade_role"),
        Field("name", N_("Name"), required=True, term="company"),
        Field("country", N_("Country"), FieldType.CODE, required=True, codes="country", term="country"),
        Field("address", N_("Address")),
        Field("registration_number", N_("Registration number"), term="registration"),
        Field("licence_number", N_("Number of the licence"), term="registration"),
        Field("note", N_("Note"), FieldType.LINES, max_length=_NOTE),
    ),
)


def _named(chemical: Chemical) -> Iterator[tuple[str, Problem]]:
    if not chemical.substance_id and not chemical.as_named:
        yield "as_named", ("substance_unnamed", {})


CHEMICAL: Final = Shape(
    Chemical,
    (
        Field(
            "as_named",
            N_("Substance as named"),
            opened=True,
            hint=N_("mandatory where there is no reference id"),
            term="substance",
        ),
        Field("substance_id", N_("Reference id of the substance"), max_length=64, term="substance"),
        Field("cas_number", N_("CAS number"), check=cas_problem, term="substance"),
        Field("hs_code", N_("HS code"), check=hs_problem),
        Field("control", N_("International control"), FieldType.CODE, codes="precursor_control"),
        Field("quantity", N_("Quantity"), FieldType.QUANTITY, opened=True),
        Field("quantity_basis", N_("Weighed or estimated"), FieldType.CODE, codes="quantity_basis"),
        Field("concentration_percent", N_("Concentration, %"), FieldType.DECIMAL, least=0, greatest=_PERCENT),
        Field("batch_number", N_("Batch number"), term="reference"),
        Field("label", N_("Label and marks"), term="logo"),
        Field("packaging", N_("Packaging"), FieldType.GROUP, most=MAX_ENTRIES, shape=PACKAGING),
        Field("note", N_("Note"), FieldType.LINES, max_length=_NOTE),
    ),
    related=_named,
)
TRADE_DOCUMENT: Final = Shape(
    TradeDocument,
    (
        Field("type", N_("Type of document"), FieldType.CODE, required=True, codes="trade_document"),
        Field("number", N_("Number"), term="document"),
        Field("date", N_("Date"), FieldType.DATE),
        Field("issuer", N_("Issued by")),
    ),
)


def date_start(date: str) -> datetime:
    """Give the beginning of a valid ISO date: of its day, month or year, as if it were one of UTC."""
    year, month, day = (*map(int, date.split("-")), 1, 1)[:3]
    return datetime(year, month, day, tzinfo=UTC)


def date_end(date: str) -> datetime:
    """Give the end of a valid ISO date: of its day, month or year, as if it were one of UTC."""
    start = date_start(date)
    if start.year == MAXYEAR:  # no time comes after it
        return datetime.max.replace(tzinfo=UTC)
    given = date.count("-")
    if given == _TO_THE_DAY:
        return start + timedelta(days=1)
    if given == _TO_THE_MONTH and start.month < _DECEMBER:
        return start.replace(month=start.month + 1)
    return start.replace(year=start.year + 1, month=1)


def has_passed(date: str, now: datetime) -> bool:
    """Say whether the whole of a valid ISO date (day, month or year) is over everywhere on earth."""
    return date_end(date) < now - DAY_SPREAD


def is_to_come(date: str, now: datetime) -> bool:
    """Say whether a valid ISO date has begun nowhere on earth."""
    return date_start(date) > now + DAY_SPREAD
