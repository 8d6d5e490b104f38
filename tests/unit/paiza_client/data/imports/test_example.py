"""The worked example of the documentation, and the same table in other encodings."""

import io
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from paiza_client.data.imports.map_checks import FIELDS, TABLES
from paiza_client.data.imports.maps import parse_map
from paiza_client.data.imports.plan import Outcome, Planned, plan_import
from paiza_client.data.imports.rows import RowReader

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def example(root: Path, encoding: str, written: str) -> list[Planned]:
    """Import the table of the README by the map of the README, in another encoding."""
    text = (root / "client/paiza_client/data/imports/README.md").read_text(encoding="utf-8")
    (csv,) = re.findall(r"```csv\n(.*?)```", text, re.DOTALL)
    (toml,) = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    assert 'encoding = "cp1251"' in toml
    layout = parse_map(toml.replace("cp1251", encoding).encode(), "example.toml")
    if encoding != "cp1251":
        csv = csv.replace("\n", "\r\n")
    data = csv.encode(written)
    reader = RowReader(io.BytesIO(data), layout)
    return list(plan_import(reader, layout, {"kaz"}, {"kaz", "tjk"}, lambda _: set(), now=NOW))


@pytest.mark.parametrize(("encoding", "written"), [("cp1251", "cp1251"), ("utf-8", "utf-8-sig"), ("utf-16", "utf-16")])
def test_the_worked_example_comes_out_as_documented(root: Path, encoding: str, written: str) -> None:
    """Semicolons, decimal comma, day first, pounds, Windows-1251 or a byte-order mark: the outcome is as documented."""
    found = example(root, encoding, written)
    assert [(each.row.number, each.outcome) for each in found] == [
        (2, Outcome.ACCEPTED),
        (3, Outcome.REPAIRED),
        (4, Outcome.ACCEPTED),
        (5, Outcome.REJECTED),
        (6, Outcome.REPEATED),
    ]
    first, pounds, unnamed = (each.notice for each in found[:3])
    assert first is not None
    assert pounds is not None
    assert unnamed is not None
    assert first.substances[0].quantity.millionths == 1_234_500_000
    assert first.route[0].country == "AFG"
    assert [column for column, _text, _why in found[0].unmapped] == ["Тайник"]
    assert pounds.substances[0].quantity.millionths == 1_133_980_925
    assert pounds.substances[0].quantity.original == "2,5 фунт"
    assert pounds.substances[0].kg_equivalent.kilograms.millionths == 1_133_981
    assert pounds.place.as_reported == "с. Образцовое; у моста"
    assert found[1].repairs == {"converted": "Вес"}
    assert unnamed.substances[0].drug_group == "unknown"
    assert unnamed.route_unknown
    assert [each.reason for each in found[3].rejections] == ["date_impossible"]


def test_the_documentation_names_every_field_and_every_table(root: Path) -> None:
    """Each table and field of the format stands in the documentation."""
    text = (root / "client/paiza_client/data/imports/README.md").read_text(encoding="utf-8")
    assert all(f"`{each}`" in text for each in (*FIELDS, *TABLES))
