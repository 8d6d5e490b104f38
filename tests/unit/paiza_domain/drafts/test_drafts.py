"""Drafts: what an officer writes is read with line numbers, and what is written reads back the same."""

from datetime import UTC, datetime
from typing import get_args

import pytest
from google.protobuf.message import Message
from hypothesis import given, settings
from hypothesis import strategies as st

from paiza.content.v1.seizure_notice_pb2 import SeizureNotice
from paiza.core.v1.message_pb2 import URGENCY_URGENT, Handling, Recipient
from paiza_domain import codes, kinds
from paiza_domain.drafts import drafts
from paiza_domain.drafts.content import ContentReader
from paiza_domain.drafts.drafts import Draft, DraftError
from paiza_domain.drafts.templates import Form, template
from paiza_domain.drafts.writing import message_lines
from paiza_domain.drafts.yaml_tree import MAX_BYTES, MAX_NODES, parse
from paiza_domain.schema.shapes import FieldType, Shape
from tests.unit.paiza_domain.conftest import NOW
from tests.unit.paiza_domain.strategies import CHECKED, messages

FREE = "kind: free-message\ncontent:\n  subject: Тема\n  text: Текст\n"


def errors(text: str) -> list[tuple[int, str, str]]:
    """Return line, path and code of each error of a draft."""
    try:
        drafts.read(text, now=NOW)
    except DraftError as wrong:
        return [(each.line, each.path, each.code) for each in wrong.errors]
    return []


def test_a_draft_with_all_header_fields_is_read() -> None:
    """Every field of the header arrives in the type that a header takes."""
    draft = drafts.read(
        FREE + "to: [kaz, uzb]\nattention: {uzb: Дежурная часть}\nurgency: urgent\nurgency_reason: danger-to-life\n"
        "handling: {tlp: AMBER+STRICT, code: H3, code_text: Только устно, classification: 1, purposes: [detect]}\n"
        "legal_bases: [agreement-2006]\nreview: 2 years\nin_reply_to: 0192f0c1\n",
        now=NOW,
    )
    assert draft.kind.name == "free-message"
    assert draft.recipients == (Recipient(member="kaz"), Recipient(member="uzb", attention="Дежурная часть"))
    assert (draft.urgency, draft.urgency_reason) == (URGENCY_URGENT, "danger-to-life")
    assert draft.handling == Handling(
        tlp="AMBER+STRICT", code="H3", code_text="Только устно", classification=1, purposes=["detect"]
    )
    assert draft.legal_bases == ("agreement-2006",)
    assert draft.review_time == datetime(2028, 11, 23, 12, tzinfo=UTC)
    assert draft.parents == ("0192f0c1",)


