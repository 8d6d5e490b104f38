"""A kind as a form: asked in order, checked at once, put together to the same content as a draft."""

import pytest

from paiza_domain import kinds
from paiza_domain.drafts import drafts, forms
from paiza_domain.drafts.drafts import DraftError
from paiza_domain.schema.shapes import FieldType
from tests.unit.paiza_domain.conftest import NOW

SEIZURE = kinds.get("seizure-notice", 1)


def test_the_short_form_has_only_what_must_be_there() -> None:
    """The short form asks for what must be there and what an officer nearly always knows, such as the border point."""
    assert [each.path for each in forms.fields(SEIZURE, "short")] == [
        "notice_id", "notice_version", "status", "seized_at", "reporting_agency", "place", "place.country",
        "place.town", "place.border_point", "place.place_type",
        "substances[]", "substances[].as_named", "substances[].drug_group", "substances[].drug_type",
        "substances[].form", "substances[].quantity",
        "route[]", "route[].role", "route[].country", "route_unknown",
    ]  # fmt: skip


def test_fields_say_what_a_prompt_needs() -> None:
    """Label, code list, mandatory, repeated and default stand in each field; the annex comes last."""
    by_path = {each.path: each for each in forms.fields(SEIZURE)}
    group = by_path["substances[].drug_group"]
    assert (group.labels["ru"], group.codes, group.mandatory) == ("Группа наркотика", "drug_group", True)
    assert (by_path["substances[]"].value_type, by_path["substances[]"].repeated) == (FieldType.GROUP, True)
    assert by_path["status"].default == "initial"
    assert "annex.persons[].surname" in by_path
    assert "substances[].kg_equivalent" not in by_path


def test_one_answer_is_judged_at_once() -> None:
    """A wrong answer is named in the reader's language, a right one passes in silence."""
    by_path = {each.path: each for each in forms.fields(SEIZURE)}
    assert by_path["substances[].quantity"].error("12.5 kg", "ru") == ""
    assert by_path["substances[].quantity"].error("12,5 кг", "ru") == ""
    assert "не более одной" in by_path["substances[].quantity"].error("1.200,5 kg", "ru")
    assert by_path["place.country"].error("kz", "en") == ""
    assert "KAZ (Kazakhstan)" in by_path["place.country"].error("kazz", "en")
    assert by_path["transport[].container_number"].error("CSQU3054384", "en").startswith("The check digit")
    assert "U+DCFF" in by_path["place.town"].error("\udcff", "en")
    assert by_path["annex.persons[].citizenships[]"].error("KAZ", "en") == ""


def test_answers_give_the_same_content_as_a_draft() -> None:
    """Prompts and YAML give the same content."""
    answers = {
        "notice_id": "KAZ-1", "notice_version": "1", "status": "initial", "seized_at": "2026-11-20T14:30+05:00",
        "reporting_agency": "Служба", "place.country": "KAZ", "place.town": "", "substances[0].as_named": "героин",
        "substances[0].drug_group": "opioids", "substances[0].quantity": "12.50 kg",
        "substances[0].cutting_agents[0]": "кофеин", "route[0].role": "departure", "route[0].country": "TJK",
        "annex.persons[0].surname": "Вымышленный", "annex.persons[0].role": "courier",
        "annex.persons[0].category": "suspect",
    }  # fmt: skip
    content, annex = forms.assemble(SEIZURE, answers, now=NOW)
    text = drafts.write(drafts.Draft(kind=SEIZURE, content=content, annex=annex))
    assert drafts.read(text, now=NOW).content == content
    assert drafts.read(text, now=NOW).annex == annex
    assert SEIZURE.summary(content, "ru") == "KAZ-1: героин, 12,5 кг; Казахстан; 20.11.2026 14:30 (UTC+05:00)"


@pytest.mark.parametrize(
    "path", ["", "a..b", "subject[0]", "subject[5]", "subject.x", "../x", "x" * 200, "annex.", "text[0].y"]
)
def test_a_path_that_is_none_is_refused(path: str) -> None:
    """Answers under paths that no field has never pass silently."""
    with pytest.raises(DraftError):
        forms.assemble(kinds.get("free-message", 1), {"subject": "a", "text": "b", path: "x"}, now=NOW)
