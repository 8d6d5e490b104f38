"""Each kind of the daily work: a complete draft is valid, comes back whole, and is shown whole in both languages."""

from collections.abc import Iterator
from typing import Any, get_args

import pytest
from google.protobuf.message import Message
from hypothesis import given, settings
from hypothesis import strategies as st

from paiza_domain import kinds
from paiza_domain.drafts import drafts
from paiza_domain.drafts.drafts import Draft
from paiza_domain.drafts.templates import Form, template
from paiza_domain.i18n import LANGUAGES
from paiza_domain.schema import field_errors
from paiza_domain.schema.field_errors import FieldError
from paiza_domain.schema.reading import MAX_SUMMARY
from paiza_domain.schema.shapes import FieldType, Shape
from paiza_domain.terms import index_terms
from tests.unit.paiza_domain.conftest import NOW
from tests.unit.paiza_domain.kinds.examples import EXAMPLES, draft
from tests.unit.paiza_domain.strategies import messages

NAMES = sorted(EXAMPLES)


def read(name: str) -> Draft:
    """Read the example of a kind."""
    return drafts.read(draft(name), now=NOW)


def texts(shape: Shape, message: Message) -> Iterator[str]:
    """Yield every text a person wrote into a message."""
    for descriptor, value in message.ListFields():
        field = shape.by_name[descriptor.name]
        for each in value if field.most else [value]:
            if field.shape is not None:
                yield from texts(field.shape, each)
            elif field.value_type in {FieldType.TEXT, FieldType.LINES}:
                yield each


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_draft_is_valid_and_comes_back_the_same(name: str, lang: str) -> None:
    """An example is read without error, and what is written of it reads back as the same draft."""
    found = read(name)
    assert drafts.read(drafts.write(found, lang), lang, now=NOW) == found
    assert found.kind.validate(found.content, found.annex, NOW) == []


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("lang", LANGUAGES)
def test_everything_written_is_shown(name: str, lang: str) -> None:
    """A reader sees every text of an example, and its summary is one line."""
    found = read(name)
    kind = found.kind
    shown = "\n".join(value for _label, value in kind.show(found.content, lang))
    assert [each for each in texts(kind.shape, found.content) if each not in shown] == []
    summary = kind.summary(found.content, lang)
    assert 0 < len(summary) <= MAX_SUMMARY
    assert "\n" not in summary
    assert kind.show(found.content, "ru") != kind.show(found.content, "en")
    assert kind.titles["ru"] != kind.titles["en"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("form", get_args(Form))
def test_templates_name_every_field(name: str, form: Form) -> None:
    """The long template has every field that is asked for, the short one every mandatory field, in both languages."""
    kind = kinds.all_kinds()[name]
    for lang in LANGUAGES:
        text = template(kind, lang, form)
        for field in kind.shape.fields:
            wanted = form == "long" or field.stands_open
            assert (f"{field.key}:" in text) >= wanted, field.key


@pytest.mark.parametrize("name", NAMES)
def test_every_mandatory_field_is_missed(name: str) -> None:
    """An example without a mandatory field is refused, and that field is named once."""
    found = read(name)
    for field in found.kind.shape.fields:
        if field.required:
            content: Any = found.kind.content()
            content.CopyFrom(found.content)
            content.ClearField(field.name)
            errors = [(each.path, each.code) for each in found.kind.validate(content, found.annex, NOW)]
            assert errors.count((field.key, "missing")) == 1, field.key


@pytest.mark.parametrize("name", sorted(kinds.all_kinds()))
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_sound_fields_have_errors_only_between_fields(name: str, data: st.DataObject) -> None:
    """Validating, showing and searching never fail for any content, and each error has its sentence."""
    kind = kinds.all_kinds()[name]
    content = data.draw(messages(kind.shape))
    for error in kind.validate(content, None, NOW):
        assert error.code in field_errors.MESSAGES
        assert error.message("ru") != FieldError(error.path, error.code, error.values).message("en")
    for lang in LANGUAGES:
        assert bool(kind.show(content, lang)) == bool(content.ListFields())
        kind.remarks(content, NOW, lang)
        assert len(kind.summary(content, lang)) <= MAX_SUMMARY
    index_terms.terms(kind, content, None)


@pytest.mark.parametrize("name", NAMES)
def test_answers_are_kinds_that_follow_from_a_message(name: str) -> None:
    """The answer kinds that a kind names exist and need a message to answer."""
    for answer in kinds.all_kinds()[name].answered_by:
        assert kinds.all_kinds()[answer].needs_parent
