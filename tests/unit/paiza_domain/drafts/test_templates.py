"""Templates fit on a screen, and sections added to them make drafts that are read."""

import re
from collections.abc import Callable
from contextlib import suppress
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from typing import get_args

import pytest
from google.protobuf.message import Message
from hypothesis import given, settings
from hypothesis import strategies as st

from paiza.core.v1.message_pb2 import Handling, Urgency
from paiza_domain import codes, kinds
from paiza_domain.drafts import adding, drafts
from paiza_domain.drafts.drafts import Draft, DraftError
from paiza_domain.drafts.sections import Section, find, sections
from paiza_domain.drafts.template_lines import WIDTH
from paiza_domain.drafts.templates import MAX_LINES, Form, Known, template
from paiza_domain.drafts.yaml_tree import TreeError, parse
from paiza_domain.i18n import LANGUAGES
from paiza_domain.schema.field_errors import FieldError
from paiza_domain.schema.kind import Kind
from paiza_domain.schema.shapes import Field, FieldType
from tests.unit.paiza_domain.strategies import CHECKED, messages

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
KINDS = sorted(kinds.all_kinds())
NOTICE = kinds.all_kinds()["seizure-notice"]
PLACE = {"country": "KAZ", "border_point": "Жана-Жол: пост", "place_type": "land-border-crossing"}
KNOWN = Known("Вымышленное ведомство", "2026-11-22", PLACE)

# What a form has when its fields are filled in and nothing else: whether the values go together is another matter.
# What a person does to a line of a draft.
CHANGES: list[Callable[[str], list[str]]] = [
    lambda _line: [],
    lambda line: [line, line],
    lambda line: [f"  {line}"],
    lambda line: [line.lstrip(" ")],
    lambda line: [line.partition("  #")[0]],
    lambda line: [line, ""],
    lambda line: ["# mine: x", line],
    lambda line: [line, "          # mine: x"],
    lambda line: [f"{line.partition('  #')[0]} |", "        one", "", "        # two: x"],
    lambda line: [f"{line.partition('  #')[0]} {{a: b}}"],
]
OPEN = {"missing", "substance_unnamed", "answer_text_missing", "return_missing"}
EMPTY = {*OPEN, "annex_empty", "route_missing"}
VALUES = {
    FieldType.TEXT: "Пример",
    FieldType.LINES: "Пример",
    FieldType.QUANTITY: "12.5 kg",
    FieldType.PARTIAL_TIME: "2026-11-20",
    FieldType.DIGEST: "ab" * 32,
    FieldType.INTEGER: "1",
    FieldType.DECIMAL: "1",
    FieldType.DEGREES: "43.2",
    FieldType.TIME: f"{NOW + timedelta(days=30):%Y-%m-%dT10:00Z}",
    FieldType.DATE: "2026-11",
    FieldType.FLAG: "true",
}


def section(kind: Kind, key: str) -> Section:
    """Return a section by its key."""
    (found,) = find(kind, key)
    return found


def errors(text: str) -> tuple[FieldError, ...]:
    """Return what is wrong with a draft."""
    try:
        drafts.read(text, now=NOW)
    except DraftError as wrong:
        return wrong.errors
    return ()


def field_at(kind: Kind, path: str) -> Field:
    """Return the field that the path of an error names."""
    steps = re.sub(r"\[\d+\]", "", path).split(".")
    shape = kind.shape
    if steps[0] == "annex":
        assert kind.annex_shape is not None
        shape, steps = kind.annex_shape, steps[1:]
    for step in steps[:-1]:
        below = shape.by_key[step].shape
        assert below is not None
        shape = below
    return shape.by_key[steps[-1]]


