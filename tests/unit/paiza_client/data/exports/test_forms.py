"""Tables and pages: what stands in them, what must not, and the mark on every part of them."""

import csv
import io
import json
import re
import zipfile
from dataclasses import replace
from fractions import Fraction
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paiza.content.v1 import nominal_annex_pb2 as pb
from paiza.content.v1 import seizure_notice_pb2
from paiza.content.v1.free_message_pb2 import FreeMessage
from paiza.content.v1.precursor_incident_pb2 import PrecursorIncident
from paiza.core.v1.message_pb2 import Handling
from paiza_client import language
from paiza_client.data.exports import customs, forms, precursors, unodc, writing
from paiza_client.data.exports.tables import MARK_COLUMN, Amount, Cell, Table, amount
from paiza_client.data.imports.rows import EXERCISE_COLUMN, armed, disarmed
from paiza_client.sdk import wording
from paiza_domain import kinds, reference
from paiza_domain.drafts import drafts
from tests.unit.paiza_client.data.exports.making import MARK, NOW, made, mark_of, printed, record, written
from tests.unit.paiza_client.data.exports.test_unodc import DRAFT
from tests.unit.paiza_domain.kinds.examples import draft
from tests.unit.paiza_domain.reference.conftest import encoded, substance
from tests.unit.paiza_domain.strategies import messages

FORMULAS = ["=1+1", "+E1", "-1+cmd", "@SUM(A1)", "\t=1", "＝1", "-1-1", "'=1", '=HYPERLINK("x")']
SHEET = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"


def table(*cells: str, mark: Handling = MARK) -> Table:
    """Make a table of one column."""
    return Table("test", "Test", ("Text",), [(cell,) for cell in cells], mark)


def sheet(data: bytes, name: str = "xl/worksheets/sheet1.xml") -> ET.Element:
    """Read one sheet of a workbook."""
    with zipfile.ZipFile(io.BytesIO(data)) as book:
        return ET.fromstring(book.read(name))  # noqa: S314 - written here


def strings(data: bytes) -> list[str]:
    """Read the texts of a workbook."""
    return ["".join(each.itertext()) for each in sheet(data).iter(f"{SHEET}is")]


@pytest.mark.parametrize("cell", FORMULAS)
def test_no_cell_is_a_formula(cell: str) -> None:
    """In CSV an apostrophe stands before it, in XLSX it is a text, and neither loses it."""
    (head, line) = csv.reader(io.StringIO(written(writing.as_csv, table(cell)).decode("utf-8-sig")))
    assert head == ["Text", MARK_COLUMN]
    kept = cell.replace("\t", "\N{REPLACEMENT CHARACTER}")
    assert line[0] == (kept if kept != cell else f"'{cell}")
    assert disarmed(line[0]) == kept
    data = written(writing.as_xlsx, table(cell))
    assert not list(sheet(data).iter(f"{SHEET}f"))
    assert kept in strings(data)


@given(st.text(max_size=20))
def test_arming_is_undone_exactly(text: str) -> None:
    """An import removes the mark that an export puts before any cell."""
    assert disarmed(armed(text)) == text or text.startswith("'")
    assert disarmed(armed(armed(text))) == armed(text) or not armed(text).startswith("'")


@pytest.mark.parametrize("number", ["12.5", "-3", "+7 701 123", "1e-07", "1,234.5"])
def test_numbers_stay_as_they_are(number: str) -> None:
    """A number is no formula."""
    assert armed(number) == number


def test_every_row_and_every_printed_page_carries_the_mark() -> None:
    """The last column has the mark in every row; a printed sheet has it at head and foot; JSON names it."""
    marked = table("a", "b", mark=Handling(tlp="RED", code="H3", code_text="R&D only", classification=2))
    mark = "TLP:RED, H3, R&D only, level 2"
    lines = list(csv.reader(io.StringIO(written(writing.as_csv, marked).decode("utf-8-sig"))))
    assert [line[-1] for line in lines] == [MARK_COLUMN, mark, mark]
    footer = sheet(written(writing.as_xlsx, marked)).find(f"{SHEET}headerFooter")
    assert footer is not None
    texts = [each.text or "" for each in footer]
    assert len(texts) == 2
    assert all(text.startswith("&CTLP:RED, H3, R&&D only") for text in texts)
    assert json.loads(written(writing.as_json, marked))["handling"] == mark


