"""Seizure notice: the seized items, place, time and circumstances; persons are in the nominal annex, sealed apart.

The short form is the same message with the mandatory fields only.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from paiza.content.v1 import common_pb2 as pb
from paiza.content.v1 import seizure_notice_pb2
from paiza_domain import codes
from paiza_domain.i18n import N_, translate
from paiza_domain.schema import quantity
from paiza_domain.schema.field_checks import MAX_MILLIONTHS
from paiza_domain.schema.field_errors import Problem
from paiza_domain.schema.identifiers import container_problem, currency_problem, imo_problem, vin_problem
from paiza_domain.schema.kind import Kind
from paiza_domain.schema.nominal import ANNEX
from paiza_domain.schema.partial_times import COARSE, partial_time_start, partial_time_text
from paiza_domain.schema.reading import code_text, more, quantity_text, substance_text
from paiza_domain.schema.rules import all_of, not_in_future
from paiza_domain.schema.shapes import Field, FieldType, Shape

MAX_SUBSTANCES: Final = 50  # of one seizure
MAX_LEGS: Final = 50  # of one route
MAX_ENTRIES: Final = 30  # ways of packing, hiding, carrying; other items; links
MAX_SEALS: Final = 50  # of one transport
MAX_COUNT: Final = 10**9  # packages or items
MAX_PERSONS: Final = 10_000  # counted in one notice
LATE_AFTER: Final = timedelta(hours=72)  # a notice reported later is marked, not refused
_LATITUDE: Final = 90_000_000  # microdegrees
_LONGITUDE: Final = 180_000_000  # microdegrees
_PERCENT: Final = 100_000_000  # a hundred, in millionths
_NOTE: Final = 2_000  # characters


def _as_reported(label: str = N_("As reported"), *, term: str = "") -> Field:
    return Field("as_reported", label, max_length=500, term=term)


COORDINATES: Final = Shape(
    pb.Coordinates,
    (
        Field("latitude_microdegrees", N_("Latitude"), FieldType.DEGREES, key="latitude",
              required=True, least=-_LATITUDE, greatest=_LATITUDE),
        Field("longitude_microdegrees", N_("Longitude"), FieldType.DEGREES, key="longitude",
              required=True, least=-_LONGITUDE, greatest=_LONGITUDE),
    ),
)  # fmt: skip
PLACE: Final = Shape(
    pb.Place,
    (
        Field("country", N_("Country"), FieldType.CODE, required=True, codes="country", term="country"),
        Field("admin_area", N_("Province, region"), term="place"),
        Field("town", N_("Town, district"), term="place", short=True),
        Field("border_point", N_("Border crossing point"), term="place", short=True),
        Field("place_type", N_("Type of place"), FieldType.CODE, codes="place_type", short=True),
        Field("coordinates", N_("Coordinates"), FieldType.GROUP, shape=COORDINATES),
        _as_reported(term="place"),
    ),
)
KG_EQUIVALENT: Final = Shape(
    pb.KgEquivalent,
    (
        Field("kilograms", N_("Kilograms"), FieldType.DECIMAL, required=True, least=0, greatest=MAX_MILLIONTHS),
        Field("factor", N_("Kilograms per unit"), required=True, max_length=32),
        Field("factor_source", N_("Source of the factor")),
    ),
)


NAMES: Final = (
    Field(
        "as_named",
        N_("Substance as named"),
        opened=True,
        hint=N_("mandatory where there is no reference id"),
        term="substance",
    ),
    Field("substance_id", N_("Reference id of the substance"), max_length=64, term="substance"),
)
"""The fields for the name of a substance."""
DRUG: Final = (
    Field("drug_group", N_("Drug group"), FieldType.CODE, required=True, codes="drug_group", term="drug-group"),
    Field("drug_type", N_("Drug type"), FieldType.CODE, opened=True, codes="drug_type", term="substance", short=True),
    Field("form", N_("Form"), FieldType.CODE, codes="form", short=True),
)
"""The fields for the drug type of a substance."""


def named(substance: Any) -> Iterator[tuple[str, Problem]]:
    """Return an error if a substance has neither a name nor a reference id."""
    if not substance.substance_id and not substance.as_named:
        yield "as_named", ("substance_unnamed", {})


def drug_type_problems(substance: Any) -> Iterator[tuple[str, Problem]]:
    """Yield errors of drug types outside the drug group beside them."""
    if substance.drug_type:
        entry = codes.load("drug_type").codes.get(substance.drug_type)
        known = substance.drug_group in codes.load("drug_group")  # another error otherwise
        if entry is not None and known and entry.group != substance.drug_group:
            values = {"value": substance.drug_type, "group": substance.drug_group, "expected": entry.group}
            yield "drug_type", ("type_not_in_group", values)


def _substance_rules(substance: pb.Substance) -> Iterator[tuple[str, Problem]]:
    yield from named(substance)
    yield from drug_type_problems(substance)
    if substance.HasField("kg_equivalent"):
        factor = quantity.parse_factor(substance.kg_equivalent.factor)
        if factor is None:
            yield "kg_equivalent.factor", ("factor_malformed", {})
        elif substance.kg_equivalent.kilograms.millionths != quantity.apply_factor(
            substance.quantity.millionths, factor
        ):
            yield "kg_equivalent.kilograms", ("kg_equivalent_mismatch", {})
        elif (exact := quantity.kg_factor(substance.quantity.unit)) is not None and factor != exact:
            yield "kg_equivalent.factor", ("kg_equivalent_mismatch", {})


def _is_mass(substance: pb.Substance) -> bool:
    """Return whether the quantity is in a unit of mass, which everybody turns into kilograms."""
    return quantity.kg_factor(substance.quantity.unit) is not None


SUBSTANCE: Final = Shape(
    pb.Substance,
    (
        *NAMES,
        *DRUG,
        Field("quantity", N_("Quantity"), FieldType.QUANTITY, required=True),
        Field("weight_basis", N_("Gross or net"), FieldType.CODE, codes="weight_basis"),
        Field("quantity_basis", N_("Weighed or estimated"), FieldType.CODE, codes="quantity_basis"),
        Field(
            "kg_equivalent",
            N_("Kilogram equivalent"),
            FieldType.GROUP,
            shape=KG_EQUIVALENT,
            derived=True,
            implied=_is_mass,
        ),
        Field("purity_percent", N_("Purity, %"), FieldType.DECIMAL, least=0, greatest=_PERCENT),
        Field("purity_basis", N_("Basis of the purity"), FieldType.CODE, codes="purity_basis"),
        Field("laboratory_status", N_("Laboratory"), FieldType.CODE, codes="laboratory_status"),
        Field("cutting_agents", N_("Cutting agents"), most=MAX_ENTRIES),
        Field("note", N_("Note"), FieldType.LINES, max_length=_NOTE),
    ),
    related=_substance_rules,
)


def _leg_terms(leg: pb.RouteLeg) -> Iterator[tuple[str, str]]:
    yield "route", f"{leg.role} {leg.country}"


ROUTE_LEG: Final = Shape(
    pb.RouteLeg,
    (
        Field("role", N_("Role on the route"), FieldType.CODE, required=True, codes="route_role"),
        Field("country", N_("Country"), FieldType.CODE, required=True, codes="country", term="country"),
        Field("place", N_("Place"), term="place"),
        Field("order", N_("Order of travel"), FieldType.INTEGER, least=0, greatest=MAX_LEGS),
        Field("confidence", N_("Confidence"), FieldType.CODE, codes="route_confidence"),
        _as_reported(term="place"),
    ),
    terms=_leg_terms,
)
PACKAGING: Final = Shape(
    pb.Packaging,
    (
        Field("type", N_("Packaging"), FieldType.CODE, codes="packaging"),
        Field("count", N_("Number of packages"), FieldType.INTEGER, least=0, greatest=MAX_COUNT),
        Field("wrapping", N_("Wrapping")),
        Field("logo", N_("Logo, text on the packages"), term="logo"),
        _as_reported(),
    ),
)
CONCEALMENT: Final = Shape(
    pb.Concealment,
    (
        Field("method", N_("Method of concealment"), FieldType.CODE, codes="concealment"),
        Field("location", N_("Where exactly")),
        _as_reported(),
    ),
)
TRANSPORT: Final = Shape(
    pb.Transport,
    (
        Field("mode", N_("Mode of transport"), FieldType.CODE, codes="transport_mode", short=True),
        Field("means", N_("Means of transport"), FieldType.CODE, codes="transport_means", short=True),
        Field("make", N_("Make and model")),
        Field("plate", N_("Registration plate"), max_length=40, term="plate", short=True),
        Field("vin", N_("Vehicle identification number (VIN)"), check=vin_problem, term="vin"),
        Field("vessel_name", N_("Name of the vessel"), term="vessel"),
        Field("imo_number", N_("IMO number of the vessel"), check=imo_problem, term="vessel"),
        Field("flight", N_("Flight"), max_length=40, term="flight"),
        Field("container_number", N_("Container number"), check=container_problem, term="container", short=True),
        Field("air_waybill", N_("Air waybill"), max_length=40, term="waybill"),
        Field("tir_carnet", N_("TIR carnet"), max_length=40, term="carnet"),
        Field("seals", N_("Seals"), max_length=60, most=MAX_SEALS, term="seal"),
        _as_reported(),
    ),
)
DETECTION: Final = Shape(
    pb.Detection,
    (
        Field("method", N_("Method of detection"), FieldType.CODE, codes="detection"),
        Field("trigger", N_("What led to the control"), FieldType.CODE, codes="detection_trigger"),
        _as_reported(),
    ),
)
VALUATION: Final = Shape(
    seizure_notice_pb2.Valuation,
    (
        Field("amount", N_("Amount"), FieldType.DECIMAL, required=True),
        Field("currency", N_("Currency (ISO 4217)"), required=True, check=currency_problem),
        Field("basis", N_("Basis of the value")),
    ),
)
SEIZED_ITEM: Final = Shape(
    seizure_notice_pb2.SeizedItem,
    (
        Field("description", N_("Description"), required=True),
        Field("count", N_("Number of pieces"), FieldType.INTEGER, least=0, greatest=MAX_COUNT),
        Field("quantity", N_("Quantity"), FieldType.QUANTITY),
    ),
)
COUNTS: Final = Shape(
    pb.PersonCounts,
    (
        Field("arrested", N_("Arrested"), FieldType.INTEGER, least=0, greatest=MAX_PERSONS),
        Field("wanted", N_("Wanted"), FieldType.INTEGER, least=0, greatest=MAX_PERSONS),
        Field("minors", N_("Minors among them"), FieldType.INTEGER, least=0, greatest=MAX_PERSONS),
    ),
)


def _route_or_unknown(notice: seizure_notice_pb2.SeizureNotice) -> Iterator[tuple[str, Problem]]:
    if notice.route_unknown and notice.route:
        yield "route_unknown", ("route_contradiction", {})
    if not notice.route_unknown and not notice.route:
        yield "route", ("route_missing", {})


def _coarse_only_taken_over(notice: seizure_notice_pb2.SeizureNotice) -> Iterator[tuple[str, Problem]]:
    """Yield an error for a month or a year in a record, or a sum of several, that was not taken over from elsewhere."""
    if notice.seized_at.precision in COARSE and not notice.source:
        yield "seized_at", ("moment_coarse", {})
    if notice.event_count > 1 and not notice.source:
        yield "event_count", ("sum_without_source", {})


SHAPE: Final = Shape(
    seizure_notice_pb2.SeizureNotice,
    (
        Field("notice_id", N_("Number of the notice"), required=True, max_length=64, term="reference"),
        Field(
            "notice_version",
            N_("Version of the notice"),
            FieldType.INTEGER,
            required=True,
            least=1,
            greatest=1_000,
            default="1",
        ),
        Field("status", N_("Status"), FieldType.CODE, required=True, codes="seizure_status", default="initial"),
        Field(
            "seized_at",
            N_("Date and time of the seizure"),
            FieldType.PARTIAL_TIME,
            required=True,
            coarse=True,
            known="today",
        ),
        Field("reporting_agency", N_("Reporting agency"), required=True, known="agency"),
        Field("place", N_("Place of the seizure"), FieldType.GROUP, required=True, shape=PLACE, known="place"),
        Field("substances", N_("Substance"), FieldType.GROUP, required=True, most=MAX_SUBSTANCES, shape=SUBSTANCE),
        Field(
            "route",
            N_("Route"),
            FieldType.GROUP,
            most=MAX_LEGS,
            shape=ROUTE_LEG,
            short=True,
            instead="route_unknown",
        ),
        Field(
            "route_unknown",
            N_("Route unknown"),
            FieldType.FLAG,
            default="true",
            hint=N_("true, where there are no legs"),
        ),
        Field("routing", N_("Direction"), FieldType.CODE, codes="routing"),
        Field("packaging", N_("Packaging"), FieldType.GROUP, most=MAX_ENTRIES, shape=PACKAGING),
        Field("concealment", N_("Concealment"), FieldType.GROUP, most=MAX_ENTRIES, shape=CONCEALMENT),
        Field("transport", N_("Transport"), FieldType.GROUP, most=MAX_ENTRIES, shape=TRANSPORT),
        Field("detection", N_("Detection"), FieldType.GROUP, shape=DETECTION),
        Field("valuation", N_("Value"), FieldType.GROUP, shape=VALUATION),
        Field("other_items", N_("Other items seized"), FieldType.GROUP, most=MAX_ENTRIES, shape=SEIZED_ITEM),
        Field("counts", N_("Numbers of persons"), FieldType.GROUP, shape=COUNTS),
        Field("links", N_("Related notices and cases"), most=MAX_ENTRIES, term="reference"),
        Field("attachment_titles", N_("Titles of the attachments"), most=MAX_ENTRIES),
        Field("follow_up", N_("Follow-up wanted"), FieldType.LINES, max_length=4_000),
        Field("circumstances", N_("Circumstances"), FieldType.LINES),
        Field("source", N_("Source of the record")),
        Field("event_count", N_("Number of seizures summed up"), FieldType.INTEGER, least=0, greatest=MAX_COUNT),
    ),
    related=all_of(_route_or_unknown, _coarse_only_taken_over),
)


def is_late(content: seizure_notice_pb2.SeizureNotice, reported: datetime) -> bool:
    """Return whether the report comes more than 72 hours after the seizure (its day, hour or minute)."""
    spans = {
        pb.TIME_PRECISION_YEAR: timedelta(days=366),
        pb.TIME_PRECISION_MONTH: timedelta(days=31),
        pb.TIME_PRECISION_DAY: timedelta(days=1),
        pb.TIME_PRECISION_HOUR: timedelta(hours=1),
    }
    end = partial_time_start(content.seized_at) + spans.get(content.seized_at.precision, timedelta(minutes=1))
    return reported.astimezone(UTC) > end + LATE_AFTER


def derive_kg_equivalent(substance: pb.Substance) -> None:
    """Fill in the kilogram equivalent of a quantity in a unit of mass; leave others unchanged."""
    factor = quantity.kg_factor(substance.quantity.unit)
    if factor is not None:
        substance.kg_equivalent.kilograms.millionths = quantity.apply_factor(substance.quantity.millionths, factor)
        substance.kg_equivalent.factor = quantity.format_factor(factor)


def _derive(content: seizure_notice_pb2.SeizureNotice) -> None:
    for substance in content.substances:
        if not substance.HasField("kg_equivalent"):
            derive_kg_equivalent(substance)


def _remarks(content: seizure_notice_pb2.SeizureNotice, reported: datetime, lang: str) -> tuple[str, ...]:
    return (
        (translate(N_("Late: reported more than 72 hours after the seizure"), lang),)
        if is_late(content, reported)
        else ()
    )


def _summary(content: seizure_notice_pb2.SeizureNotice, lang: str) -> str:
    first = content.substances[0]
    what = f"{substance_text(first, lang)}, {quantity_text(first.quantity, lang)}{more(content.substances)}"
    where = code_text("country", content.place.country, lang)
    if place := content.place.border_point or content.place.town or content.place.admin_area:
        where += f", {place}"
    return f"{content.notice_id}: {what}; {where}; {partial_time_text(content.seized_at, lang)}"


KIND: Final = Kind(
    name="seizure-notice",
    version=1,
    title=N_("Seizure notice"),
    shape=SHAPE,
    annex_shape=ANNEX,
    summarise=_summary,
    subject=("substances.drug_type|substances.drug_group", "substances.quantity", "place.country", ("route.country",)),
    sender_roles=frozenset({"liaison", "duty", "coordinator"}),
    check=not_in_future("seized_at"),
    remark=_remarks,
    derive=_derive,
)
