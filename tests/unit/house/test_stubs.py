"""The committed stubs are those of the committed .proto files."""

import os
import subprocess
import sys
from pathlib import Path

import paiza.core.v1


def test_stubs_are_fresh(root: Path, tmp_path: Path) -> None:
    """Generating the stubs again gives, byte for byte, the files that lie beside the .proto files."""
    environment = {name: text for name, text in os.environ.items() if name not in {"MAKEFLAGS", "MAKELEVEL"}}
    virtual_environment = Path(sys.executable).parents[1]
    subprocess.run(
        ["make", "-s", "stubs", f"OUT={tmp_path}", f"VENV={virtual_environment}"],
        cwd=root,
        env=environment,
        check=True,
    )
    fresh = _stubs(tmp_path / "paiza")
    beside = _stubs(root / "proto/paiza")
    assert fresh
    assert sorted(fresh) == sorted(beside)
    assert [name for name in fresh if fresh[name] != beside[name]] == []


def test_stubs_come_from_this_tree(root: Path) -> None:
    """The stubs that the tests import are the committed ones, not those of some installed version."""
    assert paiza.core.v1.__file__ == str(root / "proto/paiza/core/v1/__init__.py")


def _stubs(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.glob("*/v1/*_pb2*.py*")}
