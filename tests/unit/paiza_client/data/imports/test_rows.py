"""Reading a file as rows: bounded, and without losing a row."""

import io
import random
from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typing_extensions import override

from paiza_client.data.imports.mapping import REASONS
from paiza_client.data.imports.maps import ImportMap, parse_map
from paiza_client.data.imports.rows import (
    EXERCISE_COLUMN,
    MAX_LINE,
    RowReader,
    SourceRow,
    armed,
    disarmed,
    read_rows,
    row_digest,
)
from paiza_officer.errors import Refused

MAP = """
source = "A test"
[file]
encoding = "{encoding}"
[dates]
formats = ["YYYY-MM-DD"]
[columns]
date = "a"
drug = "b"
place = "c"
[constants]
agency = "Example"
member = "Kazakhstan"
quantity = "1"
unit = "g"
[tables.member]
Kazakhstan = {{ member = "kaz", country = "KAZ" }}
[tables.drug]
[tables.unit]
g = {{ unit = "g" }}
"""


def layout(encoding: str = "utf-8") -> ImportMap:
    """Return a map of the three columns a, b, c."""
    return parse_map(MAP.format(encoding=encoding).encode(), "test.toml")


def rows(text: str | bytes, encoding: str = "utf-8") -> list[SourceRow]:
    """Read a text by that map."""
    data = text.encode(encoding) if isinstance(text, str) else text
    return list(read_rows(io.BytesIO(data), layout(encoding)))


def test_rows_are_numbered_with_the_header_as_one() -> None:
    """The first row after the header is row 2, quotation marks and line ends inside cells included."""
    found = rows('a,b,c\r\n1,"x, y","two\nlines"\r\n2,"say ""so""",\r\n')
    assert [(each.number, each.cells, each.problem) for each in found] == [
        (2, ("1", "x, y", "two\nlines"), ""),
        (3, ("2", 'say "so"', ""), ""),
    ]
    assert found[0].values == {"a": "1", "b": "x, y", "c": "two\nlines"}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1251", "koi8-r", "cp866"])
def test_encodings_and_byte_order_marks(encoding: str) -> None:
    """Cyrillic is read in every declared encoding, with or without a byte-order mark."""
    data = "a,b,c\n1,Героин,село\n".encode(encoding)
    declared = encoding.removesuffix("-sig")
    assert [each.values["b"] for each in rows(data, declared)] == ["Героин"]


def test_a_mark_before_utf_16_without_one_is_left_out() -> None:
    """A byte-order mark that the declared UTF-16 would read as text does not end up in the first column's name."""
    assert rows("\ufeffa,b,c\n1,2,3\n".encode("utf-16-be"), "utf-16-be")[0].values["a"] == "1"


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        ("a,b,c\n1,2\n1,2,3\n", ["ragged", ""]),
        ("a,b,c\n1,2,3,4\n1,2,3\n", ["ragged", ""]),
        ('a,b,c\n1,"open,3\n1,2,3\n4,5,6\n', ["quote_open", "", ""]),
        ('a,b,c\n1,"open,3\n1,2,3\n4,"open,6\n7,8,9\n', ["quote_open", "", "quote_open", ""]),
        ('a,b,c\n1,"x"y,3\n1,2,3\n', ["quote_open", ""]),
        ('a,b,c\n1,5" pipe,3\n1,2,3\n', ["", ""]),
        ("a,b,c\n1,2," + "x" * MAX_LINE + "\n1,2,3\n", ["line_too_long", ""]),
        ('a,b,c\n1,2,"' + "x\n" * 60 + "1,2,3\n", ["quote_open", *["ragged"] * 59, ""]),
        ("a,b,c\n1,\x002\x00,3\n", [""]),
        ("a,b,c\n\n\n1,2,3\n", [""]),
        ("a,b,c\n1,2,3", [""]),
        ("a,b,c\n,,\n", [""]),
        ("a,b,c", []),
    ],
)
def test_a_damaged_row_costs_one_row(text: str, problems: list[str]) -> None:
    """Too few cells, open marks, endless lines: the damaged row is named, those after it are read."""
    found = rows(text)
    assert [each.problem for each in found] == problems
    assert {each.problem for each in found} - {""} <= set(REASONS)


def test_bytes_that_are_no_characters_are_named_by_row() -> None:
    """A row with bytes foreign to the encoding is refused; its neighbours are read."""
    assert [each.problem for each in rows(b"a,b,c\n1,\xff\xfe,3\n1,2,3\n")] == ["bad_bytes", ""]
    assert [each.problem for each in rows(b"a,b,c\n1,\x98,3\n", "cp1251")] == ["bad_bytes"]
    broken = "a,b,c\n1,".encode("utf-16-le") + b"\x00\xd8" + ",3\n1,2,3\n".encode("utf-16-le")
    assert [each.problem for each in rows(broken, "utf-16-le")] == ["bad_bytes", ""]


