"""The form of every kind: a draft becomes a form and the form the same draft, whatever stands in it."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from google.protobuf.message import Message
from hypothesis import given, settings
from hypothesis import strategies as st

from paiza.content.v1.seizure_notice_pb2 import SeizureNotice
from paiza.core.v1.message_pb2 import URGENCY_URGENT, Handling, Recipient
from paiza_domain import kinds
from paiza_domain.drafts import drafts
from paiza_domain.drafts.content import ContentReader
from paiza_domain.drafts.drafts import Draft, Examined
from paiza_domain.drafts.yaml_tree import Group as TreeGroup
from paiza_domain.drafts.yaml_tree import parse
from paiza_domain.forms import checking, echoes, layout, values
from paiza_domain.forms.description import Group, Input, InputType, describe
from paiza_domain.forms.layout import Block, Box, Entry, Layout
from paiza_domain.i18n import LANGUAGES
from paiza_domain.schema import scalars
from paiza_domain.schema.kind import Kind
from tests.unit.paiza_domain.conftest import NOW
from tests.unit.paiza_domain.kinds.examples import EXAMPLES, draft
from tests.unit.paiza_domain.strategies import messages

SEIZURE = kinds.get("seizure-notice", 1)
NAMES = sorted(kinds.all_kinds())
HOSTILE = (
    "<script>alert(1)</script>", '"><img src=x>', "{{7*7}}", "a: b", "- a", "# a", "&a *a", "!tag", "no", "null", "~",
    "'", '"', "\\", "a\\nb", "%s", "\x00", "\x1b[31m", "\u202e", "\u2028", "\ufeff", "é", "😀", "{a: b}", "[a, b]", "|",
    "> a", "kind: recall", "content:", "\t", "1e3", "=1+1", "@a", "`a`", "?", "---", "...", "a" * 5_000,
)  # fmt: skip


def boxes(form: Layout) -> Iterator[Box | Entry]:
    """Yield every field and group entry that is in a form."""
    for page in form.pages:
        parts = (*((page.block,) if page.block else ()), *page.boxes, *page.more)
        yield from _below(parts)


def _below(parts: tuple[Box | Block, ...]) -> Iterator[Box | Entry]:
    for part in parts:
        if isinstance(part, Box):
            yield part
            continue
        for entry in part.entries:
            yield entry
            yield from _below((*entry.boxes, *entry.more))


def sent(kind: Kind, given: Mapping[str, str], lang: str) -> dict[str, str]:
    """Return what a browser sends of a form that shows these values: what each field shows, and no more."""
    form = layout.lay_out(describe(kind, lang), given, {}, lang)
    pairs = [(name, text) for name, text in given.items() if not name.startswith(("content", "annex"))]
    for each in boxes(form):
        if isinstance(each, Entry):
            pairs.append((each.name, ""))
            continue
        pairs += [(each.name, one) for one in each.values or ("",)]
        pairs += [(each.name + values.REPORTED, each.reported)] if each.reported else []
    return layout.understood(describe(kind, lang), values.normalised(pairs))


def through(kind: Kind, text: str, lang: str) -> str:
    """Return a draft after it was opened in a form and saved there unchanged."""
    found, strange = values.of_text(kind, text)
    assert strange == ()
    return values.text_of(kind, sent(kind, found, lang))


def without_blanks(message: Message) -> Message:
    """Return a content without entries and groups that hold nothing, which a form cannot tell from none."""
    for descriptor, value in message.ListFields():
        if descriptor.message_type is None:
            continue
        if not descriptor.is_repeated:
            without_blanks(value)
            continue
        kept = [without_blanks(each) for each in value]
        filled = [each for each in kept if each.ListFields()]
        del value[:]
        value.extend(filled)
    return message


def contents(kind: Kind, text: str) -> tuple[Message, Message | None]:
    """Return content and annex of a draft, not judged."""
    tree = parse(text)
    assert isinstance(tree, TreeGroup)
    return drafts.read_contents(kind, {key.text: node for key, node in tree.entries}, NOW, {}, ContentReader())


def examine(text: str) -> Examined:
    """Read a draft without a register."""
    return drafts.examine(text, "ru", now=NOW)


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=12, deadline=None)
@given(data=st.data(), lang=st.sampled_from(LANGUAGES))
def test_a_draft_of_any_kind_comes_back_from_its_form(name: str, data: st.DataObject, lang: str) -> None:
    """Draft, form, draft: content and annex are equal, in either language of the form."""
    kind = kinds.all_kinds()[name]
    content = without_blanks(data.draw(messages(kind.shape)))
    annex = None
    if kind.annex_shape is not None and data.draw(st.booleans()):
        annex = without_blanks(data.draw(messages(kind.annex_shape)))
    text = drafts.write(Draft(kind=kind, content=content, annex=annex))
    before = contents(kind, text)
    assert contents(kind, through(kind, text, lang)) == (before[0], before[1] if annex and annex.ListFields() else None)


@pytest.mark.parametrize("name", sorted(EXAMPLES))
@pytest.mark.parametrize("lang", LANGUAGES)
def test_an_example_comes_back_whole(name: str, lang: str) -> None:
    """A draft as a person writes it, header included, is the same message after the form."""
    kind = kinds.all_kinds()[name]
    assert drafts.read(through(kind, draft(name), lang), now=NOW) == drafts.read(draft(name), now=NOW)


def test_the_header_comes_back(notice: SeizureNotice) -> None:
    """Recipients, attention, urgency, every mark, bases, review date, parents and files survive the form."""
    SEIZURE.derive(notice)
    whole = Draft(
        kind=SEIZURE,
        content=notice,
        recipients=(Recipient(member="kaz", attention="пост: Кордай # 2"), Recipient(member="rus")),
        urgency=URGENCY_URGENT,
        urgency_reason="other",
        handling=Handling(
            tlp="RED", code="H3", code_text="a: b", pap="AMBER", classification=2, evaluation_scheme="4x4",
            evaluation="B2", purposes=["detect", "locate"],
        ),
        legal_bases=("a-1", "b-2"),
        review_time=NOW.replace(year=2029),
        parents=("0192f0c1-aa",),
        attachments=(("фото: 1.jpg", "кабина"), ("b.pdf", "")),
    )  # fmt: skip
    assert drafts.read(through(SEIZURE, drafts.write(whole), "ru"), now=NOW) == whole


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_text_stays_the_text_it_is(text: str) -> None:
    """Whatever is typed is read back as the same characters, in every kind of field, or refused by name."""
    kind = kinds.get("free-message", 1)
    given = values.normalised([("content.subject", text), ("content.text", f"a\r\n{text}\r\nb")])
    back, strange = values.of_text(kind, values.text_of(kind, given))
    assert strange == ()
    assert {name: back.get(name, "") for name in given} == given


@pytest.mark.parametrize("name", NAMES)
def test_a_hostile_text_in_any_field_is_refused_at_that_field(name: str) -> None:
    """A text with control characters never passes, in no field of any kind, and nothing but a fault comes of it."""
    kind = kinds.all_kinds()[name]
    form = layout.lay_out(describe(kind, "ru"), everything(kind), {}, "ru")
    fields = [each for each in boxes(form) if isinstance(each, Box)]
    given = everything(kind) | {each.name: "\x1b[31m<b>{{1}}" for each in fields}
    checked = checking.check(kind, given, "ru", examine)
    assert checked.draft is None
    missed = {each.name for each in fields} - set(checked.faults)
    assert not missed or sum(map(len, checked.faults.values())) >= drafts.MAX_ERRORS


def everything(kind: Kind) -> dict[str, str]:
    """Return the values of a form with one entry of every group."""
    description = describe(kind, "ru")
    found = layout.initial(description, {})

    def enter(group: Group, name: str) -> None:
        if not values.is_there(found, name):
            found.update(layout.add(description, found, name))
        for part in group.parts:
            if isinstance(part, Group):
                enter(part, f"{name}[0].{part.key}" if group.most else f"{name}.{part.key}")

    for section in description.sections:
        for part in section.parts:
            if isinstance(part, Group):
                enter(part, f"{section.root}.{part.key}")
    return found


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_field_of_every_kind_is_in_its_form(name: str, lang: str) -> None:
    """The form has each field once, with a label; no label is left in the other language."""
    kind = kinds.all_kinds()[name]
    found = list(boxes(layout.lay_out(describe(kind, lang), everything(kind), {}, lang)))
    named = [each.name for each in found]
    assert len(named) == len(set(named))
    paths = {_plain(each.name) for each in found if isinstance(each, Box)}
    assert paths == set(_leaves(kind))
    assert all(each.input.label for each in found if isinstance(each, Box))


def _plain(name: str) -> str:
    return name.replace("[0]", "")


def _leaves(kind: Kind) -> Iterator[str]:
    for root, shape in (("content", kind.shape), ("annex", kind.annex_shape)):
        stack = [(root, shape)] if shape else []
        while stack:
            above, shape_here = stack.pop()
            for each in shape_here.fields:
                name = f"{above}.{each.key}"
                if each.shape is not None and not each.derived:
                    stack.append((name, each.shape))
                elif not each.derived:
                    yield name


def test_a_first_notice_shows_few_fields() -> None:
    """A first seizure notice shows at most 40 fields, marks and recipients included; the rest is on demand."""
    form = layout.lay_out(describe(SEIZURE, "ru"), layout.initial(describe(SEIZURE, "ru"), {}), {}, "ru")
    shown = [each for each in _shown(form) if isinstance(each, Box)]
    assert 10 <= len(shown) <= 28


def _shown(form: Layout) -> Iterator[Box | Entry]:
    for page in form.pages:
        if page.open:
            yield from _shown_below((*((page.block,) if page.block else ()), *page.boxes))


def _shown_below(parts: tuple[Box | Block, ...]) -> Iterator[Box | Entry]:
    for part in parts:
        if isinstance(part, Box):
            yield part
        else:
            for entry in part.entries:
                yield from _shown_below(entry.boxes)


def test_what_must_be_there_comes_first() -> None:
    """Sections that must be filled in stand before those that may be added, and are open."""
    form = layout.lay_out(describe(SEIZURE, "ru"), layout.initial(describe(SEIZURE, "ru"), {}), {}, "ru")
    assert [page.section.key for page in form.pages if page.open] == [
        "content.main", "content.place", "content.substances", "content.route",
    ]  # fmt: skip
    assert [page.open for page in form.pages] == sorted((page.open for page in form.pages), reverse=True)
    assert [part.key for part in form.pages[3].section.parts] == ["route", "route_unknown"]


def test_faults_stand_at_their_fields_and_in_the_summary() -> None:
    """What the reader of drafts finds is at the field it is about, in the reader's words, and once in the summary."""
    description = describe(SEIZURE, "ru")
    given = layout.initial(description, {"content.notice_id": "K-1", "content.route[2].country": "XYZ"})
    given |= {"content.transport[3].container_number": "CSQU3054384", "handling.tlp": "PINK"}
    checked = checking.check(SEIZURE, given, "ru", examine)
    assert checked.draft is None
    assert {"content.seized_at", "content.substances[0].drug_group", "content.place.country"} <= set(checked.faults)
    assert {"content.route[0].country", "content.transport[0].container_number", "handling.tlp"} <= set(checked.faults)
    form = layout.lay_out(description, checked.values, checked.faults, "ru")
    assert {name for name, _label, _text in form.faults} == set(checked.faults)
    assert [page.fault_count for page in form.pages if page.section.key == "content.transport"] == [1]


