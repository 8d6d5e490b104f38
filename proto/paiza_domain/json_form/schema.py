"""The JSON Schema (draft 2020-12) of a draft of each kind, generated from its shape and code lists.

A kind needs no line of its own here. The schema says which fields there are, of which form, and which must be there;
rules between fields, checksums and what depends on the federation are for the draft's reader, which names every fault.
Fields that are computed and not entered are ``readOnly``: messages have them, drafts leave them out.
"""

from collections.abc import Iterator
from typing import Any, Final

from paiza_domain import codes, handling
from paiza_domain.drafts.header import URGENCIES
from paiza_domain.i18n import translate
from paiza_domain.json_form.values import to_object
from paiza_domain.schema.field_checks import MAX_ORIGINAL
from paiza_domain.schema.kind import Kind
from paiza_domain.schema.shapes import Field, FieldType, Shape
from paiza_domain.schema.text_rules import MAX_LINE, MAX_TEXT
from paiza_domain.validation import MAX_ATTENTION, MAX_LEGAL_BASES
from paiza_wire.message import MAX_PARENTS, MAX_RECIPIENTS

__all__ = ["DIALECT", "of_draft", "to_object"]

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"

_NUMBER: Final = r"^-?[0-9]{1,12}([.][0-9]{1,6})?$"
_TIME: Final = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(:[0-9]{2})?(Z|[+-][0-9]{2}:[0-9]{2})$"
_PARTIAL_TIME: Final = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9]{2}(:[0-9]{2})?(Z|[+-][0-9]{2}:[0-9]{2}))?$"
_COARSE_TIME: Final = r"^[0-9]{4}(-[0-9]{2}(/P1Y|-[0-9]{2}(T[0-9]{2}(:[0-9]{2})?(Z|[+-][0-9]{2}:[0-9]{2}))?)?)?$"
_DATE: Final = r"^[0-9]{4}(-[0-9]{2}(-[0-9]{2})?)?$"
_LONGEST_WORD: Final = 64


def of_draft(kind: Kind, lang: str = "en") -> dict[str, Any]:
    """Return the schema of drafts of a kind, with titles and the names of codes in ``lang``."""
    lists: set[str] = {"urgency", "urgency_reason", "purpose"}
    content = _group(kind.shape, lang, lists)
    properties: dict[str, Any] = {
        "kind": {"const": kind.name},
        "version": {"const": kind.version},
        **_header(),
        "content": content,
    }
    if kind.annex_shape is not None:
        properties["annex"] = _group(kind.annex_shape, lang, lists)
    return {
        "$schema": DIALECT,
        "$id": f"urn:paiza:kind:{kind.name}:{kind.version}",
        "title": kind.titles[lang],
        **_object(properties, ["kind", "content"]),
        "$defs": {each: _codes(each, lang) for each in sorted(lists)},
    }


def _header() -> dict[str, Any]:
    words = {"type": "string", "minLength": 1, "maxLength": _LONGEST_WORD}
    marks: dict[str, Any] = {
        "tlp": {"enum": list(handling.TLP)},
        "code": {"enum": list(handling.CODES)},
        "code_text": _text(handling.MAX_CODE_TEXT),
        "pap": {"enum": list(handling.PAP)},
        "classification": {"type": "integer", "minimum": 0, "maximum": handling.MAX_CLASSIFICATION},
        "evaluation_scheme": {"enum": list(handling.EVALUATION_SCHEMES)},
        "evaluation": dict(words),
        "purposes": _list(_ref("purpose"), handling.MAX_PURPOSES),
    }
    return {
        "to": {**_list(words, MAX_RECIPIENTS), "uniqueItems": True},
        "attention": {"type": "object", "additionalProperties": _text(MAX_ATTENTION)},
        "urgency": _ref("urgency"),
        "urgency_reason": _ref("urgency_reason"),
        "handling": _object(marks, []),
        "legal_bases": _list(words, MAX_LEGAL_BASES),
        "review": {"type": "string", "maxLength": _LONGEST_WORD},
        "in_reply_to": _list(words, MAX_PARENTS),
        "exercise": {"type": "boolean"},
    }


def _group(shape: Shape, lang: str, lists: set[str]) -> dict[str, Any]:
    properties = {each.key: _field(each, lang, lists) for each in shape.fields}
    return _object(properties, [each.key for each in shape.fields if each.required and not each.derived])


def _field(field: Field, lang: str, lists: set[str]) -> dict[str, Any]:
    one = _group(field.shape, lang, lists) if field.shape is not None else _scalar(field, lists)
    found = _list(one, field.most) if field.most else one
    return {**dict(_annotations(field, lang)), **found}


def _annotations(field: Field, lang: str) -> Iterator[tuple[str, Any]]:
    yield "title", translate(field.label, lang)
    if field.hint:
        yield "description", translate(field.hint, lang)
    if field.derived:
        yield "readOnly", True


def _scalar(field: Field, lists: set[str]) -> dict[str, Any]:  # noqa: PLR0911 - one return a type of field
    match field.value_type:
        case FieldType.TEXT:
            return _text(field.max_length or MAX_LINE)
        case FieldType.LINES:
            return _text(field.max_length or MAX_TEXT)
        case FieldType.CODE:
            lists.add(field.codes)
            return _ref(field.codes)
        case FieldType.INTEGER:
            limits = {"minimum": field.least or 0, "maximum": 2**32 - 1 if field.greatest is None else field.greatest}
            return {"type": "integer", **limits}
        case FieldType.FLAG:
            return {"type": "boolean"}
        case FieldType.QUANTITY:
            lists.add("unit")
            return _object({**_amount(), "unit": _ref("unit")}, ["amount", "unit"])
        case FieldType.DECIMAL:
            return _object(_amount(), ["amount"])
        case FieldType.DEGREES:
            return {"type": "string", "pattern": _NUMBER}
        case FieldType.TIME:
            return {"type": "string", "pattern": _TIME}
        case FieldType.PARTIAL_TIME:
            return {"type": "string", "pattern": _COARSE_TIME if field.coarse else _PARTIAL_TIME}
        case FieldType.DATE:
            return {"type": "string", "pattern": _DATE}
        case FieldType.DIGEST:
            return {"type": "string", "pattern": "^[0-9a-f]{64}$"}
        case _:
            raise AssertionError(f"{field.name} has no form")


def _amount() -> dict[str, Any]:
    return {"amount": {"type": "string", "pattern": _NUMBER}, "original": _text(MAX_ORIGINAL)}


def _text(most: int) -> dict[str, Any]:
    return {"type": "string", "minLength": 1, "maxLength": most}


def _list(items: dict[str, Any], most: int) -> dict[str, Any]:
    return {"type": "array", "items": items, "maxItems": most}


def _object(properties: dict[str, Any], required: list[str]) -> dict[str, Any]:
    found = {"type": "object", "properties": properties, "additionalProperties": False}
    return {**found, "required": required} if required else found


def _ref(codes_list: str) -> dict[str, Any]:
    return {"$ref": f"#/$defs/{codes_list}"}


def _codes(name: str, lang: str) -> dict[str, Any]:
    """Return the schema of a code of a list: each with its name as its title."""
    known = URGENCIES if name == "urgency" else codes.load(name).codes
    texts = codes.load(name)
    return {"anyOf": [{"const": code, "title": texts.text(code, lang)} for code in known]}