def test_a_review_in_years_is_on_the_same_day() -> None:
    """Leap years and the 29th to 31st of a month change nothing."""
    now = datetime(2026, 11, 30, 16, 53, 7, 120_000, tzinfo=UTC)
    for years, words in ((1, "1 year"), (3, "3 years"), (2, "2 года")):
        draft = drafts.read(f"{FREE}review: {words}\n", now=now)
        assert draft.review_time == datetime(2026 + years, 11, 30, 16, 53, 7, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "line", "path", "code"),
    [
        ("", 1, "", "draft_empty"),
        ("# kind: free-message\n", 1, "", "draft_empty"),
        ("seized_at: 2026-11-20\nkind: seizure-notice\n", 1, "", "key_inside"),
        (FREE + "  urgency: flash\n", 5, "", "key_outside"),
        ("kind: free-message\nto kaz\nurgency: flash\n", 2, "", "yaml_key"),
        ("kind: free-message\nto: [kaz\nurgency: flash\n", 2, "", "yaml_bracket"),
        ("kind: free-message\n  to: kaz\n", 2, "", "yaml_indent"),
        ("kind: free-message\ncontent:\n    subject: a\n  text: b\n", 4, "", "yaml_indent"),
        ("# old\rkind: free-message\r  to: kaz\r", 3, "", "yaml_indent"),  # the end of a line on old Macs
        ("to: kaz\rkind: free-message: x\r", 2, "", "yaml_colon"),
        ("kind: free-message\ncontent:\n  subject: 'it's'\n", 3, "", "yaml_quoted"),
        ("kind: free-message\ncontent:\n  subject: @home\n", 3, "", "yaml_sign"),
        ("- a\n", 1, "", "expected_group"),
        ("subject: a\n", 1, "kind", "missing"),
        ("# x\nkind: free-mesage\n", 2, "kind", "kind_unknown"),
        ("version: 2\n" + FREE, 1, "version", "version_unsupported"),
        (FREE + "urgencie: routine\n", 5, "", "key_unknown"),
        (FREE + "urgency: soonish\n", 5, "urgency", "code_unknown"),
        (FREE + "to: [Atlantis]\n", 5, "to", "member_malformed"),
        (FREE + "to: kaz, kaz\n", 5, "to", "value_repeated"),
        (FREE + "to: {a: b}\n", 5, "to", "expected_list"),
        (FREE + "to: kaz\nattention: {uzb: x}\n", 6, "attention", "key_unknown"),
        (FREE + "handling:\n  tlp: AMBER\n  code: h9\n", 7, "handling.code", "not_one_of"),
        (FREE + "handling: {tlp: AMBER, code: H2, classification: 9}\n", 5, "handling.classification", "out_of_range"),
        (FREE + "review: 2020-01-01\n", 5, "review", "review_before_author"),
        (FREE + "review: soon\n", 5, "review", "review_malformed"),
        (FREE + "review: 31.02.2027\n", 5, "review", "date_impossible"),
        (FREE + "in_reply_to: ['../x']\n", 5, "in_reply_to", "reference_malformed"),
        (FREE + "annex: {persons: []}\n", 5, "annex", "annex_not_allowed"),
        (FREE + "kind: free-message\n", 5, "kind", "key_repeated"),
        ("kind: free-message\ncontent:\n  subject: a\n", 3, "text", "missing"),
        ("kind: free-message\ncontent:\n  subject: a\n  text:\n", 4, "text", "missing"),
        ("kind: free-message\ncontent:\n  subject: [a]\n  text: b\n", 3, "subject", "expected_value"),
        ('kind: free-message\ncontent:\n  subject: "a\\u202eb"\n  text: b\n', 3, "subject", "text_character"),
        ("kind: free-message\ncontent: &x\n  subject: a\n", 2, "", "yaml_alias"),
        ("kind: free-message\ncontent: !!python/object:os.system\n  subject: a\n", 2, "", "yaml_tag"),
        ("kind: free-message\n<<: *x\n", 2, "", "yaml_alias"),
        ('kind: free-message\ncontent: {subject: "\\ud800", text: a}\n', 2, "", "text_character"),
        ('kind: free-message\n"\\ud800": a\n', 2, "", "text_character"),
        ("kind: [\n", 2, "", "yaml"),
        ("kind: a\n---\nkind: b\n", 2, "", "yaml"),
        ("a: " + "[" * 20, 1, "", "yaml_depth"),
        ("kind: a\n\x01", 2, "", "yaml"),
        ("a: 1\n" * (MAX_NODES // 2 + 1), MAX_NODES // 2, "", "too_many"),
        ("x" * (MAX_BYTES + 1), 1, "", "draft_too_large"),
    ],
)
def test_each_mistake_is_named_with_its_line(text: str, line: int, path: str, code: str) -> None:
    """A mistake is told by line, path and code, and suggestions are made where a word is near."""
    found = errors(text)
    assert any(each[1:] == (path, code) for each in found), found
    if code != "missing" or "text:" in text:
        assert (line, path, code) in found


def test_the_nearest_word_is_suggested_in_either_case() -> None:
    """Keys are case-sensitive, and an error says which key or code was meant, in the reader's language."""
    with pytest.raises(DraftError) as wrong:
        drafts.read(FREE.replace("subject", "Subject") + "urgency: Falsh\n", "ru", now=NOW)
    text = str(wrong.value)
    assert "Возможно, имелось в виду «subject»?" in text
    assert "Ближайшие значения: flash (Молния)." in text
    assert "6:10" not in text
    assert "5:10 urgency: " in text


def test_scalars_stay_the_text_they_are() -> None:
    """A subject `no` or `012` is text, and a quantity keeps the digits as they were written."""
    draft = drafts.read("kind: free-message\ncontent: {subject: no, text: 012}", now=NOW)
    assert (draft.content.subject, draft.content.text) == ("no", "012")  # type: ignore[attr-defined]


def test_comments_are_nothing_wherever_they_are() -> None:
    """Remarks behind a key, below it and between blank lines are passed over, and never end in a defect."""
    content = "  subject:  # one\n  # two\n\n\n  # three\n    Тема\n\n  text: Текст # four\n# five\n"
    draft = drafts.read(f"kind: free-message\ncontent:\n{content}", now=NOW)
    assert (draft.content.subject, draft.content.text) == ("Тема", "Текст")  # type: ignore[attr-defined]


def filled(shape: Shape, text: str) -> str:
    """Fill every open, empty field of a template with something valid."""
    values = {
        FieldType.TEXT: "Пример",
        FieldType.LINES: "Пример",
        FieldType.QUANTITY: "12.5 kg",
        FieldType.PARTIAL_TIME: "2026-11-20",
        FieldType.DIGEST: "ab" * 32,
        FieldType.INTEGER: "1",
        FieldType.DECIMAL: "1",
        FieldType.TIME: "2026-12-24T10:00Z",
        FieldType.DATE: "2026-11",
    }
    for field in shape.fields:
        if field.shape is not None:
            text = filled(field.shape, text) if field.stands_open else text
        elif field.stands_open and not field.default:
            value = CHECKED[field.name] if field.check else values.get(field.value_type, "")
            value = next(iter(codes.load(field.codes))) if field.codes else value
            value = f"[{value}]" if field.most else value
            lines = text.split("\n")
            key = field.key
            for number, line in enumerate(lines):
                body, _mark, remark = line.partition("  #")
                if body.strip(" -") in {f"{key}:", f"{key}: []"}:
                    lines[number] = f"{body.split(':')[0]}: {value}  #{remark}"
            text = "\n".join(lines)
    return text


@pytest.mark.parametrize("name", sorted(kinds.all_kinds()))
@pytest.mark.parametrize("lang", ["ru", "en"])
@pytest.mark.parametrize("form", get_args(Form))
def test_a_template_filled_in_is_valid(name: str, lang: str, form: Form) -> None:
    """A template as it comes names what is missing; with its open fields filled in, it is a valid draft."""
    kind = kinds.all_kinds()[name]
    empty = template(kind, lang, form)
    assert {code for _line, _path, code in errors(empty)} <= {"missing", "substance_unnamed", "return_missing"}
    assert errors(empty)
    assert errors(filled(kind.shape, empty)) == []


@pytest.mark.parametrize("name", sorted(kinds.all_kinds()))
def test_every_commented_field_can_be_used(name: str) -> None:
    """With every comment mark before a key removed, the template is still YAML with known keys only."""
    lines = template(kinds.all_kinds()[name], "en", "long").replace("\nto: []", "\nto: kaz").split("\n")
    shape_errors = {"key_unknown", "yaml", "expected_group", "expected_list", "key_repeated", "annex_not_allowed"}
    keyed = [line.replace("# ", "", 1) if _is_key(line) else line for line in lines]
    assert not {code for _line, _path, code in errors("\n".join(keyed))} & shape_errors


def _is_key(line: str) -> bool:
    body = line.strip().removeprefix("# ").removeprefix("- ")
    key = body.split(":")[0]
    return line.strip().startswith("# ") and ":" in body and key.replace("_", "").isalpha() and key.islower()


def round_trip(shape: Shape, content: Message) -> Message:
    """Write a content as YAML and read it back without judging it."""
    reader = ContentReader()
    back = shape.message()
    lines = message_lines(shape, content, "")
    if lines:
        reader.fill(shape, parse("\n".join(lines) + "\n"), back, "")
    assert reader.errors == []
    return back


@pytest.mark.parametrize("name", sorted(kinds.all_kinds()))
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_content_survives_writing_and_reading(name: str, data: st.DataObject) -> None:
    """Every field of every kind comes back from YAML exactly as it was."""
    kind = kinds.all_kinds()[name]
    content = data.draw(messages(kind.shape))
    assert round_trip(kind.shape, content) == content


@settings(max_examples=40, deadline=None)
@given(messages(kinds.get("seizure-notice", 1).annex_shape))  # type: ignore[arg-type]
def test_the_annex_survives_writing_and_reading(annex: Message) -> None:
    """So does every field of the nominal annex."""
    shape = kinds.get("seizure-notice", 1).annex_shape
    assert shape is not None
    assert round_trip(shape, annex) == annex


def test_a_whole_draft_survives_writing_and_reading(notice: SeizureNotice) -> None:
    """Header fields and content of a written draft read back the same."""
    kind = kinds.get("seizure-notice", 1)
    kind.derive(notice)
    draft = Draft(
        kind=kind,
        content=notice,
        recipients=(Recipient(member="kaz", attention="пост: Кордай # 2"), Recipient(member="rus")),
        urgency=URGENCY_URGENT,
        urgency_reason="other",
        handling=Handling(tlp="RED", code="H1", evaluation_scheme="4x4", evaluation="B2", purposes=["detect"]),
        legal_bases=("a-1", "b-2"),
        review_time=datetime(2029, 1, 2, 3, 4, 5, tzinfo=UTC),
        parents=("0192f0c1-aa",),
    )
    assert drafts.read(drafts.write(draft, "ru"), now=NOW) == draft


@settings(max_examples=150, deadline=None)
@given(st.one_of(st.text(max_size=80), st.text("{}[]:-&*!|>'\"%@#\n\t ,?ab0", max_size=60)))
def test_no_text_raises_anything_but_draft_error(text: str) -> None:
    """Any text gives a draft or a DraftError."""
    errors(text)
    errors("kind: free-message\ncontent:\n  subject: " + text)


def test_a_draft_names_files_to_attach() -> None:
    """Files stand alone or with a note, are written as they are read, and what is not a file is told at its line."""
    begin = "kind: free-message\ncontent: {subject: a, text: b}\nattachments:"
    draft = drafts.read(begin + "\n  - photo.jpg\n  - {file: b.pdf, note: x}\n", now=NOW)
    assert draft.attachments == (("photo.jpg", ""), ("b.pdf", "x"))
    assert drafts.read(drafts.write(draft), now=NOW).attachments == draft.attachments
    assert drafts.read(begin + " photo.jpg\n", now=NOW).attachments == draft.attachments[:1]
    with pytest.raises(DraftError) as refused:
        drafts.read(begin + "\n  - {note: x}\n  - [a]\n", now=NOW)
    missing = [(each.path, each.line) for each in refused.value.errors if each.code == "missing"]
    assert missing == [("attachments[1]", 4), ("attachments[2]", 5)]


@pytest.mark.parametrize(("written", "level"), [("ДСП", 1), ("дсп", 1), ("Invented secret", 2), ("3", 3)])
def test_a_national_name_of_a_classification_is_its_level(written: str, level: int) -> None:
    """A draft may name the level as the member's profile does, in any case; a number needs no profile."""
    marks = f"{{tlp: AMBER, code: H2, classification: {written}}}"
    text = f"kind: free-message\nhandling: {marks}\ncontent: {{subject: a, text: b}}\n"
    names = {"ДСП": 1, "Restricted": 1, "invented secret": 2}
    assert drafts.read(text, now=NOW, levels=lambda: names).handling.classification == level


def test_a_name_nobody_knows_is_no_classification() -> None:
    """Neither one the profile does not list, nor any where there is no profile."""
    text = "kind: free-message\nhandling: {tlp: AMBER, code: H2, classification: ДСП}\ncontent: {subject: a, text: b}\n"
    for levels in (None, dict, lambda: {"Other": 1}):
        with pytest.raises(DraftError) as caught:
            drafts.read(text, now=NOW, levels=levels)
        assert [each.path for each in caught.value.errors] == ["handling.classification"]
