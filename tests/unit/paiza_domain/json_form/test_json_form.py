"""Messages as JSON: the reference validator takes what we write, the reader takes what the validator takes."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from google.protobuf.message import Message
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from paiza_domain import kinds
from paiza_domain.drafts import drafts
from paiza_domain.drafts.content import ContentReader
from paiza_domain.drafts.yaml_tree import parse
from paiza_domain.json_form import schema
from paiza_domain.json_form.values import to_object
from paiza_domain.schema.kind import Kind
from paiza_domain.schema.shapes import Shape
from tests.unit.paiza_domain.strategies import messages

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
ALL = sorted(kinds.all_kinds().items())
KINDS = pytest.mark.parametrize("kind", [kind for _name, kind in ALL], ids=[name for name, _kind in ALL])


def validator(kind: Kind) -> Draft202012Validator:
    """Return the validator of drafts of a kind."""
    return Draft202012Validator(schema.of_draft(kind))


def read(shape: Shape, found: dict[str, Any]) -> Message:
    """Read an object as a draft's reader does."""
    reader, message = ContentReader(), shape.message()
    reader.fill(shape, parse(json.dumps(found, ensure_ascii=False)), message, "")
    assert not reader.errors
    return message


@KINDS
@pytest.mark.parametrize("lang", ["en", "ru"])
def test_every_schema_is_one(kind: Kind, lang: str) -> None:
    """By the dialect's own schema; titles are in the language that was asked for."""
    made = schema.of_draft(kind, lang)
    Draft202012Validator.check_schema(made)
    assert made["title"] == kind.titles[lang]
    json.dumps(made)


@KINDS
@settings(max_examples=4, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large], deadline=None)
@given(data=st.data())
def test_what_is_written_is_valid_and_reads_back(kind: Kind, data: st.DataObject) -> None:
    """Content and annex, with every field in some example."""
    made = schema.of_draft(kind)
    for part, shape in (("content", kind.shape), ("annex", kind.annex_shape)):
        if shape is None:
            continue
        message = data.draw(messages(shape))
        found = to_object(shape, message)
        only = Draft202012Validator(made["properties"][part] | {"$defs": made["$defs"]})
        assert [error.message for error in only.iter_errors(found)] == []
        assert read(shape, found) == message


WRONG: list[tuple[str, Any]] = [
    ("substances.0.drug_group", "heroine"),
    ("substances.0.quantity", "12,5"),
    ("substances.0.quantity.amount", 12.5),
    ("substances.0.quantity.unit", "kilo"),
    ("seized_at", "28/11/2026"),
    ("place.country", "KZ"),
    ("nothing", "like that"),
]


def test_what_is_wrong_is_found() -> None:
    """A program is held to the one form; people's words are for people."""
    kind = kinds.all_kinds()["seizure-notice"]
    judge = validator(kind)
    draft: dict[str, Any] = {"kind": kind.name, "content": to_object(kind.shape, notice())}
    assert not list(judge.iter_errors(draft))
    for path, value in WRONG:
        changed = json.loads(json.dumps(draft))
        *way, last = path.split(".")
        at = changed["content"]
        for step in way:
            at = at[int(step) if step.isdigit() else step]
        at[last] = value
        assert list(judge.iter_errors(changed)), path
    del draft["content"]["place"]
    assert list(judge.iter_errors(draft))


def notice() -> Message:
    """Return the content of a seizure notice, as a person writes it."""
    text = """kind: seizure-notice
content:
  notice_id: KAZ-2026-117
  notice_version: 1
  status: initial
  seized_at: 2026-11-22
  reporting_agency: Example authority
  place: {country: KAZ}
  route_unknown: yes
  substances:
    - drug_group: opioids
      drug_type: heroin
      as_named: powder
      quantity: 12.5 kg
"""
    return drafts.read(text, now=NOW).content