def test_a_wrong_entry_of_a_list_is_a_fault_of_its_field() -> None:
    """Several values of one field share its name."""
    given = layout.initial(describe(SEIZURE, "ru"), {}) | {"content.substances[0].cutting_agents": f"a\n{'b' * 999}"}
    checked = checking.check(SEIZURE, given, "ru", examine)
    assert "content.substances[0].cutting_agents" in checked.faults


def test_names_of_no_field_are_refused() -> None:
    """What a page does not ask is no part of a draft."""
    for name in ("content.x", "content.place[0].country", "content.substances.form", "x", "content.route[0]x", "a.b.c",
                 "content.substances[0].kg_equivalent.factor", "annex.persons[0].x", "attachments[0].path",
                 "content.place.country.x", "handling.x", "attention.A", "kind"):  # fmt: skip
        with pytest.raises(values.UnknownNamesError):
            values.text_of(SEIZURE, {name: "1"})


def test_entries_are_added_and_removed_by_name() -> None:
    """A group is added with its defaults, numbered where it counts, up to its limit; removing it leaves no trace."""
    kind = kinds.get("information-request", 1)
    description = describe(kind, "ru")
    given = layout.initial(description, {})
    assert given["content.questions[0].number"] == "1"
    more = layout.add(description, given, "content.questions")
    assert more["content.questions[1].number"] == "2"
    assert layout.remove(more, "content.questions[1]") == given
    assert layout.add(description, given, "content.nothing") == given
    assert layout.add(description, given, "content.subject") == given