def test_numbers_are_numbers_where_no_digit_is_lost() -> None:
    """A spreadsheet gets a number of fifteen digits as a number, a longer one as a text."""
    rows: list[tuple[Cell, ...]] = [(amount(12_500_000),), (Amount(Fraction(12345678901234567, 10)),), (7,)]
    data = written(writing.as_xlsx, Table("test", "Test", ("n",), rows, MARK))
    cells = [each for each in sheet(data).iter(f"{SHEET}c") if each.get("r", "").startswith("A")][1:]
    assert [each.get("t") for each in cells] == [None, "inlineStr", None]
    assert "1234567890123456.7" in strings(data)


def test_the_strictest_mark_of_all_parts_is_taken() -> None:
    """A file of several messages has the strictest of their marks, that of an annex only where the annex is in it."""
    content = drafts.read(DRAFT, now=NOW).content
    annex = pb.NominalAnnex(telephones=[pb.Telephone(number="+77270000000")])
    green, amber = Handling(tlp="GREEN", code="H0"), Handling(tlp="AMBER", code="H1", classification=2)
    mild = record("seizure-notice", content, mark=green)
    strict = record("seizure-notice", content, mark=amber)
    assert wording.handling(mark_of([mild, strict])) == "TLP:AMBER, H1, level 2"
    with_annex = record("seizure-notice", content, mark=green, annex=annex)
    assert mark_of([with_annex]).tlp == "RED"
    assert made(unodc.SHEET, [mild, strict]).mark.tlp == "AMBER"


@given(messages(kinds.get("seizure-notice", 1).shape))
def test_customs_get_no_free_text(notice: seizure_notice_pb2.SeizureNotice) -> None:
    """Not one text that somebody wrote stands in the short form: only codes in words, numbers and dates."""
    secret = "ВЫМЫШЛЕННЫЙ-СЕКРЕТ"
    named = seizure_notice_pb2.SeizureNotice()
    named.CopyFrom(notice)
    _write_everywhere(named, secret)
    found = made(customs.SHEET, [record("seizure-notice", named)])
    assert secret not in json.dumps([[str(cell) for cell in row] for row in found.rows], ensure_ascii=False)
    assert len(list(found.rows)) == len(notice.substances)


def _write_everywhere(message: object, secret: str) -> None:
    """Put a text into every free-text field that is set, at any depth."""
    shape = kinds.get("seizure-notice", 1).shape
    todo = [(shape, message)]
    while todo:
        around, each = todo.pop()
        for descriptor, value in each.ListFields():  # type: ignore[attr-defined]
            field = around.by_name[descriptor.name]
            if field.shape is not None:
                todo += [(field.shape, below) for below in (value if field.most else [value])]
            elif field.value_type.value in {"text", "lines"} and field.check is None:
                if field.most:
                    value[:] = [secret] * len(value)
                else:
                    setattr(each, descriptor.name, secret)


def test_a_precursor_incident_is_one_row_a_chemical() -> None:
    """The form names what an incident report asks for, in the reader's language."""
    content = drafts.read(draft("precursor-incident"), now=NOW).content
    found = made(precursors.SHEET, [record("precursor-incident", content)])
    (row,) = found.rows
    by_column = dict(zip(found.columns, map(str, row), strict=True))
    assert by_column["Incident"] == "UZB-P-14"
    assert by_column["Type of incident"] == "Stopped shipment"
    assert (by_column["CAS number"], by_column["HS code"]) == ("108-24-7", "291524")
    assert (by_column["Quantity"], by_column["Unit"]) == ("1200", "litre")
    assert by_column["Packages"] == "6 Drum"
    assert by_column["Companies"] == "ООО «Вымысел» (Ultimate consignee, TJK, 000000)"
    assert by_column["Meant for the making of"] == "Heroin"
    assert by_column["To be traced back"] == "yes"


def test_numbers_come_from_the_reference_data_and_origin_is_not_departure() -> None:
    """Where the id of a substance is given its numbers stand in both forms; each role of the route has its column.

    Nobody compared the HS code with its source, and its cell says so.
    """
    chemical = substance("acetic-anhydride", "Acetic anhydride", "Уксусный ангидрид", cas=["108-24-7"], hs=["2915.24"])
    heroin = substance("heroin", "Heroin", "Героин", cas=["561-27-3", "1502-95-0"])
    known = reference.read(
        encoded({"reference-substances.json": {"format": 1, "substances": [chemical, heroin], "international": []}})
    )
    incident = PrecursorIncident()
    incident.chemicals.add(substance_id="acetic-anhydride")
    notice = seizure_notice_pb2.SeizureNotice()
    notice.substances.add(substance_id="heroin")
    for content in (incident, notice):
        for role, country in (("production", "IND"), ("departure", "AFG"), ("transit", "TJK"), ("destination", "KAZ")):
            content.route.add(role=role, country=country)
    wanted = {"Origin": "India", "Departure": "Afghanistan", "Transit": "Tajikistan", "Destination": "Kazakhstan"}
    for found, numbers in (
        (
            made(precursors.SHEET, [record("precursor-incident", incident, reference=known)]),
            ("108-24-7", "291524 (not verified)"),
        ),
        (made(customs.SHEET, [record("seizure-notice", notice, reference=known)]), ("561-27-3, 1502-95-0", "")),
    ):
        by_column = dict(zip(found.columns, map(str, next(iter(found.rows))), strict=True))
        assert {column: by_column[column] for column in wanted} == wanted
        assert (by_column["CAS number"], by_column["HS code"]) == numbers


