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
    "client": {"paiza_client", "paiza_officer", "paiza_cli"},
    "certs": {"paiza_trust"},
}
SAYS_NOTHING = {"utils", "util", "helpers", "helper", "common", "manager", "misc"}
VIOLATIONS = {
    "a client that imports the node": ("client/paiza_client/stray.py", "import paiza_node", "programs"),
    "bytes that import meaning": ("proto/paiza_wire/stray.py", "import paiza_domain", "programs"),
    "a node module outside the storeys": ("node/paiza_node/utils.py", "", "storeys"),
    "a feature that imports the start": (
        "node/paiza_node/features/tasks/stray.py",
        "import paiza_node.app.start",
        "storeys",
    ),
    "the core importing a feature": (
        "node/paiza_node/core/exchange/stray.py",
        "import paiza_node.features.tasks",
        "storeys",
    ),
    "a feature without a place": ("node/paiza_node/features/stray/__init__.py", "", "features"),
    "a feature that imports one above it": (
        "node/paiza_node/features/recalls/stray.py",
        "import paiza_node.features.inbox",
        "features",
    ),
    "a feature that imports its neighbour": (
        "node/paiza_node/features/tasks/stray.py",
        "import paiza_node.features.search",
        "features",
    ),
    "the log importing the exchange": ("node/paiza_node/core/log/stray.py", "import paiza_node.core.exchange", "core"),
    "a schema that imports a kind": ("proto/paiza_domain/schema/stray.py", "import paiza_domain.kinds", "schema"),
    "cryptography outside the wire": ("proto/paiza_domain/stray.py", "import cryptography.x509", "cryptography"),
    "sqlalchemy outside a store": ("node/paiza_node/features/tasks/assign.py", "import sqlalchemy.orm", "sqlalchemy"),
    "grpc in a verb": ("node/paiza_node/core/exchange/stray.py", "import grpc.aio", "grpc"),
    "grpc in the command line": ("client/paiza_client/cli/stray.py", "import grpc", "grpc"),
    "click in the SDK": ("client/paiza_client/sdk/stray.py", "import click", "terminal"),
    "rich in an export": ("client/paiza_client/data/stray.py", "import rich.progress", "terminal"),
    "a client module outside the layers": ("client/paiza_client/stray.py", "", "client"),
    "an SDK that imports a command": ("client/paiza_client/sdk/stray.py", "import paiza_client.cli.root", "client"),
}
PERMITTED = {
    "cryptography in the wire": ("proto/paiza_wire/stray.py", "import cryptography.x509"),
    "a feature that imports the exchange": (
        "node/paiza_node/features/approvals/stray.py",
        "import paiza_node.core.exchange",
    ),
    "sqlalchemy in a store": ("node/paiza_node/features/tasks/store.py", "import sqlalchemy.orm"),
    "sqlalchemy in the storage": ("node/paiza_node/core/storage/stray.py", "import sqlalchemy.orm"),
    "grpc in the servers": ("node/paiza_node/core/api/stray.py", "import grpc.aio"),
    "grpc in the channels": ("node/paiza_node/core/peers/channels.py", "import grpc.aio"),
    "click in a command": ("client/paiza_client/cli/stray.py", "import click"),
    "grpc in the session": ("client/paiza_client/sdk/stray.py", "import grpc.aio"),
}


@pytest.fixture
def skeleton(root: Path, tmp_path: Path) -> Path:
    """Make empty packages under the project's own contracts."""
    shutil.copy(root / "pyproject.toml", tmp_path)
    for source_root, packages in SOURCE_ROOTS.items():
        for package in packages:
            plant(tmp_path, f"{source_root}/{package}/__init__.py")
    root_contracts = tomllib.loads((root / "pyproject.toml").read_text())
    for contract in root_contracts["tool"]["importlinter"]["contracts"]:
        for container in contract.get("containers", []):
            source_root = next(each for each in SOURCE_ROOTS if container.split(".")[0] in SOURCE_ROOTS[each])
            for name in re.findall(r"\w+", " ".join(contract["layers"])):
                folder = f"{source_root}/{container.replace('.', '/')}/{name}"
                single = (root / folder).with_suffix(".py").exists()
                plant(tmp_path, f"{folder}.py" if single else f"{folder}/__init__.py")
        for module in (*contract.get("source_modules", []), *contract.get("forbidden_modules", [])):
            for source_root, packages in SOURCE_ROOTS.items():
                if module.split(".")[0] in packages:
                    plant(tmp_path, f"{source_root}/{module.replace('.', '/')}/__init__.py")
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


def test_a_cycle_is_found(skeleton: Path) -> None:
    """Two commands that import each other break the contract."""
    for one, other in (("board", "stray"), ("stray", "board")):
        plant(skeleton, f"client/paiza_client/cli/{one}.py", f"import paiza_client.cli.{other}")
    result = lint(skeleton, "client-cycles")
    assert result.returncode == 1, result.stdout + result.stderr


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


def test_the_node_has_four_storeys_and_nothing_beside_them(root: Path) -> None:
    """At the top of the node stand the four storeys and the entry point."""
    found = {path.name for path in (root / "node/paiza_node").iterdir() if path.name != "__pycache__"}
    assert found == {"app", "ops", "features", "core", "__init__.py", "__main__.py"}


def test_source_roots_hold_the_known_packages_only(root: Path) -> None:
    """A source root contains only the packages of the architecture."""
    found = {
        source_root: {path.stem for path in (root / source_root).iterdir() if importable(path)}
        for source_root in SOURCE_ROOTS
    }
    assert found == SOURCE_ROOTS


def importable(path: Path) -> bool:
    """Return whether Python could import `path` as a top-level module."""
    return path.suffix == ".py" or (path.is_dir() and path.name.isidentifier() and any(path.rglob("*.py")))


def test_every_module_name_says_something(root: Path) -> None:
    """Modules and packages have specific names."""
    names = {
        name
        for source_root in SOURCE_ROOTS
        for path in (root / source_root).rglob("*.py")
        for name in (*path.relative_to(root).parts[:-1], path.stem)
    }
    assert "paiza_wire" in names
    assert not names & SAYS_NOTHING
