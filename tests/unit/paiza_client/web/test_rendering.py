"""What others wrote, on a page: text and nothing else, and every set field of a content exactly once."""

import re
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from google.protobuf.message import Message

from paiza.content.v1 import nominal_annex_pb2, recall_pb2, seizure_notice_pb2
from paiza.core.v1 import message_pb2
from paiza_client.web import corrected, language, texts
from paiza_client.web.content import Section, annex_sections, sections
from paiza_client.web.rendering import TEMPLATES, environment
from paiza_domain import kinds
from paiza_domain.schema import reading
from tests.unit.paiza_client.web.test_forms import Marks


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;"),
        ('" onmouseover="x', "&#34; onmouseover=&#34;x"),
        ("{{ 7*7 }}{% raw %}", "{{ 7*7 }}{% raw %}"),
        ("a\u202egpj.exe", "a\N{REPLACEMENT CHARACTER}gpj.exe"),
        ("\x1b[2J\x00", "\N{REPLACEMENT CHARACTER}[2J\N{REPLACEMENT CHARACTER}"),
        ("zero\u200bwidth\u2066", "zero\N{REPLACEMENT CHARACTER}width\N{REPLACEMENT CHARACTER}"),
    ],
)
def test_a_text_steers_no_page(written: str, shown: str) -> None:
    """Markup, templates, controls and marks of direction come out as signs that a reader sees."""
    assert environment().from_string("{{ text }}").render(text=written) == shown
    assert environment().from_string('<a title="{{ text }}">').render(text=written) == f'<a title="{shown}">'


def test_no_template_trusts_what_it_shows() -> None:
    """No template switches escaping off, has a script or style of its own, or loads from elsewhere."""
    for template in TEMPLATES.glob("*.html"):
        text = template.read_text(encoding="utf-8")
        for forbidden in (
            "|safe",
            "| safe",
            "autoescape",
            "<script>",
            "<style",
            " style=",
            " onclick",
            "http://",
            "//",
        ):
            assert forbidden not in text, (template.name, forbidden)


def _texts(found: list[Section]) -> str:
    parts: list[str] = []
    for each in found:
        parts += [fact.digest or fact.text for fact in each.facts]
        parts += [cell for row in (each.table.rows if each.table else ()) for cell in row]
        parts.append(each.text)
        for card in each.cards:
            parts += [card.title, _texts([Section("", card.facts), *card.below])]
    return "\n".join(parts)


def test_every_set_field_is_on_the_page() -> None:
    """What the command line shows of a content stands on the page too, whichever box holds it."""
    language.use("en")
    notice = seizure_notice_pb2.SeizureNotice(
        notice_id="KAZ-1", notice_version=1, status="initial", circumstances="Why."
    )
    notice.place.country, notice.place.town = "KAZ", "Invented"
    for name, amount in (("heroin", 12_500_000), ("opium", 3_200_000)):
        substance = notice.substances.add(drug_group="opioids", as_named=name)
        substance.quantity.millionths, substance.quantity.unit = amount, "kg"
    notice.transport.add(mode="road", plate="01 A 000 AA", seals=["S-1", "S-2"])
    kind = kinds.all_kinds()["seizure-notice"]
    shown = _texts(sections(kind.shape, notice))
    for _label, text in reading.rows(kind.shape, notice, "en"):
        assert text in shown, text


@pytest.mark.parametrize(("unit", "told"), [("kg", False), ("g", False), ("tablet", True)])
def test_an_equivalent_in_kilograms_stands_where_the_unit_is_no_mass(unit: str, told: bool) -> None:  # noqa: FBT001
    """Of an amount in kilograms or grams the page says nothing twice; of tablets it says what they weigh."""
    language.use("en")
    notice = seizure_notice_pb2.SeizureNotice()
    substance = notice.substances.add(as_named="heroin", drug_group="opioids")
    substance.quantity.millionths, substance.quantity.unit = 12_500_000, unit
    substance.kg_equivalent.kilograms.millionths, substance.kg_equivalent.factor = 3_000_000, "0.24"
    shown = sections(kinds.all_kinds()["seizure-notice"].shape, notice)
    table = next(each.table for each in shown if each.table is not None)
    assert ("Kilogram equivalent" in [label for label, _numeric in table.columns]) is told


def test_each_person_is_a_card() -> None:
    """A card is headed by the person's names, a telephone's by its number alone; every set field stands on it once."""
    language.use("en")
    annex = nominal_annex_pb2.NominalAnnex()
    annex.persons.add(surname="Fictional", given_names="Nobody", patronymic="N.", role="driver", citizenships=["KAZ"])
    annex.persons.add(aliases=["Nameless"], role="organiser")
    annex.telephones.add(number="+99900000000", imei="490154203237518", holder="Nobody")
    kind = kinds.all_kinds()["seizure-notice"]
    persons, telephones = annex_sections(kind, annex)
    assert [each.title for each in persons.cards] == ["Fictional Nobody N.", ""]
    assert [each.number for each in persons.cards] == [1, 2]
    assert [fact.text for fact in persons.cards[0].facts] == ["Fictional", "Nobody", "N.", "Driver", "Kazakhstan"]
    assert [each.title for each in telephones.cards] == ["+99900000000"]
    assert annex_sections(kind, None) == []


