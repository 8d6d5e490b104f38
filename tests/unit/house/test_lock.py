"""The lock file pins all that the project asks for, and says nothing about where it came from."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PIN = re.compile(r"^([a-z0-9-]+)(?:\[[a-z,]+\])?==([^ ]+)", re.MULTILINE)


@pytest.fixture(scope="module")
def lock(root: Path) -> str:
    """Read the lock file."""
    return (root / "requirements/lock.txt").read_text()


def test_the_lock_names_no_index(lock: str) -> None:
    """The lock file contains no address, index option or find-links option."""
    assert "://" not in lock
    assert [line for line in lock.splitlines() if line.startswith("-")] == []


def test_every_pin_has_a_hash(lock: str) -> None:
    """Each pinned package carries at least one SHA-256."""
    entries = re.split(r"\n(?=[a-z])", lock)
    assert len(entries) == len(PIN.findall(lock))
    assert [entry.split()[0] for entry in entries if "--hash=sha256:" not in entry] == []


def test_the_lock_satisfies_the_project(root: Path, lock: str) -> None:
    """Every declared dependency, of every extra and group and of the build, is pinned in its range."""
    settings = tomllib.loads((root / "pyproject.toml").read_text())
    declared = [
        *settings["build-system"]["requires"],
        *settings["project"]["dependencies"],
        *(line for lines in settings["project"]["optional-dependencies"].values() for line in lines),
        *(line for lines in settings["dependency-groups"].values() for line in lines),
    ]
    pinned = dict(PIN.findall(lock))
    requirements = [Requirement(line) for line in declared]
    assert requirements
    assert [
        str(requirement)
        for requirement in requirements
        if pinned.get(canonicalize_name(requirement.name), "0") not in requirement.specifier
    ] == []