def filled(kind: Kind, text: str) -> str:
    """Fill in what is reported as missing, each at the line that the report names, and nothing else."""
    for _round in range(40):
        missing = [each for each in errors(text) if each.code in OPEN]
        if not missing:
            return text
        lines = text.split("\n")
        for each in missing:
            field = field_at(kind, each.path)
            value = CHECKED[field.name] if field.check else VALUES.get(field.value_type, "")
            value = next(iter(codes.load(field.codes))) if field.codes else value
            value = f"[{value}]" if field.most else value
            if field.shape is not None:  # an open list that was left empty: the first field of its entry
                at = next(n for n in range(each.line, len(lines)) if lines[n].lstrip().startswith("- "))
                sub = field.shape.by_key[lines[at].strip().removeprefix("- ").partition(":")[0]]
                lines[at] = re.sub(r"(- [a-z_]+:)", rf"\1 {VALUES[sub.value_type]}", lines[at])
                continue
            found = re.fullmatch(rf"(\s*(?:- )?{field.key}:)(?: \[\])?(  #.*)?", lines[each.line - 1])
            assert found, (each.path, each.line, lines[each.line - 1])
            lines[each.line - 1] = f"{found[1]} {value}{found[2] or ''}"
        text = "\n".join(lines)
    raise AssertionError(text)


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("known", [Known(), KNOWN])
def test_a_template_fits_on_a_screen_and_needs_its_required_fields_alone(name: str, lang: str, known: Known) -> None:
    """Every kind has at most 60 lines, in either language, and is valid once what is reported missing is filled in."""
    kind = kinds.all_kinds()[name]
    text = template(kind, lang, known=known)
    assert text.count("\n") <= MAX_LINES
    assert all(len(line) <= WIDTH + 10 for line in text.split("\n"))
    assert errors(filled(kind, text)) == ()


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("name", KINDS)
def test_every_section_gives_a_draft_that_is_read(name: str, lang: str) -> None:
    """A section added to a template leaves only fields to be filled in; those filled in, the draft is valid."""
    kind = kinds.all_kinds()[name]
    text = template(kind, lang)
    for each in sections(kind):
        more = adding.add(text, each, lang)
        assert len(more) > len(text), each.key
        assert {error.code for error in errors(more)} <= EMPTY, each.key


@pytest.mark.parametrize("name", KINDS)
def test_all_sections_together_give_a_draft_that_is_read(name: str) -> None:
    """Sections are added one after the other, in any state of the draft."""
    kind = kinds.all_kinds()[name]
    text = template(kind, "ru")
    for each in reversed(sections(kind)):
        text = adding.add(text, each, "ru")
    assert {error.code for error in errors(text)} <= EMPTY


def test_a_notice_with_sections_is_valid_when_filled_in() -> None:
    """A route goes in place of its being unknown; an empty entry or group is none."""
    text = template(NOTICE, "ru", known=KNOWN)
    for key in ("маршрут", "Transport", "concealment", "substances", "persons", "place", "handling"):
        text = adding.add(text, section(NOTICE, key), "ru")
    assert "route_unknown" not in text
    text = text.replace("    - role:", "    - role: транзит", 1)
    text = text.replace("country:\n      place:", "country: Узбекистан\n      place:", 1)
    text = text.replace("    - surname:", "    - surname: Вымышлев", 1)
    assert errors(text)
    read = drafts.read(filled(NOTICE, text), "ru", now=NOW)
    content, annex = read.content, read.annex
    assert [(leg.role, leg.country) for leg in content.route] == [("transit", "UZB")]  # type: ignore[attr-defined]
    assert len(content.substances) == 2  # type: ignore[attr-defined]
    assert not content.transport  # type: ignore[attr-defined]
    assert not content.concealment  # type: ignore[attr-defined]
    assert content.place.border_point == PLACE["border_point"]  # type: ignore[attr-defined]
    assert annex is not None


def test_an_open_list_left_empty_is_absent() -> None:
    """The template of an incident shows a chemical; a laboratory without one leaves it empty, a seizure may not."""
    kind = kinds.all_kinds()["precursor-incident"]
    text = template(kind, "ru").replace("  incident_type:", "  incident_type: Подпольная лаборатория")
    incident = filled(kind, text)
    assert errors(incident) == ()
    assert not drafts.read(incident, now=NOW).content.chemicals  # type: ignore[attr-defined]
    seizure = incident.replace("Подпольная лаборатория", "Изъятие")
    assert [(each.path, each.code) for each in errors(seizure)] == [("chemicals", "missing")]


