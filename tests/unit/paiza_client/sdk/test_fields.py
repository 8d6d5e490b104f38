"""The description of a content agrees with the protocol's record and with the kind."""

import pytest
from google.protobuf.message import Message

from paiza.content.v1.common_pb2 import Answer
from paiza_client.sdk import fields
from paiza_domain import codes, kinds
from paiza_domain.schema.shapes import FieldType


def paths(record: type[Message], prefix: str = "") -> set[str]:
    """Return the paths of a record's fields by its descriptor, groups among them, one level deep."""
    return {f"{prefix}{each.name}{'[]' if each.is_repeated else ''}" for each in record.DESCRIPTOR.fields}


@pytest.mark.parametrize("name", sorted(kinds.all_kinds()))
@pytest.mark.parametrize("annex", [False, True], ids=["content", "annex"])
def test_every_field_of_a_record_is_described(name: str, *, annex: bool) -> None:
    """Each record and group has a row for every field; each code list can be looked up."""
    kind = kinds.all_kinds()[name]
    record = kind.annex if annex else kind.content
    rows = fields.describe(kind, annex=annex)
    expected = paths(record) if record else set()
    for each in rows:
        if each.record:
            expected |= paths(each.record, f"{each.path}.")
        assert each.label
        assert not each.codes or codes.load(each.codes)
    assert {each.path for each in rows} == expected
    assert len(rows) == len(expected)


def test_an_answer_is_described_in_words() -> None:
    """Type, duty, codes, limit and the names in records and drafts."""
    found = {each.path: each for each in fields.describe(kinds.all_kinds()["information-answer"], "en")}
    assert (found["reference"].label, found["reference"].mandatory) == ("Own reference", True)
    assert (found["answers[]"].value_type, found["answers[]"].record) == (FieldType.GROUP, Answer)
    assert found["answers[]"].most > 0
    assert (found["answers[].status"].value_type, found["answers[].status"].codes) == (FieldType.CODE, "answer_status")
    assert found["answers[].text"].hint == "mandatory with full and partial"
    assert found["answers[].expected_time"].key == "answers[].expected"
    assert {each.label for each in fields.describe(kinds.all_kinds()["information-answer"], "ru")}.isdisjoint(
        each.label for each in found.values()
    )
