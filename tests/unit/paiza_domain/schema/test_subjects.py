"""The subject of a message: what a list shows of it, and that nothing a person wrote gets there."""

import pytest
from google.protobuf.message import Message
from hypothesis import given, settings
from hypothesis import strategies as st

from paiza.core.v1.message_pb2 import Subject, SubjectItem
from paiza_domain import codes, kinds
from paiza_domain.drafts import drafts
from paiza_domain.i18n import LANGUAGES
from paiza_domain.schema import subjects
from paiza_domain.schema.shapes import FieldType, Shape
from paiza_wire.message import MAX_SUBJECT_BYTES, MIN_SUBJECT_BYTES
from tests.unit.paiza_domain.conftest import NOW
from tests.unit.paiza_domain.kinds.examples import EXAMPLES, draft
from tests.unit.paiza_domain.strategies import messages

PERSON = "Вымышлев Образец"
SILENT = {
    "acknowledgement", "cd-acknowledgement", "cd-closing", "cd-confirmation", "cd-evidence-return",
    "cd-handover-refusal", "cd-route-change", "cd-stop-lifting", "free-message", "operation",
}  # fmt: skip
"""The kinds that say nothing in lists: all that they say was written by a person, or is a date."""


def write_person(shape: Shape, message: Message) -> None:
    """Put a person's name into every text of a message, and into those of all groups below it."""
    for field in shape.fields:
        if field.shape is not None:
            below = getattr(message, field.name)
            if field.most and not below:
                below.add()
            for each in below if field.most else [below]:
                write_person(field.shape, each)
        elif field.value_type in {FieldType.TEXT, FieldType.LINES}:
            if field.most:
                getattr(message, field.name)[:] = [PERSON]
            else:
                setattr(message, field.name, PERSON)
        elif field.value_type in {FieldType.QUANTITY, FieldType.DECIMAL}:
            for each in getattr(message, field.name) if field.most else [getattr(message, field.name)]:
                each.original = PERSON


@pytest.mark.parametrize("name", sorted(kinds.all_kinds()))
@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_no_person_gets_into_a_subject(name: str, data: st.DataObject) -> None:
    """With a person's name in every text of a content, its subject names nobody: codes, amounts and countries alone."""
    kind = kinds.all_kinds()[name]
    content = data.draw(messages(kind.shape))
    write_person(kind.shape, content)
    found = kind.subject_of(content)
    assert len(found) <= MAX_SUBJECT_BYTES - MIN_SUBJECT_BYTES
    for word in PERSON.split():
        assert word.encode() not in found
    for item in Subject.FromString(found).items:
        match item.WhichOneof("item"):
            case "term":
                assert item.term.code in codes.load(item.term.list)
            case "amount":
                assert item.amount.unit in codes.load("unit")
            case "way":
                assert set(item.way.countries) <= set(codes.load("country"))
            case other:
                assert other == "more"
    for lang in LANGUAGES:
        told = subjects.text(found, lang)
        assert len(told.encode()) <= subjects.MAX_SHOWN
        assert PERSON not in told
        assert "\n" not in told


def test_the_kinds_that_say_nothing_are_known() -> None:
    """Every other kind names what its lists show."""
    assert {name for name, kind in kinds.all_kinds().items() if not kind.subject} == SILENT


@pytest.mark.parametrize("name", sorted(set(EXAMPLES) - SILENT))
def test_every_example_has_a_subject_in_both_languages(name: str) -> None:
    """Deriving a subject again gives the same one, without any text of an officer."""
    found = drafts.read(draft(name), now=NOW)
    subject = found.kind.subject_of(found.content)
    assert subject == found.kind.subject_of(found.content)
    assert subjects.text(subject, "ru")
    assert subjects.text(subject, "ru") != subjects.text(subject, "en") or not any(
        item.HasField("term") for item in Subject.FromString(subject).items
    )


@pytest.mark.parametrize(
    ("items", "russian", "english"),
    [
        (
            [{"term": {"list": "drug_type", "code": "heroin"}}, {"amount": {"millionths": 12_500_000, "unit": "kg"}},
             {"way": {"countries": ["UZB", "RUS"]}}],
            "Героин 12,5 кг, Узбекистан → Российская Федерация",
            "Heroin 12.5 kg, Uzbekistan → Russian Federation",
        ),
        (
            [{"amount": {"millionths": 120_000_000, "unit": "tablet"}}, {"more": 2}],
            "120 таблеток (+2)",
            "120 tablets (+2)",
        ),
        ([{"term": {"list": "no-such-list", "code": "x"}}], "", ""),
        ([{}], "", ""),
        ([], "", ""),
    ],
)  # fmt: skip
def test_a_subject_reads_as_one_line(items: list[dict[str, object]], russian: str, english: str) -> None:
    """Substance and amount stand together; what this version does not know is left out."""
    data = Subject(items=[SubjectItem(**item) for item in items]).SerializeToString()  # type: ignore[arg-type]
    assert subjects.text(data, "ru") == russian
    assert subjects.text(data, "en") == english


def test_no_bytes_raise_anything() -> None:
    """An invalid or very long subject is shown short or not at all."""
    assert subjects.text(b"\xff\xff", "ru") == ""
    long = Subject(items=[SubjectItem(term=SubjectItem.Term(list="country", code="ж" * 500))]).SerializeToString()
    assert len(subjects.text(long, "ru").encode()) <= subjects.MAX_SHOWN