def test_what_is_known_is_filled_in() -> None:
    """Agency, day and place are those known; a template without them leaves them open."""
    lines = [line.partition("  #")[0].strip() for line in template(NOTICE, "en", known=KNOWN).split("\n")]
    assert {"seized_at: 2026-11-22", "reporting_agency: Вымышленное ведомство", "country: KAZ"} <= set(lines)
    assert 'border_point: "Жана-Жол: пост"' in lines
    assert "town:" not in lines
    bare = [line.partition("  #")[0].strip() for line in template(NOTICE, "en").split("\n")]
    assert {"seized_at:", "reporting_agency:", "country:"} <= set(bare)


def test_what_a_template_shows_is_accepted() -> None:
    """Every choice that stands in a template is read where it stands, in the language of the template."""
    for lang in LANGUAGES:
        text = template(NOTICE, lang)
        shown = re.findall(r"(?m)^ *# [^:]*: (.* \| .*)$", text)
        assert shown
        groups = next(each for each in shown if codes.load("drug_group").text("opioids", lang) in each)
        for choice in groups.removesuffix("…").split("|"):
            if choice.strip():
                found = filled(NOTICE, text.replace("      drug_group:", f"      drug_group: {choice.strip()}"))
                assert errors(found) == (), choice


def test_what_a_person_wrote_stays() -> None:
    """Only lines are added: remarks, blank lines and their order are as they were, and a numbered entry goes on."""
    kind = kinds.all_kinds()["information-request"]
    before = template(kind, "en").replace("  facts:", "  facts: |\n    One.\n\n    # Two.\n  # mine", 1)
    text = adding.add(before, section(kind, "questions"), "en")
    text = adding.add(text, section(kind, "vehicles"), "en")
    assert "number: 2" in text
    rest = iter(text.split("\n"))
    assert all(line in rest for line in before.split("\n")), "a line is gone or was moved"


@pytest.mark.parametrize(
    ("text", "key", "code"),
    [
        ("kind: seizure-notice\ncontent:\n  routing: transit\n", "routing", "section_present"),
        ("kind: seizure-notice\ncontent: {routing: transit}\n", "route", "section_in_braces"),
        ("kind: seizure-notice\ncontent:\n  place: {country: KAZ}\n", "place", "section_in_braces"),
        ("kind: seizure-notice\ncontent:\n  route: [{country: KAZ}]\n", "route", "section_in_braces"),
        ("kind: seizure-notice\nattachments: []\n", "attachments", "section_present"),
        ("kind: seizure-notice\ncontent: text\n", "route", "section_in_braces"),
        ("- kind", "route", "expected_group"),
        ("kind: [", "route", "yaml"),
    ],
)
def test_what_cannot_be_added_to_is_said_with_its_line(text: str, key: str, code: str) -> None:
    """A section that is there, or a part without lines of its own, is refused; the text stays as it was."""
    with pytest.raises(DraftError) as wrong:
        adding.add(text, section(NOTICE, key), "ru")
    assert [each.code for each in wrong.value.errors] == [code]
    assert wrong.value.errors[0].line > 0


@pytest.mark.parametrize(
    "text", ["kind: seizure-notice", "kind: seizure-notice\ncontent:\n", "kind: seizure-notice\n\n"]
)
def test_a_draft_with_nothing_yet_takes_sections(text: str) -> None:
    """Sections of content, annex and header can be added to the barest draft."""
    for key in ("route", "persons", "attention", "handling", "urgency_reason", "attachments"):
        text = adding.add(text, section(NOTICE, key), "en")
    found = {each.path.split(".")[0].split("[")[0] for each in errors(text)}
    assert "kind" not in found
    assert text.index("attention:") < text.index("content:") < text.index("annex:")


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_changed_template_takes_sections_or_is_refused(data: st.DataObject) -> None:
    """However a person cut, indented and remarked a template: what is added to it is read, or is refused."""
    kind = kinds.all_kinds()[data.draw(st.sampled_from(KINDS))]
    lines = template(kind, "en").split("\n")
    for _change in range(data.draw(st.integers(1, 5))):
        at = data.draw(st.integers(0, len(lines) - 1))
        change = data.draw(st.sampled_from(CHANGES))
        lines[at : at + 1] = change(lines[at])
    text = "\n".join(lines or [""])
    try:
        parse(text)
    except TreeError:
        return
    chosen = data.draw(st.sampled_from(sections(kind)))
    with suppress(DraftError):
        parse(adding.add(text, chosen, "en"))


