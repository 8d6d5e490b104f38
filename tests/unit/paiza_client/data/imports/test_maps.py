"""Maps: the shipped one, and every way in which one can be wrong."""

import re
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paiza_client.data.imports.ids_reasons import REASONS_OF_IDS
from paiza_client.data.imports.maps import load_map, parse_map
from paiza_officer.errors import Refused

GOOD = """
source = "A test"
[dates]
formats = ["YYYY-MM-DD"]
[columns]
member = "State"
date = "Date"
drug = "Drug"
quantity = "Amount"
unit = "Unit"
[constants]
agency = "Example agency"
[tables.member]
"Kazakhstan" = { member = "kaz", country = "KAZ" }
[tables.drug]
"Heroin" = { group = "opioids", type = "heroin" }
[tables.unit]
"kg" = { unit = "kg" }
"""


def problems(text: str) -> list[str]:
    """Return the places that a map is refused for."""
    with pytest.raises(Refused) as caught:
        parse_map(text.encode(), "test.toml")
    assert caught.value.reason == "bad_map"
    assert all(each.what for each in caught.value.problems)
    return [re.sub(r":\d+:", ":", each.where) for each in caught.value.problems]


def test_the_shortest_map_is_accepted() -> None:
    """A map with its six needed fields is enough; the rest has defaults."""
    layout = parse_map(GOOD.encode(), "test.toml")
    assert (layout.separator, layout.quote, layout.encoding, layout.decimal) == (",", '"', "utf-8", ".")
    assert layout.identity == ("Amount", "Date", "Drug", "State", "Unit")


@pytest.mark.parametrize(
    ("old", "new", "where"),
    [
        ('source = "A test"', "", "source"),
        ("[dates]", "[datez]", "datez"),
        ('formats = ["YYYY-MM-DD"]', "", "dates.formats"),
        ('formats = ["YYYY-MM-DD"]', 'formats = ["YY-MM-DD"]', "dates.formats[0]"),
        ('formats = ["YYYY-MM-DD"]', 'formats = "YYYY-MM-DD"', "dates.formats"),
        ('date = "Date"', 'day = "Date"', "columns.day"),
        ('date = "Date"', "", "columns.date"),
        ('date = "Date"', 'date = " Date"', "columns.date"),
        ('date = "Date"', "date = 5", "columns.date"),
        ('date = "Date"', 'date = "Drug"', "columns"),
        ('date = "Date"', 'date = "Date"\nagency = "Agency"', "constants.agency"),
        ('date = "Date"', 'date = "Date"\ntransport = "By"', "tables.transport"),
        ("[dates]", '[identity]\ncolumns = ["State", "Date", "Drug", "Amount"]\n[dates]', "identity.columns"),
        ("[dates]", '[file]\nencoding = "rot13"\n[dates]', "file.encoding"),
        ("[dates]", '[file]\nseparator = ";;"\n[dates]', "file.separator"),
        ("[dates]", "[file]\nseparator = '\"'\n[dates]", "file.quote"),
        ("[dates]", '[numbers]\ndecimal = "·"\n[dates]', "numbers.decimal"),
        ("[dates]", '[numbers]\nthousands = "."\n[dates]', "numbers.thousands"),
        ('type = "heroin"', 'type = "opiumm"', 'tables.drug."Heroin"'),
        ('type = "heroin"', 'type = "cannabis-herb"', 'tables.drug."Heroin"'),
        ('type = "heroin"', 'typ = "heroin"', 'tables.drug."Heroin"'),
        ('type = "heroin"', 'unmapped = "why"', 'tables.drug."Heroin"'),
        ('type = "heroin"', "type = 5", "tables.drug"),
        ('{ unit = "kg" }', '{ unit = "pood" }', 'tables.unit."kg"'),
        ('{ unit = "kg" }', '{ factor = "2" }', 'tables.unit."kg"'),
        ('{ unit = "kg" }', '{ unit = "kg", factor = "0.45" }', 'tables.unit."kg"'),
        ('{ unit = "kg" }', '{ unit = "kg", factor = "1/0" }', 'tables.unit."kg"'),
        ('"kg" = {', '" kg" = {', 'tables.unit." kg"'),
        ('"kg" = { unit = "kg" }', '"kg" = "kg"', "tables.unit"),
        ('member = "kaz"', 'member = "KAZ"', 'tables.member."Kazakhstan"'),
        (', country = "KAZ"', "", 'tables.member."Kazakhstan"'),
        ("[tables.unit]", "[tables.units]", "tables.units"),
    ],
)
def test_a_wrong_map_is_refused_at_its_key(old: str, new: str, where: str) -> None:
    """Each fault is reported with the file and the key it is at."""
    assert old in GOOD
    assert f"test.toml: {where}" in problems(GOOD.replace(old, new))


def test_all_faults_are_said_at_once() -> None:
    """Faults of any kind are named together, each on its line; what is missing has none."""
    text = GOOD.replace('"heroin"', '"x"').replace('{ unit = "kg" }', '{ unit = "y" }').replace('"Drug"', "5")
    text = text.replace("[dates]", "[datez]")
    with pytest.raises(Refused) as caught:
        parse_map(text.encode(), "m")
    lines = text.splitlines()
    where = {each.where for each in caught.value.problems}
    assert where == {
        f"m:{lines.index('[datez]') + 1}: datez",
        "m: dates.formats",
        f"m:{lines.index('drug = 5') + 1}: columns.drug",
        f'm:{next(n for n, line in enumerate(lines, 1) if "Heroin" in line)}: tables.drug."Heroin"',
        f'm:{len(lines)}: tables.unit."kg"',
    }


def test_what_is_no_toml_or_no_file_is_refused(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Broken syntax and a missing file are refused with a reason of their own."""
    assert problems("this is = = not toml") == ["test.toml"]
    assert problems("source = " + "1" * 5000) == ["test.toml"]
    with pytest.raises(Refused) as caught:
        load_map(str(tmp_path_factory.mktemp("maps") / "absent.toml"))
    assert caught.value.reason == "file_unreadable"


@given(st.one_of(st.binary(max_size=200), st.text(max_size=200).map(str.encode)))
def test_any_bytes_are_a_map_or_refused(data: bytes) -> None:
    """Arbitrary bytes raise only the client's own refusal."""
    with pytest.raises(Refused):
        parse_map(data, "fuzz.toml")


@given(st.sampled_from(GOOD.splitlines()), st.sampled_from(["[]", "{}", "5", "[[]]", '"x"', "{x={}}", "[[1]]"]))
def test_any_type_in_any_place_is_a_map_or_refused(line: str, value: str) -> None:
    """A value of the wrong type anywhere is refused, never an exception of another kind."""
    head = line.partition("=")[0]
    changed = GOOD.replace(line, f"{head}= {value}") if "=" in line else GOOD.replace(line, f"{line}\nx = {value}")
    with suppress(Refused):
        parse_map(changed.encode(), "fuzz.toml")


def test_the_shipped_map_is_good() -> None:
    """The map `ids` passes its own checks and knows rows by all sixteen columns of the file."""
    layout = load_map("ids")
    assert len(layout.identity) == 16
    assert len(layout.tables["drug"]) == 162


def test_every_reason_of_the_shipped_map_can_be_translated() -> None:
    """The map's texts for words without a code are the only marked texts."""
    entries = [entry for table in load_map("ids").tables.values() for entry in table.values()]
    assert {entry.unmapped or entry.nothing for entry in entries} - {""} == set(REASONS_OF_IDS)
