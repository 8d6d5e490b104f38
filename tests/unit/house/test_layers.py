"""The layers of the packages, and that their check bites."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

SOURCE_ROOTS = {
    "proto": {"paiza", "paiza_wire", "paiza_register", "paiza_domain"},
    "node": {"paiza_node"},
    "client": {"paiza_client"},
    "certs": {"paiza_trust"},
}
SAYS_NOTHING = {"utils", "util", "helpers", "helper", "common", "manager", "misc"}
VIOLATIONS = {
    "a client that imports the node": ("client/paiza_client/stray.py", "import paiza_node", "programs"),
    "bytes that import meaning": ("proto/paiza_wire/stray.py", "import paiza_domain", "programs"),
    "a node module without a layer": ("node/paiza_node/utils.py", "", "node"),
    "a verb that imports bootstrap": ("node/paiza_node/submit.py", "import paiza_node.bootstrap", "node"),
    "a judgement that imports a verb": ("node/paiza_node/passing/grants.py", "import paiza_node.submit", "rooms"),
    "a verb that imports an officers' room": ("node/paiza_node/receive.py", "import paiza_node.desks.approve", "rooms"),
    "the store importing the edge": ("node/paiza_node/store/stray.py", "import paiza_node.edge", "node"),
    "cryptography outside the wire": (
        "proto/paiza_domain/stray.py",
        "import cryptography.x509",
        "cryptography",
    ),
    "sqlalchemy outside the store": ("node/paiza_node/receive.py", "import sqlalchemy.orm", "sqlalchemy"),
    "grpc in a verb": ("node/paiza_node/deliver.py", "import grpc.aio", "grpc"),
    "grpc in the command line": ("client/paiza_client/stray.py", "import grpc", "grpc"),
}
PERMITTED = {
    "cryptography in the wire": ("proto/paiza_wire/stray.py", "import cryptography.x509"),
    "a room that imports a verb": ("node/paiza_node/desks/approve.py", "import paiza_node.submit"),
    "sqlalchemy in the store": ("node/paiza_node/store/stray.py", "import sqlalchemy.orm"),
    "grpc at the edge": ("node/paiza_node/edge/stray.py", "import grpc.aio"),
    "grpc in the peers": ("node/paiza_node/peer/channels.py", "import grpc.aio"),
    "grpc in the session": ("client/paiza_client/session.py", "import grpc.aio"),
}


@pytest.fixture
def skeleton(root: Path, tmp_path: Path) -> Path:
    """Make empty packages under the project's own contracts."""
    shutil.copy(root / "pyproject.toml", tmp_path)
    for source_root, packages in SOURCE_ROOTS.items():
        for package in packages:
            plant(tmp_path, f"{source_root}/{package}/__init__.py")
    for module in (
        "edge/__init__.py",
        "store/__init__.py",
        "passing/__init__.py",
        "desks/__init__.py",
        "desks/approve.py",
        "bootstrap.py",
        "submit.py",
    ):
        plant(tmp_path, f"node/paiza_node/{module}")
    return tmp_path


def plant(tree: Path, module: str, source: str = "") -> None:
    """Write one module into `tree`."""
    path = tree / module
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{source}\n")


def lint(tree: Path, *contracts: str) -> subprocess.CompletedProcess[str]:
    """Check the layers of the packages in `tree` (all contracts, or those named)."""
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    for contract in contracts:
        command += ["--contract", contract]
    search = os.pathsep.join(str(tree / source_root) for source_root in SOURCE_ROOTS)
    return subprocess.run(
        command,
        cwd=tree,
        env={**os.environ, "PYTHONPATH": search},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_layers_hold(root: Path) -> None:
    """The packages as they are break no contract."""
    result = lint(root)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("violation", VIOLATIONS)
def test_a_violation_is_found(skeleton: Path, violation: str) -> None:
    """Each forbidden import, and a module without a layer, breaks its contract."""
    module, source, contract = VIOLATIONS[violation]
    plant(skeleton, module, source)
    result = lint(skeleton, contract)
    assert result.returncode == 1, result.stdout + result.stderr
    assert "BROKEN" in result.stdout


@pytest.mark.parametrize("use", PERMITTED)
def test_a_technology_is_allowed_where_it_belongs(skeleton: Path, use: str) -> None:
    """A technology may be imported by the one place it belongs to."""
    plant(skeleton, *PERMITTED[use])
    result = lint(skeleton)
    assert result.returncode == 0, result.stdout + result.stderr


def test_every_module_of_a_room_has_its_place(root: Path) -> None:
    """The order of judgements, verbs and what uses them names every module of every room, or the whole room."""
    contracts = tomllib.loads((root / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (rooms,) = [contract for contract in contracts if contract["id"] == "rooms"]
    named = set(re.findall(r"paiza_node((?:\.\w+)+)", " ".join(rooms["layers"])))
    modules = {
        f".{room}.{path.stem}"
        for room in ("attachments", "desks", "finding", "passing", "workflows")
        for path in (root / "node/paiza_node" / room).glob("*.py")
        if path.stem != "__init__"
    }
    assert len(modules) > 20
    assert not {module for module in modules if module not in named and module.rpartition(".")[0] not in named}


def test_source_roots_hold_the_known_packages_only(root: Path) -> None:
    """No package or loose module lies in a source root beside those of the architecture."""
    found = {
        source_root: {path.stem for path in (root / source_root).iterdir() if importable(path)}
        for source_root in SOURCE_ROOTS
    }
    assert found == SOURCE_ROOTS


def importable(path: Path) -> bool:
    """Tell whether Python could import `path` as a top-level module."""
    return path.suffix == ".py" or (path.is_dir() and path.name.isidentifier() and any(path.rglob("*.py")))


def test_every_module_name_says_something(root: Path) -> None:
    """No module or package bears a name that could hold anything."""
    names = {
        name
        for source_root in SOURCE_ROOTS
        for path in (root / source_root).rglob("*.py")
        for name in (*path.relative_to(root).parts[:-1], path.stem)
    }
    assert "paiza_wire" in names
    assert not names & SAYS_NOTHING
