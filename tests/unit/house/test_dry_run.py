"""A dry run of make shows what a target does, and does nothing."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest


def files_below(folder: Path) -> dict[Path, bytes]:
    """Return the content of every file below a folder."""
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("target", ["proto", "lint"])
def test_a_dry_run_changes_nothing(root: Path, tmp_path: Path, target: str) -> None:
    """`make -n` succeeds in a copy of the tree, names the compiler, and leaves every file as it was."""
    for name in ("Makefile", "pyproject.toml", "hatch_build.py", "buf.yaml"):
        shutil.copy(root / name, tmp_path)
    shutil.copytree(root / "requirements", tmp_path / "requirements")
    shutil.copytree(root / "proto/paiza", tmp_path / "proto/paiza", ignore=shutil.ignore_patterns("__pycache__"))
    before = files_below(tmp_path)
    environment = {name: text for name, text in os.environ.items() if name not in {"MAKEFLAGS", "MAKELEVEL"}}
    shown = subprocess.run(
        ["make", "-n", target, f"VENV={Path(sys.executable).parents[1]}"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        check=False,
        text=True,
    )
    assert files_below(tmp_path) == before
    assert shown.returncode == 0, shown.stderr
    assert "grpc_tools.protoc" in shown.stdout