@pytest.mark.parametrize("name", KINDS)
def test_no_two_sections_of_a_draft_have_one_name(name: str) -> None:
    """A person who names a section by what it is called in either language means one, the annex apart."""
    found = [each for each in sections(kinds.all_kinds()[name]) if not each.key.startswith("annex.")]
    for lang in LANGUAGES:
        titles = [each.titles[lang].casefold() for each in found]
        assert len(set(titles)) == len(titles)


def test_sections_are_found_by_their_names() -> None:
    """A key, or the name in either language, in any case; companies of the papers are not those of the annex."""
    for name in ("packaging", "Упаковка", "УПАКОВКА", "Packaging"):
        assert section(NOTICE, name).key == "packaging"
    assert section(NOTICE, "other items").key == "other_items"
    assert section(NOTICE, "обнаруж").key == "detection"
    assert find(NOTICE, "weather") == find(NOTICE, "") == find(NOTICE, "?") == ()
    assert {"packaging", "place"} <= {each.key for each in find(NOTICE, "p")}
    incident = {each.key: each.root for each in sections(kinds.all_kinds()["precursor-incident"])}
    assert (incident["companies"], incident["annex.companies"]) == ("content", "annex")


@pytest.mark.parametrize(("lang", "written"), [("ru", "3 года"), ("en", "3 years")])
def test_the_review_period_is_written_in_the_language_of_the_template(lang: str, written: str) -> None:
    """A draft is read with either."""
    for form in get_args(Form):
        assert f"\nreview: {written}" in template(NOTICE, lang, form)


def without_empty_groups(content: Message) -> Message:
    """Return a content without the groups that say nothing, which no draft writes."""
    copied = deepcopy(content)
    _leave_out_empty(copied)
    return copied


def _leave_out_empty(content: Message) -> None:
    for field, value in content.ListFields():
        if field.message_type is None:
            continue
        for each in value if field.is_repeated else [value]:
            _leave_out_empty(each)
        if field.is_repeated:
            said = [each for each in value if each.ListFields()]
            content.ClearField(field.name)
            getattr(content, field.name).extend(said)
        elif not value.ListFields():
            content.ClearField(field.name)


@given(st.sampled_from([name for name in KINDS if kinds.all_kinds()[name].workflow]), st.data())
@settings(max_examples=60)
def test_a_begun_draft_says_what_it_was_begun_with(name: str, data: st.DataObject) -> None:
    """Its template is read as the same content, marks, urgency and legal bases; what is open is still asked for."""
    kind = kinds.all_kinds()[name]
    content = data.draw(messages(kind.shape))
    begun = Draft(
        kind=kind,
        content=content,
        urgency=Urgency.URGENCY_FLASH,
        urgency_reason="controlled-delivery",
        handling=Handling(tlp="RED", code="H3", code_text="ask: first", classification=0, purposes=["investigate"]),
        legal_bases=("exercise-agreement",),
    )
    for lang in LANGUAGES:
        read = drafts.examine(template(kind, lang, begun=begun), lang, now=NOW).draft
        assert read is not None
        assert without_empty_groups(read.content) == without_empty_groups(content)
        assert (read.urgency, read.urgency_reason) == (begun.urgency, begun.urgency_reason)
        assert (read.handling, read.legal_bases) == (begun.handling, begun.legal_bases)