def test_a_form_of_a_short_draft_has_what_must_be_filled_in() -> None:
    """A draft that leaves groups out shows an empty entry of each that must be there, and no default it did not say."""
    found = layout.completed(describe(SEIZURE, "ru"), {"content.substances[0].form": "powder"})
    assert found == {
        "content.substances[0].form": "powder", "content.place": "", "content.route[0]": "",
    }  # fmt: skip


def test_a_name_is_stored_as_its_code_and_shown_as_a_name() -> None:
    """An entry of a long list is typed by name in either language and shown in the reader's."""
    description = describe(SEIZURE, "ru")
    given = layout.understood(description, {"content.place.country": "Tajikistan", "content.place.town": "Tajikistan"})
    assert given == {"content.place.country": "TJK", "content.place.town": "Tajikistan"}
    form = layout.lay_out(description, given, {}, "ru")
    shown = {each.name: each.value for each in boxes(form) if isinstance(each, Box)}
    assert shown["content.place.country"] == "Таджикистан"
    assert layout.understood(description, {"content.place.country": "Нигде"}) == {"content.place.country": "Нигде"}


def test_a_time_without_a_zone_is_one_of_this_place() -> None:
    """A time of day gets the offset of its day; a time with a zone, a day alone and what is no time stay as typed."""
    description = describe(SEIZURE, "ru")

    def offset(local: datetime) -> timedelta:
        return timedelta(hours=6 if local.year < 2024 else 5)

    for typed, kept in {
        "28.11.2026 02:15": "2026-11-28T02:15+05:00",
        "2023-11-28 2:15": "2023-11-28T02:15+06:00",
        "28.11.2026, 14:30": "2026-11-28T14:30+05:00",
        "2026-11-28T14:30+03:00": "2026-11-28T14:30+03:00",
        "2026-11-28": "2026-11-28",
        "31.02.2026 10:00": "31.02.2026 10:00",
        "вчера": "вчера",
    }.items():
        assert layout.understood(description, {"content.seized_at": typed}, offset) == {"content.seized_at": kept}


