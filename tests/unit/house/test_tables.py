"""The owner of each table, and the tables that the statements of each package read."""

import ast
import re
from pathlib import Path
from typing import Any, Final

import pytest

from paiza_node.ops.tables import LIFECYCLES, METADATA, STORES
from paiza_node.ops.verify.noted_checks import Noted

NODE: Final = Path(__file__).parents[3] / "node" / "paiza_node"

CORE: Final = ("storage", "log", "messages", "access", "peers", "exchange")
"""The packages of `core` that own tables, each above those before it."""

SIDEWAYS: Final = {
    "recovery": {"attachments", "retention"},
    "retention": {"attachments"},
}
"""Features whose statements and rows a feature may use, of those that stand below it."""


def test_no_database_looks_up_references() -> None:
    """No table has foreign keys, which PostgreSQL would look up and lock for every row; `verify` compares them."""
    assert not [table.name for table in METADATA.tables.values() if table.foreign_keys]


def owner(path: Path) -> str:
    """Return the package that a module belongs to: of `core` and `features` by the folder below."""
    parts = path.relative_to(NODE).parts
    return "/".join(parts[:2])


def stores() -> list[Path]:
    """Find every module of `core` and `features` that imports SQLAlchemy."""
    modules = [path for tier in ("core", "features") for path in sorted((NODE / tier).rglob("*.py"))]
    written = [path for path in modules if "migrations" not in path.parts]
    return [path for path in written if "sqlalchemy" in path.read_text(encoding="utf-8")]


def defined(path: Path) -> list[str]:
    """Return the names of the tables that a module declares."""
    calls = [node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Call)]
    tables = [call for call in calls if isinstance(call.func, ast.Name) and call.func.id == "Table"]
    return [ast.literal_eval(call.args[0]) for call in tables]


def owners() -> dict[str, str]:
    """Return the owner of every table."""
    return {table: owner(path) for path in stores() for table in defined(path)}


def read(path: Path, tables: dict[str, str]) -> set[str]:
    """Return the owners of the tables that a module names, by variable or by text."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Name | ast.Attribute):
            name = node.id if isinstance(node, ast.Name) else node.attr
            if name.endswith("_table") and (table := name.removesuffix("_table")) in tables:
                found.add(tables[table])
        elif isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
            found.update(tables[text] for text in [node.slice.value] if text in tables)
    return found


def is_below(reader: str, owned_by: str) -> bool:
    """Return whether the statements of one package may name the tables of another."""
    (tier, name), (other_tier, other) = reader.split("/"), owned_by.split("/")
    if other_tier == "features":
        return tier == "features" and other in SIDEWAYS.get(name, set())
    return tier == "features" or CORE.index(other) < CORE.index(name)


@pytest.mark.parametrize("path", stores(), ids=lambda path: str(path.relative_to(NODE)))
def test_statements_name_own_tables_and_those_of_packages_below(path: Path) -> None:
    """A join goes downwards only: to tables of the own package, or of one below it."""
    tables = owners()
    wrong = {other for other in read(path, tables) if other != owner(path) and not is_below(owner(path), other)}
    assert not wrong


def test_a_table_named_upwards_is_found(tmp_path: Path) -> None:
    """The check is not blind: by import, by attribute and by text a table's owner is found."""
    module = tmp_path / "store.py"
    module.write_text("select(task_table)\nstore.hold_table.c\nMETADATA.tables['delivery']\n", encoding="utf-8")
    tables = owners()
    assert read(module, tables) == {"features/tasks", "features/retention", "core/exchange"}
    assert not is_below("core/messages", "core/exchange")
    assert not is_below("features/tasks", "features/search")


def test_every_table_is_listed_for_work_on_the_whole_database() -> None:
    """A copy of the database, and retention, see every table that any package declares."""
    assert set(owners()) == set(METADATA.tables)
    files = {Path(str(store.__file__)) for store in STORES}
    assert {path for path in stores() if defined(path)} == files


def test_every_table_has_one_lifecycle() -> None:
    """Every table is covered by erasure and by the retention of the log."""
    assert sorted(each.table.name for each in LIFECYCLES) == sorted(METADATA.tables)


def test_verify_knows_every_setting() -> None:
    """What a package notes in the table of settings is compared by `paiza-node verify`, which calls others damage."""
    constant = re.compile(r'^(?:SETTING|SETTING_\w+|\w+_SETTING): Final = "([^"]+)"', re.MULTILINE)
    named = {name for path in NODE.rglob("*.py") for name in constant.findall(path.read_text(encoding="utf-8"))}
    nothing: Any = None
    assert "index_again" in named
    assert named == set(Noted(nothing, None)._checks())