class Endless(io.RawIOBase):
    """A header and then one line of a hundred million characters, made while it is read."""

    def __init__(self) -> None:
        self.parts = iter([b"a,b,c\n", *([b"x" * 50_000] * 2_000), b"\n1,2,3\n"])

    @override
    def read(self, _size: int = -1) -> bytes:
        """Return the next part."""
        return next(self.parts, b"")


def test_a_line_of_a_hundred_megabytes_is_bounded() -> None:
    """The endless line comes out as one refused row of bounded size, and the row after it is read."""
    found = list(read_rows(Endless(), layout()))  # type: ignore[arg-type]
    assert [(each.number, each.problem) for each in found] == [(2, "line_too_long"), (3, "")]
    assert len(found[0].cells[0]) == MAX_LINE


@pytest.mark.parametrize(
    "text",
    ["", "\n", "a,b\n1,2\n", "a,b,c,a\n", "a;b;c\n1;2;3\n", "\x00\xff", 'a,b,"c\n', "x" * 100_000],
)
def test_a_file_that_does_not_fit_the_map_is_refused(text: str) -> None:
    """No row is read unless the first line has each of the map's columns once."""
    with pytest.raises(Refused) as caught:
        rows(text)
    assert caught.value.reason == "bad_map"
    assert caught.value.problems


def test_other_columns_are_kept_but_not_needed() -> None:
    """A column that the map does not name is no reason to refuse the file."""
    assert rows("z,a,b,c\n9,1,2,3\n")[0].cells == ("9", "1", "2", "3")


def test_the_columns_of_a_rejects_file_are_left_out() -> None:
    """Row number and reason that a rejects file puts in front do not come back as cells."""
    found = rows("paiza_row,paiza_reason,a,b,c\n7,why,1,'=2,3\n8,why,1,2\n")
    assert [(each.cells, each.problem) for each in found] == [(("1", "=2", "3"), ""), (("1", "2"), "ragged")]


def test_the_digest_knows_a_row_by_its_cleaned_cells() -> None:
    """Order of columns, encoding, foreign columns and stray blanks do not matter; any other difference does."""
    one = row_digest({"a": "1", "b": " Heroin  x", "c": ""}, layout())
    assert len(one) == 32
    assert one == row_digest({"c": "", "b": "Heroin x ", "a": "1", "z": "9"}, layout("cp1251"))
    assert one != row_digest({"a": "1", "b": "Heroin x", "c": "0"}, layout())
    assert row_digest({"a": "1", "b": "2", "c": ""}, layout()) != row_digest({"a": "1", "b": "", "c": "2"}, layout())


def test_the_digest_has_its_documented_bytes() -> None:
    """The digest is the one that the documented layout gives, so that another program can compute it."""
    parts = b"".join(
        len(each).to_bytes(4, "big") + each for text in ("a", "1", "b", "Героин", "c", "") for each in [text.encode()]
    )
    assert row_digest({"a": "1", "b": "Героин", "c": ""}, layout()) == sha256(b"paiza import row v1\n" + parts).digest()


@given(st.text(alphabet="'=+-@\t\r1a,.", max_size=8))
def test_arming_a_cell_is_undone_by_reading(cell: str) -> None:
    """An apostrophe put before a formula is taken away again, and no armed cell but a number begins as a formula."""
    assert disarmed(armed(cell)) == cell
    assert not armed(cell) or armed(cell)[0] not in "=@\t\r"


@settings(max_examples=200)
@given(st.binary(max_size=400), st.sampled_from(["utf-8", "utf-16", "cp1251", "utf-16-le"]))
def test_any_bytes_give_rows_or_a_refusal(data: bytes, encoding: str) -> None:
    """Any rows after the header are numbered in order, and only known problems come out."""
    head = "a,b,c\n".encode("utf-16-le" if encoding == "utf-16" else encoding)
    head = b"\xff\xfe" + head if encoding == "utf-16" else head
    try:
        found = list(read_rows(io.BytesIO(head + data), layout(encoding)))
    except Refused as refused:
        found = []
        places = [each.where.rpartition(" ")[2] for each in refused.problems]
    else:
        places = []
    assert places in ([], ["file.encoding"])
    assert [each.number for each in found] == list(range(2, 2 + len(found)))
    assert all(each.problem in REASONS or len(each.cells) == 3 for each in found)


def test_every_line_stands_in_some_row() -> None:
    """With stray quotation marks anywhere, each marked line is found again in the cells of exactly one row."""
    chance = random.Random(7)
    for _ in range(200):
        lines = [f"{''.join(chance.choice(',x' + chr(34)) for _ in range(8))}m{n}m" for n in range(12)]
        reader = RowReader(io.BytesIO(("a,b,c\n" + "\n".join(lines) + "\n").encode()), layout())
        held = ["\n".join(each.cells) for each in reader]
        assert all(sum(f"m{n}m" in each for each in held) == 1 for n in range(12))


def test_a_file_of_exercises_is_not_imported() -> None:
    """An export of exercises says so in a column; its rows would become real messages."""
    with pytest.raises(Refused, match="exercises"):
        rows(f"a,b,c,{EXERCISE_COLUMN}\n2026-01-01,heroin,Kazakhstan,EXERCISE\n")