def test_a_route_that_is_given_is_not_unknown() -> None:
    """The box that an empty form has ticked goes when a leg is filled in, and stays where none is."""
    description = describe(SEIZURE, "ru")
    given = layout.initial(description, {})
    assert given["content.route_unknown"] == "true"
    assert layout.agreed(description, given) == given
    assert "content.route_unknown" not in layout.agreed(description, given | {"content.route[0].country": "TJK"})


def test_nothing_to_return_is_said_where_the_items_stand() -> None:
    """The box stands with the items, to be seen at once; alone it is a whole answer, and with an item a fault."""
    kind = kinds.get("cd-evidence-return", 1)
    description = describe(kind, "ru")
    given = layout.initial(description, {})
    form = layout.lay_out(description, given, {}, "ru")
    box = next(each for each in _shown(form) if isinstance(each, Box) and each.name == "content.nothing_to_return")
    assert (box.input.label, box.input.hint) == ("Возвращать нечего", "")

    def faults(**more: str) -> set[str]:
        said = layout.agreed(description, given | {f"content.{key}": text for key, text in more.items()})
        return {each for each in checking.check(kind, said, "ru", examine).faults if each.startswith("content")}

    assert faults() == {"content.items"}
    assert faults(nothing_to_return="true") == set()
    item = {"items[0].description": "Пломба", "items[0].returned_to": "tjk"}
    assert faults(**item) == set()
    assert faults(**item, nothing_to_return="true") == {"content.nothing_to_return"}


