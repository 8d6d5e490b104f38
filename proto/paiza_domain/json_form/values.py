"""Content messages as JSON objects, which a draft takes as they are: JSON is YAML.

Every value has one form: codes, texts and times as text, numbers with decimals as text so that no digit is lost, an
amount as an object with its unit. `paiza_domain.json_form.schema` describes them.
"""

from typing import Any

from google.protobuf.message import Message

from paiza.content.v1.attachment_info_pb2 import AttachmentInfo
from paiza_domain.schema import scalars
from paiza_domain.schema.quantity import format_amount
from paiza_domain.schema.shapes import Field, FieldType, Shape


def to_object(shape: Shape, message: Message) -> dict[str, Any]:
    """Return all fields that are set, by their keys in drafts, in the order of the shape."""
    present = {descriptor.name: value for descriptor, value in message.ListFields()}
    found: dict[str, Any] = {}
    for field in shape.fields:
        if field.name in present:
            value = present[field.name]
            found[field.key] = [_one(field, each) for each in value] if field.most else _one(field, value)
    return found


def attachment_object(info: AttachmentInfo) -> dict[str, Any]:
    """Return the description of an attached file; ``size`` in bytes."""
    return {"name": info.name, "media_type": info.media_type, "size": info.size, "note": info.note}


def _one(field: Field, value: Any) -> Any:
    if field.shape is not None:
        return to_object(field.shape, value)
    match field.value_type:
        case FieldType.FLAG:
            return bool(value)
        case FieldType.INTEGER:
            return int(value)
        case FieldType.QUANTITY:
            return _amount(value, unit=value.unit)
        case FieldType.DECIMAL:
            return _amount(value)
        case _:
            return scalars.write(field, value)


def _amount(value: Any, **beside: str) -> dict[str, str]:
    reported = {"original": value.original} if value.original else {}
    return {"amount": format_amount(value.millionths), **beside, **reported}