def rows(_record: object) -> list[tuple[str, str]]:
    """Stand for the description of a header."""
    return [("Kind", "<b>test</b>")]


def test_pages_load_nothing_and_take_nothing_for_markup() -> None:
    """A page has no script and no address to load, and what people wrote stays text, in its direction."""
    content = kinds.get("free-message", 1).content(subject='<script>alert("x")</script>', text="a\u202eb\n& <i>c</i>")
    page = printed([record("free-message", content)], rows)
    assert "<script" not in page
    assert "<i>" not in page
    assert "\u202e" not in page
    assert "&lt;script&gt;" in page
    assert not re.findall(r"(?:src|href|url\()", page.split("</head>")[1])
    assert "default-src 'none'" in page
    ET.fromstring(f"<body>{page.split('<body>')[1].split('</body>')[0]}</body>")  # noqa: S314 - written here


def test_pages_repeat_the_mark_and_show_the_annex_only_where_it_was_opened() -> None:
    """Each message is a table whose head and foot repeat on every page; an annex raises the mark of the whole file."""
    content = drafts.read(DRAFT, now=NOW).content
    annex = pb.NominalAnnex(telephones=[pb.Telephone(number="+77270000000")])
    plain = printed([record("seizure-notice", content)], rows)
    for part in ("thead", "tfoot"):
        assert f'<{part}><tr><td colspan="2" class="mark">TLP:AMBER, H2, level 1</td></tr></{part}>' in plain
    assert "+77270000000" not in plain
    with_annex = printed([record("seizure-notice", content, annex=annex), record("seizure-notice", content)], rows)
    assert with_annex.count("<table>") == 2
    assert with_annex.count('class="mark">TLP:RED') == with_annex.count('class="mark">') == 4
    assert "+77270000000" in with_annex


def test_a_page_is_in_the_language_in_use() -> None:
    """Labels, codes and titles follow the language."""
    content = drafts.read(DRAFT, now=NOW).content
    language.use("ru")
    try:
        page = printed([record("seizure-notice", content)], rows)
    finally:
        language.use("en")
    assert '<html lang="ru">' in page
    assert "Сообщение об изъятии" in page
    assert "Опиоиды" in page


def test_a_missing_package_is_named_before_anything_is_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    """A spreadsheet without the extra `data` is refused with the package to install; CSV and JSON need none."""
    assert forms.misfit("unodc", "xlsx", "", annex=False) is None
    monkeypatch.setattr(forms, "find_spec", lambda _name: None)
    refused = forms.misfit("unodc", "xlsx", "", annex=False)
    assert refused is not None
    assert "pip install 'paiza[data]'" in refused[1]
    assert forms.misfit("unodc", "csv", "", annex=False) is None
    assert forms.misfit("unodc", "json", "", annex=False) is None


def test_a_file_of_exercises_says_so_in_every_row_and_at_its_head() -> None:
    """In a column of CSV and XLSX, in the title of JSON, and on every printed page."""
    drill = replace(table("one", "two"), exercise=True)
    head, *lines = csv.reader(io.StringIO(written(writing.as_csv, drill).decode("utf-8-sig")))
    assert head[1:] == [EXERCISE_COLUMN, MARK_COLUMN]
    assert [line[1] for line in lines] == ["EXERCISE", "EXERCISE"]
    whole = json.loads(written(writing.as_json, drill))
    assert (whole["title"], whole["exercise"]) == ("EXERCISE: Test", True)
    assert strings(written(writing.as_xlsx, drill)).count("EXERCISE") == 2
    notice = record("free-message", FreeMessage(subject="Lorry"))
    notice.header.exercise = True
    page = printed([notice, record("free-message", FreeMessage(subject="Lorry"))], rows)
    assert page.count("EXERCISE · ") == 2  # head and foot of the one
    assert page.count("EXERCISE: ") >= 1