def test_what_a_program_filled_in_is_shown_as_a_person_types_it() -> None:
    """Amounts have their unit in Russian, times of this place no zone; what a person wrote stays as it is."""
    description = describe(SEIZURE, "ru")
    zone = timedelta(hours=5)

    def shown(name: str, text: str, lang: str, **more: str) -> str:
        values = {name: text} | {name + key: each for key, each in more.items()}
        form = layout.lay_out(describe(SEIZURE, lang), values, {}, lang, offset=lambda _local: zone)
        return next(each.value for each in boxes(form) if isinstance(each, Box) and each.name == name)

    time, amount = "content.seized_at", "content.substances[0].quantity"
    for text, russian, english in (
        ("2026-11-28 14:30+05:00", "28.11.2026 14:30", "2026-11-28 14:30"),
        ("2026-11-28T14:30+05:00", "28.11.2026 14:30", "2026-11-28 14:30"),
        ("2026-11-28T14:30+03:00", "28.11.2026 14:30+03:00", "2026-11-28T14:30+03:00"),
        ("2026-11", "2026-11", "2026-11"),
    ):
        assert (shown(time, text, "ru"), shown(time, text, "en")) == (russian, english)
    for text, russian in (
        ("10 kg", "10 кг"), ("12.5 kg", "12,5 кг"), ("12500 tablet", "12 500 таблеток"), ("12,5 кг", "12,5 кг"),
        ("12.50 kg", "12.50 kg"), ("about 3", "about 3"),
    ):  # fmt: skip
        found = shown(amount, text, "ru")
        assert found.replace("\xa0", " ") == russian
        assert shown(amount, text, "en") == text
        read = layout.understood(description, {amount: found})
        assert examine_amount(read[amount]) == examine_amount(text)
    assert shown(amount, "12 kg", "ru", **{"~": "0 12 kg = dozen"}) == "12 kg", "how it was reported would be lost"


def examine_amount(text: str) -> tuple[int, str] | None:
    """Return what a draft reads in an amount; None for what is none."""
    found = SeizureNotice().substances.add()
    field = SEIZURE.shape.by_key["substances"].shape.by_key["quantity"]  # type: ignore[union-attr]
    try:
        scalars.read(field, text, found)
    except scalars.ScalarError:
        return None
    return found.quantity.millionths, found.quantity.unit


def test_an_amount_is_said_back_in_words() -> None:
    """The echo writes the unit out and converts a mass to grams; what is not understood has none."""
    field = next(
        part
        for section in describe(SEIZURE, "ru").sections
        for group in section.parts
        if isinstance(group, Group)
        for part in group.parts
        if isinstance(part, Input) and part.input_type is InputType.QUANTITY
    )
    assert echoes.echo(field, "12.5 kg", "ru").replace("\xa0", " ") == "12,5 килограмма = 12 500 г"
    assert echoes.echo(field, "12.5 kg", "en").replace("\xa0", " ") == "12.5 kilograms = 12,500 g"
    assert echoes.echo(field, "0.000001 g", "en") == "0.000001 grams"
    assert echoes.echo(field, "2 tablet", "ru") == "2 таблетки"
    assert echoes.echo(field, "much", "ru") == ""


def test_lines_without_a_field_are_named() -> None:
    """A draft written by hand may say what no form asks: that is told and not lost in silence."""
    text = "kind: seizure-notice\nurgency: routine\ncontent:\n  colour: red\n  place: {country: KAZ}\n"
    found, strange = values.of_text(SEIZURE, text)
    assert strange == (("content.colour", "red"),)
    assert found["content.place.country"] == "KAZ"


