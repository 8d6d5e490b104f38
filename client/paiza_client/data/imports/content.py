"""A record as the content of a seizure notice, judged by the kind itself before it is handed on."""

from datetime import UTC, datetime, time
from typing import Final

from paiza.content.v1 import common_pb2 as pb
from paiza.content.v1 import seizure_notice_pb2
from paiza_client.data.imports.map_checks import LEGS
from paiza_client.data.imports.mapping import REPORTED, Record, Rejection, RowRejected
from paiza_client.data.imports.maps import ImportMap
from paiza_domain import codes
from paiza_domain.kinds import seizure_notice
from paiza_domain.schema.text_rules import MAX_LINE

MAX_AS_REPORTED: Final = 500  # characters of its fields "as reported"
MAX_ORIGINAL: Final = 60  # characters of a quantity as reported
_ID_DIGITS: Final = 16  # hexadecimal digits of the row's digest in the notice's number: 64 bits


def build_notice(
    record: Record, layout: ImportMap, now: datetime
) -> tuple[seizure_notice_pb2.SeizureNotice, frozenset[str]]:
    """Make the notice, and name the further rules that changed it; RowRejected if the kind finds it invalid.

    Its number is made from the row's digest, so the same row has the same number wherever it is imported.
    """
    writer = _Writer(record, layout)
    notice = writer.notice()
    if errors := seizure_notice.KIND.validate(notice, None, now):
        raise RowRejected([Rejection("invalid_notice", each.path, each.code) for each in errors])
    return notice, frozenset({"shortened"} if writer.shortened else ())


class _Writer:
    """Fills one notice; what does not fit a field is cut there and stands whole under circumstances."""

    def __init__(self, record: Record, layout: ImportMap) -> None:
        self._record = record
        self._layout = layout
        self._notes = [f"{column}: {text}" for column, text in record.kept.items()]
        self.shortened = False

    def notice(self) -> seizure_notice_pb2.SeizureNotice:
        record, entries = self._record, self._record.entries
        notice = seizure_notice_pb2.SeizureNotice(
            notice_id=f"{record.country}-{record.digest.hex()[:_ID_DIGITS]}",
            notice_version=1,
            status="initial",
            reporting_agency=self._text("agency", MAX_LINE),
            place=self._place(),
            substances=[self._substance()],
            route=self._route(),
            source=self._layout.source,
        )
        notice.seized_at.time.FromDatetime(datetime.combine(record.seized.start, time(), UTC))
        notice.seized_at.precision = pb.TimePrecision.ValueType(record.seized.precision)
        notice.event_count = record.events if record.events > 1 else 0
        notice.route_unknown = not notice.route
        if hidden := self._text("concealment", MAX_AS_REPORTED):
            found = entries["concealment"].codes if "concealment" in entries else {}
            if packed := found.get("packaging", ""):
                notice.packaging.add(type=packed, as_reported=_more(hidden, "packaging", packed))
            if (method := found.get("concealment", "")) or not packed:
                notice.concealment.add(method=method, as_reported=_more(hidden, "concealment", method))
        if carried := self._text("transport", MAX_AS_REPORTED):
            found = entries["transport"].codes if "transport" in entries else {}
            notice.transport.add(mode=found.get("mode", ""), means=found.get("means", ""), as_reported=carried)
        if "routing" in entries:
            notice.routing = entries["routing"].codes.get("routing", "")
        if not notice.routing and (routing := self._text("routing", MAX_AS_REPORTED)):
            notice.detection.as_reported = routing
        notice.circumstances = "\n".join(self._notes)
        return notice

    def _text(self, name: str, most: int) -> str:
        """Return the text of a field, cut to what the notice holds; the whole is then noted."""
        text = self._record.texts.get(name, "")
        if len(text) <= most:
            return text
        self.shortened = True
        self._note(name, text)
        return text[: most - 1].rstrip() + "…"

    def _note(self, name: str, text: str) -> None:
        self._notes.append(f"{self._layout.column(name)}: {text}")

    def _place(self) -> pb.Place:
        entries = self._record.entries
        place = pb.Place(
            country=self._record.country,
            admin_area=self._text("region", MAX_LINE),
            as_reported=self._text("place", MAX_AS_REPORTED),
        )
        if record_point := self._record.point:
            place.coordinates.latitude_microdegrees, place.coordinates.longitude_microdegrees = record_point
        for name in ("region", "place"):
            if reported := self._record.texts.get(REPORTED + name):
                self._note(name, reported)
        if kind := self._text("place_type", MAX_AS_REPORTED):
            place.place_type = entries["place_type"].codes.get("place_type", "") if "place_type" in entries else ""
            if _more(kind, "place_type", place.place_type):
                self._note("place_type", kind)
        return place

    def _substance(self) -> pb.Substance:
        record, entries = self._record, self._record.entries
        drug = entries["drug"].codes if "drug" in entries else {}
        substance = pb.Substance(
            as_named=self._text("drug", MAX_LINE),
            drug_group=drug.get("group", "unknown"),
            drug_type=drug.get("type", ""),
            form=drug.get("form", "") or entries["unit"].codes.get("form", ""),
            quantity=pb.Quantity(millionths=record.millionths, unit=record.unit, original=record.original),
        )
        if len(record.original) > MAX_ORIGINAL:
            self._note("quantity", record.original)
            substance.quantity.original = record.texts["quantity"]
            self.shortened = True
        if (name := drug.get("substance", "")).casefold() != substance.as_named.casefold():
            substance.note = name
        seizure_notice.derive_kg_equivalent(substance)
        return substance

    def _route(self) -> list[pb.RouteLeg]:
        """Return the legs; a country without a code is XXX with its text, a text that states nothing is only noted."""
        legs = []
        for role in LEGS:
            text, entry = self._text(role, MAX_AS_REPORTED), self._record.entries.get(role)
            if not text:
                continue
            if entry and entry.nothing:
                self._note(role, text)
                continue
            country = entry.codes.get("country", "XXX") if entry else "XXX"
            legs.append(pb.RouteLeg(role=role, country=country, as_reported=_more(text, "country", country)))
        return legs


def _more(text: str, list_name: str, code: str) -> str:
    """Return the text unless it says no more than the code's own name."""
    if not code:
        return text
    return "" if text.casefold() in {name.casefold() for name in codes.load(list_name)[code].names.values()} else text