@pytest.mark.parametrize("name", sorted(kinds.all_kinds()))
def test_an_empty_content_of_every_kind_is_shown(name: str, live_in: Callable[[str], None]) -> None:
    """A content with nothing set has no boxes; one with a time has it in full, and in UTC."""
    live_in("UTC-5")
    kind = kinds.all_kinds()[name]
    empty = kind.content()
    assert sections(kind.shape, empty) == []
    for field in kind.shape.fields:
        if field.value_type == "time":
            getattr(empty, field.name).FromDatetime(datetime(2026, 11, 28, 21, 42, tzinfo=UTC))
            shown = _texts(sections(kind.shape, empty))
            assert "2026" in shown
            assert "21:42 UTC" in shown


def test_a_group_on_one_line_leaves_no_value_without_its_label() -> None:
    """Where one value of a small group has a label all have; a group of plain words stays as people write it."""
    language.use("en")
    notice = seizure_notice_pb2.SeizureNotice()
    notice.place.country, notice.place.town = "KAZ", "Invented"
    equivalent = notice.substances.add(as_named="heroin").kg_equivalent
    equivalent.kilograms.millionths, equivalent.factor = 12_500_000, "1"
    shown = _texts(sections(kinds.all_kinds()["seizure-notice"].shape, notice))
    assert "Kazakhstan, Invented" in shown
    assert re.search(r"Kilograms: 12\.5; [^\n]+: 1\b", shown)


def test_a_mark_names_its_level_as_the_member_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """A level with a name is not a number for the reader; one without keeps its number."""
    language.use("ru")
    monkeypatch.setitem(texts._levels, 1, {"ru": "для служебного пользования"})
    assert texts.limits(message_pb2.Handling(tlp="AMBER", code="H2", classification=1)) == (
        "TLP:AMBER, H2, для служебного пользования"
    )
    assert texts.limits(message_pb2.Handling(tlp="AMBER", code="H2", classification=9)).endswith("уровень 9")


def test_a_correction_names_its_fields_and_not_their_paths() -> None:
    """Labels below those of their groups, values as a reader sees them; the content itself stays as it was signed."""
    language.use("ru")
    correction = recall_pb2.Correction(reason="slip", explanation="Описка")
    correction.changes.add(path="substances[1].quantity", before="2.4 kg", after="2.5 kg")
    correction.changes.add(path="annex.persons[0].surname")
    correction.changes.add(path="never[0].known", before="a", after="b")
    shown = corrected.in_words(correction, kinds.all_kinds()["seizure-notice"])
    assert isinstance(shown, recall_pb2.Correction)
    assert [(each.path, each.before, each.after) for each in shown.changes][::2] == [
        ("Вещество 2 · Количество", "2,4 кг", "2,5 кг"),
        ("never[0].known", "a", "b"),
    ]
    assert shown.changes[1].path.startswith("Лица · ")
    assert correction.changes[0].path == "substances[1].quantity"
    assert corrected.in_words(correction, None) is correction


HOSTILE = '"><script>alert(1)</script>{{ 7*191 }}</textarea><b onclick=x>\u202e\x1b[31m'
SHOWN = """{% from "content.html" import section_box %}{% for each in found %}{{ section_box(each) }}{% endfor %}
<dl>{% for label, text in rows %}<dt>{{ label }}</dt><dd>{{ text }}</dd>{% endfor %}</dl>"""


def _hostile(message: Message) -> None:
    """Put hostile words into every text of a content, with two entries of every group."""
    for field in message.DESCRIPTOR.fields:
        repeated = field.is_repeated
        if field.type == field.TYPE_STRING:
            if repeated:
                getattr(message, field.name).extend([HOSTILE, HOSTILE])
            else:
                setattr(message, field.name, HOSTILE)
        elif field.message_type is not None and not field.message_type.full_name.startswith("google."):
            for each in (
                [getattr(message, field.name).add() for _ in range(2)] if repeated else [getattr(message, field.name)]
            ):
                _hostile(each)


@pytest.mark.parametrize("as_cards", [False, True])
@pytest.mark.parametrize("name", sorted(kinds.all_kinds()))
def test_hostile_words_are_text_in_every_field_that_is_shown(name: str, *, as_cards: bool) -> None:
    """What another member writes into a field of any kind becomes no element of the page."""
    kind = kinds.all_kinds()[name]
    for shape in filter(None, (kind.shape, kind.annex_shape)):
        content = shape.message()
        _hostile(content)
        rows = reading.rows(shape, content, "ru")
        page = environment().from_string(SHOWN).render(found=sections(shape, content, as_cards=as_cards), rows=rows)
        marks = Marks(page)
        assert marks.strange == []
        assert "1337" not in page
        assert not {"\u202e", "\x1b"} & set(page)
        assert page.count("alert(1)") > 0