def test_no_kind_has_a_field_called_as_one_of_the_header() -> None:
    """The path of a fault names one field: of the content or of the header."""
    header = {*values.LISTS, *values.WORDS, "attention", "handling", "attachments", "kind", "version", "annex"}
    header |= {"review_time", "parent_digests"}
    for kind in kinds.all_kinds().values():
        assert not header & {each.key for each in kind.shape.fields}


def test_a_foreign_kind_has_its_form(root: Path) -> None:
    """A kind of another distribution has its form in both languages without a line for it."""
    script = (
        "from datetime import datetime, UTC\n"
        "from paiza_domain import kinds\n"
        "from paiza_domain.drafts import drafts\n"
        "from paiza_domain.forms import checking, description, layout\n"
        "kind = kinds.get('wolf-note', 1)\n"
        "form = description.describe(kind, 'ru')\n"
        "print(form.title, [(part.label, part.input_type.value) for part in form.sections[0].parts])\n"
        "given = layout.understood(form, {'content.country': 'Казахстан', 'content.wolves': '300'})\n"
        "read = lambda text: drafts.examine(text, 'ru', now=datetime.now(UTC))\n"
        "print(checking.check(kind, given, 'ru', read).faults)\n"
    )
    environment = os.environ | {"PYTHONPATH": f"{root / 'tests/kinds'}", "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True, encoding="utf-8"
    )
    assert done.stdout.splitlines() == [
        "Сообщение о волках [('Страна', 'code'), ('Волки', 'integer')]",
        "{'content.wolves': ['Значение должно быть от 1 до 100.']}",
    ]


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("seizure-notice", "content.substances[0].as_named"),
        ("cd-request", "content.route[0].exit_point"),
        ("information-answer", "content.answers[0].text"),
        ("cd-conditions-answer", "content.answers[0].text"),
    ],
)
def test_what_may_be_refused_empty_is_not_called_optional(kind: str, name: str) -> None:
    """A field that must be filled in under a condition is not shown as one that may be left."""
    entered = layout.find_input(describe(kinds.all_kinds()[kind], "en"), name)
    assert entered is not None
    assert not entered.required
    assert not entered.may_be_empty


def test_what_is_beyond_the_first_fields_is_folded() -> None:
    """A long form begins with its first parts; one that holds anything, or a fault, stands open."""
    description = describe(kinds.all_kinds()["cd-request"], "en")
    values = layout.initial(description, {})

    def folded(more: dict[str, str], faults: dict[str, list[str]]) -> set[str]:
        form = layout.lay_out(description, {**values, **more}, faults, "en")
        return {page.section.key for page in form.pages if page.folded}

    assert folded({}, {}) == {"content.transport", "content.route"}
    assert folded({"content.route[0].member": "kaz"}, {}) == {"content.transport"}
    assert folded({}, {"content.transport[0].plate": ["wrong"]}) == {"content.route"}


def test_a_person_that_is_added_stands_open_with_a_name_to_fill_in() -> None:
    """A section that somebody adds is never folded, however long the form is; a person is asked for a name first."""
    description = describe(SEIZURE, "en")
    values = layout.add(description, layout.initial(description, {}), "annex.persons")
    form = layout.lay_out(description, layout.add(description, values, "annex.persons"), {}, "en")
    page = next(each for each in form.pages if each.section.key == "annex.persons")
    assert page.open
    assert not page.folded
    assert page.block is not None
    assert len(page.block.entries) == 2
    names = [each.name for each in page.block.entries[1].boxes]
    assert names[:2] == ["annex.persons[1].surname", "annex.persons[1].given_names"]


def test_times_that_are_filled_in_are_those_of_this_place() -> None:
    """What an earlier step says in UTC is shown on the clock of the officer, and means the same."""
    description = describe(kinds.all_kinds()["cd-authorisation"], "en")
    given = {"content.scope.valid_from": "2026-11-30T22:30:00Z", "content.legal_basis": "2026-11-30T22:30Z"}
    found = layout.in_zone(description, given, lambda _time: timedelta(hours=5))
    assert found == {
        "content.scope.valid_from": "2026-12-01T03:30+05:00",
        "content.legal_basis": "2026-11-30T22:30Z",
    }
