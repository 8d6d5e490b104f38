"""Contents made at random along a shape, so that every field of every kind is met."""

from datetime import UTC, datetime, timedelta
from typing import Any

from google.protobuf.message import Message
from hypothesis import strategies as st

from paiza_domain import codes
from paiza_domain.schema.quantity import format_amount
from paiza_domain.schema.shapes import Field, FieldType, Shape

_LATEST = datetime(2026, 11, 20, tzinfo=UTC)
_letters = st.characters(codec="utf-8", categories=("L", "N", "P", "S"))
_line = st.text(st.one_of(_letters, st.just(" ")), min_size=1, max_size=30).map(str.strip).filter(bool)
_lines = st.lists(_line, min_size=1, max_size=3).map("\n".join)
CHECKED = {
    "vin": "1M8GDM9AXKP042788",
    "imo_number": "9074729",
    "container_number": "CSQU3054383",
    "imei": "490154203237518",
    "number": "+77270000000",
    "currency": "KZT",
    "recipients": "kaz",
    "cas_number": "108-24-7",
    "hs_code": "291524",
    "inchi_key": "WFXAZNNJSKVHJT-UHFFFAOYSA-N",
    "member": "tjk",
    "coordinator": "centre",
    "taker": "uzb",
    "giver": "tjk",
    "returned_to": "kaz",
    "telephone": "+77270000000",
}


def messages(shape: Shape) -> st.SearchStrategy[Message]:
    """Make messages whose fields are sound by themselves; what must hold between them is up to the caller."""

    @st.composite
    def build(draw: st.DrawFn) -> Message:
        message = shape.message()
        for field in shape.fields:
            if field.derived or not (field.required or draw(st.booleans())):
                continue
            for _ in range(draw(st.integers(1, 2)) if field.most else 1):
                _set(draw, field, message)
        return message

    return build()


def _set(draw: st.DrawFn, field: Field, owner: Message) -> None:
    target: Any = getattr(owner, field.name)
    if field.shape is not None:
        below = draw(messages(field.shape))
        if field.most:
            target.add().CopyFrom(below)
        elif below.ListFields():
            target.CopyFrom(below)
        return
    match field.value_type:
        case FieldType.QUANTITY | FieldType.DECIMAL:
            target = target.add() if field.most else target
            target.millionths = draw(st.integers(1, 100_000_000))
            number = format_amount(target.millionths)
            target.original = draw(st.sampled_from(["", f"0{number}", f"{number} (со слов)"]))
            if field.value_type is FieldType.QUANTITY:
                target.unit = draw(st.sampled_from(list(codes.load("unit"))))
        case FieldType.PARTIAL_TIME:
            _moment(draw, target)
        case FieldType.TIME:
            target.FromDatetime(_LATEST + timedelta(days=30, seconds=draw(st.integers(0, 10**7))))
        case _:
            value = _plain(draw, field)
            if field.most:
                target.append(value)
            else:
                setattr(owner, field.name, value)


def _moment(draw: st.DrawFn, target: Any) -> None:
    step = {1: 86_400, 2: 3_600, 3: 60}
    target.precision = draw(st.sampled_from(sorted(step)))
    target.utc_offset_minutes = 0 if target.precision == 1 else draw(st.sampled_from([0, 180, 300, 345, -570]))
    local = draw(st.integers(0, int(_LATEST.timestamp()))) // step[target.precision] * step[target.precision]
    target.time.seconds = local - target.utc_offset_minutes * 60


def _plain(draw: st.DrawFn, field: Field) -> Any:  # noqa: PLR0911 - one return a type of field
    if field.check is not None:
        return CHECKED[field.name]
    match field.value_type:
        case FieldType.CODE:
            return draw(st.sampled_from(list(codes.load(field.codes))))
        case FieldType.INTEGER | FieldType.DEGREES:
            return draw(st.integers(max(field.least or 0, 1), min(field.greatest or 9, 10**6)))
        case FieldType.FLAG:
            return True
        case FieldType.DATE:
            return draw(st.sampled_from(["1990", "1990-05", "1990-05-17"]))
        case FieldType.DIGEST:
            return draw(st.binary(min_size=32, max_size=32))
        case FieldType.LINES:
            return draw(_lines)
        case _:
            return draw(_line)[: field.max_length or None].strip()
