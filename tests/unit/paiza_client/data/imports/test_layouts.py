"""The encoding and the separator of a table: a wrong one in the map is named, a right one never doubted."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paiza_client.data.imports import layouts
from paiza_client.data.imports.maps import ImportMap, parse_map
from paiza_client.data.imports.rows import RowReader
from paiza_officer.errors import Refused

RUSSIAN = """\
№;Дата;Область;Вещество;Вес;Ед.;Орган
1;31.05.2019;Вымышленская область;Героин;12,5;г;Управление «Пример»
2;01.06.2019;Вымышленская область;Гашиш;1,5;кг;Управление «Пример»
"""
ENGLISH = """\
No,Date,Region,Drug,Amount,Unit,Agency
1,2019-05-31,Вымышленская область,Heroin,12.5,g,Управление
2,2019-06-01,Карагандинская область,Heroin,2.5,g,Управление
3,2019-06-02,Almaty,Heroin,2.5,g,Example
"""
FRENCH = "No;Région;Drogue\n1;Rhône-Alpes;héroïne\n2;Franche-Comté;cocaïne\n3;Provence;résine\n"
MAP = """
source = "A test"
[file]
encoding = "{encoding}"
separator = "{separator}"
[dates]
formats = ["DD.MM.YYYY", "YYYY-MM-DD"]
[columns]
date = "{date}"
drug = "{drug}"
quantity = "{quantity}"
unit = "{unit}"
agency = "{agency}"
[constants]
member = "x"
[tables.member]
"x" = {{ member = "kaz", country = "KAZ" }}
[tables.drug]
[tables.unit]
"""
WORDS = {
    RUSSIAN: {"date": "Дата", "drug": "Вещество", "quantity": "Вес", "unit": "Ед.", "agency": "Орган"},
    ENGLISH: {"date": "Date", "drug": "Drug", "quantity": "Amount", "unit": "Unit", "agency": "Agency"},
}
ENCODINGS = ("utf-8", "utf-16", "utf-16-le", "utf-16-be", "cp1251", "cp866", "koi8-r")


def layout(text: str, encoding: str, separator: str) -> ImportMap:
    """Make a map for one of the tables."""
    mark = "\\t" if separator == "\t" else separator
    return parse_map(MAP.format(encoding=encoding, separator=mark, **WORDS[text]).encode(), "m.toml")


def table(text: str, separator: str) -> str:
    """Return a table with another separator."""
    return "\n".join(separator.join(line.split(";" if text is RUSSIAN else ",")) for line in text.split("\n"))


@pytest.mark.parametrize("text", [RUSSIAN, ENGLISH])
@pytest.mark.parametrize("written", ENCODINGS)
@pytest.mark.parametrize("stated", ENCODINGS)
@pytest.mark.parametrize("separators", [(";", ";"), ("\t", ",")])
def test_a_wrong_encoding_or_separator_is_named(
    text: str, written: str, stated: str, separators: tuple[str, str]
) -> None:
    """Both are named at once, with what the table has; a right one is not questioned."""
    there, said = separators
    data = table(text, there).replace("«", "<").replace("»", ">").replace("№", "No").encode(written)
    places = set()
    try:
        RowReader(io.BytesIO(data), layout(text, stated, said))
    except Refused as refused:
        places = {each.where.removeprefix("m.toml: ") for each in refused.problems}
    right = written == stated or (written, stated) == ("utf-16", "utf-16-le")
    expected = (set() if right else {"file.encoding"}) | (set() if there == said else {"file.separator"})
    assert places == expected


@pytest.mark.parametrize(
    ("text", "encoding", "found"),
    [
        (RUSSIAN, "utf-8-sig", "utf-8"),
        (FRENCH, "cp1252", "cp1252"),
        (FRENCH, "utf-8", "utf-8"),
        ("plain;ascii\n1;2\n", "ascii", ""),
    ],
)
def test_encodings_are_told_from_the_words(text: str, encoding: str, found: str) -> None:
    """Accents in Latin words are no Russian letters, and plain ASCII tells nothing."""
    assert layouts.encoding_of(text.encode(encoding)) == found


def test_one_damaged_row_does_not_make_another_encoding() -> None:
    """Bytes that are no UTF-8 in one of three lines are that row's fault, and the table is read."""
    data = ENGLISH.encode().replace(b"Almaty", "Алматы".encode("cp1251"))
    rows = list(RowReader(io.BytesIO(data), layout(ENGLISH, "utf-8", ",")))
    assert [each.problem for each in rows] == ["", "", "bad_bytes"]


@given(st.binary(max_size=300))
def test_any_bytes_have_an_encoding_or_none(data: bytes) -> None:
    """Arbitrary bytes raise nothing."""
    found = layouts.encoding_of(data)
    layouts.separator_of(layouts.first_lines(data, found or "utf-8"), '"')
    layouts.wrong_encoding(data, "utf-8")
